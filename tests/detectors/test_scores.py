"""Probability to novelty, novelty to findings, strength to score."""
from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from offbeat_detectors.contract import Opinions
from offbeat_detectors.scores import (
    AlertStage,
    hold,
    novelty_all,
    novelty_of_probability,
    novelty_of_surprise,
    score_all,
    score_of_strength,
    silence_strength,
    strength_of_score,
    surprise_of_novelty,
)
from tests.detectors import naive

NOVELTY = st.one_of(st.floats(0.0, 3.0), st.sampled_from([0.0, 1.0, 1.5, 1.6, 2.9, 40.0, 1e6]), st.just(math.nan))


def said(novelties: list[float], stage: AlertStage | None = None) -> list[float]:
    """The strengths that one series' novelties come to."""
    stage = stage or AlertStage(1)
    return [float(e) for e in stage.process(np.zeros(len(novelties), np.int32), np.array(novelties))]


@pytest.mark.parametrize(
    ("strength", "score"),
    [(0.0, 0), (0.2, 0), (0.35, 0), (0.7, 25), (1.4, 50), (3.0, 75), (5.0, 90), (15.0, 100), (1e9, 100), (math.nan, 0)],
)
def test_a_score_has_one_fixed_meaning(strength: float, score: float) -> None:
    assert score_of_strength(strength) == pytest.approx(score)


@pytest.mark.parametrize(
    ("probability", "novelty"),
    [(1.0, 0), (1e-2, 0.2), (10**-2.9, 0.7), (10**-3.5, 1.4), (10**-4.1, 3), (10**-4.6, 5), (1e-6, 15), (10**-7.4, 25)],
)
def test_a_probability_has_one_fixed_novelty(probability: float, novelty: float) -> None:
    assert novelty_of_probability(probability) == pytest.approx(novelty)


def test_no_probability_no_novelty() -> None:
    assert math.isnan(novelty_of_probability(math.nan))


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.floats(0.0, 1.0), min_size=1))
@example([0.0, 5e-324, 1e-300, 1.0])
def test_the_novelty_map_agrees_with_its_definition(probabilities: list[float]) -> None:
    novelty = np.empty(len(probabilities))
    novelty_all(np.array(probabilities), novelty)
    np.testing.assert_allclose(novelty, [naive.novelty_of_probability(p) for p in probabilities], rtol=1e-9, atol=1e-12)


@settings(deadline=None)
@given(st.floats(0.0, 1e9))
@example(15.0)
def test_the_way_back_from_a_novelty_agrees_with_its_definition(novelty: float) -> None:
    assert surprise_of_novelty(novelty) == pytest.approx(naive.surprise_of_novelty(novelty), rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(st.floats(0.0, 300.0))
def test_a_novelty_leads_back_to_the_surprise_that_it_came_from(surprise: float) -> None:
    assert surprise_of_novelty(novelty_of_surprise(surprise)) == pytest.approx(surprise, rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(st.floats(-1.0, 101.0))
@example(0.0)
@example(100.0)
def test_the_way_back_from_a_score_agrees_with_its_definition(score: float) -> None:
    assert strength_of_score(score) == pytest.approx(naive.strength_of_score(score), rel=1e-12)


@settings(deadline=None)
@given(st.floats(0.0, 100.0))
def test_a_score_leads_to_a_strength_that_scores_so(score: float) -> None:
    assert score_of_strength(strength_of_score(score)) == pytest.approx(score, abs=1e-9)


def test_the_stage_tells_what_it_divides_a_novelty_by() -> None:
    stage = AlertStage(2)
    assert stage.account(np.arange(2, dtype=np.int32)).damping.tolist() == [1.0, 1.0]
    said([8.0] + [0.0] * 81, stage)
    (damping,) = stage.account(np.zeros(1, np.int32)).damping
    assert damping > 1.9
    assert said([8.0], stage) == pytest.approx([8.0 / damping], rel=1e-3)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), NOVELTY), max_size=200),
)
def test_a_silence_is_told_as_its_definition_says_however_often_it_is_judged(said_of: list[tuple[bool, float]]) -> None:
    stage, told, expected = AlertStage(1), list[float](), naive.Alerts()
    for is_reading, novelty in said_of:
        if is_reading:
            told += said([novelty], stage)
            assert told[-1] == pytest.approx(expected.reading(novelty), rel=1e-6)
            continue
        before = stage.memory.copy()
        strength = silence_strength(stage.memory, 0, novelty)
        assert silence_strength(stage.memory, 0, novelty) == strength and stage.memory == before
        assert strength == pytest.approx(expected.silence(novelty), rel=1e-6)
        if strength:
            hold(stage.memory, 0, novelty)
            assert silence_strength(stage.memory, 0, 1.7 * novelty) == 0.0


@settings(deadline=None)
@given(st.lists(st.floats(0.0, 1e9), min_size=1))
def test_the_score_map_agrees_with_its_definition(strengths: list[float]) -> None:
    score = np.empty(len(strengths))
    score_all(np.array(strengths), score)
    np.testing.assert_allclose(score, [naive.score_of_strength(e) for e in strengths], rtol=1e-9, atol=1e-9)


