"""A whole daemon on a thread of its own, and a client as the Python client of the Prelert Engine is one: by sockets."""
from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import socket
import threading
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from offbeat.clock import ManualClock
from offbeat.gateways.prelert.dates import date_text
from offbeat.service import Service, running
from offbeat.serving import listening
from tests.store.process import config

T = TypeVar("T")
START_TIMEOUT_S = 110.0
BASE = "/engine/v2"
FIRST_S = 1_400_000_400
"""2014-05-13 17:00, where a bucket of an hour begins."""
ODD_BUCKET = 30
"""Of eventful data."""
START_MS = 1_772_366_400_000
"""2026-03-01 12:00."""
FIELDS = ("time", "airline", "responsetime")
METRIC = {"function": "metric", "fieldName": "responsetime", "byFieldName": "airline"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def refusal(self) -> tuple[int, int]:
        """Status and code of an error document of the right shape."""
        document = self.document
        assert set(document) == {"message", "errorCode"}, document
        assert document["message"] and isinstance(document["message"], str)
        assert self.headers["Content-Type"].startswith("application/json")
        return self.status, document["errorCode"]

    @property
    def upload_refusal(self) -> tuple[int, int]:
        """Status and code of an upload to one job that was refused."""
        (response,) = self.document["responses"]
        assert set(response) == {"jobId", "error"}, response
        assert set(response["error"]) == {"message", "errorCode"}
        return self.status, response["error"]["errorCode"]

    @property
    def summary(self) -> dict[str, Any]:
        """The counts of an upload to one job that was taken."""
        assert self.status == 202, self.body
        (response,) = self.document["responses"]
        assert set(response) == {"jobId", "uploadSummary"}
        summary: dict[str, Any] = response["uploadSummary"]
        return summary


class Engine:
    """A daemon, its clock, and calls of it: each connects anew, and sends no header but those named."""

    def __init__(self, service: Service, clock: ManualClock, address: str) -> None:
        self.service, self.clock = service, clock
        self._loop, self.stopped = asyncio.get_running_loop(), asyncio.Event()
        self.host, _, port = address.removeprefix("http://").partition(":")
        self.port = int(port)

    @property
    def now(self) -> str:
        """The time of its clock, as it writes dates."""
        return date_text(self.clock.now_ms())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What *work* gives on the daemon's own event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def stop(self) -> None:
        """Begin to end it."""
        self._loop.call_soon_threadsafe(self.stopped.set)

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection((self.host, self.port), 60)

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None,
        base: str = BASE, length: bool = True,
    ) -> Answer:
        """One call. A body goes with its length; POST and PUT without one with a length of 0, unless not *length*."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.putrequest(method, f"{base}{path}")
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if length and (body is not None or method in ("POST", "PUT")):
                connection.putheader("Content-Length", str(len(body or b"")))
            connection.endheaders(body)
            return _answer(connection)
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        """GET."""
        return self.call("GET", path)

    def post(self, path: str) -> Answer:
        """POST without a body."""
        return self.call("POST", path)

    def json(self, method: str, path: str, document: Any) -> Answer:
        """A call with a document, as JSON unless it is bytes."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.call(method, path, body, {"Content-Type": "application/json"})

    def create(self, id: str | None = None, analysis: Mapping[str, Any] | None = None, **top: Any) -> str:
        """The id of a new job; of one detector, delimited by commas, unless it says otherwise."""
        document: dict[str, Any] = {
            "analysisConfig": {"bucketSpan": 3600, "detectors": [METRIC], **(analysis or {})},
            "dataDescription": {"fieldDelimiter": ",", "timeField": "time", "timeFormat": "epoch"},
            **({} if id is None else {"id": id}), **top,
        }
        answer = self.json("POST", "/jobs", document)
        assert answer.status == 201, answer.body
        return str(answer.document["id"])

    def job(self, id: str) -> dict[str, Any]:
        """The document of a job."""
        document: dict[str, Any] = self.get(f"/jobs/{id}").document["document"]
        return document

    def upload(
        self, id: str, body: bytes, *, gzipped: bool = False, store: bool = False, query: str = ""
    ) -> Answer:
        """Data as ``upload`` sends them: no Content-Type."""
        headers = {"Content-Encoding": "gzip"} if gzipped else {}
        return self.call("POST", f"/{'dataload' if store else 'data'}/{id}{query}", body, headers)

    def stream(self, id: str, chunks: Iterator[bytes], *, gzipped: bool = False) -> Answer:
        """Data as ``stream`` sends them: a chunk for each piece, its size in lower-case digits."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.putrequest("POST", f"{BASE}/data/{id}")
            connection.putheader("Connection", "Keep-Alive")
            connection.putheader("Transfer-Encoding", "chunked")
            connection.putheader("Content-Type", "application/x-www-form-urlencoded")
            if gzipped:
                connection.putheader("Content-Encoding", "gzip")
            connection.endheaders()
            for chunk in chunks:
                connection.send(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            connection.send(b"0\r\n\r\n")
            return _answer(connection)
        finally:
            connection.close()

    def close(self, id: str) -> None:
        """Close a job."""
        answer = self.post(f"/data/{id}/close")
        assert (answer.status, answer.document) == (202, {"acknowledgement": True})

    def buckets(self, id: str, query: str = "") -> list[dict[str, Any]]:
        """All buckets, page by page over one connection."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        found: list[dict[str, Any]] = []
        try:
            while True:
                connection.putrequest("GET", f"{BASE}/results/{id}/buckets?skip={len(found)}&take=100{query}")
                connection.endheaders()
                answer = _answer(connection)
                assert answer.status == 200, answer.body
                found += answer.document["documents"]
                if not answer.document["nextPage"]:
                    return found
        finally:
            connection.close()

    def records(self, id: str, query: str = "") -> list[dict[str, Any]]:
        """All records."""
        answer = self.get(f"/results/{id}/records?take=100000{query}")
        assert answer.status == 200, answer.body
        documents: list[dict[str, Any]] = answer.document["documents"]
        assert answer.document["hitCount"] == len(documents)
        return documents


