"""What was found, as it can be asked for: names to numbers, the right query, and back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import numpy as np
import orjson

from offbeat.clock import Clock
from offbeat.engine.catalog import Catalog
from offbeat.engine.engine import WATCH
from offbeat.engine.entries import Job
from offbeat.engine.ledger import TIME_MIN_MS
from offbeat.engine.views import LiveSource, diagnosed, found_clusters, live_sources
from offbeat.errors import NotFound
from offbeat.store import bucket_queries, overview_queries, reading_queries, record_queries
from offbeat.store.bucket_queries import Ask
from offbeat.store.cursors import cursor_of, place_of
from offbeat.store.database import Database
from offbeat.store.diagnosis import diagnosis_of
from offbeat.store.overview_queries import Lane, Overview, OverviewQuery
from offbeat.store.queries import (
    LATEST,
    Bucket,
    BucketQuery,
    DaemonDiagnosis,
    Page,
    QuarantinedLine,
    ReadingsQuery,
    Record,
    RecordInFull,
    RecordQuery,
    SeriesInfo,
    SeriesReadings,
    SourceClusters,
    SourceDiagnosis,
    SourceInfo,
    Suppressed,
)
from offbeat_detectors import explain

KNOWN_MAX = 10_000
"""Names of sources whose numbers are kept at hand: those asked for lately."""


class Results:
    """Answers queries from the store and the engine's memory together.

    *ask* runs a function on the engine's thread, *reached* waits for a sequence, *newest* is the last one, *describe*
    gives the daemon's own part of a diagnosis.
    """

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        jobs: Callable[[], Mapping[int, Job]],
        ask: Ask,
        reached: Callable[[int, float], Awaitable[None]],
        newest: Callable[[], int],
        describe: Callable[[], Awaitable[DaemonDiagnosis]],
        clock: Clock,
        lag_max_ms: int,
    ) -> None:
        self._database, self._catalog, self._jobs, self._ask = database, catalog, jobs, ask
        self._newest = newest
        self._numbers: dict[str, int] = {}
        self._reached, self._describe, self._clock, self._lag_max_ms = reached, describe, clock, lag_max_ms

    async def reached(self, sequence: int, timeout_s: float) -> None:
        """Return once answers include journal entry *sequence*, or all acknowledged ones for LATEST. Raises NotYet."""
        await self._reached(self._newest() if sequence == LATEST else sequence, timeout_s)

    def _job(self, id: str) -> Job:
        for job in self._jobs().values():
            if job.spec.id == id:
                return job
        raise NotFound(f"there is no job {id}", hint="GET /api/v1/jobs lists them", where={"job": id})

    async def _source_number(self, name: str) -> int | None:
        numbers = await self._source_numbers((name,))
        return numbers[0] if numbers else None

    async def _source_numbers(self, names: tuple[str, ...]) -> list[int]:
        """The numbers of those sources that there are. A name keeps its number for ever, so that it is read once."""
        known = self._numbers
        if unknown := [name for name in dict.fromkeys(names) if name not in known]:
            rows = await self._database.read(
                f"SELECT name, id FROM source WHERE name IN ({','.join('?' * len(unknown))})", unknown
            )
            if len(known) + len(rows) > KNOWN_MAX:
                known = self._numbers = {name: known[name] for name in names if name in known}
            known.update(rows)
        return [known[name] for name in dict.fromkeys(names) if name in known]

    async def _field_numbers(self, names: tuple[str, ...]) -> list[int]:
        rows = await self._database.read(f"SELECT id FROM field WHERE name IN ({','.join('?' * len(names))})", names)
        return [number for (number,) in rows]

    def _series_name(self, series: int) -> tuple[str, str]:
        catalog = self._catalog
        return catalog.sources.text(int(catalog.series_source[series])), catalog.fields.text(
            int(catalog.series_field[series])
        )

    async def buckets(self, query: BucketQuery) -> Page[Bucket]:
        """Buckets in the order and bounds of *query*. Raises NotFound for an unknown job."""
        job = self._job(query.job)
        if query.scope == "job":
            return await bucket_queries.job_buckets(self._database, self._ask, job, query)
        sources = np.array(await self._source_numbers(query.sources), np.int64) if query.sources else None
        if sources is not None and not sources.size:
            return Page((), None)
        return await bucket_queries.source_buckets(
            self._database, self._ask, job, query, sources, self._catalog.sources.text
        )

    async def overview(self, query: OverviewQuery) -> Overview:
        """A page of lanes of the sources of a job. Raises NotFound for an unknown job."""
        return await overview_queries.of_sources(
            self._database, self._ask, self._job(query.job), query, self._lag_max_ms, self._catalog.sources.text,
            self._series_name,
        )

    async def job_lanes(self, query: OverviewQuery) -> list[Lane]:
        """The lanes of all jobs that follow series."""
        return [
            await overview_queries.of_job(
                self._database, self._ask, job, query, "watch" if job.number == WATCH else "stream", self._lag_max_ms,
                self._series_name,
            )
            for job in list(self._jobs().values())
        ]

    async def records(self, query: RecordQuery) -> Page[Record]:
        """Records in the order and bounds of *query*. Raises NotFound for an unknown job."""
        job = self._job(query.job)
        sources = await self._source_numbers(query.sources) if query.sources else None
        fields = await self._field_numbers(query.fields) if query.fields else None
        return await record_queries.records(self._database, job, query, sources, fields, self._series_name)

    async def record(self, id: str) -> RecordInFull:
        """One record with what is known around it. Raises NotFound."""
        unknown = NotFound(f"there is no record {id}", hint="GET /api/v1/records lists them", where={"record": id})
        key = record_queries.key_of(id)
        job = next((job for job in self._jobs().values() if key and job.spec.id == key[0]), None)
        if key is None or job is None:
            raise unknown
        rows = await self._database.read(
            "SELECT series.id, series.source FROM series JOIN source ON source.id = series.source "
            "JOIN field ON field.id = series.field WHERE source.name = ? AND field.name = ?",
            key[1:3],
        )
        if not rows:
            raise unknown
        series, source = rows[0]
        found = await record_queries.record(self._database, job, series, key[3], (key[1], key[2]))
        if found is None:
            raise unknown
        record, reached = found
        moments, last_ms = await reading_queries.moments_back(
            self._database,
            self._ask,
            source,
            series,
            record.time_ms,
            record.actual,
            explain.unpack(record.evidence).similar,
        )
        (state,) = await self._live([source])
        count = await self._ask(lambda engine: int(engine.ledger.series[series, 0]))
        since_ms = watched_since(job, state.first_event_ms, record.time_ms)
        return RecordInFull(record, moments, last_ms, reached, since_ms, count)

    async def sources(self, prefix: str, limit: int, cursor: str | None) -> Page[SourceInfo]:
        """Sources by name."""
        rows, following = await self._source_rows(prefix, limit, cursor)
        live = await self._live([number for number, _ in rows])
        counts = dict(
            await self._database.read(
                f"SELECT source, count(*) FROM series WHERE source IN ({','.join('?' * len(rows))}) GROUP BY source",
                [n for n, _ in rows],
            )
        )
        found = [
            _info(name, counts.get(number, 0), state)
            for (number, name), state in zip(rows, live, strict=True)
            if state.event_count
        ]
        return Page(tuple(found), following)

    async def _source_rows(
        self, prefix: str, limit: int, cursor: str | None
    ) -> tuple[list[tuple[int, str]], str | None]:
        place = place_of(cursor, str)
        rows = await self._database.read(
            "SELECT id, name FROM source WHERE name > ? AND name >= ? AND substr(name, 1, ?) = ? ORDER BY name LIMIT ?",
            (place[0] if place else "", prefix, len(prefix), prefix, limit + 1),
        )
        found = [(number, name) for number, name in rows[:limit]]
        return found, cursor_of(found[-1][1]) if len(rows) > limit else None

    async def _live(self, numbers: list[int]) -> list[LiveSource]:
        return await self._ask(lambda engine: live_sources(engine, numbers)) if numbers else []

    async def _series_of(self, number: int) -> dict[int, str]:
        """Number and field of each series of a source."""
        rows = await self._database.read(
            "SELECT series.id, field.name FROM series JOIN field ON field.id = series.field WHERE source = ? "
            "ORDER BY series.id",
            (number,),
        )
        return dict(rows)

    async def _known(self, name: str) -> int:
        number = await self._source_number(name)
        if number is None:
            raise NotFound(f"there is no source {name}", hint="GET /api/v1/sources lists them", where={"source": name})
        return number

    async def source(self, name: str) -> SourceInfo:
        """One source with its metadata and series. Raises NotFound."""
        number = await self._known(name)
        (state,) = await self._live([number])
        series = await self._series_of(number)
        numbers = list(series)
        held = await self._ask(lambda engine: engine.ledger.series[numbers].tolist())
        metadata = await self._database.read("SELECT metadata FROM source WHERE id = ?", (number,))
        return _info(
            name,
            len(series),
            state,
            orjson.loads(metadata[0][0]),
            tuple(
                SeriesInfo(field, int(count), value, int(stamp) - 1 + TIME_MIN_MS)
                for field, (count, stamp, value, _) in zip(series.values(), held, strict=True)
            ),
        )

    async def clusters(self, job: str, source: str) -> SourceClusters:
        """The clusters of events of one source that a job has made.

        Raises NotFound for an unknown job or source, and where the job has none of that source.
        """
        number = await self._known(source)
        fields = await self._series_of(number)
        of, series = self._job(job).number, np.array(list(fields), np.int32)
        found = await self._ask(lambda engine: found_clusters(engine, of, series))
        if found is None:
            raise NotFound(
                f"the job {job} has no clusters of {source}",
                hint="a job whose model is clusters makes them, of sources that send once it was created",
                where={"job": job, "source": source},
            )
        return SourceClusters(job, source, tuple(fields[n] for n in found[0]), found[1])

    async def set_metadata(self, name: str, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata of a source. Raises NotFound, StoreUnavailable."""
        number = await self._known(name)
        async with self._database.transaction() as db:
            await db.execute("UPDATE source SET metadata = ? WHERE id = ?", (orjson.dumps(metadata).decode(), number))

    async def readings(self, query: ReadingsQuery) -> tuple[SeriesReadings, ...]:
        """Readings of one source. Raises NotFound for an unknown source or field."""
        number = await self._known(query.source)
        series = await self._series_of(number)
        if query.fields:
            unknown = set(query.fields) - set(series.values())
            if unknown:
                raise NotFound(
                    f"{query.source} has no field {min(unknown)}",
                    hint=f"it has {', '.join(sorted(series.values())[:20])}",
                    where={"field": min(unknown)},
                )
            series = {n: field for n, field in series.items() if field in query.fields}
        return await reading_queries.readings(self._database, self._ask, number, series, query) if series else ()

    async def quarantine(self, code: str | None, limit: int, cursor: str | None) -> Page[QuarantinedLine]:
        """Rejected lines, newest first."""
        place = place_of(cursor, int)
        rows = await self._database.read(
            "SELECT id, arrived_ms, format, line, code, reason, start FROM quarantine WHERE id < ? AND (? IS "
            "NULL OR code = ?) "
            "ORDER BY id DESC LIMIT ?",
            (place[0] if place else 1 << 62, code, code, limit + 1),
        )
        return Page(
            tuple(QuarantinedLine(*row) for row in rows[:limit]),
            cursor_of(rows[limit - 1][0]) if len(rows) > limit else None,
        )

    async def diagnosis(
        self, sources: tuple[str, ...], limit: int, cursor: str | None
    ) -> tuple[DaemonDiagnosis, Page[SourceDiagnosis]]:
        """The daemon's state, and of each source why it says what it says. Raises NotFound for an unknown source."""
        if sources:
            rows, following = [(await self._known(name), name) for name in sources], None
        else:
            rows, following = await self._source_rows("", limit, cursor)
        live = await self._live([number for number, _ in rows])
        found = [
            await self._diagnosis_of(number, name, state) for (number, name), state in zip(rows, live, strict=True)
        ]
        return await self._describe(), Page(tuple(found), following)

    async def _diagnosis_of(self, number: int, name: str, state: LiveSource) -> SourceDiagnosis:
        series = await self._series_of(number)
        numbers = np.array(list(series), np.int32)
        now_ms = self._clock.now_ms()
        held = await self._ask(lambda engine: diagnosed(engine, number, numbers, now_ms))
        says = [
            diagnosis_of(job, series[one], its) for job, state in held.items() for one, its in state.series.items()
        ]
        return SourceDiagnosis(
            name,
            state.last_event_ms,
            state.last_arrival_ms,
            state.lag_ms / 1000,
            (now_ms - state.last_arrival_ms) / 1000,
            abs(state.lag_ms) <= self._lag_max_ms,
            state.event_count,
            state.late_count,
            tuple(says),
            tuple(Suppressed(job, **state.suppressed) for job, state in held.items()),
        )


def watched_since(job: Job, first_event_ms: int, time_ms: int) -> int:
    """Since when, in ms, *job* has watched a source whose first event this is, as of a record at *time_ms*.

    A job takes what comes after its beginning: of a source that is older, from then on. What a later job is sent of the
    time before is history that was filled in, and it has seen all of that.
    """
    began_between = job.number != WATCH and first_event_ms < job.created_ms <= time_ms
    return job.created_ms if began_between else first_event_ms


def _info(
    name: str,
    series_count: int,
    state: LiveSource,
    metadata: Mapping[str, Any] | None = None,
    series: tuple[SeriesInfo, ...] = (),
) -> SourceInfo:
    return SourceInfo(
        name,
        series_count,
        state.event_count,
        state.late_count,
        state.first_event_ms,
        state.last_event_ms,
        state.last_arrival_ms,
        metadata or {},
        series,
    )
