"""How hot loops are compiled: one decorator, so that each releases the interpreter lock and rounds the same."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """*function* compiled on its first call. No fast-math: the same input gives the same bits, whatever the batch."""
    return cast(F, numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy")(function))


def exact_minimum_kernel(function: F) -> F:
    """As ``kernel``, for loops that seek a minimum: the compiler may suppose that there is no NaN, and no −0.

    Only so does it use the processor's vectors. A minimum of numbers is exact in any order: the bits stay the same.
    """
    return cast(F, numba.njit(cache=True, nogil=True, fastmath={"nnan", "nsz"}, error_model="numpy")(function))
