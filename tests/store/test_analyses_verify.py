"""``offbeat verify`` replays analyses as well: what was changed in their states, results or journal is found."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from offbeat import service as services
from offbeat.clock import ManualClock
from offbeat.packing import pack, unpack
from offbeat.service import running
from offbeat.store.database import FILE_NAME
from tests.store.process import START_MS, config, copied
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
    report = await asyncio.to_thread(services.verify, state)
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
