"""Different values are counted exactly while they are few, and to 1.6 % when they are many."""
from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from offbeat_detectors.buckets.distinct import EXACT_MAX, Distinct, hashes
from tests.detectors.naive_features import estimate

INPUT = st.tuples(st.integers(-1, 1), st.integers(0, 3), st.one_of(st.none(), st.text(max_size=2)))


def random_hashes(n: int, seed: int = 0) -> NDArray[np.uint64]:
    return np.random.default_rng(seed).integers(1, 2**64, n, dtype=np.uint64)


def of_one(hash64: NDArray[np.uint64]) -> float:
    distinct = Distinct()
    distinct.add(np.zeros(hash64.size, np.int64), np.zeros(hash64.size, np.int32), hash64)
    return float(distinct.close(0).value[0, 0])


@settings(deadline=None)
@given(st.lists(INPUT, min_size=1, max_size=80))
def test_few_different_values_are_counted_exactly(rows: list[tuple[int, int, str | None]]) -> None:
    distinct = Distinct()
    bucket, entity, texts = zip(*rows, strict=True)
    distinct.add(np.array(bucket, np.int64), np.array(entity, np.int32), hashes(texts))
    for number in set(bucket):
        own = [(of, text) for b, of, text in rows if b == number]
        entities = sorted({of for of, _ in own})
        found = distinct.close(number)
        assert found.entity.tolist() == entities
        assert found.value[:, 0].tolist() == [
            len({text for of, text in own if of == entity and text is not None}) for entity in entities]
        assert found.count.tolist() == [sum(of == entity for of, _ in own) for entity in entities]


@pytest.mark.parametrize("n", [1, 4, 5, 16, 17, 64, 65, EXACT_MAX])
def test_up_to_the_limit_repeats_or_not_the_number_is_exact(n: int) -> None:
    assert of_one(np.tile(random_hashes(n), 3)) == n


@pytest.mark.parametrize("n", [EXACT_MAX + 1, 1000, 30_000])
def test_beyond_it_is_the_estimate_by_its_definition(n: int) -> None:
    own = random_hashes(n)
    assert of_one(own) == round(estimate(own.tolist()))


def test_registers_that_are_full_are_part_of_the_estimate() -> None:
    zeros = np.arange(0, 4096, dtype=np.uint64) << np.uint64(52)  # no 1 below the first 12 bits
    own = np.concatenate([zeros[1:2000], random_hashes(3000)])
    assert of_one(own) == round(estimate(own.tolist()))


@pytest.mark.parametrize("n", [300, 2000, 10_000, 50_000])
def test_the_estimate_is_unbiased_and_its_standard_error_at_most_1_6_percent(n: int) -> None:
    errors = np.array([of_one(random_hashes(n, seed)) / n - 1.0 for seed in range(40)])
    assert abs(errors.mean()) < 0.008  # three standard errors of the mean of 40
    assert math.sqrt((errors**2).mean()) < 0.022
    assert np.abs(errors).max() < 0.06


def test_it_does_not_matter_how_rows_are_cut_nor_that_it_is_restored() -> None:
    rng = np.random.default_rng(1)
    n = 6000
    rows = rng.integers(0, 3, n), rng.integers(0, 5, n).astype(np.int32), random_hashes(2000)[rng.integers(0, 2000, n)]
    whole, in_parts, restored = Distinct(), Distinct(), Distinct()
    whole.add(*rows)
    for i, part in enumerate(np.split(np.arange(n), [1, 2, 100, 101, 3000])):
        in_parts.add(*(column[part] for column in rows))
        if i == 3:
            restored.restore(in_parts.save())
        elif i > 3:
            restored.add(*(column[part] for column in rows))
    expected = {name: array.tobytes() for name, array in whole.save().items()}
    assert {name: array.tobytes() for name, array in in_parts.save().items()} == expected
    assert {name: array.tobytes() for name, array in restored.save().items()} == expected


def test_memory_of_an_entity_ends_at_4_kilobytes() -> None:
    distinct = Distinct()
    for seed in range(3):
        own = random_hashes(20_000, seed)
        distinct.add(np.zeros(own.size, np.int64), np.zeros(own.size, np.int32), own)
        # 8, 32 and 128 words before the 512, which other entities may take now
        assert sum(array.nbytes for array in distinct.save().values()) < 64 + 8 * (8 + 32 + 128 + 2 * 512) + 200


def test_room_that_an_entity_leaves_is_taken_by_the_next() -> None:
    distinct = Distinct()
    for entity in range(50):
        own = random_hashes(30, entity)  # each passes through 8 and 32 words and ends with 128
        distinct.add(np.zeros(own.size, np.int64), np.full(own.size, entity, np.int32), own)
    assert distinct.save()["words"].size == 50 * 128 + 8 + 32


def test_a_hash_is_the_same_in_every_process() -> None:
    script = "from offbeat_detectors.buckets.distinct import hashes; print(*hashes(['a', '', 'Ω', None]))"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert other.stdout.split() == [str(each) for each in hashes(["a", "", "Ω", None])]
    assert hashes(["a"])[0] == 0x2F42665B399EF840
    assert hashes(["", None])[1] == 0 != hashes([""])[0]
