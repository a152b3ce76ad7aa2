"""Group commit.

Everything that waits becomes one transaction; senders are answered, and the engine is fed, after it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from offbeat.clock import Clock
from offbeat.config import Config
from offbeat.engine.analysis.entries import Command, Upload, pack_command, pack_upload
from offbeat.engine.catalog import Catalog
from offbeat.engine.entries import Adjustment, AdjustmentEnd, Block, Entry, Job, Settings, joined, pack_block
from offbeat.errors import BadBody, StoreUnavailable
from offbeat.intake.parcels import Parcel, Waiter
from offbeat.metrics import Metrics
from offbeat.records import LineError, Receipt, RejectedLine
from offbeat.store import adjustments, journal
from offbeat.store.adjustments import Given
from offbeat.store.database import Database
from offbeat.store.journal import Group, KeyRow

QUARANTINE_OF_BODY_MAX = 100
LINE_START_CHARACTERS = 200
ENTRY_EVENTS_MAX = 20_000
"""Parcels of a group become one entry up to here: what an entry costs by itself is shared, and no query waits long."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An analysis that begins: the row of it, but for when and by which entry."""

    number: int
    id: str
    spec: str
    document: dict[str, Any]


@dataclass(slots=True)
class Control:
    """An entry that is not data of events: a tick, a job or an adjustment that begins or ends, settings; of an analysis
    its records, with what to remember of their Idempotency-Key, or a command.
    """

    kind: str
    upload: Upload | None = None
    key: KeyRow | None = None
    command: Command | None = None
    begun: Begun | None = None
    job: Job | None = None
    job_deleted: int | None = None
    settings: Settings | None = None
    given: Given | None = None
    ended: AdjustmentEnd | None = None
    done: asyncio.Future[Entry] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(frozen=True, slots=True)
class Ended:
    """The last transaction: when it ended, by the event loop's clock, how long it took, how many bodies it held."""

    at_s: float = 0.0
    took_s: float = 0.0
    bodies: int = 0


@dataclass(slots=True)
class Prepared:
    """One group as it will be: its rows, its entries for the engine, its answers."""

    group: Group
    entries: list[tuple[Entry, int]]
    answers: list[tuple[Waiter, Receipt | BadBody]]
    controls: list[tuple[Control, Entry]]
    spare_bytes: int  # of parcels that gave no entry


