"""Probabilities to scores by the job's own past: what section 9.6 of the Prelert Engine API makes testable."""
from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat_detectors.buckets.normalizer import BINS, CHANGE_MIN, LEVELS_TOLD, Normalizer, raw_scores
from tests.detectors import naive_normalizer as naive

P = st.one_of(
    st.floats(0.0, 1.0), st.floats(0.0, 0.06), st.floats(-320.0, 0.0).map(lambda power: 10.0**power),
    st.sampled_from([0.0, 1e-300, 1e-10, 0.05, 0.050000001, 1.0, math.nan]),
)
BUCKETS = st.lists(st.lists(P, max_size=5), max_size=40)


def learned(buckets: list[list[float]], level: str = "record") -> Normalizer:
    normalizer = Normalizer()
    for bucket in buckets:
        normalizer.learn(level, raw_scores(np.array(bucket, np.float64)))
    return normalizer


def score(normalizer: Normalizer, *probabilities: float, level: str = "record") -> list[float]:
    return [float(each) for each in normalizer.normalize(level, np.array(probabilities, np.float64))]


def history(count: int, seed: int, oddest: float = 1e-9) -> list[list[float]]:
    """A job of *count* buckets: uniform probabilities, one in 50 much less likely, and one as odd as *oddest*."""
    rng = np.random.default_rng(seed)
    p = np.where(rng.random(count) < 0.02, 10.0 ** rng.uniform(-8, -2, count), rng.random(count))
    p[int(rng.integers(count))] = oddest
    return [[float(each)] for each in p]


@given(BUCKETS, st.lists(P, min_size=1, max_size=10))
def test_it_agrees_with_its_definition(buckets: list[list[float]], asked: list[float]) -> None:
    twin = naive.Level()
    for bucket in buckets:
        twin.learn([naive.raw_score(p) for p in bucket])
    asked = [*asked, *(p for bucket in buckets for p in bucket)]
    np.testing.assert_allclose(score(learned(buckets), *asked), [twin.score(p) for p in asked], rtol=1e-9, atol=1e-9)


@given(BUCKETS, st.lists(P.filter(lambda p: not math.isnan(p)), min_size=2, max_size=20))
def test_a_score_is_monotone_in_the_probability_and_within_0_to_100(
    buckets: list[list[float]], asked: list[float],
) -> None:
    scores = score(learned(buckets), *sorted(asked))
    assert all(0.0 <= each <= 100.0 for each in scores)
    assert all(less <= more + 1e-9 for more, less in pairwise(scores))


def test_a_constant_series_scores_0_everywhere() -> None:
    normalizer = Normalizer()
    for _ in range(200):
        assert score(normalizer, 1.0) == [0.0]
        normalizer.learn("record", np.zeros(1))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [20, 200, 5_000])
