"""Is what is stored what the journal says? Replays the last round of entries and compares."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from offbeat.engine.engine import Engine, Frozen
from offbeat.engine.entries import Block, Entry
from offbeat.errors import StoreUnusable
from offbeat.packing import BadPack
from offbeat.store import journal
from offbeat.store.checkpoints import load_shard, pack_shard
from offbeat.store.database import FILE_NAME, Database, StateDirectory, prepare
from offbeat.store.findings import Findings, stored
from offbeat_detectors.contract import State

PIECES = (0, 997)
"""The journal is replayed entry by entry, then again cut into pieces of so many events: the result must not know."""
Make = Callable[[Database], Awaitable[Engine]]
Others = Callable[[Database], Awaitable[tuple[int, list[str]]]]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """How many entries were replayed, and everything that came out otherwise than it is stored."""

    entries: int
    differences: tuple[str, ...]


async def verify(state_dir: Path, make: Make, others: Others | None = None) -> VerifyReport:
    """Replay and compare; *make* gives an engine with the catalog and the jobs of a store.

    *others* replays what else there is of a store: how many entries, and what differs; it may write into it.

    Works on a copy of the file. Raises StateDirectoryInUse if a daemon runs on it, StoreUnusable if there is none.
    """
    if not (state_dir / FILE_NAME).exists():
        raise StoreUnusable(
            f"{state_dir} holds no {FILE_NAME}", hint="name the daemon's state directory with --state-dir"
        )
    with StateDirectory(state_dir), tempfile.TemporaryDirectory(dir=state_dir, prefix="verify-") as scratch:
        for suffix in ("", "-wal"):
            if (state_dir / (FILE_NAME + suffix)).exists():
                shutil.copy(state_dir / (FILE_NAME + suffix), scratch)
        path = Path(scratch) / FILE_NAME
        prepare(path)
        async with Database(path) as database:
            differences: list[str] = []
            replayed = 0
            for pieces in PIECES:
                try:
                    replayed, found = await _replay(database, await make(database), pieces)
                except BadPack as e:
                    replayed, found = 0, [e.message]
                differences += found
            if others is not None:
                more, found = await others(database)
                replayed, differences = replayed + more, differences + found
            return VerifyReport(replayed, tuple(dict.fromkeys(differences)))


async def _replay(database: Database, engine: Engine, pieces: int) -> tuple[int, list[str]]:
    """Replay everything once; how many entries there were and what differs.

    A shard is compared if the journal still reaches back to the checkpoint before its newest one; others start from
    the newest.
    """
    pruned = int((await database.read("SELECT coalesce(min(seq), 0) FROM journal"))[0][0]) - 1
    newest: dict[int, int] = {}
    pending: list[int] = []
    for shard, seq, previous in await database.read("SELECT id, seq, previous_seq FROM shard ORDER BY seq"):
        newest[shard] = seq
        if 0 <= pruned <= previous:
            pending.append(shard)
            if previous:
                engine.restore(await load_shard(database, shard, previous))
        else:
            engine.restore(await load_shard(database, shard, seq))
    findings, replayed, differences = Findings(), 0, list[str]()
    async for entry in journal.entries(database, 0):
        replayed += 1
        for piece in _pieces(entry, pieces):
            findings.add(engine.apply(piece))
        while pending and newest[pending[0]] <= entry.seq:
            differences += await _shard_differs(database, engine, pending.pop(0), newest)
    differences += await _findings_differ(database, engine, findings, newest)
    return replayed, differences


def _pieces(entry: Entry, size: int) -> Iterator[Entry]:
    if not size or not isinstance(entry.body, Block):
        yield entry
        return
    at = np.arange(entry.body.size)
    for first in range(0, entry.body.size, size):
        yield Entry(entry.seq, entry.kind, entry.at_ms, entry.body.keep((at >= first) & (at < first + size)))


async def _shard_differs(database: Database, engine: Engine, shard: int, newest: dict[int, int]) -> list[str]:
    """Compare one shard, at the entry of its newest checkpoint, with that.

    Models, counters, and what went into chunks.
    """
    stored = await load_shard(database, shard, newest[shard])
    due = {"ledger"} | {f"job:{n}" for n, state in engine.jobs.items() if state.job.created_seq <= newest[shard]}
    differences = [f"shard {shard}, {part}: missing in the checkpoint" for part in sorted(due - stored.states.keys())]
    for part, state in stored.states.items():
        if part == "ledger":
            differs = _state_differs(state, engine.ledger.save(stored.sources, stored.series))
        elif (job := engine.jobs.get(int(part.removeprefix("job:")))) is not None:
            differs = _state_differs(state, job.save(stored.sources, stored.series))
        else:
            continue
        differences += [f"shard {shard}, {part}: {name} differs from the checkpoint" for name in differs]
    tail = engine.tail.freeze(shard)
    if tail is not None:
        made = pack_shard(Frozen(shard, newest[shard], stored.sources, stored.series, {}, tail)).chunks
        engine.tail.written(shard)
        rows = await database.read(
            "SELECT kind, job, part, low, high, start_ms, end_ms, rows, body FROM chunk WHERE shard = ? AND seq = ?",
            (shard, newest[shard]),
        )
        kept = {(row[0], row[1], row[2]): tuple(row) for row in rows}
        jobs = engine.jobs
        if not any(kind == "spans" for kind, *_ in rows):  # an earlier build made it: queries do without
            made = [c for c in made if c.kind != "spans"]
        for c in made:
            if c.job in (0, *jobs) and kept.get((c.kind, c.job, c.part)) != (
                c.kind,
                c.job,
                c.part,
                c.low,
                c.high,
                c.start_ms,
                c.end_ms,
                c.rows,
                c.body,
            ):
                differences.append(f"shard {shard}: a chunk of {c.kind} differs from what is stored")
    return differences


def _state_differs(one: State, other: State) -> list[str]:
    return [
        name
        for name in sorted(one.keys() | other.keys())
        if name not in one or name not in other or one[name].tobytes() != other[name].tobytes()
    ]


async def _findings_differ(database: Database, engine: Engine, findings: Findings, newest: dict[int, int]) -> list[str]:
    """Compare the records that the replay gave with those stored; after a crash the youngest need not be there."""
    differences = []
    for (job, series, bucket_ms), f in findings.records.items():
        if job not in engine.jobs:
            continue
        rows = await database.read(
            "SELECT time_ms, actual, score, novelty, evidence, seq FROM record "
            "WHERE job = ? AND series = ? AND bucket_ms = ?",
            (job, series, bucket_ms),
        )
        shard = int(engine.catalog.source_shard[f.source])
        settled = f.seq <= newest.get(shard, 0)
        if not rows:
            if settled:
                differences.append(f"a record of series {series} at {bucket_ms} is not stored")
        elif (settled and rows[0][2] < f.score) or (
            rows[0][5] == f.seq
            and tuple(rows[0][:5]) != (f.time_ms, stored(f.actual), f.score, f.novelty, f.evidence or None)
        ):
            differences.append(f"the record of series {series} at {bucket_ms} differs from what is stored")
    return differences
