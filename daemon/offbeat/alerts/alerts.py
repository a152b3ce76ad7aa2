"""All alerts: findings, and outcomes of checks, taken from the store to the rules in order; rules, silences changed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from offbeat.alerts import calendars, payload, rows, rules, turns
from offbeat.alerts.calendars import Calendar, Laid
from offbeat.alerts.deliveries import Deliveries
from offbeat.alerts.draft import Draft, Known, State
from offbeat.alerts.machine import Alert
from offbeat.alerts.rows import END, AlertQuery, Delivery, KeptRule, Place, Statement, Suppressed
from offbeat.alerts.rules import Rule, Seen, Silence, Turn, bad
from offbeat.alerts.sinks import Note
from offbeat.clock import Clock
from offbeat.config import Config
from offbeat.engine.catalog import Catalog
from offbeat.engine.entries import Job
from offbeat.errors import Conflict, NotFound, StoreUnavailable
from offbeat.metrics import Metrics
from offbeat.store.database import Database
from offbeat.store.queries import Page

PAGE = 64
"""Findings, or outcomes, that are taken to the rules between two turns of others on the event loop."""
LOOK_EVERY_S = 1.0
TOGETHER_S = 0.1
"""Findings that come within this are looked at together."""

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AlertInFull:
    """One alert with the findings or outcomes that hold it, as many as are kept, and what became of its notifications.
    """

    alert: Alert
    findings: tuple[Seen, ...]
    outcomes: tuple[Turn, ...]
    deliveries: tuple[Delivery, ...]


class Alerts:
    """The alerts and their rules.

    settle     writes all findings so far; the entry up to which the store has them
    committed  the newest entry of the journal    say  tells the followers of the stream
    known      why nobody is told of what a check says
    """

    def __init__(
        self,
        database: Database,
        config: Callable[[], Config],
        clock: Clock,
        metrics: Metrics,
        jobs: Callable[[], Mapping[int, Job]],
        catalog: Catalog,
        settle: Callable[[], Awaitable[int]],
        committed: Callable[[], int],
        say: Callable[..., None],
        known: Known,
        chance: random.Random | None = None,
    ) -> None:
        self._database, self._config, self._clock, self._metrics = database, config, clock, metrics
        self._jobs, self._catalog, self._settle, self._committed = jobs, catalog, settle, committed
        self._say, self._known, self._chance = say, known, chance or random.Random()
        self._some = asyncio.Event()
        self._turn = asyncio.Lock()
        self._state = State({}, (), {}, {}, 0)
        self._place: Place = (0, 0)
        self._turned = 0  # number of the last outcome that the rules have seen

    # ── findings ──────────────────────────────────────────────────────────────────────────────────────────────

    async def begin(self) -> None:
        """Take up where the last process ended."""
        self._place, store = await rows.place(self._database)
        self._turned = await turns.place(self._database)
        self._state = State(
            await rows.load_rules(self._database),
            await rows.load_silences(self._database),
            {one.id: Laid(one) for one in await rows.load_calendars(self._database)},
            {(one.rule, one.group): one for one in await rows.load_active(self._database)},
            await rows.newest(self._database, "alert"),
            await turns.load_holders(self._database),
        )
        self._silence_number = await rows.newest(self._database, "alert_silence")
        self.deliveries = Deliveries(
            self._database, self._config, self._clock, self._metrics, self._chance, store, self._told_to
        )
        await self.deliveries.begin()
        for kept in self._state.rules.values():
            if missing := [name for name in kept.rule.sinks if name not in self.deliveries.sinks]:
                log.warning("rule %s names sinks that the settings do not have: %s", kept.rule.id, ", ".join(missing))
        self._metrics.alerts_active.set(len(self._state.active))

    def wake(self) -> None:
        """There are findings, or outcomes."""
        self._some.set()

    async def run(self) -> None:
        """Take findings and outcomes to the rules, and time to the alerts, until cancelled."""
        while True:
            try:
                await self.catch_up()
            except StoreUnavailable as e:
                log.warning("alerts wait: %s", e.message)
                await asyncio.sleep(1.0)
            await asyncio.sleep(TOGETHER_S)
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._some.wait()
            except TimeoutError:
                pass

    async def catch_up(self) -> None:
        """Take to the rules what was found and said so far, and clear what nothing held until now.

        Raises StoreUnavailable.
        """
        async with self._turn:
            self._some.clear()
            if self._state.rules:
                await self._catch_up()

    def _kinds(self) -> tuple[bool, bool]:
        """Whether there are rules of findings, and of checks."""
        are_of_checks = {bool(kept.rule.checks) for kept in self._state.rules.values()}
        return False in are_of_checks, True in are_of_checks

    async def _catch_up(self) -> None:
        of_findings, of_checks = self._kinds()
        if of_findings:
            await self._catch_up_findings()
        if of_checks:
            await self._catch_up_checks()

    async def _catch_up_checks(self) -> None:
        now_ms = self._clock.now_ms()
        while page := await turns.turns_after(self._database, self._turned, PAGE):
            draft = self._draft()
            for turn in page:
                draft.hear(turn)
            await self._keep(draft, [(turns.KEEP_PLACE, [(page[-1].number,)])])
            self._turned = page[-1].number
        draft = self._draft()
        draft.recall(now_ms)
        if draft.statements():
            await self._keep(draft, [])

    async def _catch_up_findings(self) -> None:
        now_ms, committed = self._clock.now_ms(), self._committed()
        upto = await self._settle()
        # Time has passed only as far as findings are known: what is yet to be applied may hold an alert.
        known_ms = now_ms if upto >= committed else await rows.entry_ms(self._database, upto)
        of_findings = [kept.rule for kept in self._state.rules.values() if not kept.rule.checks]
        min_score = min(min(rule.clear_below, rule.raise_at) for rule in of_findings)
        while page := await rows.seen_after(
            self._database, self._jobs(), self._place, upto, min_score, PAGE, self._name_of
        ):
            draft = self._draft()
            for seen in page:
                draft.see(seen)
            place = (page[-1].seq, page[-1].ordinal)
            await self._keep(draft, [(rows.KEEP_PLACE, [place])])
            self._place = place
        self._place = max(self._place, (upto, END))
        if known_ms is not None:
            draft = self._draft()
            draft.pass_time(known_ms)
            if draft.cleared:
                await self._keep(draft, [])

    def _name_of(self, series: int) -> tuple[str, str]:
        names = self._catalog
        return names.sources.text(int(names.series_source[series])), names.fields.text(int(names.series_field[series]))

    def _draft(self) -> Draft:
        return Draft(self._state, self._config().alerts, dict(self.deliveries.waiting), self._known)

    async def _keep(self, draft: Draft, more: Sequence[Statement]) -> None:
        """Write *draft* and *more* in one transaction; then it is so, and is told."""
        await self._database.write([*draft.statements(), *more])
        # The rest of the state may have been replaced by what *more* writes: that is the caller's.
        self._state = replace(self._state, active=draft.active, newest=draft.newest, holders=draft.holders)
        metrics = self._metrics
        metrics.alerts_raised_total.inc(len(draft.raised))
        metrics.alerts_active.set(len(draft.active))
        for reason in draft.reasons:
            metrics.alert_suppressed_total.labels(reason).inc()
        for status, some in (("alert_raised", draft.raised), ("alert_cleared", draft.cleared)):
            for alert in some:
                job, source, field, check = alert.group
                self._say(
                    status=status, alert=alert.number, rule=alert.rule, job=job, source=source, field=field,
                    check=check, check_status=alert.status or None, score=None if alert.status else alert.score,
                    sentence=alert.sentence,
                )  # fmt: skip
        await self.deliveries.added(draft.delivers)

    def _told_to(self, sink: str) -> list[Note]:
        """The active alerts that *sink* was told of, as notifications."""
        found = []
        link_url = self._config().alerts.link_url
        for alert in self._state.active.values():
            if sink in alert.sinks:
                held = self._state.holders.get(alert.number)
                turn = rules.worst(held.values()) if held else None
                rule = self._state.rules[alert.rule].rule
                document = payload.notification("repeated", rule, alert, turn, link_url)
                found.append(Note(self.deliveries.id_of(0), document))
        return found

    # ── alerts ────────────────────────────────────────────────────────────────────────────────────────────────

    async def list(self, query: AlertQuery) -> Page[Alert]:
        """Alerts, newest first."""
        return await rows.alerts(self._database, query)

    async def get(self, number: int) -> AlertInFull:
        """One alert in full. Raises NotFound."""
        found = await rows.alert(self._database, number)
        if found is None:
            raise NotFound(
                f"there is no alert {number}", hint="GET /api/v1/alerts lists them", where={"alert": number}
            )
        findings = () if found.status else await rows.findings_of(self._database, number)
        outcomes = await turns.turns_of(self._database, number) if found.status else ()
        deliveries = await rows.deliveries_of(self._database, number)
        return AlertInFull(found, tuple(findings), tuple(outcomes), tuple(deliveries))

    async def acknowledge(self, number: int, name: str, comment: str) -> AlertInFull:
        """Note that *name* knows of an alert: it is not told again.

        Raises NotFound, Conflict if it is over, BadRequest.
        """
        for what, text, least in (("name", name, 1), ("comment", comment, 0)):
            if not least <= len(text) <= rules.TEXT_MAX:
                raise bad(what, f"has {len(text)} characters: expected {least} to {rules.TEXT_MAX}")
        await self._undisturbed(self._acknowledge(number, name, comment))
        return await self.get(number)

    async def _acknowledge(self, number: int, name: str, comment: str) -> None:
        found = next((one for one in self._state.active.values() if one.number == number), None)
        if found is None:
            await self.get(number)
            raise Conflict(f"alert {number} is cleared", where={"alert": number})
        now_ms = self._clock.now_ms()
        draft = self._draft()
        draft.acknowledge(
            replace(found, acknowledged_ms=now_ms, acknowledged_by=name, acknowledged_comment=comment)
        )
        await self._keep(draft, [])

    async def suppressed(
        self, rule: str | None, reason: str | None, sources: tuple[str, ...], limit: int, cursor: str | None
    ) -> tuple[Page[Suppressed], int]:
        """What nobody was told, newest first; and how much of it is no longer kept."""
        found = await rows.suppressed(self._database, rule, reason, sources, limit, cursor)
        return found, await rows.dropped(self._database, "suppressed")

    async def dead_letters(self, limit: int, cursor: str | None) -> tuple[Page[Delivery], int]:
        """Deliveries that were given up, newest first; and how many of these are no longer kept."""
        found = await rows.dead_letters(self._database, limit, cursor)
        return found, await rows.dropped(self._database, "dead_letters")

    # ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _undisturbed(self, change: Coroutine[Any, Any, T]) -> T:
        """Make a change alone; a caller that is cancelled does not undo it."""

        async def alone() -> T:
            async with self._turn:
                return await change

        return await asyncio.shield(alone())

    def rules(self) -> tuple[KeptRule, ...]:
        """All rules in the order of their ids."""
        return tuple(sorted(self._state.rules.values(), key=lambda kept: kept.rule.id))

    def rule(self, id: str) -> KeptRule:
        """One rule. Raises NotFound."""
        if id not in self._state.rules:
            raise NotFound(f"there is no rule {id}", hint="GET /api/v1/alert-rules lists them", where={"rule": id})
        return self._state.rules[id]

    async def set_rule(self, rule: Rule, *, new: bool) -> KeptRule:
        """Keep a *new* rule, or another under an id that is there; it sees the findings and outcomes from now on.

        Raises BadRequest, Conflict, NotFound, StoreUnavailable.
        """
        return await self._undisturbed(self._set_rule(rule, new))

    async def _set_rule(self, rule: Rule, new: bool) -> KeptRule:
        rule = rules.check(rule, self.deliveries.sinks, self._state.calendars)
        before = self._state.rules.get(rule.id)
        if before is None and not new:
            raise NotFound(f"there is no rule {rule.id}", hint="POST makes one", where={"rule": rule.id})
        if before is not None and new:
            raise Conflict(
                f"there is a rule {rule.id} already", hint="PUT replaces it", where={"rule": rule.id}
            )
        rules_max = self._config().alerts.rules_max
        if before is None and len(self._state.rules) >= rules_max:
            raise Conflict(f"there are {rules_max} rules already", hint="alerts.rules_max says how many there may be")
        place, turned = await self._judged()
        now_ms = self._clock.now_ms()
        kept = KeptRule(rule, now_ms if before is None else before.created_ms, now_ms)
        draft = self._draft()
        if before is not None:
            was = before.rule
            if (was.group_by, bool(was.checks)) != (rule.group_by, bool(rule.checks)):
                draft.end_rule(was, now_ms)
            elif rule.checks:
                draft.refit(rule, now_ms)
        row = (rule.id, rule.packed(), kept.created_ms, now_ms)
        places: list[Statement] = [(rows.KEEP_PLACE, [place]), (turns.KEEP_PLACE, [(turned,)])]
        await self._keep(draft, [(rows.KEEP_RULE, [row]), *places])
        self._place, self._turned = place, turned
        self._state = replace(self._state, rules={**self._state.rules, rule.id: kept})
        return kept

    async def _judged(self) -> tuple[Place, int]:
        """The places up to which every finding, and every outcome, has been taken to the rules as they are."""
        await self._catch_up()
        of_findings, of_checks = self._kinds()
        place = self._place if of_findings else (await self._settle(), END)
        return place, self._turned if of_checks else await turns.newest(self._database)

    async def delete_rule(self, id: str) -> None:
        """Take a rule away; its alerts are cleared. Raises NotFound, StoreUnavailable."""
        await self._undisturbed(self._delete_rule(id))

    async def _delete_rule(self, id: str) -> None:
        kept = self.rule(id)
        await self._judged()
        draft = self._draft()
        draft.end_rule(kept.rule, self._clock.now_ms())
        await self._keep(draft, [(rows.DROP_RULE, [(id,)]), (rows.KEEP_PLACE, [self._place])])
        self._state = replace(self._state, rules={k: v for k, v in self._state.rules.items() if k != id})

    # ── silences and calendars ────────────────────────────────────────────────────────────────────────────────

    def silences(self) -> tuple[Silence, ...]:
        """All silences, newest first, also those that are over."""
        return tuple(reversed(self._state.silences))

    async def add_silence(self, silence: Silence) -> Silence:
        """Keep a silence. Raises BadRequest, Conflict if there are too many, StoreUnavailable."""
        rules.check_silence(silence)
        if silence.until_ms <= self._clock.now_ms():
            raise bad("until", "is past")
        return await self._undisturbed(self._add_silence(silence))

    async def _add_silence(self, silence: Silence) -> Silence:
        now_ms, held = self._clock.now_ms(), [*self._state.silences]
        statements: list[Statement] = []
        silences_max = self._config().alerts.silences_max
        if len(held) >= silences_max:
            over = next((one for one in held if one.removed_ms is not None or one.until_ms <= now_ms), None)
            if over is None:
                raise Conflict(
                    f"there are {silences_max} silences already", hint="alerts.silences_max says how many there may be"
                )
            held.remove(over)
            statements.append((rows.DROP_SILENCE, [(over.number,)]))
        kept = replace(silence, number=self._silence_number + 1, created_ms=now_ms)
        await self._database.write([*statements, (rows.KEEP_SILENCE, [rows.silence_row(kept)])])
        self._silence_number += 1
        self._state = replace(self._state, silences=(*held, kept))
        return kept

    async def end_silence(self, number: int) -> None:
        """End a silence now; it stays listed. Raises NotFound, Conflict if it was ended already, StoreUnavailable."""
        await self._undisturbed(self._end_silence(number))

    async def _end_silence(self, number: int) -> None:
        found = next((one for one in self._state.silences if one.number == number), None)
        if found is None:
            raise NotFound(
                f"there is no silence {number}", hint="GET /api/v1/silences lists them", where={"silence": number}
            )
        if found.removed_ms is not None:
            raise Conflict(f"silence {number} was ended already", where={"silence": number})
        now_ms = self._clock.now_ms()
        await self._database.write([(rows.END_SILENCE, [(now_ms, number)])])
        ended = replace(found, removed_ms=now_ms)
        self._state = replace(
            self._state, silences=tuple(ended if one is found else one for one in self._state.silences)
        )

    def calendars(self) -> tuple[Calendar, ...]:
        """All calendars in the order of their ids."""
        return tuple(self._state.calendars[id].calendar for id in sorted(self._state.calendars))

    async def set_calendar(self, calendar: Calendar) -> Calendar:
        """Keep a calendar, in the place of one of this id if there is one.

        Raises BadRequest, Conflict if there are too many, StoreUnavailable.
        """
        await asyncio.to_thread(calendars.check, calendar)
        return await self._undisturbed(self._set_calendar(calendar))

    async def _set_calendar(self, calendar: Calendar) -> Calendar:
        calendars_max, before = self._config().alerts.calendars_max, self._state.calendars.get(calendar.id)
        if before is None and len(self._state.calendars) >= calendars_max:
            raise Conflict(
                f"there are {calendars_max} calendars already", hint="alerts.calendars_max says how many there may be"
            )
        created_ms = self._clock.now_ms() if before is None else before.calendar.created_ms
        kept = replace(calendar, created_ms=created_ms)
        await self._database.write([(rows.KEEP_CALENDAR, [(kept.id, kept.packed(), created_ms)])])
        self._state = replace(self._state, calendars={**self._state.calendars, kept.id: Laid(kept)})
        return kept

    async def delete_calendar(self, id: str) -> None:
        """Take a calendar away. Raises NotFound, Conflict if a rule names it, StoreUnavailable."""
        await self._undisturbed(self._delete_calendar(id))

    async def _delete_calendar(self, id: str) -> None:
        if id not in self._state.calendars:
            raise NotFound(
                f"there is no calendar {id}", hint="GET /api/v1/calendars lists them", where={"calendar": id}
            )
        users = [kept.rule.id for kept in self.rules() if id in kept.rule.calendars]
        if users:
            raise Conflict(f"the calendar {id} is named by the rules {', '.join(users)}", where={"calendar": id})
        await self._database.write([(rows.DROP_CALENDAR, [(id,)])])
        self._state = replace(self._state, calendars={k: v for k, v in self._state.calendars.items() if k != id})
