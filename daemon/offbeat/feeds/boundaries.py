"""Where in the bytes of a growing file whole records end. Pure.

What is read of a file at a time must end with a record, for the place where it ends is what a restart goes on from.
"""
from __future__ import annotations

import re
from dataclasses import dataclass

from offbeat.wire.records.description import DataDescription
from offbeat.wire.records.rows import RECORD_CHARACTERS_MAX

TOKEN = re.compile(rb'["{}\[\],]')
SPACE = re.compile(rb"[ \t\r\n]*")
IN_TEXT = re.compile(rb'["\\]')


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its form a file is, at the end of a record: what a reader must be told to go on there.

    header    of delimited data: its first record, as it stands in the file
    lines     of JSON: an object is a line, as the first was; a line that is none is a bad record
    in_array  of JSON: the records are elements of an array that is open
    """

    header: bytes = b""
    lines: bool = False
    in_array: bool = False


def whole(description: DataDescription, place: Place, block: bytes) -> tuple[int, Place]:
    """How many bytes of *block*, which begins at *place*, are whole records, and the place behind them.

    The header counts as one.
    """
    if description.format == "DELIMITED":
        return _delimited(description, place, block)
    if description.format == "SINGLE_LINE" or place.lines:
        return block.rfind(b"\n") + 1, place
    if place == Place() and _first_line_is_object(block):
        return block.rfind(b"\n") + 1, Place(lines=True)
    return _json(place, block)


def _first_line_is_object(block: bytes) -> bool:
    line, newline, _ = block.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
    return bool(newline) and line.startswith(b"{") and line.rstrip().endswith(b"}")


def _delimited(description: DataDescription, place: Place, block: bytes) -> tuple[int, Place]:
    quote = description.quote_character.encode()
    end = block.rfind(b"\n") + 1
    if quote in block[:end]:
        end = _quoted_until(description, block[:end])
    if place.header or not end:
        return end, place
    first = _first_record(description, block[:end])
    return end, Place(block[:first])


def _record(description: DataDescription) -> re.Pattern[str]:
    """One record with its line end; a quote opens a cell only as its first character, as the reader has it."""
    delimiter, quote = re.escape(description.field_delimiter), re.escape(description.quote_character)
    cell = rf"(?:{quote}(?:[^{quote}]++|{quote}{quote})*+{quote})?+(?!{quote})[^{delimiter}\n]*+"
    return re.compile(rf"{cell}(?:{delimiter}{cell})*+\n")


def _quoted_until(description: DataDescription, block: bytes) -> int:
    """Up to where *block*, whole lines, holds whole records.

    A quote that is not closed within RECORD_CHARACTERS_MAX never is: its line is a record, a bad one.
    """
    text, record = block.decode("utf-8", "surrogateescape"), _record(description)
    at = 0
    while at < len(text):
        match = record.match(text, at, min(len(text), at + RECORD_CHARACTERS_MAX + 1))
        if match is not None:
            at = match.end()
        elif len(text) - at > RECORD_CHARACTERS_MAX:
            at = text.index("\n", at) + 1
        else:
            break
    return len(text[:at].encode("utf-8", "surrogateescape"))


def _first_record(description: DataDescription, block: bytes) -> int:
    """Where the header of *block* ends; lines that are blank before it belong to it."""
    text, record = block.decode("utf-8", "surrogateescape"), _record(description)
    at = 0
    while at < len(text):
        match = record.match(text, at)
        end = match.end() if match is not None else text.index("\n", at) + 1
        if text[at:end].strip("\ufeff\r\n"):
            at = end
            break
        at = end
    return len(text[:at].encode("utf-8", "surrogateescape"))


def _json(place: Place, block: bytes) -> tuple[int, Place]:
    """As ``whole``, for objects that are not one a line: over several lines, one behind the other, in arrays."""
    end, in_array, depth, at = 0, place.in_array, 0, 0
    now = place.in_array
    while (found := TOKEN.search(block, at)) is not None:
        at, sign = found.end(), found[0]
        if sign == b'"':
            if (at := _behind_text(block, at)) < 0:
                break
        elif depth == 0 and sign in b"[],":
            now = sign == b"[" or (now and sign == b",")
            end, in_array = at, now
        elif sign in b"{[":
            depth += 1
        elif sign in b"}]":
            depth -= 1
            if depth == 0 and not now:
                end, in_array = at, False
    return SPACE.match(block, end).end(), Place(in_array=in_array)  # type: ignore[union-attr]  # it matches nothing, too


def _behind_text(block: bytes, at: int) -> int:
    while (found := IN_TEXT.search(block, at)) is not None:
        if found[0] == b'"':
            return found.end()
        at = found.end() + 1
    return -1


def as_body(description: DataDescription, place: Place, block: bytes, after: Place) -> bytes:
    """*block*, whole records at *place*, as a body that can be read by itself; *after*: the place behind it."""
    if description.format == "DELIMITED":
        return place.header + block
    if not (place.in_array or after.in_array):
        return block
    body = b"[" + block.lstrip() if place.in_array else block
    if not after.in_array:
        return body
    stripped = body.rstrip()
    return (stripped[:-1] if stripped.endswith(b",") else stripped) + b"]"
