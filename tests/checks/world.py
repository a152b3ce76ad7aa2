"""Checks over a real daemon without its doors: real readings, a real process that judges, a clock that is moved."""
from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from offbeat.checks.checks import Checks
from offbeat.checks.outcomes import HistoryQuery, Outcome, StatusQuery
from offbeat.checks.spec import CheckSpec, Columns, EachSeries, EachSource
from offbeat.clock import ManualClock
from offbeat.service import Service, running
from tests.engine.run import Event
from tests.store.process import START_MS, applied, config, round_made, send

RANGE = CheckSpec("warm", "range", (EachSeries("*", "heat"),), parameters=(("max", 10.0),))
__all__ = ["RANGE", "START_MS", "Columns", "EachSeries", "EachSource", "Event", "World", "replace", "world"]


@dataclass
class World:
    """One life of a daemon."""

    service: Service
    clock: ManualClock
    folder: Path
    said: list[dict[str, Any]] = field(default_factory=list)

    @property
    def checks(self) -> Checks:
        return self.service.checks

    async def send(self, source: str, *values: float, name: str = "heat", step_ms: int = 1000) -> None:
        """Readings from now on, of which the newest is as late as the clock then is."""
        events = []
        for value in values:
            self.clock.move(step_ms)
            events.append(Event(source, self.clock.now_ms(), {name: value}))
        await self.events(*events)

    async def events(self, *events: Event) -> None:
        await send(self.service, list(events))
        await applied(self.service)

    async def minute(self) -> None:
        """A minute passes, and what is due runs."""
        self.clock.move(60_000)
        await self.checks.look()

    async def packed(self) -> None:
        """All readings go from memory to the store."""
        await round_made(self.service)

    async def outcomes(self, **query: Any) -> list[Outcome]:
        """The present outcome of each subject, worst first."""
        return list((await self.checks.status(StatusQuery(limit=1000, **query))).outcomes)

    async def statuses(self, **query: Any) -> dict[str, str]:
        """The status of each subject, by source and fields."""
        found = await self.outcomes(**query)
        return {f"{o.columns[0][0]}.{'+'.join(field for _, field in o.columns)}": o.status for o in found}

    async def history(self, **query: Any) -> list[Outcome]:
        """The outcomes of the history, oldest first."""
        return list((await self.checks.history(HistoryQuery(limit=1000, **query))).rows)[::-1]

    def plug_in(self, name: str, text: str) -> None:
        """A file of the folder of checks; the same name again replaces it."""
        self.folder.mkdir(exist_ok=True)
        head = "from offbeat_detectors.checks.contract import NotJudged, NotNow, Result, Status\n"
        (self.folder / f"{name}.py").write_text(head + textwrap.dedent(text))


@asynccontextmanager
async def world(state_dir: Path, clock: ManualClock | None = None, **sections: Any) -> AsyncIterator[World]:
    """A daemon whose checks run only when a test says so."""
    folder = state_dir.parent / "plug-ins"
    checks = {"folder": str(folder), "workers": 1, **sections.pop("checks", {})}
    clock = clock or ManualClock(START_MS)
    settings = config(state_dir, checks=checks, **sections)
    with patch("offbeat.checks.checks.LOOK_EVERY_S", 1e6):
        async with running(settings, clock=clock) as service:
            made = World(service, clock, folder)
            say = service.checks.rounds._say

            def said(**status: Any) -> None:
                made.said.append(status)
                say(**status)

            service.checks.rounds._say = said
            yield made
