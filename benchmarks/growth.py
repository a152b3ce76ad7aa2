"""What grows with what: rate, memory, disk with series, bodies, connections and days; what starts and pauses take."""
from __future__ import annotations

import argparse
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import numpy as np

from common import command, disk
from common.daemon import Daemon
from common.events import Fleet
from common.feed import PATH, Feed
from common.probe import Asked, Question, probing
from common.report import digits, median, short
from common.verdict import LEAST, MOST, Row, ratios
from latency import MINUTE_MS, day_of

LIGHT = '[watch]\nparameters = { tier = "light" }\n'
NO_CHECKPOINT = "[store]\ntail_readings_max = 1000000000\ncheckpoint_s = 1000000.0\n"
SERIES, SERIES_QUICK = (1_000, 10_000, 100_000, 1_000_000), (1_000, 10_000, 100_000)
EVENTS, EVENTS_QUICK = 2_000_000, 400_000
"""Of one figure in one round: as many readings as make every shard's checkpoint due."""
CHECKPOINTS_WITHIN_S = 90.0
"""So long the checkpoints of a million series may go on after the load that caused them."""
BODIES = (1, 10, 100, 1_000, 5_000)
CONNECTIONS = (1, 4, 16, 64)
DAYS, DAYS_QUICK = (1, 3, 10), (1,)
DAY_MINUTES = 1_440
MEMORY_MAX_MIB = 4e9 / 2**20
PAUSE_SERIES, PAUSE_EVENTS = 100_000, 2_600_000
"""More readings than a tail holds: they make a checkpoint of all shards due, wherever the last one ended."""
PAUSE_SHARE = 0.25
"""Of the full rate: what waits then, waits for the checkpoint and not for other bodies."""
ASK_EVERY_S = 0.005
QUIET_MINUTES, QUIET_MINUTES_QUICK = 1_440, 240
DISK_EVENTS, DISK_EVENTS_QUICK = 8_000_000, 2_000_000
REPLAYED, REPLAYED_QUICK = 10_000_000, 2_000_000

Points = dict[int, list[float]]


