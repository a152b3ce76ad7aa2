"""Two lists of findings side by side: which were kept, moved, are gone, are new, and why. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from offbeat.backtest.probe import Said
from offbeat.backtest.run import Found, Point
from offbeat_detectors.scores import OVERRIDE, score_of_strength

Kind = Literal["kept", "moved", "gone", "new"]
KINDS: tuple[Kind, ...] = ("kept", "moved", "gone", "new")
BANDS = (25.0, 50.0, 75.0, 90.0)
"""Scores of one band mean about the same: the borders are those at which the meaning of a score is fixed."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One incident of one series, as each side has it; None: that side has nothing."""

    kind: Kind
    baseline: Found | None
    candidate: Found | None
    reason: str

    @property
    def found(self) -> Found:
        """The candidate's finding, or the baseline's where it has none."""
        one = self.candidate or self.baseline
        assert one is not None
        return one

    @property
    def unchanged(self) -> bool:
        """Is it the same to the last bit of its score?"""
        one, other = self.baseline, self.candidate
        return one is not None and other is not None and (one.point, one.score) == (other.point, other.score)


def band(score: float) -> int:
    """Which of the five bands *score* lies in, the lowest is 0."""
    return sum(score >= border for border in BANDS)


def compare(
    baseline: Sequence[Found],
    candidate: Sequence[Found],
    *,
    score_min: float,
    tolerance: int,
    candidate_said: Mapping[Point, Said],
    baseline_said: Mapping[Point, Said] | None,
    stored: str = "",
) -> list[Difference]:
    """Every incident once, by time.

    Findings of one series are of one incident if they are of one reading, else if at most *tolerance* readings lie
    between them: the nearest first, each in one pair only. A pair is kept if it is of one reading and its scores of one
    band, else moved.

    score_min       findings that score less count on neither side
    candidate_said  what the candidate made of readings, by which the reasons are told
    baseline_said   likewise; None: the baseline was not run, its findings are stored ones
    stored          why a finding may not be among the stored ones, in words
    """
    differences: list[Difference] = []
    theirs, ours = _by_series(baseline, score_min), _by_series(candidate, score_min)
    for series in theirs.keys() | ours.keys():
        left, right = theirs.get(series, []), ours.get(series, [])
        pairs = _pairs(left, right, candidate_said, baseline_said or {}, tolerance)
        for i, j in pairs:
            differences.append(_pair(left[i], right[j], candidate_said, baseline_said or {}))
        lost, won = set(range(len(left))) - {i for i, _ in pairs}, set(range(len(right))) - {j for _, j in pairs}
        for i in lost:
            said = candidate_said.get(left[i].point)
            differences.append(Difference("gone", left[i], None, why_not(said, "candidate", score_min)))
        for j in won:
            said = (baseline_said or {}).get(right[j].point)
            reason = stored if baseline_said is None else why_not(said, "baseline", score_min)
            differences.append(Difference("new", None, right[j], reason))
    differences.sort(key=lambda d: (d.found.time_ms, d.found.source, d.found.field, d.kind, d.found.bucket_ms))
    return differences


def _by_series(findings: Sequence[Found], score_min: float) -> dict[tuple[str, str], list[Found]]:
    by_series: dict[tuple[str, str], list[Found]] = {}
    for f in sorted(findings, key=lambda f: (f.time_ms, f.bucket_ms)):
        if f.score >= score_min:
            by_series.setdefault((f.source, f.field), []).append(f)
    return by_series


def _pairs(
    left: list[Found],
    right: list[Found],
    candidate_said: Mapping[Point, Said],
    baseline_said: Mapping[Point, Said],
    tolerance: int,
) -> list[tuple[int, int]]:
    """Which finding of the one list, and which of the other, are of one incident. Both are of one series, by time."""

    def place(f: Found) -> int | None:
        said = candidate_said.get(f.point) or baseline_said.get(f.point)
        return None if said is None else said.place

    at = {f.time_ms: j for j, f in enumerate(right)}
    pairs = [(i, at[f.time_ms]) for i, f in enumerate(left) if f.time_ms in at]
    taken, used = {i for i, _ in pairs}, {j for _, j in pairs}
    places = [(j, p) for j, f in enumerate(right) if j not in used and (p := place(f)) is not None]
    near: list[tuple[int, int, int]] = []
    first = 0
    for i, f in enumerate(left):
        if i in taken or (p := place(f)) is None:
            continue
        while first < len(places) and places[first][1] < p - tolerance:
            first += 1
        for j, q in places[first:]:
            if q > p + tolerance:
                break
            near.append((abs(q - p), i, j))
    for _, i, j in sorted(near):
        if i not in taken and j not in used:
            taken.add(i)
            used.add(j)
            pairs.append((i, j))
    return pairs


def _pair(
    one: Found, other: Found, candidate_said: Mapping[Point, Said], baseline_said: Mapping[Point, Said]
) -> Difference:
    said = [candidate_said.get(f.point) or baseline_said.get(f.point) for f in (one, other)]
    reasons = []
    if one.time_ms != other.time_ms:
        readings = abs(said[1].place - said[0].place) if said[0] and said[1] else 0
        side = "later" if other.time_ms > one.time_ms else "earlier"
        reasons.append(f"{readings} reading{'' if readings == 1 else 's'} {side}")
    if band(one.score) != band(other.score):
        reasons.append(f"{'stronger' if other.score > one.score else 'weaker'}: scores {_short(other.score)}, "
                       f"was {_short(one.score)}")
    if reasons:
        return Difference("moved", one, other, "; ".join(reasons))
    if one.score == other.score:
        return Difference("kept", one, other, "")
    return Difference("kept", one, other, f"scores {_short(other.score)}, was {_short(one.score)}")


def why_not(said: Said | None, who: str, score_min: float) -> str:
    """Why *who*, that made *said* of a reading, has no finding there that counts."""
    if said is None:
        return f"the {who} did not judge that reading: it came too late for its bucket"
    if math.isnan(said.novelty):
        return f"the {who} has no opinion there yet: it is warming up"
    if said.strength > 0.0:
        score, alone = score_of_strength(said.strength), score_of_strength(said.novelty)
        if score >= score_min and score > 0.0:
            return f"the {who} scores {_short(score)} there: a stronger finding in the same bucket stands for it"
        if alone >= score_min and alone > 0.0:
            return (
                f"novelty there is {_short(said.novelty)}, damped to {_short(said.strength)} by earlier peaks of the "
                f"series: scores {_short(score)}"
            )
        return f"novelty there is {_short(said.novelty)}: scores {_short(score)}, below {_short(max(score_min, 0.0))}"
    if score_of_strength(said.novelty) < max(score_min, 1e-9):
        alone = score_of_strength(said.novelty)
        return f"novelty there is {_short(said.novelty)}: would score {_short(alone)}, below {_short(score_min)}"
    if said.held_ms >= 0 and said.novelty <= OVERRIDE * said.held_novelty:
        return (
            f"novelty there is {_short(said.novelty)}: held by the finding at {iso(said.held_ms)} "
            f"of novelty {_short(said.held_novelty)}"
        )
    return f"novelty there is {_short(said.novelty)}: held back by the alert stage"


def iso(ms: int) -> str:
    """Milliseconds since 1970 UTC as ISO 8601."""
    return f"{np.datetime64(ms, 'ms')}Z"


def _short(x: float) -> str:
    return f"{x:.4g}"
