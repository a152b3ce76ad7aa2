"""The overview at its door: what is asked reaches the results, and the lanes of all kinds of jobs come together."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from offbeat.http import page_examples as examples
from offbeat.http.schemas import named
from offbeat.store.overview_queries import Lane, Overview, OverviewQuery
from tests.http import rows
from tests.http.buckets import SPAN_S, SPEC, START_MS, daemon, ndjson
from tests.http.buckets import rows as calls
from tests.http.conformity import misfits
from tests.http.parts import Behind, MemoryResults, serving

DAY_MS = 86_400_000
NOW_MS = 1_700_000_000_000
QUERY = OverviewQuery("watch", "source", 1_449_662_400_000, 1_449_684_000_000, 3)
LANE = Lane("AAL", None, 100.0, np.array([np.nan, 0.0, 100.0]), rows.LAST, True, rows.RECORD)
SEEN = Overview(QUERY, 1, {"critical": 1, "major": 0, "minor": 0, "warning": 0, "quiet": 0}, (LANE,), None)


async def test_lanes_are_answered_as_the_example() -> None:
    async with serving(Behind(results=MemoryResults({"overview": SEEN}))) as door:
        document = await door.get("/api/v1/overview?start=2015-12-09T12:00Z&end=2015-12-09T18:00Z&bins=3")
        assert document == examples.OVERVIEW
        assert misfits(document, named("Overview")) == []
        assert door.behind.results.asked == [("overview", QUERY)]


async def test_what_is_not_asked_is_the_last_day_up_to_a_whole_bin() -> None:
    async with serving(Behind(results=MemoryResults({"overview": SEEN}))) as door:
        await door.get("/api/v1/overview")
        await door.get("/api/v1/overview?job=j&end=1700000000&limit=3&cursor=c&prefix=p&bins=7")
        await door.get("/api/v1/overview?start=1699999000")
        (_, usual), (_, ended), (_, begun) = door.behind.results.asked
        bin_ms = 900_000
        assert (usual.job, usual.rows, usual.bins, usual.limit, usual.cursor) == ("watch", "source", 96, 50, None)
        assert (usual.end_ms % bin_ms, usual.end_ms - usual.start_ms) == (0, DAY_MS)
        assert NOW_MS <= usual.end_ms < NOW_MS + bin_ms
        assert ended == OverviewQuery("j", "source", NOW_MS - DAY_MS, NOW_MS, 7, 3, "c", "p")
        assert (begun.start_ms, begun.end_ms) == (1_699_999_000_000, NOW_MS)


@pytest.mark.parametrize(
    "query", ["bins=0", "bins=501", "limit=501", "rows=field", "start=2020&end=2019", "end=1&start=1"]
)
async def test_what_cannot_be_asked_is_refused(query: str) -> None:
    async with serving() as door:
        assert (await door.get(f"/api/v1/overview?{query}", 400))["error"]["code"] == "bad_request"


async def test_of_a_lane_without_a_finding_or_an_event_there_is_neither() -> None:
    quiet = replace(LANE, worst=0.0, last_event_ms=None, record=None)
    async with serving(Behind(results=MemoryResults({"overview": replace(SEEN, lanes=(quiet,))}))) as door:
        document = await door.get("/api/v1/overview")
        assert (document["lanes"][0]["last_event"], document["lanes"][0]["record"]) == (None, None)
        assert misfits(document, named("Overview")) == []


async def test_jobs_of_all_kinds_have_a_lane_each(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        await client.post("/jobs", SPEC, 201)
        await client.post("/jobs", {"id": "pumps", "sources": ["pump*"]}, 201)
        await client.post("/jobs/shops/records", ndjson(calls(2_400, odd=(30,))), content_type="application/x-ndjson")
        sent = await client.post("/events", b'{"source": "pump", "time": %d, "flow": 1}' % START_MS, 202)
        span = f"start={START_MS}&end={START_MS + 40 * SPAN_S * 1000}&bins=40&sequence={sent['sequence']}"
        await client.post("/jobs/shops/flush")
        document = await client.get(f"/overview?rows=job&{span}")
        assert misfits(document, named("Overview")) == []
        lanes = {lane["name"]: lane for lane in document["lanes"]}
        assert {name: lane["kind"] for name, lane in lanes.items()} == {
            "shops": "buckets", "watch": "watch", "pumps": "stream"
        }
        assert (document["row_count"], document["lanes"][0]["name"], document["job"]) == (3, "shops", None)
        assert [x for x in lanes["pumps"]["scores"] if x is not None] == [0.0]
        own = {row["start"]: row["score"] for row in (await client.results())["buckets"]}
        told = [x for x in lanes["shops"]["scores"] if x is not None]
        assert told == list(own.values())
        assert lanes["shops"]["worst"] == max(own.values()) > 25
        assert lanes["shops"]["record"]["sentence"].startswith("mean of took of west was 3")
        (alone,) = (await client.get(f"/overview?job=shops&{span}"))["lanes"]
        assert alone == lanes["shops"]
        first = await client.get(f"/overview?rows=job&{span}&limit=1")
        rest = await client.get(f"/overview?rows=job&cursor={first['next_cursor']}&bins=40")
        assert [*first["lanes"], *rest["lanes"]] == document["lanes"]
        (only,) = (await client.get(f"/overview?rows=job&{span}&prefix=pu"))["lanes"]
        assert only == lanes["pumps"]
        assert (await client.get("/overview?job=nobody", 404))["error"]["code"] == "not_found"
