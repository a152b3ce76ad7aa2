"""What checks cost: the processor time of one round of many subjects, with and without new readings.

    .venv/bin/python benchmarks/checks.py [--subjects 10000] [--rounds 3]

Prints the seconds of processor time, of the daemon and of the processes that judge, for a round of a check of the kind
range over so many series; and what that is of a core if there is a round a minute.
"""
from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from offbeat.checks.spec import CheckSpec, EachSeries
from offbeat.clock import ManualClock
from offbeat.config import from_mapping
from offbeat.service import Service, running
from offbeat.wire.options import Options

START_MS = 1_700_000_000_000
CHECK = CheckSpec("warm", "range", (EachSeries("*", "heat"),), parameters=(("max", 10.0),))
TICKS = os.sysconf("SC_CLK_TCK")


def spent(service: Service) -> tuple[float, float]:
    """Processor seconds so far of this process, and of those that judge."""
    workers = 0.0
    for process in service.checks.crew._all:
        fields = Path(f"/proc/{process._process.pid}/stat").read_text().rsplit(")", 1)[1].split()  # type: ignore[union-attr]
        workers += (int(fields[11]) + int(fields[12])) / TICKS
    return time.process_time(), workers


async def send(service: Service, clock: ManualClock, subjects: int) -> None:
    """A reading of each series, applied."""
    clock.move(60_000)
    body = b"".join(b'{"time": %d, "source": "s%d", "heat": 5}\n' % (clock.now_ms(), i) for i in range(subjects))
    options = replace(Options.of(service.config.ingest, "ndjson", precision="ms"), max_future_ms=1 << 50)
    receipt = await service.intake.receive(body, options, encoding="", length=len(body), key=None)
    await service.applier.reached(receipt.sequence, 60.0)


async def measure(subjects: int, rounds: int, directory: str) -> None:
    """Print what rounds cost."""
    clock = ManualClock(START_MS)
    config = from_mapping({"store": {"state_dir": directory, "checkpoint_s": 1e9},
                           "engine": {"tick_s": 1e6}, "watch": {"model": "ewma"}})
    async with running(config, clock=clock) as service:
        checks = service.checks
        await send(service, clock, subjects)
        await checks.set(CHECK, new=True)
        began = time.perf_counter()
        await checks.look()
        print(f"first round of {subjects} subjects: {time.perf_counter() - began:.2f} s")
        for name, sends in (("all have a new reading", True), ("none has", False)):
            costs = []
            for _ in range(rounds):
                if sends:
                    await send(service, clock, subjects)
                clock.move(60_000)
                before, began = spent(service), time.perf_counter()
                await checks.look()
                after = spent(service)
                costs.append((after[0] - before[0], after[1] - before[1], time.perf_counter() - began))
            daemon, judging, wall = (statistics.median(column) for column in zip(*costs, strict=True))
            share = 100 * (daemon + judging) / 60
            print(f"{name}: {daemon:.3f} s of processor time of the daemon, {judging:.3f} s of those that judge, "
                  f"{wall:.2f} s by the clock: {share:.1f} % of a core at a round a minute")
        print({status: count for status, count in checks.get("warm").counts().items() if count})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(measure(given.subjects, given.rounds, directory))


if __name__ == "__main__":
    main()
