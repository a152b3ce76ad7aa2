"""The model plot of analyses in the store: written with its bucket, read by entity and time, gone when it is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from offbeat.engine.analysis.results import BucketResult, Plot, PlotPoint
from offbeat.store import analyses as kept
from offbeat.store.analysis_queries import Asked, Plotted, bucket, plot, plot_left_out
from offbeat.store.database import Database, prepare
from offbeat.store.retention import DAY_MS, retire_results

JOB, SPAN_MS, HOSTS = 3, 60_000, ("a", "b", "c")


def result(number: int, *, kept_buckets: int = 100, left_out: int = 0, asks: bool = True) -> BucketResult:
    """A bucket with a point of each host."""
    start_ms = number * SPAN_MS
    points = tuple(
        PlotPoint(i % 2, "mean", None, host, None, number - 2.0, number + 0.0, number + 2.5, number + 1.0)
        for i, host in enumerate(HOSTS)
    )
    shown = Plot(points, left_out, start_ms - kept_buckets * SPAN_MS) if asks else None
    return BucketResult(start_ms, 9, 0.5, 0.0, 0.0, (), (), (), False, shown)


@asynccontextmanager
async def written(tmp_path: Path, *results: BucketResult) -> AsyncIterator[Database]:
    """A store with these results of a job, and of another."""
    prepare(tmp_path / "file")
    async with Database(tmp_path / "file") as database:
        for one in results:
            await database.write(kept.statements_of(JOB, [one]))
            await database.write(kept.statements_of(JOB + 1, [one]))
        yield database


async def test_points_are_read_by_time_detector_and_entity_a_page_at_a_time(tmp_path: Path) -> None:
    every = [result(number) for number in range(10)]
    async with written(tmp_path, *every) as database:
        found = await plot(database, JOB, Asked(take=1_000), Plotted())
        assert found.count == 30
        expected = [(one.start_ms, point) for one in every if one.plot is not None for point in one.plot.points]
        assert [(row.start_ms, row.point) for row in found.rows] == expected
        some = await plot(database, JOB, Asked(2 * SPAN_MS, 5 * SPAN_MS, skip=1, take=1), Plotted(0, "mean", by="c"))
        assert (some.count, [(row.start_ms, row.point.by) for row in some.rows]) == (3, [(3 * SPAN_MS, "c")])
        for nobody in (Plotted(1, by="a"), Plotted(feature="max"), Plotted(partition="a"), Plotted(over="a")):
            assert (await plot(database, JOB, Asked(), nobody)).count == 0


async def test_writing_a_bucket_again_changes_nothing(tmp_path: Path) -> None:
    async with written(tmp_path, result(1), result(2), result(1), result(2)) as database:
        assert (await plot(database, JOB, Asked(), Plotted())).count == 6


async def test_points_older_than_the_job_keeps_them_go_with_the_next_bucket(tmp_path: Path) -> None:
    async with written(tmp_path, *(result(number, kept_buckets=4) for number in range(20))) as database:
        found = await plot(database, JOB, Asked(take=1_000), Plotted())
        assert sorted({row.start_ms // SPAN_MS for row in found.rows}) == [15, 16, 17, 18, 19]
        assert await bucket(database, JOB, 0, interim=False) is not None  # results themselves stay
        await database.write(kept.statements_of(JOB, [result(30, asks=False)]))
        assert (await plot(database, JOB, Asked(), Plotted())).count == 15


async def test_points_go_with_the_results_of_their_buckets(tmp_path: Path) -> None:
    async with written(tmp_path, *(result(number) for number in range(20))) as database:
        await retire_results(database, JOB, 5 * SPAN_MS / DAY_MS)
        rows = await database.read("SELECT min(start_ms), count(*) FROM result_plot WHERE job = ?", (JOB,))
        assert rows == [(14 * SPAN_MS, 18)]


async def test_how_many_points_were_too_many_is_told(tmp_path: Path) -> None:
    async with written(tmp_path, result(1, left_out=7), result(2), result(3, left_out=5)) as database:
        assert await plot_left_out(database, JOB, Asked()) == 12
        assert await plot_left_out(database, JOB, Asked(2 * SPAN_MS)) == 5
        assert await plot_left_out(database, JOB + 9, Asked()) == 0


async def test_a_plot_goes_with_its_job_and_with_results_that_are_taken_back(tmp_path: Path) -> None:
    async with written(tmp_path, *(result(number) for number in range(6))) as database:
        await database.write(kept.forget_results_after(JOB, 3 * SPAN_MS))
        assert (await plot(database, JOB, Asked(), Plotted())).count == 12
        await database.write(kept.forget(JOB))
        rows = await database.read("SELECT job, count(*) FROM result_plot GROUP BY job")
        assert rows == [(JOB + 1, 18)]
