"""Five days of response times of 19 airlines: what must be found in them, and what must not suffer."""
from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from offbeat_detectors.contract import Opinions
from offbeat_detectors.ewma import Ewma
from offbeat_detectors.scores import AlertStage, score_of_strength

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "farequote.csv"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="farequote.csv is not beside the project")


@dataclass(frozen=True, slots=True)
class Calls:
    """The rows of the file: row i is a call to airlines[slot[i]] at time_ms[i] that took value[i] ms."""

    airlines: tuple[str, ...]
    slot: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]


@pytest.fixture(scope="module")
def calls() -> Calls:
    with open(DATA, newline="") as file:
        rows = list(csv.DictReader(file))
    airlines = tuple(sorted({row["airline"] for row in rows}))
    times = [datetime.strptime(row["time"], "%Y-%m-%dT%H:%M:%S%z").timestamp() for row in rows]
    return Calls(airlines, np.array([airlines.index(row["airline"]) for row in rows], np.int32),
                 (1000 * np.array(times)).astype(np.int64), np.array([float(row["responsetime"]) for row in rows]))


def judged(calls: Calls, rows: slice = slice(None)) -> tuple[Opinions, NDArray[np.float64]]:
    """What is said of each call, and the strength of the findings."""
    count = len(calls.airlines)
    said = Ewma(count).process(calls.slot[rows], calls.time_ms[rows], calls.value[rows])
    return said, AlertStage(count).process(calls.slot[rows], said.novelty)


def test_the_two_highest_findings_are_the_slow_minutes_of_aal_and_the_damaged_value_of_awe(calls: Calls) -> None:
    said, strength = judged(calls)
    score = np.array([score_of_strength(e) for e in strength])
    first, second = np.lexsort((-said.novelty, -score))[:2]
    assert (first, calls.airlines[calls.slot[first]]) == (calls.value.size - 1, "AWE")
    assert calls.value[first] == 1111119.6438
    assert calls.airlines[calls.slot[second]] == "AAL"
    at = datetime.fromisoformat("2015-12-09T16:14:00+00:00").timestamp() * 1000
    assert at <= calls.time_ms[second] < at + 2 * 60_000
    assert score[first] == 100.0
    assert score[second] > 65.0
    assert np.sort(score)[-3] < 55.0


def test_the_slow_minutes_are_one_incident_and_one_finding(calls: Calls) -> None:
    _, strength = judged(calls)
    aal = calls.slot == calls.airlines.index("AAL")
    start = datetime.fromisoformat("2015-12-09T16:14:00+00:00").timestamp() * 1000
    within = aal & (calls.time_ms >= start) & (calls.time_ms < start + 2 * 60_000)
    assert within.sum() > 100
    assert (strength[within] >= 0.7).sum() == 1


def test_without_the_damaged_value_nothing_else_changes(calls: Calls) -> None:
    said, strength = judged(calls)
    without, strength_without = judged(calls, slice(0, -1))
    for name in ("novelty", "probability", "typical", "lower", "upper"):
        np.testing.assert_array_equal(getattr(said, name)[:-1], getattr(without, name))
    np.testing.assert_array_equal(strength[:-1], strength_without)


def test_an_airline_is_judged_as_if_there_were_no_other(calls: Calls) -> None:
    said, _ = judged(calls)
    for s in (0, 3, 7):
        mine = calls.slot == s
        alone = Ewma(1).process(np.zeros(mine.sum(), np.int32), calls.time_ms[mine], calls.value[mine])
        np.testing.assert_array_equal(said.novelty[mine], alone.novelty)


def test_five_days_of_19_airlines_have_few_findings(calls: Calls) -> None:
    _, strength = judged(calls)
    assert (strength >= 0.7).mean() * 1e4 < 7.0
    assert (strength >= 1.4).mean() * 1e4 < 1.2