@settings(deadline=None)
@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_what_is_less_probable_is_never_less_novel(p: float, q: float) -> None:
    assert novelty_of_probability(min(p, q)) >= novelty_of_probability(max(p, q))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(NOVELTY, st.integers(1, 60)), min_size=1, max_size=40))
def test_the_alert_stage_agrees_with_its_definition(stretches: list[tuple[float, int]]) -> None:
    novelties = [novelty for novelty, times in stretches for _ in range(times)]
    np.testing.assert_allclose(said(novelties), naive.strengths(novelties), rtol=1e-6)


def test_one_incident_is_one_finding() -> None:
    strengths = said([0.0] * 100 + [4.0] * 60 + [0.0] * 100)
    assert [(i, e) for i, e in enumerate(strengths) if e > 0] == [(100, 4.0)]


def test_within_the_hold_only_what_is_three_quarters_more_novel_speaks_again() -> None:
    assert said([2.0, 3.4, 3.6]) == [2.0, 0.0, 3.6]


def test_after_eighty_quiet_readings_the_same_novelty_speaks_again() -> None:
    assert said([2.0, *[0.0] * 79, 2.0])[-1] == 0.0
    assert said([2.0, *[0.0] * 80, 2.0])[-1] > 0.0


def test_a_series_that_cried_before_must_cry_louder() -> None:
    once, twice = said([4.0, *[0.0] * 100, 4.0])[-1], said([4.0, *[0.0] * 100, 4.0, *[0.0] * 100, 4.0])[-1]
    assert once == pytest.approx(4.0 / 2.0, rel=0.01)
    assert twice == pytest.approx(4.0 / (1.0 + math.sqrt(2.0)), rel=0.02)


def test_an_old_peak_is_forgotten_by_half_in_three_thousand_readings() -> None:
    assert said([4.0, *[0.0] * 3081, 4.0])[-1] == pytest.approx(4.0 / (1.0 + math.sqrt(0.5)), rel=0.001)


def test_a_small_finding_does_not_damp_the_next() -> None:
    assert said([1.4, *[0.0] * 100, 4.0])[-1] == 4.0


def test_no_opinion_says_nothing_and_does_not_end_the_hold() -> None:
    assert said([2.0, *[math.nan] * 500, 2.0]) == [2.0, *[0.0] * 501]


def test_series_do_not_hold_each_other_and_cuts_change_nothing() -> None:
    rng = np.random.default_rng(5)
    slot, novelty = rng.integers(0, 7, 5000).astype(np.int32), rng.exponential(0.6, 5000)
    whole, cut = AlertStage(7).process(slot, novelty), AlertStage(7)
    pieces = [cut.process(slot[a : a + 37], novelty[a : a + 37]) for a in range(0, 5000, 37)]
    np.testing.assert_array_equal(whole, np.concatenate(pieces))
    for s in range(7):
        np.testing.assert_array_equal(whole[slot == s], said(novelty[slot == s].tolist()))


def test_the_readings_of_a_detector_with_its_own_findings_bring_the_end_of_a_silence_nearer() -> None:
    stage, other, slot = AlertStage(1), AlertStage(1), np.zeros(50, np.int32)
    for silent in (stage, other):
        hold(silent.memory, 0, 4.0)
    nothing, own = np.full(50, np.nan), np.linspace(0.0, 9.0, 50)
    told = stage.strength_of(slot, Opinions(np.full(50, 9.0), nothing, nothing, nothing, nothing, strength=own))
    other.process(slot, np.zeros(50))
    np.testing.assert_array_equal(told, own)
    assert (stage.memory["age"][0], stage.memory["held"][0]) == (50, 4.0)
    assert stage.memory.tobytes() == other.memory.tobytes()


def test_a_saved_alert_stage_goes_on_elsewhere_and_a_forgotten_one_begins_anew() -> None:
    rng = np.random.default_rng(6)
    before, after = rng.exponential(0.8, 3000).tolist(), rng.exponential(0.8, 3000).tolist()
    stage, other = AlertStage(1), AlertStage(5)
    said(before, stage)
    other.restore(np.array([3], np.int32), stage.save(np.array([0], np.int32)))
    expected = said(after, stage)
    assert other.process(np.full(3000, 3, np.int32), np.array(after)).tolist() == expected
    stage.forget(np.array([0], np.int32))
    assert said(after, stage) == said(after)


def test_the_state_of_another_number_of_series_is_refused() -> None:
    stage = AlertStage(4)
    with pytest.raises(ValueError, match="of 2 series: expected 1"):
        stage.restore(np.array([0], np.int32), stage.save(np.array([0, 1], np.int32)))


def test_the_alert_stage_takes_32_bytes_a_series() -> None:
    tracemalloc.start()
    stage = AlertStage(100_000)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert stage.bytes_per_series == 32
    assert held <= 32 * 100_000 + 10_000
