"""The alerts over a real store, in this process: findings are written as the engine would, time is moved by hand."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from offbeat.alerts import turns
from offbeat.alerts.alerts import Alerts
from offbeat.alerts.machine import Hush
from offbeat.alerts.rows import AlertQuery, Suppressed
from offbeat.alerts.rules import Rule
from offbeat.checks.rows import KEEP_END, KEEP_OUTCOME, Statement, columns_text
from offbeat.clock import ManualClock
from offbeat.config import Config, from_mapping
from offbeat.engine.catalog import Catalog, Limits
from offbeat.engine.entries import Job
from offbeat.engine.outcome import Finding
from offbeat.metrics import Metrics
from offbeat.records import JobSpec, Strings
from offbeat.store.database import FILE_NAME, Database, prepare
from offbeat.store.findings import Findings, keep_findings

SOURCES = ("pump", "boiler", "fan")
FIELDS = ("flow", "heat")
HOOK = {"type": "webhook", "url": "http://127.0.0.1:9/nobody"}
RULE = Rule("r", raise_at=50, clear_below=20, clear_after_s=100, sinks=("hook",))


def settings(sinks: dict[str, Any] | None = None, **alerts: Any) -> Config:
    return from_mapping({"alerts": {"sinks": {"hook": HOOK} if sinks is None else sinks, **alerts}})


def catalog() -> Catalog:
    """Every field of every source: series 0 is the first field of the first source."""
    made = Catalog(Limits(100, 100, 100, 100))
    pairs = [(s, f) for s in range(len(SOURCES)) for f in range(len(FIELDS))]
    sources, fields = np.array(pairs, np.int32).T
    made.load(Strings.of(SOURCES), np.zeros(len(SOURCES), np.int32), Strings.of(FIELDS), sources.copy(), fields.copy())
    return made


@dataclass
class World:
    """One life of the daemon's alerts; *seq* is the newest entry, *behind* how many of those are not applied yet."""

    database: Database
    clock: ManualClock
    config: Config
    alerts: Alerts
    metrics: Metrics
    said: list[dict[str, Any]] = field(default_factory=list)
    seq: int = 0
    behind: int = 0
    hush: Hush | None = None

    async def say(
        self, check: str, source: str, status: str, message: str = "", *, field: str = "flow", look: bool = True
    ) -> None:
        """What a check says now of a series, "" that it says nothing any more; taken to the rules unless not *look*."""
        columns = columns_text(((source, field),))
        await self.database.write([
            ("INSERT OR IGNORE INTO check_subject (rule, columns, state) VALUES (?, ?, '')", [(check, columns)])])
        find = "SELECT number, status FROM check_subject WHERE rule = ? AND columns = ?"
        ((subject, was),) = await self.database.read(find, (check, columns))
        number, now_ms = await turns.newest(self.database) + 1, self.clock.now_ms()
        if status:
            said = (status, "judged", message, "{}", now_ms, None, None, 0.0, now_ms)
            written: list[Statement] = [(KEEP_OUTCOME, [(number, subject, check, "range", "{}", *said)])]
        else:
            written = [(KEEP_END, [(number, subject, check, columns, was, message, now_ms)])]
        keep = "UPDATE check_subject SET status = ? WHERE number = ?"
        await self.database.write([*written, (keep, [(status or None, subject)])])
        if look:
            await self.alerts.catch_up()

    async def find(self, *found: tuple[str, float], spec: str = "flow", look: bool = True) -> None:
        """Findings of one entry, (source, score) each, that arrive now; taken to the rules unless not *look*."""
        self.seq += 1
        findings = Findings(upto=self.seq)
        for ordinal, (source, score) in enumerate(found):
            number = SOURCES.index(source)
            series, now_ms = number * len(FIELDS) + FIELDS.index(spec), self.clock.now_ms()
            key = (1, series, self.seq * 60_000)
            nan = math.nan
            findings.records[key] = Finding(
                self.seq, ordinal, now_ms, 1, number, series, key[2], now_ms, 9.0, 5.0, 4.0, 6.0, 7.0, nan, score
            )
        await keep_findings(self.database, findings)
        if look:
            await self.alerts.catch_up()

    async def later(self, seconds: float) -> None:
        """So much time passes."""
        self.clock.move(int(seconds * 1000))
        await self.alerts.catch_up()

    async def states(self) -> list[tuple[str | None, str]]:
        """Source and state of each alert, oldest first."""
        found = await self.alerts.list(AlertQuery(limit=1000))
        return [(a.group[1], "active" if a.cleared_ms is None else "cleared") for a in reversed(found.rows)]

    async def deliveries(self) -> list[tuple[int, str, str]]:
        """Alert, kind and sink of each delivery, oldest first."""
        return await self.database.read("SELECT alert, kind, sink FROM alert_delivery ORDER BY number")

    async def suppressed(self) -> Sequence[Suppressed]:
        """What nobody was told, oldest first."""
        found, _ = await self.alerts.suppressed(None, None, (), 1000, None)
        return found.rows[::-1]


@asynccontextmanager
async def world(directory: Path, config: Config | None = None, clock: ManualClock | None = None, *, seq: int = 0,
                behind: int = 0) -> AsyncIterator[World]:  # fmt: skip
    """The alerts of the store in *directory*, taken up where the last life ended; nothing runs by itself."""
    path = directory / FILE_NAME
    prepare(path)
    async with Database(path) as database:
        config, clock, metrics = config or settings(), clock or ManualClock(), Metrics()
        jobs = {1: Job(1, JobSpec("watch"), 0, 0)}

        async def settle() -> int:
            return made.seq - made.behind

        alerts = Alerts(
            database, lambda: made.config, clock, metrics, lambda: jobs, catalog(), settle, lambda: made.seq,
            lambda **status: made.said.append(status), lambda turn, at_ms: made.hush, random.Random(1),
        )  # fmt: skip
        made = World(database, clock, config, alerts, metrics, seq=seq, behind=behind)
        await alerts.begin()
        try:
            yield made
        finally:
            for sink in alerts.deliveries.sinks.values():
                await sink.close()
