"""A client that may misbehave: bytes over a plain socket, in the pieces and at the pace that a test wants."""
from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import orjson

T = TypeVar("T")
NDJSON = {"Content-Type": "application/x-ndjson"}
ANSWER_TIMEOUT_S = 60.0
EVENTS = "/api/v1/events"


@dataclass(frozen=True)
class Answer:
    """What the daemon said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return orjson.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error document of a refusal."""
        error = self.document["error"]
        assert error.keys() == {"code", "message", "hint", "where"}, error
        assert error["message"], error
        return error  # type: ignore[no-any-return]


class Connection:
    """One connection; each method sends what it is told to, right or wrong."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout=ANSWER_TIMEOUT_S)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def head(self, headers: Mapping[str, str], path: str = EVENTS) -> None:
        """Send the head of a POST."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.send(f"POST {path} HTTP/1.1\r\nHost: offbeat\r\n{lines}\r\n".encode())

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def chunk(self, data: bytes) -> None:
        """Send one chunk of a chunked body; an empty one ends it."""
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def answer(self) -> Answer:
        """Wait for the answer."""
        with http.client.HTTPResponse(self.socket) as response:
            response.begin()
            return Answer(response.status, dict(response.getheaders()), response.read())

    def closed_by_daemon(self) -> bool:
        """Wait until the daemon closes the connection."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def vanish(self) -> None:
        """Go away in the middle, as a machine does that loses its power."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def chunked(headers: Mapping[str, str]) -> dict[str, str]:
    return {**headers, "Transfer-Encoding": "chunked"}


def sized(headers: Mapping[str, str], length: int) -> dict[str, str]:
    return {**headers, "Content-Length": str(length)}


def post(url: str, body: bytes | Iterable[bytes], headers: Mapping[str, str] = NDJSON, path: str = EVENTS) -> Answer:
    """POST *body*, with its length if it is bytes, in chunks if it is an iterable."""
    with Connection(url) as connection:
        connection.head(sized(headers, len(body)) if isinstance(body, bytes) else chunked(headers), path)
        with suppress(ConnectionError):  # refused already: the answer says why
            if isinstance(body, bytes):
                connection.send(body)
            else:
                for piece in body:
                    connection.chunk(piece)
                connection.chunk(b"")
        return connection.answer()


def get(url: str, path: str, **parameters: object) -> Answer:
    """GET *path*."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", f"{path}?{urlencode(parameters, doseq=True)}" if parameters else path)
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def diagnosis(url: str) -> dict[str, Any]:
    """The daemon's own part of its diagnosis."""
    return get(url, "/api/v1/diagnosis", limit=1).document["daemon"]  # type: ignore[no-any-return]


def metric(url: str, name: str) -> float:
    """The value of one line of /metrics, 0 if it is not there."""
    for line in get(url, "/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


def event_counts(url: str, prefix: str = "") -> dict[str, int]:
    """How many events of each source count, of all that was taken so far."""
    upto = diagnosis(url)["journal_sequence"]
    counts: dict[str, int] = {}
    cursor: str | None = ""
    while cursor is not None:
        more = ({"cursor": cursor} if cursor else {}) | ({"prefix": prefix} if prefix else {})
        page = get(url, "/api/v1/sources", limit=1000, sequence=upto, **more).document
        counts |= {row["source"]: row["event_count"] for row in page["sources"]}
        cursor = page["next_cursor"]
    return counts


def until(look: Callable[[], T], timeout_s: float = 20.0) -> T:
    """What *look* says as soon as it is true; fails with what it said last after *timeout_s*."""
    by = time.monotonic() + timeout_s
    while not (seen := look()):
        assert time.monotonic() < by, f"not within {timeout_s} s; last seen: {seen!r}"
        time.sleep(0.01)
    return seen


class Pulse:
    """Asks for /healthz again and again while the context lasts; *latencies_ms* says how long each answer took.

    It has its first answer before the context begins, and asks once more after its end: however short the context,
    there are answers that were asked for before it and within.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.latencies_ms: list[float] = []
        self._over = threading.Event()
        self._first = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Pulse:
        self._thread.start()
        assert self._first.wait(ANSWER_TIMEOUT_S), "/healthz did not answer"
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(urlsplit(self._url).netloc, timeout=ANSWER_TIMEOUT_S)
        try:
            over = False
            while not over:
                over = self._over.wait(0.002)
                began = time.perf_counter()
                connection.request("GET", "/healthz")
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
                self.latencies_ms.append(1000 * (time.perf_counter() - began))
                self._first.set()
        finally:
            connection.close()

    def quantile_ms(self, share: float) -> float:
        """The latency that *share* of the answers stayed within."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
