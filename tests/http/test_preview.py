"""A preview over the real daemon says what the job then says of the same events, and leaves nothing behind."""
from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from offbeat.backtest import preview
from offbeat.errors import Refused
from offbeat.http.schemas import named
from offbeat.store.queries import BucketQuery
from offbeat_detectors.registry import create
from tests.http.buckets import START_MS, Client, daemon
from tests.http.conformity import misfits

STEP_MS, COUNT = 20_000, 900
END_MS = START_MS + COUNT * STEP_MS
SPAN = {"start": START_MS, "end": END_MS}
VALUE: dict[str, Any] = {
    "id": "pumps", "sources": ["pump*"], "fields": ["flow"], "model": "ewma", "parameters": {"warmup_readings": 5}
}
BUCKETS: dict[str, Any] = {
    "id": "means", "bucket_span_s": 300, "sources": ["pump*"], "fields": ["flow", "heat"], "influencers": ["source"],
    "detectors": [{"function": "mean", "field": "flow", "by": "source"}, {"function": "high_count"}],
}


def events(seed: int = 5) -> list[dict[str, Any]]:
    """Two pumps and a valve, each with flow and heat; one pump is far off for a while."""
    rng = random.Random(seed)
    made = []
    for i in range(COUNT):
        for source in ("pump1", "pump2", "valve"):
            odd = (source == "pump2" and 700 <= i < 720) or (source == "pump1" and i in (300, 420, 421))
            row = {"source": source, "time": START_MS + i * STEP_MS, "flow": round(rng.gauss(9 if odd else 5, 0.1), 4)}
            made.append(row | ({"heat": i % 7} if i % 2 else {}))
    return made


async def send(client: Client, rows: list[dict[str, Any]]) -> None:
    sent = await client.post("/events", "\n".join(map(json.dumps, rows)).encode(), 202)
    await client.get(f"/records?limit=1&sequence={sent['sequence']}")


async def filled(client: Client) -> None:
    """The events are stored: a part in chunks of two checkpoints, a part in memory."""
    client.clock.move(END_MS - START_MS)
    rows = events()
    for part in (rows[:1_001], rows[1_001:2_000], rows[2_000:]):
        await send(client, part)
        if part is not rows[2_000:]:
            await client.service.applier.checkpoint_all()
    await client.service.applier.checkpoint_all()


async def test_a_job_that_follows_series_then_says_just_that(state_dir: Path, tmp_path: Path) -> None:
    async with daemon(state_dir) as client:
        await filled(client)
        seen = await client.post("/jobs/preview", VALUE | SPAN)
        assert misfits(seen, named("Preview")) == []
        assert (seen["reading_count"], seen["truncated"]) == (2 * COUNT, False)
        assert seen["warm_up"] == {"series_count": 2, "warming_up": 0}
        assert seen["model_bytes"] == 2 * create("ewma", 1, {"warmup_readings": 5}).bytes_per_series
        assert [job["id"] for job in (await client.get("/jobs"))["jobs"]] == ["watch"]
    async with daemon(tmp_path / "then") as client:
        client.clock.move(END_MS - START_MS)
        await client.post("/jobs", VALUE, 201)
        await send(client, events())
        records = (await client.get("/records?job=pumps&order=-score&limit=50"))["records"]
        assert len(records) > 2
        assert seen["records"] == records
        own = await client.service.results.buckets(BucketQuery(job="pumps", scope="job", limit=10_000))
        assert [one["score"] for one in seen["buckets"]] == [b.score for b in own.rows]
        assert seen["bucket_count"] == len(own.rows)


async def test_a_job_with_detectors_then_says_just_that(state_dir: Path, tmp_path: Path) -> None:
    async with daemon(state_dir) as client:
        await filled(client)
        seen = await client.post("/jobs/preview", BUCKETS | SPAN)
        assert misfits(seen, named("Preview")) == []
        assert (seen["reading_count"], seen["truncated"]) == (2 * COUNT + COUNT, False)
    async with daemon(tmp_path / "then") as client:
        client.clock.move(END_MS - START_MS)
        await client.post("/jobs", BUCKETS, 201)
        await send(client, events())
        await client.post(f"/jobs/means/flush?advance={END_MS}")
        told = await client.results("means", "buckets", "records")
        assert seen["buckets"] == [{"start": b["start"], "score": b["score"]} for b in told["buckets"]]
        assert seen["bucket_count"] == COUNT * STEP_MS / 300_000
        scores = [one["score"] for one in seen["records"]]
        assert scores == sorted((one["score"] for one in told["records"]), reverse=True)[:50]
        rescored = {"normalized", "initial_normalized"}  # a preview sets no past scores anew
        first = {name: value for name, value in seen["records"][0].items() if name not in rescored}
        assert first in [{n: v for n, v in one.items() if n not in rescored} for one in told["records"]]
        assert first["by"]["value"] in ("pump1", "pump2")


