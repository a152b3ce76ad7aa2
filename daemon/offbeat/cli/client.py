"""The daemon as a command sees it: docs/api.md over HTTP, every failure a typed error. Nothing is printed here."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import orjson
from yarl import URL

from offbeat.cli.exits import CommandFailed, NotReachable, Status, WrongUsage
from offbeat.cli.options import given_token

Parameters = Sequence[tuple[str, str]]
PAGE_ROWS = 1000
"""Rows asked for at a time when a list is followed: a page is then under a megabyte."""
CONNECTION_LOST = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError)
"""What aiohttp raises if nobody answers, or stops in the middle; asyncio's time-outs are TimeoutError too."""

SHOW_A_TOKEN = "show one with --token-file, OFFBEAT_TOKEN or --token; `offbeat token create` makes one"


class Refusal(CommandFailed):
    """The daemon's answer of 400 or more. *status* and *error_code* are the answer's; *document* is all it said."""

    def __init__(
        self,
        message: str,
        *,
        hint: str,
        status: int,
        error_code: str,
        document: Mapping[str, Any],
        retry_after_s: float | None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.error_code = error_code
        self.document = document
        self.retry_after_s = retry_after_s
        if error_code == "bad_request":
            self.exit_status = Status.USAGE


class Daemon:
    """One daemon at *url*. Use as ``async with Daemon(url) as daemon``.

    url         where it listens, with the prefix of a proxy's path if there is one
    timeout_s   longest wait for an answer, or for the next bytes of one; a query may wait 10 s for its ``sequence``
    token       who calls; by default what the command was given by its options or the environment
    Raises WrongUsage if *url* is none, or the token none.
    """

    def __init__(
        self, url: str, *, timeout_s: float = 60.0, connections: int = 4, token: str | None = None
    ) -> None:
        try:
            parts = urlsplit(url if "//" in url else f"http://{url}")
            named = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number, a bracket without its other half
            named = False
        if not named:
            raise WrongUsage(f"{url!r} is no address of a daemon", hint="it looks like http://127.0.0.1:7373")
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=timeout_s)
        self._connections = connections
        self._token = given_token() if token is None else token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Daemon:
        connector = aiohttp.TCPConnector(limit=self._connections)
        # An answer is bounded by its page, so a header or a line of it is too; 64 KiB covers long names.
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            connector=connector,
            max_line_size=65_536,
            max_field_size=65_536,
            headers={"User-Agent": "offbeat-cli"}
            | ({"Authorization": f"Bearer {self._token}"} if self._token else {}),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        parameters: Parameters = (),
        body: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer of one request, whatever its status; its body is still to be read.

        Raises NotReachable if nothing answers or the connection breaks, also while the caller reads the body.
        """
        assert self._session is not None, "enter the daemon first"
        query = "?" + urlencode(parameters, quote_via=quote) if parameters else ""
        try:
            async with self._session.request(
                method, URL(f"{self.url}{path}{query}", encoded=True), data=body, headers=headers, allow_redirects=False
            ) as answer:
                yield answer
        except CONNECTION_LOST as e:
            raise self._unreachable(e) from e
        except aiohttp.ClientError as e:
            raise NotReachable(
                f"what answers at {self.url} does not speak HTTP as a daemon does: {_words(e)}",
                hint="is another program on that port?",
            ) from e

    async def get(self, path: str, parameters: Parameters = ()) -> dict[str, Any]:
        """The JSON object at *path* (below /api/v1). Raises Refusal for an error of the daemon, NotReachable else."""
        async with self.request("GET", f"/api/v1{path}", parameters=parameters) as answer:
            return await self.document(answer)

    async def post(self, path: str, document: Mapping[str, Any], parameters: Parameters = ()) -> dict[str, Any]:
        """What *path* (below /api/v1) answers to a JSON document. Raises as ``get``."""
        headers, body = {"Content-Type": "application/json"}, orjson.dumps(document)
        async with self.request("POST", f"/api/v1{path}", parameters=parameters, body=body, headers=headers) as answer:
            return await self.document(answer)

    async def put(self, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Replace what is at *path* (below /api/v1) by a JSON document. Raises as ``get``."""
        headers, body = {"Content-Type": "application/json"}, orjson.dumps(document)
        async with self.request("PUT", f"/api/v1{path}", body=body, headers=headers) as answer:
            return await self.document(answer)

    async def patch(self, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """What *path* (below /api/v1) answers to a JSON document that changes what is there. Raises as ``get``."""
        headers, body = {"Content-Type": "application/json"}, orjson.dumps(document)
        async with self.request("PATCH", f"/api/v1{path}", body=body, headers=headers) as answer:
            return await self.document(answer)

    async def post_body(self, path: str, body: bytes, media: str, parameters: Parameters = ()) -> dict[str, Any]:
        """What *path* (below /api/v1) answers to a body of the type *media*. Raises as ``get``."""
        headers = {"Content-Type": media}
        async with self.request("POST", f"/api/v1{path}", parameters=parameters, body=body, headers=headers) as answer:
            return await self.document(answer)

    async def post_bytes(
        self,
        path: str,
        body: bytes | AsyncIterator[bytes],
        *,
        parameters: Parameters = (),
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """What *path* (below /api/v1) answers to a body of any form, whole or as it comes. Raises as ``get``."""
        async with self.request("POST", f"/api/v1{path}", parameters=parameters, body=body, headers=headers) as answer:
            return await self.document(answer)

    async def delete(self, path: str) -> None:
        """Delete what is at *path* (below /api/v1). Raises as ``get``."""
        async with self.request("DELETE", f"/api/v1{path}") as answer:
            if answer.status != 204:
                await self.document(answer)

    async def document(self, answer: aiohttp.ClientResponse) -> dict[str, Any]:
        """The JSON object of *answer*.

        Raises Refusal for a status of 400 or more, NotReachable if it is no answer of a daemon.
        """
        raw = await answer.read()
        try:
            document = orjson.loads(raw)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict) or 300 <= answer.status < 400:
            raise self._not_offbeat(answer)
        if answer.status >= 400:
            error = document.get("error")
            if not isinstance(error, dict):
                raise self._not_offbeat(answer)
            raise Refusal(
                str(error.get("message", "")),
                hint=SHOW_A_TOKEN if answer.status == 401 and not self._token else str(error.get("hint") or ""),
                status=answer.status,
                error_code=str(error.get("code", "")),
                document=document,
                retry_after_s=retry_after_s(answer),
            )
        return document

    async def pages(
        self, path: str, key: str, parameters: Parameters, limit: int | None
    ) -> AsyncIterator[tuple[list[Any], bool]]:
        """The rows under *key*, a page at a time, at most *limit* (None: all), and whether more follow the page."""
        cursor: str | None = None
        left = limit
        while True:
            asked = PAGE_ROWS if left is None else min(PAGE_ROWS, left)
            more = [("limit", str(asked))] + ([("cursor", cursor)] if cursor else [])
            document = await self.get(path, [*parameters, *more])
            rows, cursor = document.get(key), document.get("next_cursor")
            if not isinstance(rows, list):
                raise NotReachable(
                    f"what answers at {self.url} is not this version of Offbeat: its answer has no {key}"
                )
            left = None if left is None else left - len(rows)
            yield rows, cursor is not None
            if cursor is None or (left is not None and left <= 0):
                return

    def _unreachable(self, error: BaseException) -> NotReachable:
        if isinstance(error, aiohttp.ClientConnectorError):
            return NotReachable(
                f"no daemon answers at {self.url}: {_words(error)}",
                hint="start one with `offbeat serve`, or say where it is with --url or OFFBEAT_URL",
            )
        if isinstance(error, TimeoutError | asyncio.TimeoutError):
            return NotReachable(
                f"the daemon at {self.url} did not answer in time",
                hint="is it overloaded, or is another program on that port?",
            )
        return NotReachable(
            f"the connection to {self.url} broke: {_words(error)}",
            hint="the daemon may have been stopped; its log says more",
        )

    def _not_offbeat(self, answer: aiohttp.ClientResponse) -> NotReachable:
        kind = answer.content_type if "Content-Type" in answer.headers else "something"
        return NotReachable(
            f"what answers at {self.url} is not Offbeat: it sent {kind} with status {answer.status}"
            " where a JSON document was due",
            hint="is a proxy in between, or another program on that port?",
        )


def retry_after_s(answer: aiohttp.ClientResponse) -> float | None:
    """How long *answer* asks to wait, in seconds; None if it does not say, or says a date as some proxies do."""
    try:
        wait_s = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return wait_s if 0 <= wait_s < 3600 else None


def job_path(job: str) -> str:
    """The path of one job below /api/v1, whatever its name holds."""
    return f"/jobs/{quote(job, safe='')}"


def source_path(source: str) -> str:
    """The path of one source below /api/v1, whatever its name holds."""
    return f"/sources/{quote(source, safe='')}"


def record_path(record: str) -> str:
    """The path of one record below /api/v1, whatever its id holds."""
    return f"/records/{quote(record, safe='')}"


def _words(error: BaseException) -> str:
    """The reason in the system's words, without the machinery's."""
    if isinstance(error, aiohttp.ClientPayloadError):
        return "its answer ended early"
    inner = getattr(error, "os_error", error)
    if isinstance(inner, OSError) and inner.strerror:
        text = inner.strerror
        if text.startswith("Connect call failed"):  # asyncio's own wording of a refusal
            return "connection refused"
        return text[:1].lower() + text[1:]
    return str(error) or type(error).__name__
