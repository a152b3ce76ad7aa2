"""How fast a job that asks questions of buckets takes an upload, and what an entity of it costs in memory."""
from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from common import command, machine
from common.daemon import Daemon
from common.process import MIB
from common.report import digits, short
from common.verdict import LEAST, MOST, Row, ratios

ENTITIES = (20, 1_000, 100_000)
REMEMBERED = ("mean", "metric")
"""Functions with one model an entity, and with three: most is what an entity of the second takes."""
RECORDS, RECORDS_QUICK = 2_000_000, 300_000
"""Of one upload; of a large job as many as make some buckets."""
BUCKETS_MIN, BUCKETS_MIN_QUICK = 6, 2
SPAN_S = 300
EVERY_S = (10.0, 60.0)
"""How often an entity reports, each in its own time."""
START_S = 1_700_000_400
PATH = "/engine/v2"
TIMEOUT_S = 600.0
RATE_MIN, SHARE_MIN, MEMORY_MAX_BYTES = 300_000, 0.5, 4_096
AT_ONCE = 200_000
"""Lines that are made at once."""


def upload(entities: int, records: int, seed: int) -> list[bytes]:
    """CSV in pieces, in order of time: each entity at its own pace and level, with noise and a rare value far off."""
    rng = np.random.default_rng(seed)
    every_s = rng.uniform(*EVERY_S, entities)
    level = rng.uniform(50.0, 150.0, entities)
    length_s = records / float((1.0 / every_s).sum())
    counts = np.maximum(1, (length_s / every_s).astype(np.int64))
    entity = np.repeat(np.arange(entities), counts)
    turn = np.arange(entity.size) - np.repeat(np.cumsum(counts) - counts, counts)
    at_s = START_S + (turn + np.repeat(rng.random(entities), counts)) * every_s[entity]
    order = np.argsort(at_s, kind="stable")
    entity, at_s = entity[order], at_s[order].astype(np.int64)
    value = level[entity] * (1.0 + 0.05 * rng.standard_normal(entity.size))
    value[rng.random(entity.size) < 1e-5] *= 5.0
    pieces = [b"time,host,value\n"]
    for first in range(0, entity.size, AT_ONCE):
        rows = zip(at_s[first : first + AT_ONCE].tolist(), entity[first : first + AT_ONCE].tolist(),
                   value[first : first + AT_ONCE].tolist(), strict=True)
        pieces.append("".join([f"{at},host{of:06d},{x:.3f}\n" for at, of, x in rows]).encode())
    return pieces


class Job:
    """A job of *daemon*: *function* of a value by host."""

    def __init__(self, daemon: Daemon, id: str, function: str = "mean") -> None:
        self._daemon, self._id = daemon, id
        detector = {"function": function, "fieldName": "value", "byFieldName": "host"}
        self._call("POST", "/jobs", orjson.dumps({
            "id": id,
            "analysisConfig": {"bucketSpan": SPAN_S, "detectors": [detector]},
            "dataDescription": {"fieldDelimiter": ",", "timeField": "time", "timeFormat": "epoch"},
        }), 201)

    def send(self, pieces: Sequence[bytes]) -> tuple[int, float]:
        """Records that were processed and seconds from the first byte to the answer: their results can be read."""
        began_s = time.perf_counter()
        answer = self._call("POST", f"/data/{self._id}", b"".join(pieces), 202)
        took_s = time.perf_counter() - began_s
        return int(answer["responses"][0]["uploadSummary"]["processedRecordCount"]), took_s

    def delete(self) -> None:
        """End it."""
        self._call("DELETE", f"/jobs/{self._id}", None, 200)

    def _call(self, method: str, path: str, body: bytes | None, status: int) -> Any:
        connection = HTTPConnection(*self._daemon.address, timeout=TIMEOUT_S)
        try:
            connection.request(method, PATH + path, body, {"Content-Length": str(len(body or b""))})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != status:
                raise RuntimeError(f"{method} {path}: {answer.status} {said.decode(errors='replace')}")
            return orjson.loads(said)
        finally:
            connection.close()


def sizes(options: argparse.Namespace, entities: int) -> int:
    """How many records an upload of so many entities has."""
    mean_every_s = (EVERY_S[1] - EVERY_S[0]) / np.log(EVERY_S[1] / EVERY_S[0])
    buckets = BUCKETS_MIN_QUICK if options.quick else BUCKETS_MIN
    return max(RECORDS_QUICK if options.quick else RECORDS, int(buckets * SPAN_S / mean_every_s * entities))


def rates(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """Records a second by entities, one upload each in turn; each has a new job, whose models begin at nothing."""
    made: dict[int, list[float]] = {entities: [] for entities in ENTITIES}
    told: dict[int, str] = {}
    with Daemon(directory / "rates") as daemon:
        Job(daemon, "warm").send(upload(20, 20_000, options.seed))
        for number in range(options.rounds):
            for entities in ENTITIES:
                pieces = upload(entities, sizes(options, entities), options.seed + number)
                job = Job(daemon, f"by{entities}-{number}")
                daemon.wait_idle()
                cpu_s, others = daemon.cpu_s(), machine.Others()
                records, took_s = job.send(pieces)
                cpu_s = daemon.cpu_s() - cpu_s
                other_cores = others.cores(cpu_s)
                made[entities].append(records / took_s)
                bytes_each = sum(map(len, pieces)) / records
                told[entities] = (f"{records:,} records of {bytes_each:.0f} bytes, {digits(cpu_s / records * 1e6)} "
                                  f"CPU s a million, {other_cores:.2f} cores for others")
                job.delete()
                print(f"round {number + 1}  {entities:7,} entities {short(records / took_s):>7} records/s", flush=True)
    few = ENTITIES[0]
    rows = [Row(f"records/s of an upload, mean by {few} entities", "–", tuple(made[few]), "records/s", LEAST, RATE_MIN,
                told[few])]
    rows += [Row(f"records/s of an upload, mean by {entities:,} entities", f"{few} entities",
                 ratios(made[entities], made[few]), "×", LEAST, SHARE_MIN,
                 f"{short(float(np.median(made[entities])))} records/s; {told[entities]}") for entities in ENTITIES[1:]]
    return rows


def memory(options: argparse.Namespace, directory: Path, facts: dict[str, str]) -> list[Row]:
    """Resident memory that a second job of the largest size adds, by its entities; buffers are there by then."""
    entities = ENTITIES[-1]
    count = sizes(options, entities)
    found: dict[str, list[float]] = {function: [] for function in REMEMBERED}
    for number in range(options.rounds):
        for function in REMEMBERED:
            with Daemon(directory / f"memory-{function}-{number}") as daemon:
                Job(daemon, "first", function).send(upload(entities, count, options.seed))
                daemon.wait_idle()
                before_mib = daemon.memory_mib()
                Job(daemon, "second", function).send(upload(entities, count, options.seed))
                daemon.wait_idle()
                found[function].append((daemon.memory_mib() - before_mib) * MIB / entities)
                print(f"round {number + 1}  {function:6}  {digits(found[function][-1])} bytes an entity", flush=True)
    return [Row(f"memory of a by value, {function}", "–", tuple(bytes_each), "bytes", MOST, MEMORY_MAX_BYTES,
                f"{entities:,} entities") for function, bytes_each in found.items()]


SECTIONS: dict[str, command.Section] = {"rates": rates, "memory": memory}


def main() -> None:
    """Measure, print, write what was asked for."""
    options = command.parser(__doc__, list(SECTIONS)).parse_args()
    command.run("Jobs", options, SECTIONS)


if __name__ == "__main__":
    main()