def raw_answer(connection: socket.socket) -> Answer:
    """What comes over a bare connection: one answer, or several of them after another call."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return Answer(response.status, response.headers, response.read())


def _answer(connection: http.client.HTTPConnection) -> Answer:
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def csv(rows: Iterator[tuple[Any, ...]] | list[tuple[Any, ...]], fields: tuple[str, ...] = FIELDS) -> bytes:
    """Rows under a header."""
    return "".join(",".join(map(str, row)) + "\n" for row in [fields, *rows]).encode()


def steady(buckets: int, span_s: int = 3600, first_s: int = FIRST_S, each: int = 4) -> list[tuple[Any, ...]]:
    """Rows of two airlines, a few a bucket, without anything unusual."""
    return [(first_s + i * span_s + j * span_s // each, airline, 100 + (7 * i + 3 * j) % 10)
            for i in range(buckets) for j in range(each) for airline in ("AAL", "BAW")]


def eventful(buckets: int = 40) -> list[tuple[Any, ...]]:
    """Two airlines, of which one is slow in one bucket."""
    odd = FIRST_S + ODD_BUCKET * 3600
    return [(t, airline, 900 if airline == "AAL" and odd <= t < odd + 3600 else value)
            for t, airline, value in steady(buckets)]


def packed(body: bytes) -> bytes:
    """The body in gzip, the same each time."""
    return gzip.compress(body, mtime=0)


@contextmanager
def engine(state_dir: Path, clock: ManualClock | None = None, **sections: dict[str, Any]) -> Iterator[Engine]:
    """A daemon that listens; *sections* of its settings."""
    started: Future[Engine] = Future()
    clock = clock or ManualClock(START_MS)

    async def live() -> None:
        settings = config(state_dir, **{"http": {"port": 0}, **sections})
        async with running(settings, clock=clock) as service, listening(service, []) as addresses:
            made = Engine(service, clock, addresses[0])
            started.set_result(made)
            await made.stopped.wait()

    def work() -> None:
        try:
            asyncio.run(live())
        except BaseException as e:
            if started.done():
                raise
            started.set_exception(e)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        made = started.result(START_TIMEOUT_S)
        try:
            yield made
        finally:
            made.stop()
    finally:
        thread.join(60)
