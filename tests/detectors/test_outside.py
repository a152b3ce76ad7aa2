"""Off its usual course: found where the day does not come or the noise grows, not where a series strays by itself."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat_detectors import experts, outside
from offbeat_detectors.kernel import kernel
from offbeat_detectors.outside import EXCURSION, LASTING, OUTSIDE, SAID
from offbeat_detectors.rows import zero_rows
from tests.detectors.naive_experts import Experts
from tests.detectors.naive_outside import Excursions, Outside
from tests.detectors.pieces import CALM, MINUTE_MS, Array, calm, findings

DAY = 1440
Rows = tuple[Array, Array]


@kernel
def judge_all(rows: Array, expert: Array, slot: Array, time_ms: Array, value: Array, novelty: Array) -> None:
    for i in range(slot.size):
        experts.judge_then_learn(expert, slot[i], time_ms[i], value[i], 0, np.nan)
        novelty[i] = outside.judge_then_learn(rows, expert, slot[i])


def fresh(count: int = 1) -> Rows:
    return zero_rows(count, OUTSIDE), zero_rows(count, experts.EXPERTS)


def judged(value: Array, rows: Rows | None = None, first: int = 0, slot: Array | None = None) -> Array:
    """The novelty of each reading, one a minute from minute *first* on; *rows* go on from what they are."""
    novelty = np.empty(value.size)
    time_ms = (first + np.arange(value.size, dtype=np.int64)) * MINUTE_MS
    judge_all(*(rows or fresh()), np.zeros(value.size, np.int32) if slot is None else slot, time_ms, value, novelty)
    return novelty


def noise(n: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=n)


def wave(days: int, height: float = 4.0, seed: int = 0) -> Array:
    """Days of a sine, under noise."""
    return 20.0 + height * np.sin(np.arange(days * DAY) * 2 * np.pi / DAY) + 0.25 * noise(days * DAY, seed)


def machine(days: int, seed: int = 0) -> Array:
    """A machine that runs 40 minutes of every two hours."""
    at = np.arange(days * DAY)
    return np.where(at % 120 < 40, 1.5, 0.1) + 0.03 * noise(at.size, seed)


STRETCH = st.tuples(
    st.sampled_from(["wave", "noise", "wide", "held", "higher", "constant"]), st.integers(1, 900))


@settings(deadline=None, max_examples=25)
@given(st.lists(STRETCH, min_size=1, max_size=6), st.integers(0, 2**16), st.sampled_from([1e-6, 1.0, 1e9]))
def test_the_kernel_agrees_with_the_definition(
    stretches: list[tuple[str, int]], seed: int, scale: float,
) -> None:
    value = wave(6, seed=seed)
    at = 4 * DAY
    for kind, length in stretches:
        here = slice(at, at + length)
        if kind == "noise":
            value[here] = 20.0 + noise(value[here].size, seed + at)
        elif kind == "wide":
            value[here] += 3.0 * noise(value[here].size, seed + at)
        elif kind in ("held", "constant"):
            value[here] = value[here][:1] if kind == "held" else 20.0
        elif kind == "higher":
            value[here] += 5.0
        at += length
    value *= scale
    twin, judges = Outside(), Experts()
    expected = []
    for minute, x in enumerate(value.tolist()):
        judges.judge(minute * MINUTE_MS, x)
        expected.append(twin.judge(judges))
    np.testing.assert_array_equal(judged(value), expected)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1e30), st.integers(1, 40)), min_size=1, max_size=40), st.integers(1, 9))
def test_an_excursion_is_judged_as_defined(stretches: list[tuple[float, int]], epoch: int) -> None:
    twin, row = Excursions(0.4, 0.3, (0.7, 2.0)), zero_rows(1, EXCURSION)
    far = [x for height, length in stretches for x in [height] * length]
    ends = [i % epoch == epoch - 1 for i in range(len(far))]
    said = np.empty(len(far))
    excursion_all(row, np.array(far), np.array(ends), said)
    np.testing.assert_array_equal(said, [twin.judge(x, end) for x, end in zip(far, ends, strict=True)])


@kernel
def excursion_all(rows: Array, far: Array, ends: Array, said: Array) -> None:
    for i in range(far.size):
        said[i] = outside.judge_excursion(rows[0], far[i], 0.4, 0.3, 0.7, 2.0, ends[i])


@pytest.mark.parametrize("name", CALM)
def test_it_is_nearly_silent_on_series_without_anomalies(name: str) -> None:
    value = calm(name, 20, 20_000)
    found = sum(len(findings(judged(one))) for one in value)
    assert found / value.size * 1e4 <= 0.15


@pytest.mark.parametrize("healthy", [wave(10), machine(10)], ids=["wave", "machine"])
@pytest.mark.parametrize("first", [8 * DAY + 30, 8 * DAY + 400, 8 * DAY + 700])
def test_a_cycle_that_does_not_come_is_one_finding(healthy: Array, first: int) -> None:
    missed = healthy.copy()
    missed[first : first + 480] += healthy[first] - healthy[first : first + 480] + 0.03 * noise(480)
    assert findings(judged(healthy)) == []
    (at,) = findings(judged(missed))
    assert first < at < first + 480


def test_a_drift_within_the_daily_swing_is_found() -> None:
    drifting = wave(10)
    drifting[8 * DAY : 8 * DAY + 720] += np.linspace(0.0, 4.0, 720)
    (at,) = findings(judged(drifting))
    assert 8 * DAY < at < 8 * DAY + 720


def test_noise_that_grows_is_found_within_a_few_readings() -> None:
    noisy = wave(8)
    noisy[6 * DAY : 6 * DAY + 240] += 2.0 * noise(240, 5)
    at = findings(judged(noisy))
    assert 6 * DAY < at[0] < 6 * DAY + 60
    assert at[-1] < 6 * DAY + 240


def test_a_fault_that_the_table_of_the_day_has_learned_is_not_found_on_the_days_after() -> None:
    missed = wave(16)
    missed[8 * DAY : 8 * DAY + 480] = missed[8 * DAY]
    said = judged(missed)
    assert said[8 * DAY : 9 * DAY].max() == SAID
    assert not said[9 * DAY :].any()


def test_the_next_fault_of_the_kind_is_found_too() -> None:
    missed = wave(16)
    for day in (8, 13):
        missed[day * DAY : day * DAY + 480] = missed[day * DAY]
    assert [at // DAY for at in findings(judged(missed))] == [8, 13]


def test_it_is_said_for_64_readings_and_then_held_while_it_lasts() -> None:
    missed = wave(10)
    missed[8 * DAY : 8 * DAY + 480] = missed[8 * DAY]
    said = judged(missed)
    assert (said == SAID).sum() == 64
    assert set(said.tolist()) == {0.0, LASTING, SAID}
    assert said[-1] == 0.0


def test_absurd_values_do_no_harm() -> None:
    value = wave(10)
    value[[100, 3000, 3001, 9000]] = 1e300, -1e300, 1.7e308, -1e299
    assert np.isfinite(judged(value)).all()
    assert np.isfinite(judged(1e299 * wave(4))).all()


def test_it_goes_on_bit_for_bit_wherever_it_is_cut() -> None:
    value = wave(9)
    value[8 * DAY : 8 * DAY + 480] = value[8 * DAY]
    whole = judged(value)
    assert whole.any()
    for cut in (3, 5003, 8 * DAY + 200):
        rows: Any = fresh()
        parts = [judged(value[:cut], rows), judged(value[cut:], rows, first=cut)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_series_takes_52_bytes() -> None:
    assert OUTSIDE.itemsize == 52
