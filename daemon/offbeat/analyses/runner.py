"""Applies what is durable of analyses: the one thread that runs them, and what goes from there to the store."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from offbeat.clock import Clock
from offbeat.config import StoreConfig
from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.entries import Command, Upload
from offbeat.engine.analysis.results import BucketResult, Outcome, Rescore, Taken
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.engine.entries import Entry
from offbeat.errors import NotFound, Refused, StoreUnavailable
from offbeat.store import analyses as kept
from offbeat.store.database import Database
from offbeat.store.snapshots import Frozen, name_of

T = TypeVar("T")
log = logging.getLogger(__name__)
DAY_MS = 86_400_000
RENORMALIZED_DAYS, RENORMALIZED_SPANS = 30, 100
"""How far back scores are set anew where the job does not say: the longer of both."""
ENTRIES_AT_ONCE = 16
CHECKPOINT_RECORDS = 5_000_000
"""Records after which a checkpoint is due however young the last one is: the journal is kept until then."""


class AnalysisFailed(Refused):
    """The analysis of a job has met with a fault of ours, and stands still until the job is closed."""

    code = "analysis_failed"
    status = 500


@dataclass(slots=True)
class Running:
    """One analysis and what of it is not in the store.

    seq      the entry that its checkpoint stands for    changed  the first entry after it, and when it came
    again    while a checkpoint is written: the first entry after that
    records  since the last checkpoint
    failed   what went wrong; from there on nothing is applied, until it is reverted
    """

    number: int
    spec: AnalysisSpec
    state: Analysis
    seq: int
    changed: tuple[int, int] | None = None
    again: tuple[int, int] | None = None
    records: int = 0
    failed: str = ""
    taken: dict[int, Taken] = field(default_factory=dict)


@dataclass(slots=True)
class _Applied:
    """One entry and what it gave."""

    entry: Entry
    job: int
    outcome: Outcome | None


class Runner:
    """Runs all analyses on a thread of its own.

    *on_results(number, results)* is called on the event loop, in order, once they are in the store.
    """

    def __init__(
        self,
        database: Database,
        config: StoreConfig,
        clock: Clock,
        on_results: Callable[[int, list[BucketResult]], None],
    ) -> None:
        self._database, self._config, self._clock, self._on_results = database, config, clock, on_results
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="analysis")
        self._running: dict[int, Running] = {}
        self._waiting: deque[Entry] = deque()
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
            self._running[one.number] = Running(one.number, one.spec, analysis, max(one.seq, one.created_seq))
        async for page in entries:
            mine = [entry for entry in page if isinstance(entry.body, Upload | Command)]
            if mine:
                await self._apply_and_write(mine)
        self._settle(last_seq)
        for running in self._running.values():
            running.taken.clear()  # nobody waits for them any more

    def begin(self, number: int, spec: AnalysisSpec, created_seq: int) -> None:
        """A new analysis; entries after *created_seq* are its own."""
        self._running[number] = Running(number, spec, Analysis(spec), created_seq)

    def end(self, number: int) -> None:
        """An analysis that was deleted."""
        self._running.pop(number, None)

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

    def put(self, entry: Entry) -> None:
        """Queue a durable entry."""
        self._waiting.append(entry)
        self._idle.clear()
        self._some.set()

    async def run(self) -> None:
        """Apply what is put and write what it gives, until cancelled."""
        while True:
            await self._some.wait()
            while self._waiting:
                some = [self._waiting.popleft() for _ in range(min(ENTRIES_AT_ONCE, len(self._waiting)))]
                await self._apply_and_write(some)
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
            if order.snapshot:
                state = await kept.load_state(self._database, order.job, name_of(order.snapshot))
            else:
                state = Analysis(running.spec).save()
            forget = order.time_ms > 0
            running.changed = running.changed or (entry.seq, entry.at_ms)
            running.again = running.again or (entry.seq, entry.at_ms)
            running.failed = ""
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
            assert isinstance(entry.body, Upload | Command)
            running = self._running.get(entry.body.job)
            outcome = None
            if running is not None and entry.seq > running.seq and not running.failed:
                try:
                    outcome = self._one(running, entry, entry.body)
                except Exception as e:
                    log.exception("the analysis of job %s has failed at entry %d", running.spec.id, entry.seq)
                    running.failed = f"{type(e).__name__}: {e}"
            applied.append(_Applied(entry, entry.body.job, outcome))
        return applied

    def _one(self, running: Running, entry: Entry, body: Upload | Command) -> Outcome | None:
        running.changed = running.changed or (entry.seq, entry.at_ms)
        running.again = running.again or (entry.seq, entry.at_ms)
        if isinstance(body, Upload):
            running.records += body.records.size
            outcome = running.state.take(body)
            running.taken[entry.seq] = outcome.taken
            return outcome
        if body.order == "advance":
            return running.state.advance(body.time_ms)
        if body.order == "skip":
            running.state.skip()
        if body.order == "changed":
            running.spec = kept.spec_of(body.spec)
            anew = Analysis(running.spec)
            anew.restore(running.state.save())
            running.state = anew
        if body.order == "reset":
            running.state.reset(body.time_ms, body.end_ms)
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

    async def taken(self, number: int, seq: int) -> Taken:
        """What became of the records of entry *seq*, once its results are in the store; it is told once.

        Raises AnalysisFailed if they were not analysed.
        """
        await self.reached(seq)
        running = self._running.get(number)
        if running is None:
            return Taken()
        if seq not in running.taken and running.failed:
            raise AnalysisFailed(f"the analysis of job {running.spec.id} has failed: {running.failed}")
        return running.taken.pop(seq, Taken())

    def failure(self, number: int) -> str:
        """What an analysis has failed of; empty if it has not."""
        running = self._running.get(number)
        return "" if running is None else running.failed

    async def freeze(self, number: int) -> Frozen:
        """The models of an analysis as they are, for a snapshot. Raises NotFound."""
        async with self._turn:
            return await self.ask(
                number,
                lambda one: Frozen(
                    one.save(), one.totals.latest_ms, one.latest_result_ms, one.size(), one.scoring.quantiles
                ),
            )

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
            if running is None or running.changed is None or running.failed:
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
