"""Feedback, accepted and taken back: through the journal, so that a replay does the same at the same place."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from offbeat.engine.engine import Engine
from offbeat.engine.entries import Adjustment, AdjustmentEnd, Job
from offbeat.errors import Conflict, NotFound
from offbeat.intake.committer import Control
from offbeat.store import adjustments as rows
from offbeat.store.adjustments import NAMES, Given, Kept
from offbeat.store.bucket_queries import Ask
from offbeat.store.cursors import cursor_of, place_of
from offbeat.store.database import Database
from offbeat.store.queries import Page
from offbeat.weighing import Said, Weighed, Weighing

NAME = re.compile(rf"({'|'.join(NAMES.values())})-([1-9][0-9]{{0,17}})")
NUMBER_MAX = 1 << 62


@dataclass(frozen=True, slots=True)
class AdjustmentInfo:
    """An adjustment that was accepted. *ended_ms* None: it is in force; the counts are those of its life so far."""

    kept: Kept
    job: str
    source: str
    field: str


class Feedback:
    """All adjustments. *submit* journals an entry, *reached* waits until it has been applied."""

    def __init__(
        self,
        database: Database,
        newest_number: int,
        jobs: Callable[[], Mapping[int, Job]],
        submit: Callable[[Control], Awaitable[int]],
        reached: Callable[[int, float], Awaitable[None]],
        ask: Ask,
    ) -> None:
        self._database, self._newest, self._jobs = database, newest_number, jobs
        self._submit, self._reached, self._ask = submit, reached, ask
        self._weighing = Weighing(database, jobs, ask)
        self._turn = asyncio.Lock()

    async def weigh(self, said: Said) -> Weighed:
        """What *said* would do; nothing is changed. Raises as ``Weighing.weigh``."""
        return (await self._weighing.weigh(said))[0]

    async def accept(self, said: Said) -> Weighed:
        """Put what *said* comes to in force. Raises as ``weigh``; StoreUnavailable.

        A caller that is cancelled does not undo it.
        """
        return await asyncio.shield(self._accept(said))

    async def _accept(self, said: Said) -> Weighed:
        async with self._turn:
            weighed, series = await self._weighing.weigh(said)
            number = self._newest + 1
            adjustment = Adjustment(number, series.job.number, series.number, weighed.factor)
            given = Given(adjustment, said.verdict, said.note, weighed.start_ms, weighed.end_ms)
            seq = await self._submit(Control("adjustment_added", given=given))
            self._newest = number
        await self._reached(seq, 10.0)
        return replace(weighed, name=f"{NAMES[said.verdict]}-{number}")

    async def undo(self, name: str) -> None:
        """Take adjustment *name* back. Raises NotFound, Conflict if it was already, StoreUnavailable."""
        await asyncio.shield(self._undo(name))

    async def _undo(self, name: str) -> None:
        async with self._turn:
            info = await self.get(name)
            if info.kept.ended_ms is not None:
                raise Conflict(f"{name} was taken back already", where={"name": name})
            a = info.kept.given.adjustment
            seq = await self._submit(Control("adjustment_removed", ended=AdjustmentEnd(a.number, a.job, a.series)))
        await self._reached(seq, 10.0)

    async def get(self, name: str) -> AdjustmentInfo:
        """One adjustment, in force or taken back. Raises NotFound."""
        found = NAME.fullmatch(name)
        if found is not None:
            number = int(found[2])
            for info in await self._infos(await rows.kept(self._database, None, number + 1, 1)):
                if info.kept.name == name:
                    return info
        raise NotFound(f"there is no adjustment {name}", hint="GET /api/v1/feedback lists them", where={"name": name})

    async def _infos(self, found: list[Kept]) -> list[AdjustmentInfo]:
        jobs = self._jobs()
        found = [one for one in found if one.given.adjustment.job in jobs]
        names = await rows.names_of(self._database, [one.given.adjustment.series for one in found]) if found else {}

        def did(engine: Engine) -> list[tuple[int, int]]:
            states = [(engine.jobs.get(one.given.adjustment.job), one.given.adjustment.number) for one in found]
            return [state.adjustments.did(number) if state is not None else (0, 0) for state, number in states]

        infos = []
        for one, (hidden, revealed) in zip(found, await self._ask(did), strict=True):
            a = one.given.adjustment
            if one.ended_ms is None:
                one = replace(one, hidden_count=hidden, revealed_count=revealed)
            infos.append(AdjustmentInfo(one, jobs[a.job].spec.id, *names[a.series]))
        return infos

    async def list(self, sources: tuple[str, ...], limit: int, cursor: str | None) -> Page[AdjustmentInfo]:
        """Adjustments, newest first, also those that were taken back."""
        place, numbers = place_of(cursor, int), None
        if sources:
            marks = ",".join("?" * len(sources))
            known = await self._database.read(f"SELECT id FROM source WHERE name IN ({marks})", sources)
            numbers = [number for (number,) in known]
        found = await rows.kept(self._database, numbers, place[0] if place else NUMBER_MAX, limit + 1)
        shown = found[:limit]
        more = cursor_of(shown[-1].given.adjustment.number) if len(found) > limit else None
        return Page(tuple(await self._infos(shown)), more)