async def test_what_cannot_be_created_cannot_be_previewed(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        await client.post("/jobs", VALUE, 201)
        for asked, status in (
            (VALUE, 409), ({"id": "watch"}, 409), ({}, 400), ({"id": "a", "model": "nothing"}, 400),
            ({"id": "a", "detectors": []}, 400), ({"id": "a", "sourcess": ["*"]}, 400),
            ({"id": "a", "detectors": [{"function": "nothing"}]}, 400),
            ({"id": "a", "start": END_MS, "end": START_MS}, 400), ({"id": "a", "start": "yesterday"}, 400),
            ({"id": "a", "start": 0, "end": START_MS}, 400),
        ):
            refused = await client.post("/jobs/preview", asked, status)
            assert "error" in refused, asked
        nothing = await client.post("/jobs/preview", {"id": "a"})
        assert (nothing["reading_count"], nothing["buckets"], nothing["records"]) == (0, [], [])
        empty = await client.post("/jobs/preview", BUCKETS)
        assert (empty["reading_count"], empty["buckets"], empty["truncated"]) == (0, [], False)


async def asked_again(client: Client) -> bytes:
    async with client.http.post("/api/v1/jobs/preview", json=VALUE | SPAN) as answered:
        return await answered.read()


async def test_there_is_one_at_a_time_and_it_ends_when_its_client_leaves(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def waits(*given: Any) -> preview.Preview:
        loop.call_soon_threadsafe(began.set)
        try:
            assert given[-1].wait(20)
            raise preview.Left("nobody waits")
        finally:
            loop.call_soon_threadsafe(ended.set)

    async with daemon(state_dir) as client:
        await filled(client)
        with monkeypatch.context() as patched:
            patched.setattr(preview, "previewed", waits)
            asked = asyncio.create_task(client.post("/jobs/preview", VALUE | SPAN))
            await asyncio.wait_for(began.wait(), 10)
            refused = await client.post("/jobs/preview", VALUE | SPAN, 429)
            assert refused["error"]["code"] == "preview_busy"
            asked.cancel()
            await asyncio.wait_for(ended.wait(), 10)
        async with asyncio.timeout(10):
            while "error" in (seen := json.loads(await asked_again(client))):
                assert seen["error"]["code"] == "preview_busy"  # it notices within moments
        assert seen["reading_count"] == 2 * COUNT


@pytest.mark.parametrize("bound", ["READINGS_MAX", "WITHIN_S", "SERIES_MAX", "BUCKETS_MAX"])
async def test_what_is_too_much_is_cut_and_that_is_said(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    async with daemon(state_dir) as client:
        await filled(client)
        monkeypatch.setattr(preview, "TOGETHER", 100)
        monkeypatch.setattr(preview, bound, {"READINGS_MAX": 450, "WITHIN_S": -1.0}.get(bound, 1))
        for asked in (VALUE, BUCKETS):
            seen = await client.post("/jobs/preview", asked | SPAN)
            assert seen["truncated"]
            readings = {"READINGS_MAX": range(300, 451), "WITHIN_S": range(1), "SERIES_MAX": range(COUNT, COUNT + 1)}
            assert seen["reading_count"] in readings.get(bound, range(2 * COUNT, 4 * COUNT))
            assert len(seen["buckets"]) <= {"BUCKETS_MAX": 1}.get(bound, 10_000)
            last = seen["buckets"][-1:]
            assert bound != "BUCKETS_MAX" or last[0]["score"] > 50  # the worst ones are told


async def test_a_model_that_raises_is_no_silence(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*given: Any) -> preview.Preview:
        raise Refused("it cannot be")

    async with daemon(state_dir) as client:
        monkeypatch.setattr(preview, "previewed", raises)
        assert (await client.post("/jobs/preview", VALUE, 400))["error"]["message"] == "it cannot be"
        assert not client.service.previews._busy
