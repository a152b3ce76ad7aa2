"""Why a job says something of a series, or nothing: what the engine holds of it, in words. Pure."""

from __future__ import annotations

import math

import numpy as np

from offbeat.engine.views import SeriesState
from offbeat.store.queries import SeriesDiagnosis

_ROUND = 0.005  # a factor nearer to 1 than this prints as 100 %
_UNITS = (("second", 1_000, 90_000), ("minute", 60_000, 5_400_000), ("hour", 3_600_000, 129_600_000))


def diagnosis_of(job: str, field: str, state: SeriesState) -> SeriesDiagnosis:
    """One series under one job: a word for its state, the figures behind it, and all of it as a sentence."""
    left_s = state.warmup_left * state.interval_ms / 1000 if state.interval_ms > 0.0 else math.nan
    name, said = _state(state)
    if state.held_left and name != "silent":
        said += (
            f"; suppressed by the incident of {_count(state.held_age, 'reading')} ago: for "
            f"{_count(state.held_left, 'more reading')} only a novelty above {state.held_above:.3g} is told"
        )
    if state.damping < 1.0 - _ROUND:
        said += f"; made weaker, to {100 * state.damping:.0f} %, by its own earlier peaks"
    if abs(state.adjustment - 1.0) > _ROUND:
        which = "weaker" if state.adjustment < 1.0 else "stronger"
        said += f"; made {which}, to {100 * state.adjustment:.0f} %, by feedback"
    if state.settled < 1.0 and name in ("ready", "held"):
        said += (
            f"; settling: a finding counts {100 * state.settled:.0f} % and scores {state.score_max:.0f} at most, "
            f"in full after {_count(state.settles_readings, 'more reading')} or {about(state.settles_ms)}"
        )
    if state.late_ms is not None:
        said += f"; its silence is not looked at, for its events come {about(state.late_ms)} late"
    return SeriesDiagnosis(
        job,
        field,
        name,
        state.warmup_left,
        0.0 if not state.warmup_left else left_s,
        state.silent_since_ms,
        state.held_left,
        state.damping,
        state.adjustment,
        state.settled,
        _settles_in_s(state),
        said,
    )


def _settles_in_s(state: SeriesState) -> float:
    """Seconds until a finding counts in full, at the usual pace of the series or by the days, whichever is first."""
    by_days = state.settles_ms / 1000
    if state.interval_ms <= 0.0:
        return by_days
    return min(by_days, state.settles_readings * state.interval_ms / 1000)


def _state(state: SeriesState) -> tuple[str, str]:
    if not state.heard:
        return "quiet", "quiet: no opinion because no reading on time has come since the job began"
    if not state.with_model:
        return "no_model", f"no model: all {_count(state.places, 'place')} of its shard are in use{_lost(state)}"
    if state.silent_since_ms is not None:
        said = f"silent since {moment(state.silent_since_ms)}"
        if state.due_ms is not None:
            said += f", a reading was due by {moment(state.due_ms)}"
        return "silent", said + ("; told" if state.silence_told else "; not told, for its score would be too low")
    if state.warmup_left:
        said = f"warming up: {_count(state.warmup_left, 'more reading')}"
        if state.interval_ms > 0.0:
            said += f", about {about(state.warmup_left * state.interval_ms)}"
        if state.anew_reason:
            said += f"; begun anew at the last start, for {state.anew_reason}"
        if state.evicted_count:
            said += f"{_lost(state)}: it begins " + ("from what its peers have taught" if state.has_peers else "anew")
        return "warming_up", said
    return ("held" if state.held_left else "ready"), "ready"


def _lost(state: SeriesState) -> str:
    """What to say of a series whose place another one has taken, since or once."""
    if not state.evicted_count:
        return ""
    times = "" if state.evicted_count == 1 else f"{_count(state.evicted_count, 'time')}, last "
    return f"; its model was evicted at the limit {times}at {moment(state.evicted_ms)}"


def moment(ms: int) -> str:
    """Milliseconds since 1970 UTC as a person reads them."""
    return f"{np.datetime64(ms, 'ms').astype('M8[s]')}Z"


def about(ms: float) -> str:
    """A span of time in its nearest unit: 23 minutes."""
    for unit, length, below in _UNITS:
        if ms < below:
            return _count(math.ceil(ms / length), unit)
    return _count(math.ceil(ms / 86_400_000), "day")


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
