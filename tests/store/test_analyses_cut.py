"""Analyses after a power cut between any two transactions: results and states as if there had been none."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from offbeat.analyses.again import Again
from offbeat.clock import ManualClock
from offbeat.engine.analysis.entries import Upload
from offbeat.engine.analysis.spec import CATEGORY_FIELD, AnalysisSpec, DetectorSpec
from offbeat.errors import IdempotencyKeyReused
from offbeat.service import Service, running
from offbeat.store import analyses as kept
from offbeat.store.database import Statements
from offbeat.store.snapshots import name_of
from tests.engine.analysis.logs import Row, calm, records_of, spec_of
from tests.store.process import START_MS, config, copy_store

ROWS = calm(2_400, 5)
for _, loud in ROWS[700:720] + ROWS[1_500:1_530]:  # so that there are findings, and scores are set anew
    loud["value"] = "900"
SPEC = spec_of(
    DetectorSpec("mean", "value", by="host"),
    DetectorSpec("count", by="user", partition="host"),
    DetectorSpec("rare", by=CATEGORY_FIELD),
    influencers=("user", "word"),
    categorization_field="message",
)
KINDS = {
    "INSERT INTO journal": "journal",
    "INSERT INTO analysis_state": "piece",
    "UPDATE analysis SET seq": "move",
    "INSERT OR REPLACE INTO result_bucket": "result",
    "UPDATE result_": "rescore",
    "DELETE FROM result_bucket WHERE job = ? AND start_ms >": "revert",
    "INSERT OR REPLACE INTO model_snapshot": "snapshot",
    "INSERT OR REPLACE INTO idempotency": "answer",
}


@dataclass(frozen=True)
class Send:
    """One upload under a key: rows from *start* to *stop*, in parts of *part*."""

    start: int
    stop: int
    part: int = 97

    @property
    def rows(self) -> list[tuple[int, Row]]:
        return ROWS[self.start : self.stop]


@dataclass(frozen=True)
class Act:
    """Anything else: a checkpoint, a snapshot called *name*, back to it, buckets that end by row *row* are final."""

    what: str
    name: str = ""
    row: int = 0


STEPS: tuple[Send | Act, ...] = (
    Send(0, 500),
    Act("checkpoint"),
    Send(500, 900),
    Act("snapshot", "first"),
    Send(900, 1_300),
    Act("checkpoint"),
    Act("revert", "first"),
    Send(900, 1_600),
    Act("advance", row=1_650),
    Act("snapshot", "second"),
    Act("checkpoint"),
    Send(1_700, 2_400),
)


async def uploads(number: int, spec: AnalysisSpec, step: Send, part: int, again: Again) -> AsyncIterator[Upload]:
    for first in range(0, len(step.rows), part):
        rows = step.rows[first : first + part]
        again.feed(repr(rows).encode()[1:-1] + b", ")
        records = records_of(rows, spec.columns)
        yield Upload(number, records, {"input_record": len(rows), "input_bytes": 10 * len(rows)})


async def act(service: Service, step: Send | Act, part: int = 0) -> Any:
    analyses = service.analyses
    job = analyses.get("test")
    if isinstance(step, Send):
        again = Again(f"rows {step.start} to {step.stop}")
        return await analyses.upload("test", uploads(job.number, job.spec, step, part or step.part, again), again=again)
    snapshots = await analyses.snapshots.all_of(job.number)
    mine = [one for one in snapshots if one.description == step.name]
    match step.what:
        case "checkpoint":
            await analyses.runner.checkpoint(job.number)
        case "snapshot" if not mine:
            await analyses.snapshots.take(job.number, step.name)
        case "revert":
            await analyses.snapshots.revert(job.number, mine[0], forget_results=True)
        case "advance":
            await analyses.flush("test", interim=False, start_ms=None, end_ms=None, advance_ms=ROWS[step.row][0])
    return None


async def everything(service: Service) -> dict[str, Any]:
    """All rows of results, and all states, bit for bit."""
    found: dict[str, Any] = {}
    for table in kept.RESULTS:
        found[table] = await service.database.read(f"SELECT * FROM {table} ORDER BY 1, 2, 3")
    job = service.analyses.get("test")
    state = await service.runner.ask(job.number, lambda analysis: analysis.save())
    found["state"] = {name: array.tobytes() for name, array in state.items()}
    for one in await service.analyses.snapshots.all_of(job.number):
        saved = await kept.load_state(service.database, job.number, name_of(one.id))
        found[f"snapshot {one.description}"] = {name: array.tobytes() for name, array in saved.items()}
    await service.runner.checkpoint(job.number)
    assert len(await kept.positions(service.database, job.number)) <= 2
    return found


@dataclass
class Cutter:
    """Copies the store after some transactions: of each kind the first three, later some."""

    service: Service
    directory: Path
    rng: random.Random
    done: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    copies: list[tuple[str, Path, int]] = field(default_factory=list)

    def begin(self) -> None:
        original = self.service.database._written

        async def written(make: Callable[[], Statements]) -> None:
            made: list[Statements] = []

            def remembered() -> Statements:
                made.append(make())
                return made[0]

            await original(remembered)
            self._after(made[0])

        self.service.database._written = written  # type: ignore[method-assign]

    def _after(self, statements: Statements) -> None:
        kinds = {kind for sql, rows in statements if rows for start, kind in KINDS.items() if sql.startswith(start)}
        for kind in sorted(kinds):
            count = self.seen[kind] = self.seen.get(kind, 0) + 1
            if count <= 3 or self.rng.random() < 0.06:
                to = self.directory / f"{len(self.copies)}-{kind}"
                copy_store(Path(self.service.config.store.state_dir), to)
                self.copies.append((kind, to, self.done))


@pytest.mark.timeout(300)
async def test_a_power_cut_between_any_two_transactions_changes_no_bit_of_an_analysis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "PIECE_BYTES", 4_096)
    monkeypatch.setattr(kept, "PAGE", 5)
    monkeypatch.setattr(kept, "ROWS_AT_ONCE", 6)
    async with running(config(tmp_path / "whole"), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(SPEC, {})
        cutter = Cutter(service, tmp_path, random.Random(3))
        cutter.begin()
        for step in STEPS:
            await act(service, step)
            cutter.done += 1
        expected = await everything(service)
    assert len(expected["result_record"]) > 10
    assert {kind for kind, *_ in cutter.copies} == set(KINDS.values())
    rng = random.Random(4)
    for kind, copy, done in cutter.copies:
        async with running(config(copy), clock=ManualClock(START_MS)) as service:
            for step in STEPS[done:]:
                await act(service, step, rng.randrange(40, 200))
            found = await everything(service)
        for part in expected:
            assert found[part] == expected[part], (kind, copy.name, done, part)


async def test_an_upload_sent_again_under_its_key_is_answered_as_before_and_changes_nothing(tmp_path: Path) -> None:
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(SPEC, {})
        answer = await act(service, STEPS[0])
        before = await everything(service)
        assert await act(service, STEPS[0], 10) == answer
        assert await everything(service) == before
        assert (answer.counts["processed_record"], answer.counts["input_record"]) == (500, 500)


async def test_a_key_that_came_with_another_body_is_refused(tmp_path: Path) -> None:
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(SPEC, {})
        await act(service, Send(0, 500))
        before = await everything(service)
        again = Again("rows 0 to 500")
        with pytest.raises(IdempotencyKeyReused):
            job = service.analyses.get("test")
            await service.analyses.upload("test", uploads(job.number, SPEC, Send(1, 501), 50, again), again=again)
        assert await everything(service) == before
