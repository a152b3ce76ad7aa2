"""States within states, by names with a point between."""

from __future__ import annotations

from offbeat_detectors.contract import State


def under(name: str, state: State) -> State:
    """*state* as a part of a larger one."""
    return {f"{name}.{key}": value for key, value in state.items()}


def part(state: State, name: str) -> State:
    """What ``under`` was given."""
    head = f"{name}."
    return {key.removeprefix(head): value for key, value in state.items() if key.startswith(head)}
