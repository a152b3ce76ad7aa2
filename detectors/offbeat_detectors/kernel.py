"""How hot loops are compiled: one decorator, so that each releases the interpreter lock and rounds the same."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """*function* compiled on its first call. No fast-math: the same input gives the same bits, whatever the batch."""
    return cast(F, numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy")(function))


def lean_kernel(function: F) -> F:
    """As ``kernel``, for loops that make no array: they count no references to those they are given.

    Each count is an atomic addition: in the loop of "rhythm" they took as long as all the rest. What such a kernel
    calls is compiled the same way.
    """
    return cast(F, numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy", _nrt=False)(function))


def inlined_kernel(function: F) -> F:
    """As ``lean_kernel``, and laid into the kernels that call it, for what is called at every reading.

    An array is passed on as its seven numbers, over the stack: the eleven of "rhythm" took a fifth of its time.
    """
    return cast(F, numba.njit(
        cache=True, nogil=True, fastmath=False, error_model="numpy", forceinline=True, _nrt=False)(function))
