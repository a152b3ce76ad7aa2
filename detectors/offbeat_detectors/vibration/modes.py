"""In which operating mode was the machine, measurement by measurement? Without being told which modes there are."""
from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offbeat_detectors.vibration.measurements import (
    Floats,
    Series,
    TooFew,
    Unsuitable,
    Waveforms,
    WrongParameter,
    whole,
)
from offbeat_detectors.vibration.mixture import Found, Mixture, Search, find, left_out
from offbeat_detectors.vibration.rows import Kind, Layout, Scale, rows_of, scale_of

MEASUREMENTS_MIN = 20
MODES_MAX = 13
TRIALS, TRIALS_MAX = 10, 50
PENALTY = 5.0
"""Of a switch, in logarithms of density: a measurement that fits another mode e^5 times better is in that one."""
PROBABILITY_MIN = 0.5
SPREADS = 8.0
NORMAL_MAD = 1.4826  # standard deviations of a normal law in one median of absolute deviations
FAR = 9.0
"""Squared distance beyond twice the dimensions from which on a measurement may be uncertain."""
ODD_MAX = 0.1
"""Of the measurements: so many may be left out of what the modes are made of."""
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Model:
    """What is kept of an identification, to say later of other measurements which mode they are in.

    layout, scale   how measurements become points
    mixture         the modes, in the order of their first appearance
    distance_limit  squared distance from its mode beyond which a measurement is uncertain
    """

    layout: Layout
    scale: Scale
    mixture: Mixture
    distance_limit: float

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All of it as plain arrays; ``Model.of`` makes the same model of them, bit for bit."""
        layout, scale, mixture = self.layout, self.scale, self.mixture
        return {
            "format": np.array([FORMAT, get_args(Kind).index(layout.kind), layout.channels, layout.bands]),
            "numbers": np.array([layout.low_hz, layout.band_hz, scale.floor, mixture.penalty, self.distance_limit]),
            "exponent": scale.exponent, "centre": scale.centre, "projection": scale.projection,
            "means": mixture.means, "whiten": mixture.whiten, "constant": mixture.constant,
        }

    @staticmethod
    def of(arrays: Mapping[str, NDArray[np.generic]]) -> Model:
        """The model of which these are the ``arrays``. Raises Unsuitable if they are none of a model."""
        try:
            version, kind, channels, bands = (int(one) for one in np.asarray(arrays["format"], np.int64))
            low, band, floor, penalty, limit = (float(one) for one in np.asarray(arrays["numbers"], np.float64))
            if version != FORMAT:
                raise Unsuitable(f"expected a model of format {FORMAT}, not {version}")
            exponent = np.asarray(arrays["exponent"], np.int64)
            names = ("centre", "projection", "means", "whiten", "constant")
            centre, projection, means, whiten, constant = (np.asarray(arrays[name], np.float64) for name in names)
            columns, modes, d = channels * bands, len(means), projection.shape[1]
            shapes = [exponent.shape, centre.shape, projection.shape, means.shape, whiten.shape, constant.shape]
            if shapes != [(columns,), (columns,), (columns, d), (modes, d), (modes, d, d), (modes,)] or not modes:
                raise Unsuitable("expected the arrays of one model: their shapes do not fit one another")
            layout = Layout(get_args(Kind)[kind], channels, bands, low, band)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            if isinstance(error, Unsuitable):
                raise
            raise Unsuitable(f"expected the arrays of a model: {error}") from error
        scale, mixture = Scale(floor, exponent, centre, projection), Mixture(means, whiten, constant, penalty)
        return Model(layout, scale, mixture, limit)

    def pack(self) -> bytes:
        """The model as bytes, the same for the same model."""
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **cast("dict[str, Any]", self.arrays()))
        return file.getvalue()

    @staticmethod
    def unpack(packed: bytes) -> Model:
        """The model that ``pack`` made *packed* of. Raises Unsuitable if it is none; executes nothing in it."""
        try:
            with np.load(io.BytesIO(packed), allow_pickle=False) as file:
                arrays = dict(file)
        except Exception as error:  # whatever zip and numpy say of bytes that are no archive of arrays
            raise Unsuitable(f"expected the bytes of a model: {error}") from error
        return Model.of(arrays)


@dataclass(frozen=True, slots=True)
class Runs:
    """Stretches of equal labels: how many measurements, of which label, from the first to the last timestamp."""

    count: NDArray[np.int64]
    label: NDArray[np.int64]
    start_timestamp: NDArray[np.int64]
    end_timestamp: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Modes:
    """The mode of each of m measurements, in the order of time, of k modes that the model knows.

    timestamps          (m,) int64
    labels              (m,) int64: 0 to k − 1, in the order of first appearance in what the model was made of
    uncertain           (m,) bool: fits its mode badly
    mode_probability    (m,) float64: of the mode that ``labels`` says, 0 to 1
    mode_probabilities  (m, k) float64: of each mode; a row sums to 1
    modes               (j,) int64: those that occur, ascending
    count               (j,) int64: measurements of each
    emerging_time       (j,) int64: timestamp of its first measurement
    max_prob_time       (j,) int64: timestamp of its most probable measurement, the first of equal ones
    max_probability     (j,) float64: the probability of that
    model               to apply to other measurements
    parameters          in force, those by default too
    """

    timestamps: NDArray[np.int64]
    labels: NDArray[np.int64]
    uncertain: NDArray[np.bool_]
    mode_probability: Floats
    mode_probabilities: Floats
    modes: NDArray[np.int64]
    count: NDArray[np.int64]
    emerging_time: NDArray[np.int64]
    max_prob_time: NDArray[np.int64]
    max_probability: Floats
    model: Model
    parameters: dict[str, int | bool | None]

    def runs(self) -> Runs:
        """The labels as stretches of equal ones."""
        if not self.labels.size:
            return Runs(*np.empty((4, 0), np.int64))
        begins = np.flatnonzero(np.diff(self.labels, prepend=self.labels[0] - 1))
        ends = np.append(begins[1:], len(self.labels)) - 1
        return Runs(ends - begins + 1, self.labels[begins], self.timestamps[begins], self.timestamps[ends])


def identify(
    measurements: Sequence[ArrayLike], durations_s: ArrayLike, timestamps_s: ArrayLike,
    parameters: Mapping[str, object],
) -> Modes:
    """``identify_series`` of waveforms: m *measurements*, each (n,) or (channels, n), over *durations_s* (m,)."""
    return identify_series(waveforms(measurements, durations_s, timestamps_s), parameters)


def apply(
    model: Model, measurements: Sequence[ArrayLike], durations_s: ArrayLike, timestamps_s: ArrayLike,
) -> Modes:
    """``apply_series`` of waveforms: m *measurements*, each (n,) or (channels, n), over *durations_s* (m,)."""
    return apply_series(model, waveforms(measurements, durations_s, timestamps_s))


def waveforms(measurements: Sequence[ArrayLike], durations_s: ArrayLike, timestamps: ArrayLike) -> Waveforms:
    """A series of *measurements*; timestamps may be of any unit."""
    return Waveforms(measurements, np.asarray(durations_s, np.float64), np.asarray(timestamps))


def identify_series(series: Series, parameters: Mapping[str, object]) -> Modes:
    """The operating modes of *series*, at least 20 measurements, and which measurement is in which.

    number_of_clusters  exactly so many modes, 1 to 13; if ``optimized`` is true as well, it is not looked at
    optimized           find the number of modes, 1 to 12; true where ``number_of_clusters`` is missing
    n_trials            starts for each number of modes, 10 by default; more than 50 are 50
    seed                of the starts, 0 by default: the same seed gives the same modes
    Others are ignored.

    Raises TooFew, WrongParameter, DoesNotFit (channels differ) or Unsuitable (a measurement cannot be read).
    """
    count, trials, seed = search_of(parameters)
    if len(series.timestamps) < MEASUREMENTS_MIN:
        raise TooFew(f"expected at least {MEASUREMENTS_MIN} measurements in the window, not {len(series.timestamps)}")
    layout, rows = rows_of([series])
    scale, found, odd = settled(layout, rows, Search(count, trials=trials, seed=seed, penalty=PENALTY))
    points = scale.points(rows)
    labels = np.empty(len(points), np.int64)
    labels[~odd] = found.labels
    labels[odd] = found.mixture.densities(points[odd])[0].argmax(axis=1)
    order = first_appearances(labels)
    labels = np.argsort(order)[labels]
    mixture = found.mixture.renumbered(order)
    log_density, distance = mixture.densities(points)
    usual = distance[np.flatnonzero(~odd), labels[~odd]]
    model = Model(layout, scale, mixture, distance_limit(usual, points.shape[1]))
    parameters_in_force: dict[str, int | bool | None] = {
        "number_of_clusters": count, "optimized": count is None, "n_trials": trials, "seed": seed}
    return described(model, series, labels, log_density, distance, parameters_in_force)


def settled(layout: Layout, rows: Floats, search: Search) -> tuple[Scale, Found, NDArray[np.bool_]]:
    """The scale of *rows* (m, c), their modes, and which rows are so odd, (m,) bool, that neither was made of them.

    A single odd row may be most of the variance: in its scale all others are alike, and what little is between them is
    taken for modes. So what is far from its mode is left out, and all is begun again; unless that is more than a tenth:
    then it is no exception.
    """
    scale = scale_of(layout, rows)
    points = scale.points(rows)
    found = find(points, np.zeros(len(points), np.bool_), search)
    distance = left_out(points, found.labels)
    odd = distance > distance_limit(distance, points.shape[1])
    if not 0 < odd.sum() <= ODD_MAX * len(rows):
        return scale, found, np.zeros(len(rows), np.bool_)
    again = scale_of(layout, rows[~odd])
    try:
        return again, find(again.points(rows[~odd]), np.zeros(len(rows) - odd.sum(), np.bool_), search), odd
    except TooFew:  # so many modes were asked for that the odd rows are needed
        return scale, found, np.zeros(len(rows), np.bool_)


def apply_series(model: Model, series: Series) -> Modes:
    """Which mode of *model* each measurement of *series* is in; any number of measurements. Numbers are the model's.

    Raises DoesNotFit if the measurements are of another kind, have other channels, or lack frequencies of the model.
    """
    _, rows = rows_of([series], model.layout)
    points = model.scale.points(rows) if len(series.timestamps) else np.empty((0, model.mixture.means.shape[1]))
    log_density, distance = model.mixture.densities(points)
    labels, _ = model.mixture.path(log_density, np.zeros(len(points), np.bool_))
    return described(model, series, labels, log_density, distance, {})


def search_of(parameters: Mapping[str, object]) -> tuple[int | None, int, int]:
    """Number of modes, None if it is to be found; starts; seed."""
    optimized = parameters.get("optimized")
    if optimized is not None and not isinstance(optimized, bool):
        raise WrongParameter(f"optimized: expected true or false, not {optimized!r}")
    count = whole(parameters, "number_of_clusters", 0, 1, MODES_MAX) or None
    trials = whole(parameters, "n_trials", TRIALS, 1, 1 << 31)
    return None if optimized else count, min(trials, TRIALS_MAX), whole(parameters, "seed", 0, 0, (1 << 32) - 1)


def first_appearances(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The distinct *labels* in the order in which they come first."""
    found, first = np.unique(labels, return_index=True)
    order: NDArray[np.int64] = found[np.argsort(first)]
    return order


