"""What a check would have said of stored readings, run after run; kept nowhere, bounded in runs and time."""
from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from offbeat.checks.book import Subject
from offbeat.checks.crew import Crew
from offbeat.checks.frames import Job
from offbeat.checks.gather import Gathered, Gatherer, Span, Wanted
from offbeat.checks.outcomes import STATUSES, Outcome
from offbeat.checks.rounds import Ran, outcome_of, result_of
from offbeat.checks.spec import CheckSpec
from offbeat.checks.standing import Standing, concluded
from offbeat_detectors.checks.contract import Needs

RUNS_AT_ONCE = 128
READINGS_MAX = 2_000_000
"""Readings of one subject that are in memory."""
CHANGES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Preview:
    """What it would have said. *counts*: runs by the status after them; *cut*: why there is not all, None: there is."""

    runs: int
    outcomes: tuple[Outcome, ...]
    counts: dict[str, int]
    cut: str | None


async def previewed(
    spec: CheckSpec, needs: Needs, subjects: Sequence[Subject], gatherer: Gatherer, crew: Crew, start_ms: int,
    end_ms: int, runs_max: int, seconds_max: float, readings_max: int,
) -> Preview:
    """The runs that *spec* would have had for *subjects*: an interval apart, where something new came.

    One that needs a clock runs at each.
    How events arrived is not known of the past. Raises NoWorker.
    """
    counts, changes, runs, cut = dict.fromkeys(STATUSES, 0), list[Outcome](), 0, None
    clock = asyncio.get_running_loop().time
    until, interval_ms = clock() + seconds_max, int(spec.interval_s * 1000)
    for subject in subjects:
        wanted = Wanted(subject.number, subject.columns, subject.numbers, subject.tolerance_ms, None)
        span = await gatherer.span(wanted, needs, start_ms, end_ms, READINGS_MAX)
        if span.end_ms < end_ms:
            cut = f"of each subject about {READINGS_MAX} readings are looked at"
        standing = Standing()
        steps = _steps(span, start_ms, interval_ms, needs.clock)
        for first in range(0, len(steps), RUNS_AT_ONCE):
            some = steps[first : first + min(RUNS_AT_ONCE, runs_max - runs)]
            handed = [span.at(now_ms, now_ms - interval_ms, needs, readings_max) for now_ms in some]
            parameters = dict(spec.parameters)
            said = await crew.run([Job(spec.kind, parameters, data) for data in handed], spec.time_limit_s, 1)
            for now_ms, data, one in zip(some, handed, said, strict=False):
                ran = Ran(subject, Gathered(data, (), 0), one)
                standing, changed = concluded(
                    standing, result_of(ran, now_ms), (), "", spec.raise_after, spec.clear_after
                )
                runs += 1
                if standing.present is not None:
                    counts[standing.present.status] += 1
                outcome = outcome_of(spec, ran, now_ms)
                if changed and outcome is not None and len(changes) < CHANGES_MAX:
                    changes.append(replace(outcome, since_ms=now_ms))
            if len(said) < len(some) or (said and said[-1].killed):
                cut = f"a run was ended: {said[-1].message}"
            elif runs >= runs_max:
                cut = f"after {runs} runs, as checks.preview_runs_max says"
            elif clock() > until:
                cut = f"after {seconds_max:g} s, as checks.preview_s says"
            elif len(changes) >= CHANGES_MAX:
                cut = f"after {CHANGES_MAX} changes"
            else:
                continue
            return Preview(runs, tuple(changes), counts, cut)
    return Preview(runs, tuple(changes), counts, cut)


def _steps(span: Span, start_ms: int, interval_ms: int, clock: bool) -> list[int]:
    """When the check would have run: an interval apart from *start_ms* on, where a moment came since, or always."""
    if clock:
        return list(range(start_ms, span.end_ms, interval_ms))
    moments = span.time_ms[np.searchsorted(span.time_ms, start_ms) : np.searchsorted(span.time_ms, span.end_ms)]
    steps: list[int] = (start_ms + interval_ms * np.unique(-((start_ms - moments) // interval_ms))).tolist()
    return steps
