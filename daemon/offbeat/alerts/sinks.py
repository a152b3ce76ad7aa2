"""What every sink is, and which there are. A sink sends one notification and raises if that did not work."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp

from offbeat.alerts.payload import Document
from offbeat.config import HttpSinkConfig

SAID_MAX = 500
"""So many characters of what a receiver says are kept."""


class SendFailed(Exception):
    """A notification was not taken; the message says why, in a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Note:
    """One notification as it is sent. *id* is the same at every attempt: a receiver that knows it has it already."""

    id: str
    document: Document


class Sink(Protocol):
    """One receiver."""

    async def send(self, note: Note) -> None:
        """Hand *note* over. Raises SendFailed."""
        ...

    async def resend(self, notes: Sequence[Note]) -> None:
        """Say again what is active, to a receiver that must be told so. Raises SendFailed."""
        ...

    @property
    def resend_s(self) -> float:
        """How often it must; 0: never."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...


def secret(given: str, file: str, variable: str) -> str:
    """The secret: as it was given, or read anew from its file or environment variable; "" if there is none.

    Raises SendFailed if it cannot be read.
    """
    if file:
        try:
            return Path(file).read_text().strip()
        except (OSError, UnicodeDecodeError) as e:
            raise SendFailed(f"the secret cannot be read: {e}") from e
    if variable:
        if variable not in os.environ:
            raise SendFailed(f"the secret cannot be read: there is no environment variable {variable}")
        return os.environ[variable]
    return given


class HttpSender:
    """POSTs documents for one sink."""

    def __init__(self, config: HttpSinkConfig) -> None:
        self._config = config
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """POST *body*; the answer must be 2xx, a redirection is none. Raises SendFailed."""
        config = self._config
        token = secret(config.token, config.token_file, config.token_env)
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=config.timeout_s)
            self._session = aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": "offbeat"})
        given = {**config.headers, "Content-Type": "application/json", **headers}
        if token:
            given["Authorization"] = f"Bearer {token}"
        try:
            async with self._session.post(url, data=body, headers=given, allow_redirects=False) as answer:
                if not 200 <= answer.status < 300:
                    said = (await answer.content.read(SAID_MAX)).decode(errors="replace").strip()
                    raise SendFailed(f"it answered {answer.status}{': ' if said else ''}{said}")
        except TimeoutError:
            raise SendFailed(f"it did not answer within {config.timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as e:
            raise SendFailed(f"it cannot be reached: {str(e) or type(e).__name__}"[:SAID_MAX]) from e

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()
            self._session = None
