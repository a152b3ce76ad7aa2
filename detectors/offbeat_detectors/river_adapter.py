"""Any anomaly detector of river as one of ours. A Python object a series: for thousands of series, not millions.

A model is named as in river's reference, steps joined by "|"; parameters are those of its classes, as JSON values:

    model                                                    parameters
    anomaly.HalfSpaceTrees                                   {"n_trees": 25, "height": 6}
    preprocessing.MinMaxScaler|anomaly.HalfSpaceTrees        {"HalfSpaceTrees.n_trees": 25, "window_size": 100}
    anomaly.QuantileFilter                                   {"anomaly_detector": {"river": "anomaly.LODA"}, "q": 0.99}
    anomaly.PredictiveAnomalyDetection
        {"predictive_model": {"river": "time_series.SNARIMAX", "p": 2, "d": 0, "q": 1}}

A parameter ``Class.name`` belongs to the step of that class, ``2.name`` to the second, a plain ``name`` to the last.
A document with the key "river" is itself a model with its parameters. ``seed`` goes to every class that takes one.

A model sees ``{"value": v, "lag_1": …, "lag_k": …}``; a supervised one (GaussianScorer, StandardAbsoluteDeviation,
PredictiveAnomalyDetection) has y = v and only the lags as features, or it would be told the answer. A lag before the
first reading is the first reading.
"""
from __future__ import annotations

import gc
import importlib
import inspect
import math
import pickle
import sys
from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import Opinions, State
from offbeat_detectors.ewma import Ewma, is_count

VALUE_MAX = 1e75
"""A reading beyond it is given to the model as this much: its fourth power is still a number."""

LAGS_MAX = 1000

BOUNDED = frozenset({"GaussianScorer", "HalfSpaceTrees", "PredictiveAnomalyDetection"})
"""Models whose score crowds below 1: it is spread out as −log(1 − score) before it is calibrated."""

NO_NUMBER = (ArithmeticError, ValueError)
"""What a model raises at a reading that its arithmetic cannot bear ("math domain error" is a ValueError)."""

CALIBRATION_HALF_LIFE_READINGS = 100.0


class UnknownModel(ValueError):
    """A name that river does not have, or that is no anomaly detector."""


