"""When an alert is raised, told, held and cleared: one alert and one finding, or one moment, at a time. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from offbeat.alerts.rules import Group, Rule, Seen

Kind = Literal["raised", "repeated", "cleared"]
Reason = Literal[
    "silence", "calendar", "hysteresis", "already_active", "repeat_interval", "acknowledged", "no_sink", "never_told",
    "too_many_active",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it is now.

    reached_ms     when the last finding came that holds it
    told_ms        when somebody was last told of it; None: nobody was
    told_count     how often    sinks  whoever was told of it
    finding_count  of all that hold it    score, record, sentence  of the strongest
    cleared_ms     None while it is active    cleared_by  "time", "rule" where that was taken away or no longer fits
    acknowledged_* by whom and when; None and "" if by nobody
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
    held = _held(rule, alert, seen)
    if held is not None:
        return Verdict(alert, hush=held, kind="repeated")
    return _tell(rule, alert, "repeated", at_ms, quiet)


def _held(rule: Rule, alert: Alert, seen: Seen) -> Hush | None:
    """Why a finding of an alert that was told is not told as well."""
    name = f"alert {alert.number} of rule {rule.id}"
    if rule.repeat_s == 0:
        if seen.score < rule.raise_at:
            why = f"{name} is active; a score from {rule.clear_below:g} to {rule.raise_at:g} holds it and raises none"
            return Hush("hysteresis", rule.id, why)
        return Hush("already_active", rule.id, f"{name} is active and is told once")
    if alert.acknowledged_ms is not None:
        return Hush("acknowledged", alert.acknowledged_by, f"{name} was acknowledged by {alert.acknowledged_by}")
    assert alert.told_ms is not None
    if seen.at_ms - alert.told_ms < rule.repeat_s * 1000:
        return Hush("repeat_interval", rule.id, f"{name} was told less than {rule.repeat_s:g} s ago")
    return None


def _tell(rule: Rule, alert: Alert, kind: Kind, at_ms: int, quiet: Hush | None) -> Verdict:
    if quiet is None and not rule.sinks:
        quiet = Hush("no_sink", rule.id, f"rule {rule.id} has no sink")
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
