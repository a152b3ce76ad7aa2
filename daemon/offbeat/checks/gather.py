"""What runs are handed: readings up to a moment, found for many runs at once, with findings and arrivals if needed."""
from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import numpy as np
import orjson
from numpy.typing import NDArray

from offbeat.checks.align import aligned
from offbeat.checks.arrivals import ArrivalLog, Counts
from offbeat.checks.spec import Column
from offbeat.config import known_zone
from offbeat.engine.buckets import LATE_EVENTS
from offbeat.engine.catalog import Catalog
from offbeat.engine.engine import WATCH, Engine
from offbeat.engine.entries import Job
from offbeat.engine.ledger import EVENTS
from offbeat.engine.tail import Readings as Raw
from offbeat.store.bucket_queries import FAR_MS, Ask
from offbeat.store.database import Database
from offbeat.store.raw_readings import Known, known, raw_readings
from offbeat.store.record_queries import findings_in, sentence_of
from offbeat_detectors.checks.contract import Needs
from offbeat_detectors.checks.readings import Arrivals, FoundBefore, Readings

FOUND_MAX = 10_000
"""Findings that the runs of one lot are handed, the newest."""
WIDER, WIDER_MAX = 8, 12
"""Where too few readings were found, so much further back is looked for more, and so often."""
NONE: tuple[NDArray[np.int64], NDArray[np.float64]] = (np.zeros(0, np.int64), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Wanted:
    """One run that is to be.

    numbers  series of the columns, -1: there is none yet      tolerance_ms  how long a value counts
    judged   up to when each column was judged, None: it never ran
    """

    subject: int
    columns: tuple[Column, ...]
    numbers: tuple[int, ...]
    tolerance_ms: int
    judged: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one run is handed.

    judged  up to when each column is judged by it    left_out  older moments, which were more than a run may have
    """

    data: Readings
    judged: tuple[int, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Span:
    """Readings over a span of time, before *end_ms*, of which a run at any moment in it is handed what came by then.

    times  of each column
    """

    source: str
    columns: tuple[str, ...]
    time_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    times: list[NDArray[np.int64]]
    zone: ZoneInfo
    found: tuple[FoundBefore, ...]
    end_ms: int

    def at(self, now_ms: int, before_ms: int, needs: Needs, most: int) -> Readings:
        """What a run at *now_ms* that *needs* so much is handed, the one before was at *before_ms*: *most* moments.
        """
        end, first = np.searchsorted(self.time_ms, (now_ms + 1, before_ms + 1)).tolist()
        new_ms = int(self.time_ms[first]) if first < end else now_ms
        back_ms = int(needs.history_s * 1000)
        begin = min(int(np.searchsorted(self.time_ms, new_ms - back_ms)), max(0, first - needs.readings))
        begin = max(begin, end - most)
        last = [int(t[i - 1]) if (i := int(np.searchsorted(t, now_ms + 1))) else -1 for t in self.times]
        found = tuple(one for one in self.found if self.time_ms.size and new_ms - back_ms <= one.time_ms <= now_ms)
        return Readings(
            self.source, self.columns, self.time_ms[begin:end], self.values[begin:end], max(0, first - begin), now_ms,
            self.zone, np.array(last, np.int64), found, None,
        )


class Gatherer:
    """Finds readings. *ask* runs on the engine's thread, *settle* writes all findings so far."""

    def __init__(
        self, database: Database, ask: Ask, catalog: Catalog, jobs: Callable[[], Mapping[int, Job]],
        time_zone: Callable[[], str], readings_max: Callable[[], int],
    ) -> None:
        self._database, self._ask, self._catalog, self._jobs = database, ask, catalog, jobs
        self._time_zone, self._readings_max = time_zone, readings_max
        self.arrivals = ArrivalLog()

    async def gather(
        self, wanted: Sequence[Wanted], needs: Needs, interval_ms: int, now_ms: int, *, as_of: bool = False,
        forced: bool = False,
    ) -> list[Gathered]:
        """What each of *wanted* is handed at *now_ms*, in their order.

        as_of   *now_ms* is past: nothing that came for a later time counts
        forced  where nothing is new, the newest moment is to be judged
        """
        series = np.unique(np.array([n for one in wanted for n in one.numbers if n >= 0], np.int32))
        state = await self._ask(lambda engine: known(engine, series.astype(np.int64)))
        if as_of:
            state = replace(state, newest_ms=await self._newest_before(series, state, now_ms + 1))
        at = {n: i for i, n in enumerate(series.tolist())}
        newest = [tuple(int(state.newest_ms[at[n]]) if n >= 0 else -FAR_MS for n in one.numbers) for one in wanted]
        firsts = [
            _first_new(one, found, needs, interval_ms, forced or one.judged is None)
            for one, found in zip(wanted, newest, strict=True)
        ]
        lows = self._lows(wanted, firsts, needs, state, at)
        high = max([now_ms, *(t for found in newest for t in found)]) + 1 if not as_of else now_ms + 1
        raw = await self._read(wanted, firsts, lows, needs.readings, series, state, at, high)
        zones = await self._zones([one.columns[0][0] for one in wanted])
        found = await self._found(wanted, lows, high - 1) if needs.findings else {}
        arrived = await self._arrived(wanted, needs, now_ms) if needs.arrivals and not as_of else {}

        def made() -> list[Gathered]:
            return [
                self._made(one, raw, at, newest[i], firsts[i], lows[i], now_ms, zones[one.columns[0][0]],
                           found.get(one.subject, ()), arrived.get(one.subject), needs, forced)
                for i, one in enumerate(wanted)
            ]

        return await asyncio.to_thread(made)

    async def span(
        self, one: Wanted, needs: Needs, start_ms: int, end_ms: int, most: int
    ) -> Span:
        """All that runs on *one* are handed of the times from *start_ms* on, before *end_ms*, and what they look at.

        Of about *most* moments, the oldest: the answer may end before *end_ms*.
        """
        series = np.unique(np.array([n for n in one.numbers if n >= 0], np.int32))
        state = await self._ask(lambda engine: known(engine, series.astype(np.int64)))
        usual_ms = float(state.interval_ms[state.interval_ms > 0].min(initial=1_000.0 if not series.size else np.inf))
        if np.isfinite(usual_ms):
            end_ms = min(end_ms, int(max(start_ms, int(state.first_ms.min(initial=start_ms))) + most * usual_ms) + 1)
        at = {n: i for i, n in enumerate(series.tolist())}
        lows = self._lows([one], [start_ms], needs, state, at)
        raw = await self._read([one], [start_ms], lows, needs.readings, series, state, at, end_ms)
        columns = [raw.get(n, NONE) for n in one.numbers]
        moments, values = await asyncio.to_thread(aligned, columns, one.tolerance_ms)
        found = (await self._found([one], lows, end_ms - 1)).get(one.subject, ()) if needs.findings else ()
        zones = await self._zones([one.columns[0][0]])
        return Span(
            one.columns[0][0], names_of(one.columns), moments, values, [times for times, _ in columns],
            zones[one.columns[0][0]], found, end_ms,
        )

    def _lows(
        self, wanted: Sequence[Wanted], firsts: list[int], needs: Needs, state: Known, at: Mapping[int, int]
    ) -> list[int]:
        lows = []
        for one, first in zip(wanted, firsts, strict=True):
            back = needs.history_s * 1000
            if needs.readings:
                usual = max((float(state.interval_ms[at[n]]) for n in one.numbers if n >= 0), default=0.0)
                back = max(back, 1.25 * usual * needs.readings)
            lows.append(max(-FAR_MS, int(first - back) - one.tolerance_ms))
        return lows

    async def _read(
        self, wanted: Sequence[Wanted], firsts: list[int], lows: list[int], count: int, series: NDArray[np.int32],
        state: Known, at: Mapping[int, int], high: int,
    ) -> dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """The readings of each series, far enough back for every run that has it. Widens *lows* where it must."""
        raw: dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        due = list(range(len(wanted)))
        for _ in range(WIDER_MAX):
            low: dict[int, int] = {}
            for i in due:
                for n in wanted[i].numbers:
                    if n >= 0:
                        low[n] = min(low.get(n, lows[i]), lows[i])
            some = np.array(sorted(low), np.int32)
            raw |= by_series(
                await raw_readings(self._database, self._ask, some, np.array([low[n] for n in some.tolist()]), high)
            )
            if not count:
                break
            due = [
                i for i in due
                if any(
                    n >= 0 and lows[i] > state.first_ms[at[n]]
                    and np.searchsorted(raw.get(n, NONE)[0], firsts[i]) < count
                    for n in wanted[i].numbers
                )
            ]
            if not due:
                break
            for i in due:
                lows[i] = max(-FAR_MS, firsts[i] - WIDER * max(60_000, firsts[i] - lows[i]))
        return raw

    async def _newest_before(self, series: NDArray[np.int32], state: Known, high: int) -> NDArray[np.int64]:
        """(k,) the newest reading of each of *series* before *high*; -FAR_MS for none."""
        newest = np.where(state.newest_ms < high, state.newest_ms, -FAR_MS)
        due = np.flatnonzero((state.newest_ms >= high) & (state.first_ms < high))
        back = np.maximum(60_000, 4 * state.interval_ms).astype(np.int64)
        while due.size:
            low = np.maximum(-FAR_MS, high - back[due])
            raw = by_series(await raw_readings(self._database, self._ask, series[due], low, high))
            for i in due.tolist():
                if (found := raw.get(int(series[i]))) is not None:
                    newest[i] = found[0][-1]
            due = due[(newest[due] == -FAR_MS) & (low > state.first_ms[due])]
            back[due] *= WIDER
        return newest

    def _made(
        self, one: Wanted, raw: Mapping[int, tuple[NDArray[np.int64], NDArray[np.float64]]], at: Mapping[int, int],
        newest: tuple[int, ...], first: int, low: int, now_ms: int, zone: ZoneInfo,
        found: tuple[FoundBefore, ...], arrived: Arrivals | None, needs: Needs, forced: bool,
    ) -> Gathered:
        columns = []
        for n, last in zip(one.numbers, newest, strict=True):
            time_ms, value = raw.get(n, NONE)
            begin, end = np.searchsorted(time_ms, (low, last + 1)).tolist()  # what came since it was asked is for later
            columns.append((time_ms[begin:end], value[begin:end]))
        moments, values = aligned(columns, one.tolerance_ms)
        new_from = int(np.searchsorted(moments, first))
        if forced and moments.size:
            new_from = min(new_from, moments.size - 1)
        begin = int(np.searchsorted(moments, first - int(needs.history_s * 1000)))
        begin = min(begin, max(0, new_from - needs.readings))  # more was read where the pace was guessed
        left_out = max(0, moments.size - begin - self._readings_max())
        begin += left_out
        moments, values, new_from = moments[begin:], values[begin:], max(0, new_from - begin)
        judged = tuple(
            max(new, old) for new, old in zip(newest, one.judged or (-FAR_MS,) * len(newest), strict=True)
        )
        data = Readings(
            one.columns[0][0], names_of(one.columns), moments, values, new_from,
            max([now_ms, *(t for t in newest if t > -FAR_MS)]), zone,
            np.array([-1 if t == -FAR_MS else t for t in newest], np.int64), found, arrived,
        )
        return Gathered(data, judged, left_out)

    async def _zones(self, sources: Sequence[str]) -> dict[str, ZoneInfo]:
        """The time zone of each source: its metadata's, if that is one, else that of the settings."""
        usual = ZoneInfo(self._time_zone())
        zones = dict.fromkeys(sources, usual)
        names = list(zones)
        rows = await self._database.read(
            f"SELECT name, metadata FROM source WHERE name IN ({','.join('?' * len(names))}) AND metadata != '{{}}'",
            names,
        )
        for name, metadata in rows:
            zone = orjson.loads(metadata).get("time_zone")
            if isinstance(zone, str) and known_zone(zone):
                zones[name] = ZoneInfo(zone)
        return zones

    async def _found(
        self, wanted: Sequence[Wanted], lows: Sequence[int], upto_ms: int
    ) -> dict[int, tuple[FoundBefore, ...]]:
        catalog = self._catalog

        def name(series: int) -> tuple[str, str]:
            source, field = int(catalog.series_source[series]), int(catalog.series_field[series])
            return catalog.sources.text(source), catalog.fields.text(field)

        sources = sorted({int(catalog.series_source[n]) for one in wanted for n in one.numbers if n >= 0})
        rows = await findings_in(self._database, self._jobs(), sources, min(lows), upto_ms, FOUND_MAX, name)
        having: dict[int, list[tuple[int, int, int]]] = {}
        for one, low in zip(wanted, lows, strict=True):
            for column, series in enumerate(one.numbers):
                having.setdefault(series, []).append((one.subject, column, low))
        told: dict[int, list[FoundBefore]] = {}
        for series, record in reversed(rows):
            for subject, column, low in having.get(series, ()):
                if record.time_ms >= low:
                    finding = FoundBefore(record.time_ms, column, record.score, sentence_of(record))
                    told.setdefault(subject, []).append(finding)
        return {subject: tuple(some) for subject, some in told.items()}

    async def _arrived(self, wanted: Sequence[Wanted], needs: Needs, now_ms: int) -> dict[int, Arrivals]:
        owners = [
            sorted({int(self._catalog.series_source[n]) for n in one.numbers if n >= 0}) for one in wanted
        ]

        def counted(engine: Engine) -> tuple[list[tuple[int, int]], int]:
            events, late = engine.ledger.sources[:, EVENTS], engine.jobs[WATCH].counters[:, LATE_EVENTS]
            return [(int(events[s].sum()), int(late[s].sum())) for s in owners], int(events.sum())

        counts, accepted = await self._ask(counted)
        rows = await self._database.read("SELECT coalesce(sum(value), 0) FROM counter WHERE name LIKE 'rejected.%'")
        rejected, found = int(rows[0][0]), {}
        for one, (events, late) in zip(wanted, counts, strict=True):
            now = Counts(now_ms, events, late, rejected, accepted)
            if (arrived := self.arrivals.note(one.subject, now, int(needs.history_s * 1000))) is not None:
                found[one.subject] = arrived
        return found


def _first_new(one: Wanted, newest: tuple[int, ...], needs: Needs, interval_ms: int, some: bool) -> int:
    """From when on moments are to be judged; *some*: at least the newest is. What never ran begins an interval back."""
    last = max(newest)
    if last == -FAR_MS:
        return -FAR_MS
    if one.judged is None:
        return last - interval_ms + 1
    new = [old + 1 for old, found in zip(one.judged, newest, strict=True) if found > old]
    # A column that was never judged before is judged from its last interval on, not from its beginning.
    return max(min(new), last - interval_ms + 1 if -FAR_MS + 1 in new else -FAR_MS) if new else last + (not some)


def by_series(raw: Raw) -> dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Readings that are sorted by series, those of each by its number."""
    series, time_ms, value = raw
    if not series.size:
        return {}
    numbers, first = np.unique(series, return_index=True)
    ends = np.append(first[1:], series.size)
    return {
        n: (time_ms[a:b], value[a:b])
        for n, a, b in zip(numbers.tolist(), first.tolist(), ends.tolist(), strict=True)
    }


def names_of(columns: Sequence[Column]) -> tuple[str, ...]:
    """The names of columns: the field, or source and field where sources differ."""
    if len({source for source, _ in columns}) == 1:
        return tuple(field for _, field in columns)
    return tuple(f"{source} {field}" for source, field in columns)
