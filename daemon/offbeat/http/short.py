"""The short way of a small body: taken and answered as it arrives, without what aiohttp does for any request.

Only a body of events whose head came before, byte for byte, goes it: then aiohttp has read that head, and what it said
holds. All else, and whatever might be refused, goes the usual way. It relies on how aiohttp's ``RequestHandler`` works
inside, so the version of aiohttp is fixed.
"""
from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Any

from aiohttp import hdrs, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE, HttpVersion11
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import _ErrInfo

from offbeat.config import IngestConfig
from offbeat.errors import Refused
from offbeat.http.credentials import bearer
from offbeat.http.documents import dump
from offbeat.http.events import PATH, document_of, encoding_of, format_of, options_of
from offbeat.http.parts import Parts
from offbeat.http.refusals import internal
from offbeat.http.route import JSON
from offbeat.records import Receipt
from offbeat.tokens import Pass
from offbeat.wire.options import Format, Options

HEAD_END = b"\r\n\r\n"
HEAD_BYTES_MAX = 1024
HEADS_MAX = 1024
"""Senders repeat theirs, but for the length; who has ever new ones goes the usual way."""
BODY_BYTES_MAX = 64 * 1024
HELD_S = 0.05
"""Many clients send a body apart from its head: it is waited for so long, then it may arrive on the usual way."""
LOST = -1


@dataclass(slots=True)
class Head:
    """What a head says of its body. *options* are those under the settings *ingest*; *admitted* what lets it in."""

    length: int
    format: Format
    query: str
    ingest: IngestConfig
    options: Options
    admitted: Pass


class ShortWay:
    """What all connections know together."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.heads: dict[bytes, Head] = {}
        self._last: tuple[Receipt | None, bytes] = None, b""

    def learn(self, raw: bytes, message: RawRequestMessage, length: int) -> None:
        """Remember what the head *raw*, which aiohttp read as *message*, says, if bodies like its may go this way."""
        if len(raw) > HEAD_BYTES_MAX or length > BODY_BYTES_MAX or not plain(message):
            return
        ingest, query, headers = self._parts.config().ingest, message.url.query_string, message.headers
        try:
            format = format_of(headers.get(hdrs.CONTENT_TYPE, ""))
            if format is None or encoding_of(headers.get(hdrs.CONTENT_ENCODING, "")) != "identity":
                return
            options = options_of(ingest, format, query)
        except Refused:
            return
        admitted = self._parts.tokens.pass_of(bearer(headers), "ingest")
        if admitted is None:
            return
        if len(self.heads) >= HEADS_MAX:
            self.heads.clear()
        self.heads[raw] = Head(length, format, query, ingest, options, admitted)

    def offer(self, head: Head, body: bytes) -> asyncio.Future[Receipt] | None:
        """What will be the receipt of *body*; None if it would be refused at once."""
        if not head.admitted.holds():
            return None
        ingest = self._parts.config().ingest
        if head.ingest is not ingest:  # the settings were reloaded
            head.options, head.ingest = options_of(ingest, head.format, head.query), ingest
        return self._parts.intake.offer(body, head.options)

    def answer(self, taken: asyncio.Future[Receipt], options: Options, began_s: float) -> bytes:
        """The answer to a body that was *taken*, or was not after all; it is counted."""
        try:
            receipt, status = self._parts.intake.outcome(taken, options), 202
            if receipt is not self._last[0]:  # bodies that became durable together share theirs
                self._last = receipt, written(202, {}, document_of(receipt))
            answer = self._last[1]
        except Exception as e:
            refused = e if isinstance(e, Refused) else internal(e, "POST", PATH)
            status, answer = refused.status, written(refused.status, refused.headers, dump(refused.as_dict()))
        self._parts.metrics.answered(PATH, "POST", status, perf_counter() - began_s)
        return answer


def plain(message: RawRequestMessage) -> bool:
    """Is it a body of events, with nothing asked for beyond?"""
    return (
        message.method == "POST" and message.path.partition("?")[0] == PATH and message.version == HttpVersion11
        and not (message.should_close or message.upgrade or message.chunked)
        and hdrs.CONTENT_LENGTH in message.headers
        and hdrs.EXPECT not in message.headers and hdrs.COOKIE not in message.headers
        and "Idempotency-Key" not in message.headers
    )


def written(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """An answer as aiohttp writes one."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    return (f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{''.join(lines)}Content-Type: {JSON}\r\n"
            f"Content-Length: {len(body)}\r\nDate: {rfc822_formatted_time()}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"
            ).encode() + body


