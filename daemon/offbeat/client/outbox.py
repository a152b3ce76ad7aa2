"""What a sender holds: lines, cut into batches, in order, until each is answered. No socket; the time is given."""
from __future__ import annotations

import asyncio
import uuid
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict

import zstandard

from offbeat.client.calls import Call, Names, asked
from offbeat.client.errors import ClientError, Undelivered
from offbeat.client.receipts import Receipt, Rejection

Compression = Literal["gzip", "zstd"]
GZIP_LEVEL = 4
ZSTD_LEVEL = 3
BATCH_EVENTS = 5_000
BATCH_BYTES = 1024 * 1024
ASIDE_BYTES = 64 * 1024
NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that become one body. *number* counts batches, *first* is the number of its first event, both from 0."""

    number: int
    first: int
    count: int
    data: bytes


class Cutter:
    """Lines into batches of at most *events_max* events and *bytes_max* bytes, in order; one longer line is a batch.

    opened_s  when the first line of the batch that is still open came; None: there is none
    """

    def __init__(self, events_max: int, bytes_max: int) -> None:
        if events_max < 1 or bytes_max < 1:
            raise ValueError("a batch holds at least one event")
        self._events_max, self._bytes_max = events_max, bytes_max
        self._lines: list[bytes] = []
        self._bytes = 0
        self._number = self._first = 0
        self.opened_s: float | None = None

    @property
    def end(self) -> int:
        """The number of the next event."""
        return self._first + len(self._lines)

    def fits(self, line: bytes) -> bool:
        """Can *line* be added to the batch that is open?"""
        return not self._lines or (
            len(self._lines) < self._events_max and self._bytes + len(line) <= self._bytes_max
        )

    def add(self, line: bytes, now_s: float) -> None:
        """Put *line*, which fits, into the open batch."""
        if not self._lines:
            self.opened_s = now_s
        self._lines.append(line)
        self._bytes += len(line)

    @property
    def full(self) -> bool:
        """Can nothing more be added?"""
        return len(self._lines) >= self._events_max or self._bytes >= self._bytes_max

    def cut(self) -> Batch | None:
        """The batch that was open, if it holds anything; the next line begins another."""
        if not self._lines:
            return None
        batch = Batch(self._number, self._first, len(self._lines), b"".join(self._lines))
        self._number, self._first = self._number + 1, self.end
        self._lines, self._bytes, self.opened_s = [], 0, None
        return batch


def batches_of(lines: Iterable[bytes], events_max: int, bytes_max: int) -> Iterator[Batch]:
    """All *lines* as batches, the same ones each time; if their source fails, what came before is given first."""
    cutter = Cutter(events_max, bytes_max)
    try:
        for line in lines:
            if not cutter.fits(line) and (batch := cutter.cut()) is not None:
                yield batch
            cutter.add(line, 0.0)
    except Exception:
        if (batch := cutter.cut()) is not None:
            yield batch
        raise
    if (batch := cutter.cut()) is not None:
        yield batch


def lots(lines: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """*lines*, up to *size* at a time; if their source fails, what came before is given first."""
    lot: list[bytes] = []
    try:
        for line in lines:
            lot.append(line)
            if len(lot) == size:
                yield lot
                lot = []
    except Exception:
        if lot:
            yield lot
        raise
    if lot:
        yield lot


class SendOptions(TypedDict, total=False):
    """How events are read and sent.

    source_field  the field, or the first of several, that names the source; an event without it is rejected
    time_field    the same of its time. Without them the daemon's settings say so
    text          fields that are text even where they look like numbers
    compression   of bodies: "gzip", "zstd" or None (default): as they are
    batch_events  most events of one body, default 5,000
    batch_bytes   most bytes of one, default 1 MiB: up to the daemon's ``ingest.block_bytes`` it counts whole or not at
                  all
    """

    source_field: Names | None
    time_field: Names | None
    text: Names | None
    compression: Compression | None
    batch_events: int
    batch_bytes: int


class SenderOptions(SendOptions, total=False):
    """The same of a sender, and what may wait.

    linger_s       a batch goes at latest this long after its first event, default 1
    queue_batches  so many full batches wait at most, default 8: then ``send`` waits for the daemon
    """

    linger_s: float
    queue_batches: int


@dataclass(frozen=True, slots=True)
class Posting:
    """How batches become bodies.

    run          begins each Idempotency-Key; another one in each process, so that no two bodies share a key
    compression  of bodies, None: as they are
    path         of POST /events, with its parameters
    """

    run: str
    compression: Compression | None
    path: str

    @classmethod
    def of(cls, options: SendOptions, key: str | None = None) -> Posting:
        """As a program asks for it. Raises ValueError for a compression that there is not."""
        compression = options.get("compression")
        if compression not in (None, "gzip", "zstd"):
            raise ValueError(f"compression is {compression!r}: expected gzip, zstd or None")
        call = asked("POST", "/events", source=options.get("source_field"), time=options.get("time_field"),
                     text=options.get("text"))  # fmt: skip
        return cls(uuid.uuid4().hex if key is None else key, compression, call.path)

    def again(self) -> Posting:
        """The same under keys of its own."""
        return replace(self, run=uuid.uuid4().hex)

    def call(self, batch: Batch) -> Call:
        """The request for *batch*: made once, and sent as often as it takes, so that key and body stay the same."""
        body, headers = batch.data, {"Content-Type": NDJSON, "Idempotency-Key": f"{self.run}-{batch.number}"}
        if self.compression is not None:
            body, headers["Content-Encoding"] = packed(body, self.compression), self.compression
        return Call("POST", self.path, body, headers, safe=True)

    async def call_aside(self, batch: Batch) -> Call:
        """The same, compressed on a thread where that takes long: the loop goes on meanwhile."""
        if self.compression is None or len(batch.data) < ASIDE_BYTES:
            return self.call(batch)
        return await asyncio.to_thread(self.call, batch)


def packed(data: bytes, compression: Compression) -> bytes:
    """*data* compressed."""
    if compression == "zstd":
        return zstandard.ZstdCompressor(ZSTD_LEVEL).compress(data)
    one = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return one.compress(data) + one.flush()


class Outbox:
    """The batch that is open, those that wait for their turn, the one on its way, and what became of the others.

    failed   why nothing more is sent, None while all is well
    receipt  what was answered
    """

    def __init__(self, options: SenderOptions) -> None:
        self._linger_s, self._queue_batches = options.get("linger_s", 1.0), options.get("queue_batches", 8)
        if self._queue_batches < 1 or self._linger_s < 0:
            raise ValueError("at least one batch may wait, and for no negative time")
        self._cutter = Cutter(options.get("batch_events", BATCH_EVENTS), options.get("batch_bytes", BATCH_BYTES))
        self._waiting: deque[Batch] = deque()
        self._on_its_way: Batch | None = None
        self._flush_to = 0
        self.failed: ClientError | None = None
        self.receipt = Receipt()

    @property
    def taken(self) -> int:
        """Events that were taken so far."""
        return self._cutter.end

    @property
    def settled(self) -> int:
        """Events that an answer covers."""
        return self.receipt.accepted + self.receipt.rejected

    def put(self, lines: Sequence[bytes], at: int, now_s: float) -> int:
        """Take *lines* from *at* on, as many as there is room for; the place of the first that was not taken."""
        cutter, waiting = self._cutter, self._waiting
        while at < len(lines):
            if not cutter.fits(lines[at]):
                if len(waiting) >= self._queue_batches:
                    break
                self._close_open()
            cutter.add(lines[at], now_s)
            at += 1
        if cutter.full and len(waiting) < self._queue_batches:
            self._close_open()
        return at

    @property
    def has_room(self) -> bool:
        """May another batch wait?"""
        return len(self._waiting) < self._queue_batches

    def _close_open(self) -> None:
        if (batch := self._cutter.cut()) is not None:
            self._waiting.append(batch)

    def flush(self) -> int:
        """Let all that was taken so far go at once; the number of events that must then be settled."""
        self._flush_to = self.taken
        return self._flush_to

    def due_in_s(self, now_s: float) -> float | None:
        """In how long the next batch goes, 0: now; None: nothing waits, or nothing more is sent."""
        if self.failed is not None:
            return None
        if self._waiting:
            return 0.0
        opened_s = self._cutter.opened_s
        if opened_s is None:
            return None
        if self._cutter.full or self.settled < self._flush_to:
            return 0.0
        return max(0.0, opened_s + self._linger_s - now_s)

    def next(self, now_s: float) -> Batch | None:
        """The batch that goes now, if one is due; it is then on its way."""
        if self.due_in_s(now_s) != 0.0:
            return None
        self._on_its_way = self._waiting.popleft() if self._waiting else self._cutter.cut()
        return self._on_its_way

    def answered(self, answer: Mapping[str, Any], rejections: Sequence[Rejection], sent_bytes: int) -> None:
        """Count the daemon's *answer* to the batch on its way."""
        self._on_its_way = None
        self.receipt.count(answer, rejections)
        self.receipt.sent_bytes += sent_bytes

    def undelivered(self) -> Undelivered | None:
        """What no answer covers and never will, as an error; None while all is well."""
        if self.failed is None:
            return None
        left = [batch for batch in (self._on_its_way, *self._waiting) if batch is not None]
        if (batch := self._cutter.cut()) is not None:  # nothing goes out any more: let it wait with the others
            self._waiting.append(batch)
            left.append(batch)
        return Undelivered(self.failed, sum(b.count for b in left), b"".join(b.data for b in left))
