"""What is held back of results and of learning: frequent values, and what rules name; all of it is counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.results import Found, Withheld
from offbeat.engine.analysis.rules import Condition, Rule, Scope, Window
from offbeat.engine.analysis.spec import DetectorSpec
from offbeat.store.analyses import spec_json
from offbeat.store.analyses import spec_of as read_spec
from tests.engine.analysis.logs import SPAN_S, START_MS, Row, analysed, spec_of

SPAN_MS = 1000 * SPAN_S
ODD = 70
"""The bucket in which every host of ``steady`` has a value of 500 and ten times its events."""
MEAN = DetectorSpec("mean", "value", by="host")
COUNT = DetectorSpec("non_zero_count", by="host")
SKIP = ("skip_result",)


def steady(*, start_ms: int = START_MS, without: str = "") -> list[tuple[int, Row]]:
    """80 buckets: host-a and ann in every one, host-b and bob in every third; *without* one in the odd bucket."""
    rng = np.random.default_rng(5)
    rows: list[tuple[int, Row]] = []
    for bucket in range(80):
        for host, user, every in (("host-a", "ann", 1), ("host-b", "bob", 3)):
            odd = bucket == ODD
            if (bucket % every and not odd) or (odd and host == without):
                continue
            for i in range(40 if odd else 4):
                value = 500.0 if odd else rng.normal(100.0, 5.0)
                row = {"host": host, "user": user, "value": f"{value:.3f}", "site": "north"}
                rows.append((start_ms + bucket * SPAN_MS + i * 100, row))
    return sorted(rows, key=lambda row: row[0])


def found_in(
    *detectors: DetectorSpec, rows: list[tuple[int, Row]] | None = None
) -> tuple[list[Found], tuple[Withheld, ...]]:
    """What is found of the odd bucket, and what was held back of all."""
    rows = steady() if rows is None else rows
    analysis = Analysis(spec_of(*detectors))
    results = [*analysed(analysis, rows), *analysis.advance(rows[-1][0] + SPAN_MS).buckets]
    return list(results[ODD].found), analysis.withheld  # type: ignore[union-attr]


def test_without_a_restraint_both_hosts_are_found_and_nothing_is_held_back() -> None:
    for detector in (MEAN, COUNT, DetectorSpec("mean", "value", over="user")):
        found, withheld = found_in(detector)
        assert sorted(one.by or one.over or "" for one in found) in (["host-a", "host-b"], ["ann", "bob"])
        assert withheld == ()


@pytest.mark.parametrize(
    ("detector", "expected"),
    [
        (replace(MEAN, exclude_frequent="by"), ["host-b"]),
        (replace(MEAN, exclude_frequent="all", partition="site"), ["host-b"]),
        (replace(COUNT, exclude_frequent="all"), ["host-b"]),
        (DetectorSpec("count", by="host", exclude_frequent="by"), ["host-b"]),
        (DetectorSpec("mean", "value", over="user", exclude_frequent="over"), ["bob"]),
        (DetectorSpec("mean", "value", by="site", over="user", exclude_frequent="over"), ["bob"]),
        (DetectorSpec("mean", "value", by="site", over="user", exclude_frequent="all"), []),
    ],
    ids=lambda one: f"{one.function}-{one.exclude_frequent}" if isinstance(one, DetectorSpec) else "",
)
def test_a_value_that_comes_in_nearly_every_bucket_is_in_no_result(
    detector: DetectorSpec, expected: list[str]
) -> None:
    found, (withheld,) = found_in(detector)
    assert [one.over or one.by for one in found] == expected
    assert withheld.cause == "exclude_frequent"
    assert withheld.records >= 2 - len(expected)
    assert withheld.values > 50
    assert withheld.unlearned == 0


def test_what_is_left_out_of_results_is_learned_all_the_same() -> None:
    plain, less = (Analysis(spec_of(replace(MEAN, exclude_frequent=mode))) for mode in ("none", "by"))
    for analysis in (plain, less):
        analysed(analysis, steady())
    assert models(plain) == models(less)


def crowd() -> list[tuple[int, Row]]:
    """80 buckets of a hundred users with a word that all have, "seldom" in every third; "new" of two in the odd one."""
    rows: list[tuple[int, Row]] = []
    for bucket in range(80):
        users = [f"user-{i}" for i in range(100)] + ["seldom"] * (bucket % 3 == 0)
        rows += [(START_MS + bucket * SPAN_MS, {"word": "get", "user": user}) for user in users]
        if bucket == ODD:
            rows += [(START_MS + bucket * SPAN_MS, {"word": "new", "user": user}) for user in ("user-7", "seldom")]
    return rows


def test_a_frequent_member_of_a_population_has_no_rare_value() -> None:
    both, _ = found_in(DetectorSpec("rare", by="word", over="user"), rows=crowd())
    one, (withheld,) = found_in(DetectorSpec("rare", by="word", over="user", exclude_frequent="over"), rows=crowd())
    assert {(found.by, found.over) for found in both} == {("new", "user-7"), ("new", "seldom")}
    assert [(found.by, found.over) for found in one] == [("new", "seldom")]
    assert withheld.records == 1


def test_the_rare_value_of_a_member_is_a_result_unless_a_rule_is_about_the_member_or_the_value() -> None:
    for scope, left in ((Scope("over", ("sel*",)), ["user-7"]), (Scope("by", ("new",)), [])):
        rule = Rule(SKIP, scope=(scope,))
        found, (withheld,) = found_in(DetectorSpec("rare", by="word", over="user", rules=(rule,)), rows=crowd())
        assert [one.over for one in found] == left
        assert withheld.records == 2 - len(left)


def models(analysis: Analysis) -> dict[str, bytes]:
    """What the first detector has learned."""
    state = analysis.save()
    return {name: array.tobytes() for name, array in state.items() if name.startswith("question0.judge")}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition("actual", "gt", 499.0), True),
        (Condition("actual", "gt", 500.0), False),
        (Condition("actual", "gte", 500.0), True),
        (Condition("actual", "lt", 500.0), False),
        (Condition("actual", "lte", 500.0), True),
        (Condition("typical", "lt", 120.0), True),
        (Condition("typical", "gt", 120.0), False),
        (Condition("diff_from_typical", "gt", 350.0), True),
        (Condition("diff_from_typical", "gt", 450.0), False),
    ],
    ids=lambda one: f"{one.applies_to} {one.operator} {one.value:g}" if isinstance(one, Condition) else "",
)
def test_a_rule_about_a_number_skips_just_those_results(condition: Condition, holds: bool) -> None:
    found, (withheld,) = found_in(replace(MEAN, rules=(Rule(SKIP, (condition,)),)))
    assert len(found) == (0 if holds else 2)
    assert withheld.cause == "rule 0"
    assert not holds or withheld.records >= 2


def test_all_conditions_and_the_scope_must_hold_and_the_first_rule_that_does_is_counted() -> None:
    high, low = Condition("actual", "gt", 400.0), Condition("typical", "gt", 400.0)
    host = Scope("by", ("host-b",))
    rules = (Rule(SKIP, (high, low)), Rule(SKIP, (high,), scope=(host,)), Rule(SKIP, (high,), scope=(host,)))
    found, withheld = found_in(replace(MEAN, rules=rules))
    assert [one.by for one in found] == ["host-a"]
    assert [(one.cause, one.records) for one in withheld] == [("rule 0", 0), ("rule 1", 1), ("rule 2", 0)]


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        (Scope("by", ("host-a",)), ["host-b"]),
        (Scope("by", ("host-?", "x")), []),
        (Scope("by", ("HOST-A",)), ["host-a", "host-b"]),
        (Scope("by", ("*-b",), among=False), ["host-b"]),
        (Scope("partition", ("north",)), []),
        (Scope("partition", ("south",)), ["host-a", "host-b"]),
    ],
)
def test_a_scope_is_about_those_values_or_about_all_others(scope: Scope, left: list[str]) -> None:
    found, _ = found_in(replace(MEAN, partition="site", rules=(Rule(SKIP, scope=(scope,)),)))
    assert sorted(one.by or "" for one in found) == left


def test_a_scope_may_be_about_members_of_a_population() -> None:
    rule = Rule(SKIP, scope=(Scope("over", ("ann",)),))
    found, (withheld,) = found_in(DetectorSpec("mean", "value", over="user", rules=(rule,)))
    assert [one.over for one in found] == ["bob"]
    assert withheld.records >= 1


@pytest.mark.parametrize(
    ("detector", "number"),
    [(MEAN, 1), (DetectorSpec("mean", "value", over="user"), 1), (DetectorSpec("metric", "value", by="host"), 3)],
    ids=["past", "peers", "three measures"],
)
def test_what_a_rule_keeps_from_a_model_leaves_it_as_if_the_bucket_had_not_been(
    detector: DetectorSpec, number: int
) -> None:
    rule = Rule(("skip_model_update",), (Condition("actual", "gt", 400.0),), scope=())
    ruled, spared = Analysis(spec_of(replace(detector, rules=(rule,)))), Analysis(spec_of(detector))
    results = analysed(ruled, steady())
    analysed(spared, [row for row in steady() if row[1]["value"] != "500.000"])
    a, b = ruled.save(), spared.save()
    learned = [name for name in a if "judge" in name and name.rpartition(".")[2] not in ("buckets", "members")]
    assert learned
    assert [name for name in learned if a[name].tobytes() != b[name].tobytes()] == []
    assert len(results[ODD].found) == 2 * number  # it is judged, and found
    assert [(one.values, one.records, one.unlearned) for one in ruled.withheld] == [(0, 0, 2 * number)]


def test_what_may_not_be_learned_of_a_value_that_appears_stays_rare() -> None:
    new = [(START_MS + bucket * SPAN_MS + 5_000, {"host": "new", "user": "bob"}) for bucket in range(30, 80)]
    rows = sorted([*steady(), *new], key=lambda row: row[0])
    rule = Rule(("skip_model_update",), scope=(Scope("by", ("new",)),))
    plain, _ = found_in(DetectorSpec("rare", by="host"), rows=rows)
    ruled, (withheld,) = found_in(DetectorSpec("rare", by="host", rules=(rule,)), rows=rows)
    assert [one.by for one in plain] == []
    assert [one.by for one in ruled] == ["new"]
    assert withheld.unlearned == 50


def test_times_of_a_day_that_may_not_be_learned_stay_odd() -> None:
    rows = steady()
    rule = Rule(("skip_model_update",), (Condition("actual", "gte", 0.0),))
    ruled, plain = (Analysis(spec_of(DetectorSpec("time_of_day", rules=rules))) for rules in ((rule,), ()))
    analysed(ruled, rows)
    analysed(plain, rows)
    learned = {name: array for name, array in ruled.save().items() if name.startswith("question0.model")}
    assert all(not array.any() for array in learned.values())
    assert any(array.any() for name, array in plain.save().items() if name.startswith("question0.model"))


def test_a_rule_of_freq_rare_that_forbids_to_learn_leaves_out_that_member() -> None:
    rule = Rule(("skip_model_update",), scope=(Scope("over", ("ann",)),))
    ruled, spared = (
        Analysis(spec_of(DetectorSpec("freq_rare", by="host", over="user", rules=rules))) for rules in ((rule,), ())
    )
    analysed(ruled, steady())
    analysed(spared, [row for row in steady() if row[1]["user"] != "ann"])
    for analysis in (ruled, spared):
        analysis.advance(START_MS + 80 * SPAN_MS)
    a, b = ruled.save(), spared.save()
    counted = next(name for name in a if name.endswith("rare.often.seen"))
    assert a[counted].tolist() == b[counted].tolist()
    assert ruled.withheld[0].unlearned > 0


def at(text: str) -> int:
    """Milliseconds since 1970 of a time in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("utc", "holds"),
    [
        ("2023-03-24 08:00", True),  # Friday, 9 o'clock in Berlin, which is an hour ahead
        ("2023-03-24 07:59", False),
        ("2023-03-24 08:59", True),
        ("2023-03-24 09:00", False),
        ("2023-03-27 07:00", True),  # Monday, two hours ahead by now
        ("2023-03-27 08:00", False),
        ("2023-03-25 08:30", False),  # a Saturday
        ("2023-03-25 21:30", True),  # the night to Sunday: 22:30
        ("2023-03-26 00:30", True),  # still the night that began on Saturday, 1:30
        ("2023-03-26 01:30", False),  # 3:30, for 2:30 there is not
        ("2023-03-26 20:30", False),  # 22:30 on Sunday
        ("2023-10-29 00:30", True),  # 2:30, the first
        ("2023-10-29 01:30", True),  # 2:30, the second
    ],
)
def test_a_window_is_one_of_civil_time(utc: str, holds: bool) -> None:
    windows = (Window(9 * 3600, 10 * 3600, (0, 1, 2, 3, 4)), Window(22 * 3600, 3 * 3600, (5,)))
    rule = Rule(SKIP, windows=windows, zone="Europe/Berlin")
    found, _ = found_in(replace(MEAN, rules=(rule,)), rows=steady(start_ms=at(utc) - ODD * SPAN_MS))
    assert len(found) == (0 if holds else 2)


