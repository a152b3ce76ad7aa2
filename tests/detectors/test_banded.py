"""A detector without a typical value, in one that asks the experts."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from offbeat_detectors import conformance, experts, registry
from offbeat_detectors.banded import Banded, banded
from offbeat_detectors.contract import Detector, Explaining, Grouped, Opinions, State, Watchful
from offbeat_detectors.ewma import Ewma
from offbeat_detectors.population import Population
from offbeat_detectors.rhythm import Rhythm
from offbeat_detectors.rows import zero_rows
from tests.detectors.plugins import Jumps

HOUR_MS = 3_600_000


class Bare:
    """Speaks from the first reading on; of each it says only what it was told to say."""

    bytes_per_series = 1

    def __init__(self, **said: float) -> None:
        self.said = said

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        names = ("novelty", "probability", "typical", "lower", "upper")
        return Opinions(*(np.full(slot.size, self.said.get(name, np.nan)) for name in names))

    def warmup_left(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        return np.zeros(slot.size, np.int64)

    def save(self, slot: NDArray[np.int32]) -> State:
        return {}

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        pass

    def forget(self, slot: NDArray[np.int32]) -> None:
        pass


def wave(n: int = 400) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    time_ms = 1_767_225_600_000 + HOUR_MS * np.arange(n)
    return np.zeros(n, np.int32), time_ms, np.sin(np.arange(n) * 2 * np.pi / 24) * 5 + 20


@pytest.mark.parametrize("model", ["river:anomaly.GaussianScorer", "river:time_series.HoltWinters"])
def test_it_passes_all_checks_around_a_model_of_river(model: str) -> None:
    parameters: dict[str, Any] = {"settle_readings": 40} | ({"alpha": 0.3} if "time_series" in model else {})
    assert conformance.check(lambda capacity: registry.create(model, capacity, parameters), readings=200) == []


def test_it_passes_all_checks_around_a_detector_in_groups() -> None:
    assert conformance.check(lambda capacity: banded(Population(capacity), capacity), readings=400) == []


def test_what_is_left_open_is_what_the_experts_say() -> None:
    slot, time_ms, value = wave()
    said = banded(Bare(novelty=0.5), 1).process(slot, time_ms, value)
    theirs = np.empty((3, slot.size))
    experts.process_all(
        zero_rows(1, experts.EXPERTS), slot, time_ms, value, np.zeros(slot.size, np.int64), np.full(slot.size, np.nan),
        *theirs)
    np.testing.assert_array_equal(np.stack([said.typical, said.lower, said.upper]), theirs)
    assert (said.novelty[experts.FIRST:] == 0.5).all()


def test_what_the_detector_says_itself_stays() -> None:
    slot, time_ms, value = wave()
    own = Ewma(1).process(slot, time_ms, value)
    assert conformance.difference(own, banded(Ewma(1), 1).process(slot, time_ms, value)) == ""


def test_before_the_experts_have_an_opinion_there_is_none() -> None:
    detector = banded(Bare(novelty=0.5, probability=0.1), 1)
    slot, time_ms, value = wave(8)
    assert detector.warmup_left(slot[:1]).tolist() == [5]
    said = detector.process(slot, time_ms, value)
    for column in (said.novelty, said.probability, said.typical, said.lower, said.upper):
        assert np.isnan(column[:5]).all()
    assert detector.warmup_left(slot[:1]).tolist() == [0]


def test_the_days_of_the_experts_are_those_of_the_time_zone() -> None:
    """Three weeks with the night in which the clock goes forward in the middle."""
    change_ms = 1_774_746_000_000  # 2026-03-29 01:00 UTC
    time_ms = change_ms + HOUR_MS * np.arange(-250, 250)
    slot, value = np.zeros(500, np.int32), np.sin(np.arange(500) * 2 * np.pi / 24) * 5 + 20
    said = {zone: banded(Bare(novelty=0.0), 1, time_zone=zone).process(slot, time_ms, value)
            for zone in ("UTC", "Europe/Berlin")}
    expected = np.empty((3, 500))
    experts.process_all(
        zero_rows(1, experts.EXPERTS), slot, time_ms, value, np.where(time_ms < change_ms, HOUR_MS, 2 * HOUR_MS),
        np.full(500, np.nan), *expected)
    np.testing.assert_array_equal(said["Europe/Berlin"].typical, expected[0])
    assert not np.array_equal(said["UTC"].typical, expected[0], equal_nan=True)


@pytest.mark.parametrize("inner", [Ewma(2), Rhythm(2), Population(2), Jumps(2)])
def test_it_can_what_its_detector_can(inner: Detector) -> None:
    outer = banded(inner, 2)
    for protocol in (Explaining, Watchful, Grouped):
        assert isinstance(outer, protocol) == isinstance(inner, protocol)
    if isinstance(outer, Explaining) and isinstance(inner, Explaining):
        assert outer.pieces == inner.pieces
    if isinstance(outer, Grouped) and isinstance(inner, Grouped):
        assert outer.group_by == inner.group_by


def test_evidence_and_strength_are_passed_on() -> None:
    slot, time_ms, value = wave()
    own, outer = Rhythm(1).process(slot, time_ms, value), banded(Rhythm(1), 1).process(slot, time_ms, value)
    assert own.strength is not None and outer.strength is not None
    assert own.evidence is not None and outer.evidence is not None
    np.testing.assert_array_equal(own.strength, outer.strength)
    told = own.novelty >= 0.35
    np.testing.assert_array_equal(own.evidence.share[told], outer.evidence.share[told])


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Banded(Ewma(1), 1, time_zone="Mars")
