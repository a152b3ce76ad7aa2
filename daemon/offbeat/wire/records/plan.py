"""The transforms of a job, ready to run over rows."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from offbeat.wire.records.effects import Effect, effect_of, holds
from offbeat.wire.records.errors import SlowRegex, TooManySlowValues
from offbeat.wire.records.rows import Column
from offbeat.wire.records.transforms import Transform, check_all, in_order

T = TypeVar("T")
V = TypeVar("V")
SLOW_MAX = 8
"""Values of an upload that take too long: at the next one it is refused, so that none takes long as a whole."""


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
        self._slow = 0

    def run(self, columns: dict[str, Column], size: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Add the fields that are made to *columns*; tell which records are excluded and how many transforms failed.

        Returns (n,) bool and, for each record, (n,) int64. A value over which a regular expression takes too long has
        failed, and is no reason to exclude a record. Raises TooManySlowValues.
        """
        excluded, failed = np.zeros(size, np.bool_), np.zeros(size, np.int64)
        for transform, effect in self._steps:
            if effect is None:
                condition, undecided = self._excluded(transform, columns, size)
                excluded |= condition
                failed += undecided
            else:
                failed += self._made(transform, effect, columns, size)
        return excluded, failed

    def _excluded(
        self, transform: Transform, columns: dict[str, Column], size: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        assert transform.condition is not None  # checked
        condition = holds(transform.condition)
        excluded, undecided = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
        for name in transform.inputs:
            answers = {text: self._unless_slow(condition, text or "") for text in dict.fromkeys(columns[name])}
            found = [answers[text] for text in columns[name]]
            excluded |= np.fromiter((one is True for one in found), np.bool_, size)
            undecided |= np.fromiter((one is None for one in found), np.bool_, size)
        return excluded, undecided

    def _made(
        self, transform: Transform, effect: Effect, columns: dict[str, Column], size: int
    ) -> NDArray[np.int64]:
        inputs = list(zip(*(columns[name] for name in transform.inputs), strict=True))
        answers = {
            given: self._unless_slow(effect, tuple(text or "" for text in given)) for given in dict.fromkeys(inputs)}
        nothing = [""] * len(transform.made)
        made = [answers[given] or nothing for given in inputs]
        for i, name in enumerate(transform.made):
            columns[name] = [outputs[i] for outputs in made]
        return np.fromiter((answers[given] is None for given in inputs), np.int64, size)

    def _unless_slow(self, asked: Callable[[V], T], value: V) -> T | None:
        """What is *asked* of a value; None if that takes too long, which is counted."""
        try:
            return asked(value)
        except SlowRegex as e:
            self._slow += 1
            if self._slow > SLOW_MAX:
                raise TooManySlowValues(f"{e}, so it did over {SLOW_MAX} before") from None
            return None
