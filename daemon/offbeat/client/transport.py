"""Calls over http.client: connections that are kept, shared by threads, none shared with a fork.

Why not the client of aiohttp on a thread: a call would pass through two threads and a loop, a fork would leave a child
with a loop that nobody runs, and an interrupt would reach the wrong one. A connection belongs to the one thread that
has taken it from the pool; a socket's own timeout is the timeout.
"""
from __future__ import annotations

import http.client
import select
import ssl
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from offbeat.client.calls import Address, Answer, Call, document_of, not_offbeat
from offbeat.client.errors import ClientError, NotOffbeat, NotReachable
from offbeat.client.forks import begins_anew

CONNECT_S = 10.0
STREAM_SILENT_S = 45.0
"""A stream has a comment every 15 s; one that is silent for longer than this has lost its daemon."""
IDLE_MAX = 8
CHUNK_BYTES = 65_536


class Connections:
    """Connections to *address*. *timeout_s*: longest wait for the next bytes of an answer."""

    def __init__(self, address: Address, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        self._address, self._timeout_s = address, timeout_s
        self._tls = tls if tls is not None or address.scheme == "http" else ssl.create_default_context()
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._closed = False
        begins_anew(self)

    def begin_anew(self) -> None:
        """Leave the connections to the parent: the child closes its copies of them."""
        self._lock = threading.Lock()
        self._leave()

    def close(self) -> None:
        """Close what is kept, and keep nothing more; calls under way are not touched."""
        self._closed = True
        self._leave()

    def _leave(self) -> None:
        with self._lock:
            kept, self._idle = self._idle, []
        for connection in kept:
            connection.close()

    def exchange(self, call: Call) -> Answer:
        """The answer to *call*, whatever its status. Raises NotReachable, or NotOffbeat for what is no HTTP."""
        connection = self._kept() or self._connect(self._timeout_s)
        try:
            with self._breaks():
                response = self._begin(connection, call)
                body = response.read()
                if response.headers.get("Content-Encoding") == "gzip":
                    body = zlib.decompress(body, 16 + zlib.MAX_WBITS)
        except BaseException:
            connection.close()
            raise
        answer = Answer(
            response.status, body, response.headers.get_content_type(), response.headers.get("Retry-After", "")
        )
        if response.will_close:
            connection.close()
        else:
            self._keep(connection)
        return answer

    @contextmanager
    def stream(self, call: Call) -> Iterator[Iterator[bytes]]:
        """The answer to *call* as it comes, over a connection of its own. Raises a Refusal too."""
        connection = self._connect(max(self._timeout_s, STREAM_SILENT_S))
        try:
            with self._breaks():
                response = self._begin(connection, call)
                kind = response.headers.get_content_type()
                if response.status != 200 or kind != "text/event-stream":
                    retry_after = response.headers.get("Retry-After", "")
                    document_of(Answer(response.status, response.read(), kind, retry_after), self._address.url)
                    raise not_offbeat(response.status, kind, self._address.url)
            yield self._chunks(response)
        finally:
            connection.close()

    def _chunks(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        while True:
            with self._breaks():
                chunk = response.read1(CHUNK_BYTES)
            if not chunk:
                return
            yield chunk

    def _begin(self, connection: http.client.HTTPConnection, call: Call) -> http.client.HTTPResponse:
        try:
            connection.request(call.method, self._address.prefix + call.path, call.body, self._address.headers(call))
        except (BrokenPipeError, ConnectionResetError):  # refused before all was sent: the answer may be there
            return connection.getresponse()
        return connection.getresponse()

    def _kept(self) -> http.client.HTTPConnection | None:
        """A connection that is open still; what the daemon closed meanwhile has its end to be read."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            watch = select.poll()
            watch.register(connection.sock, select.POLLIN)
            if not watch.poll(0):
                return connection
            connection.close()

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < IDLE_MAX and not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        address = self._address
        if address.scheme == "https":
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                address.host, address.port, timeout=CONNECT_S, context=self._tls
            )
        else:
            made = http.client.HTTPConnection(address.host, address.port, timeout=CONNECT_S)
        try:
            made.connect()
        except OSError as e:
            made.close()
            raise unreachable(address.url, e, sent=False) from e
        made.sock.settimeout(timeout_s)
        return made

    @contextmanager
    def _breaks(self) -> Iterator[None]:
        """What breaks inside, as the library's errors."""
        try:
            yield
        except ClientError:
            raise
        except http.client.IncompleteRead as e:
            raise NotReachable(f"the connection to {self._address.url} broke: its answer ended early") from e
        except OSError as e:  # RemoteDisconnected too
            raise unreachable(self._address.url, e, sent=True) from e
        except (http.client.HTTPException, zlib.error) as e:
            raise NotOffbeat(
                f"what answers at {self._address.url} does not speak HTTP as a daemon does: {e}",
                hint="is another program on that port?",
            ) from e


def unreachable(url: str, error: OSError, *, sent: bool) -> NotReachable:
    """What to say of *error*, before or after something was sent."""
    said = error.strerror or str(error) or type(error).__name__
    words = said[:1].lower() + said[1:]
    if not sent:
        return NotReachable(
            f"no daemon answers at {url}: {words}",
            hint="start one with `offbeat serve`, or say where it is with OFFBEAT_URL",
            sent=False,
        )
    if isinstance(error, TimeoutError):
        return NotReachable(f"the daemon at {url} did not answer in time", hint="is it overloaded?")
    return NotReachable(f"the connection to {url} broke: {words}", hint="the daemon may have been stopped")