def series(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """Rate and memory by series, light tier, each event of another series than the last; all daemons up at once.

    The rate counts until the checkpoints that the events made due are written too: with a million series these are most
    of the work, and a load that ends before them would not show it.
    """
    sizes = SERIES_QUICK if options.quick else SERIES
    rates: Points = {size: [] for size in sizes}
    memory: Points = {size: [] for size in sizes}
    cpu_s: Points = {size: [] for size in sizes}
    scored: Points = {size: [] for size in sizes}
    count = EVENTS_QUICK if options.quick else PAUSE_EVENTS
    with ExitStack() as running:
        daemons = {size: running.enter_context(Daemon(directory / str(size), LIGHT)) for size in sizes}
        feeds = {size: Feed(Fleet(options.seed, size)) for size in sizes}
        first = {}
        for size in sizes:
            first[size] = feeds[size].give(daemons[size], size, 1)
            feeds[size].give(daemons[size], max(size, 20_000))
        for number in range(options.rounds):
            for size in sizes if number % 2 else sizes[::-1]:
                daemon = daemons[size]
                daemon.wait_idle(CHECKPOINTS_WITHIN_S)
                before_s = daemon.cpu_s()
                scored[size].append(feeds[size].give(daemon, count))
                given_s = time.perf_counter()
                daemon.wait_idle(CHECKPOINTS_WITHIN_S)
                rates[size].append(count / (count / scored[size][-1] + time.perf_counter() - given_s))
                cpu_s[size].append((daemon.cpu_s() - before_s) / count * 1e6)
                memory[size].append(daemon.peak_mib())
                print(f"round {number + 1}  {size:9,} series {short(rates[size][-1]):>7} events/s "
                      f"{memory[size][-1]:5.0f} MiB, {digits(cpu_s[size][-1])} s of processor time a million",
                      flush=True)
    facts["rate by series, checkpoints written"] = curve_text(rates)
    facts["rate by series, all scored"] = curve_text(scored)
    facts["peak memory by series, MiB"] = curve_text(memory)
    facts["processor seconds a million events by series, with the checkpoints that they caused"] = curve_text(cpu_s)
    facts["rate at first sight of each series"] = ", ".join(f"{size:,}: {short(rate)}" for size, rate in first.items())
    plot(options, "series", "By series, light tier", "series",
         {"events/s": rates, "CPU s a million": cpu_s, "peak memory, MiB": memory})
    few, many = rates[sizes[0]], rates[sizes[-1]]
    return [
        Row(f"rate at {sizes[-1]:,} series, light tier, checkpoints written", f"the same at {sizes[0]:,} series",
            ratios(many, few), "×", LEAST, 0.4, f"{short(median(many))} against {short(median(few))} events/s; scored "
            f"{short(median(scored[sizes[-1]]))} against {short(median(scored[sizes[0]]))}"),
        Row(f"peak resident memory, {sizes[-1]:,} series, light tier", "–", tuple(memory[sizes[-1]]), "MiB", MOST,
            round(MEMORY_MAX_MIB)),
    ]


def shapes(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """Rate by events a body and by connections; nothing must be reached."""
    by_body: Points = {size: [] for size in BODIES}
    by_connections: Points = {count: [] for count in CONNECTIONS}
    with Daemon(directory / "daemon") as daemon:
        feed = Feed(Fleet(options.seed))
        feed.make_known(daemon)
        for _ in range(options.rounds):
            for size in BODIES:
                count = min(EVENTS_QUICK if options.quick else EVENTS, 15_000 * size)
                by_body[size].append(feed.give(daemon, count, 16, size))
                daemon.wait_idle()
            for connections in CONNECTIONS:
                by_connections[connections].append(
                    feed.give(daemon, EVENTS_QUICK if options.quick else EVENTS, connections))
                daemon.wait_idle()
    facts["rate by events a body, 16 connections"] = curve_text(by_body)
    facts["rate by connections, 5,000 a body"] = curve_text(by_connections)
    plot(options, "bodies", "By events a body, 16 connections", "events a body", {"events/s": by_body})
    plot(options, "connections", "By connections, 5,000 events a body", "connections", {"events/s": by_connections})
    return []


def days(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """Rate, memory, disk and the time of a query by days stored, a reading a minute of each source."""
    marks = DAYS_QUICK if options.quick else DAYS
    names = ("events/s", "memory, MiB", "disk, MiB", "GET /buckets p99, ms")
    lines: dict[str, Points] = {name: {mark: [] for mark in marks} for name in names}
    rng, stored = np.random.default_rng(options.seed), 0
    with Daemon(directory / "daemon") as daemon, probing() as prober:
        feed = Feed(Fleet(options.seed, beat_ms=MINUTE_MS))
        first_ms = feed.now_ms
        for mark in marks:
            feed.give(daemon, (mark - stored) * DAY_MINUTES * feed.fleet.sources)
            stored = mark
            for _ in range(options.rounds):
                daemon.wait_idle()
                lines[names[0]][mark].append(feed.give(daemon, EVENTS_QUICK))
                daemon.wait_idle()
                questions = [day_of(int(rng.integers(feed.fleet.sources)), int(rng.integers(first_ms, feed.now_ms)))
                             for _ in range(100)]
                asked = prober.start(daemon.address, questions, 0.05, 3.0).result()
                for name, value in zip(names[1:], (daemon.memory_mib(), daemon.disk_bytes() / 2**20,
                                                   slowest_ms(asked, 99)), strict=True):
                    lines[name][mark].append(value)
    for name, points in lines.items():
        facts[f"{name} by days stored"] = curve_text(points)
    plot(options, "days", "By days stored, 2,000 sources, a reading a minute", "days", lines)
    return []


def pause(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """The longest wait of a small POST while every shard is checkpointed, less that of a daemon without checkpoints."""
    pauses, told = [], []
    with ExitStack() as running:
        prober = running.enter_context(probing())
        daemons = [running.enter_context(Daemon(directory / name, settings))
                   for name, settings in (("calm", NO_CHECKPOINT), ("kept", ""))]
        feeds = [Feed(Fleet(options.seed, PAUSE_SERIES)) for _ in daemons]
        for daemon, feed in zip(daemons, feeds, strict=True):
            feed.make_known(daemon)
            rate = PAUSE_SHARE * feed.give(daemon, EVENTS_QUICK)
        event = b'{"ts":%d,"sensor":"probe","x":1.5}\n' % feeds[0].now_ms
        questions = [Question("POST", "POST", PATH, event),
                     Question("query", "GET", "/api/v1/buckets?source=probe&limit=1")]
        for number in range(options.rounds):
            longest: list[dict[str, float]] = []
            for daemon, feed in zip(daemons, feeds, strict=True):
                daemon.wait_idle()
                before, seconds = checkpoints(daemon), PAUSE_EVENTS / rate
                asked = prober.start(daemon.address, questions, ASK_EVERY_S, seconds)
                feed.press(daemon, rate, seconds)
                answers = asked.result()
                longest.append({kind: slowest_ms([one for one in answers if one.kind == kind]) for kind in
                                ("POST", "query")})
                made = checkpoints(daemon) - before
                if made == 0 and daemon is daemons[1]:
                    raise RuntimeError("no checkpoint fell into the measurement: there is nothing to say of its pause")
            calm, kept = longest
            pauses.append(max(0.0, kept["POST"] - calm["POST"]))
            told.append((calm["POST"], kept["POST"], calm["query"], kept["query"]))
            print(f"round {number + 1}  longest without checkpoints: POST {digits(calm['POST'])} ms, query "
                  f"{digits(calm['query'])} ms; with {made:.0f}: {digits(kept['POST'])}, {digits(kept['query'])} ms, "
                  f"at {short(rate)} events/s", flush=True)
    middle = [digits(median(column)) for column in zip(*told, strict=True)]
    return [Row(f"longest pause of ingest by a checkpoint, {PAUSE_SERIES:,} series", "the same without checkpoints",
                tuple(pauses), "ms", MOST, 50.0, f"longest POST {middle[1]} against {middle[0]} ms, longest query "
                f"{middle[3]} against {middle[2]} ms, at {short(rate)} events/s")]


def bytes_kept(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """Disk of a reading beside ``gzip -6``, and of a source and bucket of a fleet in which nothing happens."""
    with Daemon(directory / "busy") as daemon:
        Feed(Fleet(options.seed)).give(daemon, DISK_EVENTS_QUICK if options.quick else DISK_EVENTS)
    readings = disk.spent(directory / "busy", "readings")
    facts["disk of the benchmark's data, MiB by table"] = tables_text(disk.table_bytes(directory / "busy"))
    shutil.rmtree(directory / "busy")
    with Daemon(directory / "quiet") as daemon:
        feed = Feed(Fleet(options.seed, beat_ms=MINUTE_MS, blips=0.0))
        feed.give(daemon, (QUIET_MINUTES_QUICK if options.quick else QUIET_MINUTES) * feed.fleet.sources)
    buckets = disk.spent(directory / "quiet", "buckets")
    others = {kind: disk.spent(directory / "quiet", kind).body_bytes / buckets.rows
              for kind in ("readings", "1m", "1h")}
    tables = disk.table_bytes(directory / "quiet")
    facts["disk of the quiet fleet, MiB by table"] = tables_text(tables)
    rows_bytes = tables.get("finding_bucket", 0) + tables.get("job_bucket", 0)
    return [
        Row("disk a reading kept", "`gzip -6` of the same columns", (readings.body_bytes / readings.gzip_bytes,), "×",
            MOST, 1.2, f"{digits(readings.body_bytes / readings.rows)} against "
            f"{digits(readings.gzip_bytes / readings.rows)} bytes, {short(readings.rows)} readings"),
        Row("disk a source and bucket of a quiet fleet", "–", ((buckets.body_bytes + rows_bytes) / buckets.rows,),
            "bytes", MOST, 20.0, f"{digits(buckets.body_bytes / buckets.rows)} packed; besides, of the same minute: "
            + ", ".join(f"{name} {digits(size)}" for name, size in others.items())),
    ]


def start(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """From the start of the process until it takes connections: with compiled kernels at hand, and without any."""
    cached, first, said = [], [], True
    cpu_s: dict[str, list[float]] = {"cached": [], "first": []}
    for number in range(options.rounds):
        with Daemon(directory / f"cached-{number}") as daemon:
            cached.append(daemon.started_s)
            cpu_s["cached"].append(daemon.cpu_s())
        kernels = directory / f"kernels-{number}"
        with Daemon(directory / f"first-{number}", environment={"NUMBA_CACHE_DIR": str(kernels)}) as daemon:
            first.append(daemon.started_s)
            cpu_s["first"].append(daemon.cpu_s())
            said = said and "preparing the kernels" in daemon.log_path.read_text()
        shutil.rmtree(kernels)
        print(f"round {number + 1}  ready after {cached[-1]:.2f} s, first ever {first[-1]:.1f} s", flush=True)
    spent = {name: f"{digits(median(values))} s of processor time" for name, values in cpu_s.items()}
    return [Row("start to ready, compiled kernels cached", "–", tuple(cached), "s", MOST, 2.0, spent["cached"]),
            Row("start to ready, first ever", "–", tuple(first), "s", MOST, 30.0,
                f"{spent['first']}, {'says how far it is' if said else '**says nothing** meanwhile'}")]


def replay(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """Events a second of the replay after SIGKILL, beside the rate at which the same events came."""
    count = REPLAYED_QUICK if options.quick else REPLAYED
    live, replayed = [], []
    for number in range(options.rounds):
        with Daemon(directory / f"empty-{number}") as daemon:
            empty_s = daemon.started_s
        state = directory / f"killed-{number}"
        with Daemon(state, NO_CHECKPOINT) as daemon:
            feed = Feed(Fleet(options.seed))
            feed.make_known(daemon)
            live.append(feed.give(daemon, count))
            daemon.kill()
        with Daemon(state, NO_CHECKPOINT) as daemon:
            found = daemon.get("/jobs/watch")["event_count"]
            if found != count + feed.fleet.sources:
                raise RuntimeError(f"{count + feed.fleet.sources} events were acknowledged, {found} were replayed")
            replayed.append(count / (daemon.started_s - empty_s))
            print(f"round {number + 1}  live {short(live[-1])} events/s, replayed at {short(replayed[-1])}: "
                  f"ready after {daemon.started_s:.2f} s, empty after {empty_s:.2f} s", flush=True)
            daemon.kill()
        shutil.rmtree(state)
    return [Row("replay after SIGKILL", "the live rate, without checkpoints", ratios(replayed, live), "×", LEAST, 5.0,
                f"{short(median(replayed))} against {short(median(live))} events/s")]


def slowest_ms(asked: Sequence[Asked], percentile: float = 100.0) -> float:
    """The *percentile* of what questions took, in milliseconds: the longest by default."""
    return 1000 * float(np.percentile([one.took_s for one in asked], percentile))


def checkpoints(daemon: Daemon) -> float:
    """Shards that were checkpointed so far."""
    connection = HTTPConnection(*daemon.address, timeout=30.0)
    connection.request("GET", "/metrics")
    found = re.search(r"^offbeat_checkpoint_seconds_count (\S+)$", connection.getresponse().read().decode(), re.M)
    connection.close()
    return float(found[1]) if found else 0.0


def curve_text(points: Mapping[int, Sequence[float]]) -> str:
    """The median at each point, in words."""
    return ", ".join(f"{at:,}: {short(median(values))}" for at, values in points.items())


def tables_text(sizes: Mapping[str, int]) -> str:
    """The largest tables in words."""
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:6]
    return ", ".join(f"{name} {digits(size / 2**20)}" for name, size in largest)


def plot(options: argparse.Namespace, name: str, title: str, across: str,
         lines: Mapping[str, Mapping[int, Sequence[float]]]) -> None:
    """Write benchmarks/results/growth-*name*.png, unless the figures are only quick ones."""
    if options.quick:
        return
    from common import plots  # nobody needs matplotlib for the figures alone

    plots.curve(command.HERE / "results" / f"growth-{name}.png", title, across, lines)


SECTIONS: dict[str, command.Section] = {
    "series": series, "shapes": shapes, "days": days, "pause": pause, "disk": bytes_kept, "start": start,
    "replay": replay}


def main(given: Sequence[str] | None = None) -> None:
    """Measure, print, write what was asked for."""
    command.run("Growth", command.parser(__doc__, list(SECTIONS)).parse_args(given), SECTIONS)


if __name__ == "__main__":
    main()
