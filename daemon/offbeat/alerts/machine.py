"""When an alert is raised, told, held and cleared: one alert and one finding, outcome or moment, at a time. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from offbeat.alerts.rules import Group, Rule, Seen, Turn
from offbeat.checks.outcomes import rank

Kind = Literal["raised", "repeated", "cleared"]
Reason = Literal[
    "silence", "calendar", "hysteresis", "already_active", "repeat_interval", "acknowledged", "no_sink", "never_told",
    "too_many_active", "maintenance",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it is now.

    reached_ms     when the last finding, or outcome, came that holds it
    told_ms        when somebody was last told of it; None: nobody was
    told_count     how often    sinks  whoever was told of it
    finding_count  of all that hold it    score, record, sentence  of the strongest
    cleared_ms     None while it is active    cleared_by  "time", "check" where that is better or says nothing any more,
                   "rule" where that was taken away or no longer fits
    acknowledged_* by whom and when; None and "" if by nobody
    status         of the worst outcome, which is then what sentence is of; "": it is an alert of findings
    tried_ms       when it was last told, or would have been
    """

    number: int
    rule: str
    group: Group
    raised_ms: int
    reached_ms: int
    told_ms: int | None
    told_count: int
    finding_count: int
    score: float
    record: str
    sentence: str
    sinks: tuple[str, ...] = ()
    cleared_ms: int | None = None
    cleared_by: str = ""
    acknowledged_ms: int | None = None
    acknowledged_by: str = ""
    acknowledged_comment: str = ""
    status: str = ""
    tried_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Hush:
    """Why nobody is told: the reason, by which silence, calendar or rule, and a sentence."""

    reason: Reason
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a finding, or the time, makes of an alert: *tell* it, or hush; neither if there is nothing to tell."""

    alert: Alert
    tell: Kind | None = None
    hush: Hush | None = None
    kind: Kind | None = None  # what would have been told, where it is hushed


def judge(rule: Rule, alert: Alert | None, seen: Seen, number: int, quiet: Hush | None) -> Verdict | None:
    """What a finding that matches *rule* makes of the *alert* of its group; None: nothing.

    alert   None: none of this group is active; one that is raised gets *number*
    quiet   the silence or calendar that covers it, if any
    """
    at_ms = seen.at_ms
    if alert is None:
        if seen.score < rule.raise_at:
            return None
        alert = Alert(
            number, rule.id, rule.group_of(seen), at_ms, at_ms, None, 0, 1, seen.score, seen.record, seen.sentence
        )
        return _tell(rule, alert, "raised", at_ms, quiet)
    if seen.score < rule.clear_below:
        return None
    alert = replace(alert, reached_ms=max(alert.reached_ms, at_ms), finding_count=alert.finding_count + 1)
    if seen.score > alert.score:
        alert = replace(alert, score=seen.score, record=seen.record, sentence=seen.sentence)
    if alert.told_ms is None:  # it was raised in silence; whoever was spared that is told now
        return _tell(rule, alert, "raised", at_ms, quiet)
    if rule.repeat_s == 0 and seen.score < rule.raise_at:
        why = (f"{_name(rule, alert)} is active; a score from {rule.clear_below:g} to {rule.raise_at:g} holds it and "
               "raises none")  # fmt: skip
        return Verdict(alert, hush=Hush("hysteresis", rule.id, why), kind="repeated")
    return _held(rule, alert, at_ms, quiet)


def heard(rule: Rule, alert: Alert | None, turn: Turn, number: int, quiet: Hush | None) -> Verdict:
    """What an outcome that *rule* is reached by makes of the *alert* of its group.

    alert, number, quiet  as for ``judge``; quiet is also a maintenance, or who acknowledged the outcome
    """
    at_ms = turn.at_ms
    if alert is None:
        alert = Alert(
            number, rule.id, rule.group_of(turn), at_ms, at_ms, None, 0, 1, 0.0, "", turn.sentence, status=turn.status
        )
        return _tell(rule, alert, "raised", at_ms, quiet)
    alert = replace(alert, reached_ms=max(alert.reached_ms, at_ms), finding_count=alert.finding_count + 1)
    if rank(turn.status) > rank(alert.status):
        alert = replace(alert, status=turn.status, sentence=turn.sentence)
    if alert.told_ms is None:
        return _tell(rule, alert, "raised", at_ms, quiet)
    return _held(rule, alert, at_ms, quiet)


def is_due(rule: Rule, alert: Alert, at_ms: int) -> bool:
    """Whether an alert that outcomes hold may have to be told by the time alone: nobody was told yet, or a repetition
    is due.
    """
    if alert.told_ms is None:
        return bool(rule.sinks)
    return rule.repeat_s > 0 and at_ms >= (alert.tried_ms or alert.told_ms) + rule.repeat_s * 1000


def again(rule: Rule, alert: Alert, at_ms: int, quiet: Hush | None) -> Verdict | None:
    """What an alert that is due comes to, for a check that stays as it is says nothing more; None: nothing."""
    if alert.told_ms is None:  # what kept it from being told is listed already
        return None if quiet is not None else _tell(rule, alert, "raised", at_ms, None)
    return _tell(rule, alert, "repeated", at_ms, _acknowledged(rule, alert) or quiet)


def _name(rule: Rule, alert: Alert) -> str:
    return f"alert {alert.number} of rule {rule.id}"


def _acknowledged(rule: Rule, alert: Alert) -> Hush | None:
    if alert.acknowledged_ms is None:
        return None
    by = alert.acknowledged_by
    return Hush("acknowledged", by, f"{_name(rule, alert)} was acknowledged by {by}")


def _held(rule: Rule, alert: Alert, at_ms: int, quiet: Hush | None) -> Verdict:
    """What another finding or outcome of an alert that was told comes to: it is repeated, or says why not."""
    assert alert.told_ms is not None
    name, hush = _name(rule, alert), _acknowledged(rule, alert)
    if rule.repeat_s == 0:
        hush = Hush("already_active", rule.id, f"{name} is active and is told once")
    elif hush is None and at_ms - alert.told_ms < rule.repeat_s * 1000:
        hush = Hush("repeat_interval", rule.id, f"{name} was told less than {rule.repeat_s:g} s ago")
    if hush is not None:
        return Verdict(alert, hush=hush, kind="repeated")
    return _tell(rule, alert, "repeated", at_ms, quiet)


def _tell(rule: Rule, alert: Alert, kind: Kind, at_ms: int, quiet: Hush | None) -> Verdict:
    if quiet is None and not rule.sinks:
        quiet = Hush("no_sink", rule.id, f"rule {rule.id} has no sink")
    alert = replace(alert, tried_ms=at_ms)
    if quiet is not None:
        return Verdict(alert, hush=quiet, kind=kind)
    sinks = tuple(dict.fromkeys((*alert.sinks, *rule.sinks)))
    return Verdict(replace(alert, told_ms=at_ms, told_count=alert.told_count + 1, sinks=sinks), tell=kind)


def due_ms(rule: Rule, alert: Alert) -> int:
    """When *alert* is cleared if no finding holds it before."""
    return alert.reached_ms + int(rule.clear_after_s * 1000)


def clear(rule: Rule, alert: Alert, at_ms: int, by: str = "time") -> Verdict:
    """The end of *alert*: whoever was told that it began is told, in a silence too, for else it would never end."""
    cleared = replace(alert, cleared_ms=at_ms, cleared_by=by)
    if alert.told_ms is None:
        why = f"nobody was told that alert {alert.number} of rule {rule.id} was raised"
        return Verdict(cleared, hush=Hush("never_told", rule.id, why), kind="cleared")
    return Verdict(cleared, tell="cleared")
