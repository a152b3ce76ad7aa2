"""What stands behind a finding: kept in a few bytes, told in bits and in a sentence. Knows no store and no request."""
from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offbeat_detectors.contract import (
    NOTE_NEW_LEVEL,
    NOTE_PRIOR,
    NOTE_REPEATS,
    NOTE_SETTLING,
    NOTES,
    Evidence,
)
from offbeat_detectors.scores import surprise_of_novelty

VERSION = 1
_HEAD = struct.Struct("<BBBffii")  # version, notes, pieces that follow, damping, adjustment, readings back twice
_PIECE = struct.Struct("<Bf")  # code, share
NAMED = 255  # a code: the piece's name follows, its length in a byte first
NAME_BYTES_MAX = 32
PIECES_MAX = 9
"""So many pieces of a finding are kept, the strongest: a reason takes 64 bytes at most, if its pieces have a code."""

MEANINGS = {
    "jump": "one reading far from those just before it",
    "shape": "the last few readings take a shape unlike any lately",
    "pattern": "no pattern like that of the last 16 readings in the recent past",
    "long pattern": "no pattern like this one, over a longer stretch, in all that is remembered",
    "drift": "the level creeps in one direction",
    "stuck": "the same value for longer than this series ever holds one",
    "rate": "readings come at another rate than they do else",
    "silence": "no reading for longer than this series is ever silent",
    "peers": "unlike its peers at the same time",
    "joint": "the fields of its source do not move together as they do else",
    "outside": "off its usual course for longer, or farther, than this series ever strays",
    "clusters": "the fields of its source are together like nothing that they usually are",
}
"""What a piece of evidence says, by its name. Its place is its code in a packed reason: only ever added to."""

_CODES = {name: code for code, name in enumerate(MEANINGS)}
_NAMES = tuple(MEANINGS)
_NOTE_NAMES = {
    NOTE_PRIOR: "prior", NOTE_REPEATS: "repeats", NOTE_NEW_LEVEL: "new_level", NOTE_SETTLING: "settling",
}
_BITS_PER_DECADE = math.log2(10.0)
_ROUND = 0.005  # a factor nearer to 1 than this prints as 100 %
_BESIDES = 0.25  # share of the bits from which a second piece is worth a word
_ROUNDED_MAX = 1e300  # beyond it rounding may overflow
_ONE_IN_MAX = 1e9  # beyond it the number of readings has no meaning that could be checked


class BadReason(ValueError):
    """Bytes that ``pack`` never gave."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What stands behind one finding.

    pieces      name and share of each piece of evidence that gave something, in units of novelty, the largest first
    similar     how many readings of its series back the most similar moments lie, nearest first
    notes       which of contract.NOTES acted, as bits
    damping     what the series' own earlier peaks left of the novelty; 1: all of it
    adjustment  what feedback left or made of it; 1: nothing was said of findings like this one
    """

    pieces: tuple[tuple[str, float], ...] = ()
    similar: tuple[int, ...] = ()
    notes: int = 0
    damping: float = 1.0
    adjustment: float = 1.0


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence as it is told: *bits* of surprise, and which *share* of all bits that is, 0 to 1."""

    name: str
    bits: float
    share: float
    meaning: str


@dataclass(frozen=True, slots=True)
class Act:
    """Something that changed what would have been said: *factor* where it multiplied the novelty, else None."""

    name: str
    text: str
    factor: float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding in numbers.

    name                    what left its rhythm, as a sentence names it: "temperature of pump-7"
    time_ms                 when, in milliseconds since 1970 UTC
    actual                  the reading; NaN: there was none, and *typical* is the time by which it was due, in ms
    typical, lower, upper   what was expected; NaN: not known    probability  NaN: the detector has none
    """

    name: str
    time_ms: int
    actual: float
    typical: float
    lower: float
    upper: float
    novelty: float
    probability: float


@dataclass(frozen=True, slots=True)
class Told:
    """A finding as it is told.

    bits      how surprising it was    pieces  these bits, parted, the largest first
    normal    which value would have been normal, in words; empty where that is not known, or no value came at all
    sentence  what was seen and expected, why that is odd, what would not have been, what acted
    """

    bits: float
    pieces: tuple[Piece, ...]
    acts: tuple[Act, ...]
    normal: str
    sentence: str


