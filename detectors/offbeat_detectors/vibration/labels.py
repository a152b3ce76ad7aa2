"""What was said of few measurements, said of all: by operating modes, or along a graph of neighbours."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offbeat_detectors.vibration.measurements import Floats, TooFew, Unsuitable, WrongParameter

UNKNOWN = -1
SEVERITY_ADDED = -1
NEIGHBOURS = 7
ALPHA, ROUNDS = 0.99, 2000
"""Share that neighbours have in a label, as in the source; after so many rounds a billionth is missing."""
BLOCK = 1 << 22
"""Numbers of a matrix of distances at a time: 32 MiB."""
SPREAD_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Labels:
    """The label of each of m measurements.

    labels      (m,) int64: those given stay
    severities  (m,) int64: those given stay; −1 for labels that were added
    added       (m,) bool: was not given
    like        (m,) int64: the measurement whose label it took, itself where the label was given
    """

    labels: NDArray[np.int64]
    severities: NDArray[np.int64]
    added: NDArray[np.bool_]
    like: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spread:
    """The label of each of m measurements, and how sure that is.

    labels      (m,) int64: those given stay; −1 where no path leads to one
    confidence  (m,) float64: share of the label in all that reached the measurement, 0 to 1
    added       (m,) bool: was not given
    """

    labels: NDArray[np.int64]
    confidence: Floats
    added: NDArray[np.bool_]


def propagate(
    features: ArrayLike, labels: ArrayLike, modes: ArrayLike | None = None, timestamps: ArrayLike | None = None,
    severities: ArrayLike | None = None,
) -> Labels:
    """Each measurement takes the label of the nearest labelled one of its mode, by the distance of *features*.

    features    (m, k): of an identification of modes, its ``mode_probabilities``
    labels      (m,) integers, −1 where none is given
    modes       (m,) integers; a mode without labels takes the nearest of all. None: there is one mode
    timestamps  (m,) integers: at equal distance, the nearest in time counts, then the earlier; None: their order
    severities  (m,) integers of the labels given; None: 0

    Raises TooFew if no label is given, Unsuitable if the arrays do not fit one another.
    """
    x = finite(features)
    m = len(x)
    given = whole_numbers(labels, m, "labels")
    mode = whole_numbers(np.zeros(m, np.int64) if modes is None else modes, m, "modes")
    time = whole_numbers(np.arange(m) if timestamps is None else timestamps, m, "timestamps")
    severity = whole_numbers(np.zeros(m, np.int64) if severities is None else severities, m, "severities")
    labelled = np.flatnonzero(given != UNKNOWN)
    if not labelled.size:
        raise TooFew("expected at least one measurement with a label")
    like = np.arange(m)
    for one in np.unique(mode[given == UNKNOWN]):
        own = labelled[mode[labelled] == one]
        asks = np.flatnonzero((mode == one) & (given == UNKNOWN))
        like[asks] = nearest(x, time, asks, own if own.size else labelled)
    added = given == UNKNOWN
    return Labels(given[like], np.where(added, SEVERITY_ADDED, severity), added, like)


def nearest(x: Floats, time: NDArray[np.int64], asks: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the rows *among*, the one nearest to each row that *asks*, by *x*, then by *time*, then the earliest."""
    found = np.empty(len(asks), np.int64)
    among = among[np.argsort(time[among], kind="stable")]
    step = max(1, BLOCK // (len(among) * x.shape[1]))
    for begin in range(0, len(asks), step):
        some = asks[begin:begin + step]
        distance = np.square(x[some][:, np.newaxis, :] - x[among]).sum(axis=2)
        late = np.abs(time[some][:, np.newaxis] - time[among]).astype(np.float64)
        late[distance > distance.min(axis=1, keepdims=True)] = np.inf
        found[begin:begin + step] = among[late.argmin(axis=1)]
    return found


def spread(features: ArrayLike, labels: ArrayLike, neighbours: int = NEIGHBOURS) -> Spread:
    """Labels flow from each measurement to its nearest *neighbours*, as long as it takes; each ends as most of it is.

    features  (m, k), m at most 20,000, of comparable scales
    labels    (m,) integers, −1 where none is given

    Finds clusters of any shape, where ``propagate`` goes by the straight distance alone; asks for no modes. Where two
    labels reach a measurement alike, the smaller one is taken.
    Source: D. Zhou, O. Bousquet, T. Lal, J. Weston, B. Schölkopf, "Learning with local and global consistency", 2004,
    on the graph in which two are neighbours if either is one of the other's nearest; labels that were given stay.

    The sum is carried out term by term: no term is negative, so what is tiny far from a label keeps its order. The
    LabelSpreading of scikit-learn stops when the sum of all changes is small, before a single label has come far.
    """
    x = finite(features)
    m = len(x)
    given = whole_numbers(labels, m, "labels")
    if not 1 <= neighbours <= 1000:
        raise WrongParameter(f"neighbours: expected 1 to 1000, not {neighbours}")
    if m > SPREAD_MAX:
        raise Unsuitable(f"expected at most {SPREAD_MAX} measurements, not {m}")
    known = given != UNKNOWN
    if not known.any():
        raise TooFew("expected at least one measurement with a label")
    classes = np.unique(given[known])
    if known.all():
        return Spread(given, np.ones(m), ~known)

    from sklearn.neighbors import kneighbors_graph  # 80 MiB that nothing else here needs

    nearest_ones = kneighbors_graph(x, min(neighbours, m - 1), mode="connectivity", include_self=False)
    graph = nearest_ones.maximum(nearest_ones.T).tocsr()
    root = np.sqrt(np.asarray(graph.sum(axis=1), np.float64).ravel())
    graph.data = graph.data / (np.repeat(root, np.diff(graph.indptr)) * root[graph.indices])
    source = (given[:, np.newaxis] == classes) * (1.0 - ALPHA)
    reached = source
    for _ in range(ROUNDS):
        reached = ALPHA * (graph @ reached) + source
    total = reached.sum(axis=1)
    found = np.where(total > 0.0, classes[reached.argmax(axis=1)], UNKNOWN)
    share = reached.max(axis=1) / np.where(total > 0.0, total, 1.0)
    return Spread(np.where(known, given, found), np.where(known, 1.0, share), ~known)


def finite(features: ArrayLike) -> Floats:
    """*features* as (m, k) float64, k > 0, finite."""
    x = np.asarray(features, np.float64)
    if x.ndim != 2 or not x.shape[1] or not np.isfinite(x).all():
        raise Unsuitable(f"expected a row of finite features a measurement, not an array of shape {x.shape}")
    return x


def whole_numbers(values: ArrayLike, count: int, name: str) -> NDArray[np.int64]:
    """*values* as (count,) int64."""
    array = np.asarray(values)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        raise Unsuitable(f"{name}: expected {count} integers, one a measurement, not {array.dtype} {array.shape}")
    return array.astype(np.int64)
