"""What a check is: the readings that it is handed, what it declares, what it answers. Knows no particular check.

A check is a class made with its parameters, a plain dict, whose ``run(data)`` answers; or a function of both:

    def warm(data, parameters):
        return Status.RED if data.value() > parameters["max"] else Status.GREEN
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol, runtime_checkable

from offbeat_detectors.checks.readings import Readings


class Status(IntEnum):
    """How it is, from good to bad."""

    GREEN = 0
    YELLOW = 1
    RED = 2


@dataclass(frozen=True, slots=True)
class Result:
    """What a run of a check says.

    message  what is wrong, for a person; may be empty where all is well
    details  a small object of JSON for who looks closer: the limit, the value, times of the readings that offend
    """

    status: Status
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


class NotJudged(Exception):
    """There is too little to judge. Its text says what is missing; it is never GREEN."""


class NotNow(Exception):
    """The check does not apply at this time of the year, week or day: no outcome at all."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a check, as a form and an error message need it.

    kind      "number", "integer", "text", "flag", "choice", "texts" or "windows", texts like 22:00-06:00
    default   None and not *required*: may be left out
    choices   of a "choice"
    """

    name: str
    kind: str
    about: str
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a check must be handed.

    history_s     how far before the readings that it judges it looks back
    readings      so many of the newest readings before those, if that is more
    columns_min, columns_max   how many columns it takes at once
    clock         it can change its mind though nothing came: it runs at every interval, not only after new readings
    findings, arrivals   whether it asks for what models found, and for how events arrived
    """

    history_s: float = 0.0
    readings: int = 0
    columns_min: int = 1
    columns_max: int = 1
    clock: bool = False
    findings: bool = False
    arrivals: bool = False


Answer = Result | Status | tuple[Status, str]


@runtime_checkable
class Check(Protocol):
    """A check with its parameters. It may keep nothing between two runs: each is handed all that it needs.

    A class that is one has ``parameters``, a tuple of Parameter, so that they are looked at before it is made, and
    ``about``, a sentence. ``needs`` may depend on the parameters; without it, a check is handed what is new.
    """

    needs: Needs

    def run(self, data: Readings) -> Answer:
        """What is to be said of *data*. May raise NotJudged and NotNow; anything else is RED for this check alone."""
        ...


Function = Callable[[Readings, Mapping[str, Any]], Answer]