class Committer:
    """One group after the other.

    *feed(entry, bytes)* hands a durable entry on; *release(bytes)* returns what gave none. ``last_call`` is called when
    the writer is free: the little that it gives goes along. (The large does not: to commit it while more is decoded is
    faster than to have more of it in a group.)
    """

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        config: Callable[[], Config],
        clock: Clock,
        metrics: Metrics,
        last_seq: int,
        feed: Callable[[Entry, int], None],
        release: Callable[[int], None],
    ) -> None:
        self._database, self._catalog, self._config, self._clock, self._metrics = (
            database,
            catalog,
            config,
            clock,
            metrics,
        )
        self._feed, self._release = feed, release
        self.last_call: Callable[[], list[Parcel]] = list
        self._waiting: deque[Parcel | Control] = deque()
        self._some = asyncio.Event()
        self._over = asyncio.Event()  # set while no transaction is under way
        self._over.set()
        self.seq = last_seq
        self.ended = Ended()

    @property
    def under_way(self) -> bool:
        """Is a transaction being prepared or written?"""
        return not self._over.is_set()

    async def commit_over(self) -> None:
        """Return when no transaction is under way, or the one that is has ended."""
        await self._over.wait()

    def put(self, item: Parcel | Control) -> None:
        """Queue a parcel or a control entry."""
        self._waiting.append(item)
        self._some.set()

    async def run(self) -> None:
        """Commit what is put, until cancelled."""
        while True:
            while not self._waiting:
                self._some.clear()
                await self._some.wait()
            await self._commit(self._next())

    def _next(self) -> list[Parcel | Control]:
        items, total = [self._waiting.popleft()], 0
        while self._waiting:
            following = self._waiting[0]
            total += following.body_bytes if isinstance(following, Parcel) else 0
            if total > self._config().store.group_bytes_max:
                break
            items.append(self._waiting.popleft())
        return items

    async def _commit(self, items: list[Parcel | Control]) -> None:
        mark = self._catalog.mark()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self._over = asyncio.Event()
        prepared = Prepared(Group(), [], [], [], 0)

        def prepare() -> Group:
            self._prepare(items, prepared)
            return prepared.group

        try:
            with self._metrics.commit_seconds.time():
                await journal.commit(
                    self._database, lambda: items.extend(self.last_call()), prepare,
                    self._config().ingest.quarantine_rows_max)
        except Exception as e:
            await asyncio.to_thread(self._catalog.back_to, mark)
            self._fail(items, e)
            return
        finally:
            ended_s = loop.time()
            self.ended = Ended(ended_s, ended_s - began_s, sum(len(i.waiters) for i in items if isinstance(i, Parcel)))
            self._over.set()
        self.seq += len(prepared.entries)
        self._release(prepared.spare_bytes)
        for control, entry in prepared.controls:
            if not control.done.done():
                control.done.set_result(entry)
        for waiter, answer in prepared.answers:
            if waiter.taken.done():
                continue
            if isinstance(answer, Receipt):
                waiter.taken.set_result(answer)
            else:
                waiter.taken.set_exception(answer)
        for entry, count in prepared.entries:  # after the answers: the engine's thread is woken once they are out
            self._feed(entry, count)
        self._metrics.events_accepted_total.inc(prepared.group.counters.get("accepted", 0))
        for name, count in prepared.group.counters.items():
            if name.startswith("rejected."):
                self._metrics.lines_rejected_total.labels(name.removeprefix("rejected.")).inc(count)
        self._metrics.journal_sequence.set(self.seq)
        self._metrics.sources.set(self._catalog.sources.count)
        self._metrics.series.set(self._catalog.series_count)

    def _fail(self, items: list[Parcel | Control], error: Exception) -> None:
        for item in items:
            waiting = [w.taken for w in item.waiters] if isinstance(item, Parcel) else [item.done]
            if isinstance(item, Parcel):
                self._release(item.body_bytes)
            for future in waiting:
                if not future.done():
                    future.set_exception(_copy(error))

    # ── on the writer's thread ────────────────────────────────────────────────────────────────────────────────

    def _prepare(self, items: list[Parcel | Control], prepared: Prepared) -> None:
        since, at_ms, seq = self._catalog.mark(), self._clock.now_ms(), self.seq
        group = prepared.group
        blocks: list[Block] = []  # of the entry that is being put together, number *seq*
        events = body_bytes = 0

        def end_entry() -> None:
            nonlocal events, body_bytes
            if blocks:
                block = joined(blocks)
                group.entries.append((seq, "data", at_ms, pack_block(block)))
                prepared.entries.append((Entry(seq, "data", at_ms, block), body_bytes))
            blocks.clear()
            events = body_bytes = 0

        for item in items:
            if isinstance(item, Control):
                end_entry()
                seq += 1
                self._prepare_control(item, seq, at_ms, prepared)
                continue
            block, taken = self._catalog.admit(item.decoded.table)
            if block.size:
                texts = block.text_row.size or (blocks and blocks[0].text_row.size)
                if texts or events + block.size > ENTRY_EVENTS_MAX:
                    end_entry()
                if not blocks:
                    seq += 1
                blocks.append(block)
                events += block.size
                body_bytes += item.body_bytes
            else:
                prepared.spare_bytes += item.body_bytes
            self._answer(item, taken, seq, at_ms, prepared)
            group.beside += [one for i, waiter in enumerate(item.waiters) if i not in item.decoded.failed
                             for one in waiter.beside]
        end_entry()
        group.add_names(self._catalog, since)

    def _prepare_control(self, control: Control, seq: int, at_ms: int, prepared: Prepared) -> None:
        group, body = prepared.group, None
        entry_body: Job | int | Settings | Adjustment | AdjustmentEnd | Upload | Command | None = None
        if control.job is not None:
            entry_body = Job(control.job.number, control.job.spec, at_ms, seq)
            group.job_created, body = entry_body, journal.spec_json(control.job.spec).encode()
        elif control.job_deleted is not None:
            entry_body = group.job_deleted = control.job_deleted
            body = str(control.job_deleted).encode()
        elif control.settings is not None:
            entry_body, group.settings = control.settings, (seq, control.settings)
        elif control.given is not None:
            entry_body, body = control.given.adjustment, adjustments.packed(control.given.adjustment)
            group.given.append((control.given, at_ms, seq))
        elif control.ended is not None:
            entry_body, body = control.ended, adjustments.packed(control.ended)
            group.ended.append((control.ended, at_ms, seq))
        elif control.upload is not None:
            entry_body, body = control.upload, pack_upload(control.upload)
            group.keys += [control.key] if control.key is not None else []
        elif control.command is not None:
            entry_body, body = control.command, pack_command(control.command)
            if (begun := control.begun) is not None:
                row = begun.number, begun.id, begun.spec, orjson.dumps(begun.document).decode(), at_ms, seq
                group.analyses_begun.append(row)
            elif control.command.order == "deleted":
                group.analyses_ended.append(control.command.job)
        group.entries.append((seq, control.kind, at_ms, body))
        entry = Entry(seq, control.kind, at_ms, entry_body)  # type: ignore[arg-type]
        prepared.entries.append((entry, 0))
        prepared.controls.append((control, entry))

    def _answer(
        self,
        parcel: Parcel,
        taken: NDArray[np.bool_],
        seq: int,
        at_ms: int,
        prepared: Prepared,
    ) -> None:
        decoded, group, ends = parcel.decoded, prepared.group, parcel.decoded.body_end.tolist()
        if not decoded.rejected_codes and not decoded.failed and taken.all():
            self._answer_all_taken(parcel, ends, seq, prepared)
            return
        errors_max = self._config().ingest.errors_max
        counts = np.concatenate([[0], np.cumsum(taken)])
        refused = np.flatnonzero(~taken)
        by_body: dict[int, list[RejectedLine]] = {}
        for line in decoded.rejected:
            by_body.setdefault(line.body, []).append(line)
        first = 0
        for i, waiter in enumerate(parcel.waiters):
            end = ends[i]
            if i in decoded.failed:
                prepared.answers.append((waiter, BadBody(decoded.failed[i], where={"stored": 0})))
                continue
            over = refused[(refused >= first) & (refused < end)]
            lines = by_body.get(i, []) + self._limited(i, waiter, decoded.row_line[over[:errors_max]].tolist())
            lines.sort(key=lambda line: line.line)
            rejected = int(decoded.rejected_count[i]) + over.size
            shown = tuple(LineError(line.line, line.code, line.reason) for line in lines[:errors_max])
            receipt = Receipt(int(counts[end] - counts[first]), rejected, shown, rejected - len(shown), seq)
            prepared.answers.append((waiter, receipt))
            if waiter.key_row is not None:
                group.keys.append(waiter.key_row(receipt))
            group.rejected += [(at_ms, waiter.options.format, line) for line in lines[:QUARANTINE_OF_BODY_MAX]]
            first = end
        for code, count in [*decoded.rejected_codes.items(), ("series_limit", int(refused.size))]:
            if count:
                group.counters[f"rejected.{code}"] = group.counters.get(f"rejected.{code}", 0) + count
        if accepted := int(taken.sum()):
            group.counters["accepted"] = group.counters.get("accepted", 0) + accepted

    @staticmethod
    def _answer_all_taken(parcel: Parcel, ends: list[int], seq: int, prepared: Prepared) -> None:
        """As ``_answer`` where no line was rejected: bodies of as many events share a receipt, for few have others."""
        receipts: dict[int, Receipt] = {}
        first = 0
        for waiter, end in zip(parcel.waiters, ends, strict=True):
            receipt = receipts.get(end - first)
            if receipt is None:
                receipt = receipts[end - first] = Receipt(end - first, 0, (), 0, seq)
            prepared.answers.append((waiter, receipt))
            if waiter.key_row is not None:
                prepared.group.keys.append(waiter.key_row(receipt))
            first = end
        if first:
            prepared.group.counters["accepted"] = prepared.group.counters.get("accepted", 0) + first

    def _limited(self, i: int, waiter: Waiter, numbers: list[int]) -> list[RejectedLine]:
        """The lines *numbers* of body *i* as rejected for a limit; which one it is, and the line as it came."""
        if not numbers:
            return []
        catalog, limits = self._catalog, self._catalog.limits
        reached = [
            f"engine.{name} ({most})"
            for name, count, most in (
                ("sources_max", catalog.sources.count, limits.sources),
                ("fields_max", catalog.fields.count, limits.fields),
                ("series_max", catalog.series_count, limits.series),
            )
            if count >= most
        ] or ["engine.series_max, sources_max or fields_max"]
        reason = f"it would begin a new series, and {' and '.join(reached)} is reached"
        texts = waiter.body.split(b"\n") if waiter.options.format != "json" else []
        before = 1 if waiter.first_line is None else waiter.first_line - (waiter.options.format == "csv")
        starts = [texts[n - before] if 0 <= n - before < len(texts) else b"" for n in numbers]
        return [
            RejectedLine(i, n, "series_limit", reason, start.decode(errors="replace")[:LINE_START_CHARACTERS])
            for n, start in zip(numbers, starts, strict=True)
        ]


def _copy(error: Exception) -> Exception:
    """An error of its own for each who waits: a raised one carries its traceback along."""
    if isinstance(error, StoreUnavailable):
        return StoreUnavailable(error.message, hint=error.hint, where=error.where)
    return error
