"""A stream that is followed over breaks: which id to go on from, how long to wait. Pure; both clients follow alike."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from offbeat.client.calls import Call, asked
from offbeat.client.errors import ClientError, NotOffbeat, NotReachable
from offbeat.client.retrying import Attempts, Retry
from offbeat.client.sse import Parser

ORDINAL_MAX = 10**18 - 1


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of the stream: its *kind* (record, bucket, status), its document, and the id to go on from after it.

    *id* is None until the stream has had any, which only ``status`` and records of jobs with detectors come without.
    """

    kind: str
    document: dict[str, Any]
    id: str | None


class Following:
    """Where one who follows is. *last_id*: the newest event that was handed over, with all before it."""

    def __init__(self, first: Retry, later: Retry, last_id: str | None, **parameters: object) -> None:
        """*first*: until the stream has been there; *later*: over breaks."""
        self._later, self._parameters = later, parameters
        self._attempts = Attempts(first, safe=True)
        self._parser = Parser()
        self.last_id = last_id

    def beginning(self) -> Call | None:
        """Without an id to go on from: what says where the journal is now, so that no break ever makes a gap."""
        return asked("GET", "/diagnosis", limit=1) if self.last_id is None else None

    def begin(self, document: dict[str, Any]) -> None:
        """Go on from where the daemon says that it is."""
        applied = document.get("daemon", {}).get("applied_sequence")
        if not isinstance(applied, int):
            raise NotOffbeat("what answers is not this version of Offbeat: it does not say where its journal is")
        self.last_id = f"{applied}-{ORDINAL_MAX}"

    def call(self) -> Call:
        """The request for the stream from here on."""
        self._parser = Parser()
        call = asked("GET", "/stream", **self._parameters)
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "Last-Event-ID": self.last_id or ""}
        return replace(call, headers=headers)

    def heard(self, chunk: bytes) -> Iterator[Happened]:
        """The events that *chunk* completes; each counts as heard once the next is asked for."""
        self._attempts = Attempts(self._later, safe=True)  # a chunk, be it a comment: it is there again
        try:
            for message in self._parser.feed(chunk):
                document = orjson.loads(message.data)
                yield Happened(message.kind, document, message.id or self.last_id)
                self.last_id = message.id or self.last_id
        except ValueError as e:
            raise NotOffbeat(f"the daemon's stream makes no sense: {e}") from e

    def broke(self, error: ClientError | None, now_s: float) -> float:
        """How long to wait until the stream is taken up again. Raises *error* if it is not; None: it just ended."""
        return self._attempts.wait_s(error or NotReachable("the daemon ended the stream"), now_s)
