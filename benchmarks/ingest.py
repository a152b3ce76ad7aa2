"""How many events a second the daemon takes, over HTTP, durable and scored; beside a bare ``orjson.loads`` per line."""
from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import orjson

from common import load, machine
from common.daemon import Daemon
from common.events import FORMS, SOURCES, Events, Fleet, Form, bodies
from common.feed import PATH, start_ms
from common.report import digits, listed, median, short, spread, table

HERE = Path(__file__).resolve().parent
BODY_EVENTS = (1, 100, 5_000)
CONNECTIONS = (1, 4, 16)
FIRST_GUESS = {1: 25_000, 100: 700_000, 5_000: 1_500_000}
"""Events a second to prepare before anything is known; later half as many again as the cell took before."""
PREPARED_MAX = 8_000_000
BASELINE_EVENTS = 200_000
BASELINE_LINES = 5_000


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination to measure."""

    format: str
    body_events: int
    connections: int


@dataclass(frozen=True, slots=True)
class Measured:
    """One cell in one round. Rates are events a second.

    applied_rate       from the first byte until queries see every event     acknowledged_rate  until the last 202
    baseline_rate      ``orjson.loads`` per line over the same events, one core, just before
    cpu_s_per_million  processor seconds of the daemon a million events, checkpoints that they caused included
    client_cores       processors that the load itself used    other_cores  that anything else did
    """

    cell: Cell
    round: int
    accepted: int
    line_bytes: float
    applied_rate: float
    acknowledged_rate: float
    baseline_rate: float
    p50_ms: float
    p99_ms: float
    memory_mib: float
    peak_mib: float
    cpu_s_per_million: float
    client_cores: float
    other_cores: float
    refused: int

    @property
    def ratio(self) -> float:
        """The applied rate as a multiple of the baseline."""
        return self.applied_rate / self.baseline_rate


class Run:
    """All rounds of one call of the program."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._fleet = Fleet(options.seed)
        self._now_ms = start_ms()
        self._rates: dict[Cell, float] = {}
        self.measured: list[Measured] = []
        self.started_s: list[float] = []

    def all(self, directory: Path) -> None:
        """Measure every cell once a round, each format of a round on a fresh daemon."""
        for number in range(self._options.rounds):
            for name in self._options.formats:
                with Daemon(directory / f"{name}-{number}") as daemon:
                    self.started_s.append(daemon.started_s)
                    self._warm(daemon, FORMS[name])
                    for body_events in self._options.events:
                        for connections in self._options.connections:
                            one = self._measure(daemon, Cell(name, body_events, connections), number)
                            self.measured.append(one)
                            print(f"round {number + 1}  {name:6} {body_events:5} a body {connections:3} connections "
                                  f"{short(one.applied_rate):>7} events/s  x{one.ratio:.2f}", flush=True)
                shutil.rmtree(daemon.state_dir)

    def _warm(self, daemon: Daemon, form: Form) -> None:
        """Make every source known, so that no cell pays for it."""
        events = self._events(Cell(form.name, self._fleet.sources, 1), self._fleet.sources)
        requests = [self._request(daemon, form, body) for body in bodies(form, events[0], self._fleet.sources)]
        sent = load.send(daemon.address, [requests], 10.0)
        daemon.wait_applied(sent.sequence)
        self._pass_by(Cell(form.name, self._fleet.sources, 1), sent)

    def _events(self, cell: Cell, count: int) -> list[Events]:
        """*count* events, by connection: whole bodies, each source on one connection."""
        each = max(1, count // cell.connections // cell.body_events) * cell.body_events
        return [self._fleet.events(self._fleet.share(part, cell.connections), each, self._now_ms)
                for part in range(cell.connections)]

    def _pass_by(self, cell: Cell, sent: load.Sent) -> None:
        """Move event time behind everything that was sent."""
        smallest = self._fleet.sources // cell.connections
        self._now_ms = self._fleet.end_ms(smallest, max(sent.bodies) * cell.body_events, self._now_ms)

    def _request(self, daemon: Daemon, form: Form, body: bytes) -> bytes:
        return load.request(PATH, "{}:{}".format(*daemon.address), form.content_type, body)

    def _measure(self, daemon: Daemon, cell: Cell, number: int) -> Measured:
        form, seconds = FORMS[cell.format], self._options.seconds
        rate = self._rates.get(cell, FIRST_GUESS.get(cell.body_events, FIRST_GUESS[BODY_EVENTS[-1]]))
        events = self._events(cell, min(PREPARED_MAX, int(1.5 * rate * seconds)))
        prepared = [[self._request(daemon, form, body) for body in bodies(form, e, cell.body_events)] for e in events]
        size = line_bytes(form, events[0])
        daemon.wait_idle()
        baseline_rate = baseline(events[0])
        del events
        before = daemon.get("/jobs/watch")
        daemon.forget_peak()
        cpu_s, others = daemon.cpu_s(), machine.Others()
        sent = load.send(daemon.address, prepared, seconds)
        applied_s = daemon.wait_applied(sent.sequence)
        other_cores = others.cores(daemon.cpu_s() - cpu_s + sent.cpu_s)
        daemon.wait_idle()
        cpu_s = daemon.cpu_s() - cpu_s
        check(daemon, before, sent.accepted, sum(sent.bodies) * cell.body_events)
        self._pass_by(cell, sent)
        self._rates[cell] = sent.accepted / (applied_s - sent.began_s)
        took_s = sent.acknowledged_s - sent.began_s
        p50_ms, p99_ms = (np.percentile(sent.latency_s, [50, 99]) * 1000).tolist()
        return Measured(
            cell, number, sent.accepted, size, self._rates[cell], sent.accepted / took_s, baseline_rate,
            p50_ms, p99_ms, daemon.memory_mib(), daemon.peak_mib(), cpu_s / sent.accepted * 1e6,
            sent.cpu_s / took_s, other_cores, sent.refused)


def check(daemon: Daemon, before: dict[str, int], accepted: int, sent: int) -> None:
    """The daemon has counted what it acknowledged, each event once and none late. Raises LoadFailed."""
    after = daemon.get("/jobs/watch")
    counted, late = after["event_count"] - before["event_count"], after["late_count"] - before["late_count"]
    if not counted == accepted == sent or late:
        raise load.LoadFailed(f"sent {sent}, acknowledged {accepted}, counted {counted}, late {late}")


def first(events: Events, count: int) -> Events:
    """The first *count* of *events*."""
    return Events(events.source[:count], events.time_ms[:count], events.value[:count])


def line_bytes(form: Form, events: Events) -> float:
    """Bytes of a line, on average over the first thousands."""
    count = min(BASELINE_LINES, events.source.size)
    body = next(bodies(form, first(events, count), count))
    return (len(body) - len(form.head)) / count


def baseline(events: Events) -> float:
    """Lines a second of a loop that calls ``orjson.loads`` on each NDJSON line of *events*, on one core.

    The loop does nothing else: the lines of each body are split before its clock starts. The median over bodies.
    """
    count = min(BASELINE_EVENTS, events.source.size)
    loads, rates = orjson.loads, []
    for body in bodies(FORMS["ndjson"], first(events, count), min(BASELINE_LINES, count)):
        lines = body.splitlines()
        began_s = time.perf_counter()
        for line in lines:
            loads(line)
        rates.append(len(lines) / (time.perf_counter() - began_s))
    return median(rates)


HEADS = (
    "format", "events a body", "connections", "events/s", "min–max", "acknowledged/s", "× orjson.loads", "p50 ms",
    "p99 ms", "memory MiB", "peak MiB", "CPU s per M", "load's cores", "other cores", "429s")


def rows(measured: Sequence[Measured]) -> list[list[str]]:
    """A row a cell, over its rounds."""
    made = []
    for cell in dict.fromkeys(one.cell for one in measured):
        mine = [one for one in measured if one.cell == cell]
        rates = [one.applied_rate for one in mine]
        made.append([
            cell.format, f"{cell.body_events:,}", str(cell.connections), short(median(rates)), spread(rates),
            short(median([one.acknowledged_rate for one in mine])), digits(median([one.ratio for one in mine])),
            digits(median([one.p50_ms for one in mine])), digits(median([one.p99_ms for one in mine])),
            f"{median([one.memory_mib for one in mine]):.0f}", f"{max(one.peak_mib for one in mine):.0f}",
            digits(median([one.cpu_s_per_million for one in mine])),
            f"{median([one.client_cores for one in mine]):.2f}",
            f"{median([one.other_cores for one in mine]):.2f}", str(sum(one.refused for one in mine))])
    return made


def report(run: Run, options: argparse.Namespace, facts: dict[str, str]) -> str:
    """Everything as Markdown."""
    baselines = [one.baseline_rate for one in run.measured]
    sizes = {one.cell.format: one.line_bytes for one in run.measured}
    said = {
        **facts,
        "load": f"{options.rounds} rounds of {options.seconds:g} s a cell, {SOURCES:,} sources, seed {options.seed}",
        "bytes an event": ", ".join(f"{name} {size:.0f}" for name, size in sizes.items()),
        "daemon": f"default settings, ready after {median(run.started_s):.1f} s",
        "orjson.loads per line": f"{short(median(baselines))} lines/s on one core ({spread(baselines)})",
    }
    return f"# Ingest\n\n{listed(said)}\n\n{table(HEADS, rows(run.measured))}\n"


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of 0.7 s a cell: about a minute")
    parser.add_argument("--seconds", type=float, help="of each cell in each round (default 3)")
    parser.add_argument("--rounds", type=int, help="how often each cell is measured (default 3)")
    parser.add_argument("--formats", nargs="+", choices=list(FORMS), default=list(FORMS))
    parser.add_argument("--events", nargs="+", type=int, default=list(BODY_EVENTS), metavar="N", help="events a body")
    parser.add_argument("--connections", nargs="+", type=int, default=list(CONNECTIONS), metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, default=HERE, help="where state goes (default: beside this file)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report")
    options = parser.parse_args(given)
    options.seconds = options.seconds or (0.7 if options.quick else 3.0)
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def main() -> None:
    """Measure, print, write what was asked for."""
    options = arguments()
    facts = machine.facts(options.directory)
    print(listed(facts), flush=True)
    run = Run(options)
    with tempfile.TemporaryDirectory(prefix=".state-", dir=options.directory) as directory:
        run.all(Path(directory))
    text = report(run, options, facts)
    print(f"\n{text}")
    if options.json:
        whole = {"facts": facts, "measured": [asdict(one) for one in run.measured]}
        options.json.write_bytes(orjson.dumps(whole, option=orjson.OPT_INDENT_2))
    if options.markdown:
        options.markdown.parent.mkdir(parents=True, exist_ok=True)
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
