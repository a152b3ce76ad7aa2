"""The transforms of a job, ready to run over rows."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from offbeat.wire.records.effects import Effect, effect_of, holds
from offbeat.wire.records.rows import Column
from offbeat.wire.records.transforms import Transform, check_all, in_order


class Plan:
    """*transforms* in the order of what they need of each other. Raises TransformError if they are wrong.

    inputs   the raw fields that they need
    outputs  the fields that they make
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        check_all(transforms, None)
        self._steps = [(transform, None if transform.name == "exclude" else effect_of(transform))
                       for transform in in_order(transforms)]
        self.outputs = frozenset(name for transform in transforms for name in transform.made)
        self.inputs = tuple(dict.fromkeys(
            name for transform in transforms for name in transform.inputs if name not in self.outputs))

    def run(self, columns: dict[str, Column], size: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Add the fields that are made to *columns*; tell which records are excluded and how many transforms failed.

        Returns (n,) bool and, for each record, (n,) int64.
        """
        excluded, failed = np.zeros(size, np.bool_), np.zeros(size, np.int64)
        for transform, effect in self._steps:
            if effect is None:
                excluded |= _excluded(transform, columns, size)
            else:
                failed += _made(transform, effect, columns, size)
        return excluded, failed


def _excluded(transform: Transform, columns: dict[str, Column], size: int) -> NDArray[np.bool_]:
    assert transform.condition is not None  # checked
    condition = holds(transform.condition)
    excluded = np.zeros(size, np.bool_)
    for name in transform.inputs:
        answers = {text: condition(text or "") for text in dict.fromkeys(columns[name])}
        excluded |= np.fromiter(map(answers.__getitem__, columns[name]), np.bool_, size)
    return excluded


def _made(transform: Transform, effect: Effect, columns: dict[str, Column], size: int) -> NDArray[np.int64]:
    inputs = list(zip(*(columns[name] for name in transform.inputs), strict=True))
    answers = {given: effect(tuple(text or "" for text in given)) for given in dict.fromkeys(inputs)}
    nothing = [""] * len(transform.made)
    made = [answers[given] or nothing for given in inputs]
    for i, name in enumerate(transform.made):
        columns[name] = [outputs[i] for outputs in made]
    return np.fromiter((answers[given] is None for given in inputs), np.int64, size)
