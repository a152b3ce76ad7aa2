"""A stream of JSON values, cut anywhere: objects one a line, one behind the other, in an array, in several arrays.

Numbers keep the text that they are written with. Two ways give the same values: whole lines, and the elements of an
array, are read together, one call of the decoder for a block; whatever that does not take is read value by value.
(Together, Python's own decoder is as fast as orjson line by line, which does not keep the text of a number, and makes a
fraction of 2^70.)
"""
from __future__ import annotations

import json
import re
from collections.abc import Iterator

from offbeat.wire.records.errors import MalformedJson
from offbeat.wire.records.rows import ROWS_MAX, Pieces

VALUE_CHARACTERS_MAX = 4 * 1024 * 1024
"""A longer value is refused: all of it would have to wait in memory."""
SPACE = re.compile(r"[ \t\r\n]*")
SCALAR = re.compile(r"[^ \t\r\n,\[\]{}\"]+")
OUTSIDE_TEXT = re.compile(r'["{}\[\]]')
INSIDE_TEXT = re.compile(r'["\\]')
BORDERS = ("},{", "}, {", "},\n{", "}\n,{")
"""Where one object in an array often ends and the next begins."""
BETWEEN = object()
"""Stands between the lines that are read together; written NaN, which no JSON holds."""
TOO_DEEP = object()
"""Stands for a value that is nested too deeply to be read."""


def _constant(name: str) -> object:
    if name == "NaN":
        return BETWEEN
    raise ValueError(f"{name} is no JSON")


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


TOGETHER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_constant)
ALONE = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_no_constant)


