"""Parameters against their declaration: what is left out, unknown, of the wrong type. Knows no particular check."""
from __future__ import annotations

import difflib
import math
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from offbeat_detectors.checks.contract import Parameter

EXPECTED = {
    "number": "a finite number", "integer": "a whole number", "text": "a text", "flag": "true or false",
    "texts": "a list of texts", "windows": "a list of texts like 22:00-06:00",
}


class CheckError(ValueError):
    """A check that cannot be made. *message* is one sentence for a person, *hint* says what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UnknownCheck(CheckError):
    """A name that leads to no check."""


class BadParameters(CheckError):
    """A known check that does not take these parameters. *parameter* is the one it is about, empty if none alone is."""

    def __init__(self, message: str, *, parameter: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.parameter = parameter


def checked(given: Mapping[str, Any], declared: Sequence[Parameter]) -> dict[str, Any]:
    """Every declared parameter with what was given for it, or else its default. JSON's null counts as left out.

    A whole number that is written 5.0 is one. Raises BadParameters: unknown, missing, of a wrong type, no choice.
    """
    names = [each.name for each in declared]
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, 1)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(names) or 'no parameters'}"
            raise BadParameters(f"there is no parameter {name!r}", parameter=str(name), hint=hint)
    return {each.name: _one(given.get(each.name), each) for each in declared}


def _one(value: Any, parameter: Parameter) -> Any:
    expected = f"one of {', '.join(parameter.choices)}" if parameter.kind == "choice" else EXPECTED[parameter.kind]
    if value is None:
        if parameter.required:
            raise BadParameters(f"{parameter.name} is missing: expected {expected}", parameter=parameter.name,
                                hint=parameter.about)
        return parameter.default
    fit = _fit(value, parameter)
    if fit is None:
        raise BadParameters(f"{parameter.name} is {reprlib.repr(value)}: expected {expected}",
                            parameter=parameter.name, hint=parameter.about)
    return fit


def _fit(value: Any, parameter: Parameter) -> Any:
    """The value as the check gets it; None if it is of a wrong type."""
    match parameter.kind:
        case "number" | "integer" if isinstance(value, int | float) and not isinstance(value, bool):
            if not _is_finite(value):
                return None
            if parameter.kind == "number":
                return float(value)
            return int(value) if value == int(value) else None
        case "text" if isinstance(value, str):
            return value
        case "flag" if isinstance(value, bool):
            return value
        case "choice" if isinstance(value, str) and value in parameter.choices:
            return value
        case "texts" | "windows" if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
            return tuple(value)
    return None


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int that no float64 holds
        return False


def refuse(parameter: str, value: Any, expected: str) -> BadParameters:
    """The error that a check raises for a value of the right type that cannot be."""
    return BadParameters(f"{parameter} is {reprlib.repr(value)}: expected {expected}", parameter=parameter)


def above_zero(parameters: Mapping[str, Any], *names: str) -> None:
    """Refuses each of these parameters that is given and not above 0."""
    for name in names:
        if parameters[name] is not None and not parameters[name] > 0:
            raise refuse(name, parameters[name], "more than 0")


def not_above(parameters: Mapping[str, Any], lower: str, upper: str) -> None:
    """Refuses *lower* if both are given and it is above *upper*."""
    low, high = parameters[lower], parameters[upper]
    if low is not None and high is not None and low > high:
        raise refuse(lower, low, f"not more than {upper}, {high:g}")


def one_of(parameters: Mapping[str, Any], *names: str) -> None:
    """Refuses parameters of which none of these is given."""
    if all(parameters[name] is None for name in names):
        raise BadParameters(f"{names[0]} is missing: expected at least one of {', '.join(names)}", parameter=names[0])
