"""What a page of the daemon waits for: a fleet at a glance, a year of a series, a preview of a job, packed answers."""
from __future__ import annotations

import argparse
import asyncio
import gzip
import http.client
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from common import command
from common.browser import seconds_until
from common.daemon import ANSWER_TIMEOUT_S, Daemon
from common.events import FORMS, Fleet, bodies
from common.fleetday import MINUTE_MS, config_of, fleet_day, give
from common.report import digits
from common.verdict import MOST, Row, ratios
from offbeat.clock import ManualClock
from offbeat.service import running

CALLS = 30
SOURCES, SOURCES_QUICK = 10_000, 500
MINUTES = 1_440
SHARE = 0.015
"""Of the buckets hold a finding."""
YEAR_MINUTES, YEAR_MINUTES_QUICK = 365 * 1_440, 30 * 1_440
PREVIEW_SERIES, PREVIEW_MINUTES = 20, 7 * 1_440
OVERVIEW_MS_MAX, BROWSER_S_MAX, READINGS_KIB_MAX, PREVIEW_S_MAX, PACKED_MAX = 300, 2, 60, 2, 2
JOBS: dict[str, dict[str, Any]] = {
    "mean by source, 5 minutes": {
        "id": "previewed", "sources": ["*"], "fields": ["temperature"], "influencers": ["source"],
        "detectors": [{"function": "mean", "field": "temperature", "by": "source"}],
    },
    "mean by source, 1 minute": {
        "id": "previewed", "sources": ["*"], "fields": ["temperature"], "bucket_span_s": 60,
        "detectors": [{"function": "mean", "field": "temperature", "by": "source"}],
    },
    "value, rhythm": {"id": "previewed", "sources": ["*"]},
}


