"""Summaries are what the values of each bin come to, whatever was written in which order, late, or over another."""
from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from tests.detectors import naive_histograms as naive
from tests.gateways.esmond.archive import TS, Archive, summaries

SPANS = (60, 300, 86400, 0)
Values = list[Any]


@pytest.fixture
def archive(open_archive: Archive) -> Archive:
    return open_archive


def bins(written: dict[int, Any], span_s: int, of: Callable[[Values], Any]) -> list[tuple[int, Any]]:
    """What *of* says of the values of each bin, slow and obvious."""
    found: dict[int, Values] = {}
    for ts in sorted(written):
        found.setdefault(math.floor(Fraction(ts, span_s)) * span_s if span_s else ts, []).append(written[ts])
    return [(start, of(values)) for start, values in sorted(found.items())]


def ratio(pairs: Values) -> float:
    return float(sum(Fraction(p["numerator"]) for p in pairs) / sum(Fraction(p["denominator"]) for p in pairs))


def histogram(rng: random.Random) -> dict[str, int]:
    return {f"{rng.randrange(20, 60)}.{rng.randrange(3)}": rng.randrange(5) for _ in range(rng.randrange(6))}


EXACT_MEAN: Callable[[Values], float] = lambda values: float(statistics.mean(map(Fraction, values)))  # noqa: E731
CASES: dict[str, tuple[Callable[[random.Random], Any], dict[str, Callable[[Values], Any]]]] = {
    "throughput": (lambda rng: rng.randrange(10**9), {"aggregation": sum, "average": EXACT_MEAN}),
    "ntp-offset": (lambda rng: rng.gauss(0, 1e3), {"aggregation": math.fsum, "average": EXACT_MEAN}),
    "packet-loss-rate": (lambda rng: {"numerator": rng.randrange(9), "denominator": rng.randrange(1, 600)},
                         {"aggregation": ratio}),
    "histogram-owdelay": (histogram, {"aggregation": naive.merged,
                                      "statistics": lambda all: naive.statistics(naive.merged(all))}),
}
PLURAL = {"aggregation": "aggregations", "average": "averages", "statistics": "statistics"}


@pytest.mark.parametrize("event_type", CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_written_late_or_over_another_the_summaries_are_those_of_what_stands(
    archive: Archive, event_type: str, seed: int
) -> None:
    rng, (made, kinds) = random.Random(seed), CASES[event_type]
    key = archive.register(summaries(event_type, *((kind, span) for kind in kinds for span in SPANS)), seed=seed)
    written: dict[int, Any] = {}
    for _ in range(12):
        body: dict[int, Any] = {}
        for _ in range(rng.choice((1, 2, 20))):
            ts = TS - rng.randrange(1_000) if rng.random() < 0.8 else -rng.randrange(200)
            if event_type == "histogram-owdelay" or ts not in written:
                body[ts] = made(rng)
        if len(body) == 1:
            (ts, value), = body.items()
            assert archive.post(key, event_type, ts, value).status == 201
        else:
            archive.put_good(key, *((event_type, ts, value) for ts, value in body.items()))
        written |= body
    for kind, of in kinds.items():
        for span_s in SPANS:
            path = f"{PLURAL[kind]}/{span_s}"
            assert archive.data(key, event_type, path, time_start=-10**9) == bins(written, span_s, of), path


def test_histograms_of_one_body_that_replace_each_other_are_counted_once(archive: Archive) -> None:
    key = archive.register(summaries("histogram-rtt", ("aggregation", 300)), tool_name="twice")
    archive.put_good(key, ("histogram-rtt", TS, {"1": 1}), ("histogram-rtt", TS, {"2": 2}))
    assert archive.data(key, "histogram-rtt", "aggregations/300") == [(TS, {"2": 2})]


def test_each_window_has_the_bins_of_its_own_and_none_that_was_not_registered(archive: Archive) -> None:
    key = archive.register(summaries("throughput", ("average", 3600)), tool_name="windows")
    archive.put_good(key, ("throughput", TS, 1), ("throughput", TS + 1, 2), ("throughput", TS - 1, 5))
    assert archive.data(key, "throughput", "averages/3600") == [(TS - 3600, 5.0), (TS, 1.5)]
    assert archive.data(key, "throughput", "averages/3600", time_start=TS - 1) == [(TS, 1.5)]
    assert archive.data(key, "throughput", "averages/3600", limit=1) == [(TS - 3600, 5.0)]
    for path in ("averages/60", "aggregations/3600", "averages/0", "averages/-3600"):
        assert archive.data(key, "throughput", path) == []


def test_sums_are_exact_where_a_float_is_not(archive: Archive) -> None:
    key = archive.register(
        summaries("throughput", ("aggregation", 300)), summaries("ntp-offset", ("aggregation", 300)), tool_name="exact")
    archive.put_good(key, ("throughput", TS, 2**53), ("throughput", TS + 1, 1))
    for i, value in enumerate((1e100, 1.0, -1e100, 1e308, 1e308)):
        assert archive.post(key, "ntp-offset", TS + 300 * (i // 3) + i, value).status == 201
    assert archive.data(key, "throughput", "aggregations/300") == [(TS, 2**53 + 1)]
    assert archive.data(key, "ntp-offset", "aggregations/300") == [(TS, 1.0), (TS + 300, 1.7976931348623157e308)]
