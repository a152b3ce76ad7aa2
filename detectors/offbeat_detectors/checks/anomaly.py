"""Do the models find something? Their findings become a status, by the score that they have."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from offbeat_detectors.checks.civil import WINDOWS, Windows, iso, when
from offbeat_detectors.checks.contract import Needs, NotJudged, NotNow, Parameter, Result, Status
from offbeat_detectors.checks.judging import lasted, number, series
from offbeat_detectors.checks.parameters import above_zero, checked, not_above
from offbeat_detectors.checks.readings import Readings

LISTED_MAX = 20


class Anomaly:
    """A finding of a model, not long ago."""

    about = "No model has lately found anything in the series with a score that counts."
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("yellow", "number", "a finding with this score or more is YELLOW", default=50.0),
        Parameter("red", "number", "a finding with this score or more is RED; 101: none is", default=75.0),
        Parameter("window", "number", "so long a finding counts", default=3600.0, unit="s"),
        *WINDOWS,
    )
    needs = Needs(history_s=3600.0, columns_max=64, clock=True, findings=True)

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """Raises BadParameters."""
        given = checked(parameters, self.parameters)
        above_zero(given, "yellow", "red", "window")
        not_above(given, "yellow", "red")
        self.yellow, self.red, self.window_s = given["yellow"], given["red"], given["window"]
        self.windows = Windows.of(given)
        self.needs = Needs(history_s=self.window_s, columns_max=64, clock=True, findings=True)

    def run(self, data: Readings) -> Result:
        """The finding with the highest score, of equals the newest."""
        if not self.windows.hold(data.now_ms, data.zone):
            raise NotNow
        if (data.last_ms < 0).all():
            raise NotJudged(f"{series(data)} has never had a reading")
        since_ms = data.now_ms - self.window_s * 1000
        recent = [each for each in data.found if since_ms < each.time_ms <= data.now_ms]
        recent.sort(key=lambda each: (-each.score, -each.time_ms, each.column))
        counting = [each for each in recent if each.score >= self.yellow]
        details: dict[str, Any] = {"window_s": self.window_s, "yellow": self.yellow, "red": self.red, "findings": [
            {"time": iso(each.time_ms), "series": data.columns[each.column], "score": each.score,
             "sentence": each.sentence} for each in recent[:LISTED_MAX]]}
        if not counting:
            return Result(Status.GREEN, "", details)
        worst = counting[0]
        status = Status.RED if worst.score >= self.red else Status.YELLOW
        limit = self.red if status is Status.RED else self.yellow
        more = f"; {len(counting)} in {lasted(self.window_s)}" if len(counting) > 1 else ""
        told = f": {worst.sentence}" if worst.sentence else ""
        return Result(
            status, f"{series(data, worst.column)} was odd at {when(worst.time_ms, data.zone)}, score "
                    f"{number(worst.score, 3)}, {number(limit)} or more is {status.name}{more}{told}", details)
