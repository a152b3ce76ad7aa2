"""Applies what is durable of analyses: the one thread that runs them, and what goes from there to the store."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from offbeat.clock import Clock
from offbeat.config import StoreConfig
from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.entries import Command, Upload
from offbeat.engine.analysis.results import BucketResult, Outcome, Rescore, Taken
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.engine.catalog import Catalog
from offbeat.engine.entries import Block, Entry
from offbeat.errors import NotFound, StoreUnavailable
from offbeat.store import analyses as kept
from offbeat.store.database import Database
from offbeat.store.snapshots import Frozen, name_of
from offbeat_detectors.contract import State

T = TypeVar("T")
log = logging.getLogger(__name__)
DAY_MS = 86_400_000
RENORMALIZED_DAYS, RENORMALIZED_SPANS = 30, 100
"""How far back scores are set anew where the job does not say: the longer of both."""
ENTRIES_AT_ONCE = 16
CHECKPOINT_RECORDS = 5_000_000
"""Records after which a checkpoint is due however young the last one is: the journal is kept until then."""


@dataclass(slots=True)
class Running:
    """One analysis and what of it is not in the store.

    seq      the entry that its checkpoint stands for    changed  the first entry after it, and when it came
    again    while a checkpoint is written: the first entry after that
    records  since the last checkpoint
    """

    number: int
    spec: AnalysisSpec
    state: Analysis
    seq: int
    changed: tuple[int, int] | None = None
    again: tuple[int, int] | None = None
    records: int = 0
    taken: dict[int, Taken] = field(default_factory=dict)


@dataclass(slots=True)
class _Applied:
    """One entry and what it gave."""

    entry: Entry
    job: int
    outcome: Outcome | None


class Runner:
    """Runs all analyses on a thread of its own.

    *on_results(number, results)* is called on the event loop, in order, once they are in the store. *catalog* has the
    names of the events that analyses listen to; without one none may listen.
    """

    def __init__(
        self,
        database: Database,
        config: StoreConfig,
        clock: Clock,
        on_results: Callable[[int, list[BucketResult]], None],
        catalog: Catalog | None = None,
    ) -> None:
        self._database, self._config, self._clock, self._on_results = database, config, clock, on_results
        self._catalog = catalog
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="analysis")
        self._running: dict[int, Running] = {}
        self._expected: dict[int, Running] = {}
        self._waiting: deque[tuple[Entry, Callable[[], None]]] = deque()
        self._newest = 0
        self._some = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._turn = asyncio.Lock()  # from applying entries to their results in the store
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self.settled = 0

    # ── which there are ───────────────────────────────────────────────────────────────────────────────────────

    async def recover(self, stored: list[kept.Kept], entries: AsyncIterator[list[Entry]], last_seq: int) -> None:
        """Bring *stored* analyses to where the journal ends, at *last_seq*. Raises BadPack, StoreUnavailable."""
        for one in stored:
            analysis = Analysis(one.spec)
            if one.seq > one.created_seq:
                analysis.restore(await kept.load_state(self._database, one.number, kept.position(one.seq)))
            elif await kept.has_state(self._database, one.number, kept.BROUGHT):
                analysis.restore(await kept.load_state(self._database, one.number, kept.BROUGHT))
            self._running[one.number] = Running(one.number, one.spec, analysis, max(one.seq, one.created_seq))
        async for page in entries:
            if mine := [entry for entry in page if self.wants(entry)]:
                await self._apply_and_write(mine)
        self._settle(last_seq)
        self._newest = last_seq
        for running in self._running.values():
            running.taken.clear()  # nobody waits for them any more

    def expect(self, number: int, analysis: Analysis) -> None:
        """An analysis that is about to be created: it begins with its entry, so that it misses none after it."""
        self._expected[number] = Running(number, analysis.spec, analysis, 0)

    def expect_no_more(self, number: int) -> None:
        """It was not created after all."""
        self._expected.pop(number, None)

    def end(self, number: int) -> None:
        """An analysis that was deleted."""
        self._running.pop(number, None)

    def wants(self, entry: Entry) -> bool:
        """Is *entry* one for analyses? What is none's is not put."""
        if isinstance(entry.body, Upload | Command):
            return True
        return entry.kind in ("data", "tick") and any(one.spec.listens for one in self._running.values())

    def rests(self, number: int) -> bool:
        """Does an analysis that listens take no events for now?"""
        feed = self._running[number].state.feed
        return feed is not None and feed.resting

    def covered(self, seq: int) -> int:
        """The newest entry, up to *seq*, that no analysis needs to be replayed, nor any before it."""
        changed = [one.changed[0] - 1 for one in self._running.values() if one.changed is not None]
        return min([seq if self._idle.is_set() else self.settled, *changed])

    async def ask(self, number: int, function: Callable[[Analysis], T]) -> T:
        """Run *function* on the thread of the analyses, between two entries. Raises NotFound."""
        running = self._running.get(number)
        if running is None:
            raise NotFound(f"there is no analysis number {number}")
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, running.state)

    # ── what comes in ─────────────────────────────────────────────────────────────────────────────────────────

    def put(self, entry: Entry, done: Callable[[], None] = lambda: None) -> None:
        """Queue a durable entry; *done* is called on the loop when what it gave is in the store."""
        if isinstance(entry.body, Command) and (begins := self._expected.pop(entry.body.job, None)) is not None:
            begins.seq = entry.seq
            self._running[begins.number] = begins
        self._waiting.append((entry, done))
        self._newest = entry.seq
        self._idle.clear()
        self._some.set()

    async def run(self) -> None:
        """Apply what is put and write what it gives, until cancelled."""
        while True:
            await self._some.wait()
            while self._waiting:
                some = [self._waiting.popleft() for _ in range(min(ENTRIES_AT_ONCE, len(self._waiting)))]
                await self._apply_and_write([entry for entry, _ in some])
                for _, done in some:
                    done()
                await self.checkpoint_due()
            self._some.clear()
            self._idle.set()

    async def _apply_and_write(self, entries: list[Entry]) -> None:
        async with self._turn:
            waiting: list[Entry] = []
            for entry in entries:
                waiting.append(entry)
                if isinstance(entry.body, Command) and entry.body.order == "revert":
                    await self._apply_together(waiting)
                    await self._revert(entry, entry.body)
                    waiting = []
            if waiting:
                await self._apply_together(waiting)

    async def _apply_together(self, entries: list[Entry]) -> None:
        for one in await asyncio.get_running_loop().run_in_executor(self._thread, self._apply, entries):
            if one.outcome is not None:
                await self._until_written(one.job, one.outcome)
        if not (isinstance(entries[-1].body, Command) and entries[-1].body.order == "revert"):
            self._settle(entries[-1].seq)

    async def _revert(self, entry: Entry, order: Command) -> None:
        running = self._running.get(order.job)
        if running is not None and entry.seq > running.seq:
            state = await kept.load_state(self._database, order.job, name_of(order.snapshot))
            forget = order.time_ms > 0
            await self.ask(order.job, lambda analysis: analysis.revert(state, keep_time=not forget))
            if forget:
                newest = running.state.latest_result_ms
                await self._database.write(
                    kept.forget_results_after(order.job, newest if newest is not None else -(1 << 62))
                )
        self._settle(entry.seq)

    def _apply(self, entries: list[Entry]) -> list[_Applied]:
        applied = []
        for entry in entries:
            if not isinstance(entry.body, Upload | Command):
                applied += self._heard(entry)
                continue
            running = self._running.get(entry.body.job)
            outcome = None
            if running is not None and entry.seq > running.seq:
                outcome = self._one(running, entry, entry.body)
            applied.append(_Applied(entry, entry.body.job, outcome))
        return applied

    def _heard(self, entry: Entry) -> list[_Applied]:
        """What events, or a tick, give to the analyses that listen."""
        applied = []
        for running in list(self._running.values()):
            if not running.spec.listens or entry.seq <= running.seq:
                continue
            if isinstance(entry.body, Block):
                assert self._catalog is not None
                outcome = running.state.hear(entry.body, entry.at_ms, self._catalog)
            else:
                outcome = running.state.tick(entry.at_ms)
            if outcome is not None:
                self._changes(running, entry)
                running.records += outcome.taken.counts["input_record"]
                applied.append(_Applied(entry, running.number, outcome))
        return applied

    @staticmethod
    def _changes(running: Running, entry: Entry) -> None:
        running.changed = running.changed or (entry.seq, entry.at_ms)
        running.again = running.again or (entry.seq, entry.at_ms)

    def _one(self, running: Running, entry: Entry, body: Upload | Command) -> Outcome | None:
        self._changes(running, entry)
        if isinstance(body, Upload):
            running.records += body.records.size
            outcome = running.state.take(body)
            running.taken[entry.seq] = outcome.taken
            return outcome
        if body.order == "advance":
            return running.state.advance(body.time_ms)
        match body.order:
            case "skip":
                running.state.skip()
            case "rest":
                running.state.rest()
            case "resume":
                running.state.resume()
        return None

    async def _until_written(self, job: int, outcome: Outcome) -> None:
        while True:
            try:
                await self._write(job, outcome)
                return
            except StoreUnavailable as e:
                log.warning("results of an analysis wait: %s", e.message)
                await asyncio.sleep(1.0)

    async def _write(self, job: int, outcome: Outcome) -> None:
        results: list[BucketResult] = []
        for one in outcome.buckets:
            if job not in self._running:  # it was deleted meanwhile, and what it had with it
                return
            if isinstance(one, Rescore):
                await self._rescore(job, results[-1].start_ms, one)
            else:
                await self._database.write(kept.statements_of(job, one))
                results.append(one)
        if results:
            self._on_results(job, results)

    async def _rescore(self, job: int, newest_ms: int, by: Rescore) -> None:
        running = self._running.get(job)
        if running is None:
            return
        span_ms, days = 1000 * running.spec.bucket_span_s, running.spec.renormalization_days
        back_ms = days * DAY_MS if days >= 0 else max(RENORMALIZED_DAYS * DAY_MS, RENORMALIZED_SPANS * span_ms)
        await kept.rescore(self._database, job, newest_ms + span_ms, newest_ms - back_ms, by)

    def _settle(self, seq: int) -> None:
        self.settled = max(self.settled, seq)
        for waiter in [w for w in self._waiters if w[0] <= self.settled]:
            self._waiters.remove(waiter)
            if not waiter[1].done():
                waiter[1].set_result(None)

    async def reached(self, seq: int) -> None:
        """Wait until what entry *seq* gave is in the store."""
        if self.settled < seq:
            waiter = (seq, asyncio.get_running_loop().create_future())
            self._waiters.append(waiter)
            await waiter[1]

    async def caught_up(self) -> None:
        """Wait until what all entries so far gave is in the store."""
        await self.reached(self._newest)

    async def taken(self, number: int, seq: int) -> Taken:
        """What became of the records of entry *seq*, once its results are in the store; it is told once."""
        await self.reached(seq)
        running = self._running.get(number)
        return running.taken.pop(seq, Taken()) if running is not None else Taken()

    async def freeze(self, number: int) -> Frozen:
        """The models of an analysis as they are, for a snapshot. Raises NotFound."""
        async with self._turn:
            return await self.ask(
                number,
                lambda one: Frozen(
                    one.save(), one.totals.latest_ms, one.latest_result_ms, one.size(), one.scoring.quantiles
                ),
            )

    @asynccontextmanager
    async def still(self, number: int) -> AsyncIterator[State]:
        """The models of an analysis. While this is open its results in the store are those up to them.

        Raises NotFound.
        """
        async with self._turn:
            yield await self.ask(number, Analysis.save)

    # ── interim results, checkpoints ──────────────────────────────────────────────────────────────────────────

    async def interim(self, number: int, start_ms: int | None, end_ms: int | None) -> None:
        """Replace the interim results of an analysis by those of its open buckets now. Raises StoreUnavailable."""
        async with self._turn:
            found = await self.ask(number, lambda analysis: analysis.interim(start_ms, end_ms))
            await self._database.write(kept.forget_interim(number))
            for result in found:
                await self._database.write(kept.statements_of(number, result))
        if found:
            self._on_results(number, found)

    async def checkpoint_due(self) -> None:
        """Checkpoint each analysis that has changed for long enough, or much."""
        before_ms = self._clock.now_ms() - int(self._config.checkpoint_s * 1000)
        for one in list(self._running.values()):
            if one.changed is not None and (one.changed[1] < before_ms or one.records >= CHECKPOINT_RECORDS):
                try:
                    await self.checkpoint(one.number)
                except StoreUnavailable as e:
                    log.warning("the checkpoint of an analysis waits: %s", e.message)

    async def checkpoint(self, number: int) -> None:
        """Write the state of an analysis, which goes on meanwhile. Raises StoreUnavailable, NotFound."""
        async with self._turn:  # between two entries, of which the results are in the store
            running = self._running.get(number)
            if running is None or running.changed is None:
                return
            seq, records = self.settled, running.records
            state = await self.ask(number, Analysis.save)
            running.again, running.records = None, 0
        try:
            await kept.keep_state(self._database, number, kept.position(seq), state)
            await self._database.write(kept.move(number, seq))
        except BaseException:
            running.records += records
            raise
        running.seq, running.changed = seq, running.again

    async def drained(self) -> None:
        """Wait until all that was put is applied and its results are in the store."""
        await self._idle.wait()

    async def checkpoint_all(self) -> None:
        """Checkpoint every analysis that changed. Raises StoreUnavailable."""
        for number in list(self._running):
            await self.checkpoint(number)

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(wait=True)
