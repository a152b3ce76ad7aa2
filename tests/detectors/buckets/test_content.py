"""The information of strings is the size to which they can be compressed, within bounds."""
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat_detectors.buckets import content
from offbeat_detectors.buckets.content import Content
from tests.detectors.naive_features import information

TEXT = st.text(max_size=6)
ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(-1, 5)), min_size=1, max_size=40)


def of_one(texts: list[str]) -> Content:
    made, n = Content(), len(texts)
    made.add(np.zeros(n, np.int64), np.zeros(n, np.int32), np.arange(n, dtype=np.int32), texts)
    return made


@settings(deadline=None)
@given(ROWS, st.lists(TEXT, min_size=6, max_size=6))
def test_it_is_what_its_definition_says(rows: list[tuple[int, int, int]], texts: list[str]) -> None:
    made = Content()
    bucket, entity, code = zip(*rows, strict=True)
    made.add(np.array(bucket, np.int64), np.array(entity, np.int32), np.array(code, np.int32), texts)
    for number in set(bucket):
        found = made.close(number)
        own = [(of, texts[which] if which >= 0 else None) for b, of, which in rows if b == number]
        assert found.entity.tolist() == sorted({of for of, _ in own})
        for i, of in enumerate(found.entity.tolist()):
            strings = [text for each, text in own if each == of]
            expected = information(text for text in strings if text is not None)
            assert found.count[i] == len(strings)
            np.testing.assert_equal(found.value[i, 0], expected if set(strings) != {None} else math.nan)


def test_random_strings_hold_more_than_the_like_of_each_other() -> None:
    rng = np.random.default_rng(0)
    alike = [f"user {i} logged in" for i in range(100)]
    random = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz0123456789"), len(text))) for text in alike]
    assert of_one(random).close(0).value[0, 0] > 3 * of_one(alike).close(0).value[0, 0]


def test_strings_beyond_the_bytes_that_are_kept_are_counted() -> None:
    kept = ["x" * 1023 + str(i) for i in range(10)] + ["y" * 53_000]
    made = of_one([*kept, "z" * 5000, "short", "z" * 5000])
    found = made.close(0)
    assert found.value[0, 0] == information([*kept, "short"])
    assert (found.count[0], found.beyond[0]) == (14.0, 2)


def test_strings_beyond_the_number_that_is_kept_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "KEPT_TEXTS_MAX", 3)
    found = of_one(["b", "a", "b", "c", "d", "a", "d", "e"]).close(0)
    assert found.value[0, 0] == information(["a", "b", "c"])
    assert found.beyond[0] == 3


def test_it_does_not_matter_how_rows_are_cut_nor_that_it_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "KEPT_TEXTS_MAX", 20)
    rng = np.random.default_rng(2)
    n, texts = 400, [f"text {i} \n ü \udcff" for i in range(60)]
    rows = rng.integers(0, 3, n), rng.integers(0, 3, n).astype(np.int32), rng.integers(-1, 60, n).astype(np.int32)
    weight = rng.choice([0.1, 1.0, 0.0], n)
    whole, in_parts, restored = Content(), Content(), Content()
    whole.add(*rows, texts, weight)
    for i, part in enumerate(np.split(np.arange(n), [1, 7, 100, 101])):
        for made in (in_parts, restored) if i > 2 else (in_parts,):
            made.add(*(column[part] for column in rows), texts, weight[part])
        if i == 2:
            restored.restore(in_parts.save())
    expected = {name: array.tobytes() for name, array in whole.save().items()}
    assert expected["beyond"].strip(b"\0")
    assert {name: array.tobytes() for name, array in in_parts.save().items()} == expected
    assert {name: array.tobytes() for name, array in restored.save().items()} == expected
    assert whole.ignored_rows == restored.ignored_rows > 0


def test_bad_columns_are_refused() -> None:
    one = np.zeros(1, np.int64)
    with pytest.raises(IndexError, match="text 2 of 2"):
        Content().add(one, np.zeros(1, np.int32), np.full(1, 2, np.int32), ["a", "b"])
    with pytest.raises(ValueError, match="different lengths"):
        Content().add(one, np.zeros(2, np.int32), np.zeros(1, np.int32), ["a"])
    with pytest.raises(ValueError, match="entity -3"):
        Content().add(one, np.full(1, -3, np.int32), np.zeros(1, np.int32), ["a"])
