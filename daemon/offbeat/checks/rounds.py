"""When checks run: each at most once an interval, after new readings; and what becomes of the results."""
from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import orjson

from offbeat.checks import rows
from offbeat.checks.book import Book, Held, Subject
from offbeat.checks.crew import Crew, Said
from offbeat.checks.documents import outcome_document
from offbeat.checks.frames import Job
from offbeat.checks.gather import Gathered, Gatherer, Wanted
from offbeat.checks.outcomes import Outcome
from offbeat.checks.spec import CheckSpec, Column
from offbeat.checks.standing import Result, Standing, concluded
from offbeat.checks.subjects import joining
from offbeat.clock import Clock
from offbeat.config import Config
from offbeat.engine.catalog import Catalog
from offbeat.errors import BadRequest, NoWorker, StoreUnavailable
from offbeat.metrics import Metrics
from offbeat.store.bucket_queries import Ask
from offbeat.store.database import Database
from offbeat.store.raw_readings import known as known_of
from offbeat_detectors.checks.contract import Needs

GROUP_MAX = 512
"""Subjects whose readings are found together, if they have few."""
GROUP_FINDINGS = 64
"""The same where findings of theirs are found as well."""
GROUP_READINGS = 1_000_000
ROUNDS_MAX = 8
"""Checks of which readings are in memory at a time."""
KILLS_MAX = 3
"""Runs of one round of a check that may take too long or crash; the rest of its subjects come first in the next."""
JOIN_AT_ONCE = 1_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that has ended."""

    subject: Subject
    gathered: Gathered
    said: Said


class Rounds:
    """Runs checks over a book of them. *settle* writes all findings so far; *say* tells the followers of the stream."""

    def __init__(
        self, book: Book, database: Database, ask: Ask, catalog: Catalog, gatherer: Gatherer, crew: Crew,
        config: Callable[[], Config], clock: Clock, metrics: Metrics, settle: Callable[[], Awaitable[int]],
        say: Callable[..., None],
    ) -> None:
        self._book, self._database, self._ask, self._catalog = book, database, ask, catalog
        self._gatherer, self._crew, self._config, self._clock = gatherer, crew, config, clock
        self._metrics, self._settle, self._say = metrics, settle, say
        self.turn = asyncio.Lock()
        self._room = asyncio.Semaphore(ROUNDS_MAX)
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def look(self) -> list[asyncio.Task[None]]:
        """Begin a round of each check that is due and in none. The rounds that are under way."""
        now_ms = self._clock.now_ms()
        if self._crew.look():
            log.info("plug-ins in %s have changed: they are read again", self._crew.folder)
        for held in self._book.held.values():
            if held.spec.enabled and held.due_ms <= now_ms and held.spec.id not in self.tasks:
                held.due_ms = now_ms + int(held.spec.interval_s * 1000)
                task = asyncio.create_task(self._watched(held, now_ms))
                self.tasks[held.spec.id] = task
                task.add_done_callback(partial(self._ended, held.spec.id))
        return list(self.tasks.values())

    def _ended(self, id: str, task: asyncio.Task[None]) -> None:
        if self.tasks.get(id) is task:  # not the round of a check that has taken its place
            del self.tasks[id]

    async def _watched(self, held: Held, now_ms: int) -> None:
        try:
            async with self._room:
                await self.round(held, now_ms)
        except (StoreUnavailable, NoWorker) as e:
            log.warning("check %s waits: %s", held.spec.id, e.message)
        except Exception:  # of this check alone; its next round may do better
            log.exception("a round of check %s failed", held.spec.id)

    async def leave(self, held: Held) -> None:
        """A round of *held* that is under way is given up; what it has written stays."""
        if (task := self.tasks.pop(held.spec.id, None)) is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def round(self, held: Held, now_ms: int, *, forced: bool = False) -> list[Ran]:
        """Run *held* for each subject that something new came for, or for all if it needs a clock or is *forced*.

        Raises StoreUnavailable, NoWorker.
        """
        await self.join(held)
        needs = await self.needs(held)
        if needs.findings:
            await self._settle()
        due = await self._due(held, needs, forced)
        ran: list[Ran] = []
        async for ended in self.judged(held.spec, due, needs, now_ms, forced=forced):
            await self._keep(held, ended, now_ms)
            if forced:
                ran += ended
        return ran

    async def needs(self, held: Held) -> Needs:
        """What the check needs now; nothing in particular if it cannot be made, which its runs will say."""
        if held.needs is None or held.generation != self._crew.generation:
            held.generation = self._crew.generation
            try:
                held.needs = await self._crew.describe(held.spec.kind, dict(held.spec.parameters))
            except BadRequest as e:
                log.warning("check %s cannot run: %s", held.spec.id, e.message)
                held.needs = Needs()
        return held.needs

    async def join(self, held: Held) -> None:
        """Bind the series that have come since the last look. Raises StoreUnavailable."""
        count = await self._ask(lambda engine: engine.series_count)
        if count == held.resolved:
            return
        book, most = self._book, self._config().checks.subjects_max
        runs = await asyncio.to_thread(lambda: list(joining(held.spec, self._catalog, held.seen, count)))
        async with self.turn:
            if book.held.get(held.spec.id) is not held:
                return
            new: list[Subject] = []
            there_are = book.subject_count
            known: set[tuple[Column, ...]] = set()
            for columns, tolerance_s in runs:
                if (there := held.subjects.get(columns)) is not None:
                    there.tolerance_ms = int(tolerance_s * 1000)
                elif there_are + len(new) >= most:
                    if not held.full:
                        log.warning("check %s: more match than checks.subjects_max, %d, allows", held.spec.id, most)
                    held.full = True
                    break
                elif columns not in known:
                    known.add(columns)
                    new.append(self._subject(held, columns, int(tolerance_s * 1000)))
            for first in range(0, len(new), JOIN_AT_ONCE):
                await self._database.write(_joined(held, new[first : first + JOIN_AT_ONCE]))
            held.subjects |= {one.columns: one for one in new}
            for one in new:
                book.unbound.get(held.spec.id, {}).pop(one.columns, None)
            held.seen = count
            self._metrics.check_subjects.set(book.subject_count)
            self._metrics.checks_full.set(sum(one.full for one in book.held.values()))
        await self._resolve(held.subjects.values(), count)
        held.resolved = count

    async def _resolve(self, subjects: Iterable[Subject], count: int) -> None:
        """Find the series of columns that had none, among the first *count*."""
        missing = [one for one in subjects if not one.numbers or -1 in one.numbers]
        numbers = iter(await rows.series_numbers(self._database, [c for one in missing for c in one.columns]))
        for one in missing:
            found = [next(numbers) for _ in one.columns]
            one.numbers = tuple(n if n < count else -1 for n in found)

    async def trial(self, spec: CheckSpec) -> list[Subject]:
        """The subjects that *spec* would have now; they are kept nowhere, and their numbers are below 0."""
        count, most = await self._ask(lambda engine: engine.series_count), self._config().checks.subjects_max
        runs = await asyncio.to_thread(lambda: dict(islice(joining(spec, self._catalog, 0, count), most)))
        subjects = [
            Subject(-i, columns, Standing(), int(tolerance_s * 1000))
            for i, (columns, tolerance_s) in enumerate(runs.items(), 1)
        ]
        await self._resolve(subjects, count)
        return subjects

    def _subject(self, held: Held, columns: tuple[Column, ...], tolerance_ms: int) -> Subject:
        before = self._book.unbound.get(held.spec.id, {}).get(columns)
        if before is not None:
            return Subject(before.number, columns, before.standing, tolerance_ms)
        self._book.newest_subject += 1
        return Subject(self._book.newest_subject, columns, Standing(), tolerance_ms)

    async def _due(self, held: Held, needs: Needs, forced: bool) -> list[Subject]:
        """The subjects that are to run, those that ran longest ago first."""
        subjects = list(held.subjects.values())
        if not subjects:
            return []
        flat = np.array([n for one in subjects for n in one.numbers], np.int64)
        owner = np.repeat(np.arange(len(subjects)), [len(one.numbers) for one in subjects])
        never = np.array([one.standing.judged is None or one.standing.judges != held.judges for one in subjects])
        judged = np.array(
            [t for one in subjects for t in one.standing.judged or (0,) * len(one.numbers)], np.int64
        )
        state = await self._ask(lambda engine: known_of(engine, flat))
        new = np.zeros(len(subjects), np.bool_)
        new[owner[state.newest_ms > judged]] = True
        usual = np.zeros(len(subjects))
        np.maximum.at(usual, owner, state.interval_ms)
        due = np.flatnonzero(new | never | needs.clock | forced).tolist()
        for i in np.flatnonzero(usual).tolist():
            subjects[i].usual_ms = float(usual[i])
        return sorted((subjects[i] for i in due), key=lambda one: (one.ran_ms, one.numbers))

    async def judged(
        self, spec: CheckSpec, subjects: Sequence[Subject], needs: Needs, now_ms: int, *, as_of: bool = False,
        forced: bool = False,
    ) -> AsyncIterator[list[Ran]]:
        """What the check says of *subjects*, some at a time, stored nowhere; fewer if it was ended too often.

        Raises NoWorker.
        """
        kills, size = 0, _group_size(subjects, needs, self._config().checks.readings_max)
        for first in range(0, len(subjects), size):
            some = subjects[first : first + size]
            ended = await self._judged(spec, some, needs, now_ms, KILLS_MAX - kills, as_of=as_of, forced=forced)
            kills += sum(one.said.killed for one in ended)
            yield ended
            if kills >= KILLS_MAX:
                left = len(subjects) - first - len(ended)
                log.warning("check %s: %d of its runs were ended; %d subjects did not run, and come first in its next "
                            "round", spec.id, kills, left)
                break

    async def _judged(
        self, spec: CheckSpec, subjects: Sequence[Subject], needs: Needs, now_ms: int, kills_max: int, *, as_of: bool,
        forced: bool,
    ) -> list[Ran]:
        judges = judges_of(spec)
        wanted = [
            Wanted(
                one.number, one.columns, one.numbers, one.tolerance_ms,
                None if as_of or one.standing.judges != judges else one.standing.judged,
            )
            for one in subjects
        ]
        gathered = await self._gatherer.gather(
            wanted, needs, int(spec.interval_s * 1000), now_ms, as_of=as_of, forced=forced
        )
        parameters = dict(spec.parameters)
        said = await self._crew.run(
            [Job(spec.kind, parameters, one.data) for one in gathered], spec.time_limit_s, kills_max
        )
        for one, done in zip(said, gathered, strict=False):
            self._metrics.check_runs_total.labels(spec.kind, one.status or "none").inc()
            self._metrics.check_seconds.labels(spec.kind).observe(one.seconds)
            if one.reason == "error":
                self._metrics.check_errors_total.labels(spec.kind).inc()
            self._metrics.check_readings_cut_total.inc(done.left_out)
        return [Ran(*one) for one in zip(subjects, gathered, said, strict=False)]

    async def _keep(self, held: Held, ran: Sequence[Ran], now_ms: int) -> None:
        """Write what was said, then it is so, and is told; a caller that is cancelled does not undo it."""
        await asyncio.shield(asyncio.ensure_future(self._kept(held, ran, now_ms)))

    async def _kept(self, held: Held, ran: Sequence[Ran], now_ms: int) -> None:
        async with self.turn:
            book, spec = self._book, held.spec
            if book.held.get(spec.id) is not held:
                return
            after: list[tuple[Subject, Standing, bool]] = []
            presents, gone, outcomes, forgotten, ends = [], [], [], [], []
            parameters = orjson.dumps(dict(spec.parameters)).decode()
            for one in ran:
                result = result_of(one, now_ms)
                subject = one.subject
                standing, changed = concluded(
                    subject.standing, result, one.gathered.judged, held.judges, spec.raise_after, spec.clear_after
                )
                p = standing.present
                if p is None:
                    gone.append((standing.packed(), subject.number))
                    ends += book.end_rows(spec.id, [subject], "it does not apply now", now_ms)
                else:
                    said = changed or p.status == result.status
                    details = orjson.dumps(details_of(one)).decode() if said else None
                    if changed:
                        book.newest_outcome += 1
                        p = replace(p, outcome=book.newest_outcome)
                        standing = replace(standing, present=p)
                        outcomes.append(
                            (p.outcome, subject.number, spec.id, spec.kind, parameters, p.status, p.reason, p.message,
                             details, p.ran_ms, p.data_ms, p.data_from_ms, p.duration_ms, p.since_ms)
                        )
                    presents.append(
                        (p.status, p.reason, p.message, details, p.ran_ms, p.data_ms, p.data_from_ms, p.duration_ms,
                         p.since_ms, p.outcome, standing.packed(), subject.number)
                    )
                    if p.status == "GREEN" and subject.number in book.acknowledged:
                        forgotten.append((subject.number,))
                after.append((subject, standing, changed))
            await self._database.write(
                [(rows.KEEP_PRESENT, presents), (rows.NO_PRESENT, gone), (rows.KEEP_OUTCOME, outcomes),
                 (rows.KEEP_END, ends), (rows.DROP_ACKNOWLEDGEMENT, forgotten)]
            )
            for (number,) in forgotten:
                del book.acknowledged[number]
            for subject, standing, _ in after:
                subject.standing, subject.ran_ms = standing, now_ms
            self._metrics.check_changes_total.inc(len(outcomes))
            for one, (subject, _, changed) in zip(ran, after, strict=True):
                if changed and (outcome := book.outcome(held, subject, now_ms)) is not None:
                    self._say(outcome=outcome_document(replace(outcome, details=details_of(one))))


def judges_of(spec: CheckSpec) -> str:
    """What decides what the check says, as a text."""
    kind, parameters = spec.judges
    return f"{kind} {parameters.decode()}"


def details_of(ran: Ran) -> dict[str, Any]:
    """The details of a run, and whether it was handed all that there was."""
    left_out = {"readings_left_out": ran.gathered.left_out} if ran.gathered.left_out else {}
    return {**ran.said.details, **left_out}


def result_of(ran: Ran, ran_ms: int) -> Result:
    """What a run said as a subject takes it in."""
    data, said = ran.gathered.data, ran.said
    times = data.time_ms
    judged = times[data.new_from :] if data.new_from < times.size else times[-1:]
    return Result(
        said.status, said.reason, said.message, ran_ms, int(times[-1]) if times.size else None,
        int(judged[0]) if judged.size else None, said.seconds * 1000,
    )


def outcome_of(spec: CheckSpec, ran: Ran, now_ms: int) -> Outcome | None:
    """What a run that is stored nowhere said; None: it did not apply."""
    r = result_of(ran, now_ms)
    if not r.status:
        return None
    number = ran.subject.number if ran.subject.number > 0 else None
    return Outcome(
        None, spec.id, spec.kind, number, ran.subject.columns, r.status, r.reason, r.message, r.ran_ms, r.data_ms,
        r.data_from_ms, r.duration_ms, r.ran_ms, details_of(ran),
    )


def _joined(held: Held, new: Sequence[Subject]) -> list[rows.Statement]:
    """What writes subjects that are not there yet; of one that was, nothing is written."""
    kept = [(one.number, held.spec.id, rows.columns_text(one.columns), one.standing.packed()) for one in new]
    columns = [(source, field, one.number) for one in new for source, field in one.columns]
    return [(rows.KEEP_SUBJECT, kept), (rows.KEEP_COLUMN, columns)]


def _group_size(subjects: Sequence[Subject], needs: Needs, readings_max: int) -> int:
    """How many subjects may have their readings in memory together."""
    if not subjects:
        return 1
    usual_ms = min((one.usual_ms for one in subjects if one.usual_ms), default=1_000.0)
    expected = min(readings_max, needs.history_s * 1000 / usual_ms) + needs.readings + 16
    most = max(len(one.columns) for one in subjects)
    return int(min(GROUP_FINDINGS if needs.findings else GROUP_MAX, max(1.0, GROUP_READINGS / (expected * most))))
