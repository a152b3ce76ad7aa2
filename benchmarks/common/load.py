"""Sends prebuilt requests over kept-alive connections from one thread, and says what became of them. Parses little.

It serves whoever takes bodies by POST: 202 with a receipt, as the daemon answers, or 204 without one, as databases do.
"""
from __future__ import annotations

import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import orjson
from numpy.typing import NDArray

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
RECEIVE_BYTES = 65_536
SILENT_MAX_S = 60.0


class LoadFailed(Exception):
    """The server answered what the load does not expect, or nothing."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one load. Seconds are of ``time.perf_counter``.

    began_s, acknowledged_s  first byte sent; last answer received
    bodies                   (c,) acknowledged by connection    accepted  events in them, as receipts say
    refused                  answers of 429; the body was sent again after the time asked for
    latency_s                (n,) float64 from the first byte of an acknowledged body to the end of its answer
    sent_s                   by connection: when the first byte of each acknowledged body was sent
    sequence                 the newest journal entry named in an answer
    cpu_s                    of this process
    """

    began_s: float
    acknowledged_s: float
    bodies: tuple[int, ...]
    accepted: int
    refused: int
    latency_s: NDArray[np.float64]
    sent_s: tuple[NDArray[np.float64], ...]
    sequence: int
    cpu_s: float


def request(path: str, host: str, content_type: str, body: bytes) -> bytes:
    """A whole POST, ready to be sent."""
    return (f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


@dataclass(slots=True)
class _Connection:
    """One connection, with at most one body on its way."""

    socket: socket.socket
    requests: deque[bytes]
    left: memoryview = field(default_factory=lambda: memoryview(b""))
    received: bytes = b""
    sent_s: float = 0.0
    due_s: float = 0.0
    began_s: list[float] = field(default_factory=list)
    writing: bool = False


def send(
    address: tuple[str, int], lists: Sequence[Iterable[bytes]], seconds: float, every_s: float = 0.0
) -> Sent:
    """Send each list of requests over a connection of its own, the next when the last is answered.

    None begins after *seconds*. With *every_s* a connection begins one body in each such time, none too early; what is
    late is made up for as soon as the last is answered. Raises LoadFailed for any answer but 202, 204 and 429.
    """
    load = _Load([_Connection(_connected(address), deque(requests)) for requests in lists], seconds, every_s)
    try:
        return load.run()
    finally:
        load.close()


def _connected(address: tuple[str, int]) -> socket.socket:
    made = socket.create_connection(address, timeout=10.0)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    made.setblocking(False)
    return made


class _Load:
    """One call of ``send``."""

    def __init__(self, connections: list[_Connection], seconds: float, every_s: float) -> None:
        self._connections, self._seconds, self._every_s = connections, seconds, every_s
        self._selector = selectors.DefaultSelector()
        self._resting: list[tuple[float, _Connection]] = []
        self._latency_s: list[float] = []
        self._accepted = self._refused = self._sequence = self._busy = 0
        self._until_s = 0.0

    def run(self) -> Sent:
        cpu_s, began_s = time.process_time(), time.perf_counter()
        self._until_s = began_s + self._seconds
        for place, connection in enumerate(self._connections):
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.due_s = began_s + place / len(self._connections) * self._every_s
            self._next(connection)
        while self._busy or self._resting:
            ready = self._selector.select(self._patience_s())
            if not ready and not self._resting:
                raise LoadFailed(f"no answer for {SILENT_MAX_S:.0f} s")
            for key, events in ready:
                if events & selectors.EVENT_WRITE:
                    self._write(key.data)
                if events & selectors.EVENT_READ:
                    self._read(key.data)
            self._wake()
        return Sent(
            began_s, time.perf_counter(), tuple(len(c.began_s) for c in self._connections), self._accepted,
            self._refused, np.array(self._latency_s), tuple(np.array(c.began_s) for c in self._connections),
            self._sequence, time.process_time() - cpu_s)

    def close(self) -> None:
        self._selector.close()
        for connection in self._connections:
            connection.socket.close()

    def _patience_s(self) -> float:
        if not self._resting:
            return SILENT_MAX_S
        return max(0.0, min(due_s for due_s, _ in self._resting) - time.perf_counter())

    def _wake(self) -> None:
        if self._resting:
            now_s = time.perf_counter()
            due = [connection for due_s, connection in self._resting if due_s <= now_s]
            self._resting = [resting for resting in self._resting if resting[0] > now_s]
            for connection in due:
                self._begin(connection)

    def _next(self, connection: _Connection) -> None:
        """Begin the connection's next body, now or when it is due."""
        if connection.due_s > time.perf_counter():
            self._resting.append((connection.due_s, connection))
        else:
            self._begin(connection)
        connection.due_s += self._every_s

    def _begin(self, connection: _Connection) -> None:
        """Send the connection's next body, if there is one and the time is not up."""
        now_s = time.perf_counter()
        if connection.requests and now_s < self._until_s:
            connection.sent_s = now_s
            connection.left = memoryview(connection.requests[0])
            self._busy += 1
            self._write(connection)

    def _write(self, connection: _Connection) -> None:
        try:
            while connection.left:
                connection.left = connection.left[connection.socket.send(connection.left):]
        except BlockingIOError:
            pass
        if connection.writing != bool(connection.left):
            connection.writing = bool(connection.left)
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.writing else 0)
            self._selector.modify(connection.socket, wanted, connection)

    def _read(self, connection: _Connection) -> None:
        try:
            piece = connection.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        if not piece:
            raise LoadFailed(f"the server closed a connection after {connection.received[:200]!r}")
        received = connection.received = connection.received + piece
        end = received.find(b"\r\n\r\n") + 4
        if end == 3:
            return
        status, length = STATUS.match(received), LENGTH.search(received, 0, end)
        if status is None or (length is None and status[1] != b"204"):
            raise LoadFailed(f"an answer without a status or a length: {received[:200]!r}")
        if length is not None and len(received) < end + int(length[1]):
            return
        connection.received = b""
        self._answered(connection, int(status[1]), received[end:], received)

    def _answered(self, connection: _Connection, status: int, document: bytes, whole: bytes) -> None:
        """Count an answer; the next body goes at once, or after the rest that was asked for."""
        self._busy -= 1
        if status in (202, 204):
            self._latency_s.append(time.perf_counter() - connection.sent_s)
            if document:
                receipt = orjson.loads(document)
                self._accepted += receipt["accepted"]
                self._sequence = max(self._sequence, receipt["sequence"])
            connection.began_s.append(connection.sent_s)
            connection.requests.popleft()
            self._next(connection)
        elif status == 429:
            self._refused += 1
            asked = re.search(rb"retry-after: (\d+)", whole, re.IGNORECASE)
            self._resting.append((time.perf_counter() + (int(asked[1]) if asked else 1), connection))
        else:
            raise LoadFailed(f"the answer was {status}: {document[:500]!r}")
