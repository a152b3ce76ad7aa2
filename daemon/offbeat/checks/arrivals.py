"""How events arrived lately: counts of the engine, remembered for a while, so that two of them give a rate. Pure."""
from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from offbeat_detectors.checks.readings import Arrivals

NOTES_MAX = 64


@dataclass(frozen=True, slots=True)
class Counts:
    """What has arrived by *at_ms*: events of some sources and late ones among them; lines of the whole daemon."""

    at_ms: int
    events: int
    late: int
    rejected: int
    accepted: int


class ArrivalLog:
    """Counts as they were, of each subject at most NOTES_MAX. They begin anew with the daemon."""

    def __init__(self) -> None:
        self._notes: dict[int, deque[Counts]] = {}

    def note(self, subject: int, now: Counts, span_ms: int) -> Arrivals | None:
        """What came during the last *span_ms*, or since the first note if that is later; None at the first.

        Notes are thinned out to what *span_ms* needs, so that a long one stays bounded.
        """
        notes = self._notes.setdefault(subject, deque())
        while len(notes) > 1 and notes[1].at_ms <= now.at_ms - span_ms:
            notes.popleft()
        before = notes[0] if notes else None
        if not notes or now.at_ms - notes[-1].at_ms >= span_ms / (NOTES_MAX - 2):
            notes.append(now)
        if len(notes) > NOTES_MAX:
            notes.popleft()
        if before is None or before.at_ms >= now.at_ms:
            return None
        return Arrivals(
            (now.at_ms - before.at_ms) / 1000, now.events - before.events, now.late - before.late,
            now.rejected - before.rejected, now.accepted - before.accepted,
        )

    def forget(self, subject: int) -> None:
        """A subject that is no longer one."""
        self._notes.pop(subject, None)
