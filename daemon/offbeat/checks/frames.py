"""What the daemon and the process that judges say to each other, as bytes: a length, JSON, and arrays. Pure."""
from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson

from offbeat_detectors.checks.contract import Needs
from offbeat_detectors.checks.readings import Arrivals, FoundBefore, Readings

HEAD = struct.Struct("<II")
"""Bytes of the JSON, bytes of the arrays behind it."""
ANSWER_BYTES_MAX = 1 << 22
"""A longer answer is nonsense: what says how long it is was overwritten."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run: a kind with its parameters, and what it is handed."""

    kind: str
    parameters: dict[str, Any]
    data: Readings


def framed(document: Any, arrays: bytes = b"") -> bytes:
    """A message."""
    body = orjson.dumps(document)
    return HEAD.pack(len(body), len(arrays)) + body + arrays


def batch(jobs: Sequence[Job]) -> bytes:
    """The message that asks for some runs."""
    heads, arrays = [], []
    for job in jobs:
        d = job.data
        heads.append(
            (job.kind, job.parameters, d.source, d.columns, len(d), d.new_from, d.now_ms, d.zone.key,
             d.last_ms.tolist(), [asdict(one) for one in d.found], d.arrivals and asdict(d.arrivals))
        )
        arrays += [d.time_ms.astype(np.int64, copy=False).tobytes(), d.values.astype(np.float64, copy=False).tobytes()]
    return framed({"ask": "run", "runs": heads}, b"".join(arrays))


def jobs_of(document: dict[str, Any], arrays: bytes) -> list[Job]:
    """The runs that ``batch`` asks for."""
    jobs, at = [], 0
    for kind, parameters, source, columns, n, new_from, now_ms, zone, last_ms, found, arrivals in document["runs"]:
        k = len(columns)
        time_ms = np.frombuffer(arrays, np.int64, n, at)
        values = np.frombuffer(arrays, np.float64, n * k, at + 8 * n).reshape(n, k)
        at += 8 * n * (k + 1)
        data = Readings(
            source, tuple(columns), time_ms, values, new_from, now_ms, _zone(zone), np.array(last_ms, np.int64),
            tuple(FoundBefore(**one) for one in found), Arrivals(**arrivals) if arrivals else None,
        )
        jobs.append(Job(kind, parameters, data))
    return jobs


@lru_cache(256)
def _zone(key: str) -> ZoneInfo:
    return ZoneInfo(key)


def needs_document(needs: Needs) -> dict[str, Any]:
    """What a check needs, as JSON."""
    return asdict(needs)


def needs_of(document: dict[str, Any]) -> Needs:
    """What ``needs_document`` said."""
    return Needs(**document)
