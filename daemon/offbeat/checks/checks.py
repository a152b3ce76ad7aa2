"""All checks: given, changed, taken away, run; what they say, who knows of it, when it is not counted."""
from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from offbeat.checks import rows
from offbeat.checks.book import Book, Held
from offbeat.checks.crew import Crew
from offbeat.checks.gather import Gatherer
from offbeat.checks.outcomes import (
    Acknowledgement,
    HistoryQuery,
    Maintenance,
    Outcome,
    OutcomeInFull,
    Overview,
    StatusQuery,
    check_maintenance,
    check_text,
)
from offbeat.checks.preview import Preview, previewed
from offbeat.checks.rounds import Rounds, judges_of, outcome_of
from offbeat.checks.spec import CheckSpec, bad, check, check_columns
from offbeat.checks.subjects import binds
from offbeat.clock import Clock
from offbeat.config import Config
from offbeat.engine.catalog import Catalog
from offbeat.engine.entries import Job
from offbeat.errors import Conflict, NotFound
from offbeat.metrics import Metrics
from offbeat.store.bucket_queries import Ask
from offbeat.store.database import Database
from offbeat.store.queries import Limit, Page
from offbeat_detectors.checks.contract import Needs

LOOK_EVERY_S = 1.0
DAY_MS = 86_400_000

T = TypeVar("T")
log = logging.getLogger(__name__)


