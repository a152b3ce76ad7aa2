"""Events as records of a job with detectors: which, exactly once, in their order, and the clock that closes buckets."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offbeat.intake.parcels import on_second_call
from tests.http.buckets import SPAN_S, SPEC, START_MS, Client, daemon, ndjson, rows
from tests.store.process import copied

ROWS = [{"source": f"till-{i % 3}", **row} for i, row in enumerate(rows(3_000, odd=(40,)))]
LATER_MS = START_MS + 3_600_000
HEARD = SPEC | {"id": "heard", "sources": ["till-*"]}


async def send(client: Client, events: list[dict[str, Any]]) -> None:
    """*events* in one body, each accepted."""
    receipt = await client.post("/events", ndjson(events), 202)
    assert (receipt["accepted"], receipt["rejected"]) == (len(events), 0)


def without_name(results: dict[str, Any]) -> dict[str, Any]:
    """*results* of any job."""
    return {name: [{**one, "job": ""} for one in found] for name, found in results.items()}


async def test_events_give_what_the_same_records_give_that_are_sent(state_dir: Path) -> None:
    spec = SPEC | {"detectors": [*SPEC["detectors"], {"function": "distinct_count", "field": "source"}]}
    async with daemon(state_dir, LATER_MS) as client:
        await client.post("/jobs", spec, 201)
        await client.post("/jobs", spec | {"id": "heard", "sources": ["till-*"]}, 201)
        await send(client, ROWS)
        await client.post("/jobs/shops/records", ndjson(ROWS))
        results = await client.results("heard")
        assert without_name(results) == without_name(await client.results("shops"))
        assert len(results["buckets"]) == 49
        assert client.service.budget.pending_bytes == 0
        assert (await client.get("/jobs/heard"))["counts"]["processed"] == 3_000
        assert (await client.get("/jobs/heard"))["state"] == "running"


async def test_how_events_are_sent_changes_no_bit(state_dir: Path, tmp_path: Path) -> None:
    async with daemon(state_dir, LATER_MS) as client, daemon(tmp_path / "other", LATER_MS) as other:
        for one in (client, other):
            await one.post("/jobs", HEARD, 201)
        await send(client, ROWS)
        for first in range(0, len(ROWS), 170):
            await send(other, ROWS[first : first + 170])
        assert await client.results("heard") == await other.results("heard")


async def test_only_events_that_match_are_records(state_dir: Path) -> None:
    events = [
        {"source": "till-1", "time": START_MS, "took": 1},
        {"source": "Till-1", "time": START_MS, "took": 1},
        {"source": "till-2", "time": START_MS, "shop": "north", "wait": 1},
        {"source": "till-2", "time": START_MS, "wait": 1},
    ]
    async with daemon(state_dir, LATER_MS) as client:
        await client.post("/jobs", HEARD, 201)
        await client.post("/jobs", HEARD | {"id": "fields", "fields": ["to*", "shop"]}, 201)
        await client.post("/jobs", HEARD | {"id": "all", "sources": [], "fields": ["*"]}, 201)
        await send(client, events)
        await client.results("heard")
        counts = {id: (await client.get(f"/jobs/{id}"))["counts"]["processed"] for id in ("heard", "fields", "all")}
        assert counts == {"heard": 3, "fields": 2, "all": 4}


async def test_a_job_hears_events_from_its_creation_on(state_dir: Path) -> None:
    async with daemon(state_dir, LATER_MS) as client:
        await send(client, ROWS[:500])
        await client.post("/jobs", HEARD, 201)
        await send(client, ROWS[500:700])
        await client.results("heard")
        assert (await client.get("/jobs/heard"))["counts"]["processed"] == 200


@pytest.mark.parametrize("checkpointed", [False, True])
async def test_after_a_crash_each_event_counts_once_and_no_bit_differs(
    checkpointed: bool, state_dir: Path, tmp_path: Path
) -> None:
    async with daemon(state_dir, LATER_MS) as client:
        await client.post("/jobs", HEARD, 201)
        await client.post("/jobs", HEARD | {"id": "behind"}, 201)
        await send(client, ROWS[:1_000])
        if checkpointed:  # one of the two; the journal is pruned, but of nothing that either still needs
            await client.results("heard")
            await client.service.runner.checkpoint(client.service.analyses.get("heard").number)
        await send(client, ROWS[1_000:1_500])
        await client.results("heard")
        for _ in range(3):
            await client.service.applier.checkpoint_all()
            await client.service.applier._prune()
        state = await copied(client.service, tmp_path / "crashed")
        await send(client, ROWS[1_500:])
        expected = await both(client)
    async with daemon(state, LATER_MS) as client:
        await send(client, ROWS[1_500:])
        assert await both(client) == expected


async def both(client: Client) -> list[Any]:
    """Results and counts of two jobs."""
    ids = ("heard", "behind")
    return [(await client.results(id), (await client.get(f"/jobs/{id}"))["counts"]) for id in ids]


async def test_the_clock_closes_buckets_when_nothing_comes(state_dir: Path) -> None:
    async with daemon(state_dir, START_MS) as client:
        await client.post("/jobs", HEARD, 201)
        for i in range(3):
            client.clock.move(10_000)
            await send(client, [{"source": "till-1", "time": START_MS + i * 10_000, "took": 1}])
        await client.tick()
        assert (await client.results("heard"))["buckets"] == []
        client.clock.move(1_000 * SPAN_S)
        await client.tick()
        assert [one["event_count"] for one in (await client.results("heard"))["buckets"]] == [3]
        client.clock.move(2_000 * SPAN_S)
        await client.tick()
        assert [one["event_count"] for one in (await client.results("heard"))["buckets"]] == [3, 0, 0]
        await send(client, [{"source": "till-1", "time": START_MS + 3_000 * SPAN_S + 1, "took": 1}])
        await client.results("heard")
        assert (await client.get("/jobs/heard"))["counts"]["out_of_order"] == 0


async def test_the_clock_waits_for_those_that_collect_before_they_send(state_dir: Path) -> None:
    async with daemon(state_dir, START_MS + 300_000) as client:
        await client.post("/jobs", HEARD, 201)
        await send(client, ROWS[:300])  # five minutes at once
        for _ in range(9):
            client.clock.move(30_000)
            await client.tick()
        assert len((await client.results("heard"))["buckets"]) == 4  # those that the events passed
        client.clock.move(30_000)
        await send(client, ROWS[300:600])
        await client.results("heard")
        assert (await client.get("/jobs/heard"))["counts"]["out_of_order"] == 0


async def test_the_clock_closes_nothing_while_the_past_is_sent(state_dir: Path) -> None:
    async with daemon(state_dir, START_MS + 3_600_000) as client:
        await client.post("/jobs", HEARD, 201)
        await send(client, ROWS[:90])
        client.clock.move(600_000)
        await client.tick()
        assert len((await client.results("heard"))["buckets"]) == 1


async def test_a_job_that_is_paused_hears_nothing_also_after_a_restart(state_dir: Path) -> None:
    async with daemon(state_dir, LATER_MS) as client:
        await client.post("/jobs", HEARD, 201)
        await send(client, ROWS[:600])
        assert (await client.post("/jobs/heard/pause"))["state"] == "paused"
        await send(client, ROWS[600:700])
    async with daemon(state_dir, LATER_MS) as client:
        assert (await client.get("/jobs/heard"))["state"] == "paused"
        await send(client, ROWS[700:900])
        await client.results("heard")
        assert (await client.get("/jobs/heard"))["counts"]["processed"] == 600
        assert (await client.post("/jobs/heard/resume"))["state"] == "running"
        await send(client, ROWS[1_200:1_500])
        await client.results("heard")
        assert (await client.get("/jobs/heard"))["counts"]["processed"] == 900
        assert (await client.post("/jobs/heard/close"))["state"] == "running"
        assert len((await client.get("/jobs/heard/snapshots"))["snapshots"]) == 2


def test_what_two_must_do_with_an_entry_is_done_when_the_second_has() -> None:
    given: list[int] = []
    give = on_second_call(lambda: given.append(1))
    give()
    assert given == []
    give()
    assert given == [1]


async def test_a_job_that_was_deleted_while_events_came_leaves_nothing(state_dir: Path) -> None:
    async with daemon(state_dir, LATER_MS) as client:
        await client.post("/jobs", HEARD, 201)
        await send(client, ROWS[:1_000])
        await client.call("DELETE", "/jobs/heard", status=204)
        await send(client, ROWS[1_000:])
        await client.get("/buckets?sequence=latest")
        left = await client.service.database.read("SELECT count(*) FROM result_bucket")
        assert left[0][0] == 0
