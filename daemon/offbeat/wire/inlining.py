"""How the parts of a scanner are compiled: as a kernel is (see offbeat_detectors.kernel), but without counting references.

A dozen arrays go down from a scanner to its parts; counting who holds each, with atomic additions, took longer than the work. Parts
neither make nor keep arrays, so there is nothing to count.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])
OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "fastmath": False, "error_model": "numpy", "_nrt": False}


def step(function: F) -> F:
    """*function* compiled on its first call, to be called from others; no array may be made in it."""
    return cast(F, numba.njit(**OPTIONS)(function))


def inlined(function: F) -> F:
    """As ``step``, but always compiled into its caller: for what runs for every event."""
    return cast(F, numba.njit(forceinline=True, **OPTIONS)(function))
