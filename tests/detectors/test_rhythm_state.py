"""What "rhythm" saves depends on the readings alone: a checkpoint is compared byte for byte."""
from __future__ import annotations

import numpy as np

from offbeat_detectors.contract import State
from offbeat_detectors.rhythm import Rhythm

SLOTS = np.arange(3, dtype=np.int32)
READINGS = 3_000


def fresh() -> Rhythm:
    detector = Rhythm(5)
    detector.join(SLOTS, np.zeros(3, np.int32))
    return detector


def as_bytes(state: State) -> dict[str, bytes]:
    return {name: np.ascontiguousarray(column).tobytes() for name, column in state.items()}


def test_the_saved_bytes_are_the_same_after_a_restore_and_however_the_readings_are_cut() -> None:
    value = np.random.default_rng(1).normal(size=READINGS)
    value[::50] = 0.0
    slot = np.tile(SLOTS, READINGS // 3)
    time_ms = 1_700_000_000_000 + 1_000 * np.arange(READINGS)
    whole, before, after, pieces = fresh(), fresh(), fresh(), fresh()
    whole.process(slot, time_ms, value)
    before.process(slot[:40], time_ms[:40], value[:40])
    after.restore(SLOTS, before.save(SLOTS))
    after.process(slot[40:], time_ms[40:], value[40:])
    for start in range(0, READINGS, 17):
        part = slice(start, start + 17)
        pieces.process(slot[part], time_ms[part], value[part])
    expected = as_bytes(whole.save(SLOTS))
    assert as_bytes(after.save(SLOTS)) == expected
    assert as_bytes(pieces.save(SLOTS)) == expected


def test_a_restored_group_is_as_new_when_the_last_of_its_members_that_had_a_reading_is_forgotten() -> None:
    value = np.random.default_rng(1).normal(size=READINGS)
    slot = np.tile(SLOTS[:2], READINGS // 2)  # the third has joined and never sends
    taught, after = fresh(), fresh()
    taught.process(slot, 1_700_000_000_000 + 1_000 * np.arange(READINGS), value)
    for _ in range(2):
        after.restore(SLOTS, taught.save(SLOTS))
    kept = taught.save(SLOTS)["prior"]
    after.forget(SLOTS[2:])
    after.forget(SLOTS[:1])
    assert after.save(SLOTS)["prior"][:, :24].tobytes() == kept[:, :24].tobytes() != bytes(72)
    after.forget(SLOTS[1:2])
    assert not after.save(SLOTS)["prior"].any()
