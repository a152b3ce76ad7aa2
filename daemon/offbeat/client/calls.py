"""Requests and answers as values, and what each call of the API is. No socket: any transport can carry them."""
from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

from offbeat.client.errors import BadAddress, NotOffbeat, refusal

URL_DEFAULT = "http://127.0.0.1:7373"
USER_AGENT = "offbeat-client"
ANSWER_LINE_BYTES_MAX = 65_536
"""A header of an answer is bounded by its page; this covers long names in it."""
Time = str | int | float | datetime
Names = str | Iterable[str]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a daemon listens: an URL, with the prefix of a proxy's path if there is one, and the token for it."""

    scheme: str
    host: str
    port: int
    prefix: str
    token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str | None, token: str | None) -> Address:
        """From what a program gave; None: OFFBEAT_URL and OFFBEAT_TOKEN, if they are set.

        Raises BadAddress if *url* is none, or if the token holds what no header may.
        """
        url = url or os.environ.get("OFFBEAT_URL") or URL_DEFAULT
        token = token or os.environ.get("OFFBEAT_TOKEN") or None
        try:
            parts = urlsplit(url if "//" in url else f"http://{url}")
            host, port = parts.hostname, parts.port
        except ValueError:  # a port that is no number, a bracket without its other half
            host, port = None, None
        if not host or port == 0 or parts.scheme not in ("http", "https"):
            raise BadAddress(f"{url!r} is no address of a daemon", hint=f"it looks like {URL_DEFAULT}")
        if token is not None and not (token.isascii() and token.isprintable()):
            raise BadAddress("the token holds what no header may", hint="was it read with its line end?")
        return cls(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/"), token)

    @property
    def url(self) -> str:
        """As it is written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"

    def headers(self, call: Call) -> dict[str, str]:
        """The headers of *call* here."""
        own = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"}
        if self.token is not None:
            own["Authorization"] = f"Bearer {self.token}"
        return own | dict(call.headers)


@dataclass(frozen=True, slots=True)
class Call:
    """One request. *path* has its parameters; *safe* says that asking twice is asking once."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, decompressed. *retry_after* and *content_type* are headers, "" where there is none."""

    status: int
    body: bytes
    content_type: str = ""
    retry_after: str = ""


def asked(method: str, path: str, document: object = None, **parameters: object) -> Call:
    """The call of *path* below /api/v1 with a JSON *document*, if one is given, and those parameters that are not None.

    A list is repeated, a moment is written as ISO 8601.
    """
    given = [(name, _written(one)) for name, value in parameters.items() for one in _several(value) if one is not None]
    query = "?" + urlencode(given, quote_via=quote) if given else ""
    body = None if document is None else orjson.dumps(document)
    headers = {} if document is None else {"Content-Type": "application/json"}
    return Call(method, f"/api/v1{path}{query}", body, headers, safe=method in ("GET", "PUT"))


def _several(value: object) -> Iterable[object]:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return value
    return (value,)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def named(name: str) -> str:
    """*name* as a part of a path, whatever it holds."""
    return quote(name, safe="")


def document_of(answer: Answer, url: str) -> dict[str, Any]:
    """The JSON object of *answer*, an empty one for 204.

    Raises a Refusal for a status of 400 or more, NotOffbeat if it is no answer of a daemon.
    """
    if answer.status == 204:
        return {}
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict) or 300 <= answer.status < 400:
        raise not_offbeat(answer.status, answer.content_type, url)
    if answer.status >= 400:
        if not isinstance(document.get("error"), dict):
            raise not_offbeat(answer.status, answer.content_type, url)
        raise refusal(answer.status, document, _seconds(answer.retry_after))
    return document


def not_offbeat(status: int, content_type: str, url: str) -> NotOffbeat:
    """What to say of an answer that no daemon gives."""
    return NotOffbeat(
        f"what answers at {url} is not Offbeat: it sent {content_type or 'something'} with status {status}"
        " where a JSON document was due",
        hint="is a proxy in between, or another program on that port?",
        status=status,
    )


def _seconds(retry_after: str) -> float | None:
    """What Retry-After asks for; None if it does not say, or says a date as some proxies do."""
    try:
        wait_s = float(retry_after)
    except ValueError:
        return None
    return wait_s if 0 <= wait_s < 3600 else None
