"""What comes of a run, whatever the check does."""
from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors.checks import outcomes, registry
from offbeat_detectors.checks.contract import Needs, NotJudged, NotNow, Result, Status
from offbeat_detectors.checks.outcomes import Held, Outcome, held, plain
from offbeat_detectors.checks.readings import Readings
from offbeat_detectors.checks.registry import Adapted
from offbeat_detectors.checks.trying import readings
from tests.detectors.checks import naive
from tests.detectors.checks.said import minutes

DATA = readings(minutes(2), [1.0, 2.0])
STATUSES = st.lists(st.sampled_from(list(Status)), min_size=1, max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=9), inner, max_size=8), max_leaves=60)


def outcome_of(answer: Any) -> Outcome | None:
    """What comes of a check that gives this answer, or raises it."""
    def run(data: Readings) -> Any:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return outcomes.run(Adapted(Needs(), run, run), DATA)


@pytest.mark.parametrize(("answer", "outcome"), [
    (Status.GREEN, Outcome(Status.GREEN, "judged")),
    ((Status.RED, "too hot"), Outcome(Status.RED, "judged", "too hot")),
    (Result(Status.YELLOW, "warm", {"limit": 3}), Outcome(Status.YELLOW, "judged", "warm", {"limit": 3})),
    (NotJudged("no reading"), Outcome(Status.YELLOW, "no_data", "no reading")),
    (NotJudged(), Outcome(Status.YELLOW, "no_data", "there is too little to judge")),
    (NotNow(), None),
])
def test_every_form_of_an_answer_comes_to_one(answer: Any, outcome: Outcome | None) -> None:
    assert outcome_of(answer) == outcome


@pytest.mark.parametrize("answer", [
    None, "RED", 2, True, (Status.RED,), (Status.RED, "hot", {}), ("RED", "hot"), (Status.RED, 5), Result("RED"),  # type: ignore[arg-type]
    Result(Status.RED, None), Result(Status.RED, "hot", [1]), [Status.RED, "hot"], Status, object(),  # type: ignore[arg-type]
])
def test_nonsense_is_red_and_says_what_was_expected(answer: Any) -> None:
    outcome = outcome_of(answer)
    assert outcome is not None
    assert (outcome.status, outcome.reason) == (Status.RED, "error")
    assert "TypeError: the " in outcome.message
    assert "expected a" in outcome.message


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(("error", "said"), [
    (ValueError("too deep"), "ValueError: too deep ("), (KeyError("max"), "KeyError: 'max' ("),
    (SystemExit(1), "SystemExit: 1 ("), (RecursionError(), "RecursionError:  ("),
    (Mute(), "Mute: its message cannot be told ("), (ValueError("x" * 10**6), "ValueError: xxxxx"),
])
def test_whatever_a_check_raises_is_red_for_it_alone(error: BaseException, said: str) -> None:
    outcome = outcome_of(error)
    assert outcome is not None
    assert (outcome.status, outcome.reason, outcome.details["type"]) == (Status.RED, "error", type(error).__name__)
    assert outcome.message.startswith(said)
    assert len(outcome.message) <= 1_000
    assert f"({__file__}, line " in outcome.message


def test_an_error_names_the_line_of_the_plug_in_not_of_the_library_that_it_calls(tmp_path: Path) -> None:
    file = tmp_path / "typo.py"
    file.write_text("def typo(data, parameters):\n    # the newest\n    return data.value('no such column')\n")
    outcome = outcomes.run(registry.create("typo", {}, tmp_path), DATA)
    assert outcome is not None
    assert outcome.message.endswith(f"there are value ({file}, line 3)")
    assert outcome.details == {"type": "IndexError", "file": str(file), "line": 3}


def test_an_error_names_the_line_at_which_it_came_about_not_the_one_that_called_it(tmp_path: Path) -> None:
    file = tmp_path / "typo.py"
    file.write_text("def typo(data, parameters):\n    return _deeper()\n\ndef _deeper():\n    return 1 / 0\n")
    outcome = outcomes.run(registry.create("typo", {}, tmp_path), DATA)
    assert outcome is not None
    assert outcome.message == f"ZeroDivisionError: division by zero ({file}, line 5)"


def test_what_is_no_json_becomes_some() -> None:
    value = {"nan": float("nan"), "inf": [np.inf, 1.0], "array": np.array([1.5, np.nan]), "int": np.int64(3), 5: "key",
             "time": datetime(2026, 1, 5, 14, tzinfo=UTC), "set": {2, 1}, "status": Status.RED, "half": "\ud800",
             "flag": np.bool_(True), "big": 10**30, "odd": object}
    assert plain(value) == {
        "nan": None, "inf": [None, 1.0], "array": [1.5, None], "int": 3, "5": "key",
        "time": "2026-01-05T14:00:00.000Z", "set": [1, 2], "status": 2, "half": "?", "flag": True, "big": str(10**30),
        "odd": "<class 'object'>"}


@given(st.dictionaries(st.text(max_size=9), JSON, max_size=20), st.integers(40, 600))
def test_details_are_json_of_a_bounded_size_and_say_if_something_is_missing(details: dict[str, Any], most: int) -> None:
    fit = plain(details, most)
    text = json.dumps(fit, allow_nan=False)
    assert len(text) <= most
    if not fit.get("cut"):
        assert list(fit) == list(details)


@pytest.mark.parametrize("make", [
    lambda: {"list": list(range(10**6))}, lambda: {"array": np.zeros((1000, 1000))}, lambda: {"text": "x" * 10**6},
    lambda: {str(at): at for at in range(10**5)}, lambda: {"deep": [[[[[[[[[[1]]]]]]]]]]},
])
def test_large_details_are_cut(make: Callable[[], dict[str, Any]]) -> None:
    fit = plain(make())
    assert len(json.dumps(fit)) <= 32 * 1024
    assert fit.get("cut") or len(fit["text"]) == 1_000


def test_details_that_hold_themselves_end() -> None:
    loop: dict[str, Any] = {}
    loop["me"] = loop
    assert plain(loop)["cut"]


@given(STATUSES, st.integers(1, 5), st.integers(1, 5))
def test_a_held_status_is_that_of_the_definition(statuses: list[Status], raise_after: int, clear_after: int) -> None:
    assert held(statuses, raise_after, clear_after) == naive.held(statuses, raise_after, clear_after)


@given(STATUSES)
def test_after_one_each_a_held_status_is_the_result_itself(statuses: list[Status]) -> None:
    assert held(statuses) == statuses


@given(STATUSES, st.integers(1, 5), st.integers(1, 5), st.data())
def test_a_status_is_held_over_a_restart(
    statuses: list[Status], raise_after: int, clear_after: int, data: st.DataObject,
) -> None:
    at = data.draw(st.integers(0, len(statuses)))
    state = Held()
    for status in statuses[:at]:
        state = state.after(status, raise_after, clear_after)
    stored = json.loads(json.dumps([state.status, state.at_least, state.at_most]))
    state = Held(None if stored[0] is None else Status(stored[0]), tuple(stored[1]), tuple(stored[2]))
    for status in statuses[at:]:
        state = state.after(status, raise_after, clear_after)
    assert state.status == held(statuses, raise_after, clear_after)[-1]


def test_a_spike_is_held_back_and_what_lasts_is_told() -> None:
    green, yellow, red = Status
    assert held([green, red, green, yellow, red, red, green, green], 2, 2) == [
        green, green, green, green, yellow, red, red, green]


def test_counts_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="raise_after is 0"):
        Held().after(Status.RED, 0, 1)
