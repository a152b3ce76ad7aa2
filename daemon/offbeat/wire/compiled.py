"""How the parts of a scanner are compiled: as kernels are (offbeat_detectors.kernel), but without counting references.

A dozen arrays go down from a scanner to its parts; counting who holds each, with atomic additions, took longer than the
work. Parts neither make nor keep arrays, so there is nothing to count.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.kernel import compiled

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Ints = NDArray[np.int64]
Slots = NDArray[np.int32]
Floats = NDArray[np.float64]
F = TypeVar("F", bound=Callable[..., Any])


def step(function: F) -> F:
    """*function* compiled on its first call, from Python or from another; no array may be made in it."""
    return compiled(function, _nrt=False)


def part(function: F) -> F:
    """As ``step``, for what is only called from others."""
    return compiled(function, _nrt=False)


def inlined(function: F) -> F:
    """As ``step``, and always compiled into its caller: for what is small and runs for every event."""
    return compiled(function, forceinline=True, _nrt=False)


@inlined
def signed(number: Any) -> int:
    """*number* as a signed integer of 64 bits: mixed with an unsigned one numba would count in floats."""
    return np.int64(number)  # type: ignore[return-value]
