"""How many events a second the library sends, beside prepared bodies over one connection, and what it costs."""
from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from common import load, machine
from common.daemon import Daemon
from common.events import FORMS, SOURCE, SOURCES, Events, Fleet, bodies
from common.feed import PATH, start_ms
from common.report import digits, listed, median, short, spread, table
from offbeat.client import AsyncClient, Client

HERE = Path(__file__).resolve().parent
BODY_EVENTS = 5_000
FORM = FORMS["ndjson"]
RAW = "raw: prepared bodies"


@dataclass(frozen=True, slots=True)
class Given:
    """The same events in each form that a way takes: requests, mappings, columns."""

    requests: list[bytes]
    mappings: list[dict[str, Any]]
    columns: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """One way in one round: events a second until the last is durable, processor seconds of this process a million."""

    way: str
    rate: float
    cpu_s: float


def given(events: Events, address: tuple[str, int]) -> Given:
    """*events* for all ways."""
    made = list(bodies(FORM, events, BODY_EVENTS))
    sources = np.array([f"{SOURCE}{source:04}" for source in range(SOURCES)], object)
    return Given(
        [load.request(PATH, "{}:{}".format(*address), FORM.content_type, body) for body in made],
        [orjson.loads(line) for body in made for line in body.splitlines()],
        {"ts": events.time_ms, "sensor": sources[events.source], "temperature": events.value / 1000})


def sender(url: str, options: dict[str, Any], one_by_one: bool) -> Callable[[Given], int]:
    """Through ``Client.sender``, the mappings in one call or a call each."""
    def send(events: Given) -> int:
        with Client(url) as client, client.sender(**options) as sending:
            if one_by_one:
                for event in events.mappings:
                    sending.send(event)
            else:
                sending.send(events.mappings)
        return sending.receipt.accepted
    return send


def async_sender(url: str) -> Callable[[Given], int]:
    """Through ``AsyncClient.sender``."""
    async def send(events: Given) -> int:
        async with AsyncClient(url) as client, client.sender() as sending:
            await sending.send(events.mappings)
        return sending.receipt.accepted
    return lambda events: asyncio.run(send(events))


def columns(url: str) -> Callable[[Given], int]:
    """Arrays, through ``Client.sender``."""
    def send(events: Given) -> int:
        with Client(url) as client, client.sender() as sending:
            sending.send(events.columns)
        return sending.receipt.accepted
    return send


def ways(daemon: Daemon) -> dict[str, Callable[[Given], int]]:
    """Each way by its name: it sends all events, and says how many were accepted once they are durable."""
    url = "http://{}:{}".format(*daemon.address)
    return {
        RAW: lambda events: load.send(daemon.address, [events.requests], 600.0).accepted,
        "sender, mappings": sender(url, {}, False),
        "sender, mappings, gzip": sender(url, {"compression": "gzip"}, False),
        "sender, mappings, zstd": sender(url, {"compression": "zstd"}, False),
        "sender, a call an event": sender(url, {}, True),
        "sender, arrays": columns(url),
        "async sender, mappings": async_sender(url),
    }


def measure(daemon: Daemon, count: int, rounds: int, seed: int) -> list[Measured]:
    """Every way once a round, in turn; a round before them makes every source known. Raises LoadFailed."""
    fleet, now_ms, measured = Fleet(seed), start_ms(), []
    for number in range(rounds + 1):
        for way, send in ways(daemon).items():
            events = given(fleet.events(fleet.share(0, 1), count, now_ms), daemon.address)
            now_ms = fleet.end_ms(fleet.sources, count, now_ms)
            daemon.wait_idle()
            cpu_s, began_s = time.process_time(), time.perf_counter()
            accepted = send(events)
            took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
            if accepted != count:
                raise load.LoadFailed(f"{way}: {accepted} of {count} were accepted")
            if number:
                measured.append(Measured(way, count / took_s, cpu_s / count * 1e6))
                print(f"round {number}  {way:24} {short(count / took_s):>7} events/s", flush=True)
    return measured


def report(measured: Sequence[Measured]) -> str:
    """A row a way: medians over the rounds, and the share of what prepared bodies reached in the same round."""
    raw = [one.rate for one in measured if one.way == RAW]
    rows = []
    for way in dict.fromkeys(one.way for one in measured):
        mine = [one for one in measured if one.way == way]
        rates = [one.rate for one in mine]
        shares = [rate / base for rate, base in zip(rates, raw, strict=True)]
        rows.append([way, short(median(rates)), spread(rates), digits(median(shares)),
                     digits(median([one.cpu_s for one in mine]))])
    return table(("way", "events/s", "min–max", "× raw", "own CPU s per M"), rows)


def main() -> None:
    """Measure, print, write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="of each way in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, default=HERE, help="where state goes (default: beside this file)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report")
    options = parser.parse_args()
    count = max(1, options.events // BODY_EVENTS) * BODY_EVENTS
    facts = {**machine.facts(options.directory), "load": f"{options.rounds} rounds of {count:,} events a way, "
             f"{BODY_EVENTS:,} a body, one connection, {SOURCES:,} sources, seed {options.seed}"}
    print(listed(facts), flush=True)
    with tempfile.TemporaryDirectory(prefix=".state-", dir=options.directory) as directory, \
            Daemon(Path(directory) / "daemon") as daemon:
        measured = measure(daemon, count, options.rounds, options.seed)
    text = f"# The library\n\n{listed(facts)}\n\n{report(measured)}\n"
    print(f"\n{text}")
    if options.markdown:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
