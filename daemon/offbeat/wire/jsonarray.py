"""A JSON body, one object or an array of objects, to one element a line. What an element holds is not looked at.

The state machine goes byte by byte and needs no memory but its state, so a stream of any length passes through; the same
machine reads whole bodies.
"""
from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from offbeat.wire.fields import BOM, BodyRefused
from offbeat.wire.inlining import step

TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]|,|[ \t\r\n]++|[^"\[{\]},\s]++|[\v\f]', re.DOTALL)

# Places in the state.
PHASE, DEPTH, BASE, IN_STRING, ESCAPED, ELEMENT, WRITTEN, STATE_SIZE = range(8)
# What PHASE can be.
BEFORE, FIRST, INSIDE, BETWEEN, NEXT, AFTER = range(6)

NEITHER = "the body is neither an array nor an object of JSON"
ENDS_EARLY = "the body ends before its document does, after the beginning of element {element}"
BROKEN = "the brackets or commas around element {element} do not fit (byte {byte})"
MORE = "something follows the end of the document (byte {byte}); objects one a line are application/x-ndjson"


def fresh_state() -> NDArray[np.int64]:
    """The state before the first byte; ELEMENT is the number of the element that is being read or was read last."""
    return np.zeros(STATE_SIZE, np.int64)


@step
def cut_elements(
    data: NDArray[np.uint8], start: int, state: NDArray[np.int64], out: NDArray[np.uint8], element_bytes_max: int,
) -> tuple[int, int]:
    """Write the elements in data[start:] to *out*, each followed by a newline, going on from *state*.

    A newline inside an element becomes a space, and inside a string (where none may be) a carriage return (which may not be there
    either). Of an element only the first *element_bytes_max* + 1 bytes are written: the reader finds it too long. *out* has
    room for the data and one byte.
    Returns (bytes read, bytes written); less than all were read if the byte there cannot stand there.
    """
    o = 0
    for at in range(start, data.size):
        c = data[at]
        phase = state[PHASE]
        blank = c == 32 or c == 9 or c == 10 or c == 13
        if phase == INSIDE:
            ends = False
            if state[IN_STRING] == 1:
                if state[ESCAPED] == 1:
                    state[ESCAPED] = 0
                elif c == 92:
                    state[ESCAPED] = 1
                elif c == 34:
                    state[IN_STRING] = 0
                if c == 10:
                    c = np.uint8(13)
            elif blank:
                c = np.uint8(32) if c == 10 else c
            elif c == 34:
                state[IN_STRING] = 1
            elif c == 123 or c == 91:
                state[DEPTH] += 1
            elif (c == 44 or c == 93) and state[DEPTH] == state[BASE]:
                out[o] = 10
                o += 1
                state[WRITTEN] = 0
                state[PHASE] = NEXT if c == 44 else AFTER
                continue
            elif c == 125 or c == 93:
                if state[DEPTH] == state[BASE]:  # a brace would close the array
                    return at, o
                state[DEPTH] -= 1
                ends = state[DEPTH] == 0
            if state[WRITTEN] <= element_bytes_max:
                out[o] = c
                o += 1
                state[WRITTEN] += 1
            if ends:
                out[o] = 10
                o += 1
                state[PHASE] = AFTER
        elif blank:
            continue
        elif phase == BEFORE and c == 91:
            state[PHASE] = FIRST
            state[DEPTH] = state[BASE] = 1
        elif (phase == BEFORE and c == 123) or ((phase == FIRST or phase == NEXT) and c != 93 and c != 44 and c != 125):
            state[PHASE] = INSIDE
            state[ELEMENT] += 1
            state[IN_STRING] = 1 if c == 34 else 0
            state[DEPTH] += 1 if c == 123 or c == 91 else 0
            out[o] = c
            o += 1
            state[WRITTEN] = 1
        elif phase == FIRST and c == 93:
            state[PHASE] = AFTER
        else:
            return at, o
    return data.size, o


def refusal(state: NDArray[np.int64], byte: int) -> str:
    """Why the byte numbered *byte*, from 1, cannot stand where it does."""
    if state[PHASE] == BEFORE:
        return NEITHER
    return (MORE if state[PHASE] == AFTER else BROKEN).format(element=state[ELEMENT], byte=byte)


def ends_early(state: NDArray[np.int64]) -> str | None:
    """Why the document cannot end here, None if it can; nothing at all is a document without elements."""
    return None if state[PHASE] in (BEFORE, AFTER) else ENDS_EARLY.format(element=state[ELEMENT])


def lines_of(body: bytes, element_bytes_max: int) -> bytes:
    """The elements of a whole *body*, one a line. Raises BodyRefused for what is neither an array nor an object, or is broken."""
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
        elif (phase == "begin" and token == b"{") or (phase in ("first", "next") and not blank and token not in (b"]", b",", b"}")):
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
