"""How hot loops are compiled: one decorator, so that each releases the interpreter lock and rounds the same."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core import types

from offbeat_detectors.machine_code import KernelCache

F = TypeVar("F", bound=Callable[..., Any])
KERNELS: list[Any] = []
"""All that are decorated so far, compiled or not."""


def compiled(function: F, **options: Any) -> F:
    """*function* compiled on its first call, with *options* of numba's besides ours, and kept on disk.

    No fast-math: the same input gives the same bits, whatever the batch.
    """
    made = numba.njit(nogil=True, fastmath=False, error_model="numpy", **options)(function)
    made._cache = KernelCache(made)
    made.get_call_template = _for_any_value(made.get_call_template)
    KERNELS.append(made)
    return cast(F, made)


def _for_any_value(get_call_template: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """One compilation for all constants that a kernel is called with; numba makes one for each of them."""

    def template(args: Any, kws: Any) -> Any:
        return get_call_template(
            [types.unliteral(each) for each in args], {name: types.unliteral(each) for name, each in kws.items()})

    return template


def kernel(function: F) -> F:
    """*function* compiled on its first call."""
    return compiled(function)


def lean_kernel(function: F) -> F:
    """As ``kernel``, for loops that make no array: they count no references to those they are given.

    Each count is an atomic addition: in the loop of "rhythm" they took as long as all the rest. What such a kernel
    calls is compiled the same way.
    """
    return compiled(function, _nrt=False)


def inlined_kernel(function: F) -> F:
    """As ``lean_kernel``, and laid into the kernels that call it, for what is called at every reading.

    An array is passed on as its seven numbers, over the stack: the eleven of "rhythm" took a fifth of its time.
    """
    return compiled(function, forceinline=True, _nrt=False)
