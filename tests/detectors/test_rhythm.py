"""The detector "rhythm": against its definition, and what every detector promises."""
from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from offbeat_detectors import civil, conformance
from offbeat_detectors.conformance import Points
from offbeat_detectors.contract import EVIDENCE_MIN, Detector, Evidence, Explaining, Grouped, Opinions, Watchful
from offbeat_detectors.rhythm import COMPONENTS, PIECES, TIERS, WARMUP, Rhythm
from tests.detectors import naive_rhythm
from tests.detectors.naive_rhythm_parts import Group
from tests.detectors.test_rhythm_parts import SEED, readings

BERLIN = "Europe/Berlin"
BYTES_MAX = {"light": 2048, "standard": 4608}

STRETCH = st.tuples(
    st.sampled_from([0.0, 20.0, 22.0, -20.0, 1e6, -1e12, 1e300, 1e-300]),  # level
    st.sampled_from([0.0, 1e-3, 1.0, 1.0, 1.0, 50.0, 1e299]),  # spread
    st.sampled_from([0.0, 0.0, 0.5]),  # step of the values, in spreads; 0: none
    st.integers(1, 120))
PAUSE_S = st.sampled_from([0, 1, 60, 60, 60, 60, 61, -30, -90_000, 300, 40_000, 86_400])


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Hypothesis watches each line that runs in its tests, the compiler's too: before, that took a minute."""
    for tier in TIERS:
        Rhythm(1, tier=tier).process(np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros(1))


def evidence_of(said: Opinions) -> Evidence:
    assert said.evidence is not None
    return said.evidence


def strength_of(said: Opinions) -> NDArray[np.float64]:
    assert said.strength is not None
    return said.strength


def held_together(detector: Rhythm, twins: list[naive_rhythm.Series], some: Points, zone: str = "UTC") -> None:
    """Assert that the detector says of these points what the twins of its series do."""
    said = detector.process(some.slot, some.time_ms, some.value)
    transitions, offsets = civil.transitions(zone)
    expected = [
        twins[slot].judge(time_ms, x, civil.offset_at(transitions, offsets, time_ms, 0))
        for slot, time_ms, x in zip(some.slot.tolist(), some.time_ms.tolist(), some.value.tolist(), strict=True)]
    for name in ("novelty", "typical", "lower", "upper", "strength"):
        np.testing.assert_allclose(
            getattr(said, name), [getattr(one, name) for one in expected], rtol=2e-5, atol=1e-5, err_msg=name)
    evidence, why = evidence_of(said), said.novelty >= EVIDENCE_MIN
    if why.any():
        kept = [one for one, novel in zip(expected, why, strict=True) if novel]
        np.testing.assert_allclose(evidence.share[why], [one.pieces for one in kept], rtol=2e-5, atol=1e-5)
        np.testing.assert_array_equal(evidence.similar[why], [one.similar for one in kept])
        np.testing.assert_array_equal(evidence.notes[why], [one.notes for one in kept])


@settings(deadline=None, max_examples=30)
@given(st.lists(STRETCH, min_size=1, max_size=6), st.lists(PAUSE_S, min_size=1, max_size=30), SEED,
       st.sampled_from(sorted(TIERS)), st.sampled_from(["UTC", BERLIN]),
       st.sets(st.sampled_from(COMPONENTS), max_size=2))
def test_the_kernel_agrees_with_the_definition(
    stretches: list[tuple[float, float, float, int]], pauses_s: list[int], seed: int, tier: str, zone: str,
    without: set[str],
) -> None:
    value = readings(stretches, seed)
    time_ms = 1_700_000_000_000 + 1000 * np.cumsum(np.resize(pauses_s, value.size))
    twin = naive_rhythm.Series(tier, without=tuple(without))
    detector = Rhythm(1, tier=tier, time_zone=zone, without=sorted(without))
    held_together(detector, [twin], Points(np.zeros(value.size, np.int32), time_ms, value), zone)


