"""What the daemon refuses, as this protocol numbers it.

Source: Prelert Engine API, section 15.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offbeat.analyses.refusals import CannotPause, CannotResume, Fed, InUse, TooManyJobs, TooManyOpen
from offbeat.analyses.running import AnalysisFailed
from offbeat.analyses.snapshots import DescriptionTaken, IsNewest, NoSnapshot
from offbeat.errors import IntakeFull, NotFound, Refused, StoreUnavailable
from offbeat.feeds.errors import CannotChangeFeed, CannotStartFeed, CannotStopFeed, NoFeed
from offbeat.gateways.prelert.errors import PrelertError

NUMBERS: Mapping[type[Refused], int] = {
    InUse: 40103,
    Fed: 60117,
    CannotStartFeed: 60114,
    CannotStopFeed: 60115,
    NoFeed: 60116,
    CannotChangeFeed: 60126,
    AnalysisFailed: 40001,
    TooManyJobs: 10109,
    TooManyOpen: 30106,
    CannotPause: 60123,
    CannotResume: 60124,
    NoSnapshot: 60119,
    DescriptionTaken: 60122,
    IsNewest: 60125,
    StoreUnavailable: 20001,
    IntakeFull: 30106,
    NotFound: 20101,
}
"""By the first of these that a refusal is; whatever is none has the number 0, and its own status."""


def numbered(refused: Refused) -> PrelertError:
    """*refused* with its number."""
    if isinstance(refused, PrelertError):
        return refused
    for kind, number in NUMBERS.items():
        if isinstance(refused, kind):
            return PrelertError(number, refused.message)
    return PrelertError(0, refused.message, refused.status)


def document_of(refused: Refused) -> dict[str, Any]:
    """The error document of *refused*."""
    return numbered(refused).as_dict()
