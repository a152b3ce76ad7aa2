"""Bodies to the daemon, each counted once whatever happens: keys, retries, pace, connections. No file, no terminal."""
from __future__ import annotations

import asyncio
import hashlib
import heapq
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from offbeat.cli.client import Daemon, Parameters, Refusal
from offbeat.cli.exits import CommandFailed, NotReachable, one_cause
from offbeat.errors import OffbeatError

RETRIED = (408, 429, 502, 503, 504)
BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 10.0
ERRORS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Body:
    """Some whole records of the input, as one request.

    index         which body of the run, from 0
    data          the bytes
    first_line    line of the input at which its first line stands, from 1
    header_lines  lines at its start that stand at the start of the input instead: a CSV header that is repeated
    event_count   about how many events, for the pace
    position      bytes of the input (of the compressed file, if it is one) that were read when it was cut
    """

    index: int
    data: bytes
    first_line: int
    header_lines: int
    event_count: int
    position: int

    def line_in_input(self, line: int) -> int:
        """The line of the input that is *line* (from 1) of this body."""
        if line <= self.header_lines:
            return line
        return self.first_line + line - 1 - self.header_lines


@dataclass(frozen=True, order=True, slots=True)
class RejectedInput:
    """A line of the input that the daemon did not take."""

    line: int
    code: str
    reason: str

    def as_dict(self) -> dict[str, object]:
        """As the API's answer shows one."""
        return {"line": self.line, "code": self.code, "reason": self.reason}


@dataclass(slots=True)
class Tally:
    """What became of the bodies so far.

    errors    rejected lines with their reasons, at most ERRORS_KEPT; *rejected* counts all
    sequence  the newest journal number that holds any of it
    retries   requests that had to be sent again
    """

    accepted: int = 0
    rejected: int = 0
    bodies: int = 0
    retries: int = 0
    sequence: int = 0
    position: int = 0
    errors: list[RejectedInput] = field(default_factory=list)

    def count(self, body: Body, answer: Mapping[str, object]) -> None:
        """Add the daemon's *answer* to *body*."""
        self.bodies += 1
        self.accepted += _whole(answer.get("accepted"))
        self.rejected += _whole(answer.get("rejected"))
        self.sequence = max(self.sequence, _whole(answer.get("sequence")))
        self.position = max(self.position, body.position)
        listed = answer.get("errors")
        for error in listed if isinstance(listed, list) else []:
            self.errors.append(
                RejectedInput(
                    body.line_in_input(_whole(error.get("line"))),
                    str(error.get("code", "")),
                    str(error.get("reason", "")),
                )
            )
        if len(self.errors) > 2 * ERRORS_KEPT:
            self.errors = heapq.nsmallest(ERRORS_KEPT, self.errors)

    def first_errors(self, count: int) -> list[RejectedInput]:
        """The *count* rejected lines that stand first in the input."""
        return heapq.nsmallest(min(count, ERRORS_KEPT), self.errors)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


