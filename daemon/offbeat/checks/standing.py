"""Where a subject stands, and what the result of a run makes of it. Pure: results in, a standing out."""
from __future__ import annotations

from dataclasses import dataclass, replace

import orjson

from offbeat.checks.outcomes import Present, Reason
from offbeat_detectors.checks.contract import Status
from offbeat_detectors.checks.outcomes import Held

NOTHING = Held()


@dataclass(frozen=True, slots=True)
class Result:
    """What one run said, and of what. *status* "": the check does not apply now."""

    status: str
    reason: Reason
    message: str
    ran_ms: int
    data_ms: int | None
    data_from_ms: int | None
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What the next run goes on from.

    judged   up to when each column was judged, None: it never ran since the check is as it is
    held     how many results in a row were how bad: what raise_after and clear_after count
    judges   what decides what the check says: others begin anew
    """

    judged: tuple[int, ...] | None = None
    held: Held = NOTHING
    judges: str = ""
    present: Present | None = None

    def packed(self) -> str:
        """As the store keeps it, without the present."""
        kept = {"judged": self.judged, "at_least": self.held.at_least, "at_most": self.held.at_most}
        return orjson.dumps({**kept, "judges": self.judges}).decode()


def unpacked(state: str, present: Present | None) -> Standing:
    """The standing that ``Standing.packed`` gave."""
    kept = orjson.loads(state)
    judged = kept["judged"]
    status = None if present is None else Status[present.status]
    held = Held(status, tuple(kept["at_least"]), tuple(kept["at_most"]))
    return Standing(None if judged is None else tuple(judged), held, kept["judges"], present)


def concluded(
    before: Standing, result: Result, judged: tuple[int, ...], judges: str, raise_after: int, clear_after: int
) -> tuple[Standing, bool]:
    """The standing after a run, and whether that is a change: of status or reason, or the first of a changed check.

    While a status is not confirmed, the present one keeps its message. The number of a new present is still 0.
    """
    present, same = before.present, before.judges == judges
    if not result.status:
        return Standing(judged, NOTHING, judges, None), False
    held = (before.held if same else NOTHING).after(Status[result.status], raise_after, clear_after)
    assert held.status is not None
    status = held.status.name
    after = Standing(judged, held, judges, present)
    if present is not None and same and status == present.status and status != result.status:
        kept = replace(present, ran_ms=result.ran_ms, data_ms=result.data_ms, data_from_ms=result.data_from_ms,
                       duration_ms=result.duration_ms)
        return replace(after, present=kept), False
    changed = (
        present is None or not same or (status, result.reason) != (present.status, present.reason)
    )
    since = present.since_ms if present is not None and present.status == status else result.ran_ms
    message = result.message
    if status != result.status:  # between two: some of the results in a row were better, or worse
        message = f"{status} by the results in a row, the newest is {result.status}{': ' * bool(message)}{message}"
    made = Present(status, result.reason, message, result.ran_ms, result.data_ms, result.data_from_ms,
                   result.duration_ms, since, 0 if changed or present is None else present.outcome)
    return replace(after, present=made), changed
