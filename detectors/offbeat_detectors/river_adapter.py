"""Any anomaly detector of river as one of ours. A Python object a series: for thousands of series, not millions.

A model is named as in river's reference, steps joined by "|"; parameters are those of its classes, as JSON values:

    model                                                    parameters
    anomaly.HalfSpaceTrees                                   {"n_trees": 25, "height": 6}
    preprocessing.MinMaxScaler|anomaly.HalfSpaceTrees        {"HalfSpaceTrees.n_trees": 25, "window_size": 100}
    anomaly.QuantileFilter                                   {"anomaly_detector": {"river": "anomaly.LODA"}, "q": 0.99}
    anomaly.PredictiveAnomalyDetection
        {"predictive_model": {"river": "time_series.SNARIMAX", "p": 2, "d": 0, "q": 1}}
    time_series.HoltWinters                                  {"alpha": 0.3, "beta": 0.1}

A parameter ``Class.name`` belongs to the step of that class, ``2.name`` to the second, a plain ``name`` to the last.
A document with the key "river" is itself a model with its parameters. ``seed`` goes to every class that takes one.

A forecaster's score is the error of its forecast for the next reading.

A model sees ``{"value": v, "lag_1": …, "lag_k": …}``; a supervised one (GaussianScorer, StandardAbsoluteDeviation,
PredictiveAnomalyDetection, a forecaster) has y = v and only the lags as features, or it would be told the answer. A
lag before the first reading is the first reading.
"""
from __future__ import annotations

import gc
import importlib
import inspect
import math
import pickle
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from statistics import NormalDist
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import anomaly, compose
from river.time_series.base import Forecaster

from offbeat_detectors.calibrated import VALUE_MAX, Calibration, spread_out
from offbeat_detectors.contract import Opinions, State
from offbeat_detectors.ewma import is_count

LAGS_MAX = 1000

BOUNDED = frozenset({"GaussianScorer", "HalfSpaceTrees", "PredictiveAnomalyDetection"})
"""Models whose score crowds below 1: it is spread out as −log(1 − score) before it is calibrated."""

NO_NUMBER = (ArithmeticError, ValueError)
"""What a model raises at a reading that its arithmetic cannot bear ("math domain error" is a ValueError)."""

WRITTEN_BY = f"river {version('river')}, Python {sys.version_info.major}.{sys.version_info.minor}"
"""What pickled a saved state: another river, or another Python, may read something else in it, or nothing."""


class UnknownModel(ValueError):
    """A name that river does not have, or that is no anomaly detector."""


class OtherVersion(ValueError):
    """A saved state that another river or another Python has written: it cannot be restored, the models begin anew."""


class Forecast:
    """A forecaster of river as a supervised anomaly detector: how far is the reading from what was forecast?"""

    def __init__(self, forecaster: Any) -> None:
        self.forecaster = forecaster

    def next(self) -> float:
        """What it says of the next reading; NaN before it has seen enough."""
        try:
            return float(self.forecaster.forecast(1)[0])
        except IndexError:  # of a queue that is not filled yet
            return math.nan

    def score_one(self, x: Mapping[str, float], y: float) -> float:
        """The absolute error of the forecast."""
        return abs(y - self.next())

    def learn_one(self, x: Mapping[str, float], y: float) -> None:
        """Go on by one reading."""
        self.forecaster.learn_one(y)


