"""Each finding carries why: its row of the detector's evidence, and what damped it, however events are cut."""

from __future__ import annotations

import random

import numpy as np
import pytest

from offbeat.engine.entries import Adjustment
from offbeat.records import JobSpec
from offbeat_detectors import scores
from offbeat_detectors.conformance import check
from offbeat_detectors.contract import NOTE_SETTLING
from offbeat_detectors.explain import Reason, pack, unpack
from tests.detectors.explaining import NEAR, NEXT, Explained
from tests.engine.run import Event, Run

WARMUP = (("warmup_readings", 5),)
WATCH = JobSpec("watch", model="tests.detectors.explaining:Explained", parameters=WARMUP)
START_MS = 1_700_000_000_000


def events(seed: int) -> list[Event]:
    """Five sources, 800 readings each, a wild one among a hundred and fifty: so that some cry often."""
    rng, made = random.Random(seed), list[Event]()
    for i in range(800):
        made += [Event(source, START_MS + 10_000 * i, {"x": wild(rng)}) for source in "abcde"]
    return made


def wild(rng: random.Random) -> float:
    if rng.random() < 1 / 150:
        return rng.choice([-1.0, 1.0]) * 10.0 ** rng.uniform(2, 6)
    return 10.0 + rng.randrange(9) / 2


def test_the_detector_of_these_tests_is_one() -> None:
    assert check(Explained) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_finding_has_its_own_row_of_the_evidence(seed: int) -> None:
    run = Run(watch=WATCH).take(events(seed), random.Random(seed))
    assert len(run.records) > 10
    for finding in run.records.values():
        reason = unpack(finding.evidence)
        assert [name for name, _ in reason.pieces] == ["jump", "swing"]
        shares = [share for _, share in reason.pieces]
        np.testing.assert_allclose(shares, [0.5 * finding.novelty, 0.125 * finding.novelty], rtol=1e-6)
        assert reason.similar == (NEAR, NEXT)
        assert reason.notes == (NOTE_SETTLING if finding.actual < 0 else 0)
        strength = finding.novelty * reason.damping
        assert scores.score_of_strength(strength) == pytest.approx(finding.score, abs=1e-4)
    assert any(unpack(f.evidence).damping < 0.9 for f in run.records.values()), "the run must hold what it is to show"
    assert {unpack(f.evidence).notes for f in run.records.values()} == {0, NOTE_SETTLING}


def test_the_evidence_is_the_same_to_the_bit_however_events_are_cut_into_blocks() -> None:
    whole, one_by_one = Run(watch=WATCH), Run(watch=WATCH)
    whole.send(events(5))
    for event in events(5):
        one_by_one.send([event])
    assert len(whole.records) > 10
    assert {key: f.evidence for key, f in whole.records.items()} == {
        key: f.evidence for key, f in one_by_one.records.items()
    }


def test_of_a_detector_that_says_nothing_more_only_what_damped_a_finding_is_kept() -> None:
    run = Run().take(events(7), random.Random(7))
    reasons = [unpack(f.evidence) for f in run.records.values()]
    assert all(reason == Reason(damping=reason.damping) for reason in reasons)
    assert {f.evidence == b"" for f in run.records.values()} == {True, False}


def test_what_feedback_made_of_a_finding_is_kept_with_it() -> None:
    run, rng = Run(watch=WATCH), random.Random(1)
    run.send([Event("a", START_MS + 1000 * i, {"x": rng.gauss(10, 1)}) for i in range(300)])
    for factor, number in ((2.0, 1), (2.0, 2)):
        run.entry("adjustment_added", Adjustment(number, 1, 0, factor))
    run.send([Event("a", START_MS + 10_000_000, {"x": 1e6}), Event("b", START_MS, {"x": 1.0})])
    newest = max(run.records.values(), key=lambda f: f.time_ms)
    assert newest.actual == 1e6
    assert unpack(newest.evidence).adjustment == 0.25
    assert len(pack(unpack(newest.evidence))) == len(newest.evidence)
