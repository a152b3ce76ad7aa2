"""Applies what is durable: the one thread that runs the engine; from here findings and checkpoints go to the store."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from offbeat.clock import Clock
from offbeat.config import StoreConfig
from offbeat.engine.buckets import RULES
from offbeat.engine.engine import ALONE, RUN_MAX, Engine
from offbeat.engine.entries import Block, Entry
from offbeat.engine.outcome import Outcome
from offbeat.engine.tail import START
from offbeat.errors import NotYet, StoreUnavailable
from offbeat.metrics import Metrics
from offbeat.store import journal
from offbeat.store.checkpoints import drop_old, drop_pieces, keep_pieces, keep_shard, pack_shard
from offbeat.store.database import Database
from offbeat.store.findings import Findings, keep_findings
from offbeat_detectors.parts import Team

T = TypeVar("T")
log = logging.getLogger(__name__)
BATCH_EVENTS = 20_000
"""So much is handed to the engine's thread at a time: some milliseconds of its work."""
TOGETHER_EVENTS = 4_096
"""So much of that is applied together: questions are answered before the next."""
FINDINGS_EVERY_S = 0.05
LOOK_EVERY_S = 0.25
OVER = 1.5
"""The share of ``store.tail_readings_max`` in memory beyond which nothing is taken until it is down to 1."""
TELL_EVERY_MS = 60_000
"""The log says at most so often that nothing is taken: under a load that is too high it happens every second."""


