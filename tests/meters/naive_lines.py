"""The event line grammar as its text has it: one character after the other. Slow and obvious."""
from __future__ import annotations

from typing import Any

from offbeat.meters.lines import value_of


class Wrong(Exception):
    """A syntax error."""


def sections(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at = 0
    while True:
        # 1. Section name.
        at = spaces(text, at)
        name = ""
        while True:
            if at == len(text) or text[at] == ";":
                return found
            if text[at] == ":":
                at += 1
                break
            name += text[at]
            at += 1
        name = name.strip()
        if not name:
            return found
        # 2. List of values?
        values, after = list_of(text, at)
        if values:
            found[name], at = values, after
            continue
        # 3. Pairs.
        pairs: dict[str, Any] = {}
        while (pair := pair_at(text, at)) is not None:
            key, value, at = pair
            pairs[key] = value
        # 4. Neither.
        if not pairs:
            raise Wrong(name)
        found[name] = pairs


def spaces(text: str, at: int) -> int:
    while at < len(text) and text[at] == " ":
        at += 1
    return at


def list_of(text: str, at: int) -> tuple[list[Any], int]:
    values: list[Any] = []
    at = begin = spaces(text, at)
    first = True
    while at < len(text):
        character, last = text[at], at == len(text) - 1
        if character == "=" or (character == ":" and not first):
            return values, begin
        if character == ";" or last:
            values.append(value_of(text[begin:at] if character == ";" else text[begin : at + 1]))
            first, begin = False, at + 1
        at += 1
    return values, begin


def pair_at(text: str, at: int) -> tuple[str, Any, int] | None:
    at = begin = spaces(text, at)
    while True:
        if at == len(text) or text[at] == ":":
            return None
        if text[at] == "=":
            break
        at += 1
    key = text[begin:at].lstrip()
    at = begin = spaces(text, at + 1)
    if at == len(text):
        return None
    while at < len(text) and text[at] != ";":
        if text[at] == ":":
            return None
        at += 1
    return key, value_of(text[begin:at]), min(len(text), at + 1)