class Client:
    """One connection to a daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._connection = http.client.HTTPConnection(*daemon.address, timeout=ANSWER_TIMEOUT_S)

    def call(self, path: str, body: Any = None, accepts: str = "identity") -> tuple[float, bytes]:
        """How many ms *path* (below /api/v1) took to the last byte, and the bytes as they came."""
        method, data = ("GET", None) if body is None else ("POST", orjson.dumps(body))
        headers = {"Accept-Encoding": accepts} | ({} if data is None else {"Content-Type": "application/json"})
        began = time.perf_counter()
        self._connection.request(method, f"/api/v1{path}", data, headers)
        answer = self._connection.getresponse()
        whole = answer.read()
        took_ms = 1000 * (time.perf_counter() - began)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {whole[:300]!r}")
        return took_ms, whole


def p95(values: Sequence[float]) -> float:
    """The value that one in twenty exceeds."""
    return float(np.percentile(values, 95))


def overview(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """The first page, later ones, and those of a prefix, of a day of a fleet; then in a browser. Nothing else runs."""
    sources, end_ms = SOURCES_QUICK if options.quick else SOURCES, int(time.time() * 1000)
    began = time.perf_counter()
    found = fleet_day(directory / "day", sources, MINUTES, end_ms, share=SHARE, seed=options.seed)
    facts["overview"] = f"{sources:,} sources × {MINUTES:,} minutes in steps of 5, {found:,} buckets with a finding; " \
        f"made in {time.perf_counter() - began:.0f} s"
    with Daemon(directory / "day") as daemon:
        client = Client(daemon)
        client.call("/overview")
        middle, high = dict[str, list[float]](), dict[str, list[float]]()
        before_s = daemon.cpu_s()
        for _ in range(CALLS):
            client.call("/overview")
        facts["processor time of an overview, first page"] = f"{(daemon.cpu_s() - before_s) / CALLS * 1000:.0f} ms"
        for number in range(options.rounds):
            first = [client.call("/overview")[0] for _ in range(CALLS)]
            later: list[float] = []
            page = orjson.loads(client.call("/overview")[1])
            while len(later) < CALLS and page["next_cursor"]:
                took_ms, whole = client.call(f"/overview?cursor={page['next_cursor']}")
                later.append(took_ms)
                page = orjson.loads(whole)
            some = [client.call("/overview?prefix=boiler-0")[0] for _ in range(CALLS)]
            jobs = [client.call("/overview?rows=job")[0] for _ in range(CALLS)]
            packed = [client.call("/overview", accepts="gzip")[0] for _ in range(CALLS)]
            for name, times in (("first page", first), ("later pages", later), ("a prefix", some),
                                ("of jobs", jobs), ("first page, packed", packed)):
                middle.setdefault(name, []).append(float(np.median(times)))
                high.setdefault(name, []).append(p95(times))
                print(f"round {number + 1}  {name:20} p50 {middle[name][-1]:5.0f} ms  p95 {high[name][-1]:5.0f} ms",
                      flush=True)
        url = "http://{}:{}/#/".format(*daemon.address)
        shown = seconds_until(url, ".lanes tbody tr:nth-child(50) td", options.rounds)
    seen = [Row(f"overview of {sources:,} sources, usable in a browser", "–", tuple(shown), "s", MOST, BROWSER_S_MAX,
                "empty cache, until the last lane is there and a key moves the focus")] if shown else []
    return seen + [
        Row(f"overview of {sources:,} sources, {name}, {what} of {CALLS} calls", "–", tuple(values[name]), "ms", MOST,
            OVERVIEW_MS_MAX)
        for name in middle for what, values in (("p50", middle), ("p95", high))]


async def _sent(state_dir: Path, sources: int, minutes: int, end_ms: int, seed: int) -> None:
    """Minute data of some sources, by the default model, in the store."""
    fleet, step = Fleet(seed, sources, beat_ms=MINUTE_MS), max(1, 20_000 // sources)
    async with running(config_of(state_dir, "rhythm"), clock=ManualClock(end_ms)) as service:
        for first in range(0, minutes, step):
            count = sources * min(step, minutes - first)
            events = fleet.events(fleet.share(0, 1), count, end_ms - (minutes - first) * MINUTE_MS)
            for body in bodies(FORMS["csv"], events, count):
                await give(service, body)


def readings(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """A year of minute data of one series with its band, as a chart asks for it."""
    minutes, end_ms = YEAR_MINUTES_QUICK if options.quick else YEAR_MINUTES, int(time.time() * 1000)
    asyncio.run(_sent(directory / "year", 1, minutes, end_ms, options.seed))
    sizes, times, plain = [], [], 0
    with Daemon(directory / "year") as daemon:
        client = Client(daemon)
        path = "/sources/boiler-0000/readings?field=temperature&width=1200&columns=mean,min,max&time=epoch_ms" \
            f"&start={end_ms - minutes * MINUTE_MS}&end={end_ms}"
        for _ in range(options.rounds):
            took_ms, whole = client.call(path, accepts="gzip")
            sizes.append(len(whole) / 1024)
            times.append(took_ms)
        (series,) = orjson.loads(gzip.decompress(whole))["series"]
        plain = len(gzip.decompress(whole))
        usual = len(client.call(path.replace("&columns=mean,min,max&time=epoch_ms", ""))[1])
    told = f"{len(series['time']):,} points of {series['level']}, band {len(series['band']['time']):,}; " \
        f"{plain / 1024:.0f} KiB before, {usual / 1024:.0f} KiB with all columns and times as texts; " \
        f"{digits(float(np.median(times)))} ms"
    return [Row(f"readings of {minutes / 1440:.0f} days of minutes, as they cross the network", "–", tuple(sizes),
                "KiB", MOST, READINGS_KIB_MAX, told)]


def preview(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """What jobs would have said of a week of minute data of twenty series."""
    end_ms = int(time.time() * 1000)
    asyncio.run(_sent(directory / "week", PREVIEW_SERIES, PREVIEW_MINUTES, end_ms, options.seed))
    took: dict[str, list[float]] = {name: [] for name in JOBS}
    told: dict[str, str] = {}
    with Daemon(directory / "week") as daemon:
        client = Client(daemon)
        for number in range(options.rounds + 1):  # the first waits for kernels that are compiled beside the daemon
            for name, job in JOBS.items():
                span = {"start": end_ms - PREVIEW_MINUTES * MINUTE_MS, "end": end_ms}
                before_s = daemon.cpu_s()
                took_ms, whole = client.call("/jobs/preview", job | span)
                cpu_s, seen = daemon.cpu_s() - before_s, orjson.loads(whole)
                told[name] = f"{seen['reading_count']:,} readings, {seen['bucket_count']:,} buckets, " \
                    f"{len(seen['records'])} records told{', cut' if seen['truncated'] else ''}; processor time " \
                    f"of the last {digits(cpu_s)} s"
                if number:
                    took[name].append(took_ms / 1000)
                    print(f"round {number}  {name:28} {took[name][-1]:.2f} s", flush=True)
        facts["peak memory of the daemon with previews"] = f"{daemon.peak_mib():.0f} MiB"
    return [Row(f"preview of 7 days × {PREVIEW_SERIES} series, {name}", "–", tuple(took[name]), "s", MOST,
                PREVIEW_S_MAX, told[name]) for name in JOBS]


def packed(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """A day of buckets of one source for who reads gzip, beside the same for who does not."""
    end_ms = int(time.time() * 1000)
    asyncio.run(_sent(directory / "buckets", PREVIEW_SERIES, MINUTES, end_ms, options.seed))
    plain, packed, sizes = list[float](), list[float](), (0, 0)
    with Daemon(directory / "buckets") as daemon:
        client, path = Client(daemon), f"/buckets?source=boiler-0007&limit={MINUTES}"
        for _ in range(options.rounds):
            rounds: dict[str, list[float]] = {"identity": [], "gzip": []}
            for i in range(10 * CALLS):
                accepts = ("identity", "gzip")[i % 2]
                took_ms, whole = client.call(path, accepts=accepts)
                rounds[accepts].append(took_ms)
                sizes = (len(whole), sizes[1]) if i % 2 == 0 else (sizes[0], len(whole))
            plain.append(float(np.median(rounds["identity"])))
            packed.append(float(np.median(rounds["gzip"])))
    return [Row("a day of buckets of a source, gzip, p50", "the same as it is", ratios(packed, plain), "×", MOST,
                PACKED_MAX, f"{digits(float(np.median(packed)))} against {digits(float(np.median(plain)))} ms, "
                f"{sizes[1] / 1024:.0f} against {sizes[0] / 1024:.0f} KiB")]


SECTIONS: dict[str, command.Section] = {
    "overview": overview, "readings": readings, "preview": preview, "packed": packed
}


def main() -> None:
    """Measure, print, write what was asked for."""
    options = command.parser(__doc__, list(SECTIONS)).parse_args()
    command.run("Page", options, SECTIONS)


if __name__ == "__main__":
    main()