@settings(deadline=None, max_examples=4)
@given(SEED, st.sampled_from([0.0, 1.0]), st.sampled_from([1.0, 1e9]))
def test_several_series_and_groups_agree_with_the_definition(seed: int, noise: float, scale: float) -> None:
    rng, n, members = np.random.default_rng(seed), 3000, 5
    slot = rng.integers(0, members, n).astype(np.int32)
    slot[rng.random(n) < 0.02] = members  # comes late, and reads something else
    slot[: 3 * n // 4][slot[: 3 * n // 4] == members] = 0
    slot[rng.random(n) < 0.02] = members + 1  # of no group
    value = scale * (np.where(slot == members, 60.0, 20.0) + noise * rng.normal(size=n))
    value[rng.random(n) < 0.01] *= 3.0
    some = Points(slot, 1_700_000_000_000 + 10_000 * np.arange(n), value)
    detector, group = Rhythm(members + 2), Group()
    detector.join(np.arange(members + 1, dtype=np.int32), np.full(members + 1, 3, np.int32))
    twins = [naive_rhythm.Series(group=group) for _ in range(members + 1)] + [naive_rhythm.Series()]
    held_together(detector, twins, some)


def test_a_season_of_a_week_agrees_with_the_definition() -> None:
    rng, n = np.random.default_rng(2), 7 * 288
    at = np.arange(n)
    value = 20.0 + 5.0 * np.sin(at * np.pi / 144) + 0.3 * rng.normal(size=n)
    value[at % 288 == 40] += 9.0  # nightly
    value[1900:1940] = value[1900]
    some = Points(np.zeros(n, np.int32), 1_711_000_000_000 + 300_000 * at, value)
    held_together(Rhythm(1, time_zone=BERLIN), [naive_rhythm.Series()], some, BERLIN)


class Ungrouped:
    """The detector whose series join no group."""

    def __init__(self, capacity: int, **parameters: Any) -> None:
        self._inner = Rhythm(capacity, **parameters)

    def __getattr__(self, name: str) -> Any:
        if name in ("join", "group_by"):
            raise AttributeError(name)
        return getattr(self._inner, name)


@pytest.mark.parametrize(("cls", "tier"), [*((Rhythm, tier) for tier in TIERS), (Ungrouped, "light")])
def test_it_passes_the_checks(cls: type[Any], tier: str) -> None:
    assert conformance.check(lambda n: cls(n, tier=tier, time_zone=BERLIN)) == []
    assert isinstance(cls(1), Grouped) == (cls is Rhythm)


def test_it_says_why_watches_for_silence_and_learns_from_peers() -> None:
    detector: Detector = Rhythm(1)
    assert isinstance(detector, Explaining)
    assert isinstance(detector, Watchful)
    assert isinstance(detector, Grouped)
    assert detector.pieces == PIECES
    assert detector.group_by == "field"


def new(tier: str) -> Rhythm:
    """A detector of 20 series, of which 15 are members of three groups."""
    detector = Rhythm(20, tier=tier, time_zone=BERLIN)
    detector.join(np.arange(15, dtype=np.int32), (np.arange(15) // 5).astype(np.int32))
    return detector


def mixed(n: int = 30_000, seed: int = 5) -> Points:
    """Readings of 20 series at their own levels, with spikes, shifts, stuck values and pauses."""
    rng = np.random.default_rng(seed)
    slot = rng.integers(0, 20, n).astype(np.int32)
    slot[: n // 2][slot[: n // 2] == 4] = 0  # one comes late
    time_ms = 1_700_000_000_000 + 3_000 * np.arange(n) + np.where(np.arange(n) > n // 3, 7_200_000, 0)
    value = 100.0 + slot + 5.0 * np.sin(np.arange(n) / 900) + rng.normal(size=n)
    value[rng.random(n) < 0.003] += 40.0
    value[(slot == 4) | ((slot == 7) & (np.arange(n) > n // 2))] *= 8.0
    value[(slot == 9) & (np.arange(n) > 0.8 * n)] = 99.0
    return Points(slot, time_ms, value)


@pytest.mark.parametrize("tier", TIERS)
def test_restored_at_any_point_it_goes_on_bit_for_bit(tier: str) -> None:
    some, rng = mixed(), np.random.default_rng(6)
    whole = conformance.judged(new(tier), some)
    every = np.arange(20, dtype=np.int32)
    for cut in sorted(rng.integers(1, len(some), 6).tolist()):
        before = new(tier)
        conformance.judged(before, some[slice(0, cut)])
        after, order = new(tier), rng.permutation(every)
        after.restore(order, conformance.through_bytes(before.save(order)))
        said = conformance.judged(after, some[slice(cut, None)])
        assert conformance.difference(conformance.taken(whole, slice(cut, None)), said) == "", f"cut before point {cut}"


@pytest.mark.parametrize("tier", TIERS)
def test_however_the_calls_are_cut_the_evidence_is_the_same(tier: str) -> None:
    some, rng = mixed(8_000), np.random.default_rng(7)
    whole = conformance.judged(new(tier), some)
    assert (whole.novelty >= EVIDENCE_MIN).sum() > 100
    for count in (1, 40, 3_000):
        cuts = sorted(rng.choice(np.arange(1, len(some)), count, replace=False).tolist())
        assert conformance.difference(whole, conformance.judged(new(tier), some, cuts)) == ""


def test_silence_is_judged_alike_by_a_restored_detector() -> None:
    whole, after, every = new("standard"), new("standard"), np.arange(20, dtype=np.int32)
    some = mixed()
    conformance.judged(whole, some)
    after.restore(every, conformance.through_bytes(whole.save(every)))
    now = np.full(20, int(some.time_ms[-1]) + 7_200_000)
    one, other, again = whole.overdue(every, now), after.overdue(every, now), whole.overdue(every, now)
    assert conformance.difference(one, other) == conformance.difference(one, again) == ""
    assert (one.novelty > 1.4).any()


def test_it_has_no_opinion_for_thirty_readings_and_tells_how_many_are_left() -> None:
    detector = Rhythm(2)
    value = np.random.default_rng(8).normal(size=WARMUP + 1)
    said = detector.process(np.zeros(value.size, np.int32), 1000 * np.arange(value.size), value)
    assert np.isnan(said.novelty).tolist() == [True] * WARMUP + [False]
    assert detector.warmup_left(np.array([0, 1], np.int32)).tolist() == [0, WARMUP]


@pytest.mark.parametrize("tier", BYTES_MAX)
def test_a_series_takes_no_more_memory_than_its_tier_promises(tier: str) -> None:
    detector = Rhythm(1, tier=tier)
    assert detector.bytes_per_series <= BYTES_MAX[tier]
    saved = sum(column.nbytes for column in detector.save(np.zeros(1, np.int32)).values())
    assert saved <= BYTES_MAX[tier]


RESIDENT = """
import sys, numpy as np, psutil
from offbeat_detectors.rhythm import Rhythm
tier, n = sys.argv[1], 100_000
one = Rhythm(1, tier=tier)
one.process(np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros(1))
slot, value = np.arange(n, dtype=np.int32), np.random.default_rng(0).normal(size=n)
before = psutil.Process().memory_info().rss
detector = Rhythm(n, tier=tier)
unused = psutil.Process().memory_info().rss - before
for k in range(6):
    for part in range(0, n, 1000):
        piece = slice(part, part + 1000)
        detector.process(slot[piece], np.full(1000, 60_000 * k), value[piece] + k)
print(unused, psutil.Process().memory_info().rss - before)
"""


@pytest.mark.parametrize("tier", BYTES_MAX)
def test_a_hundred_thousand_series_take_no_more_resident_memory_than_promised(tier: str) -> None:
    ran = subprocess.run([sys.executable, "-c", RESIDENT, tier], capture_output=True, text=True, check=True)
    unused, used = (int(number) for number in ran.stdout.split())
    assert unused < 4 << 20
    assert used / 100_000 <= BYTES_MAX[tier]


@pytest.mark.parametrize(("parameters", "named"), [
    ({"tier": "huge"}, "tier"), ({"without": ["jumps"]}, "jumps"), ({"time_zone": "Mars/Olympus"}, "Mars/Olympus"),
])
def test_a_parameter_out_of_range_is_refused_by_name(parameters: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Rhythm(1, **parameters)


def eventful() -> Points:
    """As ``mixed``, and two series that go on for long: one moves away, one misses a day; then they hurry."""
    rng, n = np.random.default_rng(9), 9000
    at = np.arange(n)
    drifting = 50.0 + rng.normal(size=n) + np.maximum(0, at - 6000) * 0.003
    daily = 50.0 + 10.0 * np.sin(at * np.pi / 144) + 0.5 * rng.normal(size=n)
    daily[at > n - 288] = 50.0
    daily[at % 288 == 100] += 30.0
    hurried = 1_700_000_000_000 + np.where(at < 8000, 300_000 * at, 2_400_000_000 + 10_000 * (at - 8000))
    long = Points(np.repeat(np.array([18, 19], np.int32), n), np.tile(hurried, 2), np.concatenate([drifting, daily]))
    return conformance.joined(mixed(), long)


@pytest.fixture(scope="module")
def with_all() -> Opinions:
    return conformance.judged(new("standard"), eventful())


SLOW = {"drift", "outside"}  # nothing of theirs in this scene: tests of their own show them


@pytest.mark.parametrize("component", sorted(set(COMPONENTS) - SLOW))
def test_each_component_can_be_left_out(component: str, with_all: Opinions) -> None:
    less = Rhythm(20, time_zone=BERLIN, without=[component])
    less.join(np.arange(15, dtype=np.int32), (np.arange(15) // 5).astype(np.int32))
    assert conformance.difference(with_all, conformance.judged(less, eventful())) != ""
