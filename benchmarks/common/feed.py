"""A fleet's events given to servers, part by part, event time rising: no event is sent twice, none is late."""
from __future__ import annotations

import time
from collections.abc import Sequence

from common import load
from common.daemon import Daemon
from common.events import FORMS, Events, Fleet, Form, bodies
from common.process import Process

PATH = "/api/v1/events"
HISTORY_S = 30 * 86_400
"""Event time begins this long ago: two thousand sensors a second are sent far faster than they would speak."""
BODY_EVENTS, CONNECTIONS = 5_000, 4
SLICE_EVENTS = 4_000_000
"""So many events are made at once: some 500 MB of requests."""
WITHIN_S = 600.0
"""A number of bodies is sent however long it takes; this ends what hangs."""


def start_ms() -> int:
    """Where event time begins, on the hour."""
    return int(time.time() - HISTORY_S) // 3600 * 3_600_000


class Feed:
    """The events of *fleet* from *now_ms* on, in *form*; each source stays on one connection."""

    def __init__(self, fleet: Fleet, form: Form = FORMS["ndjson"], now_ms: int | None = None) -> None:
        self.fleet, self.form = fleet, form
        self.now_ms = start_ms() if now_ms is None else now_ms
        self._source_digits = 4 if fleet.sources <= 10_000 else 7

    def next(self, count: int, connections: int = CONNECTIONS, body_events: int = BODY_EVENTS) -> list[Events]:
        """*count* events by connection, whole bodies and one at least; what comes next is later than all of them."""
        each = max(1, count // connections // body_events) * body_events
        made = [self.fleet.events(self.fleet.share(part, connections), each, self.now_ms)
                for part in range(connections)]
        self.now_ms = self.fleet.end_ms(max(1, self.fleet.sources // connections), each, self.now_ms)
        return made

    def requests(self, one: Process, events: Sequence[Events], body_events: int = BODY_EVENTS,
                 path: str = PATH) -> list[list[bytes]]:
        """*events* as POSTs to *one*, by connection."""
        return [[load.request(path, one.host, self.form.content_type, body)
                 for body in bodies(self.form, some, body_events, self._source_digits)] for some in events]

    def give(self, daemon: Daemon, count: int, connections: int = CONNECTIONS, body_events: int = BODY_EVENTS) -> float:
        """Send *count* events; events a second from the first byte until queries see them scored."""
        took_s, taken = 0.0, 0
        while taken < count:
            part = self.next(min(SLICE_EVENTS, count - taken), connections, body_events)
            sent = load.send(daemon.address, self.requests(daemon, part, body_events), WITHIN_S)
            took_s += daemon.wait_applied(sent.sequence) - sent.began_s
            taken += sent.accepted
            if sent.accepted != sum(some.source.size for some in part):
                raise load.LoadFailed(f"{sent.accepted} events taken of {sum(some.source.size for some in part)}")
        return taken / took_s

    def make_known(self, daemon: Daemon, readings: int = 1) -> None:
        """Send *readings* of every source, so that nothing later pays for a first sight."""
        self.give(daemon, self.fleet.sources * readings, 1, self.fleet.sources)

    def press(self, daemon: Daemon, rate: float, seconds: float) -> tuple[list[Events], load.Sent]:
        """Send at *rate* events a second for *seconds*, evenly; what was made, and what became of it."""
        every_s = BODY_EVENTS * CONNECTIONS / rate
        made = self.next(int(rate * (seconds + 2 * every_s)))
        sent = load.send(daemon.address, self.requests(daemon, made), seconds, every_s)
        return made, sent