def test_the_oddest_bucket_so_far_scores_above_75_once_there_is_history(count: int, seed: int) -> None:
    buckets = history(count, seed)
    scores = score(learned(buckets), *(bucket[0] for bucket in buckets))
    assert max(scores) > 75.0
    assert sum(each > 75.0 for each in scores) <= max(1, count // 500)
    assert score(learned(buckets), 1e-20) == [100.0]


def test_the_same_data_in_another_order_and_other_batches_gives_the_same_scores_bit_for_bit() -> None:
    buckets, asked = history(300, 1), np.concatenate(history(50, 2))
    expected = learned(buckets).normalize("record", asked)
    other = learned(buckets[::-1])
    np.testing.assert_array_equal(other.normalize("record", asked), expected)
    one_by_one = [other.normalize("record", asked[i : i + 1])[0] for i in range(asked.size)]
    np.testing.assert_array_equal(one_by_one, expected)


def test_the_sketch_knows_a_quantile_to_within_the_width_of_a_bin() -> None:
    rng = np.random.default_rng(3)
    raw = 1.4 + rng.exponential(5.0, 20_000)
    normalizer = Normalizer()
    normalizer.learn("record", raw)
    told = json.loads(normalizer.quantile_state())["levels"]["record"]["quantiles"]
    for share in (0.5, 0.9, 0.99, 0.999):
        assert told[str(share)] == pytest.approx(float(np.quantile(raw, share)), rel=0.05)


def test_a_probability_above_the_cut_off_scores_nothing_and_near_it_little() -> None:
    normalizer = learned([[1.0]] * 50)
    assert score(normalizer, 0.0501) == [0.0]
    assert score(normalizer, 0.05)[0] == pytest.approx(0.0, abs=1e-9)
    assert 0.0 < score(normalizer, 0.02)[0] < 25.0
    assert score(normalizer, 1e-3)[0] == pytest.approx(100.0)


def test_with_little_history_a_score_is_damped() -> None:
    scores = [score(learned([[1.0]] * buckets), 1e-9)[0] for buckets in (0, 1, 10, 20, 40)]
    assert scores == pytest.approx([0.0, 5.0, 50.0, 100.0, 100.0])


def test_when_something_odder_comes_what_was_odd_shrinks() -> None:
    buckets = [*[[1.0]] * 100, [1e-8]]
    assert score(learned(buckets), 1e-8) == [100.0]
    assert score(learned([*buckets, [1e-80]]), 1e-8)[0] == pytest.approx(10.0)


def test_what_happens_in_every_bucket_is_not_unusual_however_small_its_probability() -> None:
    assert score(learned([[1e-30]] * 200), 1e-30)[0] < 5.0
    assert score(learned([*[[1.0]] * 990, *[[0.0]] * 10]), 0.0) == [100.0]


def test_levels_have_nothing_to_do_with_each_other() -> None:
    normalizer = learned([[1.0]] * 30)
    for _ in range(30):
        normalizer.learn("bucket", raw_scores(np.array([1e-200])))
    assert score(normalizer, 1e-9) == [100.0]
    assert score(normalizer, 1e-9, level="bucket")[0] < 5.0
    assert score(normalizer, 1e-9, level="never seen") == [0.0]


def test_levels_beyond_the_limit_share_one_history_and_are_counted() -> None:
    normalizer = Normalizer(levels_max=2)
    for name in ("record", "bucket", "partition a", "partition b", "record"):
        normalizer.learn(name, np.zeros(20))
    assert normalizer.overflowed == 2
    assert normalizer.save()["count"].shape == (3, BINS)
    assert score(normalizer, 1e-9, level="partition a") == score(normalizer, 1e-9, level="partition z") != [0.0]


def test_it_tells_when_stored_scores_are_off_and_rescoring_makes_them_right() -> None:
    normalizer = learned([*[[1.0]] * 100, [1e-8]])
    normalizer.rescore("record", np.array([1e-8]))
    normalizer.learn("record", np.zeros(1))
    assert normalizer.changed_enough() == ()
    normalizer.learn("record", raw_scores(np.array([1e-80])))
    assert normalizer.changed_enough() == ("record",)
    assert float(normalizer.rescore("record", np.array([1e-8]))[0]) == pytest.approx(10.0)
    assert normalizer.changed_enough() == ()


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_while_it_says_nothing_no_strong_score_that_was_said_is_far_off(seed: int) -> None:
    normalizer, stored, checked = Normalizer(), dict[float, float](), 0
    for bucket in history(250, seed, oddest=1e-14):
        p = np.array(bucket)
        stored[bucket[0]] = float(normalizer.normalize("record", p)[0])
        normalizer.learn("record", raw_scores(p))
        if normalizer.changed_enough():
            stored = dict(zip(stored, normalizer.rescore("record", np.array(list(stored))).tolist(), strict=True))
        else:
            now = normalizer.normalize("record", np.array(list(stored)))
            assert np.abs(now - list(stored.values())).max() <= 2.0 * CHANGE_MIN
            checked += 1
    assert checked > 100


def test_restored_in_the_midst_it_goes_on_bit_for_bit() -> None:
    straight, first, buckets = Normalizer(levels_max=1), Normalizer(levels_max=1), history(200, 4)
    for i, bucket in enumerate(buckets):
        for normalizer in (straight, first):
            normalizer.learn("record" if i % 3 else "bucket by größe", raw_scores(np.array(bucket)))
        if i == 100:
            state = first.save()
            first = Normalizer(levels_max=1)
            first.restore(state)
    assert first.overflowed == straight.overflowed > 0
    for (name, mine), theirs in zip(first.save().items(), straight.save().values(), strict=True):
        np.testing.assert_array_equal(mine, theirs, err_msg=name)
    assert first.quantile_state() == straight.quantile_state()


def test_a_saved_state_is_a_copy_and_of_numbers_alone() -> None:
    normalizer = learned(history(50, 5))
    state = normalizer.save()
    before = {name: column.copy() for name, column in state.items()}
    normalizer.learn("record", raw_scores(np.array([1e-50])))
    for name, column in state.items():
        np.testing.assert_array_equal(column, before[name])
        assert column.dtype.kind in "iufb"


def test_a_state_of_another_form_is_refused() -> None:
    state = learned([[0.01]]).save()
    with pytest.raises(ValueError, match="state 'count' has shape"):
        Normalizer().restore(state | {"count": np.zeros((1, 3), np.int64)})
    with pytest.raises(ValueError, match="state 'level' has 6 bytes: expected 9"):
        Normalizer().restore(state | {"level_sizes": np.array([9])})


def test_a_level_has_the_same_memory_however_much_it_has_learned() -> None:
    short, long = learned(history(10, 6)), learned(history(5_000, 6))
    assert sum(c.nbytes for c in short.save().values()) == sum(c.nbytes for c in long.save().values()) < 6_000


def test_the_text_for_snapshots_is_short_and_says_what_it_leaves_out() -> None:
    normalizer = Normalizer()
    for i in range(LEVELS_TOLD + 7):
        normalizer.learn(f"partition {i}", raw_scores(np.array([1e-4])))
    told = json.loads(normalizer.quantile_state())
    assert (len(told["levels"]), told["more"]) == (LEVELS_TOLD, 7)
    assert told["levels"]["partition 0"] == {
        "buckets": 1, "scores": 1, "largest": 4.0, "quantiles": dict.fromkeys(("0.5", "0.9", "0.99", "0.999"), 4.0)}


def test_no_level_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="levels_max is 0"):
        Normalizer(levels_max=0)