class Applier:
    """Runs the engine on a thread of its own and keeps the store up with it.

    on_outcome(outcome) is called on the event loop, in order, for everything that gave a finding; on_over_full(reason)
    when memory holds so much that nothing may be taken, and with "" when it may again.
    """

    def __init__(
        self,
        engine: Engine,
        database: Database,
        config: StoreConfig,
        clock: Clock,
        metrics: Metrics,
        on_outcome: Callable[[Outcome], None],
        on_over_full: Callable[[str], None],
    ) -> None:
        self._engine, self._database, self._config, self._clock, self._metrics = (
            engine,
            database,
            config,
            clock,
            metrics,
        )
        self._on_outcome, self._on_over_full = on_outcome, on_over_full
        self.over_full = ""  # why nothing is taken now
        self._much = asyncio.Event()  # memory holds so much that some of it is due
        self._torn: set[int] = set()  # shards that may have pieces of a checkpoint that was not finished
        self._told_ms = -TELL_EVERY_MS
        self._suppressed = [metrics.findings_suppressed_total.labels(rule) for rule in RULES]
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._waiting: deque[tuple[Entry, Callable[[], None]]] = deque()
        self._some = asyncio.Event()
        self._questions: deque[Callable[[], None]] = deque()
        self._findings = Findings()  # touched on the engine's thread only
        self._found = asyncio.Event()
        self._writing = asyncio.Lock()  # from taking findings to their commit: they reach the store in order
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._prunable: deque[int] = deque()
        self._put_seq = self.applied = engine.seq
        self.settled = engine.seq  # applied, and its findings in the store

    async def ask(self, function: Callable[[Engine], T]) -> T:
        """Run *function* on the engine's thread, between two entries: it waits for those being applied at most."""
        answer: Future[T] = Future()

        def run() -> None:
            if answer.set_running_or_notify_cancel():
                try:
                    answer.set_result(function(self._engine))
                except BaseException as e:
                    answer.set_exception(e)

        self._questions.append(run)
        self._thread.submit(self._answer)
        return await asyncio.wrap_future(answer)

    def _answer(self) -> None:
        while self._questions:
            self._questions.popleft()()

    def put(self, entry: Entry, done: Callable[[], None]) -> None:
        """Queue a durable entry; *done* is called on the loop when it has been applied.

        Bounded by the intake's budget.
        """
        self._waiting.append((entry, done))
        self._put_seq = entry.seq
        self._some.set()

    async def run(self) -> None:
        """Apply what is put, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._some.wait()
            while self._waiting:
                batch = self._next()
                with self._metrics.apply_seconds.time():
                    outcomes = await loop.run_in_executor(self._thread, self._apply, [entry for entry, _ in batch])
                for entry, done in batch:
                    done()
                    self.applied = entry.seq
                for outcome in outcomes:
                    self._count(outcome)
                    if outcome.ended:
                        self._found.set()
                    if outcome.findings or outcome.changes:
                        self._found.set()
                        self._on_outcome(outcome)
                self._metrics.applied_sequence.set(self.applied)
                self._look_at_tail()
                if not self._found.is_set() and not self._writing.locked():
                    self._settle(self.applied)
            self._some.clear()

    def _count(self, outcome: Outcome) -> None:
        metrics = self._metrics
        for counter, count in (
            (metrics.findings_total, len(outcome.findings)),
            (metrics.findings_hidden_total, outcome.hidden_count),
            (metrics.late_events_total, outcome.late_count),
            (metrics.models_evicted_total, outcome.evicted_count),
            (metrics.readings_unjudged_total, outcome.unjudged_count),
            *zip(self._suppressed, outcome.untold, strict=True),
        ):
            if count:  # mostly there is none: to look is cheaper than to add 0
                counter.inc(count)

    def _next(self) -> list[tuple[Entry, Callable[[], None]]]:
        batch, events = [], 0
        while self._waiting and events < BATCH_EVENTS:
            batch.append(self._waiting.popleft())
            body = batch[-1][0].body
            events += body.size if isinstance(body, Block) else BATCH_EVENTS // 100
        return batch

    def _apply(self, entries: Sequence[Entry], together: int = TOGETHER_EVENTS) -> list[Outcome]:
        outcomes = []
        for some in _slices(entries, together):
            self._answer()
            for outcome in self._engine.apply_all(some):
                self._findings.add(outcome)
                outcomes.append(outcome)
            self._findings.upto = self._engine.seq
        return outcomes

    async def replay(self, pages: AsyncIterator[list[Entry]], threads: int) -> None:
        """Apply *pages* of entries of the journal before anything runs, each while the next is read, by *threads*."""
        loop = asyncio.get_running_loop()
        applying: asyncio.Future[list[Outcome]] | None = None
        with Team(threads) as team:
            self._engine.work_with(team)
            try:
                async for page in pages:
                    if applying is not None:
                        await applying
                    applying = loop.run_in_executor(self._thread, self._apply, page, RUN_MAX)
            finally:
                if applying is not None:
                    await applying
                self._engine.work_with(ALONE)

    def begin(self, seq: int) -> None:
        """The replay is over and *seq* is the newest entry; its findings are written before anything else is."""
        self._put_seq = self.applied = self.settled = seq
        self._look_at_tail()
        if len(self._findings):
            self._found.set()

    def _settle(self, seq: int) -> None:
        self.settled = max(self.settled, seq)
        for waiter in [w for w in self._waiters if w[0] <= self.settled]:
            self._waiters.remove(waiter)
            if not waiter[1].done():
                waiter[1].set_result(None)

    async def reached(self, sequence: int, timeout_s: float) -> None:
        """Wait until everything up to *sequence* has been applied and its findings can be read. Raises NotYet."""
        if self.settled >= sequence:
            return
        waiter = (sequence, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            await asyncio.wait_for(waiter[1], timeout_s)
        except TimeoutError:
            raise NotYet(
                f"sequence {sequence} is not applied yet, the engine is at {self.applied}",
                where={"sequence": sequence, "applied": self.applied},
            ) from None
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    # ── findings ──────────────────────────────────────────────────────────────────────────────────────────────

    def _take_findings(self, engine: Engine) -> Findings:
        taken, self._findings = self._findings, Findings(upto=engine.seq)
        taken.upto = engine.seq
        return taken

    def _put_back(self, taken: Findings) -> None:
        self._findings = taken.joined(self._findings)

    async def settle(self) -> int:
        """Write the findings so far; the sequence up to which the store now has them. Raises StoreUnavailable."""
        async with self._writing:
            self._found.clear()
            taken = await self.ask(self._take_findings)
            if len(taken):
                try:
                    await keep_findings(self._database, taken)
                except BaseException:
                    await self.ask(lambda _: self._put_back(taken))
                    self._found.set()
                    raise
        self._settle(min(taken.upto, self.applied) if self._found.is_set() else self.applied)
        return taken.upto

    async def keep_findings_written(self) -> None:
        """Write findings soon after they are made, until cancelled."""
        while True:
            await self._found.wait()
            try:
                await self.settle()
            except StoreUnavailable as e:
                log.warning("findings wait: %s", e.message)
                await asyncio.sleep(1.0)
            await asyncio.sleep(FINDINGS_EVERY_S)

    # ── checkpoints ───────────────────────────────────────────────────────────────────────────────────────────

    async def keep_checkpoints_made(self) -> None:
        """Checkpoint each shard when its time has come or memory is full, until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._much.wait(), LOOK_EVERY_S)
            self._much.clear()
            try:
                await self._checkpoint_due()
            except StoreUnavailable as e:
                log.warning("checkpoints wait: %s", e.message)
                await asyncio.sleep(1.0)

    async def _checkpoint_due(self) -> None:
        rows_max = self._config.tail_readings_max
        before_ms = self._clock.now_ms() - int(self._config.checkpoint_s * 1000)
        if shards := await self.ask(lambda engine: engine.tail.due(rows_max, before_ms)):
            await self._checkpoint(shards)
            await self._prune()

    async def checkpoint_all(self) -> None:
        """Checkpoint every shard that changed, and keep the journal as it is. Raises StoreUnavailable."""
        await self._checkpoint(await self.ask(lambda engine: sorted(engine.tail.active)))

    async def _checkpoint(self, shards: list[int]) -> None:
        for shard in shards:
            with self._metrics.checkpoint_seconds.time():
                await self._checkpoint_one(shard)
            await self._database.move_log()  # after each: what is moved at once holds up the next sync

    async def _prune(self) -> None:
        # Entries are kept for one round more than recovery needs them: `verify` replays that round and compares.
        self._prunable.append(await self.ask(lambda engine: engine.covered()))
        if len(self._prunable) > 1:
            await journal.prune(self._database, self._prunable.popleft())
            await self._database.move_log()

    async def _checkpoint_one(self, shard: int) -> None:
        frozen = await self.ask(lambda engine: engine.freeze(shard))
        if frozen is None:
            return
        try:
            packed = await asyncio.to_thread(pack_shard, frozen)
            if shard in self._torn:
                await drop_pieces(self._database, shard)
            self._torn.add(shard)
            await keep_pieces(self._database, packed)  # findings are written meanwhile
            async with self._writing:
                self._found.clear()
                taken = await self.ask(self._take_findings)
                try:
                    await keep_findings(self._database, taken)
                    await keep_shard(self._database, packed)
                except BaseException:
                    await asyncio.shield(self.ask(lambda _: self._put_back(taken)))
                    self._found.set()
                    raise
        except BaseException:
            await asyncio.shield(self.ask(lambda engine: engine.not_written(frozen)))
            raise
        self._torn.discard(shard)
        await self.ask(lambda engine: engine.written(frozen))
        self._settle(min(taken.upto, self.applied) if self._found.is_set() else self.applied)
        self._look_at_tail()
        await drop_old(self._database, shard)

    def _look_at_tail(self) -> None:
        """Let the intake stop when memory is over full, and go on when it is no more than full."""
        rows, rows_max = self._engine.tail.row_count, self._config.tail_readings_max
        if rows >= START * rows_max:
            self._much.set()
        if not self.over_full and rows > OVER * rows_max:
            self.over_full = f"{rows} readings, buckets and windows wait in memory to be packed, {rows_max} may"
            if (now_ms := self._clock.now_ms()) - self._told_ms >= TELL_EVERY_MS:
                self._told_ms = now_ms
                log.warning("%s: bodies are refused until it is no more than that", self.over_full)
        elif self.over_full and rows <= rows_max:
            self.over_full = ""
        else:
            return
        self._on_over_full(self.over_full)

    async def drained(self, timeout_s: float) -> None:
        """Wait until everything that was put has been applied and its findings are in the store. Raises NotYet."""
        await self.reached(self._put_seq, timeout_s)

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(wait=True)


def _slices(entries: Sequence[Entry], events_max: int) -> Iterator[Sequence[Entry]]:
    """*entries* in their order, some at a time: of no more events than that, or one entry."""
    first = events = 0
    for i, entry in enumerate(entries):
        size = entry.body.size if isinstance(entry.body, Block) else 0
        if i > first and events + size > events_max:
            yield entries[first:i]
            first, events = i, 0
        events += size
    if first < len(entries):
        yield entries[first:]
