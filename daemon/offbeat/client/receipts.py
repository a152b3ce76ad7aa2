"""What became of events that were sent. No socket."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from offbeat.client.errors import NotOffbeat

REJECTIONS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Rejection:
    """One event that the daemon did not take.

    event   its place among those sent, from 0    code, reason  the daemon's (docs/api.md)
    line    the event, as it was sent
    """

    event: int
    code: str
    reason: str
    line: str


@dataclass(slots=True)
class Receipt:
    """What became of the events so far: each one that was sent is either accepted or rejected.

    rejections  those that the daemon listed, at most 1,000; *rejections_omitted* counts the others
    sequence    the newest journal number that holds any of them; ``sequence=`` of a query waits for it
    batches     bodies that were answered    retries  requests that had to be sent again
    sent_bytes  of those bodies, as they went out
    """

    accepted: int = 0
    rejected: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    rejections_omitted: int = 0
    sequence: int = 0
    batches: int = 0
    retries: int = 0
    sent_bytes: int = 0

    def count(self, answer: Mapping[str, Any], listed: Sequence[Rejection]) -> None:
        """Add the daemon's *answer* to one body, with what it *listed* as rejected."""
        kept = listed[: REJECTIONS_KEPT - len(self.rejections)]
        rejected = int(answer.get("rejected", 0))
        self.rejections += kept
        self.rejections_omitted += rejected - len(kept)
        self.rejected += rejected
        self.accepted += int(answer.get("accepted", 0))
        self.sequence = max(self.sequence, int(answer.get("sequence") or 0))
        self.batches += 1

    def copy(self) -> Receipt:
        """As it is now."""
        return Receipt(
            self.accepted, self.rejected, list(self.rejections), self.rejections_omitted,
            self.sequence, self.batches, self.retries, self.sent_bytes,
        )  # fmt: skip


def listed(answer: Mapping[str, Any], first: int, data: bytes) -> list[Rejection]:
    """What the daemon's *answer* says it rejected of *data*, NDJSON whose first event was number *first*.

    Raises NotOffbeat for an answer that does not say of each event what became of it.
    """
    covered, count = int(answer.get("accepted", 0)) + int(answer.get("rejected", 0)), data.count(b"\n")
    if covered != count:
        raise NotOffbeat(f"what answers is not this version of Offbeat: of {count} events it counted {covered}")
    errors: Sequence[Mapping[str, Any]] = answer.get("errors") or ()
    lines = data.split(b"\n") if errors else []
    return [
        Rejection(
            first + int(error["line"]) - 1,
            str(error.get("code", "")),
            str(error.get("reason", "")),
            lines[int(error["line"]) - 1].decode(errors="replace"),
        )
        for error in errors
    ]
