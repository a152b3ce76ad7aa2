"""Arrays to bytes and back, small: for the journal, checkpoints and chunks. Pure."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

from offbeat.errors import OffbeatError
from offbeat_detectors.kernel import lean_kernel


class BadPack(OffbeatError):
    """Bytes that are not what ``pack`` made: the file is damaged."""

    code = "bad_pack"


BOUNDS = tuple((-(1 << 8 * width - 1), (1 << 8 * width - 1) - 1, width) for width in (1, 2, 4))
"""What a signed integer of so many bytes holds."""
_local = threading.local()  # zstd contexts are costly to make and not thread-safe


def _compressor(level: int) -> zstandard.ZstdCompressor:
    made: dict[int, zstandard.ZstdCompressor] = _local.__dict__.setdefault("compressors", {})
    if level not in made:
        made[level] = zstandard.ZstdCompressor(level=level, write_checksum=True)
    return made[level]


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    made: zstandard.ZstdDecompressor = _local.decompressor
    return made


def _width(low: int, high: int) -> int:
    """The fewest bytes of a signed integer that holds both; 8 if they are too far apart to say."""
    for least, most, width in BOUNDS:
        if least <= low and high <= most:
            return width
    return 8


@lean_kernel
def _bounds(flat: NDArray[Any]) -> tuple[int, int, int, int]:
    """The least and greatest of the numbers of *flat*, one at least, and of the steps between them (0 without any)."""
    low = high = before = np.int64(flat[0])
    step_low = step_high = np.int64(0)
    for i in range(1, flat.size):
        wide = np.int64(flat[i])
        step = wide - before  # wraps around at worst, and back when summed
        before = wide
        low, high = min(low, wide), max(high, wide)
        if i == 1:
            step_low = step_high = step
        else:
            step_low, step_high = min(step_low, step), max(step_high, step)
    return low, high, step_low, step_high  # type: ignore[return-value]


@lean_kernel
def counts_up(flat: NDArray[np.int32]) -> bool:
    """Is *flat* 0, 1, 2, …?"""
    up = True
    for i in range(flat.size):
        up &= flat[i] == i
    return up


def _pack_integers(flat: NDArray[Any]) -> tuple[str, bytes]:
    """Whole numbers as they are or as differences, whichever is narrower, in the fewest bytes."""
    if flat.dtype.str not in ("<i4", "<i8") or not flat.flags.writeable:  # a kernel for each of few kinds of array
        flat = flat.astype("<i8")
    low, high, step_low, step_high = _bounds(flat)
    plain = _width(low, high)
    stepped = _width(step_low, step_high)
    if flat.size > 1 and stepped < plain:
        wide = flat.astype("<i8", copy=False)
        return f"s{stepped}", wide[:1].tobytes() + np.subtract(wide[1:], wide[:-1]).astype(f"<i{stepped}").tobytes()
    return f"i{plain}", flat.astype(f"<i{plain}", copy=False).tobytes()


def _unpack_integers(how: str, raw: memoryview, size: int) -> NDArray[np.int64]:
    width = int(how[1:])
    if how[0] == "i":
        return np.frombuffer(raw, f"<i{width}", size).astype(np.int64)
    steps = np.empty(size, np.int64)
    steps[0] = np.frombuffer(raw, "<i8", 1)[0]
    steps[1:] = np.frombuffer(raw[8:], f"<i{width}", size - 1)
    return np.cumsum(steps)


ROWS_MIN = 64
"""Arrays of fewer rows, or numbers, are left as they are: there is too little that is alike."""
BLOCK_BYTES = STREAM_BYTES = 1 << 18
"""More is compressed block by block: to join them first would copy all of it under the interpreter lock."""


def pack(arrays: Mapping[str, NDArray[Any]], level: int = 1) -> bytes:
    """*arrays* (numeric, any shape) as one compressed, checksummed value; *level* is zstd's.

    Columns of whole numbers are narrowed to the bytes that they need. Of rows, and of floats, the bytes that are alike,
    those of one column or one plane, are laid side by side. Every bit is kept.
    """
    heads: list[tuple[str, str, list[int], str, int]] = []
    parts: list[Iterable[bytes | memoryview]] = []
    for name, array in arrays.items():
        whole = np.ascontiguousarray(array)
        how, size, raw = _laid_out(whole)
        heads.append((name, whole.dtype.str, list(array.shape), how, size))
        parts.append(raw)
    head = orjson.dumps(heads)
    blocks = chain([len(head).to_bytes(4, "little"), head], *parts)
    size = 4 + len(head) + sum(one[-1] for one in heads)
    if size < STREAM_BYTES:
        return _compressor(level).compress(b"".join(blocks))
    stream = _compressor(level).compressobj(size=size)
    return b"".join([*(stream.compress(block) for block in blocks), stream.flush()])


def _laid_out(whole: NDArray[Any]) -> tuple[str, int, Iterable[bytes | memoryview]]:
    """How the bytes of an array are laid out, how many there are, and these, in blocks.

    i, s: whole numbers, see ``_pack_integers``. x: by plane, all first bytes, then all second ones. t: by column, of
    what is a row for each of many things: all first bytes of the rows, and so on. r: as they are. X, T: as x and t,
    after the first row, and a bit for each column: those that are the same in all rows are left out. So are most of a
    young model, which takes less time than it does to compress nothing.
    """
    flat = whole.reshape(-1)
    if whole.ndim > 1 and whole.shape[0] >= ROWS_MIN and flat.size:
        return _rows_laid_out(_bytes_of(flat, whole.shape[0]), whole.dtype.itemsize)
    if flat.size and flat.dtype.kind in "iub" and flat.dtype != np.uint64:
        how, raw = _pack_integers(flat)
        return how, len(raw), [raw]
    if flat.dtype.kind == "f" and flat.size >= ROWS_MIN:  # equal exponents side by side compress; mixed bytes do not
        return "x", whole.nbytes, _across(_bytes_of(flat, flat.size))
    return "r", whole.nbytes, [flat.tobytes()]


def _bytes_of(flat: NDArray[Any], rows: int) -> NDArray[np.uint8]:
    """The bytes of *flat* as a table of so many rows, which a kernel takes: of those that may be written."""
    return (flat if flat.flags.writeable else flat.copy()).view(np.uint8).reshape(rows, -1)


def _rows_laid_out(table: NDArray[np.uint8], itemsize: int) -> tuple[str, int, Iterable[bytes | memoryview]]:
    """The bytes of rows of numbers of *itemsize* bytes, as ``_laid_out`` says."""
    rows, wide = table.shape[0], itemsize == 2  # then a row is a history: its numbers are alike, as those of no column
    varies = np.zeros(table.shape[1], np.uint8)
    _find_varying(table, varies)
    varying = varies.reshape(-1, 2).any(axis=1) if wide else varies > 0
    columns = np.flatnonzero(varying)
    head: list[bytes] = []
    if columns.size < varying.size:
        head = [table[0].tobytes(), np.packbits(varying).tobytes()]
        if wide:
            table = np.take(table.view(np.uint16), columns, axis=1).view(np.uint8)
    if wide:
        table, columns = table.reshape(-1, 2), np.arange(2)
    size = sum(map(len, head)) + table.shape[0] * columns.size
    how = "x" if wide else "t"
    return how.upper() if head else how, size, chain(head, _across(table, columns) if rows and table.size else [])


@lean_kernel
def _find_varying(table: NDArray[np.uint8], varies: NDArray[np.uint8]) -> None:
    """Set of *varies* what is not 0 where a column of *table* is not the same in all rows."""
    first = table[0]
    for row in range(1, table.shape[0]):
        for k in range(table.shape[1]):
            varies[k] |= table[row, k] ^ first[k]


@lean_kernel
def _take_across(table: NDArray[np.uint8], columns: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
    """Fill *out*, (k, rows), with k *columns* of *table*. Column by column: numpy takes twice as long."""
    for k in range(columns.size):
        column = columns[k]
        for row in range(table.shape[0]):
            out[k, row] = table[row, column]


def _across(table: NDArray[np.uint8], columns: NDArray[np.int64] | None = None) -> Iterator[memoryview]:
    """The bytes of *columns* (None: of all) of *table*, one after the other, in blocks that stay in the cache until
    they are compressed."""
    if columns is None:
        columns = np.arange(table.shape[1])
    together = max(1, BLOCK_BYTES // table.shape[0])
    for first in range(0, columns.size, together):
        some = columns[first : first + together]
        for row in range(0, table.shape[0], BLOCK_BYTES):
            rows = table[row : row + BLOCK_BYTES]
            block = np.empty((some.size, rows.shape[0]), np.uint8)
            _take_across(rows, some, block)
            yield block.reshape(-1).data


def _rows_from(how: str, raw: memoryview, dtype: str, shape: list[int]) -> NDArray[Any]:
    """What ``_laid_out`` laid out as x, t, X or T."""
    size = int(np.prod(shape, dtype=np.int64))
    if how in ("x", "t"):
        rows = size if how == "x" else shape[0]
        columns = np.frombuffer(raw, np.uint8).reshape(-1, rows)
        return np.ascontiguousarray(columns.T).reshape(-1).view(dtype)
    rows, unit = shape[0], 2 if how == "X" else 1
    length = size // rows * np.dtype(dtype).itemsize
    count, mask = length // unit, (length // unit + 7) // 8
    varying = np.unpackbits(np.frombuffer(raw[length : length + mask], np.uint8), count=count) > 0
    table = np.empty((rows, count, unit), np.uint8)
    table[:] = np.frombuffer(raw[:length], np.uint8).reshape(count, unit)
    planes = np.frombuffer(raw[length + mask :], np.uint8)
    if how == "T":
        table[:, varying, 0] = planes.reshape(-1, rows).T
    else:
        table[:, varying] = planes.reshape(2, rows, -1).transpose(1, 2, 0)
    return table.reshape(-1).view(dtype)


def unpack(packed: bytes) -> dict[str, NDArray[Any]]:
    """What ``pack`` was given: the same names, shapes, dtypes and bits. Raises BadPack for damaged bytes."""
    try:
        whole = memoryview(_decompressor().decompress(packed))
        at = 4 + int.from_bytes(whole[:4], "little")
        arrays: dict[str, NDArray[Any]] = {}
        for name, dtype, shape, how, length in orjson.loads(whole[4:at]):
            raw, size = whole[at : at + length], int(np.prod(shape, dtype=np.int64))
            at += length
            if how == "r":
                flat: NDArray[Any] = np.frombuffer(raw, dtype, size).copy()
            elif how in ("x", "t", "X", "T"):
                flat = _rows_from(how, raw, dtype, shape)
            else:
                flat = _unpack_integers(how, raw, size).astype(dtype)
            arrays[name] = flat.reshape(shape)
        return arrays
    except (zstandard.ZstdError, MemoryError, ValueError, TypeError, KeyError) as e:  # memory: a size that is damaged
        raise BadPack(
            f"a packed value of {len(packed)} bytes cannot be read: {e}", hint="the database file is damaged"
        ) from e
