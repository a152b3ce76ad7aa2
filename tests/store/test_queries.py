"""A query answers what a look at everything would, wherever checkpoints have put it, page by page."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offbeat.clock import ManualClock
from offbeat.engine.engine import Engine
from offbeat.errors import BadRequest, NotFound
from offbeat.service import Service, running
from offbeat.store.bucket_queries import job_buckets, lifted, source_buckets
from offbeat.store.cursors import cursor_of, place_of
from offbeat.store.queries import Bucket, BucketQuery, RecordQuery
from offbeat_detectors import scores
from tests.engine import naive
from tests.engine.naive import twin
from tests.engine.run import Event, Step, random_steps
from tests.store.process import START_MS, applied, config, do, pages, send

NAMES = [f"{kind}{i}" for i in range(8) for kind in ("a", "b", "pump/")]


@asynccontextmanager
async def daemon(tmp_path: Path, seed: int, count: int = 700) -> AsyncIterator[tuple[Service, naive.Engine, list[str]]]:
    """A daemon that took some steps with checkpoints of some shards in between, its twin, and sources by number."""
    steps: list[Step] = random_steps(seed, count, sources=NAMES, absurd=0.1)
    rng, clock = random.Random(seed), ManualClock(START_MS)
    async with running(config(tmp_path / "state"), clock=clock) as service:
        batch: list[Event] = []
        for step in steps:
            if isinstance(step, Event):
                batch.append(step)
                if rng.random() < 0.95:
                    continue
            if batch:
                await send(service, batch)
                batch = []
            if not isinstance(step, Event):
                await do(service, clock, step)
            if rng.random() < 0.2:
                await applied(service)
                shards = await service.applier.ask(lambda engine: sorted(engine.tail.active))
                await service.applier._checkpoint(rng.sample(shards, rng.randint(0, len(shards))))
        if batch:
            await send(service, batch)
        await applied(service)
        assert await service.database.read("SELECT count(DISTINCT shard) FROM chunk") != [(0,)]
        order = list(dict.fromkeys(step.source for step in steps if isinstance(step, Event)))
        yield service, twin(steps, START_MS), order


def every_bucket(slow: naive.Engine, number: int = 1) -> list[Bucket]:
    job = slow.jobs[number]
    found = []
    for (source, start), bucket in job.buckets.items():
        count, novelty, score, records = bucket.row()
        span_s = job.spec.bucket_span_s
        found.append(
            Bucket(job.spec.id, source, start, span_s, count, records, novelty, score, job.is_open(source, start))
        )
    return found


def chosen(query: BucketQuery, every: list[Bucket], order: list[str]) -> list[Bucket]:
    """What *query* asks of *every* bucket."""
    found = [
        b
        for b in every
        if (not query.sources or b.source in query.sources)
        and (query.start_ms is None or b.start_ms >= query.start_ms)
        and (query.end_ms is None or b.start_ms < query.end_ms)
        and (query.min_score is None or b.score >= query.min_score)
    ]
    if query.order == "-score" or (query.min_score or 0) > 0:
        found = [b for b in found if b.record_count]

    def key(b: Bucket) -> tuple[float, ...]:
        at = (b.start_ms, order.index(b.source) if b.source is not None else 0)
        return (b.score, *at) if query.order == "-score" else at

    return sorted(found, key=key, reverse=query.order != "time")


MIDDLE = START_MS + 1_200_000
QUERIES = [
    BucketQuery(),
    BucketQuery(start_ms=MIDDLE),
    BucketQuery(end_ms=MIDDLE),
    BucketQuery(start_ms=START_MS - 10_000_000, end_ms=MIDDLE + 600_000),
    BucketQuery(start_ms=MIDDLE, end_ms=MIDDLE),
    BucketQuery(sources=("a1", "b5", "nobody")),
    BucketQuery(sources=("pump/7",), start_ms=MIDDLE),
    BucketQuery(sources=("nobody",)),
    BucketQuery(min_score=50.0),
    BucketQuery(min_score=0.0),
    BucketQuery(min_score=50.0, sources=tuple(NAMES[::2]), start_ms=START_MS, end_ms=MIDDLE),
]


@pytest.mark.parametrize("seed", [0])
async def test_buckets_of_sources_are_those_of_a_look_at_all_in_any_order_and_pages_of_any_size(
    tmp_path: Path, seed: int
) -> None:
    async with daemon(tmp_path, seed) as (service, slow, order):
        every = every_bucket(slow)
        assert sum(b.record_count for b in every) > 10 and any(not b.interim for b in every)
        for query in QUERIES:
            for by in ("time", "-time", "-score"):
                asked = replace(query, order=by)  # type: ignore[arg-type]
                expected = chosen(asked, every, order)
                for limit in (10_000, 60):
                    assert await pages(service.results.buckets, replace(asked, limit=limit)) == expected, asked
        few = BucketQuery(start_ms=MIDDLE, end_ms=MIDDLE + 240_000, limit=1)
        for by in ("time", "-time", "-score"):
            one_by_one = replace(few, order=by)  # type: ignore[arg-type]
            assert await pages(service.results.buckets, one_by_one) == chosen(one_by_one, every, order)
        for info in await service.jobs.list():
            number = next(n for n, job in slow.jobs.items() if job.spec.id == info.spec.id)
            asked = BucketQuery(job=info.spec.id, limit=10_000)
            assert await pages(service.results.buckets, asked) == chosen(asked, every_bucket(slow, number), order)


def naive_lifted(score: float, moderate: int, events: int) -> float:
    """The Poisson tail, summed from below."""
    mean = 7e-4 * events
    tail = 1.0 - math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(moderate))
    if moderate < 2 or tail <= 1e-12:
        return score
    return max(score, scores.score_of_strength(scores.novelty_of_probability(tail)))


def of_the_job(query: BucketQuery, every: list[Bucket]) -> list[Bucket]:
    found = []
    for start in {b.start_ms for b in every}:
        mine = [b for b in every if b.start_ms == start]
        events, records = sum(b.event_count for b in mine), sum(b.record_count for b in mine)
        moderate = sum(b.score >= 25.0 for b in mine)
        score = lifted(max(b.score for b in mine), moderate, events)
        interim = any(b.interim for b in mine)
        novelty = max(b.novelty for b in mine)
        found.append(
            Bucket(mine[0].job, None, start, mine[0].bucket_span_s, events, records, novelty, score, interim, len(mine))
        )
    return chosen(query, found, [])


@pytest.mark.parametrize("seed", [0])
async def test_buckets_of_a_job_are_the_sum_of_those_of_its_sources(tmp_path: Path, seed: int) -> None:
    async with daemon(tmp_path, seed) as (service, slow, _):
        every = every_bucket(slow)
        for query in QUERIES:
            if query.sources:
                continue
            for by in ("time", "-time", "-score"):
                for limit in (1, 4, 10_000):
                    asked = replace(query, scope="job", order=by, limit=limit)  # type: ignore[arg-type]
                    assert await pages(service.results.buckets, asked) == of_the_job(asked, every), asked


@pytest.mark.parametrize(("moderate", "events"), [(2, 100), (3, 3000), (5, 500), (2, 40_000), (20, 20_000)])
def test_many_moderate_findings_at_once_lift_a_jobs_score_as_coincidence_would_not(moderate: int, events: int) -> None:
    assert lifted(26.0, moderate, events) == pytest.approx(naive_lifted(26.0, moderate, events), abs=1e-6)


@pytest.mark.parametrize("events", [10_000, 2_000_000, 10**9])
def test_as_many_moderate_findings_as_coincidence_gives_lift_nothing(events: int) -> None:
    for moderate in (2, max(2, int(7e-4 * events))):
        assert lifted(26.0, moderate, events) == 26.0


async def test_records_are_the_strongest_of_each_series_and_bucket(tmp_path: Path) -> None:
    async with daemon(tmp_path, 3) as (service, slow, _):
        job = slow.jobs[1]
        fields = list(dict.fromkeys(name for _, name in slow.readings))
        expected = [(source, name, start, *found) for (source, name, start), found in job.records.items()]
        assert len(expected) > 10
        for limit in (1, 5, 1000):
            rows = await pages(service.results.records, RecordQuery(limit=limit))
            got = [(r.source, r.field, r.bucket_start_ms, r.time_ms, r.actual, r.score) for r in rows]
            assert sorted(got) == sorted(expected)
            assert [r.bucket_start_ms for r in rows] == sorted(r.bucket_start_ms for r in rows)
            by_score = await pages(service.results.records, RecordQuery(limit=limit, order="-score"))
            assert sorted(map(repr, by_score)) == sorted(map(repr, rows))
            assert [r.score for r in by_score] == sorted((r.score for r in rows), reverse=True)
            backwards = await pages(service.results.records, RecordQuery(limit=limit, order="-time"))
            assert repr(backwards) == repr(rows[::-1])
        for query, wanted in (
            (RecordQuery(sources=("a1", "b2", "nobody")), lambda r: r[0] in ("a1", "b2")),
            (RecordQuery(sources=("nobody",)), lambda r: False),
            (RecordQuery(fields=(fields[0], "nothing")), lambda r: r[1] == fields[0]),
            (RecordQuery(start_ms=MIDDLE, min_score=60.0), lambda r: r[2] >= MIDDLE and r[5] >= 60.0),
            (RecordQuery(end_ms=MIDDLE), lambda r: r[2] < MIDDLE),
        ):
            rows = await pages(service.results.records, replace(query, limit=3))
            got = [(r.source, r.field, r.bucket_start_ms, r.time_ms, r.actual, r.score) for r in rows]
            assert sorted(got) == sorted(filter(wanted, expected))
        one = rows[0]
        assert one.id == f"watch:0:{one.source}:{one.field}:{one.bucket_start_ms}"
        assert one.model == "ewma"


def late(slow: naive.Engine) -> list[Event]:
    """An event of every source that changes no bucket, but gives a checkpoint something to write."""
    return [Event(name, START_MS - 10**9, {"x": 1.0}) for name in slow.jobs[1].newest]


@pytest.mark.parametrize("at", ["before memory is read", "after memory is read"])
@pytest.mark.parametrize(("scope", "by"), [("source", "time"), ("job", "time"), ("job", "-score")])
async def test_a_checkpoint_in_the_middle_of_a_query_neither_hides_nor_doubles_a_row(
    tmp_path: Path, scope: str, by: str, at: str
) -> None:
    async with daemon(tmp_path, 4, 500) as (service, slow, order):
        await send(service, late(slow))
        await applied(service)
        every, job, rounds = every_bucket(slow), service.jobs.by_number[1], 0
        assert (await service.applier.ask(lambda engine: sum(len(t.closed) for t in engine.tail.active.values()))) > 0

        async def ask(function: Callable[[Engine], Any]) -> Any:
            """Answer from memory; all shards are written in the middle of the first time."""
            nonlocal rounds
            rounds += 1
            if rounds == 1 and at == "before memory is read":
                await service.applier.checkpoint_all()
            answer = await service.applier.ask(function)
            if rounds == 1 and at == "after memory is read":
                await service.applier.checkpoint_all()
            return answer

        query = BucketQuery(scope=scope, order=by, limit=10_000)  # type: ignore[arg-type]
        if scope == "source":
            found = await source_buckets(service.database, ask, job, query, None, service.catalog.sources.text)
            assert list(found.rows) == chosen(query, every, order)
        else:
            found = await job_buckets(service.database, ask, job, query)
            assert list(found.rows) == of_the_job(query, every)


async def test_queries_under_way_while_shards_are_written_all_give_the_same_answer(tmp_path: Path) -> None:
    async with daemon(tmp_path, 5, 400) as (service, slow, order):
        every = every_bucket(slow)
        asked = BucketQuery(scope="job", limit=10_000)
        others = BucketQuery(limit=10_000)
        for _ in range(6):
            await send(service, late(slow))
            await applied(service)
            writing = asyncio.create_task(service.applier.checkpoint_all())
            while not writing.done():
                assert list((await service.results.buckets(asked)).rows) == of_the_job(asked, every)
                assert list((await service.results.buckets(others)).rows) == chosen(others, every, order)
            await writing


async def test_sources_are_listed_by_name_with_a_prefix_and_page_by_page(tmp_path: Path) -> None:
    async with daemon(tmp_path, 6, 600) as (service, slow, _):
        for prefix in ("", "a", "pump/", "pump/1", "%", "nobody"):
            expected = sorted(name for name in slow.sources if name.startswith(prefix))
            for limit in (1, 7, 1000):
                rows, cursor = [], None
                while True:
                    page = await service.results.sources(prefix, limit, cursor)
                    rows += page.rows
                    if (cursor := page.next_cursor) is None:
                        break
                assert [row.source for row in rows] == expected
        for row in (await service.results.sources("", 1000, None)).rows:
            known, late = slow.sources[row.source], slow.jobs[1].late[row.source]
            series = [name for source, name in slow.readings if source == row.source]
            assert (row.event_count, row.late_count, row.series_count) == (known.events, late, len(series))
            assert (row.first_event_ms, row.last_event_ms) == (known.first_ms, known.last_ms)
            one = await service.results.source(row.source)
            assert {s.field: s.reading_count for s in one.series} == {
                name: len(slow.readings[row.source, name]) for name in series
            }
        with pytest.raises(NotFound):
            await service.results.source("nobody")


async def test_metadata_of_a_source_is_kept_over_a_restart(tmp_path: Path) -> None:
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await send(service, [Event("a", START_MS, {"x": 1.0})])
        await service.results.set_metadata("a", {"where": "cellar"})
        with pytest.raises(NotFound):
            await service.results.set_metadata("nobody", {})
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        assert (await service.results.source("a")).metadata == {"where": "cellar"}


NOT_PLACES = [(), (1,), ("a", "b"), (1, 2, 3, 4, 5), (None, None), (True, False), (2**63, 1), (-(2**63), 1), (1.5, 2)]
BAD = ["", "x", "%%%", "ü", "bnVsbA", "e30", *(cursor_of(*place) for place in NOT_PLACES)]


@pytest.mark.parametrize("cursor", BAD)
async def test_a_cursor_that_no_list_gave_is_refused_with_a_hint(tmp_path: Path, cursor: str) -> None:
    with pytest.raises(BadRequest, match="not one of this list") as refusal:
        place_of(cursor, int, int)
    assert refusal.value.where == {"parameter": "cursor"}


async def test_every_list_refuses_such_a_cursor(tmp_path: Path) -> None:
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        results = service.results
        for cursor in ("x", cursor_of([1]), cursor_of(2**63, 2**63), cursor_of(1, 2, 3, 4, 5)):
            for scope in ("source", "job"):
                for by in ("time", "-score"):
                    with pytest.raises(BadRequest):
                        await results.buckets(BucketQuery(cursor=cursor, scope=scope, order=by))  # type: ignore[arg-type]
            with pytest.raises(BadRequest):
                await results.records(RecordQuery(cursor=cursor))
            with pytest.raises(BadRequest):
                await results.sources("", 10, cursor)
            with pytest.raises(BadRequest):
                await results.quarantine(None, 10, cursor)
            with pytest.raises(BadRequest):
                await results.diagnosis((), 10, cursor)
        with pytest.raises(NotFound):
            await results.buckets(BucketQuery(job="nobody"))


async def test_a_job_that_the_engine_does_not_have_yet_or_any_more_has_no_rows_in_memory(tmp_path: Path) -> None:
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        job = replace(service.jobs.by_number[1], number=99)
        for scope in ("source", "job"):
            query = BucketQuery(scope=scope)  # type: ignore[arg-type]
            service.jobs.by_number[99] = replace(job, spec=replace(job.spec, id="coming"))
            assert (await service.results.buckets(replace(query, job="coming"))).rows == ()
            assert (await service.jobs.get("coming")).event_count == 0
