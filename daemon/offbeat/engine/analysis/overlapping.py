"""Buckets shifted by half a span, and results that wait for those that overlap with theirs."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import astuple, fields, replace
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from offbeat.engine.analysis.columns import Columns
from offbeat.engine.analysis.kinds import question_of
from offbeat.engine.analysis.names import Names
from offbeat.engine.analysis.nested import part, under
from offbeat.engine.analysis.question import Answer, Draft, Question, Waiting
from offbeat.engine.analysis.results import Cause, PlotPoint
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat_detectors.buckets.functions import function_of
from offbeat_detectors.contract import State


class Overlapping:
    """Asks of shifted buckets what a job asks of its own, where that may find more.

    Shifted bucket s is the second half of bucket s and the first of s + 1, and closes with that. It counts if both were
    watched from begin to end: only then it is learned.
    """

    def __init__(self, spec: AnalysisSpec, names: MutableMapping[str, Names]) -> None:
        self._window, self._span_ms = spec.finalization_spans, 1000 * spec.bucket_span_s
        plain = replace(spec, model_plot=None)
        useful = (i for i, one in enumerate(spec.detectors) if function_of(one.function).overlapping == "useful")
        self.questions: list[Question] = [question_of(i, plain, names) for i in useful]
        self._open: set[int] = set()
        self._broken: set[int] = set()  # of some rows were dropped
        self._last: int | None = None  # the newest bucket that was closed
        self._waiting: list[Waiting] = []

    def add(self, columns: Columns, rows: slice, weight: NDArray[np.float64]) -> None:
        """Take *rows* of an upload."""
        bucket = (columns.time_ms[rows] - self._span_ms // 2) // self._span_ms
        self._open.update(np.unique(bucket).tolist())
        for question in self.questions:
            question.add(columns, rows, bucket, weight)

    def close(self, closed: Waiting) -> None:
        """A bucket is closed, and waits; the shifted one before it is judged and learned."""
        bucket = closed.bucket
        whole, self._last = self._last == bucket - 1 and bucket - 1 not in self._broken, bucket
        said: tuple[list[Answer], ...] = ()
        if whole:
            said = ([question.close(bucket - 1) for question in self.questions],)
            self._open.discard(bucket - 1)
        self._forget(sorted(one for one in self._open if one < bucket))
        self._broken = {one for one in self._broken if one >= bucket}
        self._waiting = [
            replace(one, shifted=one.shifted + said) if one.bucket == bucket - 1 else one for one in self._waiting
        ]
        self._waiting.append(replace(closed, shifted=said))

    def make_room(self, bucket: int) -> None:
        """Once *bucket* is closed: forget, if there are too many, whom nobody has seen for longest."""
        for question in self.questions:
            question.make_room(bucket - 1)

    def drop(self, bucket: int) -> None:
        """Forget the rows of those that overlap with *bucket*, of which nothing is to be said."""
        self._forget([bucket - 1, bucket])
        self._broken |= {bucket - 1, bucket}

    def due(self, bucket: int | None) -> Iterator[Waiting]:
        """Those that have waited for long enough once *bucket* is closed, in their order; None: all. Told once."""
        while self._waiting and (bucket is None or self._waiting[0].bucket <= bucket - self._window):
            yield self._waiting.pop(0)

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """Those that are not final."""
        return tuple(self._waiting)

    def drop_open(self) -> None:
        """Forget the rows of all open buckets: they are not whole."""
        self._broken |= self._open
        self._forget(sorted(self._open))
        self._last = None

    def drop_waiting(self) -> None:
        """Forget all that waits."""
        self._waiting.clear()

    def _forget(self, buckets: Sequence[int]) -> None:
        for one in buckets:
            self._open.discard(one)
            for question in self.questions:
                question.drop(one)

    def save(self) -> State:
        """All of it, as arrays."""
        last = [] if self._last is None else [self._last]
        state: State = {
            "last": np.array(last, np.int64),
            "open": np.array(sorted(self._open), np.int64),
            "broken": np.array(sorted(self._broken), np.int64),
        }
        for i, question in enumerate(self.questions):
            state |= under(f"question{i}", question.save())
        for i, one in enumerate(self._waiting):
            state[f"waiting{i}"] = np.array([one.bucket, len(one.shifted)], np.int64)
            state[f"events{i}"] = np.array([one.events])
            for j, answers in enumerate((one.answers, *one.shifted)):
                state |= under(f"answers{i}_{j}", saved(answers))
        return state

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        self._last = int(state["last"][0]) if state["last"].size else None
        self._open, self._broken = set(state["open"].tolist()), set(state["broken"].tolist())
        for i, question in enumerate(self.questions):
            question.restore(part(state, f"question{i}"))
        self._waiting = []
        while f"waiting{len(self._waiting)}" in state:
            i = len(self._waiting)
            bucket, shifted = state[f"waiting{i}"].tolist()
            own, *others = (restored(part(state, f"answers{i}_{j}")) for j in range(1 + shifted))
            self._waiting.append(Waiting(bucket, float(state[f"events{i}"][0]), own, tuple(others)))


def saved(answers: Sequence[Answer]) -> State:
    """Answers as arrays; floats as texts of their bits, for JSON has no NaN."""
    said = [
        [one.detector, one.left_out, _plain([astuple(draft) for draft in one.drafts]), _plain(map(astuple, one.plot))]
        for one in answers
    ]
    state: State = {"said": np.frombuffer(orjson.dumps(said), np.uint8)}
    return state | {f"p{i}": one.probability for i, one in enumerate(answers)}


def restored(state: State) -> list[Answer]:
    """What ``saved`` was given."""
    return [
        Answer(
            detector,
            state[f"p{i}"],
            [_draft(*_back(draft)) for draft in drafts],
            tuple(PlotPoint(*_back(point)) for point in plot),
            left_out,
        )
        for i, (detector, left_out, drafts, plot) in enumerate(orjson.loads(state["said"].tobytes()))
    ]


def _draft(*values: Any) -> Draft:
    given = dict(zip((one.name for one in fields(Draft)), values, strict=False))  # earlier builds kept less
    return Draft(**given | {"causes": tuple(Cause(*one) for one in given["causes"])})


def _plain(value: Any) -> Any:
    """Floats as {"": hexadecimal}, what holds others as lists and dicts."""
    if isinstance(value, float):
        return {"": value.hex()}
    if isinstance(value, dict):
        return {f".{name}": _plain(one) for name, one in value.items()}
    if value is None or isinstance(value, str | int):
        return value
    return [_plain(one) for one in value]


def _back(value: Any) -> Any:
    """What ``_plain`` was given; lists as tuples."""
    if isinstance(value, dict):
        if "" in value:
            return float.fromhex(value[""])
        return {name[1:]: _back(one) for name, one in value.items()}
    return tuple(_back(one) for one in value) if isinstance(value, list) else value
