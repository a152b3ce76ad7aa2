"""An overview shows what a look at every bucket would, wherever checkpoints have put it, page by page."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat.clock import ManualClock
from offbeat.errors import BadRequest, NotFound
from offbeat.service import running
from offbeat.store.chunks import spans_of
from offbeat.store.overview_queries import CLASSES, Grid, Lane, Overview, OverviewQuery, counted, paged
from offbeat.store.queries import Bucket, BucketQuery, RecordQuery
from tests.engine.run import Event
from tests.store.process import START_MS, applied, config, pages, send
from tests.store.test_queries import daemon, every_bucket

QUERY = OverviewQuery("watch", "source", START_MS - 600_000, START_MS + 7_200_000, 13, 50)


def naive_scores(query: OverviewQuery, mine: list[Bucket]) -> list[float | None]:
    """Bin by bin, bucket by bucket."""
    scores: list[float | None] = [None] * query.bins
    width = (query.end_ms - query.start_ms) / query.bins
    for i in range(query.bins):
        low, high = query.start_ms + i * width, query.start_ms + (i + 1) * width
        for b in mine:
            if b.start_ms < high and b.start_ms + 1000 * b.bucket_span_s > low and (b.event_count or b.record_count):
                scores[i] = max(scores[i] or 0.0, b.score)
    return scores


def shown(lane: Lane) -> list[float | None]:
    return [None if math.isnan(x) else x for x in lane.scores.tolist()]


async def all_pages(ask: Callable[[OverviewQuery], Awaitable[Overview]], query: OverviewQuery) -> list[Lane]:
    """The lanes of all pages."""
    found: list[Lane] = []
    while True:
        page = await ask(query)
        found += page.lanes
        if page.next_cursor is None:
            return found
        query = replace(query, cursor=page.next_cursor, start_ms=0, end_ms=1)  # the cursor knows better


@pytest.mark.parametrize("packed", ["with spans", "without"])
async def test_lanes_are_those_of_a_look_at_all_buckets_in_pages_of_any_size(tmp_path: Path, packed: str) -> None:
    async with daemon(tmp_path, 3) as (service, slow, order):
        if packed == "without":  # as an earlier build left the store
            async with service.database.transaction() as db:
                await db.execute("DELETE FROM chunk WHERE kind = 'spans'")
        every = every_bucket(slow)
        spans = [QUERY, replace(QUERY, start_ms=START_MS, end_ms=START_MS + 600_000, bins=40), replace(QUERY, bins=1)]
        for query in (*spans, replace(QUERY, prefix="pump/")):
            names = [name for name in order if name.startswith(query.prefix)]
            rows = {name: naive_scores(query, [b for b in every if b.source == name]) for name in names}
            worst = {name: max((x for x in row if x is not None), default=0.0) for name, row in rows.items()}
            names.sort(key=lambda name: (-worst[name], name))
            for limit in (50, 5, 1):
                lanes = await all_pages(service.results.overview, replace(query, limit=limit))
                assert [lane.name for lane in lanes] == names
                assert [lane.worst for lane in lanes] == [worst[name] for name in names]
                assert {lane.name: shown(lane) for lane in lanes} == rows
            whole = await service.results.overview(query)
            assert (whole.row_count, sum(whole.counts.values())) == (len(names), len(names))
            assert whole.counts["quiet"] == sum(w == 0.0 for w in worst.values())
            for lane in whole.lanes:
                asked = RecordQuery(
                    sources=(lane.name,), start_ms=query.start_ms - 59_999, end_ms=query.end_ms, limit=10_000
                )
                records = await pages(service.results.records, asked)
                assert (lane.record is None) == (not records)
                assert lane.record is None or lane.record.score == max(r.score for r in records)
                info = await service.results.source(lane.name)
                assert (lane.kind, lane.last_event_ms) == (None, info.last_event_ms)
        assert any(None in row and any(row) for row in rows.values())


async def test_lanes_of_jobs_are_those_of_their_own_buckets(tmp_path: Path) -> None:
    async with daemon(tmp_path, 4) as (service, _, _):
        query = replace(QUERY, rows="job")
        lanes = await service.results.job_lanes(query)
        assert {lane.name: lane.kind for lane in lanes} == {
            job.spec.id: "watch" if job.spec.id == "watch" else "stream" for job in service.jobs.by_number.values()
        }
        for lane in lanes:
            own = await pages(service.results.buckets, BucketQuery(job=lane.name, scope="job", limit=10_000))
            assert shown(lane) == naive_scores(query, own)
        assert [lane.name for lane in await all_pages(_of(lanes), replace(query, limit=1))] == [
            lane.name for lane in sorted(lanes, key=lambda lane: (-lane.worst, lane.name))
        ]


def _of(lanes: list[Lane]) -> Callable[[OverviewQuery], Awaitable[Overview]]:
    async def ask(query: OverviewQuery) -> Overview:
        return paged(query, lanes)

    return ask


async def test_a_job_that_is_not_there_and_a_cursor_of_another_list_are_refused(tmp_path: Path) -> None:
    async with daemon(tmp_path, 5, 300) as (service, _, _):
        with pytest.raises(NotFound):
            await service.results.overview(replace(QUERY, job="nobody"))
        page = await service.results.buckets(BucketQuery(limit=1))
        with pytest.raises(BadRequest):
            await service.results.overview(replace(QUERY, cursor=page.next_cursor))


def test_classes_are_those_of_the_scores() -> None:
    worst = np.array([100.0, 75.0, 74.9, 50.0, 49.9, 25.0, 24.9, 0.1])
    assert counted(worst, 10) == {"critical": 2, "major": 2, "minor": 2, "warning": 2, "quiet": 2}
    assert [name for name, _ in CLASSES] == ["critical", "major", "minor", "warning"]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), max_size=60))
def test_spans_tell_of_each_bucket_and_of_no_other(buckets: list[tuple[int, int]]) -> None:
    rows = np.zeros((len(buckets), 6))
    rows[:, :2] = np.array(sorted(buckets), float).reshape(-1, 2)
    rows[:, 1] *= 60_000
    spans = {name: column.tolist() for name, column in spans_of(rows).items()}
    told: list[tuple[Any, ...]] = []
    for source, start, end, step in zip(*(spans[name] for name in ("source", "start", "end", "step")), strict=True):
        told += [(source, at // 60_000) for at in range(start, end + 1, step)]
    assert told == sorted(set(buckets))


@given(
    st.integers(1, 9), st.integers(1, 7), st.lists(st.tuples(st.integers(-20, 120), st.floats(0.0, 100.0)), max_size=9)
)
def test_a_bucket_counts_in_each_bin_that_it_overlaps(bins: int, span: int, rows: list[tuple[int, float]]) -> None:
    query = OverviewQuery("watch", "source", 0, 90_000, bins)
    scores = np.full((1, bins), np.nan)
    start = np.array([at * 1000 for at, _ in rows], np.int64)
    score = np.array([x for _, x in rows])
    Grid(0, 90_000, bins, 1000 * span).paint(scores, np.zeros(start.size, np.int64), start, start, score)
    made = [Bucket("watch", "a", at * 1000, span, 1, 0, 0.0, x, False) for at, x in rows]
    assert [None if math.isnan(x) else x for x in scores[0].tolist()] == naive_scores(query, made)


async def test_only_buckets_of_the_page_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of chunks that hold none of its sources no body is read."""
    async with daemon(tmp_path, 6) as (service, _, order):
        numbers: list[int] = []
        real = service.database.look

        async def look(function: Callable[[sqlite3.Connection], Any]) -> Any:
            def traced(db: sqlite3.Connection) -> Any:
                db.set_trace_callback(lambda sql: numbers.append(sql.count("SELECT body")))
                try:
                    return function(db)
                finally:
                    db.set_trace_callback(None)

            return await real(traced)

        monkeypatch.setattr(service.database, "look", look)
        await service.results.overview(replace(QUERY, limit=1))
        few = sum(numbers)
        numbers.clear()
        await service.results.overview(replace(QUERY, limit=len(order)))
        assert 0 < few < sum(numbers)


@pytest.mark.parametrize("every_ms", [60_000, 300_000, 1_800_000])
async def test_a_source_that_reports_seldom_has_empty_bins_only_where_it_reported_nothing(
    tmp_path: Path, every_ms: int
) -> None:
    clock = ManualClock(START_MS)
    async with running(config(tmp_path / "state"), clock=clock) as service:
        times = [START_MS + i * every_ms for i in range(40)]
        await send(service, [Event("a", at, {"x": 1.0}) for at in times])
        await applied(service)
        await service.applier.checkpoint_all()
        for bins in (1, 7, 24, 100, 333):
            query = replace(QUERY, start_ms=START_MS - 1_000_000, end_ms=times[-1] + 2_000_000, bins=bins)
            (lane,) = (await service.results.overview(query)).lanes
            every = [Bucket("watch", "a", at // 60_000 * 60_000, 60, 1, 0, 0.0, 0.0, False) for at in times]
            assert shown(lane) == naive_scores(query, every)