class JsonStream:
    """The values at the top of a stream, or in the arrays there; numbers are texts.

    Objects are dicts; what stands in an array and is no object comes as it is, and TOO_DEEP for what cannot be read
    because it is nested too deeply.
    """

    def __init__(self, characters_max: int = VALUE_CHARACTERS_MAX) -> None:
        self._characters_max = characters_max
        self._pieces = Pieces("}")
        # What may come: "object" outside arrays; in one, "first" value or its end, "next" comma or its end, "value".
        self._place = "object"
        # How far the value under way has been looked at, from its start, and what was open there.
        self._begin_value()

    def feed(self, text: str, last: bool) -> Iterator[list[object]]:
        """The values that *text* completes, at most ROWS_MAX at once.

        Raises MalformedJson, after all values before, where the stream is none.
        """
        whole = self._pieces.add(text, last, self._characters_max)
        if whole is None:
            return
        values: list[object] = []
        try:
            for some in self._values(whole, last):
                values += some
                while len(values) >= ROWS_MAX:
                    yield values[:ROWS_MAX]
                    del values[:ROWS_MAX]
        except MalformedJson:
            if values:
                yield values
            raise
        if values:
            yield values

    def _values(self, text: str, last: bool) -> Iterator[list[object]]:
        """The values in *text*, some at once; what is not whole yet waits."""
        at = 0
        if self._place == "object" and (stop := len(text) if last else text.rfind("\n") + 1):
            values = _lines(text[:stop]) if stop <= self._characters_max else None
            if values is not None:
                self._begin_value()
                yield values
                at = stop
        is_new = True
        while (at := self._at_value(text, at, last)) < len(text):
            if is_new and self._place != "object" and not self._looked:
                is_new = False
                stop = max(text.rfind(border, at) for border in BORDERS) + 1
                values = _elements(text[at:stop]) if 0 < stop - at <= self._characters_max else None
                if values is not None:
                    self._place = "next"
                    yield values
                    at = stop
                    continue
            end, value = self._value(text, at, last)
            if (end if end > at else len(text)) - at > self._characters_max:
                raise MalformedJson(f"a value of JSON is longer than {self._characters_max} characters")
            if end == at:
                break
            self._begin_value()
            if self._place != "object":
                self._place = "next"
            yield [value]
            at = end
        self._pieces.put_back(text[at:])

    def _begin_value(self) -> None:
        self._looked, self._depth, self._in_text = 0, 0, False

    def _at_value(self, text: str, at: int, last: bool) -> int:
        """Where the next value begins from *at* on; the length of *text* if there is none."""
        while (at := SPACE.match(text, at).end()) < len(text):  # type: ignore[union-attr]  # it matches nothing, too
            sign = text[at]
            if self._place == "next":
                if sign not in ",]":
                    raise MalformedJson(f"in an array of JSON a comma or ] was expected, not {text[at : at + 20]!r}")
                self._place = "value" if sign == "," else "object"
            elif self._place == "object" and sign == "[":
                self._place = "first"
            elif self._place == "first" and sign == "]":
                self._place = "object"
            elif self._place == "object" and sign != "{":
                raise MalformedJson(f"an object of JSON, or an array of them, was expected, not {text[at : at + 20]!r}")
            else:
                return at
            at += 1
        if last and self._place != "object":
            raise MalformedJson("the body ends inside an array of JSON")
        return at

    def _value(self, text: str, at: int, last: bool) -> tuple[int, object]:
        """Where the value at *at* ends and what it is; *at* itself and None if it is not whole yet."""
        if not self._looked and text[at] in "{[":
            try:
                value, end = ALONE.raw_decode(text, at)
            except (ValueError, RecursionError):
                pass  # cut short or wrong: its brackets say which
            else:
                return end, value
        end = self._end(text, at, last)
        if end == at:
            if last:
                raise MalformedJson("the body ends inside a value of JSON")
            return at, None
        try:
            value, stop = ALONE.raw_decode(text, at)
        except RecursionError:
            return end, TOO_DEEP
        except ValueError as e:
            raise MalformedJson(f"this is no JSON: {text[at : at + 80]!r} ({e})") from None
        if stop != end:
            raise MalformedJson(f"this is no JSON: {text[at : at + 80]!r}")
        return end, value

    def _end(self, text: str, at: int, last: bool) -> int:
        """Behind the value at *at* by its brackets and quotes alone; *at* itself if it is not whole yet."""
        if text[at] not in '"{[':
            end = scalar.end() if (scalar := SCALAR.match(text, at)) else at + 1
            return end if end < len(text) or last else at
        here = at + self._looked
        while (found := (INSIDE_TEXT if self._in_text else OUTSIDE_TEXT).search(text, here)) is not None:
            here = found.end()
            if found[0] == "\\":
                if here == len(text):  # what it stands before is still to come
                    here -= 1
                    break
                here += 1
                continue
            if found[0] == '"':
                self._in_text = not self._in_text
            else:
                self._depth += 1 if found[0] in "{[" else -1
            if self._depth == 0 and not self._in_text:
                return here
        else:
            here = len(text)
        self._looked = here - at
        return at


def _lines(lines: str) -> list[object] | None:
    """One object for each line of *lines*; None if they are not just that.

    Each separator is found again between two values at the top, and there is one fewer than lines: so each line is one
    value.
    """
    first = lines.partition("\n")[0].rstrip("\r")
    if not (first.startswith("{") and first.endswith("}")) or "NaN" in lines:  # seen at once, however long they are
        return None
    wanted = [line for line in lines.split("\n") if line]
    try:
        values: list[object] = TOGETHER.decode(f"[{',NaN,'.join(wanted)}]")
    except (ValueError, RecursionError):
        return None
    objects = values[::2]
    if len(values) != 2 * len(wanted) - 1 or not all(value is BETWEEN for value in values[1::2]):
        return None
    return objects if set(map(type, objects)) == {dict} else None


def _elements(text: str) -> list[object] | None:
    """The elements of an array that *text* holds, without its brackets; None if it is not just that."""
    try:
        values: list[object] = ALONE.decode(f"[{text}]")
    except (ValueError, RecursionError):
        return None
    return values
