"""Models of river as detectors."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from offbeat_detectors import conformance, river_adapter
from offbeat_detectors.contract import Opinions
from offbeat_detectors.river_adapter import OtherVersion, RiverDetector, UnknownModel

FOREST = "preprocessing.MinMaxScaler|anomaly.HalfSpaceTrees"
SMALL: dict[str, Any] = {"HalfSpaceTrees.n_trees": 3, "2.height": 4, "window_size": 50, "settle_readings": 50}
SLOT = np.zeros(1, np.int32)


def judged(detector: RiverDetector, values: NDArray[np.float64]) -> Opinions:
    return detector.process(np.zeros(len(values), np.int32), np.zeros(len(values), np.int64), np.asarray(values, float))


def noise(n: int = 1500, seed: int = 0) -> NDArray[np.float64]:
    return 20.0 + np.random.default_rng(seed).normal(size=n)


@pytest.mark.parametrize(("model", "parameters"), [
    ("anomaly.GaussianScorer", {}),
    (FOREST, {**SMALL, "lags": 2}),
    ("time_series.HoltWinters", {"alpha": 0.3, "beta": 0.1, "settle_readings": 50}),
])
def test_it_passes_all_checks(model: str, parameters: dict[str, Any]) -> None:
    assert conformance.check(lambda capacity: RiverDetector(capacity, model, **parameters), readings=400) == []


@pytest.mark.parametrize(("model", "parameters"), [
    ("anomaly.GaussianScorer", {}),
    ("anomaly.StandardAbsoluteDeviation", {}),
    ("anomaly.PredictiveAnomalyDetection",
     {"predictive_model": {"river": "time_series.SNARIMAX", "p": 2, "d": 0, "q": 1}, "n_std": 30.0}),
])
def test_a_spike_is_a_finding_and_the_rest_is_not(model: str, parameters: dict[str, Any]) -> None:
    values = noise()
    values[1200] = 45.0
    said = judged(RiverDetector(1, model, **parameters), values)
    assert said.novelty[1200] > 2.0
    assert (np.delete(said.novelty, 1200)[280:] > 1.4).sum() <= 2


def test_a_score_below_the_usual_one_is_no_surprise() -> None:
    said = judged(RiverDetector(1, "anomaly.StandardAbsoluteDeviation", settle_readings=10), noise())
    assert (said.probability[300:] == 1.0).mean() > 0.3
    assert (said.novelty[said.probability == 1.0] == 0.0).all()


def test_a_supervised_model_is_not_told_the_answer() -> None:
    """A regression that saw the value among its features would never be wrong."""
    parameters: dict[str, Any] = {"predictive_model": {"river": "linear_model.LinearRegression"}, "warmup_period": 20}
    detector = RiverDetector(1, "anomaly.PredictiveAnomalyDetection", lags=2, **parameters)
    features: list[set[str]] = []

    class Spy:
        def score_one(self, x: dict[str, float], y: float) -> float:
            features.append(set(x))
            return 0.0

        def learn_one(self, x: dict[str, float], y: float) -> None:
            features.append(set(x))

    detector._models[0] = Spy()
    judged(detector, noise(3))
    assert features == [{"lag_1", "lag_2"}] * 6


def test_an_unsupervised_model_sees_the_value_and_its_lags() -> None:
    detector = RiverDetector(1, "anomaly.LODA", lags=2)
    seen: list[dict[str, float]] = []

    class Spy:
        def score_one(self, x: dict[str, float]) -> float:
            seen.append(dict(x))
            return 0.0

        def learn_one(self, x: dict[str, float]) -> None:
            pass

    judged(detector, np.array([1.0, 2.0]))
    detector._models[0] = Spy()
    judged(detector, np.array([3.0]))
    assert seen == [{"value": 3.0, "lag_1": 2.0, "lag_2": 1.0}]


def test_a_model_that_cannot_score_a_reading_has_no_opinion_of_it_and_the_failures_are_counted() -> None:
    detector = RiverDetector(1, "anomaly.PredictiveAnomalyDetection", lags=1, settle_readings=0)  # its scaler gives NaN
    assert np.isnan(judged(detector, noise(50)).novelty).all()
    assert detector.failures(SLOT).tolist() == [50]


@pytest.mark.parametrize(("model", "parameters", "typical", "half"), [
    ("anomaly.GaussianScorer", {}, 20.0, 2.33),
    ("anomaly.StandardAbsoluteDeviation", {}, 20.0, 2.33),
    ("time_series.SNARIMAX", {"p": 1, "d": 0, "q": 0}, 20.0, 2.6),
    ("anomaly.PredictiveAnomalyDetection",
     {"predictive_model": {"river": "time_series.SNARIMAX", "p": 1, "d": 0, "q": 0}, "warmup_period": 50}, 20.0, 2.3),
    ("anomaly.PredictiveAnomalyDetection",
     {"predictive_model": {"river": "linear_model.LinearRegression", "intercept_lr": 0.1}, "warmup_period": 50},
     20.0, 2.3),
])
def test_what_a_model_expects_is_told_where_it_shows_it(
    model: str, parameters: dict[str, Any], typical: float, half: float,
) -> None:
    said = judged(RiverDetector(1, model, **parameters), noise(3000))
    told = ~np.isnan(said.novelty)
    assert told[300:].all()
    assert np.array_equal(told, ~np.isnan(said.typical))
    assert np.median(said.typical[1000:]) == pytest.approx(typical, abs=0.2)
    for width in (said.upper - said.typical, said.typical - said.lower):
        assert 0.5 * half < np.median(width[1000:]) < 2.0 * half


def test_a_forecaster_is_judged_by_its_errors() -> None:
    values = noise() + np.arange(1500) * 0.5
    values[1200] += 12.0
    said = judged(RiverDetector(1, "time_series.HoltWinters", alpha=0.3, beta=0.1), values)
    assert int(np.nanargmax(said.novelty)) == 1200
    assert said.lower[1200] < values[1200] - 12.0 < said.upper[1200] < values[1200]


@pytest.mark.parametrize("model", [
    "anomaly.GaussianScorer", "anomaly.StandardAbsoluteDeviation", FOREST, "time_series.HoltWinters",
])
def test_the_saved_state_is_the_same_whatever_came_between(model: str) -> None:
    """Else a replay, which restores where the daemon went on, would differ from the checkpoint."""
    parameters = {"alpha": 0.3} if model.startswith("time_series") else {}
    whole, restored = (RiverDetector(1, model, **parameters) for _ in range(2))
    judged(whole, noise(500))
    judged(restored, noise(500)[:200])
    restored.restore(SLOT, conformance.through_bytes(restored.save(SLOT)))
    judged(restored, noise(500)[200:])
    kept, other = whole.save(SLOT), restored.save(SLOT)
    assert [name for name in kept if not np.array_equal(kept[name], other[name], equal_nan=name != "pickled")] == []


def test_what_another_version_has_pickled_is_refused_by_name_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = RiverDetector(1, "anomaly.GaussianScorer")
    judged(detector, noise(300))
    kept = detector.save(SLOT)
    kept["pickled"][:] = 0  # reading it would raise something else
    monkeypatch.setattr(river_adapter, "WRITTEN_BY", "river 99.0, Python 3.99")
    with pytest.raises(OtherVersion, match=r"written by river 0\..*, Python 3\..*; this is river 99\.0, Python 3\.99"):
        detector.restore(SLOT, kept)
    assert detector.warmup_left(SLOT).tolist() == [0]


def test_the_same_readings_give_the_same_opinions_whatever_the_seed_of_the_process() -> None:
    one, other = (judged(RiverDetector(1, FOREST, **SMALL), noise(400)) for _ in range(2))
    different = judged(RiverDetector(1, FOREST, seed=1, **SMALL), noise(400))
    assert conformance.difference(one, other) == ""
    assert conformance.difference(one, different) != ""


def test_the_warm_up_is_that_of_the_model_and_of_its_calibration() -> None:
    detector = RiverDetector(2, "anomaly.GaussianScorer", settle_readings=100)
    assert detector.warmup_left(SLOT).tolist() == [130]
    judged(detector, noise(130))
    assert detector.warmup_left(np.array([0, 1], np.int32)).tolist() == [0, 130]


def test_the_memory_of_a_forest_is_told_to_be_larger_than_that_of_a_normal_law() -> None:
    forest, law = RiverDetector(1), RiverDetector(1, "anomaly.GaussianScorer")
    assert 100_000 < forest.bytes_per_series < 4_000_000
    assert 200 < law.bytes_per_series < 10_000


@pytest.mark.parametrize(("model", "parameters", "error", "message"), [
    ("anomaly.Nothing", {}, UnknownModel, "anomaly.Nothing"),
    ("GaussianScorer", {}, UnknownModel, "GaussianScorer"),
    ("", {}, UnknownModel, "no model"),
    ("linear_model.LinearRegression", {}, UnknownModel, "no anomaly detector"),
    ("preprocessing.MinMaxScaler|time_series.SNARIMAX", {"p": 1, "d": 0, "q": 0}, UnknownModel, "stands alone"),
    ("datasets.CreditCard", {}, UnknownModel, "no model"),
    ("anomaly.HalfSpaceTrees", {"trees": 3}, ValueError, "HalfSpaceTrees takes n_trees"),
    ("anomaly.HalfSpaceTrees", {"n_trees": "many"}, ValueError, "fails at its first readings"),
    (FOREST, {"Scaler.x": 3}, ValueError, "names 0 of the steps"),
    ("anomaly.HalfSpaceTrees", {"lags": -1}, ValueError, "lags"),
    ("anomaly.HalfSpaceTrees", {"settle_readings": 0.5}, ValueError, "settle_readings"),
])
def test_a_model_that_cannot_be_made_is_refused_at_once(
    model: str, parameters: dict[str, Any], error: type[ValueError], message: str,
) -> None:
    with pytest.raises(error, match=message):
        RiverDetector(1, model, **parameters)
