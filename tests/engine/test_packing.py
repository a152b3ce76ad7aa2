"""Arrays to bytes and back: the same bits, or BadPack."""

from __future__ import annotations

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from offbeat.packing import BadPack, pack, unpack

DTYPES = st.one_of(
    hnp.integer_dtypes(endianness="="),
    hnp.unsigned_integer_dtypes(endianness="="),
    hnp.floating_dtypes(sizes=(16, 32, 64), endianness="="),
    hnp.boolean_dtypes(),
)
ARRAYS = DTYPES.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9)))
I8 = np.iinfo(np.int64)


def the_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert list(one) == list(other)
    for name, array in one.items():
        assert (array.dtype, array.shape) == (other[name].dtype, other[name].shape)
        assert array.tobytes() == other[name].tobytes()


@settings(max_examples=300)
@given(arrays=st.dictionaries(st.text(max_size=5), ARRAYS, max_size=4), level=st.sampled_from([1, 3]))
def test_what_was_packed_comes_back_bit_for_bit(arrays: dict[str, np.ndarray], level: int) -> None:
    the_same(unpack(pack(arrays, level)), arrays)


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
@pytest.mark.parametrize("size", [0, 1, 2, 63, 64, 500])
def test_whole_numbers_at_the_ends_of_their_range_come_back(dtype: str, size: int) -> None:
    ends = np.iinfo(dtype)
    alternating = np.where(np.arange(size) % 2, ends.max, ends.min).astype(dtype)
    rising = np.array([(ends.max - 7 * (size - i)) % (ends.max + 1) for i in range(size)], dtype)
    the_same(unpack(pack({"a": alternating, "r": rising})), {"a": alternating, "r": rising})


def test_differences_that_overflow_come_back() -> None:
    a = np.array([I8.min, I8.max, 0, I8.max, I8.min, I8.min + 1, -1, I8.max - 1, 5], np.int64)
    narrow = np.array([I8.max - 2, I8.max - 1, I8.max, I8.min, I8.min + 1], np.int64)  # wraps: each step is 1
    the_same(unpack(pack({"a": a, "n": narrow})), {"a": a, "n": narrow})


@pytest.mark.parametrize("size", [3, 64, 1000])
def test_every_bit_of_a_float_comes_back_those_of_a_nan_too(size: int) -> None:
    bits = np.random.default_rng(1).integers(0, 2**64, size, np.uint64)
    bits[:3] = [0x7FF8_0000_0000_0001, 0xFFF0_DEAD_BEEF_0001, 0x8000_0000_0000_0000]
    the_same(unpack(pack({"x": bits.view(np.float64)})), {"x": bits.view(np.float64)})


def test_what_comes_back_may_be_written_to() -> None:
    back = unpack(pack({"i": np.arange(3), "f": np.ones(2), "x": np.ones(100), "e": np.zeros(0)}))
    for array in back.values():
        array[...] = 0


def test_times_that_rise_steadily_take_little_room() -> None:
    times = 1_700_000_000_000 + np.arange(10_000, dtype=np.int64) * 1000
    assert len(pack({"t": times})) < 200


