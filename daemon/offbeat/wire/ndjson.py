"""One line of NDJSON to an event, plainly: the definition. Scanning at speed is in fast_ndjson."""
from __future__ import annotations

import json
import re
from collections.abc import Iterator

from offbeat.wire.fields import Event, LineRefused, Number, Value, check_names, event_of, shown, text_of
from offbeat.wire.options import Options

STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


class Pairs(tuple[tuple[str, object], ...]):
    """The members of a JSON object in their order, names not yet known to be different."""

    __slots__ = ()


def depth_of(text: str) -> int:
    """How deep objects and arrays of *text* are nested, whether it is JSON or not."""
    deepest = depth = 0
    for bracket in re.findall(r"[\[{\]}]", STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def read_object(line: bytes, options: Options, arrival_ms: int) -> Event:
    """The event in one line. Refuses everything that is not exactly one object of JSON, RFC 8259.

    Numbers are read from their text (an integer of any length is a float64, rounded once). An object inside an object
    is flattened; a name that is empty after that is refused, for no series can be called nothing.
    """
    text = text_of(line)
    if text.count("{") + text.count("[") > options.depth_max and depth_of(text) > options.depth_max:
        raise LineRefused("too_deep", f"objects are nested deeper than {options.depth_max}")
    try:
        document = json.loads(
            text, object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=Number)
    except json.JSONDecodeError as e:
        raise LineRefused("bad_json", f"not JSON at character {e.pos + 1}: {e.msg}") from None
    if not isinstance(document, Pairs):
        raise LineRefused("bad_json", "the line is JSON, but not an object")
    pairs = list(flattened(document, ""))
    check_names([name for name, _ in pairs], options)
    for name, _ in pairs:
        if name == "":
            raise LineRefused("bad_json", "a field has an empty name")
    return event_of(pairs, options, arrival_ms)


def flattened(members: Pairs, prefix: str) -> Iterator[tuple[str, Value]]:
    """The leaves of an object as (dotted name, value). Refuses a name twice in one object and half a surrogate pair."""
    seen: set[str] = set()
    for key, value in members:
        check_surrogates(key)
        if key in seen:
            raise LineRefused("duplicate_key", f"{shown(prefix + key)} occurs twice")
        seen.add(key)
        if isinstance(value, Pairs):
            yield from flattened(value, f"{prefix}{key}.")
        elif value is None or isinstance(value, bool | str | list):
            if isinstance(value, str):
                check_surrogates(value)
            yield prefix + key, value


def check_surrogates(text: str) -> None:
    """Refuse a text that has no UTF-8, for an escape in it names half a character."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise LineRefused("bad_json", "a \\u escape is half of a surrogate pair") from None
