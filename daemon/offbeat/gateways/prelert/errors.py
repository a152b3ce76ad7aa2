"""What the Prelert Engine API can refuse, by number: the one place that knows which status belongs to which code."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offbeat.errors import Refused
from offbeat.wire.records.errors import (
    FieldsMissing,
    MalformedJson,
    TooManyBadDates,
    TooManyBadRecords,
    TooManySlowValues,
    TransformError,
    UploadRefused,
)

STATUS: Mapping[int, int] = {
    0: 500,
    10101: 400,  # the job configuration is not valid JSON
    10102: 400,  # unknown field in a job configuration
    10103: 400,  # unknown job reference: withdrawn, reserved
    10104: 400,  # value not allowed
    10105: 400,  # unknown function
    10106: 400,  # function and fields do not go together
    10107: 400,  # configuration incomplete
    10108: 400,  # invalid date pattern
    10109: 400,  # licence limit
    10110: 400,  # job id already used
    10111: 400,  # character not allowed in a job id
    10112: 400,  # job id too long
    10113: 400,  # character not allowed in a field name
    10114: 400,  # function not possible with other settings
    10115: 400,  # unknown key in a job update
    10116: 400,  # the detector to validate is not valid JSON
    10117: 400,  # unknown field in the detector to validate
    10118: 500,  # a password could not be encrypted
    10119: 400,  # invalid excludeFrequent
    10201: 400,  # unknown transform
    10202: 400,  # wrong number of transform inputs
    10203: 400,  # no output of a transform is used
    10204: 400,  # circular transform dependency
    10205: 400,  # duplicate transform output name
    10206: 400,  # wrong number of transform arguments
    10207: 400,  # single-line data without transforms
    10208: 400,  # a transform needs a condition
    10209: 400,  # unknown condition operator
    10210: 400,  # invalid condition argument
    10211: 400,  # wrong number of transform outputs
    10212: 400,  # empty transform input name
    10213: 400,  # empty transform output name
    10214: 400,  # invalid transform argument
    10215: 400,  # the transform to validate is not valid JSON
    10216: 400,  # unknown field in the transform to validate
    10301: 400,  # unknown scheduler data source
    10302: 400,  # scheduler field not valid for its source
    10303: 400,  # invalid scheduler option value
    10304: 400,  # a scheduled job needs an explicit bucket span
    10305: 400,  # an Elasticsearch scheduler cannot have latency
    10306: 400,  # aggregations need a summary count field
    10307: 400,  # an Elasticsearch scheduler needs that data format
    10308: 400,  # user name and password must come together
    10309: 400,  # plain and encrypted password both given
    20001: 500,  # data store error
    20101: 404,  # no such job
    30001: 400,  # data error, generic
    30101: 400,  # a configured field is missing from the header
    30102: 400,  # declared gzip but is not
    30103: 400,  # too many bad dates
    30104: 400,  # too many bad records
    30105: 400,  # too many out-of-order records
    30106: 429,  # too many jobs running
    30107: 400,  # malformed JSON data
    40001: 500,  # analysis process error, unknown
    40101: 500,  # the analysis could not start
    40102: 500,  # could not write to the analysis
    40103: 409,  # job in use by another connection
    40104: 500,  # flush interrupted
    50101: 404,  # log directory missing
    50102: 404,  # log file missing
    50103: 400,  # invalid log file path
    60101: 400,  # a date parameter cannot be parsed
    60102: 400,  # unknown sort field
    60103: 409,  # job not running (alerts)
    60104: 400,  # invalid alert threshold
    60105: 400,  # invalid alert timeout
    60106: 400,  # invalid flush parameters
    60107: 400,  # end before start
    60108: 400,  # invalid bucket reset range
    60109: 400,  # bucket reset without latency
    60110: 400,  # invalid skip
    60111: 400,  # invalid take
    60112: 400,  # unknown alert type
    60113: 400,  # alert type cannot use probability
    60114: 409,  # the scheduler cannot be started
    60115: 409,  # the scheduler cannot be stopped
    60116: 404,  # the job has no scheduler
    60117: 409,  # action not allowed for a scheduled job
    60118: 400,  # invalid revert parameters
    60119: 404,  # no matching model snapshot
    60120: 409,  # the job must be closed first
    60121: 400,  # invalid snapshot description
    60122: 409,  # snapshot description already used
    60123: 409,  # the job cannot be paused
    60124: 409,  # the job cannot be resumed
    60125: 409,  # the highest-priority snapshot cannot be deleted
    60126: 409,  # the scheduler cannot be updated now
    70101: 500,  # support bundle failed
}
"""The HTTP status of each code. Source: Prelert Engine API, section 15.2."""
UPLOAD_CODES: Mapping[type[UploadRefused], int] = {
    FieldsMissing: 30101, TooManyBadDates: 30103, TooManyBadRecords: 30104, TooManySlowValues: 30104,
    MalformedJson: 30107,
}


class PrelertError(Refused):
    """A refusal with a number of the Prelert Engine API; *status* only where it is not that of the number."""

    code = "prelert"

    def __init__(self, error_code: int, message: str, status: int | None = None) -> None:
        super().__init__(message, where={"errorCode": error_code})
        self.error_code = error_code
        self.status = STATUS[error_code] if status is None else status

    def as_dict(self) -> dict[str, Any]:
        """As section 15.1 has it."""
        return {"message": self.message, "errorCode": self.error_code}


def of_transform(error: TransformError) -> PrelertError:
    """What *error* is here."""
    return PrelertError(error.code, error.message)


def of_upload(error: UploadRefused) -> PrelertError:
    """What *error* is here."""
    return PrelertError(UPLOAD_CODES.get(type(error), 30001), str(error))
