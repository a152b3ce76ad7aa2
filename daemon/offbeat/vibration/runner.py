"""The life of analyses: queued, run one after the other by processes of their own, begun again after a restart."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import orjson

from offbeat.clock import Clock
from offbeat.config import MvgConfig
from offbeat.errors import Refused, StoreUnavailable
from offbeat.metrics import Metrics
from offbeat.store import mvg as rows
from offbeat.store import mvg_analyses as store
from offbeat.store.database import Database
from offbeat.store.mvg_analyses import Analysis, Asked, Computed, Status
from offbeat.vibration import frames
from offbeat.vibration.callbacks import Callbacks
from offbeat.vibration.task import WITH_MODEL, Member, Task

log = logging.getLogger("offbeat.mvg")
AGAIN_S = 5.0
"""So long the runner waits when the store cannot be written."""
CUT_SHORT = "the process that computed it ended without an answer"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Sums of several threads differ by their number; and there are others who need the processors."""


class TooManyAnalyses(Refused):
    """As many analyses are kept as may be."""

    code = "too_many_analyses"
    status = 429


class AnalysisFailed(Exception):
    """It cannot be computed; the text says why."""


@dataclass(slots=True)
class UnderWay:
    """How far an analysis is that runs: its share from 0 to 1, what it is computed of."""

    progress: float = 0.0
    measured: dict[str, Any] | None = None