@settings(max_examples=400)
@given(data=st.data())
def test_damaged_bytes_are_refused_or_harmless_but_never_other_data(data: st.DataObject) -> None:
    arrays = {"i": np.arange(50, dtype=np.int64) * 3, "f": np.linspace(0, 1, 70), "b": np.array([True, False])}
    packed = bytearray(pack(arrays))
    match data.draw(st.sampled_from(["flip", "cut", "overwrite"])):
        case "flip":
            packed[data.draw(st.integers(0, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        case "cut":
            del packed[data.draw(st.integers(0, len(packed) - 1)) :]
        case _:
            at = data.draw(st.integers(0, len(packed) - 1))
            packed[at : at + 8] = data.draw(st.binary(min_size=1, max_size=8))
    try:
        found = unpack(bytes(packed))
    except BadPack as e:
        assert "damaged" in e.hint
    else:
        the_same(found, arrays)


def test_no_byte_of_the_header_can_be_changed_to_give_other_data() -> None:
    arrays = {"i": np.arange(50, dtype=np.int64) * 3, "f": np.linspace(0, 1, 70)}
    packed = pack(arrays)
    for at in [*range(20), len(packed) - 1]:
        for byte in range(256):
            try:
                found = unpack(packed[:at] + bytes([byte]) + packed[at + 1 :])
            except BadPack:
                continue
            the_same(found, arrays)


@pytest.mark.parametrize(
    "inner",
    [
        b"",
        b"\x00",
        b"\xff\xff\xff\xff",
        b"\x02\x00\x00\x00[]",
        b"\x04\x00\x00\x00[[]]",
        b'\x1a\x00\x00\x00[["a","<f8",[9],"r",8]]    12345678',
        b'\x1a\x00\x00\x00[["a","<i8",[2],"z",8]]    12345678',
        b'\x1a\x00\x00\x00[["a","what",[1],"r",8]]   12345678',
        b"\x04\x00\x00\x001234",
    ],
)
def test_bytes_that_were_compressed_by_something_else_are_refused(inner: bytes) -> None:
    try:
        assert unpack(zstandard.compress(inner)) == {}
    except BadPack:
        return
    assert inner == b"\x02\x00\x00\x00[]"


@pytest.mark.parametrize("junk", [b"", b"text", b"\x28\xb5\x2f\xfd", bytes(100)])
def test_bytes_that_are_not_compressed_are_refused(junk: bytes) -> None:
    with pytest.raises(BadPack):
        unpack(junk)


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "u2", "f2", "i4", "f4", "i8", "u8", "f8"])
@pytest.mark.parametrize("shape", [(64, 1), (64, 3), (65, 5, 2), (300, 1000), (3, 100_000), (300_000, 2)])
@pytest.mark.parametrize("level", [-1, 1])
def test_rows_come_back_whatever_their_width_and_however_many(dtype: str, shape: tuple[int, ...], level: int) -> None:
    numbers = np.random.default_rng(2).integers(0, 256, int(np.prod(shape)) * np.dtype(dtype).itemsize, np.uint8)
    numbers = numbers % 2 if dtype == "?" else numbers
    rows = numbers.view(dtype).reshape(shape)
    arrays = {"rows": rows, "few": np.arange(5), "sorted": np.arange(100_000), "turned": rows.T}
    the_same(unpack(pack(arrays, level)), arrays)


@pytest.mark.parametrize("dtype", ["i2", "f4", "f8", "u1"])
@pytest.mark.parametrize("varying", [[], [0], [6], [2, 3], list(range(7))])
@pytest.mark.parametrize("frozen", [False, True])
def test_columns_that_are_the_same_in_all_rows_are_left_out_and_come_back(
    dtype: str, varying: list[int], frozen: bool
) -> None:
    rng = np.random.default_rng(3)
    rows = np.empty((5_000, 7), dtype)
    rows[:] = rng.integers(0, 100, 7)
    rows[:, varying] = rng.integers(0, 100, (5_000, len(varying)))
    rows.flags.writeable = not frozen
    packed = pack({"rows": rows})
    the_same(unpack(packed), {"rows": rows})
    if not varying:
        assert len(packed) < 150


def test_a_column_that_differs_in_one_bit_of_one_row_varies() -> None:
    rows = np.zeros((100, 3))
    for row in (1, 50, 99):
        changed = rows.copy()
        changed.view(np.uint64)[row, 1] = 1 << 40
        the_same(unpack(pack({"rows": changed})), {"rows": changed})
    changed = rows.copy()
    changed[0, 2] = -0.0
    the_same(unpack(pack({"rows": changed})), {"rows": changed})


def test_columns_of_many_rows_are_packed_alike_whether_they_stand_side_by_side_or_not() -> None:
    rows = np.random.default_rng(4).integers(0, 50, (300_000, 2)).astype(np.float64)
    within = np.zeros((300_000, 5))
    within[:, 1:3] = rows
    assert pack({"rows": within[:, 1:3]}) == pack({"rows": rows})
    the_same(unpack(pack({"rows": within})), {"rows": within})
