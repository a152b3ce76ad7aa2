"""How much a finding of a young series counts."""
from __future__ import annotations

import numpy as np
import pytest

from offbeat_detectors import settling
from offbeat_detectors.contract import Settling
from offbeat_detectors.rhythm import Rhythm
from offbeat_detectors.scores import AlertStage

DAY_MS = 86_400_000
MINUTE_MS = 60_000


@pytest.mark.parametrize(("seen", "days", "share"), [
    (0, 0.0, 0.0), (750, 0.1, 0.5), (1500, 1.0, 1.0), (9000, 6.0, 1.0), (120, 5.0, 1.0), (30, 2.5, 0.5),
    (5, -3.0, 5 / 1500),
])
def test_a_series_settles_by_its_readings_or_by_its_days_whichever_comes_first(
    seen: int, days: float, share: float,
) -> None:
    share **= settling.POWER
    assert settling.settled(seen, days * DAY_MS) == pytest.approx(share)
    said = settling.state_of(np.array([seen]), np.array([days * DAY_MS]))
    assert said.share[0] == pytest.approx(share)
    assert (said.readings_left[0] > 0, said.ms_left[0] > 0.0) == (share < 1.0, share < 1.0)


def test_a_finding_is_no_stronger_than_so_few_readings_can_bear() -> None:
    assert settling.allowed(1000.0, 100, 1000.0 * DAY_MS) == settling.BEARS * 100
    assert settling.allowed(2.0, 100_000, 1000.0 * DAY_MS) == 2.0
    assert settling.allowed(2.0, 750, 0.0) == pytest.approx(2.0 * 0.5**settling.POWER)


def test_a_constant_that_moves_for_the_first_time_is_no_alarm_early_and_one_later() -> None:
    def strongest(at: int) -> float:
        value = np.full(at + 40, 5.0)
        value[at:] = 9.0
        detector, slot = Rhythm(1), np.zeros(value.size, np.int32)
        said = detector.process(slot, MINUTE_MS * np.arange(value.size), value)
        return float(AlertStage(1).strength_of(slot, said).max())

    assert strongest(100) < 1.4 < 3.0 < strongest(2500)


def test_the_detector_says_how_far_its_series_have_settled() -> None:
    detector = Rhythm(3)
    assert isinstance(detector, Settling)
    for slot, readings, minutes in ((0, 300, 1), (1, 2000, 1), (2, 240, 60)):
        times = MINUTE_MS * minutes * np.arange(readings)
        detector.process(np.full(readings, slot, np.int32), times, np.random.default_rng(1).normal(size=readings))
    said = detector.settled(np.arange(3, dtype=np.int32))
    assert said.share == pytest.approx([0.2**settling.POWER, 1.0, 1.0])
    assert said.readings_left.tolist() == [1200, 0, 0]
    assert said.ms_left == pytest.approx([5 * DAY_MS - 299 * MINUTE_MS, 0.0, 0.0])
    assert said.strength_max == pytest.approx(settling.BEARS * np.array([300, 2000, 240]))
    whole = Rhythm(1, without=["settling"]).settled(np.zeros(1, np.int32))
    assert whole.share[0] == 1.0