class Pace:
    """At most *rate* events a second over all connections; None is no limit."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._due_s = 0.0

    async def wait(self, event_count: int) -> None:
        """Return when *event_count* events may go."""
        if self._rate is None:
            return
        now_s = asyncio.get_running_loop().time()
        start_s = max(now_s, self._due_s)
        self._due_s = start_s + event_count / self._rate
        await asyncio.sleep(start_s - now_s)


class Sender:
    """Posts bodies to *daemon* over a few connections.

    Each body carries an Idempotency-Key made of *run*, its index and its content, so a body that is sent again, after
    an answer was lost or in a later run of the same name, is not counted twice. Requests are repeated after 408, 429
    and 5xx from a full or stopping daemon and after a lost connection, waiting as long as the answer asks, else 0.25 s
    doubling to 10 s; after *patience_s* without success for one body the error stands. A daemon that never answered is
    not waited for.
    """

    def __init__(
        self,
        daemon: Daemon,
        *,
        parameters: Parameters,
        content_type: str,
        run: str,
        connections: int = 1,
        rate: float | None = None,
        patience_s: float = 60.0,
        backoff_first_s: float = BACKOFF_FIRST_S,
        on_answer: Callable[[Tally], None] = lambda _: None,
    ) -> None:
        self._daemon = daemon
        self._parameters = parameters
        self._content_type = content_type
        self._run = run
        self._connections = connections
        self._pace = Pace(rate)
        self._patience_s = patience_s
        self._backoff_first_s = backoff_first_s
        self._on_answer = on_answer
        self._reached = False
        self._jitter = random.Random(run)
        self.tally = Tally()

    async def send(self, bodies: AsyncIterator[Body]) -> Tally:
        """Send all *bodies*; with one connection in their order. At most two bodies a connection are held at a time.

        Raises the first error that stands; *tally* then says what was counted until there.
        """
        waiting: asyncio.Queue[Body | None] = asyncio.Queue(maxsize=self._connections)
        broken: OffbeatError | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._connections):
                    tasks.create_task(self._connection(waiting))
                try:
                    async for body in bodies:
                        await waiting.put(body)
                except OffbeatError as e:  # the input is broken from here on: what came before still goes
                    broken = e
                for _ in range(self._connections):
                    await waiting.put(None)
        except BaseExceptionGroup as several:
            raise one_cause(several) from None
        if broken is not None:
            raise broken
        return self.tally

    async def _connection(self, waiting: asyncio.Queue[Body | None]) -> None:
        while (body := await waiting.get()) is not None:
            await self._pace.wait(body.event_count)
            self.tally.count(body, await self._answer(body))
            self._on_answer(self.tally)

    def _key(self, body: Body) -> str:
        return f"{self._run}-{body.index}-{hashlib.blake2b(body.data, digest_size=12).hexdigest()}"

    async def _answer(self, body: Body) -> Mapping[str, object]:
        loop = asyncio.get_running_loop()
        headers = {"Content-Type": self._content_type, "Idempotency-Key": self._key(body)}
        backoff_s, started_s = self._backoff_first_s, loop.time()
        while True:
            problem: CommandFailed
            try:
                async with self._daemon.request(
                    "POST", "/api/v1/events", parameters=self._parameters, body=body.data, headers=headers
                ) as answer:
                    document = await self._daemon.document(answer)
                self._reached = True
                return document
            except Refusal as e:
                self._reached = True
                if e.error_code == "no_good_line":
                    return e.document
                if e.status not in RETRIED:
                    raise _placed(e, body) from e
                problem, wait_s = e, e.retry_after_s
            except NotReachable as e:
                if not self._reached:
                    raise
                problem, wait_s = e, None
            if wait_s is None:
                wait_s = backoff_s * self._jitter.uniform(0.75, 1.25)
                backoff_s = min(BACKOFF_MAX_S, 2 * backoff_s)
            if loop.time() + wait_s - started_s > self._patience_s:
                raise problem
            self.tally.retries += 1
            await asyncio.sleep(wait_s)


def _placed(error: Refusal, body: Body) -> CommandFailed:
    """*error* with the place of *body*, whose lines the daemon refused whole."""
    placed = CommandFailed(
        f"the lines from {body.first_line} on were refused: {error.message}", hint=error.hint, where=error.where
    )
    placed.exit_status = error.exit_status
    return placed


async def wait_until_scored(daemon: Daemon, sequence: int, *, patience_s: float = 60.0) -> None:
    """Return when all up to *sequence* is scored. Raises CommandFailed if nothing moves for *patience_s*."""
    loop = asyncio.get_running_loop()
    applied, moved_s = -1, loop.time()
    while applied < sequence:
        asked_s = loop.time()
        try:
            document = await daemon.get("/diagnosis", [("sequence", str(sequence)), ("limit", "1")])
            now_applied = _whole(document.get("daemon", {}).get("applied_sequence"))
        except Refusal as e:
            if e.status not in RETRIED:
                raise
            now_applied = applied
        if now_applied > applied:
            applied, moved_s = now_applied, loop.time()
        elif loop.time() - moved_s > patience_s:
            raise CommandFailed(
                f"the daemon took everything but has scored nothing for {patience_s:.0f} s:"
                f" it is at entry {applied} of {sequence}",
                hint="`offbeat diagnosis` and the daemon's log say more",
            )
        if applied < sequence:
            await asyncio.sleep(max(0.0, asked_s + 0.1 - loop.time()))
