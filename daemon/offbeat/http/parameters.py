"""Query parameters: each is read, checked and documented by one value. Raises BadRequest; knows no route."""
from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from multidict import MultiMapping

from offbeat.config import Config, meant
from offbeat.errors import BadRequest
from offbeat.store.queries import LATEST
from offbeat.wire.times import parse_text_ms

Schema = dict[str, Any]
Asked = dict[str, Any]

SPACE_FOR_PLUS = re.compile(r"(\d\d:\d\d\S*) (\d\d:?\d\d)$")
"""A zone whose plus sign a form-decoder turned into a space."""
LIMIT_DEFAULT = 100


class Unreadable(Exception):
    """A value is not what the parameter takes; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter.

    read       the value of one text, or Unreadable
    into       name of the argument that it becomes
    repeated   it may be given more than once; the value is the tuple of all
    separated  one text may hold several values with commas between
    default    the value if it is not given, None: no argument at all
    """

    name: str
    about: str
    read: Callable[[str, Config], Any]
    schema: Schema
    into: str
    repeated: bool = False
    separated: bool = False
    default: Callable[[Config], Any] | None = None

    def value(self, texts: list[str], config: Config) -> Any:
        """What *texts* say, one or more. Raises BadRequest."""
        if not self.repeated and len(texts) > 1:
            raise BadRequest(f"{self.name} is given {len(texts)} times: expected once", where={"parameter": self.name})
        if self.separated:
            texts = [part for text in texts for part in text.split(",")]
        values = tuple(self._one(text, config) for text in texts)
        return values if self.repeated else values[0]

    def _one(self, text: str, config: Config) -> Any:
        try:
            return self.read(text, config)
        except Unreadable as e:
            raise BadRequest(f"{self.name} is {shown(text)}: expected {e}", where={"parameter": self.name}) from None


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one route; any other is refused with a hint."""

    known: Mapping[str, Parameter]

    @classmethod
    def of(cls, *parameters: Parameter) -> Parameters:
        """Just these."""
        return cls({p.name: p for p in parameters})

    def read(self, query: MultiMapping[str], config: Config) -> Asked:
        """The arguments that *query* stands for, defaults for the rest. Raises BadRequest."""
        asked: Asked = {p.into: p.default(config) for p in self.known.values() if p.default is not None}
        for name in dict.fromkeys(query):
            parameter = self.known.get(name)
            if parameter is None:
                raise BadRequest(f"{shown(name)} is not a parameter of this call", hint=nearest(name, self.known),
                                 where={"parameter": name})
            asked[parameter.into] = parameter.value(query.getall(name), config)
        return asked


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for somebody who wrote *name*: the closest of the *known* names, or all of them."""
    names = list(known)
    near = meant(name, names)
    if near:
        return f"did you mean {near}?"
    return f"known here: {', '.join(names)}" if names else "there are none here"


def shown(text: str) -> str:
    """*text* as a message quotes it: numbers bare, all else in quotes, at most 80 characters."""
    bare = re.fullmatch(r"[-+.\w]*\d[-+.\w]*", text, re.ASCII) is not None and len(text) <= 80
    return text if bare else json.dumps(text if len(text) <= 80 else text[:79] + "…", ensure_ascii=False)


def time_ms(text: str) -> int:
    """The time *text*, ISO 8601 or an epoch number, in milliseconds since 1970 UTC. Raises Unreadable."""
    ms = parse_text_ms(SPACE_FOR_PLUS.sub(r"\1+\2", text), None)
    if ms is None:
        raise Unreadable("a time, ISO 8601 or an epoch number")
    return ms


def text(name: str, about: str, *, into: str = "", default: str | None = None) -> Parameter:
    """Any text but the empty one."""
    def read(given: str, _: Config) -> str:
        if not given or "\0" in given:
            raise Unreadable("a text")
        return given
    schema: Schema = {"type": "string"} | ({} if default is None else {"default": default})
    return Parameter(name, about, read, schema, into or name, default=None if default is None else lambda _: default)


