"""Calls over aiohttp, on the loop that awaits them."""
from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from offbeat.client.calls import ANSWER_LINE_BYTES_MAX, Address, Answer, Call, document_of, not_offbeat
from offbeat.client.errors import NotOffbeat
from offbeat.client.transport import CONNECT_S, STREAM_SILENT_S, unreachable

LOST = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError)


class AsyncConnections:
    """Connections to *address*, made in the loop that first asks. *timeout_s*: longest wait for the next bytes."""

    def __init__(self, address: Address, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        self._address, self._timeout_s, self._tls = address, timeout_s, tls
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections; a later call connects again."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def exchange(self, call: Call) -> Answer:
        """The answer to *call*, whatever its status. Raises NotReachable, or NotOffbeat for what is no HTTP."""
        async with self._request(call, self._timeout_s) as answer:
            return Answer(
                answer.status, await answer.read(), answer.content_type, answer.headers.get("Retry-After", "")
            )

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[AsyncIterator[bytes]]:
        """The answer to *call* as it comes. Raises a Refusal too."""
        async with self._request(call, max(self._timeout_s, STREAM_SILENT_S)) as answer:
            kind = answer.content_type
            if answer.status != 200 or kind != "text/event-stream":
                retry_after = answer.headers.get("Retry-After", "")
                document_of(Answer(answer.status, await answer.read(), kind, retry_after), self._address.url)
                raise not_offbeat(answer.status, kind, self._address.url)
            yield answer.content.iter_any()

    @asynccontextmanager
    async def _request(self, call: Call, timeout_s: float) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                max_line_size=ANSWER_LINE_BYTES_MAX, max_field_size=ANSWER_LINE_BYTES_MAX
            )
        url = self._address.url
        try:
            async with self._session.request(
                call.method,
                URL(url + call.path, encoded=True),
                data=call.body,
                headers=self._address.headers(call),
                allow_redirects=False,
                ssl=True if self._tls is None else self._tls,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=timeout_s),
            ) as answer:
                yield answer
        except LOST as e:
            connecting = isinstance(e, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
            cause = e if isinstance(e, OSError) else OSError(None, str(e) or "its answer ended early")
            raise unreachable(url, cause, sent=not connecting) from e
        except aiohttp.ClientError as e:
            raise NotOffbeat(
                f"what answers at {url} does not speak HTTP as a daemon does: {e}",
                hint="is another program on that port?",
            ) from e
