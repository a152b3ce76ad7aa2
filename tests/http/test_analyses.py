"""Jobs with detectors through our own API: asked for, sent to, read, put to rest."""
from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from offbeat.http.schemas import named
from tests.http.buckets import RESULTS, SPEC, START_MS, daemon, ndjson, rows
from tests.http.conformity import misfits

ODD = (80,)
ROWS = rows(6_000, odd=ODD)
SCHEMAS = {"buckets": "AnalysisBuckets", "records": "AnalysisRecords", "influencers": "AnalysisInfluencers"}


def as_csv(records: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(records[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue().encode()


async def test_a_job_with_detectors_is_created_read_listed_and_deleted(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        made = await client.post("/jobs", SPEC, 201)
        assert misfits(made, named("Analysis")) == []
        assert (made["state"], made["influencers"], made["detectors"][0]["by"]) == ("closed", ["shop"], "shop")
        assert await client.get("/jobs/shops") == made
        listed = await client.get("/jobs")
        assert [job["id"] for job in listed["jobs"]] == ["shops", "watch"]
        assert misfits(listed, named("Jobs")) == []
        first = await client.get("/jobs?limit=1")
        assert [job["id"] for job in (await client.get(f"/jobs?cursor={first['next_cursor']}"))["jobs"]] == ["watch"]
        await client.post("/jobs/shops/records", ndjson(ROWS[:500]))
        await client.call("DELETE", "/jobs/shops", status=204)
        await client.get("/jobs/shops", 404)
        await client.post("/jobs", SPEC, 201)
        assert (await client.results())["buckets"] == []


async def test_both_kinds_of_jobs_share_their_names(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        await client.post("/jobs", SPEC, 201)
        refused = [
            await client.post("/jobs", SPEC, 409),
            await client.post("/jobs", {"id": "shops"}, 409),
            await client.post("/jobs", {**SPEC, "id": "watch"}, 409),
        ]
        assert [one["error"]["code"] for one in refused] == ["conflict"] * 3
        not_one = await client.post("/jobs/watch/records", ndjson(ROWS[:1]), 409)
        assert not_one["error"]["code"] == "job_has_no_detectors"
        assert (await client.get("/jobs/none/results/records", 404))["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "a b"}, "id"),
        ({"id": None}, "id"),
        ({"name": "x"}, "name"),
        ({"detectors": []}, "detectors"),
        ({"detectors": {}}, "detectors"),
        ({"detectors": ["count"]}, "detectors[0]"),
        ({"detectors": [{}]}, "detectors[0].function"),
        ({"detectors": [{"function": "count"}, {"function": "maen", "field": "x"}]}, "detectors[1].function"),
        ({"detectors": [{"function": "mean"}]}, "detectors[0].field"),
        ({"detectors": [{"function": "count", "field": "x"}]}, "detectors[0].field"),
        ({"detectors": [{"function": "rare"}]}, "detectors[0].by"),
        ({"detectors": [{"function": "freq_rare", "by": "x"}]}, "detectors[0].over"),
        ({"detectors": [{"function": "nzc", "over": "x"}]}, "detectors[0].over"),
        ({"detectors": [{"function": "count", "byField": "x"}]}, "detectors[0].byField"),
        ({"detectors": [{"function": "count", "by": 1}]}, "detectors[0].by"),
        ({"detectors": [{"function": "count", "use_null": "yes"}]}, "detectors[0].use_null"),
        ({"detectors": [{"function": "count", "exclude_frequent": "some"}]}, "detectors[0].exclude_frequent"),
        ({"detectors": [{"function": "count", "exclude_frequent": "by"}]}, "detectors[0].exclude_frequent"),
        ({"detectors": [{"function": "rare", "by": "prelertcategory"}]}, "detectors[0].by"),
        ({"detectors": [{"function": "metric", "field": "x"}], "summary_count_field": "n"}, "detectors[0].function"),
        ({"bucket_span_s": 0}, "bucket_span_s"),
        ({"bucket_span_s": 1.5}, "bucket_span_s"),
        ({"latency_s": -1}, "latency_s"),
        ({"influencers": "shop"}, "influencers"),
        ({"influencers": [""]}, "influencers[0]"),
        ({"influencers": ["prelertcategory"]}, "influencers[0]"),
        ({"memory_max_mb": -2}, "memory_max_mb"),
        ({"categorization_filters": ["a"]}, "categorization_filters"),
        ({"categorization_field": "m", "categorization_filters": ["a", "("]}, "categorization_filters[1]"),
        ({"categorization_field": "m", "categorization_filters": ["(a)\\1"]}, "categorization_filters[0]"),
        ({"categorization_examples": -1}, "categorization_examples"),
        ({"sources": [""]}, "sources[0]"),
        ({"fields": ["a\0"]}, "fields[0]"),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_its_place(
    change: dict[str, Any], field: str, state_dir: Path
) -> None:
    async with daemon(state_dir) as client:
        refused = (await client.post("/jobs", SPEC | change, 400))["error"]
        assert refused["where"] == {"field": field}
        assert refused["code"] == ("unknown_function" if "maen" in str(change) else "bad_request")
        assert [job["id"] for job in (await client.get("/jobs"))["jobs"]] == ["watch"]


async def test_who_misspells_a_function_is_told_which_was_meant(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        refused = await client.post("/jobs", SPEC | {"detectors": [{"function": "maen", "field": "x"}]}, 400)
        assert refused["error"]["hint"] == "did you mean mean?"


async def test_the_planted_bucket_is_the_strongest_and_answers_keep_to_the_schemas(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        await client.post("/jobs", SPEC, 201)
        counts = await client.post("/jobs/shops/records", ndjson(ROWS), Content_Type="application/x-ndjson")
        assert misfits(counts, named("RecordCounts")) == []
        assert (counts["received"], counts["processed"], counts["buckets"]) == (6_000, 6_000, 99)
        for name in RESULTS:
            page = await client.get(f"/jobs/shops/results/{name}?order=-score&limit=3")
            assert misfits(page, named(SCHEMAS[name])) == []
            starts = [one.get("start") or one["bucket_start"] for one in page[name]]
            assert starts[0] == "2023-11-14T23:34:00.000Z"  # START_MS and 80 spans
        strongest = (await client.get("/jobs/shops/results/records?order=-score&limit=1"))["records"][0]
        assert (strongest["by"], strongest["detector"]) == ({"field": "shop", "value": "west"}, 0)
        assert strongest["influencers"] == [{"field": "shop", "values": ["west"]}]


@pytest.mark.parametrize("order", ["time", "-time", "-score"])
@pytest.mark.parametrize("name", RESULTS)
async def test_pages_follow_one_another(name: str, order: str, state_dir: Path) -> None:
    spec = SPEC | {"detectors": [{"function": "metric", "field": "took", "by": "shop"}, {"function": "count"}]}
    async with daemon(state_dir) as client:
        await client.post("/jobs", spec, 201)
        await client.post("/jobs/shops/records", ndjson(rows(3_000, odd=(20, 30, 40))))
        path = f"/jobs/shops/results/{name}?order={order}"
        whole = (await client.get(f"{path}&limit=1000"))[name]
        found, cursor = [], ""
        while cursor is not None:
            page = await client.get(f"{path}&limit=7{cursor and f'&cursor={cursor}'}")
            found += page[name]
            cursor = page["next_cursor"]
        assert found == whole
        assert len(found) > 7
        if order == "-score":
            assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)


async def test_results_are_limited_by_time_and_score(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        await client.post("/jobs", SPEC, 201)
        await client.post("/jobs/shops/records", ndjson(ROWS))
        every = (await client.results())["buckets"]
        some = (await client.get(f"/jobs/shops/results/buckets?start={START_MS}&end={START_MS + 300_000}"))["buckets"]
        assert some == every[:5]
        high = (await client.get("/jobs/shops/results/buckets?min_score=50"))["buckets"]
        assert high == [one for one in every if one["score"] >= 50]
        assert high
        assert (await client.get("/jobs/shops/results/buckets?order=score", 400))["error"]["where"] == {
            "parameter": "order"
        }


@pytest.mark.parametrize(
    ("body", "query", "headers"),
    [
        (ndjson(ROWS), "", {}),
        (json.dumps(ROWS).encode(), "", {"Content_Type": "application/json"}),
        (as_csv(ROWS), "", {"Content_Type": "text/csv"}),
        (as_csv(ROWS, "\t"), "?delimiter=tab&time_field=time&time_format=epoch_ms", {"Content_Type": "text/csv"}),
        (gzip.compress(ndjson(ROWS)), "", {"Content_Encoding": "gzip"}),
        (ndjson([{"at": row["time"]} | row | {"time": None} for row in ROWS]), "?time_field=at", {}),
        (ndjson([{"timestamp": row["time"], **{k: row[k] for k in ("shop", "took")}} for row in ROWS]), "", {}),
    ],
    ids=["ndjson", "array", "csv", "tab", "gzip", "named time", "usual time"],
)
async def test_records_are_the_same_in_every_form(
    body: bytes, query: str, headers: dict[str, str], state_dir: Path, tmp_path: Path
) -> None:
    async with daemon(state_dir) as client, daemon(tmp_path / "other") as other:
        for one in (client, other):
            await one.post("/jobs", SPEC, 201)
        await client.post("/jobs/shops/records", ndjson(ROWS))
        await other.post(f"/jobs/shops/records{query}", body, **headers)
        assert await client.results() == await other.results()


@pytest.mark.parametrize(
    ("body", "query", "headers", "status", "code"),
    [
        (b"a,b\n1,2\n", "", {"Content_Type": "text/csv"}, 400, "bad_body"),
        (b'{"time": 1', "", {}, 400, "bad_body"),
        (b"cpu,host=a load=1 1700000000\n", "", {"Content_Type": "text/plain"}, 415, "unsupported_media_type"),
        (b"time,shop\n", "", {}, 415, "unsupported_media_type"),
        (b"x", "", {"Content_Encoding": "br"}, 415, "unsupported_media_type"),
        (b"not gzip", "", {"Content_Encoding": "gzip"}, 400, "bad_body"),
        (ndjson(ROWS[:1]), "?time_format=yy'", {}, 400, "bad_request"),
        (ndjson([row | {"time": "soon"} for row in ROWS[:200]]), "", {}, 400, "bad_body"),
    ],
)
async def test_a_body_that_is_none_is_refused(
    body: bytes, query: str, headers: dict[str, str], status: int, code: str, state_dir: Path
) -> None:
    async with daemon(state_dir) as client:
        await client.post("/jobs", SPEC, 201)
        refused = await client.post(f"/jobs/shops/records{query}", body, status, **headers)
        assert refused["error"]["code"] == code
        assert (await client.get("/jobs/shops"))["counts"]["processed"] == 0


async def test_a_body_that_is_sent_again_with_its_key_counts_once(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        await client.post("/jobs", SPEC, 201)
        whole = ndjson(ROWS)
        first = await client.post("/jobs/shops/records", whole, Idempotency_Key="y")
        assert await client.post("/jobs/shops/records", whole, Idempotency_Key="y") == first
        assert (await client.get("/jobs/shops"))["counts"]["processed"] == len(ROWS)
        other = await client.post("/jobs/shops/records", ndjson(ROWS[:-1]), 422, Idempotency_Key="y")
        assert other["error"]["code"] == "idempotency_key_reused"


async def test_a_flush_tells_interim_results_and_an_advance_makes_them_final(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        await client.post("/jobs", SPEC, 201)
        await client.post("/jobs/shops/records", ndjson(ROWS[:630]))  # ten spans and a half
        assert [one["interim"] for one in (await client.results())["buckets"]] == [False] * 10
        await client.post("/jobs/shops/flush?interim=true")
        with_open = (await client.get("/jobs/shops/results/buckets?interim=true"))["buckets"]
        assert [(one["interim"], one["event_count"]) for one in with_open[-2:]] == [(False, 60), (True, 30)]
        job = await client.post(f"/jobs/shops/flush?advance={START_MS + 660_000}")
        assert job["latest_bucket"] == with_open[-1]["start"]
        assert (await client.results())["buckets"][-1]["event_count"] == 30
        refused = await client.post(f"/jobs/shops/flush?start={START_MS}", status=400)
        assert refused["error"]["where"] == {"parameter": "interim"}


async def test_a_job_is_closed_reopened_paused_and_resumed(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        await client.post("/jobs", SPEC, 201)
        await client.post("/jobs/shops/records", ndjson(ROWS[:600]))
        assert (await client.get("/jobs/shops"))["state"] == "running"
        closed = await client.post("/jobs/shops/close")
        assert (closed["state"], closed["closed"] is not None) == ("closed", True)
        assert (await client.post("/jobs/shops/resume", status=409))["error"]["code"] == "job_cannot_be_resumed"
        assert (await client.post("/jobs/shops/pause"))["state"] == "paused"
        assert (await client.post("/jobs/shops/records", ndjson(ROWS[600:660])))["processed"] == 0
        assert (await client.post("/jobs/shops/pause", status=409))["error"]["code"] == "job_cannot_be_paused"
        assert (await client.post("/jobs/shops/resume"))["state"] == "closed"
        assert (await client.post("/jobs/shops/records", ndjson(ROWS[1200:1400])))["processed"] == 200
        assert (await client.get("/jobs/shops"))["state"] == "running"


async def test_categories_are_told_page_by_page(state_dir: Path) -> None:
    spec = SPEC | {"detectors": [{"function": "count", "by": "prelertcategory"}], "categorization_field": "message"}
    said = ("request {} took long", "disk {} is full now", "user {} has logged in")
    records = [{"time": START_MS + i * 1_000, "message": said[i % 3].format(i)} for i in range(300)]
    async with daemon(state_dir) as client:
        await client.post("/jobs", spec, 201)
        await client.post("/jobs/shops/records", ndjson(records))
        whole = await client.get("/jobs/shops/results/categories")
        assert misfits(whole, named("Categories")) == []
        assert [one["id"] for one in whole["categories"]] == [1, 2, 3]
        first = await client.get("/jobs/shops/results/categories?limit=2")
        rest = await client.get(f"/jobs/shops/results/categories?cursor={first['next_cursor']}")
        assert first["categories"] + rest["categories"] == whole["categories"]
        told = whole["categorization"]
        assert told == first["categorization"] == (await client.get("/jobs/shops"))["categorization"]
        assert told == {
            "status": "ok", "reasons": [], "messages": 300, "categories": 3, "rare": 0, "frequent": 3, "beyond": 0}


async def test_a_job_tells_that_its_categories_are_of_no_use(state_dir: Path) -> None:
    spec = SPEC | {"detectors": [{"function": "count", "by": "prelertcategory"}], "categorization_field": "message"}
    records = [{"time": START_MS + i * 1_000, "message": f"request {i} took long"} for i in range(200)]
    async with daemon(state_dir) as client:
        await client.post("/jobs", spec, 201)
        await client.post("/jobs/shops/records", ndjson(records))
        told = (await client.get("/jobs/shops"))["categorization"]
        assert (told["status"], told["reasons"], told["categories"]) == ("warn", ["one is dominant"], 1)


async def test_records_are_told_on_the_stream_as_their_bucket_closes(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        await client.post("/jobs", SPEC, 201)
        async with client.http.get("/api/v1/stream?job=shops&types=record&min_score=50") as stream:
            await stream.content.readuntil(b"\n\n")
            await client.post("/jobs/shops/records", ndjson(ROWS))
            told = await stream.content.readuntil(b"\n\n")
        lines = told.decode().splitlines()
        assert lines[0] == "event: record"
        document = json.loads(lines[1].removeprefix("data: "))
        found = (await client.get("/jobs/shops/results/records?min_score=50&limit=1"))["records"][0]
        rescored = ("normalized", "initial_normalized")  # the others are said once
        assert {k: v for k, v in document.items() if k not in rescored} == {
            k: v for k, v in found.items() if k not in rescored
        }
