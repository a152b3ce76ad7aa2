"""Applies what is durable of analyses: the one thread that runs them, and what goes from there to the store."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from itertools import groupby
from typing import TypeVar

from offbeat.analyses.away import Away
from offbeat.analyses.patience import until_stored
from offbeat.analyses.running import About, AnalysisFailed, Running
from offbeat.clock import Clock
from offbeat.config import StoreConfig
from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.entries import Command, Upload
from offbeat.engine.analysis.results import BucketResult, Outcome, Rescore, Taken
from offbeat.engine.catalog import Catalog
from offbeat.engine.entries import Entry
from offbeat.errors import NotFound, NotYet, StoreUnavailable
from offbeat.metrics import Metrics
from offbeat.store import analyses as kept
from offbeat.store.database import Database
from offbeat.store.snapshots import Frozen, name_of
from offbeat_detectors.contract import State

T = TypeVar("T")
log = logging.getLogger(__name__)
Applied = tuple[int, Outcome]
"""The number of an analysis, and what an entry of it gave."""
DAY_MS = 86_400_000
RENORMALIZED_DAYS, RENORMALIZED_SPANS = 30, 100
"""How far back scores are set anew where the job does not say: the longer of both."""
ENTRIES_AT_ONCE = 16
CHECKPOINT_RECORDS = 5_000_000
"""Records after which a checkpoint is due however young the last one is: the journal is kept until then."""
TURN_S = 0.25
"""So long entries are applied while there are any; then a checkpoint, a snapshot, interim results have their turn."""
Waiting = tuple[Entry, Callable[[], None]]
"""An entry, and whom to tell that what it gave is in the store."""


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
        metrics: Metrics,
        catalog: Catalog | None = None,
    ) -> None:
        self._database, self._config, self._clock, self._on_results = database, config, clock, on_results
        self._metrics, self._catalog = metrics, catalog
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="analysis")
        self._running: dict[int, Running] = {}
        self._expected: dict[int, Running] = {}
        self._waiting: deque[Waiting] = deque()
        self._newest = 0
        self._some = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._turn = asyncio.Lock()  # from applying entries to their results in the store
        self._away = Away(database, self._on_thread)
        self._checkpointing = asyncio.Lock()  # held before *_turn*: two at a time would undo each other
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self.settled = 0

    # ── which there are ───────────────────────────────────────────────────────────────────────────────────────

    async def recover(self, stored: list[kept.Kept], entries: AsyncIterator[list[Entry]], last_seq: int) -> None:
        """Bring *stored* analyses to where the journal ends, at *last_seq*. Raises StoreUnavailable.

        One whose state cannot be read has failed; the others go on.
        """
        await kept.tidy(self._database)
        for one in stored:
            self._running[one.number] = await self._restored(one)
        await self.replay(entries)
        self._settle(last_seq)
        self._newest = last_seq
        for running in self._running.values():
            running.taken.clear()  # nobody waits for them any more

    async def replay(self, entries: AsyncIterator[list[Entry]]) -> None:
        """Apply what the journal has, before anything is put. Raises StoreUnavailable."""
        async for page in entries:
            if mine := [entry for entry in page if self.wants(entry)]:
                await self._apply_and_write(mine)

    async def _restored(self, one: kept.Kept) -> Running:
        running = Running(one.number, one.spec, Analysis(one.spec), max(one.seq, one.created_seq))
        if failed := await kept.failure_of(self._database, one.number):
            running.seq, running.failed = failed
        name = kept.position(one.seq) if one.seq > one.created_seq else kept.BROUGHT
        if name != kept.BROUGHT or await kept.has_state(self._database, one.number, name):
            try:
                state = await kept.load_state(self._database, one.number, name)
                await self._on_thread(running.state.restore, state)
            except Exception as e:
                running.fail(e, running.seq)
                await self._database.write(kept.failed(one.number, running.seq, running.failed))
        return running

    def expect(self, number: int, analysis: Analysis) -> None:
        """An analysis that is about to be created: it begins with its entry, so that it misses none after it."""
        self._expected[number] = Running(number, analysis.spec, analysis, 0)

    def expect_no_more(self, number: int) -> None:
        """It was not created after all."""
        self._expected.pop(number, None)

    async def end(self, number: int) -> None:
        """An analysis that was deleted: once this returns, nothing of it is written any more."""
        async with self._checkpointing, self._turn:
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
        """Run *function* on the thread of the analyses, between two entries. Raises NotFound, StoreUnavailable."""
        running = self._the(number)
        running.asked += 1
        try:
            await self._away.back(running)
            return await self._on_thread(lambda: function(running.state))
        finally:
            running.asked -= 1

    async def about(self, number: int) -> About:
        """What is told of an analysis, wherever its models are. Raises NotFound."""
        away = self._the(number).away
        return away if away is not None else await self.ask(number, About.of)

    def _the(self, number: int) -> Running:
        running = self._running.get(number)
        if running is None:
            raise NotFound(f"there is no analysis number {number}")
        return running

    async def put_away(self, number: int) -> None:
        """Keep the models of an analysis in the store alone, if its checkpoint has them, until they are needed."""
        async with self._checkpointing, self._turn:
            if (running := self._running.get(number)) is not None:
                await self._away.put(running)

    async def _on_thread(self, function: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *given)

    @property
    def lag(self) -> int:
        """Entries that wait to be applied."""
        return len(self._waiting)

    @property
    def analyses(self) -> int:
        """How many there are."""
        return len(self._running)

    @property
    def failed(self) -> int:
        """How many of them stand still."""
        return sum(bool(one.failed) for one in self._running.values())

    @property
    def model_bytes(self) -> int:
        """What the models of all take, as of the last buckets of each."""
        return sum(one.model_bytes for one in self._running.values())

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
            self._some.clear()
            while self._waiting:
                await self._apply_for_a_while()
                await self.checkpoint_due()
            self._idle.set()

    async def _apply_for_a_while(self) -> None:
        """Apply what waits, each part while the results of the one before are written; then others have a turn."""
        clock = asyncio.get_running_loop().time
        until = clock() + TURN_S
        async with self._turn:
            writing: asyncio.Task[None] | None = None
            try:
                while True:
                    if self._waiting and clock() < until:
                        writing = await self._next_part(writing)
                    elif writing is not None and not writing.done() and clock() < until:
                        await self._more_or(writing)
                    else:
                        break
            except BaseException:
                if writing is not None:
                    writing.cancel()
                raise
            if writing is not None:
                await writing

    async def _next_part(self, writing: asyncio.Task[None] | None) -> asyncio.Task[None] | None:
        """Apply the entries that wait, some at most, or one that goes back to a snapshot; what writes their results."""
        part = [self._waiting.popleft()]
        first = part[0][0]
        if isinstance(first.body, Command) and first.body.order == "revert":
            if writing is not None:
                await writing
            await self._away.back_for(part, self._running)
            await self._revert(first, first.body)
            self._end(part)
            return None
        while self._waiting and len(part) < ENTRIES_AT_ONCE:
            body = self._waiting[0][0].body
            if isinstance(body, Command) and body.order == "revert":
                break
            part.append(self._waiting.popleft())
        await self._away.back_for(part, self._running)
        applied = await self._on_thread(self._apply, [entry for entry, _ in part])
        if writing is not None:
            await writing
        return asyncio.create_task(self._store_part(part, applied))

    async def _store_part(self, part: list[Waiting], applied: list[Applied]) -> None:
        await self._store(applied, part[-1][0].seq)
        self._end(part)

    def _end(self, part: list[Waiting]) -> None:
        self._settle(part[-1][0].seq)
        for _, done in part:
            done()

    async def _more_or(self, writing: asyncio.Task[None]) -> None:
        """Wait until *writing* has ended, or more has come."""
        self._some.clear()
        coming = asyncio.ensure_future(self._some.wait())
        try:
            await asyncio.wait((writing, coming), return_when=asyncio.FIRST_COMPLETED)
        finally:
            coming.cancel()

    async def _apply_and_write(self, entries: list[Entry]) -> None:
        async with self._turn:
            waiting: list[Entry] = []
            for entry in entries:
                if isinstance(entry.body, Command) and entry.body.order == "revert":
                    await self._apply_together(waiting)
                    await self._revert(entry, entry.body)
                    waiting = []
                else:
                    waiting.append(entry)
            await self._apply_together(waiting)
            self._settle(entries[-1].seq)

    async def _apply_together(self, entries: list[Entry]) -> None:
        if not entries:
            return
        await self._store(await self._on_thread(self._apply, entries), entries[-1].seq)

    async def _store(self, applied: list[Applied], upto: int) -> None:
        """Write what entries up to *upto* gave."""
        for number, those in groupby(applied, key=lambda one: one[0]):
            outcomes = [outcome for _, outcome in those]
            await until_stored(partial(self._write, number, outcomes))
        await self._give_up(upto)

    async def _give_up(self, upto: int) -> None:
        """Remember where an analysis has failed, up to entry *upto*: the journal need not be kept for it any more."""
        failed = [one for one in self._running.values() if one.failed and one.failed_seq <= upto]
        for running in [one for one in failed if one.changed is not None]:
            seq = max(running.seq, running.failed_seq)
            await until_stored(partial(self._database.write, kept.failed(running.number, seq, running.failed)))
            running.seq, running.changed, running.again, running.records = seq, None, None, 0

    async def _revert(self, entry: Entry, order: Command) -> None:
        running = self._running.get(order.job)
        if running is None or entry.seq <= running.seq:
            return
        running.touch(entry)
        try:
            state = None
            if order.snapshot:
                state = await kept.load_state(self._database, order.job, name_of(order.snapshot))
            await self._on_thread(running.revert, state, order.time_ms <= 0)
        except Exception as e:
            running.fail(e, entry.seq)
            await self._give_up(entry.seq)
            return
        if order.time_ms > 0:
            newest = running.state.latest_result_ms
            after = kept.forget_results_after(order.job, newest if newest is not None else -(1 << 62))
            await until_stored(partial(self._database.write, after))

    def _apply(self, entries: list[Entry]) -> list[Applied]:
        applied: list[Applied] = []
        with self._metrics.analysis_seconds.time():
            for entry in entries:
                for running in self._concerned(entry):
                    try:
                        outcome = self._outcome(running, entry)
                    except Exception as e:
                        running.fail(e, entry.seq)
                        continue
                    if outcome is not None:
                        applied.append((running.number, outcome))
        return applied

    def _concerned(self, entry: Entry) -> list[Running]:
        """Those that *entry* is for: the one that it names, or all that listen to events."""
        if isinstance(entry.body, Upload | Command):
            named = self._running.get(entry.body.job)
            those = [] if named is None else [named]
        else:
            those = [one for one in list(self._running.values()) if one.spec.listens]
        return [one for one in those if entry.seq > one.seq and not one.failed]

    def _outcome(self, running: Running, entry: Entry) -> Outcome | None:
        if isinstance(entry.body, Upload | Command):
            return running.apply(entry, entry.body)
        return running.hear(entry, self._catalog)

    async def _write(self, number: int, outcomes: Sequence[Outcome]) -> None:
        """Write the results of one analysis, in their order. To write them again changes nothing."""
        told: list[BucketResult] = []
        waiting: list[BucketResult] = []
        for one in (one for outcome in outcomes for one in outcome.buckets):
            if isinstance(one, Rescore):
                await self._write_results(number, waiting)
                waiting = []
                await self._rescore(number, told[-1].start_ms, one)
            else:
                told.append(one)
                waiting.append(one)
        await self._write_results(number, waiting)
        if told:
            self._on_results(number, told)
            self._metrics.analysis_buckets_total.inc(len(told))
            self._metrics.analysis_findings_total.inc(sum(len(one.found) for one in told))
        self._metrics.analysis_records_total.inc(
            sum(outcome.taken.counts["processed_record"] + outcome.taken.counts["out_of_order"] for outcome in outcomes)
        )

    async def _write_results(self, number: int, results: Sequence[BucketResult]) -> None:
        for some in kept.by_rows(results):
            await self._database.write(kept.statements_of(number, some))

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

    async def caught_up(self, timeout_s: float | None = None) -> None:
        """Wait until what all entries so far gave is in the store. Raises NotYet."""
        try:
            await asyncio.wait_for(self.reached(self._newest), timeout_s)
        except TimeoutError:
            raise NotYet(f"the analyses are not as far after {timeout_s} s") from None

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
            await self._write_results(number, found)
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
        async with self._checkpointing:
            async with self._turn:  # between two entries, of which the results are in the store
                running = self._running.get(number)
                if running is None or running.changed is None or running.failed:
                    return
                seq, records = self.settled, running.records
                state = await self.ask(number, Analysis.save)
                running.again, running.records = None, 0
            try:
                with self._metrics.analysis_checkpoint_seconds.time():
                    await kept.keep_state(self._database, number, kept.position(seq), state)
                    await self._database.write(kept.move(number, seq, running.seq))
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