class RiverDetector:
    """A river model for each series, made on first sight; judged, then learned; its score calibrated to our novelty.

    model            as above
    lags             how many earlier readings the model sees
    seed             of every model, so that the same readings give the same opinions in any slot
    settle_readings  readings before the model's score is looked at: HalfSpaceTrees scores 0 for its first 250
    bounded          whether scores crowd below 1; None: as known of the class
    parameters       of river's classes

    The calibration is that of Ewma, one-sided: how improbable is a score so high, by the recent law of this model's
    scores of this series? So a model from river speaks about as often as any other detector. A score below the usual
    one is no surprise. typical, lower and upper are NaN: river's models do not say what they expected. A reading at
    which a model's arithmetic fails, or its score is no finite number, has no opinion; ``failures`` counts them
    (PredictiveAnomalyDetection over a regression needs ``warmup_period`` 1 or more, or it never scores).

    Raises UnknownModel and ValueError. The saved state is pickled: restore only what you saved yourself. Its size
    after 2,000 readings: HalfSpaceTrees 170 KB a series (height 6: 45 KB), LODA 47 KB, GaussianScorer 4 KB,
    PredictiveAnomalyDetection with SNARIMAX 2 KB, StandardAbsoluteDeviation 0.3 KB.
    """

    def __init__(
        self, capacity: int, model: str = "anomaly.HalfSpaceTrees", *,
        lags: int = 0, seed: int = 0, settle_readings: int = 250, bounded: bool | None = None, **parameters: object,
    ) -> None:
        if not is_count(lags, 0) or lags > LAGS_MAX:
            raise ValueError(f"lags is {lags!r}: expected a whole number, 0 to {LAGS_MAX}")
        if not is_count(settle_readings, 0):
            raise ValueError(f"settle_readings is {settle_readings!r}: expected a whole number, 0 to 1000000")
        made, last = _build(model, parameters, seed)
        self._supervised = _is_supervised(last)
        self._bounded = type(_innermost(last)).__name__ in BOUNDED if bounded is None else bool(bounded)
        self._fresh = pickle.dumps(made, pickle.HIGHEST_PROTOCOL)
        self._features = [f"lag_{k}" for k in range(1, lags + 1)]
        self._try_out(model)
        self._models: dict[int, Any] = {}
        self._settle = settle_readings
        self._lag = np.zeros((capacity, lags), np.float64)
        self._seen = np.zeros(capacity, np.int64)
        self._failures = np.zeros(capacity, np.int64)
        self._calibration = Ewma(capacity, half_life_readings=CALIBRATION_HALF_LIFE_READINGS)
        self._bytes: int | None = None

    def _try_out(self, model: str) -> None:
        """Raise ValueError if a copy of the model cannot take three readings: some parameters are only used then."""
        copy = pickle.loads(self._fresh)
        try:
            for value in (0.25, 0.5, 0.75):
                self._score_then_learn(copy, np.full(len(self._features), value), value)
        except Exception as error:  # whatever it is, it is better raised here than at the first reading
            raise ValueError(f"{model} fails at its first readings: {type(error).__name__}: {error}") from error

    @property
    def bytes_per_series(self) -> int:
        """An estimate: the size of the Python objects of one model after 300 readings, and our own arrays."""
        if self._bytes is None:
            model, rng = pickle.loads(self._fresh), np.random.default_rng(0)
            for value in rng.normal(size=300):
                self._score_then_learn(model, np.full(self._lag.shape[1], value), float(value))
            self._bytes = _size_of(model) + 8 * (2 + self._lag.shape[1]) + self._calibration.bytes_per_series
        return self._bytes

    def failures(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        """At how many readings the model of each slot failed or gave no number."""
        return self._failures[slot]

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        """Judge, then learn, n points in order."""
        score = np.full(slot.size, np.nan)
        for i, (s, v) in enumerate(zip(slot.tolist(), np.clip(value, -VALUE_MAX, VALUE_MAX).tolist(), strict=True)):
            lag = self._lag[s]
            model = self._models.get(s)
            if model is None:
                model = self._models[s] = pickle.loads(self._fresh)
                lag[:] = v
            raw = self._score_then_learn(model, lag, v)
            if lag.size:
                lag[1:] = lag[:-1].copy()
                lag[0] = v
            self._failures[s] += math.isnan(raw)
            if self._seen[s] >= self._settle:
                score[i] = raw
            self._seen[s] += 1
        return self._calibrated(slot, time_ms, score)

    def _score_then_learn(self, model: Any, lag: NDArray[np.float64], value: float) -> float:
        """The model's score of *value*, NaN if it gives none; then *value* is learned."""
        x = dict(zip(self._features, lag.tolist(), strict=True))
        target = {"y": value} if self._supervised else {}
        if not self._supervised:
            x["value"] = value
        try:
            score = float(model.score_one(x, **target))
        except NO_NUMBER:
            score = math.nan
        try:
            model.learn_one(x, **target)
        except NO_NUMBER:
            return math.nan
        if not math.isfinite(score):
            return math.nan
        if self._bounded:
            return -math.log(max(1.0 - score, sys.float_info.epsilon))
        return score

    def _calibrated(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], score: NDArray[np.float64]) -> Opinions:
        """Novelty and probability of raw scores, NaN where the score is NaN."""
        told = ~np.isnan(score)
        of = self._calibration.process(slot[told], time_ms[told], score[told])
        higher = ~(score[told] <= of.typical)  # true also for NaN: no opinion stays none
        novelty, probability, unknown = (np.full(slot.size, np.nan) for _ in range(3))
        novelty[told] = np.where(higher, of.novelty, 0.0)
        probability[told] = np.where(higher, of.probability, 1.0)
        return Opinions(novelty, probability, unknown, unknown.copy(), unknown.copy())

    def warmup_left(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many readings each slot still needs: for the model to settle, then for the calibration of its scores."""
        return np.maximum(0, self._settle - self._seen[slot]) + self._calibration.warmup_left(slot)

    def save(self, slot: NDArray[np.int32]) -> State:
        """A copy: the pickled models one after the other (``pickled``, ``pickled_end``), and a column of each array."""
        models = [self._models.get(s) for s in slot.tolist()]
        pickled = [b"" if m is None else pickle.dumps(m, pickle.HIGHEST_PROTOCOL) for m in models]
        state = {f"calibration_{name}": column for name, column in self._calibration.save(slot).items()}
        return state | {
            "pickled": np.frombuffer(b"".join(pickled), np.uint8).copy(),
            "pickled_end": np.cumsum([len(p) for p in pickled], dtype=np.int64),
            "lag": self._lag[slot], "seen": self._seen[slot], "failures": self._failures[slot],
        }

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        """Set these slots to what ``save`` gave for as many slots."""
        pickled, start = state["pickled"].tobytes(), 0
        for s, end in zip(slot.tolist(), state["pickled_end"].tolist(), strict=True):
            self._models.pop(s, None)
            if end > start:
                self._models[s] = pickle.loads(pickled[start:end])
            start = end
        self._lag[slot], self._seen[slot], self._failures[slot] = state["lag"], state["seen"], state["failures"]
        prefix = "calibration_"
        self._calibration.restore(slot, {n.removeprefix(prefix): c for n, c in state.items() if n.startswith(prefix)})

    def forget(self, slot: NDArray[np.int32]) -> None:
        """Set these slots back to never having seen a point."""
        for s in slot.tolist():
            self._models.pop(s, None)
        self._lag[slot], self._seen[slot], self._failures[slot] = 0.0, 0, 0
        self._calibration.forget(slot)


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
    last = steps[-1]
    if not nested and not hasattr(last, "score_one"):
        raise UnknownModel(f"{model} is no anomaly detector: its last step has no score")
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


def _size_of(root: Any) -> int:
    """Bytes of the objects that *root* reaches, without classes, functions and modules."""
    shared = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType)
    seen: dict[int, Any] = {}
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) not in seen and not isinstance(thing, shared):
            seen[id(thing)] = thing
            waiting.extend(gc.get_referents(thing))
    return sum(sys.getsizeof(thing) for thing in seen.values())
