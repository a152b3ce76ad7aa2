"""Checks of another distribution, as test_registry.py names them by their path."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offbeat_detectors.checks.contract import Needs, Parameter, Result, Status
from offbeat_detectors.checks.readings import Readings


class Even:
    """An even number of readings. It does not say what it needs."""

    parameters = (Parameter("strict", "flag", "whether odd is RED", default=True),)

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.odd = Status.RED if parameters["strict"] else Status.YELLOW

    def run(self, data: Readings) -> Result:
        return Result(self.odd if len(data) % 2 else Status.GREEN)


def warm(data: Readings, parameters: Mapping[str, Any]) -> tuple[Status, str]:
    """It is not too warm."""
    value = data.value()
    return (Status.RED, "hot") if value is not None and value > parameters["max"] else (Status.GREEN, "")


def pair(data: Readings, parameters: Mapping[str, Any]) -> Status:
    """Two columns have the same newest value."""
    return Status.GREEN if data.value(0) == data.value(1) else Status.RED


pair.needs = Needs(columns_min=2, columns_max=2)  # type: ignore[attr-defined]
pair.parameters = ()  # type: ignore[attr-defined]


class Refusing:
    """It can never be made."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        raise KeyError("depth")

    def run(self, data: Readings) -> Status:
        return Status.GREEN


class Misdeclared:
    """Its parameters are no Parameter."""

    parameters = ("max",)

    def run(self, data: Readings) -> Status:
        return Status.GREEN


def not_a_check(first: int, second: int) -> int:
    return first + second
