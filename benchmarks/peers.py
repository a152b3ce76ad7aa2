"""How fast the daemon is beside what people would take instead, each with the same events in the same run."""
from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import numpy as np
from river import anomaly

import ingest
from common import command, load
from common.daemon import Daemon
from common.events import FORMS, SOURCES, Events, Fleet
from common.feed import BODY_EVENTS, CONNECTIONS, PATH, WITHIN_S, Feed
from common.judge import Model
from common.packages import NoPackage
from common.peers import Bare, Database, Influx, VictoriaMetrics
from common.process import Process
from common.report import digits, median, short, spread
from common.speed import Fleet as Readings
from common.verdict import LEAST, Row, ratios

EVENTS, EVENTS_QUICK = 2_000_000, 400_000
"""Of each round: as many readings as make every shard's checkpoint due, so that a round holds one."""
SMALL_CONNECTIONS = 64
SMALL_GUESS = 25_000
"""Requests a second to prepare; who is faster has no more to send, and is measured until then."""
WARM_SERIES_READINGS = 2_500
RIVER_EVENTS = 20_000


def databases(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """Line protocol: the daemon, VictoriaMetrics and InfluxDB take the same bodies in turn."""
    count = EVENTS_QUICK if options.quick else EVENTS
    feed = Feed(Fleet(options.seed), FORMS["influx"])
    rates: dict[str, list[float]] = {}
    cpu_s: dict[str, list[float]] = {}
    with ExitStack() as running:
        daemon = running.enter_context(Daemon(directory / "daemon"))
        peers: list[Database] = [running.enter_context(kind(directory / kind.package, options.packages))
                                 for kind in (VictoriaMetrics, Influx)]
        facts["peers"] = ", ".join(f"{peer.name} {peer.version}" for peer in peers)
        held = 0
        for number in range(-1, options.rounds):  # the first makes all sources known, to everyone, and does not count
            made = feed.next(count if number >= 0 else 10 * SOURCES)
            held += sum(some.source.size for some in made)
            everyone: list[Process] = [daemon, *peers]
            for one in everyone[number % 3:] + everyone[:number % 3]:  # who is first changes
                rate, spent_s = _database_rate(one, feed, made)
                if number >= 0:
                    rates.setdefault(one.name, []).append(rate)
                    cpu_s.setdefault(one.name, []).append(spent_s)
                    print(f"round {number + 1}  {one.name:16} {short(rate):>7} events/s, {digits(spent_s)} s of "
                          "processor time a million", flush=True)
        for peer in peers:
            peer.check_holds(held)
        if (counted := daemon.get("/jobs/watch")["event_count"]) != held:
            raise load.LoadFailed(f"the daemon acknowledged {held} events and counted {counted}")
        facts["processor seconds a million events of line protocol"] = ", ".join(
            f"{name} {digits(median(spent))}" for name, spent in cpu_s.items())
        facts["held"] = f"each of the three holds the {held:,} events that it acknowledged"
    return [database_row(peer.name, rates[daemon.name], rates[peer.name], target)
            for peer, target in zip(peers, (1.0, 4.0), strict=True)]


def database_row(peer: str, mine: Sequence[float], others: Sequence[float], target: float) -> Row:
    """The daemon beside one database."""
    return Row(f"line protocol, {BODY_EVENTS:,} a body, {CONNECTIONS} connections, durable, scored", peer,
               ratios(mine, others), "×", LEAST, target, told(mine, others))


def told(mine: Sequence[float], others: Sequence[float], what: str = "events/s") -> str:
    """Two rates in words."""
    return f"{short(median(mine))} against {short(median(others))} {what}"


def _database_rate(one: Process, feed: Feed, made: Sequence[Events]) -> tuple[float, float]:
    """Events a second; and seconds of processor time a million, with what is done of it later.

    The daemon's events count once they are scored and found by queries, a database's once acknowledged.
    """
    requests = feed.requests(one, made, path=one.write_path if isinstance(one, Database) else PATH)
    one.wait_idle()
    cpu_s = one.cpu_s()
    sent = load.send(one.address, requests, WITHIN_S)
    if sent.bodies != tuple(map(len, requests)):
        raise load.LoadFailed(f"{one.name} took {sum(sent.bodies)} bodies of {sum(map(len, requests))}")
    until_s = one.wait_applied(sent.sequence) if isinstance(one, Daemon) else sent.acknowledged_s
    one.wait_idle()
    events = sum(sent.bodies) * BODY_EVENTS
    return events / (until_s - sent.began_s), (one.cpu_s() - cpu_s) / events * 1e6


def decoding(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """NDJSON and CSV, durable and scored, beside ``orjson.loads`` per line; and 100 events a body beside 5,000."""
    given = ["--rounds", str(options.rounds), "--seed", str(options.seed), *(["--quick"] if options.quick else [])]
    large = _ingested(directory / "large", [*given, "--formats", "ndjson", "csv", "--events", "5000",
                                            "--connections", "4"])
    small = _ingested(directory / "small", [*given, "--formats", "ndjson", "--events", "100", "5000",
                                            "--connections", "16"])
    return decoding_rows(large, small)


def _ingested(directory: Path, given: list[str]) -> list[ingest.Measured]:
    directory.mkdir()
    run = ingest.Run(ingest.arguments(given))
    run.all(directory)
    return run.measured


def decoding_rows(large: Sequence[ingest.Measured], small: Sequence[ingest.Measured]) -> list[Row]:
    """A row a format, of *large* bodies; and one of *small* bodies beside large ones in the same rounds."""
    rows = []
    for name, target in (("ndjson", 0.8), ("csv", 1.2)):
        mine = [one for one in large if one.cell.format == name]
        rows.append(Row(
            f"{'NDJSON' if name == 'ndjson' else 'CSV'}, 5,000 a body, 4 connections, durable, scored",
            "bare `orjson.loads` per NDJSON line, one core", tuple(one.ratio for one in mine), "×", LEAST, target,
            told([one.applied_rate for one in mine], [one.baseline_rate for one in mine])))
    few, many = ([one.applied_rate for one in small if one.cell.body_events == size] for size in (100, 5_000))
    rows.append(Row("NDJSON, 100 a body, 16 connections", "5,000 a body, 16 connections", ratios(few, many), "×",
                    LEAST, 0.5, told(few, many)))
    return rows


def posts(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """One event a POST over 64 connections, durable, beside an aiohttp handler that does nothing."""
    seconds = 0.7 if options.quick else 3.0
    feed = Feed(Fleet(options.seed))
    mine: list[float] = []
    bare: list[float] = []
    with Daemon(directory / "daemon") as daemon, Bare(directory / "bare") as handler:
        feed.make_known(daemon)
        for number in range(options.rounds):
            events = feed.next(int(SMALL_GUESS * seconds), SMALL_CONNECTIONS, 1)
            one: Daemon | Bare
            for one, rates in ((daemon, mine), (handler, bare))[:: 1 if number % 2 else -1]:
                requests = feed.requests(one, events, 1)
                one.wait_idle()
                cpu_s = one.cpu_s()
                sent = load.send(one.address, requests, seconds)
                rates.append(sum(sent.bodies) / (sent.acknowledged_s - sent.began_s))
                spent_us = (one.cpu_s() - cpu_s) / sum(sent.bodies) * 1e6
                print(f"round {number + 1}  {one.name:16} {short(rates[-1]):>7} requests/s, {digits(spent_us)} µs of "
                      "processor time each", flush=True)
    return [Row(f"NDJSON, one event a body, {SMALL_CONNECTIONS} connections, durable",
                "a bare aiohttp handler answering 202", ratios(mine, bare), "×", LEAST, 0.5,
                told(mine, bare, "requests/s"))]


def river(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """The default detector and the alert stage, on one core, beside river's HalfSpaceTrees with its defaults."""
    seconds = 0.3 if options.quick else 2.0
    readings = Readings(Model("rhythm"), 1_000, options.seed)
    while readings.fed < (200 if options.quick else WARM_SERIES_READINGS) * readings.series:
        readings.feed(65_536)
    trees, rng = anomaly.HalfSpaceTrees(), np.random.default_rng(options.seed)
    mine, others = [], []
    for _ in range(options.rounds):
        spent_s, before = 0.0, readings.fed
        while spent_s < seconds:
            spent_s += readings.feed(65_536)
        mine.append((readings.fed - before) / spent_s)
        values = rng.random(RIVER_EVENTS).tolist()
        began_s = time.process_time()
        for value in values:
            trees.score_one({"x": value})
            trees.learn_one({"x": value})
        others.append(RIVER_EVENTS / (time.process_time() - began_s))
    facts["river"] = version("river")
    return [Row("`rhythm`, score and learn, one core, nogil", "river `HalfSpaceTrees`, its defaults",
                ratios(mine, others), "×", LEAST, 40.0, f"{told(mine, others)} ({spread(others)})")]


SECTIONS: dict[str, command.Section] = {
    "databases": databases, "decoding": decoding, "posts": posts, "river": river}


def main(given: Sequence[str] | None = None) -> None:
    """Measure, print, write what was asked for. A peer that cannot be had ends it with a message and status 1."""
    options = command.parser(__doc__, list(SECTIONS)).parse_args(given)
    try:
        command.run("Peers", options, SECTIONS)
    except NoPackage as e:
        raise SystemExit(f"not measured: {e}") from e


if __name__ == "__main__":
    main()
