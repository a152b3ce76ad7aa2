"""Findings as they reach the store: a few at a time, all of them, also when the store fails on the way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from offbeat.engine.outcome import BucketChange, Finding
from offbeat.errors import StoreUnavailable
from offbeat.store import findings as store_findings
from offbeat.store.database import Database, Statements, prepare
from offbeat.store.findings import WRITTEN_AT_ONCE_ROWS, Findings, keep_findings

COUNT = 3 * WRITTEN_AT_ONCE_ROWS + 1


def many(score: float = 40.0) -> Findings:
    """One finding of each of COUNT series, and the bucket that it is in."""
    return Findings(
        {(1, i, 0): Finding(9, i, 5, 1, i, i, 0, 7, 1.0, 0.0, -1.0, 0.5, 3.0, 1e-9, score) for i in range(COUNT)},
        {(1, i, 0): BucketChange(9, COUNT + i, 5, 1, i, 0, 1, 3.0, score, 1, False) for i in range(COUNT)},
    )


async def held(database: Database) -> list[tuple[int, int, float, float]]:
    return await database.read(
        "SELECT (SELECT count(*) FROM record), (SELECT count(*) FROM finding_bucket),"
        " (SELECT min(score) FROM record), (SELECT max(score) FROM record)"
    )


async def test_who_waits_to_write_has_its_turn_between_the_findings_of_a_whole_fleet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path / "file")
    async with Database(tmp_path / "file") as database:
        turns: list[int] = []
        write = database.write

        async def counted(statements: Statements) -> None:
            await write(statements)
            turns.append(sum(len(rows) for _, rows in statements))

        monkeypatch.setattr(database, "write", counted)
        writing = asyncio.create_task(keep_findings(database, many()))
        await asyncio.sleep(0)  # its first transaction is under way
        await write([("INSERT INTO counter VALUES (?, ?)", [("between", 1)])])
        assert len(turns) < 3
        await writing
        assert max(turns) <= WRITTEN_AT_ONCE_ROWS and sum(turns) == 2 * COUNT
        assert await held(database) == [(COUNT, COUNT, 40.0, 40.0)]


async def test_what_a_failure_cut_short_is_written_again_with_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path / "file")
    async with Database(tmp_path / "file") as database:
        write, left = database.write, [2]

        async def failing(statements: Statements) -> None:
            if not left[0]:
                raise StoreUnavailable("the disk is full")
            left[0] -= 1
            await write(statements)

        monkeypatch.setattr(database, "write", failing)
        with pytest.raises(StoreUnavailable):
            await store_findings.keep_findings(database, many())
        assert (await held(database))[0][0] == 2 * WRITTEN_AT_ONCE_ROWS
        monkeypatch.setattr(database, "write", write)
        await keep_findings(database, many(41.0))
        assert await held(database) == [(COUNT, COUNT, 41.0, 41.0)]
