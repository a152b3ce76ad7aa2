"""Rules of a detector, as data: when a value is no result, or teaches nothing. ``restraint`` is them at work."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from offbeat_detectors.civil import zone

Action = Literal["skip_result", "skip_model_update"]
Number = Literal["actual", "typical", "diff_from_typical"]
Operator = Literal["lt", "lte", "gt", "gte"]
Dimension = Literal["by", "over", "partition"]
DAY_S = 86_400


class Unfit(ValueError):
    """A part of what is asked cannot be. *member* of it is why, "" for the whole; *why* goes on from its name."""

    def __init__(self, member: str, why: str) -> None:
        super().__init__(f"{member} {why}".lstrip())
        self.member, self.why = member, why


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds where a number compares so with *value*; diff_from_typical is how far actual and typical are apart.

    Raises Unfit for a word that there is not, and a value that is not finite.
    """

    applies_to: Number
    operator: Operator
    value: float

    def __post_init__(self) -> None:
        _one_of("applies_to", self.applies_to, get_args(Number))
        _one_of("operator", self.operator, get_args(Operator))
        if not math.isfinite(self.value):
            raise Unfit("value", f"is {self.value}: expected a finite number")


@dataclass(frozen=True, slots=True)
class Window:
    """Holds for buckets that begin from *start_s* to before *end_s* of civil time on these *days*; 0 is Monday.

    An end that is not after the start is one of the next day. No days: every day.
    Raises Unfit for what no day has.
    """

    start_s: int = 0
    end_s: int = DAY_S
    days: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for member, value, most in (("start_s", self.start_s, DAY_S - 1), ("end_s", self.end_s, DAY_S)):
            if not 0 <= value <= most:
                raise Unfit(member, f"is {value}: expected seconds of a day, 0 to {most}")
        for i, day in enumerate(self.days):
            if not 0 <= day <= 6:
                raise Unfit(f"days[{i}]", f"is {day}: expected 0, which is Monday, to 6")

    def holds(self, civil_s: int) -> bool:
        """Does it at this civil time, in seconds since 1970?"""
        day, second = divmod(civil_s, DAY_S)
        over_midnight = self.end_s <= self.start_s
        if second >= self.start_s and (over_midnight or second < self.end_s):
            return self._on(day)
        return over_midnight and second < self.end_s and self._on(day - 1)

    def _on(self, day: int) -> bool:
        return not self.days or (day + 3) % 7 in self.days  # 1970 began on a Thursday


@dataclass(frozen=True, slots=True)
class Scope:
    """Holds for entities of which the value of one field is, or is not, *among* these patterns of fnmatch.

    Raises Unfit without a pattern, and for a dimension that there is not.
    """

    dimension: Dimension
    patterns: tuple[str, ...]
    among: bool = True

    def __post_init__(self) -> None:
        _one_of("dimension", self.dimension, get_args(Dimension))
        if not self.patterns:
            raise Unfit("patterns", "has no pattern: expected one or more")


@dataclass(frozen=True, slots=True)
class Rule:
    """Where all *conditions* hold, all of *scope*, and one of *windows* if there are any, the *actions* are done.

    skip_result        the value is no result: no record, and no part of its bucket's probability
    skip_model_update  the value is judged, but not learned

    Raises Unfit for a rule that would do nothing, or always, and for a *zone* that there is not.
    """

    actions: tuple[Action, ...]
    conditions: tuple[Condition, ...] = ()
    windows: tuple[Window, ...] = ()
    zone: str = "UTC"
    scope: tuple[Scope, ...] = ()

    def __post_init__(self) -> None:
        if not self.actions:
            raise Unfit("actions", f"has no action: expected some of {', '.join(get_args(Action))}")
        for i, action in enumerate(self.actions):
            _one_of(f"actions[{i}]", action, get_args(Action))
        if not (self.conditions or self.windows or self.scope):
            raise Unfit("", "has neither a condition nor a window nor a scope: it would always hold")
        try:
            zone(self.zone)
        except ValueError:
            expected = "a name of the IANA database, like Europe/Berlin or UTC"
            raise Unfit("zone", f"is {self.zone!r}, which is no time zone: expected {expected}") from None


def rule_of(document: Mapping[str, Any]) -> Rule:
    """The rule that ``asdict`` made *document* of. Raises ValueError, TypeError for a name that there is not."""
    d = dict(document)
    return Rule(
        tuple(d.pop("actions", ())),
        tuple(Condition(**one) for one in d.pop("conditions", ())),
        tuple(Window(**one | {"days": tuple(one.get("days", ()))}) for one in d.pop("windows", ())),
        scope=tuple(Scope(**one | {"patterns": tuple(one.get("patterns", ()))}) for one in d.pop("scope", ())),
        **d,
    )


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise Unfit(name, f"is {value!r}: expected one of {', '.join(known)}")
