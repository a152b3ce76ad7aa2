"""Do events arrive as they should? The shares that come late, and that are rejected."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from offbeat_detectors.checks.civil import WINDOWS, Windows
from offbeat_detectors.checks.contract import Needs, NotJudged, NotNow, Parameter, Result, Status
from offbeat_detectors.checks.judging import Limits, apart, lasted
from offbeat_detectors.checks.parameters import checked, not_above, one_of, refuse
from offbeat_detectors.checks.readings import Readings

LATE, REJECTED = ("yellow_late", "max_late"), ("yellow_rejected", "max_rejected")


class Quality:
    """Too many events that come late or are rejected."""

    about = "Few enough events of the source come late, and few enough lines are rejected by the whole daemon."
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("max_late", "number", "a larger share of late events is RED", unit="%"),
        Parameter("yellow_late", "number", "a larger share of late events is YELLOW", unit="%"),
        Parameter("max_rejected", "number", "a larger share of rejected lines is RED", unit="%"),
        Parameter("yellow_rejected", "number", "a larger share of rejected lines is YELLOW", unit="%"),
        Parameter("window", "number", "the time that is looked at", default=3600.0, unit="s"),
        Parameter("min_events", "integer", "with fewer events in that time nothing is said", default=1),
        *WINDOWS,
    )
    needs = Needs(history_s=3600.0, columns_max=64, clock=True, arrivals=True)

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """Raises BadParameters."""
        given = checked(parameters, self.parameters)
        one_of(given, "max_late", "yellow_late", "max_rejected", "yellow_rejected")
        for name in (*LATE, *REJECTED):
            if given[name] is not None and not 0 <= given[name] <= 100:
                raise refuse(name, given[name], "0 to 100")
        not_above(given, *LATE)
        not_above(given, *REJECTED)
        if given["min_events"] < 1:
            raise refuse("min_events", given["min_events"], "1 or more")
        if not given["window"] > 0:
            raise refuse("window", given["window"], "more than 0")
        self.limits = {word: _limits(given, names) for word, names in (("late", LATE), ("rejected", REJECTED))
                       if any(given[name] is not None for name in names)}
        self.min_events, self.windows = given["min_events"], Windows.of(given)
        self.needs = Needs(history_s=given["window"], columns_max=64, clock=True, arrivals=True)

    def run(self, data: Readings) -> Result:
        """The worse of both shares."""
        if not self.windows.hold(data.now_ms, data.zone):
            raise NotNow
        came = data.arrivals
        if came is None:
            raise NotJudged("how events arrive is not known")
        parts = {"late": (came.late, came.events), "rejected": (came.rejected, came.rejected + came.accepted)}
        counts = {word: parts[word] for word in self.limits}
        if min(whole for _, whole in counts.values()) < self.min_events:
            raise NotJudged(f"too few events of {data.source} in {lasted(came.span_s)}: expected {self.min_events}")
        share = {word: 100 * part / whole for word, (part, whole) in counts.items()}
        level = {word: Status(int(limits.levels(np.array([share[word]]))[0])) for word, limits in self.limits.items()}
        details = {"span_s": came.span_s, **{f"{word}_percent": each for word, each in share.items()},
                   **{word: parts[word][0] for word in share}, "limits": {
                       name: limit for limits in self.limits.values() for name, limit in limits.as_dict().items()}}
        worst = max(level.values())
        if worst is Status.GREEN:
            return Result(worst, "", details)
        said = []
        for word in (word for word, each in level.items() if each is worst):
            name, limit, _ = self.limits[word].nearest(share[word], worst)
            shown, of_limit = apart(share[word], limit)
            of = f"events of {data.source}" if word == "late" else "lines of all senders"
            said.append(f"{shown} % of the {of} in {lasted(came.span_s)} were {word}: more than {name} {of_limit} %")
        return Result(worst, "; ".join(said), details)


def _limits(given: Mapping[str, Any], names: tuple[str, str]) -> Limits:
    yellow, red = (np.inf if given[name] is None else given[name] for name in names)
    return Limits(-np.inf, -np.inf, min(yellow, red), red, ("", "", *names))
