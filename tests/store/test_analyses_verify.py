"""``offbeat verify`` replays analyses as well: what was changed in their states, results or journal is found."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from offbeat import assembly
from offbeat.clock import ManualClock
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec, ModelPlot
from offbeat.packing import pack, unpack
from offbeat.service import running
from offbeat.store.database import FILE_NAME
from tests.engine.run import Event
from tests.store.process import START_MS, config, copied, send, tick
from tests.store.test_analyses_cut import SPEC, STEPS, act

SENT = STEPS[:6]  # two checkpoints, the journal of both


async def took(state: Path, copy: Path | None = None, sent: int = len(SENT)) -> Path:
    """A state directory after a stop, or the copy that a power cut left of it."""
    async with running(config(state), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(SPEC, {})
        for step in STEPS[:sent]:
            await act(service, step)
        return await copied(service, copy) if copy else state


async def verified(state: Path) -> tuple[str, ...]:
    report = await asyncio.to_thread(assembly.verify, state)
    assert report.entries > 3
    return report.differences


async def changed(state: Path, sql: str, *parameters: object) -> tuple[str, ...]:
    with sqlite3.connect(state / FILE_NAME) as db:
        assert db.execute(sql, parameters).rowcount > 0, sql
    db.close()
    return await verified(state)


@pytest.mark.parametrize("sent", [3, len(SENT), len(STEPS)])
async def test_analyses_are_what_the_journal_says_after_a_stop_and_after_a_power_cut(tmp_path: Path, sent: int) -> None:
    state = await took(tmp_path / "state", tmp_path / "cut", sent)
    assert await verified(tmp_path / "cut") == ()
    assert await verified(state) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE result_bucket SET event_count = event_count + 1 WHERE start_ms = {}", "the bucket at {} differs"),
        ("UPDATE result_bucket SET anomaly_score = 99 WHERE start_ms = {}", "the bucket at {} differs"),
        ("UPDATE result_record SET normalized = normalized + 1 WHERE start_ms = {}", "the record at {} differs"),
        ("DELETE FROM result_record WHERE start_ms = {}", "the record at {} is not stored"),
        ("DELETE FROM result_influencer WHERE start_ms = {}", "the influencer at {} is not stored"),
        ("UPDATE result_record SET ordinal = ordinal + 9 WHERE start_ms = {} AND ordinal = 0", "knows nothing of it"),
    ],
)
async def test_a_result_that_was_changed_is_found(tmp_path: Path, change: str, said: str) -> None:
    state = await took(tmp_path / "state")
    with sqlite3.connect(state / FILE_NAME) as db:
        sql = "SELECT max(start_ms) FROM result_record JOIN result_influencer USING (job, start_ms)"
        ((start,),) = db.execute(sql).fetchall()
    db.close()
    differences = await changed(state, change.format(start))
    assert any(said.format(start) in one for one in differences), differences


async def test_a_checkpoint_that_was_changed_is_found(tmp_path: Path) -> None:
    state = await took(tmp_path / "state")
    newest = "name = (SELECT 'current:' || seq FROM analysis)"
    with sqlite3.connect(state / FILE_NAME) as db:
        body = b"".join(row[0] for row in db.execute(f"SELECT body FROM analysis_state WHERE {newest} ORDER BY piece"))
        db.execute(f"DELETE FROM analysis_state WHERE {newest} AND piece > 0")
    db.close()
    arrays = unpack(body)
    name = next(name for name, array in arrays.items() if array.dtype.kind == "f" and array.size)
    arrays[name].reshape(-1)[0] += 0.5
    differences = await changed(state, f"UPDATE analysis_state SET body = ? WHERE {newest}", pack(arrays, 3))
    assert differences == (f"job test: {name} differs from the checkpoint",)


async def test_a_journal_that_was_changed_is_found(tmp_path: Path) -> None:
    state = await took(tmp_path / "state")
    with sqlite3.connect(state / FILE_NAME) as db:
        seq, body = db.execute("SELECT max(seq), body FROM journal WHERE kind = 'records'").fetchone()
    db.close()
    arrays = unpack(body)
    arrays["time"][-1] += 1
    differences = await changed(state, "UPDATE journal SET body = ? WHERE seq = ?", pack(arrays), seq)
    assert any("differs from the checkpoint" in one for one in differences)


PLOTTED = replace(SPEC, model_plot=ModelPlot(days=0.01))


async def plotted(state: Path, copy: Path | None = None) -> Path:
    """A state directory with a model plot of which the oldest points have gone, or the copy that a power cut left."""
    async with running(config(state), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(PLOTTED, {})
        for step in STEPS:
            await act(service, step)
        return await copied(service, copy) if copy else state


async def test_a_model_plot_is_what_the_journal_says(tmp_path: Path) -> None:
    state = await plotted(tmp_path / "state", tmp_path / "cut")
    assert await verified(tmp_path / "cut") == ()
    assert await verified(state) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE result_plot SET typical = typical + 1 WHERE start_ms = {} AND ordinal = 1", "differs from"),
        ("UPDATE result_plot SET by_value = 'x' WHERE start_ms = {} AND ordinal = 0", "differs from"),
        ("DELETE FROM result_plot WHERE start_ms = {} AND ordinal = 0", "is not stored"),
        ("UPDATE result_plot SET ordinal = ordinal + 99 WHERE start_ms = {} AND ordinal = 0", "knows nothing of it"),
    ],
)
async def test_a_point_of_the_model_plot_that_was_changed_is_found(tmp_path: Path, change: str, said: str) -> None:
    state = await plotted(tmp_path / "state")
    with sqlite3.connect(state / FILE_NAME) as db:
        ((start,),) = db.execute("SELECT max(start_ms) FROM result_plot").fetchall()
    db.close()
    differences = await changed(state, change.format(start))
    assert any(f"point of the model plot at {start}" in one and said in one for one in differences), differences


async def heard(state: Path, copy: Path | None = None) -> Path:
    """A state directory of a job that listens, with entries after its checkpoints, or the copy of a power cut."""
    spec = AnalysisSpec("hears", (DetectorSpec("mean", "took", by="source"),), 60, sources=("*",), live_lag_max_s=1e9)
    clock = ManualClock(START_MS)
    async with running(config(state), clock=clock) as service:
        await service.analyses.create(replace(spec, model_plot=ModelPlot()), {})
        rng = random.Random(3)
        for part in range(4):
            took = [rng.gauss(10, 1) * (10 if i == 590 else 1) for i in range(600)]
            times = range(START_MS + 600_000 * part, START_MS + 600_000 * (part + 1), 1000)
            events = [
                Event(f"till-{i % 3}", at, {"took": x}) for i, (at, x) in enumerate(zip(times, took, strict=True))]
            await send(service, events)
            clock.move(600_000)
            await tick(service)
            await service.runner.caught_up()
            if part in (0, 1):
                await service.runner.checkpoint_all()
        return await copied(service, copy) if copy else state


async def test_a_job_that_listens_is_what_the_journal_says(tmp_path: Path) -> None:
    state = await heard(tmp_path / "state", tmp_path / "cut")
    assert await verified(tmp_path / "cut") == ()
    assert await verified(state) == ()


@pytest.mark.parametrize("table", ["bucket", "record", "plot"])
@pytest.mark.parametrize("power_cut", [False, True])
async def test_a_result_of_a_job_that_listens_that_was_changed_is_found(
    tmp_path: Path, table: str, power_cut: bool
) -> None:
    state = await heard(tmp_path / "state", tmp_path / "cut")
    column = {"bucket": "event_count", "record": "probability", "plot": "actual"}[table]
    of = f"SELECT max(start_ms) FROM result_{table}"
    differences = await changed(
        tmp_path / "cut" if power_cut else state,
        f"UPDATE result_{table} SET {column} = {column} * 2 + 1 WHERE start_ms = ({of})")
    assert any(one.startswith("job hears: the ") and "differs" in one for one in differences), differences


async def test_a_checkpoint_of_a_job_that_listens_that_was_changed_is_found(tmp_path: Path) -> None:
    await heard(tmp_path / "state", tmp_path / "cut")
    newest = "name = (SELECT 'current:' || seq FROM analysis)"
    with sqlite3.connect(tmp_path / "cut" / FILE_NAME) as db:
        ((body,),) = db.execute(f"SELECT body FROM analysis_state WHERE {newest}").fetchall()
    db.close()
    arrays = unpack(body)
    arrays["counts"][0] += 1
    body = pack(arrays, 3)
    differences = await changed(tmp_path / "cut", f"UPDATE analysis_state SET body = ? WHERE {newest}", body)
    assert differences == ("job hears: counts differs from the checkpoint",)
