"""Five days of response times of 19 airlines, sent by a client of the Prelert Engine in every way that it has."""
from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateways.prelert.engine import Engine

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "farequote.csv"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="farequote.csv is not beside the project")
TIMES = {"timeField": "time", "timeFormat": "yyyy-MM-dd'T'HH:mm:ssX"}
DELIMITED = {"fieldDelimiter": ",", **TIMES}


@pytest.fixture(scope="module")
def body() -> bytes:
    """The file."""
    return DATA.read_bytes()


def analysed(
    daemon: Engine, function: str, span_s: int, send: Callable[[str], Any], description: dict[str, str] = DELIMITED
) -> str:
    """A job that was sent the file, and is closed."""
    detector = {"function": function, "fieldName": "responsetime", "byFieldName": "airline"}
    id = daemon.create(analysis={"bucketSpan": span_s, "detectors": [detector]}, dataDescription=description)
    assert send(id).summary["processedRecordCount"] == 86_275
    daemon.close(id)
    return id


@pytest.mark.parametrize("span_s", [300, 3600])
def test_the_slow_hour_of_one_airline_stands_alone(daemon: Engine, body: bytes, span_s: int) -> None:
    id = analysed(daemon, "mean", span_s, lambda id: daemon.upload(id, body))
    first, *others = daemon.records(id)
    assert (first["byFieldValue"], first["timestamp"][:13]) == ("AAL", "2015-12-09T16")
    assert first["normalizedProbability"] > 95
    high = [record for record in others if record["normalizedProbability"] > 75]
    assert [record for record in high if not (record["byFieldValue"] == "AWE" and record["actual"] > 1e4)] == []
    assert daemon.buckets(id, "&anomalyScore=75")[0]["timestamp"] == first["timestamp"]
    assert max(daemon.buckets(id), key=lambda bucket: bucket["anomalyScore"])["timestamp"] == first["timestamp"]


def test_the_strongest_bucket_is_that_of_the_published_example(daemon: Engine, body: bytes) -> None:
    id = analysed(daemon, "metric", 3600, lambda id: daemon.upload(id, body))
    (bucket,) = daemon.buckets(id, "&anomalyScore=50&expand=true")
    assert (bucket["timestamp"], bucket["eventCount"]) == ("2015-12-09T16:00:00.000+0000", 909)
    record = bucket["records"][0]
    assert (record["byFieldValue"], record["functionDescription"], record["function"]) == ("AAL", "mean", "metric")
    assert record["actual"] == pytest.approx(242.75, abs=0.01)
    assert record["typical"] == pytest.approx(100.8, abs=2)
    assert 1e-40 < record["probability"] < 1e-32


def test_the_results_are_the_same_however_the_file_is_sent(daemon: Engine, body: bytes) -> None:
    def pieces(size: int, data: bytes) -> Iterator[bytes]:
        return (data[i : i + size] for i in range(0, len(data), size))

    rows = list(csv.DictReader(io.StringIO(body.decode())))
    objects = "".join(json.dumps(row) + "\n" for row in rows).encode()
    packed = gzip.compress(body, mtime=0)
    ways: list[tuple[Callable[[str], Any], dict[str, str]]] = [
        (lambda id: daemon.upload(id, body), DELIMITED),
        (lambda id: daemon.stream(id, pieces(777, body)), DELIMITED),
        (lambda id: daemon.stream(id, pieces(1 << 20, body)), DELIMITED),
        (lambda id: daemon.upload(id, packed, gzipped=True), DELIMITED),
        (lambda id: daemon.stream(id, pieces(1000, packed), gzipped=True), DELIMITED),
        (lambda id: daemon.upload(id, objects), {"format": "JSON", **TIMES}),
    ]
    found = []
    for send, description in ways:
        id = analysed(daemon, "metric", 3600, send, description)
        found.append((daemon.buckets(id, "&expand=true"), daemon.records(id)))
    assert found[0][0] and found[0][1]
    assert all(other == found[0] for other in found[1:])
