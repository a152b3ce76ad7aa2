"""An engine as the store has it, the built-in job as the settings have it: with these a start begins, and verify."""
from __future__ import annotations

import asyncio
from pathlib import Path

from offbeat import verification
from offbeat.analyses.verifying import replayed
from offbeat.config import Config
from offbeat.engine.catalog import Catalog, Limits
from offbeat.engine.engine import WATCH, Engine
from offbeat.errors import BadConfig, BadRequest
from offbeat.jobs import check, in_zone, places_of
from offbeat.records import JobSpec
from offbeat.store import adjustments, journal
from offbeat.store.database import Database
from offbeat.verification import VerifyReport


def watch_of(config: Config) -> JobSpec:
    """The built-in job as the config has it. Raises BadConfig if it cannot work."""
    watch = config.watch
    spec = JobSpec(
        "watch",
        "every numeric field of every source",
        "value",
        ("*",),
        ("*",),
        watch.bucket_span_s,
        watch.latency_s,
        watch.model,
        tuple(sorted(watch.parameters.items())),
        watch.peer_groups,
        *places_of(config.engine),
    )
    try:
        check(spec, None)
    except BadRequest as e:
        raise BadConfig(f"watch.{e.message}", hint=e.hint, where=e.where) from e
    return in_zone(spec, config.engine.time_zone)


async def assembled(database: Database, config: Config) -> Engine:
    """An engine with the catalog, the jobs and the first settings of the store.

    No checkpoint restored, nothing replayed.
    """
    engine, jobs = config.engine, await journal.load_jobs(database)
    watch = next((job.spec for job in jobs if job.number == WATCH), watch_of(config))
    shard_series = watch.models_max // watch.shards if watch.shards else engine.shard_series
    catalog = Catalog(Limits(engine.sources_max, engine.fields_max, engine.series_max, shard_series, watch.shards))
    await journal.load_catalog(database, catalog)
    made = Engine(catalog)
    for job in jobs:
        made.add_job(job)
    # Entries of the journal bring later settings along; those that were pruned hold from its beginning.
    first = (await database.read("SELECT coalesce(min(seq), 1 << 62) FROM journal"))[0][0]
    for seq, settings in (await journal.load_settings(database)).items():
        if seq < first:
            made.settings = settings
    for adjustment in await adjustments.in_force_before(database, first):
        if adjustment.job in made.jobs:
            made.jobs[adjustment.job].adjustments.begin(adjustment, counts=False)
    return made


def verify(state_dir: Path) -> VerifyReport:
    """Replay what the journal still holds and compare it with the store. Raises CannotStart."""

    async def of_analyses(database: Database) -> tuple[int, list[str]]:
        return await replayed(database, (await assembled(database, Config())).catalog)

    return asyncio.run(
        verification.verify(state_dir, lambda database: assembled(database, Config()), of_analyses)
    )
