"""The sender of threads: it takes events at once; a thread of its own sends them, in order, until each is answered."""
from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol
from weakref import WeakSet

from offbeat.client.calls import Call
from offbeat.client.errors import ClientError, NotInTime, QueueFull, Refusal, SenderClosed, Undelivered
from offbeat.client.events import lines_of
from offbeat.client.forks import begins_anew
from offbeat.client.outbox import Batch, Outbox, Posting, SenderOptions, lots
from offbeat.client.receipts import Receipt, Rejection, listed
from offbeat.client.retrying import Attempts, Retry

LOG = logging.getLogger("offbeat.client")
LOT_EVENTS = 1000
"""Events that are taken under one lock: enough that it costs nothing, few enough that the thread has its turn."""
LEAVING_S = 10.0
"""What is left may take so long where a program leaves by an error, or ends without ``close``."""
_OPEN: WeakSet[Sender] = WeakSet()


class Ask(Protocol):
    """``Client._ask``."""

    def __call__(self, call: Call, attempts: Attempts, sleep: Callable[[float], object]) -> dict[str, Any]:
        """What the daemon answers to *call*, asked again as *attempts* says, with *sleep* in between."""


class Sender:
    """Collects events into batches and sends them. ``Client.sender`` makes one; use it as a context, or call ``close``.

    Any number of threads may send; the events of each keep their order, and a batch is only sent once the one before it
    is answered, so none is late for overtaking. Each event is accepted, rejected, or told in an ``Undelivered``; each
    batch counts once however often it is sent. In a forked child the sender begins empty: what waited is the parent's.
    """

    def __init__(
        self,
        ask: Ask,
        retry: Retry,
        on_rejected: Callable[[Sequence[Rejection]], None] | None,
        options: SenderOptions,
    ) -> None:
        self._ask, self._retry, self._options = ask, retry, options
        self._on_rejected = on_rejected or log_rejected
        self._posting = Posting.of(options)
        self._begin()
        begins_anew(self)
        _OPEN.add(self)

    def _begin(self) -> None:
        self._outbox = Outbox(self._options)
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._closed = self._told = False
        self._thread: threading.Thread | None = None

    def begin_anew(self) -> None:
        """Empty, and with keys of its own."""
        closed = self._closed
        self._posting = self._posting.again()
        self._begin()
        self._closed = closed

    def __enter__(self) -> Sender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        try:
            self.close(LEAVING_S)
        except ClientError as e:
            note_of(error, e)

    @property
    def receipt(self) -> Receipt:
        """What became of the events so far."""
        with self._changed:
            return self._outbox.receipt.copy()

    @property
    def waiting(self) -> int:
        """Events that no answer covers yet."""
        with self._changed:
            return self._outbox.taken - self._outbox.settled

    def send(
        self,
        events: Any,
        *,
        columns: Sequence[str] | None = None,
        extra: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> int:
        """Take *events*, which may be one; how many they were. Waits while as much waits as may.

        events     see ``offbeat.client.events.lines_of``
        timeout_s  longest wait for room, None: until there is some
        Raises QueueFull after *timeout_s*, BadEvent, SenderClosed, and Undelivered once the sender has given up.
        """
        taken, until_s = 0, None if timeout_s is None else time.monotonic() + timeout_s
        for lot in lots(lines_of(events, columns=columns, extra=extra), LOT_EVENTS):
            taken += self._put(lot, until_s, taken)
        return taken

    def _put(self, lines: Sequence[bytes], until_s: float | None, before: int) -> int:
        with self._changed:
            at = 0
            while True:
                self._check()
                now_s = time.monotonic()
                idle = self._outbox.due_in_s(now_s) is None
                at = self._outbox.put(lines, at, now_s)
                if idle or self._outbox.due_in_s(now_s) == 0.0:  # else the thread knows already when to wake
                    self._changed.notify_all()
                if at == len(lines):
                    return at
                left_s = None if until_s is None else until_s - time.monotonic()
                if (left_s is not None and left_s <= 0) or not self._changed.wait_for(self._may_go_on, left_s):
                    raise QueueFull("as much waits for the daemon as may", taken=before + at)

    def _may_go_on(self) -> bool:
        return self._outbox.has_room or self._outbox.failed is not None or self._closed

    def _check(self) -> None:
        if (lost := self._outbox.undelivered()) is not None:
            self._told = True
            raise lost from lost.cause
        if self._closed:
            raise SenderClosed("the sender is closed")
        if self._thread is None:
            # A daemon thread: the interpreter must come as far as _at_exit.
            self._thread = threading.Thread(target=self._work, name="offbeat-sender", daemon=True)
            self._thread.start()

    def flush(self, timeout_s: float | None = None) -> Receipt:
        """Send all that was taken so far, and return once it is answered: what became of all events until now.

        Raises NotInTime after *timeout_s*, and Undelivered if the sender gives up.
        """
        with self._changed:
            upto = self._outbox.flush()
            self._changed.notify_all()
            done = self._changed.wait_for(
                lambda: self._outbox.settled >= upto or self._outbox.failed is not None, timeout_s
            )
            if (lost := self._outbox.undelivered()) is not None:
                self._told = True
                raise lost from lost.cause
            if not done:
                raise NotInTime(f"{upto - self._outbox.settled:,} events are not answered after {timeout_s} s")
            return self._outbox.receipt.copy()

    def close(self, timeout_s: float | None = None) -> Receipt:
        """Flush, and take nothing more. Closing twice is closing once.

        Raises Undelivered for what is not answered, after *timeout_s* too; not again if ``send`` or ``flush`` did.
        """
        with self._changed:
            over = self._closed or (self._told and self._outbox.failed is not None)
            self._closed = True
        if over:
            _OPEN.discard(self)
            return self.receipt
        try:
            return self.flush(timeout_s)
        except NotInTime as e:
            with self._changed:
                self._outbox.failed = self._outbox.failed or e
                lost = self._outbox.undelivered()
            assert lost is not None
            raise lost from e
        finally:
            self._stop.set()
            with self._changed:
                self._changed.notify_all()
            _OPEN.discard(self)

    def _work(self) -> None:
        """Send batch after batch until the sender is closed or gives up."""
        stop = self._stop
        while (batch := self._next()) is not None:
            try:
                self._deliver(batch)
            except ClientError as e:
                self._fail(e)
            except Exception as e:  # of on_rejected: without this thread, all would wait for ever
                broken = ClientError(f"the sender broke: {type(e).__name__}: {e}")
                broken.__cause__ = e
                self._fail(broken)
            if stop.is_set():
                return

    def _next(self) -> Batch | None:
        with self._changed:
            while (batch := self._outbox.next(time.monotonic())) is None:
                if self._stop.is_set() or self._outbox.failed is not None:
                    return None
                self._changed.wait(self._outbox.due_in_s(time.monotonic()))
            self._changed.notify_all()  # there is room
            return batch

    def _deliver(self, batch: Batch) -> None:
        call, attempts = self._posting.call(batch), Attempts(self._retry, safe=True)
        answer = answer_of(lambda: self._ask(call, attempts, self._rest))
        rejections = listed(answer, batch.first, batch.data)
        try:
            if answer.get("rejected"):
                self._on_rejected(rejections)
        finally:
            with self._changed:
                self._outbox.answered(answer, rejections, len(call.body or b""))
                self._changed.notify_all()

    def _rest(self, wait_s: float) -> None:
        """Wait before a batch is sent again; counted at once, so that a program can tell why nothing moves."""
        with self._changed:
            self._outbox.receipt.retries += 1
        if self._stop.wait(wait_s):
            raise NotInTime("the sender was closed before the daemon answered")

    def _fail(self, error: ClientError) -> None:
        with self._changed:
            self._outbox.failed = self._outbox.failed or error
            self._changed.notify_all()
        LOG.error("nothing more is sent: %s", error.message)


def answer_of(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the daemon says of a body; one of which every line is rejected is refused, and counted all the same."""
    try:
        return ask()
    except Refusal as e:
        if e.code != "no_good_line":
            raise
        return e.document


def log_rejected(rejections: Sequence[Rejection]) -> None:
    """Tell the log of what the daemon did not take; it lists no more than ``ingest.errors_max`` of a body."""
    for one in rejections:
        LOG.warning("event %d was rejected, %s: %s", one.event, one.code, one.reason)


def note_of(error: BaseException, lost: ClientError) -> None:
    """Say with *error*, by which a program leaves, what is lost besides."""
    LOG.error("%s", lost.message)
    error.add_note(f"offbeat: {lost.message}")


def _at_exit() -> None:
    for sender in list(_OPEN):
        try:
            sender.close(LEAVING_S)
        except Undelivered as e:
            LOG.error("a sender was not closed: %s", e.message)


atexit.register(_at_exit)
