"""The life of an alert, finding by finding: raised, held, told again, cleared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from offbeat.alerts.machine import Alert, Hush, clear, due_ms, judge
from offbeat.alerts.rules import Rule, Seen, Silence, check
from offbeat.errors import BadRequest

RULE = Rule("r", raise_at=50, clear_below=20, clear_after_s=100, sinks=("hook",))
AGAIN = replace(RULE, repeat_s=30)
SILENCED = Hush("silence", "silence-1", "works")


def seen(at_s: float, score: float, **more: str) -> Seen:
    names = {"job": "watch", "source": "pump", "field": "flow"} | more
    return Seen(1, 0, int(at_s * 1000), 0, f"at {at_s}", score=score, sentence=f"scored {score}", **names)


def live(rule: Rule, steps: list[tuple[float, float | str | None]]) -> list[str]:
    """What is told, "-" for nothing, or the reason why not, at each step: at a time, a score.

    A score of None is the time passing; of "quiet" or "loud", the beginning or end of a silence, which tells nothing.
    """
    alert: Alert | None = None
    quiet, said, number = None, [], 0
    for at_s, score in steps:
        if isinstance(score, str):
            quiet = SILENCED if score == "quiet" else None
            continue
        if score is None:
            verdict = None
            if alert is not None and due_ms(rule, alert) <= at_s * 1000:
                verdict = clear(rule, alert, due_ms(rule, alert))
        else:
            number += alert is None
            verdict = judge(rule, alert, seen(at_s, score), number, quiet)
        if verdict is not None:
            alert = None if verdict.alert.cleared_ms is not None else verdict.alert
        said.append("-" if verdict is None else verdict.tell or (verdict.hush.reason if verdict.hush else "-"))
    return said


@pytest.mark.parametrize(("rule", "steps", "said"), [
    (RULE, [(0, 49.9), (1, 50)], ["-", "raised"]),
    (RULE, [(0, 60), (1, 70), (2, 30), (3, 19)], ["raised", "already_active", "hysteresis", "-"]),
    (RULE, [(0, 60), (99.9, None), (100, None), (101, None)], ["raised", "-", "cleared", "-"]),
    (RULE, [(0, 60), (90, 20), (100, None), (189, None), (190, None)],
     ["raised", "hysteresis", "-", "-", "cleared"]),
    (RULE, [(0, 60), (90, 19.9), (100, None), (101, 60)], ["raised", "-", "cleared", "raised"]),
    (RULE, [(0, 60), (100, None), (101, 30)], ["raised", "cleared", "-"]),
    (AGAIN, [(0, 60), (29, 60), (30, 25), (59, 90), (61, 90)],
     ["raised", "repeat_interval", "repeated", "repeat_interval", "repeated"]),
    (AGAIN, [(0, 60), (60, None), (99, None), (100, None)], ["raised", "-", "-", "cleared"]),
    (replace(RULE, sinks=()), [(0, 60), (1, 60), (101, None)], ["no_sink", "no_sink", "never_told"]),
    (RULE, [(0, "quiet"), (0, 60), (1, 30), (5, "loud"), (6, 30), (7, 60)],
     ["silence", "silence", "raised", "already_active"]),
    (RULE, [(0, "quiet"), (0, 60), (100, None)], ["silence", "never_told"]),
    (RULE, [(0, 60), (1, "quiet"), (100, None)], ["raised", "cleared"]),
    (AGAIN, [(0, 60), (1, "quiet"), (31, 60), (32, "loud"), (33, 60)], ["raised", "silence", "repeated"]),
])  # fmt: skip
def test_an_alert_is_told_as_its_rule_says(rule: Rule, steps: list[tuple[float, float | str | None]],
                                           said: list[str]) -> None:
    assert live(rule, steps) == said


def test_an_alert_knows_its_strongest_finding_and_how_many_hold_it() -> None:
    alert = None
    for at_s, score in ((0, 60), (1, 90), (2, 30), (3, 10)):
        verdict = judge(RULE, alert, seen(at_s, score), 7, None)
        alert = verdict.alert if verdict else alert
    assert alert is not None
    assert (alert.number, alert.score, alert.record, alert.sentence) == (7, 90, "at 1", "scored 90")
    assert (alert.finding_count, alert.raised_ms, alert.reached_ms, alert.told_count) == (3, 0, 2000, 1)
    cleared = clear(RULE, alert, due_ms(RULE, alert)).alert
    assert (cleared.cleared_ms, cleared.cleared_by) == (102_000, "time")


def test_what_was_acknowledged_is_not_told_again() -> None:
    raised = judge(AGAIN, None, seen(0, 60), 1, None)
    assert raised is not None
    acknowledged = replace(raised.alert, acknowledged_ms=5, acknowledged_by="ada")
    again = judge(AGAIN, acknowledged, seen(40, 60), 2, None)
    assert again is not None and again.hush is not None
    assert (again.hush.reason, again.hush.by, again.kind) == ("acknowledged", "ada", "repeated")
    assert clear(AGAIN, acknowledged, 9).tell == "cleared"


@pytest.mark.parametrize(("group_by", "group"), [
    ((), (None, None, None, None)), (("source",), (None, "pump", None, None)),
    (("field", "job"), ("watch", None, "flow", None)),
])  # fmt: skip
def test_findings_are_one_group_by_what_the_rule_groups_by(group_by: tuple[str, ...], group: object) -> None:
    assert check(replace(RULE, group_by=group_by), ["hook"], []).group_of(seen(0, 60)) == group


@pytest.mark.parametrize(("patterns", "fits"), [
    ({}, True), ({"jobs": ("w*",)}, True), ({"jobs": ("x",)}, False), ({"sources": ("a", "p*")}, True),
    ({"sources": ("P*",)}, False), ({"fields": ("flow",), "sources": ("boiler",)}, False),
])  # fmt: skip
def test_a_rule_and_a_silence_match_by_patterns(patterns: dict[str, tuple[str, ...]], fits: bool) -> None:
    assert replace(RULE, **patterns).matches(seen(0, 60)) is fits
    assert Silence(1, 0, 1, "works", "ada", **patterns).covers("r", seen(0, 60), 0) is fits


def test_a_silence_holds_from_its_beginning_until_its_end() -> None:
    silence = Silence(1, 1000, 2000, "works", "ada", rules=("r*",))
    found = [silence.covers("r", seen(0, 60), at_ms) for at_ms in (999, 1000, 1999, 2000)]
    assert found == [False, True, True, False]
    assert not silence.covers("s", seen(1, 60), 1000)


@pytest.mark.parametrize(("change", "field"), [
    ({"id": "a b"}, "id"), ({"description": "x" * 1001}, "description"), ({"sources": ()}, "sources"),
    ({"jobs": ("x",) * 65}, "jobs"), ({"raise_at": 0.0}, "raise_at"), ({"raise_at": 101.0}, "raise_at"),
    ({"clear_below": 50.1}, "clear_below"), ({"clear_after_s": 0.5}, "clear_after_s"), ({"repeat_s": 0.5}, "repeat_s"),
    ({"group_by": ("host",)}, "group_by"), ({"sinks": ("other",)}, "sinks"), ({"calendars": ("c",)}, "calendars"),
])  # fmt: skip
def test_a_rule_that_cannot_work_is_refused(change: dict[str, object], field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check(replace(RULE, **change), ["hook"], [])  # type: ignore[arg-type]
    assert refused.value.where == {"field": field}