class Door(web.RequestHandler):
    """One connection: small bodies of events go the short way, one at a time; all else is aiohttp's."""

    __slots__ = ("_began_s", "_behind", "_held", "_left", "_let_go", "_options", "_short", "_taken")

    def __init__(self, server: web.Server, short: ShortWay, **options: Any) -> None:
        super().__init__(server, **options)
        self._short = short
        self._taken: asyncio.Future[Receipt] | None = None  # of the body that is on the short way
        self._options: Options | None = None
        self._began_s = 0.0
        self._behind = b""  # what came behind it
        self._held = b""  # a body that is not whole, with its head, which is known
        self._let_go: asyncio.TimerHandle | None = None  # when that is waited for no longer
        self._left = 0  # bytes of the last body yet to come; 0: the next one begins a head; LOST: nobody knows

    def data_received(self, data: bytes) -> None:
        """Take *data* the short way if it is one whole body whose head is known."""
        if self._taken is not None:
            if data and not self._behind:
                self._pause_reading_for_buffer()
            self._behind += data
            return
        if not data or self._left:
            super().data_received(data)
            if self._left > 0:
                self._left = self._left - len(data) if len(data) <= self._left else LOST
            return
        if self._held:
            data, self._held = self._held + data, b""
        end = data.find(HEAD_END, 0, HEAD_BYTES_MAX) + len(HEAD_END)
        head = self._short.heads.get(data[:end])
        missing = head.length - (len(data) - end) if head is not None and self._idle() else LOST
        self._hold(data if missing > 0 else b"")
        if missing <= 0 and not (head is not None and missing == 0 and self._take(head, data[end:])):
            self._go_usual_way(data)

    def _hold(self, data: bytes) -> None:
        """Keep *data* until its rest comes, for a while; if it is nothing, for nothing is waited any more."""
        self._held = data
        if data and self._let_go is None:
            self._let_go = self._loop.call_later(HELD_S, self._give_up)
        elif not data and self._let_go is not None:
            self._let_go.cancel()
            self._let_go = None

    def _give_up(self) -> None:
        data = self._held
        self._hold(b"")
        self._go_usual_way(data)

    def _go_usual_way(self, data: bytes) -> None:
        """Give *data*, which begins with a head, to aiohttp."""
        before = len(self._messages)
        super().data_received(data)
        self._follow(data, before)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget what has not come whole."""
        self._hold(b"")
        super().connection_lost(exc)

    def _idle(self) -> bool:
        """Is everything answered that came before, and its answer on its way?"""
        return (self._waiter is not None and not self._waiter.done() and not self._messages
                and not (self._paused or self._upgraded or self._close or self._force_close))

    def _follow(self, data: bytes, before: int) -> None:
        """Note where the next head begins, now that aiohttp has read *data*, which began one."""
        self._left = LOST
        end = data.find(HEAD_END) + len(HEAD_END)
        if len(self._messages) != before + 1 or data.count(b"\n", 0, end) != data.count(b"\r\n", 0, end):
            return
        message, payload = self._messages[-1]
        if isinstance(message, _ErrInfo) or message.chunked or message.upgrade:
            return
        length = int(message.headers.get(hdrs.CONTENT_LENGTH, 0))
        left = length - (len(data) - end)
        if left < 0 or payload.is_eof() != (left == 0):
            return
        self._left = left
        self._short.learn(data[:end], message, length)

    def _take(self, head: Head, body: bytes) -> bool:
        taken = self._short.offer(head, body)
        if taken is None:
            return False
        self._taken, self._options, self._began_s = taken, head.options, perf_counter()
        self._request_in_progress = True  # so that a shutdown waits for it
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        taken.add_done_callback(self._answer)
        return True

    def _answer(self, taken: asyncio.Future[Receipt]) -> None:
        assert self._options is not None
        answer = self._short.answer(taken, self._options, self._began_s)
        self._taken = None
        self._request_in_progress = False
        if self.transport is not None:
            self.transport.write(answer)
        if self._handler_waiter is not None:
            self._handler_waiter.set_result(None)
        if self._behind:
            behind, self._behind = self._behind, b""
            self._resume_reading_for_buffer()
            self.data_received(behind)


def doors(server: web.Server, parts: Parts) -> Callable[[], Door]:
    """What makes the protocol of a new connection to *server*."""
    short = ShortWay(parts)
    return lambda: Door(server, short, loop=server._loop, **server._kwargs)
