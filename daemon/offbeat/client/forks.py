"""What a process that forks leaves behind: threads are gone in the child, and connections are still the parent's."""
from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """What begins anew in a child."""

    def begin_anew(self) -> None:
        """Forget what belongs to the parent: connections, threads, what waits. Called in the child, before all else."""


_KNOWN: WeakSet[Forked] = WeakSet()


def begins_anew(thing: Forked) -> None:
    """Call ``begin_anew`` of *thing* in each child that is forked while it lives."""
    _KNOWN.add(thing)


def _in_child() -> None:
    for thing in list(_KNOWN):
        thing.begin_anew()


os.register_at_fork(after_in_child=_in_child)