def test_interim_results_are_held_back_but_not_counted() -> None:
    rows = [row for row in steady() if row[0] < START_MS + (ODD + 1) * SPAN_MS]
    analysis = Analysis(spec_of(replace(MEAN, rules=(Rule(SKIP, scope=(Scope("by", ("host-a",)),)),))))
    analysed(analysis, rows)
    before = analysis.withheld
    (interim,) = analysis.interim(None, None)
    assert [one.by for one in interim.found] == ["host-b"]
    assert analysis.withheld == before


def test_rules_are_read_as_they_were_written() -> None:
    rules = (
        Rule(SKIP, (Condition("actual", "gt", 1.5),), (Window(60, 120, (0, 6)), Window()), "Asia/Tokyo"),
        Rule(("skip_model_update", "skip_result"), scope=(Scope("by", ("a*", "b"), among=False),)),
    )
    spec = spec_of(replace(MEAN, rules=rules), DetectorSpec("rare", by="word", exclude_frequent="by"))
    assert read_spec(spec_json(spec)) == spec


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: Rule(SKIP), "always hold"),
        (lambda: Rule((), windows=(Window(),)), "no action"),
        (lambda: Rule(("skip",), windows=(Window(),)), "skip_result"),  # type: ignore[arg-type]
        (lambda: Rule(SKIP, windows=(Window(),), zone="Mars/Base"), "no time zone"),
        (lambda: Condition("mean", "gt", 1.0), "diff_from_typical"),  # type: ignore[arg-type]
        (lambda: Condition("actual", "is", 1.0), "gte"),  # type: ignore[arg-type]
        (lambda: Condition("actual", "gt", float("nan")), "finite"),
        (lambda: Window(-1), "seconds of a day"),
        (lambda: Window(0, 10, (7,)), "Monday"),
        (lambda: Scope("by", ()), "no pattern"),
        (lambda: Scope("field", ("a",)), "partition"),  # type: ignore[arg-type]
        (lambda: replace(MEAN, rules=(Rule(SKIP, scope=(Scope("over", ("a",)),)),)), "no such field"),
        (lambda: DetectorSpec("rare", by="a", rules=(Rule(SKIP, (Condition("actual", "gt", 1.0),)),)), "numbers"),
        (
            lambda: DetectorSpec("freq_rare", by="a", over="b", rules=(Rule(SKIP, scope=(Scope("by", ("a",)),)),)),
            "by values",
        ),
    ],
)
def test_a_rule_that_cannot_be_is_refused(wrong: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        wrong()  # type: ignore[operator]
