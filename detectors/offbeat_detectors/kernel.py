"""How hot loops are compiled: one decorator, so that each releases the interpreter lock and rounds the same."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import types
from numba.core.registry import CPUDispatcher

from offbeat_detectors.machine_code import KernelCache

F = TypeVar("F", bound=Callable[..., Any])
KERNELS: list[Kernel] = []
"""All that are decorated so far, compiled or not."""


class Kernel(CPUDispatcher):  # type: ignore[misc]
    """A kernel as Python calls it. Kernels that call it have a compilation of their own, in ``inner``.

    What unpacks the arguments of a call from Python takes as long to compile as a small kernel; most are never called
    so.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        options = {"nopython": True, "nogil": True, "fastmath": False, "error_model": "numpy", "no_cfunc_wrapper": True,
                   **options}
        super().__init__(function, targetoptions=options)
        self._cache = KernelCache(self)
        self.inner = Part(function, targetoptions=options | {"no_cpython_wrapper": True})
        self.inner._cache = KernelCache(self.inner)

    @property
    def _numba_type_(self) -> types.Dispatcher:
        """What other kernels find under its name."""
        return types.Dispatcher(self.inner)


class Part(CPUDispatcher):  # type: ignore[misc]
    """A kernel as others call it: one compilation for all constants that they give, where numba makes one for each."""

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """The compilation for *args*, as numba asks for it."""
        return super().get_call_template(
            [types.unliteral(each) for each in args], {name: types.unliteral(each) for name, each in kws.items()})


def compiled(function: F, **options: Any) -> F:
    """*function* compiled on its first call, with *options* of numba's besides ours, and kept on disk.

    No fast-math: the same input gives the same bits, whatever the batch.
    """
    KERNELS.append(Kernel(function, options))
    return cast(F, KERNELS[-1])


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
