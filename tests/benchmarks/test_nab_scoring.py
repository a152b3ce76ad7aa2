"""The fast scorer gives what nab_score.py gives."""
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.corpora import BENCH, Corpus, Nab, load_nab, scorer, window_rows
from common.nab import Alignment, NabScorer, nab_mean

pytestmark = pytest.mark.skipif(not BENCH.exists(), reason="the corpora are not beside the project")


def made(rng: np.random.Generator) -> Nab:
    """A few records with windows that may touch the probation, follow closely upon one another, or be none."""
    times, windows, events = [], [], []
    for i in range(4):
        rows = int(rng.integers(40, 200))
        stamps = 60_000 * np.arange(rows) + 1_700_000_000_000
        stamps[10], stamps[11] = stamps[11], stamps[10]
        cuts = np.sort(rng.choice(np.arange(2, rows), 2 * int(rng.integers(0, 4)), replace=False))
        for first, last in cuts.reshape(-1, 2):
            windows.append((stamps[first], stamps[last]))
            events.append((i, *window_rows(stamps, np.array(windows[-1]))))
        times.append(stamps)
    corpus = Corpus(
        tuple(f"made/{i}" for i in range(4)), np.cumsum([0, *map(len, times)]), np.concatenate(times),
        np.zeros(sum(map(len, times))), np.array(events, np.int64).reshape(-1, 3))
    return Nab(corpus, np.array(windows, np.int64).reshape(-1, 2))


def exact(alignment: Alignment, score: np.ndarray) -> list[object]:
    return [alignment.record(i, score) for i in range(len(alignment.corpus.names))]


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), dropped=st.integers(0, 15), kind=st.sampled_from(["findings", "rows", "ties"]))
def test_the_threshold_and_the_total_are_those_of_nab_score(seed: int, dropped: int, kind: str) -> None:
    module, rng = scorer("nab_score"), np.random.default_rng(seed)
    alignment = Alignment(made(rng), dropped)
    score = rng.exponential(size=alignment.corpus.value.size)
    if kind == "findings":
        score[rng.random(score.size) < 0.95] = 0.0
    if kind == "ties":
        score = np.floor(4 * score)
    records = exact(alignment, score)
    for name, profile in module.PROFILES.items():
        worth = alignment.worth(name)
        threshold, total = worth.best_threshold(score)
        expected, expected_total = module.best_threshold(records, profile)
        assert total == pytest.approx(expected_total, abs=1e-9)
        assert threshold == expected
        for at in (0.0, 0.5, 2.0, math.inf):
            assert worth.total(score, at) == pytest.approx(
                sum(module.raw_score(record, profile, at) for record in records), abs=1e-9)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 5))
def test_the_threshold_for_so_many_windows_finds_them_and_no_higher_one_does(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    alignment = Alignment(made(rng))
    score = rng.exponential(size=alignment.corpus.value.size)
    threshold = alignment.standard.threshold_finding(score, count)
    scored = len(np.unique(alignment.standard.window[alignment.standard.window >= 0]))
    if math.isinf(threshold):
        assert scored < count
        return
    assert alignment.windows(score, threshold)["found"] >= count
    assert alignment.windows(score, np.nextafter(threshold, np.inf))["found"] < count


@given(seed=st.integers(0, 10_000), dropped=st.integers(0, 15))
def test_without_its_first_rows_a_record_has_the_windows_of_nab_score(seed: int, dropped: int) -> None:
    nab = made(np.random.default_rng(seed))
    found = nab.dropped(dropped)
    for i in range(4):
        times = nab.whole.time_ms[nab.whole.first[i] + dropped : nab.whole.first[i + 1]].astype("datetime64[ms]")
        windows = nab.windows[nab.whole.events[:, 0] == i].astype("datetime64[ms]")
        expected = scorer("nab_score").window_rows(times, [tuple(window) for window in windows])
        assert [tuple(event[1:]) for event in found.events if event[0] == i] == expected


def test_the_corpus_is_that_of_nab_score() -> None:
    nab, module = load_nab(), scorer("nab_score")
    assert (len(nab.whole.names), nab.whole.value.size, len(nab.windows)) == (58, 365_558, 116)
    alignment = Alignment(nab)
    assert alignment.standard.count == 116
    name = "realKnownCause/nyc_taxi"
    i = nab.whole.names.index(name)
    path = BENCH / "nab" / "data" / f"{name}.csv"
    times = np.array(module._column(path, "timestamp"), "datetime64[ms]").astype(np.int64)
    np.testing.assert_array_equal(nab.whole.time_ms[nab.whole.first[i] : nab.whole.first[i + 1]], times)
    assert module.window_rows(times.astype("datetime64[ms]"), module.load_labels()[f"{name}.csv"]) == [
        tuple(event[1:]) for event in nab.whole.events.tolist() if event[0] == i]


def test_silence_is_worth_nothing_and_every_window_at_once_everything() -> None:
    scores = NabScorer(load_nab(), alignments=2)
    assert scores.mean(scores.strengths(lambda corpus: np.zeros(corpus.value.size))) == 0.0

    def perfect(corpus: Corpus) -> np.ndarray:
        said = np.zeros(corpus.value.size)
        for series, first, last in corpus.events:
            begin = corpus.first[series]
            probation = math.floor(0.15 * min(corpus.first[series + 1] - begin, 5000))
            said[begin + max(first, min(last, probation))] = 1.0
        return said

    strengths = scores.strengths(perfect)
    figures = scores.figures(strengths)
    assert figures.score == pytest.approx(nab_mean(load_nab(), strengths))
    assert figures.score > 99.0
    assert (figures.found, figures.of, figures.false_alarms) == (116, 116, 0)
    assert figures.crossed == pytest.approx(figures.score, abs=0.5)


def test_a_half_is_scored_at_the_threshold_of_the_other() -> None:
    nab = load_nab()
    alignment = Alignment(nab)
    score = np.zeros(nab.whole.value.size)
    for series, first, _ in nab.whole.events:  # at different strengths, so that neither threshold does for the other
        score[nab.whole.first[series] + first] = 2.0 if series % 2 else 1.0
    even, odd = alignment.halves
    expected = (even.normalised(even.total(score, 2.0)) + odd.normalised(odd.total(score, 1.0))) / 2
    assert alignment.crossed(score) == pytest.approx(expected)
    assert even.total(score, 2.0) == -even.count