def reason_of(
    evidence: Evidence | None, point: int, pieces: Sequence[str], *, damping: float, adjustment: float = 1.0,
) -> Reason:
    """Why *point* became a finding: its row of a detector's evidence (None: it says no more than its novelty).

    pieces  the names of the columns of ``evidence.share``
    """
    if evidence is None:
        return Reason(damping=damping, adjustment=adjustment)
    share = evidence.share[point].tolist()
    given = [(name, s) for name, s in zip(pieces, share, strict=False) if s > 0.0 and math.isfinite(s)]
    given.sort(key=lambda piece: -piece[1])
    back = tuple(n for n in evidence.similar[point].tolist() if n > 0)
    return Reason(tuple(given), back, int(evidence.notes[point]), damping, adjustment)


def pack(reason: Reason) -> bytes:
    """*reason* in 19 bytes, and 5 for each piece that it has (more for one that MEANINGS does not know).

    b"" if nothing is to be told: no piece, no note, nothing that acted.
    """
    if reason == Reason():
        return b""
    kept = reason.pieces[:PIECES_MAX]
    near, next_near = (*reason.similar, 0, 0)[:2]
    parts = [_HEAD.pack(VERSION, reason.notes, len(kept), reason.damping, reason.adjustment, near, next_near)]
    for name, share in kept:
        code = _CODES.get(name, NAMED)
        parts.append(_PIECE.pack(code, share))
        if code == NAMED:
            text = name.encode()[:NAME_BYTES_MAX].decode(errors="ignore").encode()
            parts += (bytes([len(text)]), text)
    return b"".join(parts)


def unpack(packed: bytes) -> Reason:
    """The reason that ``pack`` was given, its numbers as single precision has them. Raises BadReason."""
    if not packed:
        return Reason()
    if packed[0] != VERSION:
        raise BadReason(f"a reason of version {packed[0]}: expected {VERSION}")
    pieces = []
    try:
        _, notes, count, damping, adjustment, near, next_near = _HEAD.unpack_from(packed)
        at = _HEAD.size
        for _ in range(count):
            code, share = _PIECE.unpack_from(packed, at)
            at += _PIECE.size
            if code == NAMED:
                end = at + 1 + packed[at]
                name = packed[at + 1 : end].decode()
                at = end
            else:
                name = _NAMES[code]
            pieces.append((name, share))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise BadReason(f"a reason that ends or goes on wrongly: {error}") from error
    if at != len(packed):
        raise BadReason(f"a reason of {at} bytes in {len(packed)}")
    return Reason(tuple(pieces), tuple(n for n in (near, next_near) if n > 0), notes, damping, adjustment)


def bits_of(novelty: float) -> float:
    """How surprising a novelty is, in bits: so often must a coin fall on one side to be as surprising."""
    return surprise_of_novelty(novelty) * _BITS_PER_DECADE


def evidence(finding: Finding, reason: Reason) -> tuple[Piece, ...]:
    """The bits of *finding*, parted in proportion to what the pieces gave, the largest first; they add up to all.

    Without pieces there is one: the detector's probability, or its bare novelty.
    """
    bits = bits_of(finding.novelty)
    total = math.fsum(share for _, share in reason.pieces)
    if total > 0.0:
        parts = [(name, share / total) for name, share in reason.pieces]
        return tuple([Piece(name, bits * part, part, meaning_of(name)) for name, part in parts])
    if math.isnan(finding.probability):
        return (Piece("novelty", bits, 1.0, "unlike anything lately, by what its detector has learned"),)
    return (Piece("probability", bits, 1.0, _rarity(finding.probability)),)


def meaning_of(piece: str) -> str:
    """What a piece of evidence says, as a part of a sentence."""
    return MEANINGS.get(piece, f"what its detector calls “{piece}”")


def _rarity(probability: float) -> str:
    learned = "by the law that its detector has learned"
    if probability * _ONE_IN_MAX < 1.0:
        return f"fewer than one reading in a billion is as unlikely, {learned}"
    return f"about one reading in {float(f'{1.0 / probability:.2g}'):,.0f} is as unlikely, {learned}"


def acted(reason: Reason) -> tuple[Act, ...]:
    """What changed the finding on its way: notes of the detector, the series' own earlier peaks, feedback."""
    acts = [Act(_NOTE_NAMES[bit], text, None) for bit, text in NOTES.items() if reason.notes & bit]
    if abs(1.0 - reason.damping) >= _ROUND:
        text = f"made weaker, to {_percent(reason.damping)}, for this series is often novel by itself"
        acts.append(Act("damping", text, reason.damping))
    if abs(1.0 - reason.adjustment) >= _ROUND:
        way = "weaker" if reason.adjustment < 1.0 else "stronger"
        text = f"made {way}, to {_percent(reason.adjustment)}, by what was said of findings like it"
        acts.append(Act("adjustment", text, reason.adjustment))
    return tuple(acts)


def due_ms(finding: Finding) -> int | None:
    """By when the reading that did not come was due; None if there was a reading."""
    return int(finding.typical) if math.isnan(finding.actual) and math.isfinite(finding.typical) else None


