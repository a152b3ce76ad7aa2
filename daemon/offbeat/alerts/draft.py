"""What some findings or outcomes, or a change of the rules, make of the alerts: worked out in memory, written in one
transaction.

Pure but for the rows that it gives: nothing is changed until the transaction is through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from offbeat.alerts import rows, turns
from offbeat.alerts.calendars import Laid
from offbeat.alerts.machine import Alert, Hush, Verdict, again, clear, due_ms, heard, is_due, judge
from offbeat.alerts.payload import iso, notification
from offbeat.alerts.rows import KeptRule, Statement
from offbeat.alerts.rules import Group, Rule, Seen, Silence, Turn, worst
from offbeat.config import AlertsConfig

Key = tuple[str, Group]
Known = Callable[[Turn, int], Hush | None]
"""Why nobody is told at a time of what a check says of a subject: it is maintained, or somebody knows of it."""
TOO_MANY = "too many deliveries wait for this sink (alerts.waiting_max)"


@dataclass(frozen=True, slots=True)
class State:
    """All that decides what a finding or an outcome comes to.

    active   by rule and group    newest  the greatest number of an alert so far
    holders  by the number of an alert of checks: the outcomes that hold it, by their subjects
    """

    rules: Mapping[str, KeptRule]
    silences: Sequence[Silence]
    calendars: Mapping[str, Laid]
    active: Mapping[Key, Alert]
    newest: int
    holders: Mapping[int, Mapping[int, Turn]] = field(default_factory=dict)


@dataclass(slots=True)
class Draft:
    """What becomes of *state*. *config* has the bounds; *waiting* says how much waits for each sink that is there;
    *known* what is not told of checks.
    """

    state: State
    config: AlertsConfig
    waiting: dict[str, int]
    known: Known
    active: dict[Key, Alert] = field(init=False)
    newest: int = field(init=False)
    holders: dict[int, Mapping[int, Turn]] = field(init=False)
    raised: list[Alert] = field(default_factory=list)
    cleared: list[Alert] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    delivers: dict[str, int] = field(default_factory=dict)
    _changed: dict[int, Alert] = field(default_factory=dict)
    _findings: list[tuple[Any, ...]] = field(default_factory=list)
    _deliveries: list[tuple[Any, ...]] = field(default_factory=list)
    _suppressed: list[tuple[Any, ...]] = field(default_factory=list)
    _holding: dict[tuple[int, int], Turn | None] = field(default_factory=dict)
    _own: dict[int, dict[int, Turn]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.active, self.newest = dict(self.state.active), self.state.newest
        self.holders = dict(self.state.holders)

    def see(self, seen: Seen) -> None:
        """Take one finding to every rule that it matches."""
        for kept in self.state.rules.values():
            if kept.rule.matches(seen):
                self._see(self._with_sinks(kept.rule), seen)

    def _with_sinks(self, rule: Rule) -> Rule:
        """*rule* without the sinks that the settings no longer have."""
        return replace(rule, sinks=tuple(name for name in rule.sinks if name in self.waiting))

    def _see(self, rule: Rule, seen: Seen) -> None:
        key = rule.id, rule.group_of(seen)
        alert = self.active.get(key)
        if alert is not None and due_ms(rule, alert) <= seen.at_ms:
            self._clear(rule, alert, due_ms(rule, alert))
            alert = None
        if alert is None and seen.score >= rule.raise_at and self._is_full(rule, seen):
            return
        verdict = judge(rule, alert, seen, self.newest + 1, self._quiet(rule, seen, seen.at_ms))
        if verdict is None:
            return
        if alert is None:
            self.newest += 1
            self.raised.append(verdict.alert)
        self.active[key] = verdict.alert
        if verdict.alert.finding_count <= self.config.findings_max:
            self._findings.append(rows.finding_row(verdict.alert.number, seen))
        self._note(rule, verdict, seen.at_ms, seen)

    def _is_full(self, rule: Rule, seen: Seen | Turn) -> bool:
        """Whether there are too many alerts for one more, which is then listed."""
        if len(self.active) < self.config.active_max:
            return False
        why = f"{self.config.active_max} alerts are active already (alerts.active_max)"
        self._hush(seen.at_ms, None, rule, "raised", Hush("too_many_active", rule.id, why), seen)
        return True

    def hear(self, turn: Turn) -> None:
        """Take one outcome, or that there is none any more, to every rule that it matches."""
        for kept in self.state.rules.values():
            if kept.rule.hears(turn):
                self._hear(self._with_sinks(kept.rule), turn)

    def _hear(self, rule: Rule, turn: Turn) -> None:
        key = rule.id, rule.group_of(turn)
        alert = self.active.get(key)
        if not rule.reached_by(turn):
            if alert is not None and turn.subject in self.holders[alert.number]:
                self._let_go(rule, alert, (turn.subject,), turn.at_ms, "check", turn)
            return
        if alert is None and self._is_full(rule, turn):
            return
        verdict = heard(rule, alert, turn, self.newest + 1, self._quiet(rule, turn, turn.at_ms))
        number = verdict.alert.number
        if alert is None:
            self.newest += 1
            self.raised.append(verdict.alert)
        self.active[key] = verdict.alert
        self._held_by(number)[turn.subject] = turn
        self._holding[number, turn.subject] = turn
        if verdict.alert.finding_count <= self.config.findings_max:
            self._findings.append(turns.listed_row(number, turn))
        self._note(rule, verdict, turn.at_ms, turn)

    def _held_by(self, number: int) -> dict[int, Turn]:
        """What holds an alert, for this draft to change; what the state has stays as it is."""
        if number not in self._own:
            self.holders[number] = self._own[number] = dict(self.holders.get(number, {}))
        return self._own[number]

    def _let_go(
        self, rule: Rule, alert: Alert, subjects: Iterable[int], at_ms: int, by: str, turn: Turn | None = None
    ) -> None:
        """*subjects* hold *alert* no longer; without any it is over."""
        left = self._held_by(alert.number)
        for subject in subjects:
            del left[subject]
            self._holding[alert.number, subject] = None
        if not left:
            self._clear(rule, alert, at_ms, by, turn)

    def refit(self, rule: Rule, now_ms: int) -> None:
        """What *rule*, of checks, no longer means as it is now holds its alerts no longer."""
        for alert in [one for one in self.active.values() if one.rule == rule.id]:
            gone = [
                turn.subject for turn in self.holders[alert.number].values()
                if not (rule.hears(turn) and rule.reached_by(turn))
            ]  # fmt: skip
            if gone:
                self._let_go(rule, alert, gone, now_ms, "rule")

    def recall(self, now_ms: int) -> None:
        """Tell of checks that stay as they are: what was to be told later, and what is to be told again."""
        for key, alert in list(self.active.items()):
            rule = self._with_sinks(self.state.rules[alert.rule].rule)
            if rule.checks and is_due(rule, alert, now_ms):
                held = self.holders[alert.number].values()
                verdict = again(rule, alert, now_ms, self._all_quiet(rule, held, now_ms))
                if verdict is not None:
                    self.active[key] = verdict.alert
                    self._note(rule, verdict, now_ms, worst(held))

    def _all_quiet(self, rule: Rule, held: Iterable[Turn], at_ms: int) -> Hush | None:
        """Why nobody is told of any of these; None if of one of them somebody is."""
        first = None
        for turn in held:
            quiet = self._quiet(rule, turn, at_ms)
            if quiet is None:
                return None
            first = first or quiet
        return first

    def _quiet(self, rule: Rule, seen: Seen | Turn, at_ms: int) -> Hush | None:
        for silence in self.state.silences:
            if silence.removed_ms is None and silence.covers(rule.id, seen, at_ms):
                name = f"silence {silence.number}"
                why = f"{name}, by {silence.who}, until {iso(silence.until_ms)}: {silence.reason}"
                return Hush("silence", str(silence.number), why)
        for name in rule.calendars:
            laid = self.state.calendars.get(name)
            if laid is not None and (window := laid.at(at_ms)) is not None:
                until_ms, title = window
                about = f" ({title})" if title else ""
                return Hush("calendar", name, f"calendar {name} has a window{about} until {iso(until_ms)}")
        return self.known(seen, at_ms) if isinstance(seen, Turn) else None

    def pass_time(self, now_ms: int) -> None:
        """Clear what no finding held until *now_ms*."""
        for (id, _), alert in list(self.active.items()):
            rule = self.state.rules[id].rule
            if not rule.checks and due_ms(rule, alert) <= now_ms:
                self._clear(rule, alert, due_ms(rule, alert))

    def end_rule(self, rule: Rule, now_ms: int) -> None:
        """Clear all alerts of *rule*, which is taken away or groups them otherwise."""
        for alert in [one for one in self.active.values() if one.rule == rule.id]:
            self._clear(rule, alert, now_ms, "rule")

    def _clear(self, rule: Rule, alert: Alert, at_ms: int, by: str = "time", turn: Turn | None = None) -> None:
        verdict = clear(rule, alert, at_ms, by)
        del self.active[rule.id, alert.group]
        for subject in self.holders.pop(alert.number, ()):
            self._holding[alert.number, subject] = None
        self.cleared.append(verdict.alert)
        self._note(replace(rule, sinks=alert.sinks), verdict, at_ms, turn)

    def _note(self, rule: Rule, verdict: Verdict, at_ms: int, seen: Seen | Turn | None) -> None:
        alert = verdict.alert
        self._changed[alert.number] = alert
        if verdict.hush is not None:
            self._hush(at_ms, alert, rule, verdict.kind or "raised", verdict.hush, seen)
        if verdict.tell is not None:
            document = notification(verdict.tell, rule, alert, seen, self.config.link_url)
            body = orjson.dumps(document).decode()
            for sink in rule.sinks:
                if sink in self.waiting:
                    self._deliver((alert.number, verdict.tell, sink), at_ms, body)

    def _deliver(self, whose: tuple[int, str, str], at_ms: int, body: str) -> None:
        """Queue a notification for a sink; beyond its bound it is given up at once, and may be tried again."""
        sink = whose[2]
        if self.waiting[sink] < self.config.waiting_max:
            self.waiting[sink] += 1
            self.delivers[sink] = self.delivers.get(sink, 0) + 1
            self._deliveries.append((*whose, "waiting", at_ms, at_ms, None, "", body))
        else:
            self._deliveries.append((*whose, "dead", at_ms, at_ms, at_ms, TOO_MANY, body))

    def _hush(
        self, at_ms: int, alert: Alert | None, rule: Rule, kind: str, hush: Hush, seen: Seen | Turn | None
    ) -> None:
        self.reasons.append(hush.reason)
        number, source, check = (None, None, None) if alert is None else (alert.number, alert.group[1], alert.group[3])
        record, score = ("", None) if alert is None or alert.status else (alert.record, alert.score)
        if seen is not None:
            source, check = seen.source, seen.check
        if isinstance(seen, Seen):
            record, score = seen.record, seen.score
        self._suppressed.append(
            (at_ms, number, rule.id, kind, hush.reason, hush.by, hush.why, source, record, score, check)
        )

    def acknowledge(self, alert: Alert) -> None:
        """Keep *alert*, which is active, as it is now that somebody knows of it."""
        self.active[alert.rule, alert.group] = alert
        self._changed[alert.number] = alert

    def statements(self) -> list[Statement]:
        """What writes all of it, and keeps each table to its bound."""
        bounds: list[Statement] = []
        if self._suppressed:
            bounds += rows.bound_suppressed(self.config.suppressed_max)
        if self._deliveries:
            bounds += rows.bound_dead(self.config.dead_letters_max)
        if self.cleared:
            bounds += rows.bound_cleared(self.config.cleared_max)
        written: list[Statement] = [
            (rows.KEEP_ALERT, [rows.alert_row(alert) for alert in self._changed.values()]),
            (rows.KEEP_FINDING, self._findings),
            (turns.HOLD, [turns.holder_row(*key, turn) for key, turn in self._holding.items() if turn is not None]),
            (turns.LET_GO, [key for key, turn in self._holding.items() if turn is None]),
            (rows.KEEP_DELIVERY, self._deliveries),
            (rows.KEEP_SUPPRESSED, self._suppressed),
        ]
        return [(sql, some) for sql, some in (*written, *bounds) if some]
