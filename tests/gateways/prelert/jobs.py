"""A job configuration that is right, and what a test changes of it."""
from __future__ import annotations

import json
from typing import Any

import pytest

from offbeat.gateways.prelert.configuration import JobConfiguration, configuration_of, parse_configuration
from offbeat.gateways.prelert.errors import STATUS, PrelertError

DETECTOR = {"function": "mean", "fieldName": "responsetime", "byFieldName": "airline"}
ELASTICSEARCH = {"dataSource": "elasticsearch", "baseUrl": "http://es:9200", "indexes": ["i"], "types": "t"}


def job(analysis: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    """A job with one detector, the fields of *analysis* in its analysisConfig and those of *top* beside it."""
    return {"analysisConfig": {"detectors": [DETECTOR], **(analysis or {})}, **top}


def of_detectors(*detectors: dict[str, Any], **analysis: Any) -> dict[str, Any]:
    """A job with these detectors."""
    return job({"detectors": list(detectors), **analysis})


def scheduled(scheduler: dict[str, Any], analysis: dict[str, Any] | None = None, format: str = "elasticsearch",
              **changes: Any) -> dict[str, Any]:
    """A job with this scheduler, *changes* in it, that is right otherwise."""
    return job({"bucketSpan": 60, **(analysis or {})}, dataDescription={"format": format},
               schedulerConfig={**scheduler, **changes})


def configured(document: dict[str, Any]) -> JobConfiguration:
    """The job that *document* describes, read from JSON and as it is."""
    found = configuration_of(document)
    assert parse_configuration(json.dumps(document).encode()) == found
    return found


def refusal(code: int) -> Any:
    """A block that must be refused with *code* and its status."""
    return Refusal(code)


class Refusal:
    """The context of ``refusal``."""

    def __init__(self, code: int) -> None:
        self._code = code
        self._raises = pytest.raises(PrelertError)

    def __enter__(self) -> None:
        self._info = self._raises.__enter__()

    def __exit__(self, *what: Any) -> bool:
        caught = self._raises.__exit__(*what)
        error = self._info.value
        assert (error.error_code, error.status) == (self._code, STATUS[self._code]), error.message
        assert error.as_dict() == {"message": error.message, "errorCode": self._code}
        assert error.message
        return bool(caught)
