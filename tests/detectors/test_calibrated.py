"""A raw score, and the detector that becomes of it."""
from __future__ import annotations

import math

import numpy as np
import pytest

from common import calm
from offbeat_detectors import conformance, registry
from offbeat_detectors.calibrated import Calibrated, Calibration, spread_out
from offbeat_detectors.ewma import Ewma
from offbeat_detectors.scores import AlertStage
from tests.detectors.plugins import Jumps, Moves, Share

SLOT = np.zeros(1, np.int32)


@pytest.mark.parametrize("cls", [Jumps, Moves, Share])
def test_ten_lines_pass_all_checks(cls: type[Calibrated]) -> None:
    assert conformance.check(cls, readings=300) == []


def test_with_the_bands_that_the_registry_gives_it_passes_them_too() -> None:
    made = "tests.detectors.plugins:Jumps"
    assert conformance.check(lambda capacity: registry.create(made, capacity, {}), readings=300) == []


def test_a_score_is_judged_by_the_law_of_the_scores_before_and_only_if_it_is_high() -> None:
    score = np.random.default_rng(0).gamma(2.0, size=2000)
    slot, time_ms = np.zeros(2000, np.int32), np.arange(2000)
    novelty, probability, high = Calibration(1).process(slot, time_ms, score)
    law = Ewma(1, half_life_readings=100.0).process(slot, time_ms, score)
    above = score > law.typical
    np.testing.assert_array_equal(novelty[above], law.novelty[above])
    np.testing.assert_array_equal(probability[above], law.probability[above])
    below = score <= law.typical
    assert (novelty[below] == 0.0).all()
    assert (probability[below] == 1.0).all()
    np.testing.assert_array_equal(high, law.upper)


def test_what_settles_the_model_and_what_is_no_number_teaches_the_calibration_nothing() -> None:
    usual = np.random.default_rng(1).gamma(2.0, size=400)
    odd = np.concatenate([np.full(50, 1e9), usual[:200], [np.nan, np.inf, -np.inf], usual[200:]])
    settled, plain = Calibration(1, settle_readings=50), Calibration(1)
    zeros = np.zeros(500, np.int32)
    said = settled.process(zeros[:odd.size], np.arange(odd.size), odd)[0]
    expected = plain.process(zeros[:400], np.arange(400), usual)[0]
    assert np.isnan(said[:50]).all()
    assert np.isnan(said[250:253]).all()
    np.testing.assert_array_equal(np.delete(said, [250, 251, 252])[50:], expected)


def test_the_warm_up_is_that_of_the_model_and_of_its_scores() -> None:
    calibration = Calibration(1, settle_readings=10)
    assert calibration.warmup_left(SLOT).tolist() == [40]
    calibration.process(np.zeros(15, np.int32), np.arange(15), np.arange(15.0))
    assert calibration.warmup_left(SLOT).tolist() == [25]


def test_a_score_near_one_is_far_from_another_near_one() -> None:
    assert spread_out(0.0) == 0.0
    assert spread_out(0.999) == pytest.approx(2 * spread_out(1 - math.sqrt(0.001)))
    assert spread_out(1.0) == spread_out(7.0) < 40.0


def test_a_bad_number_of_settling_readings_is_refused() -> None:
    with pytest.raises(ValueError, match="settle_readings is -1"):
        Jumps(1, settle_readings=-1)


def test_each_part_of_a_score_is_told_as_its_share_in_the_novelty() -> None:
    value = np.random.default_rng(2).normal(size=500)
    value[[400, 450]] = 30.0, -30.0
    said = Moves(1).process(np.zeros(500, np.int32), np.arange(500), value)
    assert said.evidence is not None
    assert said.evidence.share[[400, 450]].tolist() == [
        [pytest.approx(said.novelty[400]), 0.0], [0.0, pytest.approx(said.novelty[450])]]
    assert said.novelty[[400, 450]].min() > 1.4


@pytest.mark.parametrize("kind", ["normal", "lognormal", "seasonal", "Poisson"])
def test_of_calm_series_a_plug_in_speaks_as_rarely_as_its_scores_say(kind: str) -> None:
    rows, count, found = 4000, 5, 0
    detector, stage = Jumps(count), AlertStage(count)
    for s in range(count):
        value = calm.KINDS[kind](np.random.default_rng([7, s]), rows)
        slot = np.full(rows, s, np.int32)
        said = detector.process(slot, np.arange(rows), value)
        found += int((stage.process(slot, said.novelty)[500:] >= 1.4).sum())
    assert found <= 0.0006 * rows * count
