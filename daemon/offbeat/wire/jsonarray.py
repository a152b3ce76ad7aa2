"""A JSON body, one object or an array of objects, to one element a line. What an element holds is not looked at.

The state machine goes byte by byte and needs no memory but its state, so a stream of any length passes through; the
same machine reads whole bodies.
"""
from __future__ import annotations

import re

import numpy as np

from offbeat.wire.compiled import Bytes, Ints, step
from offbeat.wire.fields import BOM, BodyRefused

CLOSING = (b"]", b"}", b",")
TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]|,|[ \t\r\n]++|[^"\[{\]},\s]++|[\v\f]', re.DOTALL)

# Places in the state.
PHASE, DEPTH, BASE, IN_STRING, ESCAPED, ELEMENT, WRITTEN, STATE_SIZE = range(8)
# What PHASE can be.
BEFORE, FIRST, INSIDE, NEXT, AFTER = range(5)

NEITHER = "the body is neither an array nor an object of JSON"
ENDS_EARLY = "the body ends before its document does, after the beginning of element {element}"
BROKEN = "the brackets or commas around element {element} do not fit (byte {byte})"
MORE = "something follows the end of the document (byte {byte}); objects one a line are application/x-ndjson"


def fresh_state() -> Ints:
    """The state before the first byte; ELEMENT is the number of the element that is being read or was read last."""
    return np.zeros(STATE_SIZE, np.int64)


@step
def cut_elements(
    data: Bytes, start: int, state: Ints, out: Bytes, element_bytes_max: int,
) -> tuple[int, int]:
    """Write the elements in data[start:] to *out*, each followed by a newline, going on from *state*.

    A newline inside an element becomes a space, and inside a string (where none may be) a carriage return (which may
    not be there either). Of an element only the first *element_bytes_max* + 1 bytes are written: the reader finds it
    too long. *out* has room for the data and one byte.
    Returns (bytes read, bytes written); less than all were read if the byte there cannot stand there.
    """
    phase, depth, base, written = state[PHASE], state[DEPTH], state[BASE], state[WRITTEN]
    in_string, escaped = state[IN_STRING] == 1, state[ESCAPED] == 1
    o = 0
    at = start
    while at < data.size:
        c = data[at]
        blank = c == 32 or c == 9 or c == 10 or c == 13
        if phase == INSIDE:
            ends = False
            if in_string:
                if escaped:
                    escaped = False
                elif c == 92:
                    escaped = True
                elif c == 34:
                    in_string = False
                if c == 10:
                    c = np.uint8(13)
            elif c == 34:
                in_string = True
            elif c == 10:
                c = np.uint8(32)
            elif c == 123 or c == 91:
                depth += 1
            elif (c == 44 or c == 93) and depth == base:
                out[o] = 10
                o += 1
                at += 1
                phase = NEXT if c == 44 else AFTER
                continue
            elif c == 125 or c == 93:
                if depth == base:  # a brace would close the array
                    break
                depth -= 1
                ends = depth == 0
            if written <= element_bytes_max:
                out[o] = c
                o += 1
                written += 1
            if ends:
                out[o] = 10
                o += 1
                phase = AFTER
        elif blank:
            pass
        elif phase == BEFORE and c == 91:
            phase = FIRST
            depth = base = np.int64(1)
        elif (phase == BEFORE and c == 123) or (phase in (FIRST, NEXT) and c != 93 and c != 44 and c != 125):
            phase = INSIDE
            state[ELEMENT] += 1
            in_string = c == 34
            if c == 123 or c == 91:
                depth += 1
            out[o] = c
            o += 1
            written = np.int64(1)
        elif phase == FIRST and c == 93:
            phase = AFTER
        else:
            break
        at += 1
    state[PHASE], state[DEPTH], state[BASE], state[WRITTEN] = phase, depth, base, written
    state[IN_STRING], state[ESCAPED] = in_string, escaped
    return at, o


def refusal(state: Ints, byte: int) -> str:
    """Why the byte numbered *byte*, from 1, cannot stand where it does."""
    if state[PHASE] == BEFORE:
        return NEITHER
    return (MORE if state[PHASE] == AFTER else BROKEN).format(element=state[ELEMENT], byte=byte)


def ends_early(state: Ints) -> str | None:
    """Why the document cannot end here, None if it can; nothing at all is a document without elements."""
    return None if state[PHASE] in (BEFORE, AFTER) else ENDS_EARLY.format(element=state[ELEMENT])


def lines_of(body: bytes, element_bytes_max: int) -> bytes:
    """The elements of a whole *body*, one a line. Raises BodyRefused if it is neither array nor object, or broken."""
    data = np.frombuffer(body, np.uint8)
    out = np.empty(data.size + 1, np.uint8)
    state = fresh_state()
    read, written = cut_elements(data, len(BOM) if body.startswith(BOM) else 0, state, out, element_bytes_max)
    reason = refusal(state, read + 1) if read < data.size else ends_early(state)
    if reason is not None:
        raise BodyRefused(reason)
    return out[:written].tobytes()


def lines_plainly(body: bytes, element_bytes_max: int) -> bytes:
    """What ``lines_of`` says, found token by token: the definition."""
    elements: list[bytes] = []
    opened = b""  # the bracket of the document
    depth, at, phase = 0, len(BOM) if body.startswith(BOM) else 0, "begin"
    for token in TOKEN.findall(body, at):
        blank = not token.strip(b" \t\r\n")
        refused = False
        if phase == "inside":
            if token in (b"]", b"}") and depth > 1:
                depth -= 1
                elements[-1] += token
            elif token in (b",", b"]") and depth == 1 and opened == b"[":
                phase = "next" if token == b"," else "end"
            elif token in (b"]", b"}") and opened == b"{":
                elements[-1] += token
                phase = "end"
            elif token in (b"]", b"}"):
                refused = True
            else:
                depth += token in (b"[", b"{")
                elements[-1] += token.replace(b"\n", b" " if blank else b"\r")
        elif phase == "begin" and token == b"[":
            phase, depth, opened = "first", 1, token
        elif token == b"{" if phase == "begin" else phase in ("first", "next") and not blank and token not in CLOSING:
            opened = opened or token
            phase = "inside"
            depth += token in (b"[", b"{")
            elements.append(token.replace(b"\n", b"\r"))
        elif phase == "first" and token == b"]":
            phase = "end"
        else:
            refused = not blank
        if refused:
            message = {"begin": NEITHER, "end": MORE}.get(phase, BROKEN)
            raise BodyRefused(message.format(element=len(elements), byte=at + 1))
        at += len(token)
    if phase not in ("begin", "end"):
        raise BodyRefused(ENDS_EARLY.format(element=len(elements)))
    return b"".join(element[: element_bytes_max + 1] + b"\n" for element in elements)
