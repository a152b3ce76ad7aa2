"""What comes of a run, whatever the check does: one shape, bounded, fit for JSON; and statuses that do not flutter."""
from __future__ import annotations

import inspect
import json
import math
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import CodeType
from typing import Any

import numpy as np

from offbeat_detectors.checks.civil import iso
from offbeat_detectors.checks.contract import Check, NotJudged, NotNow, Result, Status
from offbeat_detectors.checks.readings import Readings

JUDGED, NO_DATA, ERROR = "judged", "no_data", "error"
MESSAGE_MAX = 1_000
DETAILS_BYTES_MAX = 32 * 1024
DEPTH_MAX = 8
CUT = "cut"
"""Set in details of which something is missing, for they were too large."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run said, or what became of it.

    reason   "judged", "no_data" (YELLOW: too little to judge), "error" (RED: the check itself failed)
    details  values of JSON, numbers finite, at most 32 KiB
    """

    status: Status
    reason: str
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def run(check: Check, data: Readings) -> Outcome | None:
    """What *check* says of *data*; None if it does not apply now. Raises nothing that a check raises."""
    try:
        answer: object = check.run(data)
        result = answer if isinstance(answer, Result) else _result(answer)
        if not isinstance(result.status, Status):
            raise TypeError(f"the status is {_short(result.status)}: expected a Status")
        if not isinstance(result.message, str):
            raise TypeError(f"the message is {_short(result.message)}: expected a text")
        if not isinstance(result.details, Mapping):
            raise TypeError(f"the details are {_short(result.details)}: expected a dict")
        return Outcome(result.status, JUDGED, _cut(result.message), plain(result.details))
    except NotNow:
        return None
    except NotJudged as missing:
        return Outcome(Status.YELLOW, NO_DATA, _cut(_text(missing)) or "there is too little to judge")
    except (Exception, SystemExit) as error:  # whatever a plug-in does is said of it alone
        file, line = _place(error, check)
        place = f" ({file}, line {line})" if line else f" ({file})" if file else ""
        said = f"{type(error).__name__}: {_text(error)}"
        return Outcome(Status.RED, ERROR, _cut(said, MESSAGE_MAX - len(place)) + place,
                       plain({"type": type(error).__name__, "file": file, "line": line}))


def plain(details: Mapping[Any, Any], bytes_max: int = DETAILS_BYTES_MAX) -> dict[str, Any]:
    """*details* as values of JSON: numpy's too, times as text, what is not finite as null, anything else as text.

    What does not fit into *bytes_max* of JSON, or is deeper than 8, is left out, and ``cut`` is true.
    """
    cutter = _Cutter(bytes_max - len(', "cut": true'))
    fit: dict[str, Any] = cutter.fit(details, 0)
    return fit | {CUT: True} if cutter.is_cut else fit


@dataclass(frozen=True, slots=True)
class Held:
    """A status that lasts: it gets worse, or better, only after some results in a row. A state machine without a clock.

    status    None: nothing was judged yet, and the first result counts at once
    at_least  how many results in a row up to now were YELLOW or worse, and RED
    at_most   how many in a row were GREEN, and YELLOW or better
    """

    status: Status | None = None
    at_least: tuple[int, int] = (0, 0)
    at_most: tuple[int, int] = (0, 0)

    def after(self, status: Status, raise_after: int = 1, clear_after: int = 1) -> Held:
        """What holds after one more result.

        It gets as bad as the best of the last *raise_after* results, as good as the worst of the last *clear_after*.
        Raises ValueError if one of them is below 1.
        """
        if min(raise_after, clear_after) < 1:
            raise ValueError(f"raise_after is {raise_after}, clear_after {clear_after}: expected 1 or more")
        yellow, red = (before + 1 if status >= least else 0
                       for before, least in zip(self.at_least, (Status.YELLOW, Status.RED), strict=True))
        green, no_red = (before + 1 if status <= most else 0
                         for before, most in zip(self.at_most, (Status.GREEN, Status.YELLOW), strict=True))
        risen = Status.RED if red >= raise_after else Status.YELLOW if yellow >= raise_after else Status.GREEN
        fallen = Status.GREEN if green >= clear_after else Status.YELLOW if no_red >= clear_after else Status.RED
        holds = status if self.status is None else min(max(self.status, risen), fallen)
        return Held(holds, (yellow, red), (green, no_red))


def held(statuses: Iterable[Status], raise_after: int = 1, clear_after: int = 1) -> list[Status]:
    """What holds after each of the results."""
    state, shown = Held(), []
    for status in statuses:
        state = state.after(status, raise_after, clear_after)
        shown.append(status if state.status is None else state.status)
    return shown


class _Cutter:
    """Takes values until so many bytes of JSON are full."""

    def __init__(self, left: int) -> None:
        self.left, self.is_cut = left, False

    def fit(self, value: Any, depth: int) -> Any:
        if isinstance(value, np.ndarray):
            value = (value[:self.left] if value.ndim else value).tolist()
        if isinstance(value, set | frozenset):
            value = sorted(value, key=repr)  # the same in every process
        if isinstance(value, Mapping | list | tuple) and depth >= DEPTH_MAX:
            self.is_cut = True
            return None
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, list | tuple):
            return self._list(value, depth)
        return _scalar(value)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        fit: dict[str, Any] = {}
        self.left -= 2
        for key, each in value.items():
            name = _cut(key if isinstance(key, str) else _short(key))
            if not self._take(name, each):
                break
            fit[name] = self.fit(each, depth + 1)
        return fit

    def _list(self, value: Iterable[Any], depth: int) -> list[Any]:
        fit = []
        self.left -= 2
        for each in value:
            if not self._take("", each):
                break
            fit.append(self.fit(each, depth + 1))
        return fit

    def _take(self, name: str, value: Any) -> bool:
        """Whether there is room for a member: all of a scalar, the brackets of what holds others."""
        holds = isinstance(value, Mapping | list | tuple | set | frozenset | np.ndarray)
        size = 4 + len(json.dumps(name)) + (2 if holds else len(json.dumps(_scalar(value))))
        if size > self.left:
            self.is_cut = True
            return False
        self.left -= size
        return True


def _scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < 2**63 else _short(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return iso(round(value.timestamp() * 1000))
    return _short(value)


def _result(answer: object) -> Result:
    if isinstance(answer, Status):
        return Result(answer)
    if isinstance(answer, tuple) and len(answer) == 2:
        return Result(*answer)
    raise TypeError(f"the answer is {_short(answer)}: expected a Status, (Status, message) or a Result")


def _place(error: BaseException, check: Check) -> tuple[str, int]:
    """File and line of the plug-in at which it went wrong; where it began, if its file is in no frame."""
    made: Any = getattr(check, "made", check)
    function = made if inspect.isfunction(made) else getattr(type(made), "run", None)
    code: CodeType | None = getattr(function, "__code__", None)
    file = code.co_filename if code else _file(type(made))
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame.lineno or 0 for frame in frames if frame.filename == file]
    return (file, own[-1]) if own else (file, code.co_firstlineno if code else 0)


def _file(cls: type[Any]) -> str:
    try:
        return inspect.getfile(cls)
    except (TypeError, OSError):
        return ""


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "its message cannot be told"


def _short(value: object) -> str:
    try:
        return _cut(repr(value), 100)
    except Exception:
        return f"a {type(value).__name__}"


def _cut(text: str, most: int = MESSAGE_MAX) -> str:
    text = text.encode("utf-8", "replace").decode()  # half of a surrogate pair has no place in JSON
    return text if len(text) <= most else f"{text[:max(most - 1, 0)]}…"
