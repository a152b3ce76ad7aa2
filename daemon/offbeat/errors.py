"""What can be refused, as types: each knows its code, its HTTP status and its hint. No handler invents another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class OffbeatError(Exception):
    """Anything that Offbeat says no to. The message is one sentence for a person.

    hint   what to do about it, one sentence, may be empty
    where  the place: a line, a field, a byte, a file; JSON values only
    """

    code = "error"

    def __init__(self, message: str, *, hint: str = "", where: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where: dict[str, Any] = dict(where or {})

    def as_dict(self) -> dict[str, Any]:
        """The one error document of the API (docs/api.md, Errors)."""
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint, "where": self.where}}


class Refused(OffbeatError):
    """A request that is answered with a status of 400 or more; the daemon itself is well."""

    code = "refused"
    status = 400
    headers: ClassVar[Mapping[str, str]] = {}


class BadRequest(Refused):
    """A parameter or a document that does not say what it must."""

    code = "bad_request"


class BadBody(Refused):
    """A body that cannot be read at all: not the format that it claims, or cut short."""

    code = "bad_body"


class NoGoodLine(Refused):
    """Every line of a body was rejected. ``receipt`` holds the counts and the first reasons."""

    code = "no_good_line"

    def __init__(self, message: str, *, receipt: Mapping[str, Any], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.receipt = dict(receipt)

    def as_dict(self) -> dict[str, Any]:
        return {**self.receipt, **super().as_dict()}


class Unauthorized(Refused):
    """The call needs a token, and came with none that is good."""

    code = "unauthorized"
    status = 401
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": 'Bearer realm="offbeat"'}


class Forbidden(Refused):
    """The token is good, but not for this call."""

    code = "forbidden"
    status = 403


class NotFound(Refused):
    """Nothing has that name or path."""

    code = "not_found"
    status = 404


class MethodNotAllowed(Refused):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    status = 405


class BodyTimeout(Refused):
    """The body of a request stopped arriving."""

    code = "body_timeout"
    status = 408


class Conflict(Refused):
    """The thing exists already, or is in a state that forbids the request."""

    code = "conflict"
    status = 409


class BodyTooLarge(Refused):
    """The body, or what it decompresses to, is over the bound."""

    code = "body_too_large"
    status = 413


class UnsupportedMedia(Refused):
    """A Content-Type or Content-Encoding that Offbeat does not read."""

    code = "unsupported_media_type"
    status = 415


class IdempotencyKeyReused(Refused):
    """The same Idempotency-Key came with another body."""

    code = "idempotency_key_reused"
    status = 422


class IntakeFull(Refused):
    """The intake is full: the senders are faster than the disk or the engine."""

    code = "intake_full"
    status = 429
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "1"}


class TooManyClients(Refused):
    """More clients are connected, or hold a stream open, than the config allows."""

    code = "too_many_clients"
    status = 429
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "10"}


class TooManyAttempts(Refused):
    """Wrong tokens came from one address too often; a good one is still taken."""

    code = "too_many_attempts"
    status = 429
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "60"}


class SinkFailed(Refused):
    """A receiver of alerts did not take what it was sent."""

    code = "sink_failed"
    status = 502


class StoreUnavailable(Refused):
    """The database cannot be written now: the disk is full or the file is read-only. Nothing was stored."""

    code = "store_unavailable"
    status = 503
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "5"}


class NotYet(Refused):
    """The sequence that a query waits for has not been applied in time."""

    code = "not_yet"
    status = 503
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "1"}


class ShuttingDown(Refused):
    """The daemon is stopping and takes nothing more."""

    code = "shutting_down"
    status = 503
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "5"}


class CannotStart(OffbeatError):
    """The daemon cannot run at all. ``exit_status`` is the process's."""

    code = "cannot_start"
    exit_status = 1


class BadConfig(CannotStart):
    """A setting that is unknown, of the wrong type or out of its range."""

    code = "bad_config"
    exit_status = 2


class NeedsToken(BadConfig):
    """The daemon would listen to a network and ask nobody who he is."""

    code = "needs_token"


class StateDirectoryInUse(CannotStart):
    """Another daemon holds the state directory."""

    code = "state_directory_in_use"
    exit_status = 3


class StoreUnusable(CannotStart):
    """The database is corrupt, locked by something else, or newer than this program. It is left as it was."""

    code = "store_unusable"
    exit_status = 4
