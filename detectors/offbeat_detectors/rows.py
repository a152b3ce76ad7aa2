"""State as an array of rows, a series a row: laid on the lines of the processor's cache, fetched ahead, kept."""
from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from offbeat_detectors.contract import State
from offbeat_detectors.kernel import inlined_kernel

LINE_BYTES = 64
AHEAD, NEAR, FAR = 8, 3, 32
"""How many points ahead a row is fetched, and what the row itself says will be needed. Measured, 100,000 series in
random order: 43 ns a point, 180 without. FAR: in a loop of some nanoseconds, where a row would else come too late."""


def zero_rows(capacity: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """(capacity,) rows of *dtype*, all zero, from the start of a cache line. Pages are committed when first written."""
    room = np.zeros(capacity * dtype.itemsize + LINE_BYTES, np.uint8)
    start = -room.ctypes.data % LINE_BYTES
    return room[start : start + capacity * dtype.itemsize].view(dtype)


def offset_of(dtype: np.dtype[Any], name: str) -> int:
    """Where in a row the field *name* begins, in bytes."""
    fields = dtype.fields
    return 0 if fields is None else fields[name][1]


@intrinsic  # type: ignore[untyped-decorator]
def prefetch_at(typingctx: Any, rows: Any, index: Any, byte: Any) -> Any:
    """Ask for the line with byte *byte* of rows[index] to be in the cache soon, without waiting for it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        at, to = (context.cast(builder, args[i], signature.args[i], types.intp) for i in (1, 2))
        start = builder.bitcast(array.data, ir.IntType(8).as_pointer())
        stride = builder.extract_value(array.strides, 0)
        i32 = ir.IntType(32)
        function = builder.module.declare_intrinsic(
            "llvm.prefetch", (start.type,), ir.FunctionType(ir.VoidType(), [start.type, i32, i32, i32]))
        line = builder.gep(start, [builder.add(builder.mul(at, stride), to)])
        builder.call(function, [line, i32(1), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.void(rows, index, byte), generate


@inlined_kernel
def prefetch(rows: NDArray[Any], index: int) -> None:
    """Ask for the first line of rows[index]."""
    prefetch_at(rows, index, 0)


@inlined_kernel
def prefetch_until(rows: NDArray[Any], index: int, size: int) -> None:
    """Ask for the lines of the first *size* bytes of rows[index]."""
    for byte in range(0, size, LINE_BYTES):
        prefetch_at(rows, index, byte)


def as_bytes(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """(capacity, itemsize) the same memory: a copy of structured rows leaves the bytes between fields to chance."""
    return rows.view(np.uint8).reshape(rows.size, rows.itemsize)


def copy_of(rows: NDArray[Any], slot: NDArray[Any]) -> NDArray[Any]:
    """A copy of rows[slot]. Where slots follow one another, as those of a shard do, it is one piece of memory."""
    if slot.size and int(slot[-1]) - int(slot[0]) == slot.size - 1 and (slot[1:] - slot[:-1] == 1).all():
        return np.array(rows[slot[0] : slot[-1] + 1])
    taken: NDArray[Any] = rows[slot]
    return taken


def save_rows(rows: NDArray[Any], slot: NDArray[np.int32]) -> State:
    """A copy of rows[slot] as one array a field, (n,) or (n, k): what ``Detector.save`` gives.

    The arrays are columns of one copy of the rows: to lay each out by itself is left to whoever packs them.
    """
    taken = copy_of(rows, slot)
    return {name: taken[name] for name in rows.dtype.names or ()}


def restore_rows(rows: NDArray[Any], slot: NDArray[np.int32], state: State) -> None:
    """The reverse of ``save_rows``. Raises KeyError for a missing column, ValueError for one of another shape."""
    for name in rows.dtype.names or ():
        column, of_one = state[name], rows.dtype[name].shape
        if column.shape[:1] != slot.shape:
            raise ValueError(f"state {name!r} is of {len(column)} series: expected {slot.size}")
        if column.shape[1:] != of_one:
            raise ValueError(f"state {name!r} has numbers of shape {column.shape[1:]} for a series: expected {of_one}")
        rows[name][slot] = column
