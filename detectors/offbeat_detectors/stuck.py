"""Stuck values: the same reading again and again, far longer than this series ever repeats itself."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.extremes import KNOWN_MAX, novelty_of_share, surprise_beyond
from offbeat_detectors.kernel import inlined_kernel, kernel

STUCK = np.dtype([
    ("anchor", "f8"), ("step", "f4"), ("longest", "f4"), ("second", "f4"), ("known", "f4"),
    ("run", "i4"), ("hour", "i4"),
])
"""What is known of the repeats of a series: 32 bytes.

anchor           the first reading of the present run
step             typical distance of a reading from the run before it
longest, second  the two longest runs that have ended, fading
known            how many runs have ended, fading
run              length of the present run; 0: no reading yet
hour             of the last reading, in hours since 1970
"""

TINY = 0.01  # typical steps: a reading so near to the anchor repeats it
STEP_GAIN, STEP_CLIP = 1.0 / 256.0, 4.0
RUN_MIN = 8.0  # no run counts as long below it: readings
FADE_HALF_LIFE_HOURS = 14.0 * 24.0
SPEAK, LOUDEST = 3.0, 5.0  # novelty from which a run is said to be stuck, and the most it comes to
SPOKEN_READINGS = 64  # so long it is said
LASTING = 0.3  # and then held below what makes a finding, while it lasts
RUN_MAX = 1 << 30
HOUR_MS = 3_600_000
HOUR_MAX = 1 << 30
F4_MAX = 3e38


@kernel
def novelty_of_run(run: float, second: float, known: float) -> float:
    """The novelty of a run so long, when *second* is the second longest of *known* runs.

    Run lengths have an exponential tail where each reading repeats the one before by the same chance.
    """
    second = max(second, RUN_MIN)
    if run <= second:
        return 0.0
    novelty = novelty_of_share(surprise_beyond(run / second, 1.0, known))
    if novelty < SPEAK:
        return 0.0
    before = run - SPOKEN_READINGS
    if before > second and novelty_of_share(surprise_beyond(before / second, 1.0, known)) >= SPEAK:
        return LASTING
    return min(LOUDEST, novelty)


@inlined_kernel
def judge(s: Any, time_ms: int, x: float) -> float:
    """Novelty of the run of equal readings that *x* of the series of row *s* ends in, 0 if it is none; then learn *x*.

    s  a row of dtype STUCK, changed in place
    time_ms  event time of the reading: what was learned fades by time

    The answer is 0 or from 3 to 5: a run is said to be stuck when it is as rare as a score of 75 and for 64 readings;
    while it lasts on, the novelty is 0.3, which is no finding. A run is learned when it ends: the longest one does not
    count, the second longest does, so one stuck episode does not hide the next, and an idle machine is known after
    two nights. A series of which no run has ended has no opinion, which is 0.
    """
    hour = min(HOUR_MAX, max(-HOUR_MAX, time_ms // HOUR_MS))
    if s.run == 0:
        s.anchor = x
        s.run = 1
        s.hour = hour
        return 0.0
    if hour != s.hour:
        if hour > s.hour and s.run == 1:
            fade = 0.5 ** ((hour - s.hour) / FADE_HALF_LIFE_HOURS)
            s.longest *= fade
            s.second *= fade
            s.known *= fade
        s.hour = hour
    moved = abs(x - s.anchor)
    if moved <= TINY * s.step:
        s.run = min(s.run + 1, RUN_MAX)
        return novelty_of_run(s.run, s.second, s.known)
    ended = float(s.run)
    if ended > s.second:
        s.second = min(ended, s.longest)
        s.longest = max(ended, s.longest)
    s.known = min(KNOWN_MAX, s.known + 1.0)
    if s.step == 0.0:
        s.step = min(F4_MAX, moved)
    else:
        s.step = min(F4_MAX, s.step + STEP_GAIN * (min(moved, STEP_CLIP * s.step) - s.step))
    s.anchor = x
    s.run = 1
    return 0.0


@kernel
def judge_then_learn(rows: NDArray[Any], slot: int, time_ms: int, x: float) -> float:
    """``judge`` of the row *slot* of *rows*."""
    return judge(rows[slot], time_ms, x)