def texts(name: str, about: str, *, into: str, separated: bool = False) -> Parameter:
    """Any number of texts: the parameter repeated, or separated by commas as well."""
    one = text(name, about)
    return Parameter(
        name, about, one.read, {"type": "array", "items": one.schema}, into, repeated=True, separated=separated
    )


def choice(name: str, about: str, among: tuple[str, ...], *, default: str | None = None) -> Parameter:
    """One of a few words."""
    def read(given: str, _: Config) -> str:
        if given not in among:
            raise Unreadable(listed(among))
        return given
    schema: Schema = {"type": "string", "enum": list(among)} | ({} if default is None else {"default": default})
    return Parameter(name, about, read, schema, name, default=None if default is None else lambda _: default)


def choices(name: str, about: str, among: tuple[str, ...]) -> Parameter:
    """Some of a few words, repeated or separated by commas."""
    one = choice(name, about, among)
    return Parameter(
        name, about, one.read, {"type": "array", "items": one.schema}, name, repeated=True, separated=True
    )


def listed(words: tuple[str, ...]) -> str:
    """The words as a sentence says them: a, b or c."""
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def flag(name: str, about: str, *, default: bool) -> Parameter:
    """true or false."""
    def read(given: str, _: Config) -> bool:
        if given not in ("true", "false"):
            raise Unreadable("true or false")
        return given == "true"
    return Parameter(name, about, read, {"type": "boolean", "default": default}, name, default=lambda _: default)


def time(name: str, about: str) -> Parameter:
    """A time, as milliseconds since 1970 UTC."""
    return Parameter(
        name,
        about,
        lambda given, _: time_ms(given),
        {"type": "string", "examples": ["2015-12-09T16:14:00Z", "1449677640"]},
        f"{name}_ms",
    )


def whole(name: str, about: str, low: int, high: Callable[[Config], int], *, default: int | None = None) -> Parameter:
    """A whole number from *low* to *high*, which the config may move; the default never exceeds it."""
    def read(given: str, config: Config) -> int:
        top = high(config)
        if re.fullmatch(r"-?[0-9]{1,19}", given) is None or not low <= int(given) <= top:
            raise Unreadable(f"{low} to {top}")
        return int(given)
    schema: Schema = {"type": "integer", "minimum": low} | ({} if default is None else {"default": default})
    return Parameter(
        name, about, read, schema, name, default=None if default is None else lambda config: min(default, high(config))
    )


def score(name: str, about: str) -> Parameter:
    """A score, 0 to 100."""
    def read(given: str, _: Config) -> float:
        try:
            value = float(given)
        except ValueError:
            value = math.nan
        if not 0 <= value <= 100:
            raise Unreadable("0 to 100")
        return value
    return Parameter(name, about, read, {"type": "number", "minimum": 0, "maximum": 100}, name)


def _rows_max(config: Config) -> int:
    return config.http.page_rows_max


LIMIT = whole(
    "limit", "Most rows in the answer; at most the setting http.page_rows_max.", 1, _rows_max, default=LIMIT_DEFAULT
)
CURSOR = text("cursor", "The next_cursor of the answer before.")
WIDTH = whole("width", "Most points a series; at most the setting http.page_rows_max.", 1, _rows_max, default=1_000)


def _sequence(given: str, config: Config) -> int:
    if given == "latest":
        return LATEST
    if re.fullmatch(r"[0-9]{1,18}", given) is None:
        raise Unreadable("the number of a journal entry, or latest")
    return int(given)


SEQUENCE = Parameter(
    "sequence",
    "Answer only once the journal entry of this number, or with latest everything acknowledged so far, is included; "
    "waits at most 10 seconds.",
    _sequence,
    {"oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "enum": ["latest"]}]},
    "sequence",
)
SOURCES = texts("source", "Only this source; may be repeated.", into="sources")
FIELDS = texts("field", "Only this field; may be repeated.", into="fields")
MIN_SCORE = score("min_score", "Only what scored at least this.")
