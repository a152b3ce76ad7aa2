"""Where a subject stands, and what the result of a run makes of it. Pure: results in, a standing out."""
from __future__ import annotations

from dataclasses import dataclass, replace

import orjson

from offbeat.checks.outcomes import STATUSES, Present, Reason, rank


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
    last     the newest results in order, a digit each, as many as raise_after and clear_after look back
    judges   what decides what the check says: others begin anew
    """

    judged: tuple[int, ...] | None = None
    last: str = ""
    judges: str = ""
    present: Present | None = None

    def packed(self) -> str:
        """As the store keeps it, without the present."""
        return orjson.dumps({"judged": self.judged, "last": self.last, "judges": self.judges}).decode()


def unpacked(state: str, present: Present | None) -> Standing:
    """The standing that ``Standing.packed`` gave."""
    held = orjson.loads(state)
    judged = held["judged"]
    return Standing(None if judged is None else tuple(judged), held["last"], held["judges"], present)


def settled(status: str | None, last: str, raise_after: int, clear_after: int) -> str | None:
    """The status after results *last*, where it was *status*: as bad as the best of the last *raise_after*, if those are
    all worse; as good as the worst of the last *clear_after*, if those are all better.

    From none at all it is GREEN at once, but bad only after *raise_after* results.
    """
    if status is None:
        if last.endswith("0"):
            return "GREEN"
        return STATUSES[int(min(last[-raise_after:]))] if len(last) >= raise_after else None
    if len(last) >= raise_after and (least := int(min(last[-raise_after:]))) > rank(status):
        return STATUSES[least]
    if len(last) >= clear_after and (most := int(max(last[-clear_after:]))) < rank(status):
        return STATUSES[most]
    return status


def concluded(
    before: Standing, result: Result, judged: tuple[int, ...], judges: str, raise_after: int, clear_after: int
) -> tuple[Standing, bool]:
    """The standing after a run, and whether that is a change: of status or reason, or the first of a changed check.

    While a status is not confirmed, the present one keeps its message. The number of a new present is still 0.
    """
    present, last = before.present, before.last
    if before.judges != judges:
        last = ""
    if not result.status:
        return Standing(judged, "", judges, None), False
    last = (last + str(rank(result.status)))[-max(raise_after, clear_after):]
    status = settled(present.status if present and before.judges == judges else None, last, raise_after, clear_after)
    after = Standing(judged, last, judges, present)
    if status is None:
        return replace(after, present=None if before.judges != judges else present), False
    if present is not None and status == present.status and status != result.status:
        kept = replace(present, ran_ms=result.ran_ms, data_ms=result.data_ms, data_from_ms=result.data_from_ms,
                       duration_ms=result.duration_ms)
        return replace(after, present=kept), False
    changed = (
        present is None or before.judges != judges or (status, result.reason) != (present.status, present.reason)
    )
    since = present.since_ms if present is not None and present.status == status else result.ran_ms
    made = Present(status, result.reason, result.message, result.ran_ms, result.data_ms, result.data_from_ms,
                   result.duration_ms, since, 0 if changed or present is None else present.outcome)
    return replace(after, present=made), changed
