"""A follower of /api/v1/stream: what arrived and when. Says nothing of what it means."""
from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType

import orjson

ANSWER_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """One record. arrived_s: when its frame was complete, of ``time.perf_counter``."""

    source: str
    time_ms: int
    arrived_s: float


class Follower:
    """Follows records on a thread of its own. Use as a context; *arrivals* can be asked for after it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._connection = http.client.HTTPConnection(*address, timeout=ANSWER_TIMEOUT_S)
        self._pieces: list[tuple[float, bytes]] = []
        self._closing = False

    def __enter__(self) -> Follower:
        self._connection.request("GET", "/api/v1/stream?types=record")
        self._answer = self._connection.getresponse()
        if self._answer.status != 200:
            raise RuntimeError(f"GET /api/v1/stream: {self._answer.status} {self._answer.read()[:300]!r}")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self._closing = True
        if self._connection.sock is not None:
            self._connection.sock.shutdown(2)
        self._thread.join(ANSWER_TIMEOUT_S)
        self._connection.close()

    def _run(self) -> None:
        try:
            while piece := self._answer.read1(1 << 20):
                self._pieces.append((time.perf_counter(), piece))
        except (OSError, http.client.HTTPException, ValueError):
            if not self._closing:
                raise

    def arrivals(self) -> list[Arrival]:
        """Every record so far."""
        return arrivals(self._pieces)


def arrivals(pieces: list[tuple[float, bytes]]) -> list[Arrival]:
    """The records in the bytes of a stream, each as of the moment at which its last byte came."""
    found: list[Arrival] = []
    rest = b""
    for moment_s, piece in pieces:
        *frames, rest = (rest + piece).split(b"\n\n")
        for frame in frames:
            fields = dict(line.split(b": ", 1) for line in frame.splitlines() if b": " in line)
            if fields.get(b"event") == b"record":
                document = orjson.loads(fields[b"data"])
                time_ms = round(datetime.fromisoformat(document["time"]).timestamp() * 1000)
                found.append(Arrival(document["source"], time_ms, moment_s))
    return found
