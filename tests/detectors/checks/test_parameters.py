"""Parameters against their declaration."""
from __future__ import annotations

from typing import Any

import pytest

from offbeat_detectors.checks.contract import Parameter
from offbeat_detectors.checks.parameters import BadParameters, checked

DECLARED = (
    Parameter("limit", "number", "where it ends", required=True),
    Parameter("count", "integer", "how many", default=3),
    Parameter("name", "text", "how it is called"),
    Parameter("loud", "flag", "whether it shouts", default=False),
    Parameter("judge", "choice", "what is judged", default="new", choices=("new", "newest")),
    Parameter("words", "texts", "which words"),
    Parameter("hours", "windows", "when"),
)


def test_what_is_left_out_or_null_has_its_default() -> None:
    assert checked({"limit": 5, "count": None}, DECLARED) == {
        "limit": 5.0, "count": 3, "name": None, "loud": False, "judge": "new", "words": None, "hours": None}


def test_what_is_given_is_taken() -> None:
    given = {"limit": -0.5, "count": 4.0, "name": "x", "loud": True, "judge": "newest", "words": ["a"], "hours": []}
    assert checked(given, DECLARED) == {**given, "count": 4, "words": ("a",), "hours": ()}


@pytest.mark.parametrize(("name", "value", "expected"), [
    ("limit", "5", "a finite number"), ("limit", True, "a finite number"), ("limit", float("nan"), "a finite number"),
    ("limit", 10**400, "a finite number"), ("count", 2.5, "a whole number"), ("name", 5, "a text"),
    ("loud", 1, "true or false"), ("judge", "all", "one of new, newest"), ("judge", 1, "one of new, newest"),
    ("words", "a", "a list of texts"), ("words", [1], "a list of texts"), ("hours", "8-9", "like 22:00-06:00"),
])
def test_a_value_of_a_wrong_type_is_refused_with_what_was_expected(name: str, value: Any, expected: str) -> None:
    with pytest.raises(BadParameters, match=f"^{name} is .*: expected .*{expected}") as refused:
        checked({"limit": 1, name: value}, DECLARED)
    assert refused.value.parameter == name


def test_a_parameter_that_must_be_given_and_is_not_is_refused() -> None:
    with pytest.raises(BadParameters, match="limit is missing: expected a finite number") as refused:
        checked({}, DECLARED)
    assert (refused.value.parameter, refused.value.hint) == ("limit", "where it ends")


@pytest.mark.parametrize(("name", "hint"), [("limits", "did you mean limit?"), ("zzz", "it takes limit, count,")])
def test_an_unknown_parameter_is_refused_with_the_nearest_or_all(name: str, hint: str) -> None:
    with pytest.raises(BadParameters, match=f"there is no parameter '{name}'") as refused:
        checked({"limit": 1, name: 1}, DECLARED)
    assert hint in refused.value.hint
    assert refused.value.parameter == name
