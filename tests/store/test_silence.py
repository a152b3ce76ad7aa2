"""Silence as it is kept, verified, asked for and explained; and what a job is given when it is created."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from offbeat.assembly import watch_of
from offbeat.clock import ManualClock
from offbeat.config import from_mapping
from offbeat.engine.views import SeriesState
from offbeat.errors import BadConfig, BadRequest
from offbeat.jobs import in_zone
from offbeat.records import JobSpec
from offbeat.service import Service, running
from offbeat.store import journal
from offbeat.store.diagnosis import about, diagnosis_of
from offbeat.store.queries import BucketQuery, RecordQuery
from offbeat.verification import verify
from tests.engine.run import Clock, Event, Step, Tick, living_steps
from tests.store.process import START_MS, applied, config, copied, do, round_made, send
from tests.store.test_verification import make

BEAT = "tests.engine.heartbeat:Heartbeat"
WATCH: dict[str, Any] = {"model": BEAT, "parameters": {"warmup_readings": 5}}


async def live(service: Service, clock: ManualClock, steps: list[Step], rounds: tuple[int, ...] = ()) -> None:
    """Take *steps*, with a round of checkpoints after some."""
    for i, step in enumerate(steps):
        await (send(service, [step]) if isinstance(step, Event) else do(service, clock, step))
        if i in rounds:
            await applied(service)
            await round_made(service)
    await applied(service)


def minutes(names: tuple[str, ...], count: int) -> list[Step]:
    """Each source once a minute, as it happens."""
    todo: list[Step] = []
    for i in range(1, count + 1):
        todo.append(Clock(60_000))
        todo += [Event(name, START_MS + 60_000 * i, {"x": 1.0}) for name in names]
    return todo


@pytest.mark.parametrize("way", ["stop", "power cut"])
async def test_silences_are_verified_like_all_else(tmp_path: Path, way: str) -> None:
    steps = [*living_steps(5, 150), *(step for _ in range(8) for step in (Clock(30_000), Tick()))]
    clock, state = ManualClock(START_MS), tmp_path / "state"
    async with running(config(state, watch=WATCH), clock=clock) as service:
        await live(service, clock, steps, rounds=(120, 240, len(steps) - 6))
        found = await service.results.records(RecordQuery(limit=1000))
        assert any(math.isnan(record.actual) for record in found.rows)
        if way == "power cut":
            state = await copied(service, tmp_path / "copy")
    report = await verify(state, make(state))
    assert report.differences == () and report.entries > 5


async def test_a_silence_is_in_the_buckets_without_having_reported(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    async with running(config(tmp_path, watch=WATCH), clock=clock) as service:
        await live(service, clock, [*minutes(("a", "b"), 20), Clock(200_000), Tick()])
        (record, _) = (await service.results.records(RecordQuery(limit=2))).rows
        assert (record.source, record.time_ms, record.bucket_start_ms) == (
            "a", START_MS + 1_400_000, START_MS + 1_400_000 - (START_MS + 1_400_000) % 60_000,
        )
        assert math.isnan(record.actual) and record.typical == START_MS + 1_200_000 + 180_000
        for order in ("-score", "time"):
            query = BucketQuery(order=order, start_ms=record.bucket_start_ms)  # type: ignore[arg-type]
            rows = (await service.results.buckets(query)).rows
            assert {(b.source, b.event_count, b.record_count, b.score) for b in rows} == {
                ("a", 0, 1, record.score), ("b", 0, 1, record.score),
            }
        query = BucketQuery(scope="job", start_ms=record.bucket_start_ms)
        (together,) = (await service.results.buckets(query)).rows
        assert (together.source_count, together.event_count, together.record_count) == (0, 0, 2)
        assert together.score > record.score, "two at once are worth more"
        await live(service, clock, [Clock(300_000), Event("a", START_MS + 1_700_000, {"x": 1.0})])
        await round_made(service)
        query = BucketQuery(sources=("a",), start_ms=record.bucket_start_ms, limit=1)
        (closed,) = (await service.results.buckets(query)).rows
        assert (closed.event_count, closed.record_count, closed.interim) == (0, 1, False)


async def test_the_diagnosis_tells_what_is_silent_and_what_still_warms_up(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    async with running(config(tmp_path, watch={"model": BEAT, "parameters": {}}), clock=clock) as service:
        await live(service, clock, minutes(("a",), 7))
        _, page = await service.results.diagnosis(("a",), 10, None)
        (series,) = page.rows[0].series
        assert (series.state, series.warmup_left, series.warmup_left_s) == ("warming_up", 23, 1380.0)
        assert series.says == "warming up: 23 more readings, about 23 minutes"
        await live(service, clock, [Clock(300_000), Tick()])
        _, page = await service.results.diagnosis(("a",), 10, None)
        (series,) = page.rows[0].series
        assert (series.state, series.silent_since_ms) == ("silent", START_MS + 420_000)
        assert series.says == (
            "silent since 2023-11-14T22:20:20Z, a reading was due by 2023-11-14T22:23:20Z; told"
        )
        (suppressed,) = page.rows[0].suppressed
        assert (suppressed.job, suppressed.silence) == ("watch", 0)


def state_of(**changed: Any) -> SeriesState:
    return SeriesState(**{
        "heard": True, "warmup_left": 0, "interval_ms": 60_000.0, "silent_since_ms": None, "due_ms": None,
        "silence_told": False, "held_age": 0, "held_left": 0, "held_above": 0.0, "damping": 1.0, "adjustment": 1.0,
        "late_ms": None, **changed,
    })


@pytest.mark.parametrize(
    ("state", "name", "said"),
    [
        ({}, "ready", "ready"),
        ({"heard": False}, "quiet", "quiet: no opinion because no reading on time has come since the job began"),
        ({"warmup_left": 1, "interval_ms": 0.0}, "warming_up", "warming up: 1 more reading"),
        (
            {"silent_since_ms": 0},
            "silent",
            "silent since 1970-01-01T00:00:00Z; not told, for its score would be too low",
        ),
        (
            {"settled": 0.34, "score_max": 61.2, "settles_readings": 990, "settles_ms": 259_200_000.0},
            "ready",
            "ready; settling: a finding counts 34 % and scores 61 at most, in full after 990 more readings or 3 days",
        ),
        (
            {"held_age": 12, "held_left": 68, "held_above": 5.25},
            "held",
            "ready; suppressed by the incident of 12 readings ago: for 68 more readings only a novelty above 5.25 is "
            "told",
        ),
        (
            {"damping": 0.4, "adjustment": 2.0},
            "ready",
            "ready; made weaker, to 40 %, by its own earlier peaks; made stronger, to 200 %, by feedback",
        ),
        ({"with_model": False, "places": 4}, "no_model", "no model: all 4 places of its shard are in use"),
        (
            {"with_model": False, "places": 4, "evicted_count": 1},
            "no_model",
            "no model: all 4 places of its shard are in use; its model was evicted at the limit at "
            "1970-01-01T00:00:00Z",
        ),
        (
            {"warmup_left": 2, "interval_ms": 0.0, "evicted_count": 2, "has_peers": True},
            "warming_up",
            "warming up: 2 more readings; its model was evicted at the limit 2 times, last at 1970-01-01T00:00:00Z: it "
            "begins from what its peers have taught",
        ),
        ({"late_ms": 7_200_000}, "ready", "ready; its silence is not looked at, for its events come 2 hours late"),
    ],
)
def test_what_is_held_back_is_told_in_words(state: dict[str, Any], name: str, said: str) -> None:
    found = diagnosis_of("watch", "x", state_of(**state))
    assert (found.state, found.says) == (name, said)


@pytest.mark.parametrize(
    ("ms", "said"),
    [(0, "0 seconds"), (1, "1 second"), (89_999, "90 seconds"), (90_000, "2 minutes"), (3_600_000, "60 minutes"),
     (5_400_000, "2 hours"), (129_600_000, "2 days")],
)
def test_a_span_of_time_is_told_in_its_nearest_unit(ms: float, said: str) -> None:
    assert about(ms) == said


# ── what a job is given ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_detector_that_takes_a_time_zone_is_given_the_servers_unless_it_has_one() -> None:
    mine = JobSpec("a", model=BEAT, parameters=(("time_zone", "Asia/Tokyo"),))
    assert in_zone(mine, "Europe/Berlin") == mine
    assert in_zone(JobSpec("a", model=BEAT), "Europe/Berlin").parameters == (("time_zone", "Europe/Berlin"),)
    assert in_zone(JobSpec("a", model="ewma"), "Europe/Berlin") == JobSpec("a", model="ewma")
    river = JobSpec("a", model="river:anomaly.HalfSpaceTrees")
    assert in_zone(river, "Europe/Berlin").parameters == (("time_zone", "Europe/Berlin"),)


async def test_a_job_keeps_the_time_zone_that_it_began_with(tmp_path: Path) -> None:
    zoned = {"watch": WATCH, "engine": {"time_zone": "Europe/Berlin", "model_modules": ["tests.engine.heartbeat"]}}
    async with running(config(tmp_path, **zoned), clock=ManualClock(START_MS)) as service:
        made = await service.jobs.create(JobSpec("a", model=BEAT, peer_groups=("a*", "b*")))
        assert dict(made.spec.parameters)["time_zone"] == "Europe/Berlin"
    zoned["engine"]["time_zone"] = "Asia/Tokyo"
    async with running(config(tmp_path, **zoned), clock=ManualClock(START_MS)) as service:
        watch, mine = await journal.load_jobs(service.database)
        assert dict(watch.spec.parameters)["time_zone"] == dict(mine.spec.parameters)["time_zone"] == "Europe/Berlin"
        assert mine.spec.peer_groups == ("a*", "b*")
        assert service.engine.jobs[1].detector.time_zone == "Europe/Berlin"  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "", "../etc/passwd", "/etc/passwd"])
def test_a_time_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadConfig, match=r"engine\.time_zone is .*: expected the IANA name of a time zone"):
        from_mapping({"engine": {"time_zone": name}})


def test_the_peer_groups_of_the_built_in_job_are_those_of_the_config() -> None:
    assert watch_of(from_mapping({"watch": {"peer_groups": ["a*"]}})).peer_groups == ("a*",)


async def test_a_job_has_at_most_so_many_peer_groups(tmp_path: Path) -> None:
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        with pytest.raises(BadRequest, match="peer_groups has 65 patterns: expected at most 64"):
            await service.jobs.create(JobSpec("a", peer_groups=tuple(f"{i}*" for i in range(65))))
