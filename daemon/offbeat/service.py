"""The only place that builds and joins the parts, and owns every task. Opens no door: that is ``serving``."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from offbeat import config as configuration
from offbeat.alerts import turns
from offbeat.alerts.alerts import Alerts
from offbeat.analyses import upkeep
from offbeat.analyses.hub import Hub
from offbeat.analyses.life import Analyses
from offbeat.analyses.runner import Runner
from offbeat.applier import Applier
from offbeat.assembly import assembled, watch_of
from offbeat.backtest.preview import Previews
from offbeat.broadcast import Broadcast
from offbeat.checks.checks import Checks
from offbeat.clock import Clock, SystemClock
from offbeat.clustering import Clustering
from offbeat.config import Config
from offbeat.engine.analysis.results import BucketResult
from offbeat.engine.engine import WATCH
from offbeat.engine.entries import Entry, Job, Settings
from offbeat.engine.outcome import Outcome
from offbeat.engine.views import begun_anew, job_totals
from offbeat.errors import BadConfig, OffbeatError, StoreUnavailable, StoreUnusable
from offbeat.feedback import Feedback
from offbeat.feeds.feeds import Feeds
from offbeat.http.analysis_documents import live_records
from offbeat.http.parts import Parts
from offbeat.intake import Intake
from offbeat.intake.committer import Committer, Control
from offbeat.intake.decoding import Decoding
from offbeat.intake.parcels import Budget, on_second_call
from offbeat.jobs import Jobs
from offbeat.metrics import Metrics
from offbeat.store import adjustments, analyses, journal
from offbeat.store.checkpoints import drop_pieces, restore_shards
from offbeat.store.database import FILE_NAME, Database, StateDirectory, prepare
from offbeat.store.queries import DaemonDiagnosis, Limit
from offbeat.store.results import Results
from offbeat.store.retention import retire
from offbeat.tokens import Tokens
from offbeat.vibration.measured import Measured
from offbeat.vitals import JobCounts, Vitals

log = logging.getLogger("offbeat")
STOP_WITHIN_S = 10.0
RETIRE_EVERY_S = 600.0
LOOK_EVERY_S = 0.25
PROBE_EVERY_S = 2.0
SILENCE_LOOK_S = 60.0
"""A silence longer than this is asked about at every tick, however rare those are."""
REPLAY_THREADS_MAX = 4
"""Threads that replay the journal, if there are as many processors; more would wait for the first."""


def version_of_program() -> str:
    """The version of the installed distribution."""
    try:
        return version("offbeat")
    except PackageNotFoundError:
        return "0+unknown"


class Service:
    """One daemon. Use ``running`` to build one; the attributes are its parts."""

    def __init__(self, config: Config, clock: Clock, database: Database, config_path: Path | None) -> None:
        self.config, self.clock, self.database = config, clock, database
        self._config_path = config_path
        self._file = configuration.load(config_path) if config_path else Config()
        self.metrics = Metrics()
        self.started_ms = clock.now_ms()
        self.stopping = False
        self.recovering = True
        self.tokens = Tokens(database, clock, self.metrics)

    async def recover(self) -> None:
        """Bring the engine to where the journal ends.

        The catalog, the jobs, the checkpoints, then what came after them.
        """
        self.engine = await assembled(self.database, self.config)
        self.catalog = self.engine.catalog
        await drop_pieces(self.database, None)
        await restore_shards(self.database, self.engine)
        anew = begun_anew(self.engine)
        for id, (count, reason) in anew.items():
            log.warning("job %s: the models of %d series cannot be restored and begin anew: %s", id, count, reason)
        self.metrics.models_begun_anew.set(sum(count for count, _ in anew.values()))
        last = await journal.last_seq(self.database)
        await self._recover_analyses(last)
        refused = self.metrics.bodies_refused_total
        self.budget = Budget(self.config.ingest.pending_bytes_max, lambda bound: refused.labels(bound).inc())
        self.applier = Applier(
            self.engine, self.database, self.config.store, self.clock, self.metrics,
            self._tell, self.budget.close, self.runner.covered,
        )
        pages = journal.pages(self.database, 0, self.engine.covered_by_all())
        await self.applier.replay(pages, min(REPLAY_THREADS_MAX, len(os.sched_getaffinity(0))))
        self.engine.seq = last
        self.applier.begin(last)
        newest = await self.database.read("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'job'")
        newest_adjustment = await adjustments.newest_number(self.database)
        newest_analysis = await analyses.newest_number(self.database)
        jobs = [state.job for state in self.engine.jobs.values()]
        self._join(jobs, int(newest[0][0]), newest_adjustment, newest_analysis, last)
        await self.alerts.begin()
        await self.checks.begin()
        await self.tokens.begin()
        await self.measured.begin()

    def _tell(self, outcome: Outcome) -> None:
        self.broadcast.publish(outcome)
        if outcome.findings:
            self.alerts.wake()

    def _say_outcome(self, **outcome: Any) -> None:
        self.broadcast.say(**outcome)
        self.alerts.wake()

    async def _recover_analyses(self, last_seq: int) -> None:
        self.hub = Hub()
        self.runner = Runner(
            self.database, self.config.store, self.clock, self._tell_results, self.metrics, self.catalog
        )
        self._stored_analyses = await analyses.load(self.database)
        listening = [max(one.seq, one.created_seq) for one in self._stored_analyses if one.spec.listens]
        pages = (
            journal.pages(self.database, 0, min(listening), of="listeners")
            if listening
            else journal.pages(self.database, 0, of="analyses")
        )
        await self.runner.recover(self._stored_analyses, pages, last_seq)

    def _tell_results(self, number: int, results: list[BucketResult]) -> None:
        """Tell those who wait for results of an analysis; while the daemon recovers nobody does."""
        self.hub.tell(number, results)
        if self.recovering or (job := self.analyses.by_number(number)) is None:
            return

        for score, document in live_records(job.spec, results):
            self.broadcast.tell(job.spec.id, score, document)

    def _join(
        self, known: list[Job], newest_job: int, newest_adjustment: int, newest_analysis: int, last_seq: int
    ) -> None:
        config, metrics = self.config, self.metrics
        budget, tail = self.budget, self.engine.tail
        metrics.pending_bytes.set_function(lambda: budget.pending_bytes)
        metrics.tail_rows.set_function(lambda: tail.row_count)
        runner = self.runner
        metrics.analyses.set_function(lambda: runner.analyses)
        metrics.analyses_failed.set_function(lambda: runner.failed)
        metrics.analysis_lag.set_function(lambda: runner.lag)
        metrics.analysis_model_bytes.set_function(lambda: runner.model_bytes)
        self.committer = Committer(
            self.database,
            self.catalog,
            lambda: self.config,
            self.clock,
            metrics,
            last_seq,
            feed=self._feed,
            release=budget.give,
        )
        self.decoding = Decoding(config.ingest.decode_threads, metrics, self.committer)
        self.intake = Intake(
            self.database, lambda: self.config, self.clock, metrics, budget, self.decoding, self.committer
        )
        self.jobs = Jobs(
            known,
            newest_job,
            self.intake.submit,
            self.applier.reached,
            self.applier.ask,
            lambda: self.config.engine.model_modules,
            config.engine.time_zone,
            lambda id: self.analyses.has(id),
            turn := asyncio.Lock(),
        )
        self.analyses = Analyses(
            self.database, self.clock, self.runner, self.hub, self.intake.submit, self._stored_analyses,
            newest_analysis, budget, lambda: self.config, config.engine.jobs_open_max, self.jobs.has, turn,
        )
        self.clustering = Clustering(self.database)
        self.feeds = Feeds(self.analyses, self.clock, metrics)
        self.measured = Measured(self.database, lambda: self.config.mvg, self.clock, metrics)
        self.feedback = Feedback(
            self.database, newest_adjustment, lambda: self.jobs.by_number, self.intake.submit, self.applier.reached,
            self.applier.ask)
        metrics.adjustments.set_function(self.engine.adjustment_count)
        self.broadcast = Broadcast(
            self.database,
            self.catalog,
            lambda: self.jobs.by_number,
            self.applier.settle,
            lambda: self.config.http.stream_clients_max,
            metrics.stream_clients.set,
        )
        self.alerts = Alerts(
            self.database, lambda: self.config, self.clock, metrics, lambda: self.jobs.by_number, self.catalog,
            self.applier.settle, lambda: self.committer.seq, self.broadcast.say,
            lambda turn, at_ms: turns.hush(self.checks.book, turn, at_ms),
        )
        self.checks = Checks(
            self.database, lambda: self.config, self.clock, metrics, self.applier.ask, self.catalog,
            lambda: self.jobs.by_number, self.applier.settle, self._say_outcome, self.alerts.catch_up,
        )
        self.results = Results(
            self.database,
            self.catalog,
            lambda: self.jobs.by_number,
            self.applier.ask,
            self.applier.reached,
            lambda: self.committer.seq,
            self.describe,
            self.clock,
            int(config.engine.live_lag_max_s * 1000),
        )
        self.previews = Previews(self.database, self.applier.ask, self.catalog)
        self.vitals = Vitals(
            self.database, self.applier.ask, self.intake, lambda: self.committer.seq - self.applier.applied,
            lambda: runner.lag, self._job_counts, self.describe, self.ready, lambda: self.config, self.clock, metrics,
        )
        self.recovering = False

    def _job_counts(self) -> JobCounts:
        every = self.analyses.all()
        failed = tuple(job.spec.id for job in every if self.runner.failure(job.number))
        return JobCounts(len(self.jobs.by_number) + len(every), len(every), failed)

    def _feed(self, entry: Entry, count: int) -> None:
        give: Callable[[], None] = partial(self.budget.give, count)
        if self.runner.wants(entry):
            give = on_second_call(give)  # what one of the two still has in memory counts
            self.runner.put(entry, give)
        self.applier.put(entry, give)  # it counts every entry: a query may wait for any

    async def begin(self) -> None:
        """Journal the settings if they changed, and create the built-in job if this is the first start."""
        engine = self.config.engine
        settings = Settings(
            int(engine.live_lag_max_s * 1000),
            self.config.store.record_score_min,
            int(min(engine.tick_s, SILENCE_LOOK_S) * 1000),
        )
        if settings != self.engine.settings:
            await self.intake.submit(Control("settings", settings=settings))
        watch = watch_of(self.config)
        if WATCH not in self.jobs.by_number:
            await self.jobs.begin(watch)
        elif self.jobs.by_number[WATCH].spec != watch:
            log.warning(
                "[watch] or engine.models_max has changed: the job goes on as it began; a new state directory begins "
                "with the new settings"
            )

    async def describe(self) -> DaemonDiagnosis:
        """The daemon's own part of a diagnosis."""
        counters = dict(await self.database.read("SELECT name, value FROM counter"))
        engine, ingest = self.config.engine, self.config.ingest
        models = await self.applier.ask(lambda held: max(job_totals(held, n).model_count for n in held.jobs))
        limits = (
            Limit("engine.sources_max", self.catalog.sources.count, engine.sources_max),
            Limit("engine.series_max", self.catalog.series_count, engine.series_max),
            Limit("engine.models_max", models, self.jobs.by_number[WATCH].spec.models_max or engine.series_max),
            Limit("engine.fields_max", self.catalog.fields.count, engine.fields_max),
            Limit("ingest.pending_bytes_max", self.intake.pending_bytes, ingest.pending_bytes_max),
            Limit("store.tail_readings_max", self.engine.tail.row_count, self.config.store.tail_readings_max),
            Limit("retention.file_bytes_max", self.database.size_bytes(), self.config.retention.file_bytes_max),
            *self.checks.limits(),
        )
        database, rejected = self.database, "rejected."
        return DaemonDiagnosis(
            version_of_program(), self.started_ms, self.applier.applied, self.committer.seq, self.intake.pending_bytes,
            not database.unwritable, database.unwritable, self.applier.over_full, database.size_bytes(),
            {name.removeprefix(rejected): value for name, value in counters.items() if name.startswith(rejected)},
            limits,
        )

    def ready(self) -> str | None:
        """None if events can be taken now, else why not."""
        if self.stopping:
            return "the daemon is stopping"
        return f"the database cannot be written: {self.database.unwritable}" if self.database.unwritable else None

    def parts(self) -> Parts:
        """What the doors need."""
        return Parts(
            self.intake, self.results, self.jobs, self.feedback, self.alerts, self.checks, self.broadcast,
            self.analyses, self.feeds, self.measured, self.clustering, self.database, self.tokens, lambda: self.config,
            self.ready, self.clock, self.metrics, version_of_program(), self.vitals.health, self.previews.run,
        )

    # ── tasks ─────────────────────────────────────────────────────────────────────────────────────────────────

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """Everything that runs as long as the daemon does."""
        return [
            self.decoding.run(),
            self.committer.run(),
            self.applier.run(),
            self.runner.run(),
            self.feeds.run(),
            self.measured.run(),
            self.clustering.run(),
            upkeep.attend(self.analyses, LOOK_EVERY_S),
            self.applier.keep_findings_written(),
            self.applier.keep_checkpoints_made(),
            self.alerts.run(),
            self.alerts.deliveries.run(),
            self.checks.run(),
            self.tokens.attend(),
            self._tick(),
            self._retire(),
            self._probe(),
            self.vitals.run(),
        ]

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self.config.engine.tick_s)
            try:
                await self.intake.submit(Control("tick"))
            except StoreUnavailable:
                log.warning("no tick: %s", self.database.unwritable)

    async def _retire(self) -> None:
        while True:
            await asyncio.sleep(RETIRE_EVERY_S)
            try:
                gone = await retire(self.database, self.config.retention, self.config.ingest, self.clock.now_ms())
                gone += await upkeep.retire(self.analyses)
                gone += await self.checks.retire()
                if gone:
                    log.info("retention removed %d rows", gone)
            except StoreUnavailable as e:
                log.warning("retention waits: %s", e.message)

    async def _probe(self) -> None:
        """Say when the database can no longer be written and when it can again, which nobody else may try for long."""
        clock = asyncio.get_running_loop().time
        was, probed = "", 0.0
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now = self.database.unwritable
            if now and clock() - probed >= PROBE_EVERY_S:
                probed, now = clock(), await self.database.probe()
            if now != was:
                self.broadcast.say(status="store_unavailable" if now else "store_available", reason=now)
                if now:
                    log.warning("the database cannot be written: %s; events are refused until it can", now)
                else:
                    log.warning("the database can be written again")
            was = now
            self.metrics.store_bytes.set(self.database.size_bytes())

    def reload(self) -> None:
        """Read the config file again; settings that need a restart keep their values, and are named."""
        if self._config_path is None:
            log.warning("there is no config file to read again")
            return
        try:
            file = configuration.load(self._config_path)
            self.config, waiting = configuration.reloaded(self.config, self._file, file)
            self._file = file
            self.alerts.deliveries.reload()
            log.info("settings read again from %s", self._config_path)
            for name in waiting:
                log.warning("%s needs a restart", name)
        except BadConfig as e:
            log.error("the settings stay as they were: %s", f"{e.message}; {e.hint}" if e.hint else e.message)

    async def stop(self) -> None:
        """Take nothing more, finish what was acknowledged, write checkpoints."""
        self.stopping = self.intake.closed = True
        self.broadcast.close()
        try:
            async with asyncio.timeout(STOP_WITHIN_S * 0.8):
                await self.feeds.leave()
                await self.applier.drained(STOP_WITHIN_S * 0.5)
                await self.applier.checkpoint_all()
                await self.runner.drained()
                await self.runner.checkpoint_all()
        except (TimeoutError, OffbeatError) as e:  # the journal has it all: the next start replays
            log.warning("stopped without a last checkpoint: %s", e)

    def close(self) -> None:
        """Stop the threads."""
        self.decoding.close()
        self.applier.close()
        self.runner.close()


@asynccontextmanager
async def running(
    config: Config, *, clock: Clock | None = None, config_path: Path | None = None
) -> AsyncIterator[Service]:
    """A daemon without its doors: recovered, all tasks running; drained and checkpointed at the end.

    Raises CannotStart.
    """
    watch_of(config)
    state_dir = Path(config.store.state_dir)
    async with AsyncExitStack() as stack:
        stack.enter_context(StateDirectory(state_dir))
        prepare(state_dir / FILE_NAME)
        service = Service(
            config,
            clock or SystemClock(),
            await stack.enter_async_context(Database(state_dir / FILE_NAME)),
            config_path,
        )
        try:
            await service.recover()
        except OffbeatError as e:
            raise StoreUnusable(
                f"{state_dir / FILE_NAME} cannot be used: {e.message}",
                hint="restore a copy; the file was left as it is",
            ) from e
        stack.callback(service.close)
        async with (
            asyncio.TaskGroup() as group
        ):  # a task that fails takes the daemon down: what is journaled is safe, silence is not
            tasks = [group.create_task(task) for task in service.tasks()]
            try:
                await service.begin()
                yield service
                await service.stop()
            finally:
                for task in tasks:
                    task.cancel()