class Runner:
    """Analyses of stored measurements. ``run`` runs beside it, after ``begin``."""

    def __init__(self, database: Database, config: Callable[[], MvgConfig], clock: Clock, metrics: Metrics) -> None:
        self._database, self._config, self._clock = database, config, clock
        self._waiting: deque[tuple[str, str]] = deque()
        self._some = asyncio.Event()
        self._running: dict[int, UnderWay] = {}
        self.callbacks = Callbacks(config)
        self._ended = metrics.measured_analyses_total
        metrics.measured_analyses_waiting.set_function(lambda: len(self._waiting))

    async def begin(self) -> None:
        """Take up what was queued or running when the daemon ended."""
        for analysis in await store.under_way(self._database):
            if analysis.status == "ongoing":
                await store.turn(self._database, analysis, "queued", self._clock.now_ms())
            self._waiting.append((analysis.tenant, analysis.id))
        if self._waiting:
            self._some.set()

    async def run(self) -> None:
        """Compute what is asked for, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._config().analyses_at_once):
                    group.create_task(self._work())
        finally:
            await self.callbacks.close()

    async def request(
        self, tenant: str, id: str, feature: str, asked: Asked, sources: Sequence[rows.Source], callback: str, *,
        force: bool,
    ) -> Status:
        """Queue an analysis; its state now. One that waits or runs is joined; one that is done and of which the data is
        the same stays as it is, unless *force*. Raises TooManyAnalyses.
        """
        numbers = [source.number for source in sources]
        before = await store.get(self._database, tenant, id)
        if before is not None:
            if before.status in ("queued", "ongoing"):
                return before.status
            if before.status == "successful" and not force:
                now = await store.used(self._database, numbers, asked.window, _model_of(tenant, feature, asked))
                if now == before.used:
                    return "successful"
        elif await store.count(self._database) >= (most := self._config().analyses_max):
            raise TooManyAnalyses(f"there are {most} analyses, as many as mvg.analyses_max allows: delete some")
        await store.put(self._database, tenant, id, feature, asked, numbers, callback, self._clock.now_ms())
        self._waiting.append((tenant, id))
        self._some.set()
        return "queued"

    def progress(self, analysis: Analysis) -> UnderWay:
        """How far *analysis* is."""
        done = UnderWay(1.0 if analysis.status in ("successful", "failed") else 0.0)
        return self._running.get(analysis.number, done)

    async def _work(self) -> None:
        while True:
            while not self._waiting:
                self._some.clear()
                await self._some.wait()
            tenant, id = self._waiting.popleft()
            try:
                analysis = await store.get(self._database, tenant, id)
                if analysis is not None and self._is_due(analysis):
                    await self._one(analysis)
            except StoreUnavailable as e:
                log.warning("analysis %s waits: %s", id, e.message)
                self._waiting.append((tenant, id))
                await asyncio.sleep(AGAIN_S)

    def _is_due(self, analysis: Analysis) -> bool:
        """Whether nobody has computed it, or does: one that was deleted and asked for anew is waiting twice."""
        return analysis.status in ("queued", "ongoing") and analysis.number not in self._running

    async def _one(self, analysis: Analysis) -> None:
        under_way = self._running[analysis.number] = UnderWay()
        try:
            status = await self._run(analysis, under_way)
        finally:
            del self._running[analysis.number]
        self._ended.labels(status).inc()
        if analysis.callback:
            self.callbacks.tell(analysis.callback, analysis.id, status)

    async def _run(self, analysis: Analysis, under_way: UnderWay) -> Status:
        """Compute *analysis* and write what came of it; how that ended."""
        seen_s = self._config().queued_s - (self._clock.now_ms() - analysis.queued_ms) / 1000.0
        await asyncio.sleep(min(max(seen_s, 0.0), self._config().queued_s))
        now_ms = self._clock.now_ms()
        await store.turn(self._database, analysis, "ongoing", now_ms)
        analysis = replace(analysis, history=(*analysis.history, ("ongoing", now_ms)))
        try:
            async with asyncio.timeout(limit_s := self._config().analysis_timeout_s):
                computed = await self._computed(analysis, under_way)
            await store.keep(self._database, analysis, computed, self._clock.now_ms())
            return "successful"
        except TimeoutError:
            reason = f"it took longer than the {limit_s:g} s that mvg.analysis_timeout_s allows"
        except AnalysisFailed as e:
            reason = str(e)
        await store.turn(self._database, analysis, "failed", self._clock.now_ms(), reason)
        return "failed"

    async def _computed(self, analysis: Analysis, under_way: UnderWay) -> Computed:
        """What comes of *analysis*, computed by a process that does not outlive this call. Raises AnalysisFailed."""
        task = await self._task(analysis)
        bytes_max = str(self._config().analysis_bytes_max)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "offbeat.vibration.worker", bytes_max, stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE, env={**os.environ, **ONE_THREAD})
        except OSError as e:
            raise AnalysisFailed(f"no process could be started to compute it: {e.strerror}") from None
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(task.as_json())
            await process.stdin.drain()
            return await _heard(process.stdout, under_way)
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            raise AnalysisFailed(CUT_SHORT) from None
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())

    async def _task(self, analysis: Analysis) -> Task:
        """*analysis* as a process takes it. Raises AnalysisFailed if a source of it is gone."""
        asked = analysis.asked
        found = [await rows.source(self._database, analysis.tenant, id) for id in asked.source_ids]
        sources = [source for source in found if source is not None]
        if len(sources) < len(found):
            raise AnalysisFailed("one of its sources is gone")
        selected = asked.params.get("selected_channels") or asked.params.get("selected_columns") or sources[0].names
        start, end = asked.window.bounds
        return Task(
            str(self._database.path), analysis.feature, tuple(Member(one.number, one.id) for one in sources),
            sources[0].data_class, sources[0].names, tuple(selected), asked.params, start, end, analysis.tenant,
            _model_of(analysis.tenant, analysis.feature, asked), self._clock.now_ms(),
        )


async def _heard(reader: asyncio.StreamReader, under_way: UnderWay) -> Computed:
    model: bytes | None = None
    while True:
        kind, payload = await frames.receive(reader)
        if kind == frames.PROGRESS:
            under_way.progress = orjson.loads(payload)
        elif kind == frames.MEASURED:
            under_way.measured = orjson.loads(payload)
        elif kind == frames.MODEL:
            model = payload
        elif kind == frames.FAILED:
            raise AnalysisFailed(payload.decode())
        else:
            done = await asyncio.to_thread(orjson.loads, payload)
            return Computed(done["used"], done["inputs"], done["results"], model)


def _model_of(tenant: str, feature: str, asked: Asked) -> str:
    return f"{tenant}/{asked.params['model_ref']}" if feature in WITH_MODEL else ""
