"""What a run says of single readings is what judging them one by one says; how blocks are cut does not matter."""

from __future__ import annotations

import math

import numpy as np
import pytest

from offbeat.backtest.probe import Said
from offbeat.backtest.run import Ran, Runner, blocks_of
from offbeat.engine.catalog import Catalog, Limits
from offbeat.engine.entries import Block
from offbeat.records import JobSpec, Strings
from offbeat_detectors.ewma import Ewma
from offbeat_detectors.scores import AlertStage, score_of_strength

SERIES, READINGS, STEP_MS = 4, 2500, 20_000
KEEN = JobSpec("watch", model="ewma", parameters=(("half_life_readings", 4.0), ("warmup_readings", 10)))
CALM = JobSpec("watch", model="ewma", parameters=(("half_life_readings", 40.0), ("warmup_readings", 30)))


def catalog() -> Catalog:
    """Two sources with two fields each."""
    made = Catalog(Limits(2, 2, SERIES, SERIES))
    names, pairs = Strings.of(["a", "b"]), np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.int32)
    made.load(names, np.zeros(2, np.int32), Strings.of(["x", "y"]), pairs[:, 0].copy(), pairs[:, 1].copy())
    return made


def readings() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise with spikes, alone and in rows, so that each rule of the alert stage has something to do."""
    rng = np.random.default_rng(11)
    value = rng.normal(20.0, 1.0, (READINGS, SERIES))
    for row in rng.integers(50, READINGS - 5, 160).tolist():
        value[row : row + rng.integers(1, 5), rng.integers(SERIES)] += rng.uniform(4, 30)
    series = np.tile(np.arange(SERIES, dtype=np.int32), READINGS)
    return series, np.repeat(np.arange(READINGS, dtype=np.int64) * STEP_MS, SERIES), value.reshape(-1)


def naive(parameters: dict[str, float], points: set[tuple[int, int]]) -> dict[tuple[int, int], Said]:
    """The slow twin: every reading by itself."""
    detector, alerts = Ewma(SERIES, **parameters), AlertStage(SERIES)  # type: ignore[arg-type]
    passed: dict[int, tuple[int, float]] = {}
    seen, found = dict.fromkeys(range(SERIES), 0), {}
    for s, t, v in zip(*(column.tolist() for column in readings()), strict=True):
        slot = np.array([s], np.int32)
        novelty = detector.process(slot, np.array([t]), np.array([v])).novelty
        strength = float(alerts.process(slot, novelty)[0])
        if (s, t) in points:
            found[s, t] = Said(seen[s], float(novelty[0]), strength, *passed.get(s, (-1, 0.0)))
        if strength > 0:
            passed[s] = (t, float(novelty[0]))
        seen[s] += 1
    return found


def ran(cut: int, points: set[tuple[int, int]]) -> Ran:
    """Both configurations over blocks of *cut* readings."""
    runner = Runner(catalog(), KEEN, CALM, 10.0, points)
    series, time_ms, value = readings()
    for first in range(0, series.size, cut):
        part = slice(first, first + cut)
        for block in blocks_of(series[part] // 2, series[part], time_ms[part], value[part]):
            runner.take(block)
    return runner.finish(None)


NAMES = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]


@pytest.mark.parametrize("cut", [1_000_000, 97])
def test_what_is_said_of_a_reading_is_what_judging_one_by_one_says(cut):
    rng = np.random.default_rng(5)
    points = {(int(s), int(t) * STEP_MS) for s, t in rng.integers(0, (SERIES, READINGS), (200, 2))}
    points |= {(s, t * STEP_MS) for s in range(SERIES) for t in range(3)}
    whole = ran(cut, points)
    for said, spec in ((whole.candidate_said, KEEN), (whole.baseline_said, CALM)):
        expected = naive(dict(spec.parameters), points)  # type: ignore[arg-type]
        for (s, t), one in expected.items():
            told = said[*NAMES[s], t]
            assert (told.place, told.strength, told.held_ms, told.held_novelty) == (
                one.place, one.strength, one.held_ms, one.held_novelty,
            )
            assert told.novelty == one.novelty or (math.isnan(told.novelty) and math.isnan(one.novelty))


def test_findings_do_not_depend_on_how_the_readings_are_cut_into_blocks():
    whole, cut = ran(1_000_000, set()), ran(97, set())
    assert len(whole.candidate) > 5 and len(whole.baseline) > 5
    for one, other in ((whole.candidate, cut.candidate), (whole.baseline, cut.baseline)):
        assert sorted(map(repr, one)) == sorted(map(repr, other))
    for f in whole.candidate:
        assert score_of_strength(whole.candidate_said[f.point].strength) == f.score
        assert f.point in whole.baseline_said, "the other side is asked about each finding"


def test_what_was_run_is_counted():
    whole = ran(1000, set())
    assert (whole.series_count, whole.reading_count, whole.late_count) == (SERIES, SERIES * READINGS, 0)
    assert (whole.first_ms, whole.last_ms) == (0, (READINGS - 1) * STEP_MS)
    assert whole.series_ms == SERIES * (READINGS - 1) * STEP_MS


def test_a_runner_keeps_nothing_of_what_it_ran_but_models():
    runner = Runner(catalog(), KEEN, None, 10.0)
    series, time_ms, value = readings()
    for block in blocks_of(series // 2, series, time_ms, value):
        runner.take(block)
    assert runner._engine.tail.row_count == 0 and not runner._engine.tail.shards()
    empty = np.zeros(0, np.int32)
    runner.take(Block(empty, empty.astype(np.int64), empty, empty, np.zeros(0), empty, empty, empty))
