"""How the daemon has been lately: a sample of its counters every ten seconds, and what they come to. Tells no door."""

from __future__ import annotations

import asyncio
import shutil
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Protocol

import numpy as np
from prometheus_client import Counter

from offbeat.clock import Clock
from offbeat.config import Config
from offbeat.engine.engine import WATCH
from offbeat.engine.views import Waiting, job_totals, waiting_series
from offbeat.metrics import Metrics
from offbeat.store.bucket_queries import Ask
from offbeat.store.database import Database
from offbeat.store.queries import DaemonDiagnosis

STEP_S = 10
KEPT_S = 3_600
AT_ONCE = 65_536
"""Series that are looked at between two entries of the engine."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Counters since the start, and levels, at one moment."""

    time_ms: int
    events: float
    rejected: float
    late: float
    findings: float
    pending_bytes: int
    lag: int
    store_bytes: int


def per_s(before: Sample, after: Sample, name: str) -> float:
    """How fast a counter rose between two samples."""
    gone_s = (after.time_ms - before.time_ms) / 1000
    return max(0.0, getattr(after, name) - getattr(before, name)) / gone_s if gone_s > 0 else 0.0


class History:
    """The samples of the last hour, oldest first. A clock that is set back begins it anew."""

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=KEPT_S // STEP_S + 1)

    def add(self, sample: Sample) -> None:
        """Keep one more."""
        if self.samples and sample.time_ms <= self.samples[-1].time_ms:
            self.samples.clear()
        self.samples.append(sample)

    def rate(self, now: Sample, name: str, over_s: int) -> float:
        """How fast a counter rose, a second, in the last *over_s* seconds before *now*, or since the first sample."""
        since = next((s for s in self.samples if s.time_ms >= now.time_ms - 1000 * over_s), now)
        return per_s(since, now, name)

    def columns(self) -> dict[str, list[float]]:
        """From each sample to the next: when it was, rates a second, and levels then."""
        steps = list(zip(self.samples, list(self.samples)[1:], strict=False))
        found: dict[str, list[float]] = {"time": [after.time_ms for _, after in steps]}
        for name in ("events", "rejected", "late"):
            found[f"{name}_per_s"] = [round(per_s(*step, name), 3) for step in steps]
        for name in ("pending_bytes", "lag", "store_bytes"):
            found[name] = [getattr(after, name) for _, after in steps]
        return found


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How many jobs there are, how many of them have detectors, and which of those have failed."""

    count: int
    analyses: int
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """All that is known of how the daemon is.

    reason     why no events are taken now; None: they are    last_arrival_ms  of any event; None: none ever came
    daemon     its own part of the diagnosis                  analysis_lag     entries that wait for analyses
    late_count, source_count, series_count   as the job watch has them
    waiting    how many series warm up, how many sources are silent
    """

    daemon: DaemonDiagnosis
    now_ms: int
    reason: str | None
    rates: Mapping[str, float]
    history: Mapping[str, list[float]]
    pending_bytes_max: int
    analysis_lag: int
    late_count: int
    source_count: int
    series_count: int
    last_arrival_ms: int | None
    waiting: Waiting
    jobs: JobCounts
    free_bytes: int
    retention: Mapping[str, float]


class Behind(Protocol):
    """What is sampled of the parts of the daemon."""

    @property
    def pending_bytes(self) -> int: ...


class Vitals:
    """Samples the daemon while it runs, and tells how it is.

    ask  runs a function on the engine's thread    lag  entries journaled and not yet applied
    """

    def __init__(
        self,
        database: Database,
        ask: Ask,
        intake: Behind,
        lag: Callable[[], int],
        analysis_lag: Callable[[], int],
        jobs: Callable[[], JobCounts],
        describe: Callable[[], Awaitable[DaemonDiagnosis]],
        ready: Callable[[], str | None],
        config: Callable[[], Config],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._database, self._ask, self._intake = database, ask, intake
        self._lag, self._analysis_lag = lag, analysis_lag
        self._jobs, self._describe, self._ready = jobs, describe, ready
        self._config, self._clock, self._metrics = config, clock, metrics
        self._history = History()
        self._waiting: tuple[int, Waiting] | None = None
        self._counting = asyncio.Lock()

    async def run(self) -> None:
        """Sample every STEP_S, until cancelled."""
        while True:
            self.sample()
            await asyncio.sleep(STEP_S)

    def sample(self) -> None:
        """Keep how the daemon is now."""
        self._history.add(self._now())

    def _now(self) -> Sample:
        metrics = self._metrics
        return Sample(
            self._clock.now_ms(),
            total(metrics.events_accepted_total),
            total(metrics.lines_rejected_total),
            total(metrics.late_events_total),
            total(metrics.findings_total),
            self._intake.pending_bytes,
            self._lag(),
            self._database.size_bytes(),
        )

    async def health(self) -> Health:
        """How the daemon is, and has been in the last hour."""
        now, history = self._now(), self._history
        totals = await self._ask(lambda engine: (job_totals(engine, WATCH), engine.source_count, engine.series_count))
        newest_ms = await self._ask(lambda engine: int(engine.ledger.sources[: engine.source_count, 3].max(initial=0)))
        watch, source_count, series_count = totals
        retention = asdict(self._config().retention)
        return Health(
            await self._describe(),
            now.time_ms,
            self._ready(),
            {
                "events_per_s_1m": round(history.rate(now, "events", 60), 3),
                "events_per_s_5m": round(history.rate(now, "events", 300), 3),
                "rejected_per_s_5m": round(history.rate(now, "rejected", 300), 3),
                "late_per_s_5m": round(history.rate(now, "late", 300), 3),
                "findings_per_h": round(3600 * history.rate(now, "findings", KEPT_S), 3),
            },
            history.columns(),
            self._config().ingest.pending_bytes_max,
            self._analysis_lag(),
            watch.late_count,
            source_count,
            series_count,
            newest_ms if source_count else None,
            await self._waits(now.time_ms),
            self._jobs(),
            shutil.disk_usage(self._database.path.parent).free,
            {f"retention.{name}": value for name, value in retention.items()},
        )

    async def _waits(self, now_ms: int) -> Waiting:
        """How many series wait for something, not older than STEP_S: of a million it takes a while to find out."""
        async with self._counting:
            if self._waiting is not None and 0 <= now_ms - self._waiting[0] < 1000 * STEP_S:
                return self._waiting[1]
            count = await self._ask(lambda engine: engine.series_count)
            found = Waiting.none(await self._ask(lambda engine: engine.source_count))
            for first in range(0, count, AT_ONCE):
                numbers = np.arange(first, min(first + AT_ONCE, count), dtype=np.int32)
                await self._ask(partial(waiting_series, series=numbers, now_ms=now_ms, found=found))
            self._waiting = now_ms, found
            return found


def total(counter: Counter) -> float:
    """What a counter has counted, whatever its labels."""
    return sum(
        sample.value for family in counter.collect() for sample in family.samples if sample.name.endswith("_total")
    )
