"""Members of JSON documents, checked in the style of pydantic 1: what is wrong is collected, not raised. Pure.

Source: MVG wire protocol, sections 2, 4 and 5.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat.gateways.mvg.errors import Offences, Place
from offbeat.store.mvg import TIMESTAMP_MAX

PATTERN = r"^[\w-]+$"
ID_CHARACTERS_MAX = 255
NAMES_MAX = 64
"""Most channels of a source, or columns of a table."""


@dataclass(frozen=True, slots=True)
class Values:
    """An object of the body and where it stands."""

    document: Mapping[str, Any]
    at: Place
    offences: Offences

    @classmethod
    def of(cls, document: object, at: Place, offences: Offences) -> Values:
        """*document*, which must be an object; an empty one instead, with an offence, if it is none."""
        if isinstance(document, dict):
            return cls(document, at, offences)
        offences.add(at, "type_error.dict", "value is not a valid dict")
        return cls({}, at, Offences())  # what is missing in what is no object says nothing more

    def given(self, name: str) -> bool:
        """Is the member there, and not null?"""
        return self.document.get(name) is not None

    def needed(self, name: str) -> bool:
        """Is the member there? An offence if not."""
        if name not in self.document:
            self.offences.missing((*self.at, name))
        return name in self.document

    def object(self, name: str) -> dict[str, Any]:
        """A member that is an object, empty if it is not given."""
        value = self.document.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.offences.add((*self.at, name), "type_error.dict", "value is not a valid dict")
            return {}
        return value

    def text(self, name: str, default: str | None = None) -> str:
        """A member that is a text."""
        if default is not None and not self.given(name):
            return default
        value = self.document.get(name)
        if not self.needed(name):
            return ""
        if not isinstance(value, str):
            self.offences.add((*self.at, name), "type_error.str", "str type expected")
            return ""
        return value

    def id(self, name: str) -> str:
        """A member that is the id of a source."""
        before = len(self.document)
        value = self.text(name)
        at = (*self.at, name)
        if isinstance(self.document.get(name), str) and before:
            if not re.fullmatch(r"[\w-]+", value):
                self.offences.add(at, "value_error.str.regex", f'string does not match regex "{PATTERN}"',
                                  pattern=PATTERN)
            elif len(value) > ID_CHARACTERS_MAX:
                self.offences.add(
                    at, "value_error.any_str.max_length",
                    f"ensure this value has at most {ID_CHARACTERS_MAX} characters", limit_value=ID_CHARACTERS_MAX)
        return value

    def integer(self, name: str, low: int | None = None, high: int = TIMESTAMP_MAX) -> int | None:
        """A member that is an integer, None if it is not given or null."""
        value, at = self.document.get(name), (*self.at, name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            self.offences.not_an_integer(at)
            return None
        if low is not None and value < low:
            self.offences.below(at, low)
        elif value > high:
            self.offences.above(at, high)
        return value

    def needed_integer(self, name: str, low: int) -> int:
        """A member that is an integer and must be there."""
        if self.needed(name) and self.document[name] is None:
            self.offences.not_an_integer((*self.at, name))
        return self.integer(name, low) or 0

    def number(self, name: str) -> float | None:
        """A member that is a finite number, None if it is not given or null."""
        value = self.document.get(name)
        if value is None:
            return None
        if not is_number(value):
            self.offences.not_a_number((*self.at, name))
            return None
        return float(value)

    def boolean(self, name: str, default: bool = False) -> bool:
        """A member that is true or false."""
        value = self.document.get(name)
        if value is not None and not isinstance(value, bool):
            self.offences.add((*self.at, name), "type_error.bool", "value could not be parsed to a boolean")
        return value if isinstance(value, bool) else default

    def names(self, name: str) -> tuple[str, ...]:
        """A member that is a list of unique, non-empty texts, at least one."""
        at = (*self.at, name)
        found = self.texts(name)
        if not self.offences and not found:
            self.offences.add(at, "value_error.list.min_items", "ensure this value has at least 1 items", limit_value=1)
        if len(found) > NAMES_MAX:
            self.offences.add(
                at, "value_error.list.max_items", f"ensure this value has at most {NAMES_MAX} items",
                limit_value=NAMES_MAX)
        if len(set(found)) < len(found):
            self.offences.add(at, "value_error.list.unique_items", "the list has duplicated items")
        for i, one in enumerate(found):
            if not one:
                self.offences.add((*at, i), "value_error.any_str.min_length",
                                  "ensure this value has at least 1 characters", limit_value=1)
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """A member that is a list of texts, empty if it is not given."""
        value, at = self.document.get(name), (*self.at, name)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.offences.add(at, "type_error.list", "value is not a valid list")
            return ()
        for i, one in enumerate(value):
            if not isinstance(one, str):
                self.offences.add((*at, i), "type_error.str", "str type expected")
        return tuple(one for one in value if isinstance(one, str))


def is_number(value: object) -> bool:
    """Is it a finite number of JSON? (orjson reads what is too large for a double as an infinity.)"""
    return isinstance(value, int | float) and not isinstance(value, bool) and _finite(value)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def numbers(values: object, at: Place, offences: Offences) -> NDArray[np.float64]:
    """A list of at least one finite number as an array; an empty array and an offence for anything else."""
    nothing = np.zeros(0)
    if not isinstance(values, list):
        offences.add(at, "type_error.list", "value is not a valid list")
        return nothing
    if not values:
        offences.add(at, "value_error.list.min_items", "ensure this value has at least 1 items", limit_value=1)
        return nothing
    if not set(map(type, values)) <= {int, float}:
        offences.not_a_number((*at, next(i for i, one in enumerate(values) if type(one) not in (int, float))))
        return nothing
    try:
        array = np.array(values, np.float64)
    except OverflowError:
        array = np.array([float(one) if is_number(one) else math.inf for one in values])
    if not np.isfinite(array).all():
        offences.not_a_number((*at, int(np.argmin(np.isfinite(array)))))
        return nothing
    return array


def check_names(given: Sequence[str], expected: Sequence[str], at: Place, offences: Offences, kind: str) -> None:
    """Offences for each of the *expected* names that is missing and each that is none of them."""
    for name in expected:
        if name not in given:
            offences.missing((*at, name))
    for name in given:
        if name not in expected:
            offences.wrong((*at, name), f"{name} is no {kind} of the source: expected {', '.join(expected)}")
