"""A job with multivariateByFields: two by values that part are records which name each other.

Source: Prelert Engine API, sections 4.2 and 9.3.
"""
from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateways.prelert.engine import FIRST_S, Engine, csv

SPAN_S, BUCKETS, ODD = 600, 120, 100
DETECTOR = {"function": "mean", "fieldName": "value", "byFieldName": "sensor"}


def readings() -> Iterator[tuple[object, ...]]:
    """Two sensors that follow one another, but for one bucket, in which both are where they often were; and a third."""
    rng = random.Random(8)
    for bucket in range(BUCKETS):
        level = 58.0 if bucket == ODD else rng.gauss(50.0, 5.0)
        second = 42.0 if bucket == ODD else level
        for sensor, value in (("a", level), ("b", second + rng.gauss(0.0, 0.2)), ("c", rng.gauss(50.0, 5.0))):
            yield FIRST_S + bucket * SPAN_S, sensor, f"{value:.3f}"


def found(daemon: Engine, **asked: Any) -> tuple[str, list[dict[str, Any]]]:
    """A job that has had all readings, and its records of the odd bucket that are below 1e-6."""
    analysis = {"bucketSpan": SPAN_S, "detectors": [DETECTOR], **asked}
    id = daemon.create(analysis=analysis, dataDescription={"fieldDelimiter": ","})
    daemon.upload(id, csv(list(readings()), ("time", "sensor", "value")))
    daemon.close(id)
    start_s = FIRST_S + ODD * SPAN_S
    return id, [one for one in daemon.records(id, f"&start={start_s}&end={start_s + 1}") if one["probability"] < 1e-6]


def test_two_that_part_name_each_other_and_records_are_sorted_by_it(daemon: Engine) -> None:
    id, records = found(daemon, multivariateByFields=True)
    assert daemon.job(id)["analysisConfig"]["multivariateByFields"] is True
    assert {one["byFieldValue"]: one["correlatedByFieldValue"] for one in records} == {"a": "b", "b": "a"}
    for desc in ("true", "false"):
        every = daemon.records(id, f"&sort=correlatedByFieldValue&desc={desc}")
        named = [one["correlatedByFieldValue"] for one in every if "correlatedByFieldValue" in one]
        assert len(named) < len(every)
        assert named == sorted(named, reverse=desc == "true")


@pytest.mark.parametrize("asked", [{}, {"multivariateByFields": False}])
def test_without_it_nobody_would_know(daemon: Engine, asked: dict[str, Any]) -> None:
    id, records = found(daemon, **asked)
    assert records == []
    assert all("correlatedByFieldValue" not in one for one in daemon.records(id))
