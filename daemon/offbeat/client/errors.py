"""What can go wrong between a program and a daemon, as types. Each knows its code, message, hint, place and status."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from offbeat.errors import OffbeatError

if TYPE_CHECKING:
    from offbeat.client.receipts import Receipt


class ClientError(OffbeatError):
    """Anything that the library raises.

    status   of the daemon's answer, None where there was none
    receipt  of ``Client.send``: what had been counted by then
    """

    code = "client"
    status: int | None = None
    receipt: Receipt | None = None


class NotReachable(ClientError):
    """Nothing answers at the address, or the connection broke. *sent*: some of the request may have arrived."""

    code = "not_reachable"

    def __init__(self, message: str, *, hint: str = "", sent: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.sent = sent


class NotOffbeat(ClientError):
    """What answers at the address is not a daemon of this version: a proxy, or another program."""

    code = "not_offbeat"

    def __init__(self, message: str, *, hint: str = "", status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class Refusal(ClientError):
    """The daemon's answer of 400 or more.

    code, message, hint, where, status  are the answer's    document       all that it said
    retry_after_s                       how long it asks to wait, None if it does not say
    """

    status: int

    def __init__(self, status: int, document: Mapping[str, Any], retry_after_s: float | None) -> None:
        error = document["error"]
        where = error.get("where")
        super().__init__(
            str(error.get("message", "")),
            hint=str(error.get("hint") or ""),
            where=where if isinstance(where, Mapping) else None,
        )
        self.code = str(error.get("code", "refused"))
        self.status = status
        self.document = dict(document)
        self.retry_after_s = retry_after_s


class NotAllowed(Refusal):
    """The token is missing, wrong or over (401), or may not do this (403)."""


class NotFound(Refusal):
    """Nothing has that name (404)."""


class Conflict(Refusal):
    """The thing exists already, or is in a state that forbids the request (409)."""


class Busy(Refusal):
    """The daemon takes nothing now (429, 503); it was asked again until patience was over."""


def refusal(status: int, document: Mapping[str, Any], retry_after_s: float | None) -> Refusal:
    """The type that fits *status*."""
    kinds = {401: NotAllowed, 403: NotAllowed, 404: NotFound, 409: Conflict, 429: Busy, 503: Busy}
    return kinds.get(status, Refusal)(status, document, retry_after_s)


class BadEvent(ClientError):
    """Something was to be sent that is no event. *where* has its place among those of the call, from 0.

    Those before it are taken.
    """

    code = "bad_event"


class QueueFull(ClientError):
    """The daemon is slower than the program, and what waits is as much as may. *taken* events of the call wait too."""

    code = "queue_full"

    def __init__(self, message: str, *, taken: int) -> None:
        super().__init__(message, hint="queue_batches says how many batches may wait", where={"taken": taken})
        self.taken = taken


class NotInTime(ClientError):
    """Not all is answered within the time given. The sender goes on."""

    code = "not_in_time"


class Undelivered(ClientError):
    """A sender gave up: what it held is not, or not known to be, with the daemon.

    cause   why; code, hint, where and status are its
    count   events that no answer covers
    events  those, as NDJSON: to keep, or to send again
    """

    def __init__(self, cause: ClientError, count: int, events: bytes) -> None:
        super().__init__(
            f"{count:,} events are not delivered: {cause.message}", hint=cause.hint, where=cause.where
        )
        self.code, self.status = cause.code, cause.status
        self.cause, self.count, self.events = cause, count, events


class SenderClosed(ClientError):
    """The sender is closed and takes nothing more."""

    code = "closed"


class MissingPackage(ClientError):
    """What was asked for needs a package that is not installed."""

    code = "missing_package"


class TooDense(ClientError):
    """More readings stand in one millisecond than an answer holds."""

    code = "too_dense"


class BadAddress(ClientError):
    """The address is none."""

    code = "bad_address"