def tell(
    finding: Finding, reason: Reason, similar_ms: Sequence[int | None] = (), last_ms: int | None = None,
) -> Told:
    """*finding* and its *reason* for a person.

    similar_ms  when the most similar moments were, as far as that is known, in the order of ``reason.similar``
    last_ms     of a silence: when the last reading came
    """
    pieces, acts, digits = evidence(finding, reason), acted(reason), _digits(finding)
    normal = _normal(finding, digits)
    said = [f"{_seen(finding, normal, digits, last_ms)}: {_why(pieces)}{_instead(finding, normal)}."]
    if reason.similar:
        when = similar_ms[0] if similar_ms else None
        back = reason.similar[0]
        said.append(f"The most similar moment was {moment(when)}." if when is not None else
                    f"The most similar moment lies {back:,} reading{'s' if back != 1 else ''} back.")
    for act in acts:
        said.append(f"T{act.text[1:]}." if act.text.startswith("the ") else f"It was {act.text}.")
    return Told(bits_of(finding.novelty), pieces, acts, normal, " ".join(said))


def _normal(finding: Finding, digits: int | None) -> str:
    lower, upper = finding.lower, finding.upper
    if math.isnan(finding.actual) or math.isnan(lower) or math.isnan(upper):
        return ""
    if lower == upper:
        return number(lower)
    if math.isinf(lower) or math.isinf(upper):
        return f"at least {number(lower)}" if math.isfinite(lower) else (
            f"at most {number(upper)}" if math.isfinite(upper) else "")
    return f"between {number(lower, digits)} and {number(upper, digits)}"


def _seen(finding: Finding, normal: str, digits: int | None, last_ms: int | None) -> str:
    name, actual = finding.name, finding.actual
    if math.isnan(actual):
        due = due_ms(finding)
        since = f"since {moment(last_ms)}" if last_ms is not None else f"by {moment(finding.time_ms)}"
        late = "" if due is None else f"; the next reading was due by {moment(due)} at the latest"
        return f"nothing has come of {name} {since}{late}"
    seen = f"{name} was {number(actual)}"
    typical = "" if math.isnan(finding.typical) else f"typical {number(finding.typical, digits)}"
    if not normal:
        return f"{seen}, {typical}" if typical else seen
    if finding.lower == finding.upper:
        return f"{seen}, expected {normal}"
    expected = normal.removeprefix("between ").replace(" and ", " to ")
    if finding.lower <= actual <= finding.upper:
        return f"{seen}, a value as expected ({expected}{f', {typical}' if typical else ''})"
    return f"{seen}, expected {expected}{f' ({typical})' if typical else ''}"


def _why(pieces: Sequence[Piece]) -> str:
    first, *others = pieces
    besides = [piece.meaning for piece in others[:1] if piece.share >= _BESIDES]
    return "; besides, ".join([first.meaning, *besides])


def _instead(finding: Finding, normal: str) -> str:
    """The value that would have been normal, where this one is not."""
    if not normal or finding.lower <= finding.actual <= finding.upper:
        return ""
    return f"; a value {'of ' if finding.lower == finding.upper else ''}{normal} would have been normal"


def moment(ms: int) -> str:
    """Milliseconds since 1970 UTC for a person: to the minute, or to the second where that says more."""
    text = str(np.datetime64(ms // 1000, "s")).replace("T", " ")
    return f"{text.removesuffix(':00')} UTC"


def _digits(finding: Finding) -> int | None:
    """How many digits after the point bounds are told to: a twentieth of their distance is enough.

    None, all of them, where there are no bounds, or where rounding would put the reading on the other side of one.
    """
    lower, upper, actual = finding.lower, finding.upper, finding.actual
    if not 0.0 < upper - lower < _ROUNDED_MAX or max(abs(lower), abs(upper)) > _ROUNDED_MAX:
        return None
    digits = math.ceil(math.log10(20.0) - math.log10(upper - lower))
    side = (actual < lower, actual > upper)
    return digits if side == (actual < round(lower, digits), actual > round(upper, digits)) else None


def number(x: float, digits: int | None = None) -> str:
    """A number for a person: six digits, all of those before the point; or to so many *digits* after it."""
    if digits is not None and abs(x) <= _ROUNDED_MAX:
        x = round(x, digits) + 0.0  # no minus before a zero
    if 1e6 <= abs(x) < 1e15:
        return f"{x:.0f}"
    return f"{x:.6g}"


def _percent(factor: float) -> str:
    return f"{100.0 * factor:.0f} %" if factor >= 0.01 else f"{100.0 * factor:.2g} %"
