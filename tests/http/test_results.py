"""The queries: what is asked reaches the results as one question, and their rows are the guide's documents."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from offbeat.errors import StoreUnavailable
from offbeat.http import examples
from offbeat.http.schemas import named
from offbeat.store.queries import BucketQuery, Page, ReadingsQuery, RecordQuery
from tests.http import rows
from tests.http.conformity import misfits
from tests.http.parts import Behind, MemoryResults, serving

START, END = rows.START, rows.LAST
SPAN = f"start={START}&end=2015-12-09T16:14:02Z"


@pytest.mark.parametrize(("path", "question"), [
    ("/buckets", ("buckets", BucketQuery())),
    (f"/buckets?job=j&scope=job&source=a&source=b&{SPAN}&min_score=5&order=-score&limit=7&cursor=c",
     ("buckets", BucketQuery("j", "job", ("a", "b"), START, END, 5.0, "-score", 7, "c"))),
    ("/records", ("records", RecordQuery())),
    (f"/records?job=j&source=a&field=f&{SPAN}&min_score=5&order=-time&limit=7&cursor=c",
     ("records", RecordQuery("j", ("a",), ("f",), START, END, 5.0, "-time", 7, "c"))),
    ("/sources", ("sources", "", 100, None)),
    ("/sources?prefix=boiler%2F&limit=7&cursor=c", ("sources", "boiler/", 7, "c")),
    ("/quarantine", ("quarantine", None, 100, None)),
    ("/quarantine?code=bad_time&limit=7&cursor=c", ("quarantine", "bad_time", 7, "c")),
])
async def test_what_is_asked_reaches_the_results_as_one_question(path: str, question: tuple[Any, ...]) -> None:
    async with serving() as door:
        await door.get(f"/api/v1{path}")
        assert door.behind.results.asked == [question]


@pytest.mark.parametrize(("path", "query"), [
    ("/readings", ReadingsQuery("a/b {c}")),
    (f"/readings?field=f&field=g&{SPAN}&width=7&level=1h", ReadingsQuery("a/b {c}", ("f", "g"), START, END, 7, "1h")),
])
async def test_a_source_is_found_whatever_its_name(path: str, query: ReadingsQuery) -> None:
    async with serving(Behind(results=MemoryResults({"readings": ()}))) as door:
        await door.get(f"/api/v1/sources/a%2Fb%20%7Bc%7D{path}")
        assert door.behind.results.asked == [("readings", query)]


@pytest.mark.parametrize(("name", "path", "row", "example", "schema"), [
    ("buckets", "/buckets", Page((rows.BUCKET,), None), examples.BUCKETS, "Buckets"),
    ("records", "/records", Page((rows.RECORD,), None), examples.RECORDS, "Records"),
    ("record", "/records/a", rows.RECORD_IN_FULL, examples.RECORD_IN_FULL, "Record"),
    ("sources", "/sources", Page((rows.SOURCE,), None), examples.SOURCES, "Sources"),
    ("source", "/sources/AAL", rows.SOURCE, examples.SOURCE_IN_FULL, "SourceInFull"),
    ("readings", "/sources/AAL/readings", (rows.READINGS,), examples.READINGS, "Readings"),
    ("diagnosis", "/diagnosis", rows.DIAGNOSIS, examples.DIAGNOSIS, "Diagnosis"),
    ("quarantine", "/quarantine", Page((rows.QUARANTINED,), None), examples.QUARANTINE, "Quarantine"),
])
async def test_rows_are_answered_as_the_documents_of_the_examples(
        name: str, path: str, row: Any, example: Any, schema: str) -> None:
    async with serving(Behind(results=MemoryResults({name: row}))) as door:
        document = await door.get(f"/api/v1{path}")
        assert document == example
        assert misfits(document, named(schema)) == []


async def test_a_bucket_of_the_whole_job_says_how_many_sources_reported() -> None:
    whole = rows.BUCKET._replace(source=None, source_count=3)
    async with serving(Behind(results=MemoryResults({"buckets": Page((whole,), "further")}))) as door:
        document = await door.get("/api/v1/buckets?scope=job")
        (bucket,) = document["buckets"]
        assert ("source" in bucket, bucket["source_count"], document["next_cursor"]) == (False, 3, "further")
        assert misfits(document, named("Buckets")) == []


async def test_what_a_detector_did_not_say_is_null() -> None:
    silent = replace(rows.RECORD, typical=np.nan, lower=np.nan, upper=np.nan, probability=np.nan)
    async with serving(Behind(results=MemoryResults({"records": Page((silent,), None)}))) as door:
        document = await door.get("/api/v1/records")
        (record,) = document["records"]
        assert [record[name] for name in ("typical", "lower", "upper", "probability")] == [None] * 4
        assert misfits(document, named("Records")) == []


async def test_of_a_silence_there_is_no_value_and_what_was_expected_is_a_time() -> None:
    due_ms = rows.START - 60_000
    silent = replace(rows.RECORD, actual=np.nan, typical=float(due_ms), lower=np.nan, upper=np.nan)
    full = replace(rows.RECORD_IN_FULL, record=silent)
    results = MemoryResults({"records": Page((silent,), None), "record": full})
    async with serving(Behind(results=results)) as door:
        (record,) = (await door.get("/api/v1/records"))["records"]
        whole = await door.get("/api/v1/records/x")
        for document in (record, whole):
            said = document["explain"]
            assert [document[name] for name in ("actual", "typical", "lower", "upper")] == [None] * 4
            assert [said[name] for name in ("observed", "typical", "lower", "upper", "normal")] == [None] * 5
            assert said["due"] == "2015-12-09T16:13:00.000Z"
            assert misfits(document, named("Record")) == []
        assert "nothing has come of responsetime of AAL by 2015-12-09 16:14:02 UTC" in record["explain"]["sentence"]
        assert "nothing has come of responsetime of AAL since 2015-12-09 16:13:49 UTC" in whole["explain"]["sentence"]


async def test_a_similar_moment_that_is_no_longer_kept_has_no_time() -> None:
    gone = replace(rows.RECORD_IN_FULL, similar_ms=(None,), last_ms=None)
    async with serving(Behind(results=MemoryResults({"record": gone}))) as door:
        said = (await door.get("/api/v1/records/x"))["explain"]
        assert said["similar"] == [{"readings_ago": 812, "time": None}]
        assert said["history"]["reading_before"] is None


async def test_a_record_is_found_whatever_the_names_in_its_id() -> None:
    async with serving(Behind(results=MemoryResults({"record": rows.RECORD_IN_FULL}))) as door:
        await door.get("/api/v1/records/watch%3A0%3Aa%2Fb%20%7Bc%7D%3A%25253A%3A0")
        assert door.behind.results.asked == [("record", "watch:0:a/b {c}:%253A:0")]


async def test_a_record_that_is_not_there_is_not_found() -> None:
    async with serving() as door:
        assert (await door.get("/api/v1/records/x", 404))["error"]["code"] == "not_found"


async def test_a_record_comes_without_its_evidence_if_asked() -> None:
    async with serving(Behind(results=MemoryResults({"records": Page((rows.RECORD,), None)}))) as door:
        (record,) = (await door.get("/api/v1/records?explain=false"))["records"]
        assert record == {name: value for name, value in examples.RECORD.items() if name != "explain"}


async def test_a_rollup_has_its_columns_and_an_empty_band_is_still_a_band() -> None:
    columns = {
        "count": np.array([2, 3]),
        **{name: np.arange(4.0)[::2] for name in ("sum", "min", "max", "mean", "sum_of_squares")},
    }
    rollup = replace(rows.READINGS, level="1m", time_ms=np.array([START, END]), columns=columns, band={})
    async with serving(Behind(results=MemoryResults({"readings": (rollup,)}))) as door:
        document = await door.get("/api/v1/sources/AAL/readings")
        (series,) = document["series"]
        assert (series["sum"], series["count"], "value" in series) == ([0.0, 2.0], [2, 3], False)
        assert series["band"] == {"time": [], "typical": [], "lower": [], "upper": []}
        assert misfits(document, named("Readings")) == []


async def test_readings_come_with_times_as_numbers_and_of_rollups_just_some_columns() -> None:
    columns = {"count": np.array([2, 3]), **{name: np.arange(2.0) for name in ("sum", "min", "max", "mean")}}
    rollup = replace(rows.READINGS, level="1m", time_ms=np.array([START, END]), columns=columns)
    async with serving(Behind(results=MemoryResults({"readings": (rollup, rows.READINGS)}))) as door:
        asked = "time=epoch_ms&columns=mean,min&columns=max"
        document = await door.get(f"/api/v1/sources/AAL/readings?{asked}")
        few, raw = document["series"]
        assert (few["time"], few["band"]["time"], raw["time"]) == ([START, END], [END], [END])
        assert {"mean", "min", "max"} == set(few) & {"count", *columns}
        assert raw["value"] == [98.1]
        assert misfits(document, named("Readings")) == []
        assert door.behind.results.asked == [("readings", ReadingsQuery("AAL"))]
        for wrong in ("columns=median", "columns=mean,", "time=unix"):
            assert (await door.get(f"/api/v1/sources/AAL/readings?{wrong}", 400))["error"]["code"] == "bad_request"


async def test_a_query_with_a_sequence_waits_for_it_first() -> None:
    async with serving() as door:
        await door.get("/api/v1/buckets?sequence=17")
        assert door.behind.results.asked == [("reached", 17, 10.0), ("buckets", BucketQuery())]


async def test_the_metadata_of_a_source_is_replaced() -> None:
    async with serving(Behind(results=MemoryResults({"source": rows.SOURCE}))) as door:
        status, document, _ = await door.send(b'{"metadata": {"desk": 7}}', "/api/v1/sources/AAL", "PATCH")
        assert (status, document["metadata"]) == (200, {"desk": 7})
        assert (await door.get("/api/v1/sources/AAL"))["metadata"] == {"desk": 7}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"{}", {}, 400),
        (b'{"metadata": 1}', {}, 400),
        (b'{"metadata": {}, "name": 1}', {}, 400),
        (b"{}", {"Content_Type": "text/csv"}, 415),
        (b"{}", {"Content_Encoding": "gzip"}, 415),
        (b" " * 300_000, {}, 413),
    ],
)
async def test_metadata_that_is_none_is_refused_and_nothing_is_changed(
        body: bytes, headers: dict[str, str], status: int) -> None:
    async with serving(Behind(results=MemoryResults({"source": rows.SOURCE}))) as door:
        assert (await door.send(body, "/api/v1/sources/AAL", "PATCH", **headers))[0] == status
        assert (await door.get("/api/v1/sources/AAL"))["metadata"] == rows.SOURCE.metadata


async def test_a_source_that_is_not_there_is_not_found() -> None:
    async with serving() as door:
        await door.get("/api/v1/sources/AAL", 404)
        assert (await door.send(b'{"metadata": {}}', "/api/v1/sources/AAL", "PATCH"))[0] == 404


async def test_a_store_that_cannot_be_read_says_when_to_ask_again() -> None:
    async with serving(Behind(results=MemoryResults({"buckets": StoreUnavailable("the disk is gone")}))) as door:
        error = (await door.get("/api/v1/buckets", 503))["error"]
        assert error["code"] == "store_unavailable"
