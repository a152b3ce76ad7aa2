"""How long people and programs wait while the daemon takes events: for a finding, a small request, a day of buckets."""
from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from common import command
from common.daemon import Daemon
from common.events import SOURCE, Events, Fleet
from common.feed import BODY_EVENTS, CONNECTIONS, PATH, Feed
from common.follow import Arrival, Follower
from common.load import Sent, send
from common.probe import Asked, Question, probing
from common.report import digits, median, short
from common.verdict import MOST, Row

FULL_EVENTS, FULL_EVENTS_QUICK = 4_000_000, 1_000_000
"""Sent as fast as they are taken, to know what half of the load is."""
SECONDS, SECONDS_QUICK = 10.0, 3.0
BLIPS = 5e-4
"""More readings are far off than in other loads, for each finding is a sample here."""
KNOWN_READINGS = 300
"""Of each source before anything counts: its model has warmed up."""
SMALL_EVERY_S = 0.01
QUERY_EVERY_S = 0.05
MINUTE_MS, DAY_MS = 60_000, 86_400_000
BUCKET_ROWS, BUCKET_ROWS_QUICK = 10_000_000, 1_000_000
DAYS_ASKED = 500


def findings(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """From the first byte of a body to the finding in it on the stream, at half of full load."""
    values, counts = [], 0
    with Daemon(directory / "daemon") as daemon:
        feed = Feed(Fleet(options.seed, blips=BLIPS))
        feed.make_known(daemon, KNOWN_READINGS)
        full = feed.give(daemon, FULL_EVENTS_QUICK if options.quick else FULL_EVENTS)
        for number in range(options.rounds):
            daemon.wait_idle()
            with Follower(daemon.address) as follower:
                made, sent = feed.press(daemon, full / 2, SECONDS_QUICK if options.quick else SECONDS)
                daemon.wait_applied(sent.sequence)
                time.sleep(1.0)  # what is applied may still be on its way
            took_s = waits_s(made, sent, follower.arrivals())
            counts += took_s.size
            values.append(1000 * float(np.percentile(took_s, 99)))
            told = [digits(1000 * float(np.percentile(took_s, part))) for part in (50, 99, 100)]
            print(f"round {number + 1}  {took_s.size} findings: p50 {told[0]} p99 {told[1]} longest {told[2]} ms; "
                  f"asked for {short(full / 2)}, got {short(achieved(sent))} events/s", flush=True)
    return [Row("POST to the finding on `/stream`, p99, half of full load", "–", tuple(values), "ms", MOST, 100.0,
                f"{counts:,} findings at {short(full / 2)} events/s")]


def achieved(sent: Sent) -> float:
    """Events a second that a paced load came to."""
    return sent.accepted / (sent.acknowledged_s - sent.began_s)


def waits_s(made: Sequence[Events], sent: Sent, arrived: Sequence[Arrival]) -> NDArray[np.float64]:
    """Of each finding in what was sent: seconds from the first byte of its body until it first arrived.

    A finding about anything else, such as silence, has no body and does not count.
    """
    waits: dict[tuple[str, int], float] = {}
    for one in arrived:
        number = int(one.source.removeprefix(SOURCE))
        part = number % len(made)  # as Fleet.share has it
        events = made[part]
        row = int(np.searchsorted(events.time_ms, one.time_ms))
        while row < events.time_ms.size and events.time_ms[row] == one.time_ms and events.source[row] != number:
            row += 1
        body = row // BODY_EVENTS
        if row < events.time_ms.size and events.time_ms[row] == one.time_ms and body < sent.bodies[part]:
            waits.setdefault((one.source, one.time_ms), one.arrived_s - float(sent.sent_s[part][body]))
    return np.array(list(waits.values()))


def small(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """``/healthz`` and a POST of one event while bodies of 5,000 events come as fast as they are taken."""
    seconds = SECONDS_QUICK if options.quick else SECONDS
    values: dict[str, list[float]] = {}
    rates = []
    with Daemon(directory / "daemon") as daemon, probing() as prober:
        feed = Feed(Fleet(options.seed))
        feed.make_known(daemon)
        full = feed.give(daemon, FULL_EVENTS_QUICK if options.quick else FULL_EVENTS)
        for number in range(options.rounds):
            requests = feed.requests(daemon, feed.next(int(1.5 * full * (seconds + 1))))
            daemon.wait_idle()
            now_ms = int(time.time() * 1000) + number
            questions = [Question("/healthz", "GET", "/healthz"),
                         Question("one-event POST", "POST", PATH, b'{"ts":%d,"sensor":"probe","x":1.5}\n' % now_ms)]
            asked = prober.start(daemon.address, questions, SMALL_EVERY_S, seconds)
            sent = send(daemon.address, requests, seconds + 0.5)
            rates.append(achieved(sent))
            for kind, p99_ms, line in summaries(asked.result()):
                values.setdefault(kind, []).append(p99_ms)
                print(f"round {number + 1}  {line}, at {short(rates[-1])} events/s", flush=True)
    return [Row(f"{kind}, p99, during a 5,000-event load", "–", tuple(found), "ms", MOST, 50.0,
                f"at {short(median(rates))} events/s over {CONNECTIONS} connections")
            for kind, found in values.items()]


def summaries(asked: Sequence[Asked]) -> list[tuple[str, float, str]]:
    """By kind: its name, the 99th percentile in ms, and a line that says more."""
    found = []
    for kind in dict.fromkeys(one.kind for one in asked):
        took_ms = [1000 * one.took_s for one in asked if one.kind == kind]
        p50, p99, longest = (float(value) for value in np.percentile(took_ms, [50, 99, 100]))
        found.append((kind, p99, f"{kind}: {len(took_ms)} asked, p50 {digits(p50)} p99 {digits(p99)} "
                                 f"longest {digits(longest)} ms"))
    return found


def buckets(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """``GET /buckets`` for one source and a day, on ten million bucket rows, while events come at half load."""
    count = BUCKET_ROWS_QUICK if options.quick else BUCKET_ROWS
    seconds = SECONDS_QUICK if options.quick else SECONDS
    values, rng = [], np.random.default_rng(options.seed)
    with Daemon(directory / "daemon") as daemon, probing() as prober:
        minutes = Feed(Fleet(options.seed, beat_ms=MINUTE_MS, blips=0.0))  # a bucket is a minute: one event fills it
        first_ms = minutes.now_ms
        minutes.give(daemon, count)
        feed = Feed(Fleet(options.seed), now_ms=minutes.now_ms)
        full = feed.give(daemon, FULL_EVENTS_QUICK if options.quick else FULL_EVENTS)
        latest_ms = max(first_ms + 1, minutes.now_ms - DAY_MS)
        for number in range(options.rounds):
            daemon.wait_idle()
            questions = [day_of(int(rng.integers(minutes.fleet.sources)), int(rng.integers(first_ms, latest_ms)))
                         for _ in range(DAYS_ASKED)]
            asked = prober.start(daemon.address, questions, QUERY_EVERY_S, seconds)
            _, sent = feed.press(daemon, full / 2, seconds + 0.5)
            answers = asked.result()
            (_, p99_ms, line), = summaries(answers)
            values.append(p99_ms)
            print(f"round {number + 1}  {line}, {median([one.size for one in answers]) / 1024:.0f} KiB an answer, at "
                  f"{short(achieved(sent))} events/s", flush=True)
    return [Row(f"`GET /buckets`, one source and a day, p99, {short(count)} bucket rows, half of full load", "–",
                tuple(values), "ms", MOST, 20.0, f"at {short(full / 2)} events/s")]


def day_of(source: int, start_ms: int) -> Question:
    """The buckets of a source in the day from *start_ms* on."""
    start, end = (datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                  for at in (start_ms, start_ms + DAY_MS))
    asked = urlencode({"source": f"{SOURCE}{source:04}", "start": start, "end": end, "limit": 1440})
    return Question("GET /buckets", "GET", f"/api/v1/buckets?{asked}")


SECTIONS: dict[str, command.Section] = {"findings": findings, "small": small, "buckets": buckets}


def main(given: Sequence[str] | None = None) -> None:
    """Measure, print, write what was asked for."""
    sys.setswitchinterval(0.0005)  # the follower shares the interpreter with the load
    command.run("Latency", command.parser(__doc__, list(SECTIONS)).parse_args(given), SECTIONS)


if __name__ == "__main__":
    main()