def distance_limit(distance: Floats, dimensions: int) -> float:
    """The squared distance beyond which a measurement fits its mode badly, by the *distance* (m,) of all.

    Far from the median by the spread of the others, and beyond what a normal law, of which the mean is *dimensions*,
    reaches once in five hundred times or less. The eight spreads alone are exceeded by one in forty in one dimension.
    Source: F. Hampel, "The influence curve and its role in robust estimation", 1974.
    """
    median = float(np.median(distance))
    spread = NORMAL_MAD * float(np.median(np.abs(distance - median)))
    return max(median + SPREADS * spread, FAR + 2.0 * dimensions)


def described(
    model: Model, series: Series, labels: NDArray[np.int64], log_density: Floats, distance: Floats,
    parameters: dict[str, int | bool | None],
) -> Modes:
    """What is told of *labels* (m,), by log density and squared distance (m, k) under each mode of *model*."""
    timestamps = np.asarray(series.timestamps, np.int64)
    rows = np.arange(len(labels))
    odds = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    own = probabilities[rows, labels]
    uncertain = (own < PROBABILITY_MIN) | (distance[rows, labels] > model.distance_limit)
    modes, first, count = np.unique(labels, return_index=True, return_counts=True)
    best = [int(np.where(labels == mode, own, -1.0).argmax()) for mode in modes]
    return Modes(
        timestamps, labels, uncertain, own, probabilities, modes, count, timestamps[first], timestamps[best], own[best],
        model, parameters)
