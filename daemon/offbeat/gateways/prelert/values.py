"""The values of a JSON object, read by the rules that all configurations share: which types, which are absent."""
from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import orjson

from offbeat.gateways.prelert.errors import PrelertError

INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
INTEGER_MAX = 10**18


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of what is wrong with an object: a type, a field that is not known, a value out of its range."""

    type: int = 10101
    unknown: int = 10102
    value: int = 10104


JOB = Codes()


def parsed(body: bytes, code: int) -> object:
    """The JSON document *body*. Raises PrelertError with *code* if it is none."""
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError as e:
        raise PrelertError(code, f"the body is not valid JSON: {e}") from None
    return document


class Values:
    """The values of one object. A null counts as absent; each method says no with the codes given.

    known  the fields that the object may have
    """

    def __init__(self, document: object, name: str, known: Collection[str], codes: Codes = JOB) -> None:
        if not isinstance(document, dict):
            raise PrelertError(codes.type, f"{name} is {_shown(document)}: expected an object")
        for key in document:
            if key not in known:
                raise PrelertError(codes.unknown, f"{name} has no field {key!r}: known are {', '.join(known)}")
        self._values: Mapping[str, object] = {key: value for key, value in document.items() if value is not None}
        self._name = name
        self._codes = codes

    def has(self, key: str) -> bool:
        """Whether *key* is given."""
        return key in self._values

    def given(self) -> list[str]:
        """The keys that are given."""
        return list(self._values)

    def raw(self, key: str) -> object:
        """The value of *key* whatever it is, None if it is absent."""
        return self._values.get(key)

    def refused(self, key: str, expected: str) -> PrelertError:
        """The refusal of a value of the right type."""
        return PrelertError(self._codes.value, f"{self._name}.{key} is {_shown(self.raw(key))}: expected {expected}")

    def wrong_type(self, key: str, expected: str) -> PrelertError:
        """The refusal of a value of the wrong type."""
        return PrelertError(self._codes.type, f"{self._name}.{key} is {_shown(self.raw(key))}: expected {expected}")

    def text(self, key: str, default: str = "") -> str:
        """A text; *default* if it is absent."""
        value = self._values.get(key, default)
        if not isinstance(value, str):
            raise self.wrong_type(key, "a text")
        return value

    def name(self, key: str) -> str | None:
        """A text that names something; None if it is absent or empty."""
        return self.text(key) or None

    def integer(self, key: str, minimum: int | None = None) -> int | None:
        """An integer, also one in quotes, of at least *minimum*; None if it is absent."""
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, str) and INTEGER.fullmatch(value.strip()):
            value = int(value)
        if isinstance(value, float) and value.is_integer() and abs(value) < INTEGER_MAX:
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong_type(key, "an integer")
        if (minimum is not None and value < minimum) or abs(value) > INTEGER_MAX:
            raise self.refused(key, f"at least {minimum}" if minimum is not None else "a smaller one")
        return value

    def number(self, key: str, low: float, high: float) -> float | None:
        """A number, also one in quotes, from *low* to *high*; None if it is absent."""
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise self.wrong_type(key, "a number") from None
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.wrong_type(key, "a number")
        if not low <= value <= high:
            raise self.refused(key, f"{low:g} to {high:g}")
        return float(value)

    def boolean(self, key: str) -> bool:
        """True or false; false if it is absent."""
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong_type(key, "true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Texts; a single one may stand for an array of one."""
        return tuple(self._text_of(key, item) for item in self.array(key))

    def _text_of(self, key: str, item: object) -> str:
        if not isinstance(item, str):
            raise self.wrong_type(key, "an array of texts")
        return item

    def array(self, key: str) -> list[object]:
        """An array; a single value may stand for an array of one; empty if it is absent."""
        value = self._values.get(key, [])
        return list(value) if isinstance(value, list) else [value]

    def object(self, key: str) -> dict[str, object] | None:
        """An object, None if it is absent."""
        value = self._values.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.wrong_type(key, "an object")
        return value

    def one_of(self, key: str, choices: Collection[str], default: str | None = None) -> str | None:
        """One of *choices*, in any case and trimmed, as written there; *default* if it is absent."""
        if key not in self._values:
            return default
        value = self.text(key).strip()
        for choice in choices:
            if choice.lower() == value.lower():
                return choice
        raise self.refused(key, " or ".join(choices))


def _shown(value: object) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."