class RiverDetector:
    """A river model for each series, made on first sight; judged, then learned; its score calibrated to our novelty.

    model            as above
    lags             how many earlier readings the model sees
    seed             of every model, so that the same readings give the same opinions in any slot
    settle_readings  readings before the model's score is looked at: HalfSpaceTrees scores 0 for its first 250
    bounded          whether scores crowd below 1; None: as known of the class
    parameters       of river's classes

    The novelty is that of a ``calibrated.Calibration``: so a model from river speaks about as often as any other.
    typical is the model's own where river shows it: the mean of its law (GaussianScorer, StandardAbsoluteDeviation),
    its prediction (PredictiveAnomalyDetection, a forecaster); lower and upper are then where its score would be one
    that a reading in 100 exceeds, by the law that calibrates it. Of any other model all three are NaN. A reading at
    which a model's arithmetic fails, or its score is no finite number, has no opinion; ``failures`` counts them
    (PredictiveAnomalyDetection over a regression needs ``warmup_period`` 1 or more, or it never scores).

    Raises UnknownModel and ValueError. The saved state is pickled: restore only what you saved yourself; what
    another version of river or Python has saved is refused with OtherVersion. Its size after 2,000 readings:
    HalfSpaceTrees 170 KB a series (height 6: 45 KB), LODA 47 KB, GaussianScorer 4 KB, PredictiveAnomalyDetection with
    SNARIMAX 2 KB, StandardAbsoluteDeviation 0.3 KB.
    """

    def __init__(
        self, capacity: int, model: str = "anomaly.HalfSpaceTrees", *,
        lags: int = 0, seed: int = 0, settle_readings: int = 250, bounded: bool | None = None, **parameters: object,
    ) -> None:
        if not is_count(lags, 0) or lags > LAGS_MAX:
            raise ValueError(f"lags is {lags!r}: expected a whole number, 0 to {LAGS_MAX}")
        self._calibration = Calibration(capacity, settle_readings=settle_readings)
        self._fresh, last = _pickled(model, parameters, seed)
        self._supervised = _is_supervised(last)
        self._kind = type(_innermost(last))
        self._bounded = self._kind.__name__ in BOUNDED if bounded is None else bool(bounded)
        self._features = [f"lag_{k}" for k in range(1, lags + 1)]
        self._try_out(model)
        self._models: dict[int, Any] = {}
        self._lag = np.zeros((capacity, lags), np.float64)
        self._failures = np.zeros(capacity, np.int64)
        self._bytes: int | None = None

    def _try_out(self, model: str) -> None:
        """Raise ValueError if a copy of the model cannot take three readings: some parameters are only used then."""
        copy = pickle.loads(self._fresh)
        try:
            for value in (0.25, 0.5, 0.75):
                self._judge_then_learn(copy, np.full(len(self._features), value), value)
        except Exception as error:  # whatever it is, it is better raised here than at the first reading
            raise ValueError(f"{model} fails at its first readings: {type(error).__name__}: {error}") from error

    @property
    def bytes_per_series(self) -> int:
        """An estimate: the size of the Python objects of one model after 300 readings, and our own arrays."""
        if self._bytes is None:
            model, rng = pickle.loads(self._fresh), np.random.default_rng(0)
            for value in rng.normal(size=300):
                self._judge_then_learn(model, np.full(self._lag.shape[1], value), float(value))
            self._bytes = _size_of(model) + 8 * (1 + self._lag.shape[1]) + self._calibration.bytes_per_series
        return self._bytes

    def failures(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        """At how many readings the model of each slot failed or gave no number."""
        return self._failures[slot]

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        """Judge, then learn, n points in order."""
        score, typical, unit = (np.full(slot.size, np.nan) for _ in range(3))
        for i, (s, v) in enumerate(zip(slot.tolist(), np.clip(value, -VALUE_MAX, VALUE_MAX).tolist(), strict=True)):
            lag = self._lag[s]
            model = self._models.get(s)
            if model is None:
                model = self._models[s] = pickle.loads(self._fresh)
                lag[:] = v
            score[i], typical[i], unit[i] = self._judge_then_learn(model, lag, v)
            if lag.size:
                lag[1:] = lag[:-1].copy()
                lag[0] = v
            self._failures[s] += math.isnan(score[i])
        novelty, probability, high = self._calibration.process(slot, time_ms, score)
        half = unit * np.array([self._distance(one) for one in high.tolist()])
        typical[np.isnan(novelty) | ~np.isfinite(typical) | ~np.isfinite(half)] = np.nan
        return Opinions(novelty, probability, typical, typical - half, typical + half)

    def _judge_then_learn(
        self, model: Any, lag: NDArray[np.float64], value: float,
    ) -> tuple[float, float, float]:
        """The model's score of *value*, what it expected, and its unit of distance; NaN: none. Then it learns."""
        x = dict(zip(self._features, lag.tolist(), strict=True))
        target = {"y": value} if self._supervised else {}
        if not self._supervised:
            x["value"] = value
        try:
            typical, unit = _expected(model, x)
        except NO_NUMBER:
            typical = unit = math.nan
        try:
            score = float(model.score_one(x, **target))
        except NO_NUMBER:
            score = math.nan
        try:
            model.learn_one(x, **target)
        except NO_NUMBER:
            score = math.nan
        if not math.isfinite(score):
            score = math.nan
        return (spread_out(score) if self._bounded else score), typical, unit

    def _distance(self, score: float) -> float:
        """How many units from what was expected a reading of this score lies."""
        raw = -math.expm1(-score) if self._bounded else score
        if self._kind is anomaly.GaussianScorer:
            share = min(max(raw, 0.0), 1.0 - sys.float_info.epsilon)
            return NormalDist().inv_cdf(0.5 + 0.5 * share) if score == score else math.nan
        return math.sqrt(max(raw, 0.0)) if self._kind is anomaly.PredictiveAnomalyDetection else max(raw, 0.0)

    def warmup_left(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many readings each slot still needs: for the model to settle, then for the calibration of its scores."""
        return self._calibration.warmup_left(slot)

    def save(self, slot: NDArray[np.int32]) -> State:
        """A copy: the pickled models one after the other (``pickled``, ``pickled_end``), and a column of each array."""
        models = [self._models.get(s) for s in slot.tolist()]
        pickled = [b"" if m is None else pickle.dumps(m, pickle.HIGHEST_PROTOCOL) for m in models]
        return self._calibration.save(slot) | {
            "written_by": np.frombuffer(WRITTEN_BY.encode(), np.uint8).copy(),
            "pickled": np.frombuffer(b"".join(pickled), np.uint8).copy(),
            "pickled_end": np.cumsum([len(p) for p in pickled], dtype=np.int64),
            "lag": self._lag[slot], "failures": self._failures[slot],
        }

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        """Set these slots to what ``save`` gave for as many slots. Raises OtherVersion; nothing is then changed."""
        written_by = state["written_by"].tobytes().decode(errors="replace")
        if written_by != WRITTEN_BY:
            raise OtherVersion(f"its models were written by {written_by}; this is {WRITTEN_BY}")
        pickled, start = state["pickled"].tobytes(), 0
        for s, end in zip(slot.tolist(), state["pickled_end"].tolist(), strict=True):
            self._models.pop(s, None)
            if end > start:
                self._models[s] = pickle.loads(pickled[start:end])
            start = end
        self._lag[slot], self._failures[slot] = state["lag"], state["failures"]
        self._calibration.restore(slot, state)

    def forget(self, slot: NDArray[np.int32]) -> None:
        """Set these slots back to never having seen a point."""
        for s in slot.tolist():
            self._models.pop(s, None)
        self._lag[slot], self._failures[slot] = 0.0, 0
        self._calibration.forget(slot)


def _pickled(model: str, parameters: Mapping[str, object], seed: int) -> tuple[bytes, Any]:
    """The model as it begins, pickled, the same whenever it is made; and its last step. Raises as ``_build``."""
    (made, last), (again, _) = (_build(model, parameters, seed) for _ in range(2))
    fresh = pickle.dumps(made, pickle.HIGHEST_PROTOCOL)
    if fresh != pickle.dumps(again, pickle.HIGHEST_PROTOCOL):
        # It holds a generator that it takes no seed for, as GaussianScorer does, only to draw samples from its law.
        for thing in _reached(made):
            if callable(getattr(type(thing), "seed", None)):
                thing.seed(seed)
        fresh = pickle.dumps(made, pickle.HIGHEST_PROTOCOL)
    return fresh, last


def _build(model: str, parameters: Mapping[str, object], seed: int, *, nested: bool = False) -> tuple[Any, Any]:
    """The river model and its last step. Raises UnknownModel, and ValueError for parameters that river refuses."""
    classes = [_class_of(step.strip()) for step in model.split("|")]
    given: list[dict[str, Any]] = [{} for _ in classes]
    for key, value in parameters.items():
        step, name = _step_of(key, classes)
        given[step][name] = _value(value, seed)
    steps = []
    for cls, arguments in zip(classes, given, strict=True):
        taken = inspect.signature(cls).parameters
        if "seed" in taken:
            arguments.setdefault("seed", seed)
        try:
            steps.append(cls(**arguments))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{cls.__name__} takes {', '.join(taken) or 'no parameters'}: {error}") from error
    if not nested and isinstance(steps[-1], Forecaster):
        steps[-1] = Forecast(steps[-1])
    last = steps[-1]
    if not nested and not hasattr(last, "score_one"):
        raise UnknownModel(f"{model} is no anomaly detector: its last step has no score")
    if isinstance(last, Forecast) and len(steps) > 1:
        raise UnknownModel(f"{model} is no anomaly detector: a forecaster stands alone, for it takes no features")
    made = steps[0]
    for step_made in steps[1:]:
        made = made | step_made
    return made, last


def _class_of(step: str) -> Any:
    module, _, name = step.rpartition(".")
    try:
        found = getattr(importlib.import_module(f"river.{module}"), name) if module else None
    except (ImportError, AttributeError) as error:
        raise UnknownModel(f"river has no {step!r}: {error}") from error
    # A name may come from a request: only classes of river's that learn are called.
    if not inspect.isclass(found) or not found.__module__.startswith("river.") or not _learns(found):
        raise UnknownModel(f"river has no model {step!r}")
    return found


def _learns(cls: Any) -> bool:
    return hasattr(cls, "learn_one") or hasattr(cls, "transform_one")


def _step_of(key: str, classes: list[Any]) -> tuple[int, str]:
    """Which step a parameter belongs to, and its name there."""
    prefix, dot, name = key.rpartition(".")
    if not dot:
        return len(classes) - 1, key
    fits = [i for i, cls in enumerate(classes) if prefix in (cls.__name__, str(i + 1))]
    if len(fits) != 1:
        steps = ", ".join(f"{i + 1} {cls.__name__}" for i, cls in enumerate(classes))
        raise ValueError(f"the parameter {key!r} names {len(fits)} of the steps ({steps}): expected one")
    return fits[0], name


def _value(value: object, seed: int) -> Any:
    if isinstance(value, Mapping) and isinstance(value.get("river"), str):
        return _build(value["river"], {k: v for k, v in value.items() if k != "river"}, seed, nested=True)[0]
    return value


def _innermost(last: Any) -> Any:
    """The detector that a filter wraps, itself if it is none."""
    return getattr(last, "anomaly_detector", last)


def _is_supervised(last: Any) -> bool:
    return "y" in inspect.signature(_innermost(last).score_one).parameters


def _expected(model: Any, x: Mapping[str, float]) -> tuple[float, float]:
    """What the model expects of the next reading, and its unit of distance; NaN where river does not show it."""
    steps = list(model.steps.values()) if isinstance(model, compose.Pipeline) else [model]
    last = _innermost(steps[-1])
    if isinstance(last, Forecast):
        return last.next(), 1.0
    if isinstance(last, anomaly.GaussianScorer):
        return last.gaussian.mu, last.gaussian.sigma
    if isinstance(last, anomaly.StandardAbsoluteDeviation):
        return last.sub_stat.get(), math.sqrt(last.variance.get())
    if isinstance(last, anomaly.PredictiveAnomalyDetection):
        unit = math.sqrt(last.dynamic_mae.get() + last.n_std * math.sqrt(last.dynamic_se_variance.get()))
        if isinstance(last.predictive_model, Forecaster):
            return last.predictive_model.forecast(last.horizon)[0], unit
        if len(steps) == 1:  # else it sees features that only the whole pipeline makes
            return last.predictive_model.predict_one(x), unit
    return math.nan, math.nan


def _size_of(root: Any) -> int:
    """Bytes of the objects that *root* reaches, without classes, functions and modules."""
    return sum(sys.getsizeof(thing) for thing in _reached(root))


def _reached(root: Any) -> Iterator[Any]:
    """The objects that *root* reaches, each once, without classes, functions and modules."""
    shared = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType)
    seen: dict[int, Any] = {}
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) not in seen and not isinstance(thing, shared):
            seen[id(thing)] = thing
            waiting.extend(gc.get_referents(thing))
    return iter(seen.values())
