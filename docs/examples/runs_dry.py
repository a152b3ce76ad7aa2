"""A check of a user's own, in a file of its own: see docs/checks.md."""
import numpy as np

from offbeat_detectors.checks.contract import Needs, NotJudged, Parameter, Status


def runs_dry(data, parameters):
    """The tank lasts for longer than that, if it goes on as in the last day."""
    past = data.since(days=1)
    if len(past) < 10:
        raise NotJudged(f"{len(past)} readings in a day: expected 10")
    per_hour = np.polyfit((past.time_ms - data.now_ms) / 3_600_000, past.column(), 1)[0]
    hours = past.value() / -per_hour if per_hour < 0 else np.inf
    status = Status.RED if hours < parameters["hours"] else Status.GREEN
    return status, f"at {past.value():.3g}, empty in {hours:.0f} h"


runs_dry.needs = Needs(history_s=86_400)
runs_dry.parameters = (Parameter("hours", "number", "how long it must last", default=24.0, unit="h"),)
