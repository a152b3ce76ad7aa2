"""Opinions joined, cut and compared, bit for bit: what the checks of a detector hold it to."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import EVIDENCE_MIN, Evidence, Opinions

COLUMNS = ("novelty", "probability", "typical", "lower", "upper")
"""What all detectors say of each point; evidence and strength are said by some."""
WHY = tuple(field.name for field in fields(Evidence))


def joined_opinions(parts: Sequence[Opinions]) -> Opinions:
    """The opinions of all parts, one after the other. Evidence and strength are kept if each part has them."""
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    why = [part.evidence for part in parts if part.evidence is not None]
    strength = [part.strength for part in parts if part.strength is not None]
    if len(why) == len(parts):
        columns["evidence"] = Evidence(*(np.concatenate([getattr(one, name) for one in why]) for name in WHY))
    if len(strength) == len(parts):
        columns["strength"] = np.concatenate(strength)
    return Opinions(**columns)


def taken(opinions: Opinions, part: slice | NDArray[np.bool_]) -> Opinions:
    """The opinions of some of the points."""
    columns: dict[str, Any] = {name: getattr(opinions, name)[part] for name in COLUMNS}
    if opinions.evidence is not None:
        columns["evidence"] = Evidence(*(getattr(opinions.evidence, name)[part] for name in WHY))
    if opinions.strength is not None:
        columns["strength"] = opinions.strength[part]
    return Opinions(**columns)


def difference(one: Opinions, other: Opinions) -> str:
    """Where two runs differ first, bit for bit (NaN equals NaN); empty if nowhere.

    Of the evidence the rows count whose novelty is EVIDENCE_MIN or more: the others hold anything.
    """
    for name in (*COLUMNS, "strength"):
        a, b = getattr(one, name), getattr(other, name)
        if wrong := _first_difference(name, a, b):
            return wrong
    if one.evidence is None or other.evidence is None:
        return "" if one.evidence is other.evidence else "Only one of them has evidence."
    why = np.flatnonzero(one.novelty >= EVIDENCE_MIN)
    for name in WHY:
        if wrong := _first_difference(
            name, getattr(one.evidence, name)[why], getattr(other.evidence, name)[why], why):
            return wrong
    return ""


def _first_difference(
    name: str, a: NDArray[Any] | None, b: NDArray[Any] | None, points: NDArray[np.int64] | None = None,
) -> str:
    """Where column *name*, a row a point, differs first; *points*: which points the rows are of."""
    if a is None or b is None:
        return "" if a is b else f"Only one of them has {name}."
    if a.shape != b.shape:
        return f"{name} has {len(a)} values, then {len(b)}."
    same = (a == b) | ((a != a) & (b != b))
    wrong = np.flatnonzero(~same.reshape(len(a), -1).all(axis=1)) if len(a) else np.zeros(0, np.int64)
    if not wrong.size:
        return ""
    i = int(wrong[0])
    point = i if points is None else int(points[i])
    return f"{name} of point {point} is {a[i].tolist()!r}, then {b[i].tolist()!r}."
