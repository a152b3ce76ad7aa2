"""Refusals that only a door can know of: it is not ready, or something broke behind it."""
from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import ClassVar

from offbeat.errors import Refused

log = logging.getLogger(__name__)


class NotReady(Refused):
    """The daemon lives but takes no events now."""

    code = "not_ready"
    status = 503
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "1"}


class Internal(Refused):
    """Something that should not happen did; what it was is in the daemon's log, not here."""

    code = "internal"
    status = 500


def internal(raised: Exception, method: str, path: str) -> Internal:
    """The answer where *raised* is what nobody expected. It is logged here and nowhere else."""
    log.error("%s %s failed", method, path, exc_info=raised)
    return Internal("something that should not happen did; it is in the daemon's log")
