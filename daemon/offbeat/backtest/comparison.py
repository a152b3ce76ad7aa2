"""A back-test from its question to its answer: plan, run in workers, compare."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from offbeat.backtest import files, stored
from offbeat.backtest.diff import KINDS, Difference, Kind, compare
from offbeat.backtest.question import Change, FileReadings, Scope, StoredReadings
from offbeat.backtest.run import Found, Ran, Runner, blocks_of
from offbeat.backtest.stored import Part
from offbeat.backtest.windows import windows
from offbeat.backtest.workers import Tell, share_out
from offbeat.errors import BadRequest
from offbeat.records import JobSpec
from offbeat.store.database import FILE_NAME

WEEK_MS = 7 * 86_400_000
NOT_STORED = "nothing is stored there; a rerun of the job as it is would say why"
NOT_STORED_SAME = "nothing is stored there by the same model: readings came late or disordered, or feedback hid it"
Progress = Callable[[int], AbstractContextManager[Tell]]
"""Given how much there is to do (readings, or bytes of a file over all workers), gives what is told of each step."""
Share = Callable[[Callable[[Any, Tell], Ran], Sequence[Any], int, Tell], list[Ran]]
"""As ``share_out``."""


@dataclass(frozen=True, slots=True)
class StoredJob:
    """One part of what is stored, for one worker."""

    path: Path
    part: Part
    scope: Scope
    candidate: JobSpec
    baseline: JobSpec | None
    score_min: float


@dataclass(frozen=True, slots=True)
class FileJob:
    """One share of a file, for one worker."""

    asked: FileReadings
    share: files.Share
    scope: Scope
    candidate: JobSpec
    baseline: JobSpec
    score_min: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer.

    baseline, candidate  the configurations; *stored*: the baseline's findings are the stored ones, it was not run
    differences          every incident once, by time
    counts               of each kind; *unchanged_count* of the kept ones are the same to the last bit
    baseline_count, candidate_count  findings that count, of each side
    left_out             findings that count on neither side, by reason
    notes                what else a reader should know
    seconds, run_seconds in all, and for running the readings, the start of the processes included
    """

    baseline: JobSpec
    candidate: JobSpec
    stored: bool
    score_min: float
    tolerance: int
    differences: list[Difference]
    ran: Ran
    left_out: dict[str, int]
    notes: tuple[str, ...]
    seconds: float
    run_seconds: float
    workers: int
    counts: dict[Kind, int] = field(default_factory=dict)

    @property
    def unchanged_count(self) -> int:
        """How many of the kept ones are the same to the last bit."""
        return sum(d.unchanged for d in self.differences)

    @property
    def baseline_count(self) -> int:
        """Findings of the baseline that count."""
        return sum(d.baseline is not None for d in self.differences)

    @property
    def candidate_count(self) -> int:
        """Findings of the candidate that count."""
        return sum(d.candidate is not None for d in self.differences)

    def weekly(self, count: int) -> float | None:
        """*count* findings as a rate per series and week; None where no series was watched for any time."""
        return count / (self.ran.series_ms / WEEK_MS) if self.ran.series_ms else None


def over_stored(
    asked: StoredReadings, change: Change, scope: Scope, workers: int, progress: Progress, share: Share = share_out
) -> Comparison:
    """Compare over what a daemon has stored; it may be running. *share* does the parts.

    Raises StoreUnusable, NotFound, BadRequest, WorkerFailed.
    """
    began = time.monotonic()
    scope = scope.checked()
    spec = stored.job_of(asked)
    candidate = change.of(spec)
    baseline = None if asked.rerun is None else asked.rerun.of(spec)
    plan = stored.plan(asked, scope, [one for one in (candidate, baseline) if one is not None], workers)
    path = asked.state_dir / FILE_NAME
    wanted = plan.score_min if scope.score_min is None else scope.score_min
    least = plan.score_min if baseline is None else min(plan.score_min, wanted)
    jobs = [
        StoredJob(
            path, part, scope, stored.everything(candidate), baseline and stored.everything(baseline), least
        )
        for part in plan.parts
    ]
    started = time.monotonic()
    with progress(plan.reading_count) as tell:
        ran = _joined(share(run_stored, jobs, workers, tell))
    run_seconds = time.monotonic() - started
    left_out = {"of_silence": plan.silence_count, "not_packed_yet": plan.unpacked_count}
    mine = ran.baseline if baseline is not None else plan.findings
    if baseline is None:
        missing = [f for f in mine if scope.holds(f.time_ms) and f.point not in ran.candidate_said]
        left_out["readings_gone"] = len(missing)
        mine = [f for f in mine if f.point in ran.candidate_said]
    certain = [f for f in ran.candidate if baseline is not None or not _in_any(f, plan.doubtful)]
    notes = [
        "readings are run in the order of their time: how late each arrived is not stored",
        "findings of silence are left out: they depend on the clock",
    ]
    if wanted < least:
        notes.append(f"the store keeps no finding that scores less than {least:g}: those are left out")
    if plan.adjustment_count:
        notes.append(f"{counted(plan.adjustment_count, 'adjustment')} by feedback in force: not applied here")
    if plan.late_start and baseline is None:
        notes.append("the job began when readings were stored already: some that came before it may have been run too")
    if ran.gone_count:
        notes.append(f"{counted(ran.gone_count, 'chunk')} of readings removed by retention meanwhile")
    return _compared(
        spec if baseline is None else baseline, candidate, baseline is None, max(least, wanted),
        mine, certain, ran, scope, left_out, notes, began, run_seconds, workers,
    )


