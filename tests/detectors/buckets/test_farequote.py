"""Response times of 19 airlines by the hour and by five minutes: the finding that every tutorial shows."""
from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from offbeat_detectors.buckets.model import BucketModel, BucketOpinions

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "farequote.csv"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="farequote.csv is not beside the project")


@dataclass(frozen=True, slots=True)
class Means:
    """mean(responsetime) by airline: row i is of airlines[entity[i]] in the bucket that begins at start_s[i]."""

    airlines: tuple[str, ...]
    entity: NDArray[np.int32]
    start_s: NDArray[np.int64]
    value: NDArray[np.float64]
    said: BucketOpinions

    def at(self, airline: str, time: str) -> int:
        """The row of this airline and bucket."""
        start = datetime.fromisoformat(time).timestamp()
        return int(np.flatnonzero((self.entity == self.airlines.index(airline)) & (self.start_s == start))[0])


@pytest.fixture(scope="module")
def rows() -> list[tuple[int, str, float]]:
    with open(DATA, newline="") as file:
        return [(int(datetime.strptime(row["time"], "%Y-%m-%dT%H:%M:%S%z").timestamp()), row["airline"],
                 float(row["responsetime"])) for row in csv.DictReader(file)]


def means(rows: list[tuple[int, str, float]], span_s: int) -> Means:
    airlines = tuple(sorted({airline for _, airline, _ in rows}))
    key = np.array([time // span_s * len(airlines) + airlines.index(airline) for time, airline, _ in rows])
    kept, row_of = np.unique(key, return_inverse=True)
    value = np.bincount(row_of, [x for _, _, x in rows]) / np.bincount(row_of)
    entity, bucket = (kept % len(airlines)).astype(np.int32), kept // len(airlines)
    said = BucketModel(len(airlines), span_s, "metric").process(entity, bucket, value, np.ones(kept.size))
    return Means(airlines, entity, bucket * span_s, value, said)


def test_the_hour_of_aal_is_by_far_the_oddest_but_for_the_damaged_value(rows: list[tuple[int, str, float]]) -> None:
    found = means(rows, 3600)
    aal, awe = found.at("AAL", "2015-12-09T16:00+00:00"), found.at("AWE", "2015-12-11T23:00+00:00")
    p = found.said.probability
    assert found.value[aal] == pytest.approx(242.75, abs=0.01)
    assert found.said.typical[aal] == pytest.approx(100.8, abs=1.5)
    assert p[aal] < 1e-24
    assert p[awe] < 1e-24
    others = np.delete(p, [aal, awe])
    assert np.nanmin(others) > 1e-5
    assert np.nanmean(others < 1e-3) < 0.004


def test_so_are_its_five_minutes(rows: list[tuple[int, str, float]]) -> None:
    found = means(rows, 300)
    odd = [found.at("AAL", "2015-12-09T16:10+00:00"), found.at("AAL", "2015-12-09T16:15+00:00"),
           found.at("AWE", "2015-12-11T23:55+00:00")]
    p = found.said.probability
    assert (p[odd] < 1e-20).all()
    others = np.delete(p, odd)
    assert np.nanmin(others) > 1e-7
    assert np.nanmean(others < 0.01) < 0.015
    assert np.nanmean(others < 1e-4) < 0.0006
