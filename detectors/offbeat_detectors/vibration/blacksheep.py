"""Which members of a population behave as hardly any other does, and when?"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.vibration.measurements import (
    MEASUREMENTS_MAX,
    DoesNotFit,
    Floats,
    Series,
    TooFew,
    Unsuitable,
    number,
)
from offbeat_detectors.vibration.mixture import Search, find
from offbeat_detectors.vibration.modes import MEASUREMENTS_MIN, first_appearances, search_of
from offbeat_detectors.vibration.rows import kind_of, rows_of, scale_of

THRESHOLD = 0.05
PENALTY = 1.0
SUM_ROUNDING = 1e-9
"""Shares that sum to the threshold do not exceed it by the last bit."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the population, all of its m measurements.

    timestamps  (m,) int64
    labels      (m,) int64: the mode of each, numbered as in Population
    atypical    (m,) bool: it is in an atypical mode
    score       (m,) float64, 0 to 1: share of the population's measurements in modes that are more usual than this one
    """

    source: str
    timestamps: NDArray[np.int64]
    labels: NDArray[np.int64]
    atypical: NDArray[np.bool_]
    score: Floats


@dataclass(frozen=True, slots=True)
class Population:
    """What was found.

    members         all, in the order given
    atypical        those with a measurement in an atypical mode: by the rarest that each has, the rarest first; then by
                    how many measurements are in it, the most first; then in the order given
    shares          (k,) float64: of each mode, in the population's measurements
    atypical_modes  those modes, the rarest first
    parameters      in force, those by default too
    """

    members: tuple[Member, ...]
    atypical: tuple[Member, ...]
    shares: Floats
    atypical_modes: tuple[int, ...]
    parameters: dict[str, float]


def population(sources: Mapping[str, Series], parameters: Mapping[str, object]) -> Population:
    """The modes of all *sources* together, which of them are rare, and who is in one.

    atypical_threshold  modes are atypical, the rarest first, as long as their shares sum to no more; 0 to 1, 0.05
    n_trials, seed      as of ``modes.identify_series``

    A mode's share is part of how likely it is, so a few stray points of members that are alike make no mode of their
    own. A switch costs little, and nothing between two members. Modes are numbered by first appearance.

    Raises TooFew with fewer than 20 measurements of a member, DoesNotFit if members differ in kind or channels.
    """
    threshold = number(parameters, "atypical_threshold", THRESHOLD, 0.0, 1.0)
    _, trials, seed = search_of({name: parameters.get(name) for name in ("n_trials", "seed")})
    if not sources:
        raise TooFew("expected at least one source")
    counts = [len(one.timestamps) for one in sources.values()]
    for source, count in zip(sources, counts, strict=True):
        if count < MEASUREMENTS_MIN:
            raise TooFew(f"{source}: expected at least {MEASUREMENTS_MIN} measurements in the window, not {count}")
    if sum(counts) > MEASUREMENTS_MAX:
        raise Unsuitable(f"expected at most {MEASUREMENTS_MAX} measurements of all sources, not {sum(counts)}")
    kinds = sorted({kind_of(one) for one in sources.values()})
    if len(kinds) > 1:
        raise DoesNotFit(f"expected sources of one kind of measurements, not {' and '.join(kinds)}")

    layout, rows = rows_of(list(sources.values()))
    points = scale_of(layout, rows).points(rows)
    begins = np.cumsum([0, *counts[:-1]])
    free = np.zeros(len(points), np.bool_)
    free[begins] = True
    found = find(points, free, Search(trials=trials, seed=seed, penalty=PENALTY, shares=True))
    labels = np.argsort(first_appearances(found.labels))[found.labels]
    sizes = np.bincount(labels).astype(np.int64)
    rare = rarest(sizes, threshold)
    more_usual = np.array([sizes[sizes > own].sum() for own in sizes]) / len(labels)
    members = tuple(
        Member(source, np.asarray(one.timestamps, np.int64), part, np.isin(part, rare), more_usual[part])
        for (source, one), part in zip(sources.items(), np.split(labels, begins[1:]), strict=True))
    atypical = [(mode_at, -int((one.labels == rare[mode_at]).sum()), at)
                for at, one in enumerate(members) if one.atypical.any()
                for mode_at in [min(rare.index(int(mode)) for mode in np.unique(one.labels[one.atypical]))]]
    return Population(
        members, tuple(members[at] for _, _, at in sorted(atypical)), sizes / len(labels), tuple(rare),
        {"atypical_threshold": threshold, "n_trials": trials, "seed": seed})


def rarest(count: NDArray[np.int64], threshold: float) -> list[int]:
    """The modes with the smallest *count* (k,), rarest first, as long as their shares sum to at most *threshold*."""
    order = np.argsort(count, kind="stable")
    sums = np.cumsum(count[order]) / count.sum()
    return [int(mode) for mode in order[sums <= threshold + SUM_ROUNDING]]