def over_file(
    asked: FileReadings, change: Change, scope: Scope, workers: int, progress: Progress, share: Share = share_out
) -> Comparison:
    """Compare over a file, in the order of its lines: *share* does the parts.

    Raises BadRequest, BadBody, WorkerFailed, OSError.
    """
    began = time.monotonic()
    scope = scope.checked()
    spec = replace(asked.spec, sources=scope.sources, fields=scope.fields)
    candidate, baseline = change.of(spec), asked.baseline.of(spec)
    size = files.check_file(asked)
    together = stored.learns_together(candidate) or stored.learns_together(baseline)
    score_min = asked.score_min if scope.score_min is None else scope.score_min
    least = min(score_min, asked.score_min)
    jobs = [
        FileJob(asked, files.Share(number, workers, together), scope, candidate, baseline, least)
        for number in range(workers)
    ]
    started = time.monotonic()
    with progress(size * workers) as tell:
        ran = _joined(share(run_file, jobs, workers, tell))
    run_seconds = time.monotonic() - started
    if not ran.reading_count:
        raise BadRequest(
            f"no reading in {asked.path} fits", where={"file": str(asked.path)},
            hint=f"{counted(ran.rejected_count, 'line')} rejected; --format, --time-field, --source and --field choose",
        )
    notes = ["the lines are run in their order, as if they were sent; silence is not looked at"]
    if ran.late_count:
        notes.append(f"{counted(ran.late_count, 'event')} too late for their bucket, not judged")
    if ran.rejected_count:
        notes.append(f"{counted(ran.rejected_count, 'line')} rejected; `offbeat send` would list them")
    return _compared(
        baseline, candidate, False, score_min, ran.baseline, ran.candidate, ran, scope, {}, notes, began, run_seconds,
        workers,
    )


def _compared(
    baseline: JobSpec, candidate: JobSpec, stored: bool, score_min: float, theirs: list[Found], ours: list[Found],
    ran: Ran, scope: Scope, left_out: dict[str, int], notes: list[str], began: float, run_seconds: float, workers: int,
) -> Comparison:
    differences = compare(
        [f for f in theirs if scope.holds(f.time_ms)],
        [f for f in ours if scope.holds(f.time_ms)],
        score_min=score_min,
        tolerance=scope.tolerance,
        candidate_said=ran.candidate_said,
        baseline_said=None if stored else ran.baseline_said,
        stored=NOT_STORED_SAME if baseline == candidate else NOT_STORED,
    )
    counts = {kind: sum(d.kind == kind for d in differences) for kind in KINDS}
    return Comparison(
        baseline, candidate, stored, score_min, scope.tolerance, differences, ran,
        {reason: count for reason, count in left_out.items() if count}, tuple(notes),
        time.monotonic() - began, run_seconds, workers, counts,
    )


def model_of(spec: JobSpec) -> str:
    """The model of a job with its parameters, in words."""
    parameters = ", ".join(f"{name}={value}" for name, value in spec.parameters)
    return f"{spec.model}({parameters})" if parameters else spec.model


def counted(count: int, what: str) -> str:
    """*count* of *what*, in words."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _in_any(f: Found, spans: dict[tuple[str, str], list[tuple[int, int]]]) -> bool:
    return any(start <= f.time_ms < end for start, end in spans.get((f.source, f.field), ()))


def _joined(results: list[Ran]) -> Ran:
    whole = Ran()
    for one in results:
        whole.add(one)
    return whole


# ── in a worker ───────────────────────────────────────────────────────────────────────────────────────────────────


def run_stored(job: StoredJob, tell: Tell) -> Ran:
    """Run one part of what is stored."""
    part = job.part
    runner = Runner(part.catalog(), job.candidate, job.baseline, job.score_min, part.points)
    gone = 0
    for (series, time_ms, value), gone_count in windows(job.path, part):
        for block in blocks_of(part.source[series], series, time_ms, value):
            runner.take(block)
            tell(block.size, block.size)
        gone = gone_count
    ran = runner.finish(job.scope.start_ms)
    ran.gone_count = gone
    return ran


def run_file(job: FileJob, tell: Tell) -> Ran:
    """Run one share of a file. Lines that were rejected are counted by the first share alone."""
    catalog = files.catalog_for(job.asked)
    runner = Runner(catalog, job.candidate, job.baseline, job.score_min)
    rejected = files.feed(job.asked, job.scope, job.share, catalog, runner, tell)
    ran = runner.finish(job.scope.start_ms)
    ran.rejected_count = rejected if job.share.number == 0 else 0
    return ran
