"""Members of a document that a request brings: each read by one function, refused by its name. Knows no route."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from offbeat.errors import BadRequest
from offbeat.http.documents import dump
from offbeat.http.parameters import Unreadable, nearest, time_ms

Reader = Callable[[str, Any], Any]


def members(document: Mapping[str, Any], readers: Mapping[str, Reader], needed: tuple[str, ...], what: str,
            at: str = "") -> dict[str, Any]:
    """What each member of *document* says. *what* it is, as a sentence names it; *at*: where it stands in a larger one.

    Raises BadRequest for the first member that is unknown, missing or of the wrong type.
    """
    for name in document:
        if name not in readers:
            raise refused(f"{at}{name}", f"{at}{name} is not a property of {what}", nearest(name, readers))
    for name in needed:
        if name not in document:
            raise refused(f"{at}{name}", f"{what} has no {at}{name}")
    return {name: readers[name](f"{at}{name}", value) for name, value in document.items()}


def refused(field: str, message: str, hint: str = "") -> BadRequest:
    """The refusal of a document for one of its members."""
    return BadRequest(f"{message}; nothing was changed", hint=hint, where={"field": field})


def wrong(name: str, value: object, expected: str) -> BadRequest:
    """The refusal of a member that is something else than *expected*."""
    return refused(name, f"{name} is {dump(value).decode():.80}: expected {expected}")


def text(name: str, value: object) -> str:
    """A text."""
    if not isinstance(value, str):
        raise wrong(name, value, "a text")
    return value


def texts(name: str, value: object) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise wrong(name, value, "a list of texts")
    return tuple(value)


def number(name: str, value: object) -> float:
    """A number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wrong(name, value, "a number")
    return float(value)


def time(name: str, value: object) -> int:
    """A time, in milliseconds since 1970 UTC."""
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        try:
            return time_ms(str(value))
        except Unreadable:
            pass
    raise wrong(name, value, "a time, ISO 8601 or an epoch number")


def objects(name: str, value: object) -> list[dict[str, Any]]:
    """A list of objects."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise wrong(name, value, "a list of objects")
    return value


def whole(name: str, value: object) -> int:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong(name, value, "a whole number")
    return value


def flag(name: str, value: object) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise wrong(name, value, "true or false")
    return value


def an_object(name: str, value: object) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise wrong(name, value, "an object")
    return value
