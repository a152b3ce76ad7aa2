"""Applies what is durable: the one thread that runs the engine; from here findings and checkpoints go to the store."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from offbeat.clock import Clock
from offbeat.config import StoreConfig
from offbeat.engine.buckets import RULES
from offbeat.engine.engine import ALONE, Engine, Frozen
from offbeat.engine.entries import Block, Entry
from offbeat.engine.outcome import Outcome
from offbeat.errors import NotYet, StoreUnavailable
from offbeat.metrics import Metrics
from offbeat.store import journal
from offbeat.store.checkpoints import keep_shard, pack_shard
from offbeat.store.database import Database
from offbeat.store.findings import Findings, statements_of
from offbeat_detectors.parts import Team

T = TypeVar("T")
log = logging.getLogger(__name__)
BATCH_EVENTS = 20_000
"""A query waits for at most one batch: some milliseconds of the engine's work."""
FINDINGS_EVERY_S = 0.05
LOOK_EVERY_S = 0.25


class Applier:
    """Runs the engine on a thread of its own and keeps the store up with it.

    on_outcome(entry, outcome) is called on the event loop, in order, for everything that gave a finding.
    """

    def __init__(
        self,
        engine: Engine,
        database: Database,
        config: StoreConfig,
        clock: Clock,
        metrics: Metrics,
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        self._engine, self._database, self._config, self._clock, self._metrics = (
            engine,
            database,
            config,
            clock,
            metrics,
        )
        self._on_outcome = on_outcome
        self._suppressed = [metrics.findings_suppressed_total.labels(rule) for rule in RULES]
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._waiting: deque[tuple[Entry, Callable[[], None]]] = deque()
        self._some = asyncio.Event()
        self._findings = Findings()  # touched on the engine's thread only
        self._found = asyncio.Event()
        self._writing = asyncio.Lock()  # from taking findings to their commit: they reach the store in order
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._prunable: deque[int] = deque()
        self._put_seq = self.applied = engine.seq
        self.settled = engine.seq  # applied, and its findings in the store

    async def ask(self, function: Callable[[Engine], T]) -> T:
        """Run *function* on the engine's thread, between two entries."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, self._engine)

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

    def _apply(self, entries: Sequence[Entry]) -> list[Outcome]:
        outcomes = self._engine.apply_all(entries)
        for outcome in outcomes:
            self._findings.add(outcome)
        if entries:
            self._findings.upto = entries[-1].seq
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
                    applying = loop.run_in_executor(self._thread, self._apply, page)
            finally:
                if applying is not None:
                    await applying
                self._engine.work_with(ALONE)

    def begin(self, seq: int) -> None:
        """The replay is over and *seq* is the newest entry; its findings are written before anything else is."""
        self._put_seq = self.applied = self.settled = seq
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

    def _undo(self, engine: Engine, frozen: Frozen, taken: Findings) -> None:
        engine.not_written(frozen)
        self._put_back(taken)

    def _put_back(self, taken: Findings) -> None:
        self._findings = taken.joined(self._findings)

    async def settle(self) -> int:
        """Write the findings so far; the sequence up to which the store now has them. Raises StoreUnavailable."""
        async with self._writing:
            self._found.clear()
            taken = await self.ask(self._take_findings)
            if len(taken):
                try:
                    await self._database.write(statements_of(taken))  # one trip: acknowledgements wait for its end
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
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self._checkpoint_due()
            except StoreUnavailable as e:
                log.warning("checkpoints wait: %s", e.message)
                await asyncio.sleep(1.0)

    async def _checkpoint_due(self) -> None:
        before_ms = self._clock.now_ms() - int(self._config.checkpoint_s * 1000)

        def due(engine: Engine) -> list[int]:
            full = engine.tail.reading_count >= self._config.tail_readings_max
            return [shard for shard, tail in engine.tail.active.items() if full or tail.since_ms <= before_ms]

        if shards := await self.ask(due):
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
        async with self._writing:

            def freeze(engine: Engine) -> tuple[Frozen | None, Findings | None]:
                frozen = engine.freeze(shard)
                return frozen, self._take_findings(engine) if frozen is not None else None

            frozen, taken = await self.ask(freeze)
            if frozen is None or taken is None:
                return
            try:
                packed = await asyncio.to_thread(pack_shard, frozen)
                await keep_shard(self._database, packed, taken)
            except BaseException:
                await asyncio.shield(self.ask(lambda engine: self._undo(engine, frozen, taken)))
                raise
            await self.ask(lambda engine: engine.written(frozen))
        self._settle(min(taken.upto, self.applied) if self._found.is_set() else self.applied)

    async def drained(self, timeout_s: float) -> None:
        """Wait until everything that was put has been applied and its findings are in the store. Raises NotYet."""
        await self.reached(self._put_seq, timeout_s)

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(wait=True)
