"""Scores on labelled series: those of label_score.py, and honest ones beside them."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import findings, labelled
from common.corpora import BENCH, LATE, Corpus, load_labelled, runs, scorer

beside = pytest.mark.skipif(not BENCH.exists(), reason="the corpora are not beside the project")


def corpus(*series: tuple[str, int, list[tuple[int, int]]]) -> Corpus:
    """Series of a name, a length and events, a reading a minute."""
    lengths = [rows for _, rows, _ in series]
    events = [(i, *event) for i, (_, _, mine) in enumerate(series) for event in mine]
    return Corpus(
        tuple(name for name, _, _ in series), np.cumsum([0, *lengths]),
        np.concatenate([60_000 * np.arange(rows) for rows in lengths]), np.zeros(sum(lengths)),
        np.array(events, np.int64).reshape(-1, 3))


def scores(of: Corpus, *said: tuple[int, int, float]) -> np.ndarray:
    """Zero but at (series, row)."""
    made = np.zeros(of.value.size)
    for series, row, score in said:
        made[of.first[series] + row] = score
    return made


def test_one_threshold_for_everything_on_an_example_by_hand() -> None:
    two = corpus(("a/one", 1000, [(300, 309), (600, 609)]), ("b/two", 1000, [(500, 500)]))
    said = scores(two, (0, 300, 5.0), (0, 639, 2.0), (0, 800, 1.0), (1, 530, 0.4), (1, 700, 0.5), (1, 731, 0.5),
                  (1, 800, 0.5), (1, 100, 9.0))
    found = labelled.figures(two, said)
    # Set a: both events above 1.0 and nothing else. Set b: its event at 0.4, with the alarms of rows 700, 731 and 800,
    # of which the first two are one; row 100 is in probation.
    assert (found.sets["a"].f1, found.sets["a"].threshold) == (1.0, 2.0)
    assert found.sets["b"].f1 == pytest.approx(2 / (1 + 2 + 1))
    # Together: at 2.0 two of three events without an alarm, at 0.4 all three with three.
    assert found.pooled.f1 == pytest.approx(2 * 2 / (2 + 0 + 3))
    assert (found.pooled.threshold, found.pooled.found, found.pooled.false_alarms) == (2.0, 2, 0)
    # Each set counting alike: at 2.0 (1 + 0) / 2, at 0.4 (4 / 5 + 1 / 2) / 2.
    assert (found.even_f1, found.even_threshold) == (pytest.approx(0.65), 0.4)


def test_a_score_of_zero_is_no_finding() -> None:
    one = corpus(("a/one", 1000, [(300, 309)]))
    found = labelled.figures(one, np.zeros(1000)).pooled
    assert (found.f1, found.finding_f1, found.found) == (0.0, 0.0, 0)
    assert np.isnan(found.at_half)


def test_what_is_weaker_than_a_finding_counts_apart() -> None:
    one = corpus(("a/one", 1000, [(300, 309), (600, 600)]))
    found = labelled.figures(one, scores(one, (0, 300, 0.8), (0, 605, 0.2))).pooled
    assert found.f1 == 1.0
    assert found.finding_f1 == pytest.approx(2 / 3)


@beside
def test_where_every_row_fires_the_scorer_is_content_and_we_are_not() -> None:
    one = corpus(("a/one", 1000, [(300, 309), (600, 609)]))
    found = labelled.figures(one, scores(one, (0, 900, 1.0))).pooled
    assert found.scorer_f1 > 0.5
    assert found.f1 == 0.0


def drawn(seed: int) -> tuple[Corpus, np.ndarray]:
    rng = np.random.default_rng(seed)
    series = []
    for i in range(4):
        rows = int(rng.integers(100, 400))
        label = np.repeat(rng.random(1 + rows // 20) < 0.15, 20)[:rows]
        label[-10] = True
        series.append((f"set{i % 2}/{i}", rows, [tuple(run) for run in runs(label)]))
    of = corpus(*series)
    score = rng.exponential(size=of.value.size) * (rng.random(of.value.size) < rng.choice([0.02, 0.3, 1.0]))
    return of, np.round(score, int(rng.integers(0, 4)))


@beside
@settings(max_examples=40)
@given(seed=st.integers(0, 100_000))
def test_f1_fa_and_vus_are_those_of_label_score(seed: int) -> None:
    module, (of, score) = scorer("label_score"), drawn(seed)
    figures, vus = labelled.figures(of, score), labelled.vus(of, score)
    for name in figures.sets:
        items = []
        for i in (i for i, s in enumerate(of.sets) if s == name):
            rows = slice(of.first[i] + int(0.15 * (of.first[i + 1] - of.first[i])), of.first[i + 1])
            items.append((of.marked(0)[rows].astype(np.int8), score[rows]))
        expected = module.score_set(items)
        mine = figures.sets[name]
        assert (mine.series, mine.events) == (expected["series"], expected["events"])
        assert mine.scorer_f1 == pytest.approx(expected["f1"])
        assert vus[name] == pytest.approx(expected["vus"])


@beside
@given(seed=st.integers(0, 100_000), threshold=st.sampled_from([0.001, 0.5, 1.0, 2.0]))
def test_the_sweep_counts_as_label_score_does_at_each_threshold(seed: int, threshold: float) -> None:
    module, (of, score) = scorer("label_score"), drawn(seed)
    series = [one for mine in labelled.scored(of, score).values() for one in mine]
    sweep, at = labelled.Sweep(series), np.array([threshold])
    counted = [module.alarms_at(threshold, one.events.tolist(), ~one.outside, one.score) for one in series]
    assert sweep.found(at)[0] == sum(found for found, _ in counted)
    assert sweep.false_alarms(at)[0] == sum(false for _, false in counted)
    f1, best = sweep.best(0.001)
    assert f1 == sweep.f1(np.array([best]))[0] if np.isfinite(best) else f1 == 0.0
    assert f1 >= sweep.f1(at)[0]


@beside
def test_the_labelled_series_are_all_there() -> None:
    of = load_labelled()
    assert (len(of.names), of.value.size, len(of.events)) == (75, 1_010_252, 1141)
    assert sorted(set(of.sets)) == ["aiops", "merlion_synthetic", "nasa_telemetry", "synth", "tods"]
    assert (np.diff(of.time_ms)[np.diff(of.slot) == 0] >= 0).all()


def test_warm_up_counts_what_is_false_at_first_against_later_and_what_was_found_there() -> None:
    two = corpus(("a/one", 2000, [(100, 110), (400, 400)]), ("a/two", 2500, [(600, 700)]))
    said = scores(two, (0, 105, 60.0), (0, 135, 90.0), (0, 200, 55.0), (0, 300, 49.0), (0, 499, 50.0), (0, 500, 50.0),
                  (1, 650, 80.0), (1, 1000, 70.0))
    warm = findings.warm_up(two, said, LATE)
    assert (warm.early, warm.early_rows) == (2, 1000 - 11 - 30 - 1 - 30)
    assert (warm.later, warm.later_rows) == (2, 3500 - 131)
    assert (warm.early_events, warm.early_found) == (2, 1)
    assert warm.ratio == pytest.approx((2 / 928) / (2 / 3369))
    assert (warm + warm) / 2 == warm


def test_the_delay_runs_from_the_beginning_of_an_event_to_its_first_finding() -> None:
    two = corpus(("a/one", 500, [(100, 110), (400, 400)]), ("b/two", 500, [(200, 210)]))
    said = scores(two, (0, 102, 49.0), (0, 107, 60.0), (0, 109, 90.0), (0, 430, 50.0), (1, 241, 90.0))
    seen = findings.delay(two, said, LATE)
    assert (seen.events, seen.found, seen.rows, seen.seconds, seen.at_once) == (3, 2, 18.5, 18.5 * 60, 0.0)
    assert findings.delay(two, said, LATE, [1]).found == 0
