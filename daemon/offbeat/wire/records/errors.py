"""What an upload, a date pattern or a transform can be refused for, as types. How a protocol says it, others know."""
from __future__ import annotations


class UploadRefused(Exception):
    """The upload cannot go on; the records before stay delivered. The message is one sentence for a person."""


class FieldsMissing(UploadRefused):
    """The header lacks the time field, or a field that the analysis needs and no transform makes."""


class TooManyBadDates(UploadRefused):
    """Too large a share of the records has a time that is missing or cannot be read."""


class TooManyBadRecords(UploadRefused):
    """Too large a share of the records cannot be read at all."""


class MalformedJson(UploadRefused):
    """The body is no stream of JSON objects, or ends inside one."""


class BadPattern(ValueError):
    """A date pattern that no time can be read by."""


class BadRegex(ValueError):
    """A Java regular expression that is wrong, or that has no equal here."""


class SlowRegex(Exception):
    """A regular expression takes too long over a value. The message is one sentence for a person."""


class TooManySlowValues(UploadRefused):
    """Regular expressions took too long over too many values of the upload."""


class TransformError(ValueError):
    """A transform, or how several stand together, is wrong. *code* is one of the numbers 10201 to 10214."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