class Checks:
    """The checks of one daemon. *ask* runs on the engine's thread, *settle* writes all findings so far, *say* tells the
    followers of the stream, *hand_on* takes all outcomes so far to the rules of alerts.
    """

    def __init__(
        self, database: Database, config: Callable[[], Config], clock: Clock, metrics: Metrics, ask: Ask,
        catalog: Catalog, jobs: Callable[[], Mapping[int, Job]], settle: Callable[[], Awaitable[int]],
        say: Callable[..., None], hand_on: Callable[[], Awaitable[None]],
    ) -> None:
        self._database, self._config, self._clock, self._catalog = database, config, clock, catalog
        self._hand_on = hand_on
        settings = config().checks
        self.crew = Crew(settings.workers, settings.folder, settings.worker_bytes_max, settings.modules,
                         metrics.check_workers_ended_total.inc)
        self.book = Book()
        self._gatherer = Gatherer(database, ask, catalog, jobs, lambda: config().engine.time_zone,
                                  lambda: config().checks.readings_max)
        self.rounds = Rounds(self.book, database, ask, catalog, self._gatherer, self.crew, config, clock, metrics,
                             settle, say)
        self._turn = asyncio.Lock()  # one change of the checks at a time

    # ── running ───────────────────────────────────────────────────────────────────────────────────────────────

    async def begin(self) -> None:
        """Take up where the last process ended."""
        await self.book.load(self._database, judges_of)

    async def run(self) -> None:
        """Run checks when they are due, until cancelled."""
        try:
            while True:
                self.rounds.look()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            await self.close()

    async def look(self) -> None:
        """Begin what is due, and return once it has ended."""
        await asyncio.gather(*self.rounds.look())

    async def close(self) -> None:
        """No check runs, and no process of theirs is left."""
        for task in list(self.rounds.tasks.values()):
            task.cancel()
        await asyncio.gather(*self.rounds.tasks.values(), return_exceptions=True)
        await self.crew.close()

    async def retire(self) -> int:
        """Delete outcomes whose time is over; how many. Raises StoreUnavailable."""
        days = self._config().retention.outcomes_days
        before_ms = self._clock.now_ms() - int(days * DAY_MS) if days else None
        return await rows.retire(self._database, before_ms, self._config().checks.outcomes_max)

    def limits(self) -> tuple[Limit, ...]:
        """How much of their bounds is used."""
        settings = self._config().checks
        return (
            Limit("checks.checks_max", len(self.book.held), settings.checks_max),
            Limit("checks.subjects_max", self.book.subject_count, settings.subjects_max),
        )

    # ── checks ────────────────────────────────────────────────────────────────────────────────────────────────

    def list(self, source: str | None = None, field: str | None = None) -> tuple[Held, ...]:
        """All checks in the order of their ids; with *source* or *field* those that are bound to such a series."""
        found = [held for held in self.book.held.values() if binds(held.spec, source, field)]
        return tuple(sorted(found, key=lambda held: held.spec.id))

    def get(self, id: str) -> Held:
        """One check. Raises NotFound."""
        return self.book.get(id)

    async def kinds(self) -> dict[str, Any]:
        """The kinds of checks that there are, and which plug-ins are broken. Raises BadRequest."""
        return await self.crew.kinds()

    async def checked(self, spec: CheckSpec) -> Needs:
        """What *spec* needs. Raises BadRequest, naming its first member that cannot work."""
        check(spec, self._config().checks.time_limit_s)
        self.crew.look()
        needs = await self.crew.describe(spec.kind, dict(spec.parameters))
        check_columns(spec, needs.columns_min, needs.columns_max)
        return needs

    async def set(self, spec: CheckSpec, *, new: bool) -> Held:
        """Keep a *new* check, or another under an id that is there; it runs from now on.

        Raises BadRequest, Conflict, NotFound, StoreUnavailable.
        """
        return await self._undisturbed(self._set(spec, new))

    async def _set(self, spec: CheckSpec, new: bool) -> Held:
        before = self.book.held.get(spec.id)
        if before is None and not new:
            raise NotFound(f"there is no check {spec.id}", hint="POST makes one", where={"check": spec.id})
        if before is not None and new:
            raise Conflict(f"there is a check {spec.id} already", hint="PUT replaces it", where={"check": spec.id})
        checks_max = self._config().checks.checks_max
        if before is None and len(self.book.held) >= checks_max:
            hint = "checks.checks_max says how many there may be"
            raise Conflict(f"there are {checks_max} checks already", hint=hint)
        await self.checked(spec)
        now_ms = self._clock.now_ms()
        held = Held(spec, before.created_ms if before else now_ms, now_ms, judges_of(spec))
        if before is not None:
            await self.rounds.leave(before)
        async with self.rounds.turn:
            statements: list[rows.Statement] = [
                (rows.KEEP_RULE, [(spec.id, spec.packed(), held.created_ms, now_ms)])
            ]
            gone = list(before.subjects.values()) if before is not None else []
            plain = [replace(one.standing, present=None) for one in gone]
            rebound = before is not None and before.spec.series != spec.series
            if rebound or not spec.enabled:
                why = "it is bound to other series" if rebound else "it is disabled"
                statements += [
                    (rows.NO_PRESENT, [(s.packed(), one.number) for s, one in zip(plain, gone, strict=True)]),
                    (rows.KEEP_END, self.book.end_rows(spec.id, gone, why, now_ms)),
                ]
            await self._database.write(statements)
            if before is not None and not rebound:
                held.subjects, held.seen, held.full = before.subjects, before.seen, before.full
                if not spec.enabled:
                    for one, standing in zip(gone, plain, strict=True):
                        one.standing = standing
            elif before is not None:  # what is still bound joins again, with its number, at the next look
                self.book.unbound.setdefault(spec.id, {}).update(
                    {one.columns: rows.KeptSubject(one.number, spec.id, one.columns, s)
                     for s, one in zip(plain, gone, strict=True)}
                )
            self.book.held[spec.id] = held
        return held

    async def delete(self, id: str) -> None:
        """Take a check away, with all that it ever said. Raises NotFound, StoreUnavailable."""
        await self._undisturbed(self._delete(id))

    async def _delete(self, id: str) -> None:
        held = self.book.get(id)
        await self.rounds.leave(held)
        async with self.rounds.turn:
            await self._hand_on()  # its outcomes go with it, and so that no alert depends on when somebody looked
            ends = self.book.end_rows(id, list(held.subjects.values()), "it was deleted", self._clock.now_ms())
            await self._database.write([*rows.drop_rule(id), (rows.KEEP_END, ends)])
            del self.book.held[id]
            self.book.unbound.pop(id, None)
            for subject in held.subjects.values():
                self.book.acknowledged.pop(subject.number, None)
                self._gatherer.arrivals.forget(subject.number)

    async def run_now(self, id: str, as_of_ms: int | None) -> Sequence[Outcome]:
        """Run a check for all its subjects, and what it says of each. As of a time only what came for times up to it
        counts, and nothing is stored. Raises NotFound, BadRequest for a time to come, StoreUnavailable, NoWorker.
        """
        held, now_ms = self.book.get(id), self._clock.now_ms()
        if as_of_ms is None:
            await self.rounds.leave(held)
            held.due_ms = now_ms + int(held.spec.interval_s * 1000)
            ran = await self.rounds.round(held, now_ms, forced=True)
            stored = [self.book.outcome(held, one.subject, now_ms) for one in ran]
            return await self._with_details([one for one in stored if one is not None])
        if as_of_ms > now_ms:
            raise bad("as_of", "is a time to come")
        await self.rounds.join(held)
        needs = await self.rounds.needs(held)
        subjects = list(held.subjects.values())
        past = self.rounds.judged(held.spec, subjects, needs, as_of_ms, as_of=True, forced=True)
        said = [outcome_of(held.spec, one, as_of_ms) async for some in past for one in some]
        return [one for one in said if one is not None]

    async def preview(self, spec: CheckSpec, start_ms: int, end_ms: int) -> Preview:
        """What *spec* would have said of the readings from *start_ms* on, before *end_ms*; stored nowhere.

        Raises BadRequest, NoWorker.
        """
        if end_ms <= start_ms:
            raise bad("end", "is not after start")
        needs = await self.checked(spec)
        subjects = await self.rounds.trial(spec)
        settings = self._config().checks
        return await previewed(spec, needs, subjects, self._gatherer, self.crew, start_ms, end_ms,
                               settings.preview_runs_max, settings.preview_s, settings.readings_max)

    # ── what they say ─────────────────────────────────────────────────────────────────────────────────────────

    async def status(self, query: StatusQuery) -> Overview:
        """How it is now. Raises NotFound for an unknown check."""
        found = self.book.overview(query, self._clock.now_ms())
        return replace(found, outcomes=tuple(await self._with_details(found.outcomes)))

    async def _with_details(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        details = await rows.details_of(self._database, [one.subject for one in outcomes if one.subject is not None])
        return [replace(one, details=details.get(one.subject or 0, {})) for one in outcomes]

    async def history(self, query: HistoryQuery) -> Page[Outcome]:
        """Outcomes as they were when they began, newest first."""
        found = await rows.history(self._database, query)
        return Page(tuple(self._marked(one) for one in found.rows), found.next_cursor)

    def _marked(self, one: Outcome) -> Outcome:
        """*one* with the maintenance that it fell into, and who knows of it if it is the present one."""
        held = self.book.held.get(one.check)
        subject = held.subjects.get(one.columns) if held is not None else None
        present = subject.standing.present if subject is not None else None
        known = self.book.acknowledged.get(one.subject or 0) if present and present.outcome == one.outcome else None
        return replace(
            one, maintenance=self.book.maintained(one.check, one.columns, one.ran_ms), acknowledged=known
        )

    async def outcome(self, number: int) -> OutcomeInFull:
        """One outcome in full. Raises NotFound."""
        found = await rows.outcome(self._database, number)
        if found is None:
            raise NotFound(f"there is no outcome {number}", hint="GET /api/v1/outcomes lists them",
                           where={"outcome": number})
        outcome, parameters, previous, following = found
        return OutcomeInFull(self._marked(outcome), parameters, previous, following)

    # ── who knows of it, and when it is not counted ───────────────────────────────────────────────────────────

    async def _undisturbed(self, change: Coroutine[Any, Any, T]) -> T:
        """Make a change alone; a caller that is cancelled does not undo it."""

        async def alone() -> T:
            async with self._turn:
                return await change

        return await asyncio.shield(alone())

    async def acknowledge(self, number: int, who: str, comment: str) -> Outcome:
        """Note that *who* knows of what a subject says, until that is GREEN again.

        Raises BadRequest, NotFound, Conflict if there is nothing to know of, StoreUnavailable.
        """
        check_text("who", who, 1)
        check_text("comment", comment, 0)
        return await self._undisturbed(self._acknowledge(number, who, comment))

    async def _acknowledge(self, number: int, who: str, comment: str) -> Outcome:
        async with self.rounds.turn:
            held, subject = self.book.subject(number)
            present = subject.standing.present
            if present is None or present.status == "GREEN":
                said = "has no outcome" if present is None else "is GREEN"
                raise Conflict(f"subject {number} {said}: there is nothing to acknowledge", where={"subject": number})
            now_ms = self._clock.now_ms()
            known = Acknowledgement(who, comment, now_ms)
            await self._database.write([(rows.KEEP_ACKNOWLEDGEMENT, [(number, who, comment, now_ms)])])
            self.book.acknowledged[number] = known
            outcome = self.book.outcome(held, subject, now_ms)
        assert outcome is not None
        return (await self._with_details([outcome]))[0]

    async def take_back(self, number: int) -> None:
        """Take an acknowledgement back. Raises NotFound, StoreUnavailable."""

        async def taken_back() -> None:
            async with self.rounds.turn:
                if number not in self.book.acknowledged:
                    raise NotFound(f"subject {number} is not acknowledged", where={"subject": number})
                await self._database.write([(rows.DROP_ACKNOWLEDGEMENT, [(number,)])])
                del self.book.acknowledged[number]

        await self._undisturbed(taken_back())

    def maintenance(self) -> tuple[Maintenance, ...]:
        """All maintenance, newest first, also that which is over."""
        return tuple(reversed(self.book.maintenance))

    async def add_maintenance(self, given: Maintenance) -> Maintenance:
        """Keep maintenance. Raises BadRequest, Conflict if there is too much, StoreUnavailable."""
        check_maintenance(given, self._clock.now_ms())
        return await self._undisturbed(self._add_maintenance(given))

    async def _add_maintenance(self, given: Maintenance) -> Maintenance:
        book, now_ms, most = self.book, self._clock.now_ms(), self._config().checks.maintenance_max
        statements: list[rows.Statement] = []
        held = list(book.maintenance)
        if len(held) >= most:
            over = next((one for one in held if one.until_ms <= now_ms), None)
            if over is None:
                raise Conflict(f"there are {most} entries of maintenance, none of which is over",
                               hint="checks.maintenance_max says how many there may be")
            held.remove(over)
            statements.append((rows.DROP_MAINTENANCE, [(over.number,)]))
        book.newest_maintenance += 1
        kept = replace(given, number=book.newest_maintenance)
        await self._database.write([*statements, (rows.KEEP_MAINTENANCE, [rows.maintenance_row(kept)])])
        book.maintenance = [*held, kept]
        return kept

    async def end_maintenance(self, number: int) -> None:
        """Take maintenance away: from now on it covers nothing, of the past neither. Raises NotFound, StoreUnavailable.
        """

        async def ended() -> None:
            if all(one.number != number for one in self.book.maintenance):
                raise NotFound(f"there is no maintenance {number}", hint="GET /api/v1/maintenance lists it",
                               where={"maintenance": number})
            await self._database.write([(rows.DROP_MAINTENANCE, [(number,)])])
            self.book.maintenance = [one for one in self.book.maintenance if one.number != number]

        await self._undisturbed(ended())

