"""``offbeat verify`` replays the last round: the same, bit for bit, or it says what is not."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from offbeat.assembly import assembled
from offbeat.clock import ManualClock
from offbeat.engine.engine import Engine
from offbeat.errors import StateDirectoryInUse, StoreUnusable
from offbeat.packing import pack, unpack
from offbeat.service import running
from offbeat.store.database import FILE_NAME, Database
from offbeat.verification import VerifyReport, verify
from tests.engine.run import SPECS, Create, Delete, Event, Step, random_steps
from tests.store.process import START_MS, applied, config, copied, do, round_made, send


def make(state: Path) -> Callable[[Database], Awaitable[Engine]]:
    return lambda database: assembled(database, config(state))


async def took(state: Path, seed: int, copy: Path | None = None, count: int = 450) -> Path:
    """A state directory after a life with three rounds of checkpoints; or the copy that a power cut left of it."""
    clock, steps = ManualClock(START_MS), list[Step](random_steps(seed, count, absurd=0.1))
    steps[count // 2 : count // 2] = [Create(SPECS[1]), Create(SPECS[0]), Delete()] if seed % 2 else []
    async with running(config(state), clock=clock) as service:
        batch: list[Event] = []
        for i, step in enumerate(steps):
            if isinstance(step, Event):
                batch.append(step)
            elif not isinstance(step, Create) or step.spec not in [j.spec for j in service.jobs.by_number.values()]:
                await send(service, batch)
                batch = []
                await do(service, clock, step)
            if i in (150, 250, 350):
                await send(service, batch)
                batch = []
                await applied(service)
                await round_made(service)
        await send(service, batch)
        await applied(service)
        return await copied(service, copy) if copy else state


@pytest.mark.parametrize("seed", range(4))
async def test_a_store_is_what_its_journal_says_after_a_stop(tmp_path: Path, seed: int) -> None:
    state = await took(tmp_path / "state", seed)
    report = await verify(state, make(state))
    assert report.differences == () and report.entries > 5
    assert sorted(p.name for p in state.iterdir() if p.is_dir()) == [], "nothing is left behind"


@pytest.mark.parametrize("seed", range(4))
async def test_a_store_is_what_its_journal_says_after_a_power_cut(tmp_path: Path, seed: int) -> None:
    state = await took(tmp_path / "state", seed, tmp_path / "copy")
    report = await verify(state, make(state))
    assert report.differences == () and report.entries > 5


async def test_findings_that_a_power_cut_kept_from_the_store_are_no_difference(tmp_path: Path) -> None:
    state = await took(tmp_path / "state", 0, tmp_path / "copy")
    with sqlite3.connect(state / FILE_NAME) as db:
        (newest,) = db.execute("SELECT min(seq) FROM shard").fetchone()
        assert db.execute("DELETE FROM record WHERE seq > ?", (newest,)).rowcount
    db.close()
    assert (await verify(state, make(state))).differences == ()


async def test_weaker_forms_of_such_findings_are_no_difference_either(tmp_path: Path) -> None:
    state = await took(tmp_path / "state", 0, tmp_path / "copy")
    with sqlite3.connect(state / FILE_NAME) as db:
        (newest,) = db.execute("SELECT min(seq) FROM shard").fetchone()
        assert db.execute("UPDATE record SET score = 11, seq = seq - 1 WHERE seq > ?", (newest,)).rowcount
    db.close()
    assert (await verify(state, make(state))).differences == ()


async def changed(state: Path, sql: str, *parameters: object) -> VerifyReport:
    with sqlite3.connect(state / FILE_NAME) as db:
        assert db.execute(sql, parameters).rowcount > 0
    db.close()
    return await verify(state, make(state))


NEWEST = "(SELECT seq FROM shard LIMIT 1)"


async def test_a_record_that_was_changed_is_found(tmp_path: Path) -> None:
    state = await took(tmp_path / "state", 0)
    last = "(job, series, bucket_ms) = (SELECT job, series, bucket_ms FROM record ORDER BY seq DESC LIMIT 1)"
    for change in ("score = score - 1", "score = 100.5", "actual = actual + 1e-9 + 1", "time_ms = time_ms + 1",
                   "actual = NULL", "evidence = x'00'"):
        report = await changed(await took(tmp_path / change, 0), f"UPDATE record SET {change} WHERE {last}")
        assert len(report.differences) == 1 and "record of series" in report.differences[0], change
    report = await changed(state, f"DELETE FROM record WHERE {last}")
    assert len(report.differences) == 1 and "is not stored" in report.differences[0]


@pytest.mark.parametrize("kind", ["readings", "1m", "buckets", "spans"])
async def test_a_chunk_that_was_changed_is_found(tmp_path: Path, kind: str) -> None:
    state = await took(tmp_path / "state", 0)
    with sqlite3.connect(state / FILE_NAME) as db:
        where = f"kind = '{kind}' AND job < 2 AND seq = {NEWEST}"
        rowid, body = db.execute(f"SELECT rowid, body FROM chunk WHERE {where}").fetchone()
    db.close()
    columns = unpack(body)
    name = {"readings": "value", "1m": "sum", "buckets": "count", "spans": "end"}[kind]
    columns[name][0] += 1
    report = await changed(state, "UPDATE chunk SET body = ? WHERE rowid = ?", pack(columns, 3), rowid)
    assert report.differences == (f"shard 0: a chunk of {kind} differs from what is stored",)


async def test_a_store_of_a_build_that_knew_no_spans_is_as_it_should_be(tmp_path: Path) -> None:
    state = await took(tmp_path / "state", 0)
    assert (await changed(state, f"DELETE FROM chunk WHERE kind = 'spans' AND seq = {NEWEST}")).differences == ()


@pytest.mark.parametrize("part", ["ledger", "job:1"])
async def test_a_checkpoint_that_was_changed_is_found(tmp_path: Path, part: str) -> None:
    state = await took(tmp_path / "state", 0)
    with sqlite3.connect(state / FILE_NAME) as db:
        sql = f"SELECT seq, body FROM checkpoint WHERE part = ? AND seq = {NEWEST}"
        seq, body = db.execute(sql, (part,)).fetchone()
    db.close()
    states = unpack(body)
    name = next(n for n, a in states.items() if a.size and a.dtype.kind == "f")
    states[name].reshape(-1)[0] += 0.5
    report = await changed(
        state, "UPDATE checkpoint SET body = ? WHERE part = ? AND seq = ?", pack(states), part, seq)
    assert report.differences == (f"shard 0, {part}: {name} differs from the checkpoint",)


@pytest.mark.parametrize("where", ["part = 'job:1'", "part = 'members'", "part = 'ledger'"])
async def test_a_checkpoint_that_is_damaged_or_incomplete_is_found(tmp_path: Path, where: str) -> None:
    damaged = await took(tmp_path / "damaged", 0)
    report = await changed(damaged, f"UPDATE checkpoint SET body = x'00112233' WHERE seq = {NEWEST} AND {where}")
    assert any("cannot be read" in difference for difference in report.differences)
    incomplete = await took(tmp_path / "incomplete", 0)
    report = await changed(incomplete, f"DELETE FROM checkpoint WHERE seq = {NEWEST} AND {where}")
    assert any("missing" in difference or "incomplete" in difference for difference in report.differences)


async def test_a_journal_that_was_changed_is_found(tmp_path: Path) -> None:
    state = await took(tmp_path / "state", 0)
    with sqlite3.connect(state / FILE_NAME) as db:
        sql = f"SELECT max(seq), body FROM journal WHERE kind = 'data' AND seq <= {NEWEST}"
        seq, body = db.execute(sql).fetchone()
    db.close()
    block = unpack(body)
    block["value"][0] += 1
    report = await changed(state, "UPDATE journal SET body = ? WHERE seq = ?", pack(block), seq)
    assert any("differs" in difference for difference in report.differences)
    report = await changed(state, "UPDATE journal SET body = x'00' WHERE seq = ?", seq)
    assert any("cannot be read" in difference for difference in report.differences)


async def test_a_directory_in_use_or_without_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="holds no"):
        await verify(tmp_path, make(tmp_path))
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)):
        with pytest.raises(StateDirectoryInUse):
            await verify(tmp_path / "state", make(tmp_path / "state"))
