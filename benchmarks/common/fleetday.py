"""A store with a day of a fleet in it, as a daemon leaves it: made by the daemon's own parts, by a clock of its own."""
from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from common.events import FORMS, Fleet, bodies
from offbeat.clock import ManualClock
from offbeat.config import Config, from_mapping
from offbeat.engine.outcome import BucketChange, Finding
from offbeat.service import Service, running
from offbeat.store.findings import Findings, keep_findings
from offbeat.wire.options import Options
from offbeat_detectors.explain import Reason, pack

MINUTE_MS = 60_000
WATCH = 1
WHY = pack(Reason((("pattern", 3.0), ("jump", 1.0)), (812,), 0, 0.5, 1.0))


def config_of(state_dir: Path, model: str = "ewma") -> Config:
    """Defaults, but for the model and a clock that ticks by itself."""
    return from_mapping(
        {"store": {"state_dir": str(state_dir)}, "engine": {"tick_s": 1e6}, "watch": {"model": model},
         "http": {"port": 0}}
    )


async def give(service: Service, body: bytes) -> None:
    """Take one body of CSV; back once it is applied."""
    options = Options.of(service.config.ingest, "csv", precision="ms")
    receipt = await service.intake.receive(body, options, encoding="identity", length=len(body), key=None)
    await service.applier.reached(receipt.sequence, 60.0)


async def filled(state_dir: Path, sources: int, minutes: int, end_ms: int, every_min: int, seed: int) -> None:
    """*sources* that report once a minute for *minutes* up to *end_ms*, checkpointed every *every_min* of them."""
    fleet = Fleet(seed, sources, beat_ms=MINUTE_MS)
    share, form = fleet.share(0, 1), FORMS["csv"]
    clock = ManualClock(end_ms - minutes * MINUTE_MS)
    async with running(config_of(state_dir), clock=clock) as service:
        for first in range(0, minutes, every_min):
            count = sources * every_min
            events = fleet.events(share, count, end_ms - (minutes - first) * MINUTE_MS)
            clock.move(every_min * MINUTE_MS)
            for body in bodies(form, events, count, len(str(sources - 1))):
                await give(service, body)
            await service.applier.checkpoint_all()


async def found(state_dir: Path, sources: int, minutes: int, end_ms: int, share: float, seed: int) -> int:
    """Findings in a *share* of the buckets, most of them weak, a few sources worse than others; how many."""
    rng = np.random.default_rng(seed)
    first_ms = (end_ms // MINUTE_MS - minutes) * MINUTE_MS
    count = round(share * sources * minutes)
    place = np.unique(rng.choice(sources * minutes, count, replace=False))
    score = np.round(10.0 + np.minimum(89.9, rng.exponential(12.0, place.size)), 3)
    clock = ManualClock(end_ms)
    async with running(config_of(state_dir), clock=clock) as service:
        for part in np.array_split(np.arange(place.size), max(1, place.size // 20_000)):
            findings = Findings()
            for i in part.tolist():
                minute, source = divmod(int(place[i]), sources)
                start_ms, one = first_ms + minute * MINUTE_MS, float(score[i])
                findings.records[WATCH, source, start_ms] = Finding(
                    1, i, end_ms, WATCH, source, source, start_ms + 1_000, start_ms, 100.0, 80.0, 70.0, 90.0,
                    one / 20, 1e-3, one, WHY,
                )
                findings.buckets[WATCH, source, start_ms] = BucketChange(
                    1, i, end_ms, WATCH, source, start_ms, 1, one / 20, one, 1, True
                )
            await keep_findings(service.database, findings)
    return int(place.size)


def fleet_day(
    state_dir: Path, sources: int, minutes: int, end_ms: int, *, share: float, seed: int, every_min: int = 5
) -> int:
    """A store of *sources* over *minutes* up to *end_ms*; in how many of their buckets there is a finding."""
    asyncio.run(filled(state_dir, sources, minutes, end_ms, every_min, seed))
    return asyncio.run(found(state_dir, sources, minutes, end_ms, share, seed))
