"""How the small steps of a scanner are compiled: into their caller, for passing a dozen arrays costs more than most of them do."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def step(function: F) -> F:
    """*function* compiled as a kernel is (see offbeat_detectors.kernel), and always into its caller."""
    return cast(F, numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy", _nrt=False)(function))
