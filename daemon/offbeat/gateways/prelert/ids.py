"""The ids of jobs: which are allowed, and what one that is generated looks like."""
from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from offbeat.gateways.prelert.errors import PrelertError

ID_CHARACTERS_MAX = 64
FORBIDDEN = re.compile(r'[\\/*?"<>|,\s\x00-\x1f\x7f]')
TAKEN = ("elasticsearch", "engine_api", ".", "..")
"""Words that stand in the place of an id in a path, or mean something else there."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def checked_id(id: str) -> str:
    """*id*, if a job may have it. Raises PrelertError 10111 or 10112.

    Source: Prelert Engine API, section 4.7.
    """
    found = FORBIDDEN.search(id)
    if found is not None:
        raise PrelertError(10111, f"the job id {id!r} holds {found[0]!r}: use a to z, digits, - _ and .")
    if id != id.lower():
        raise PrelertError(10111, f"the job id {id!r} has upper case letters: use a to z, digits, - _ and .")
    if id in TAKEN:
        raise PrelertError(10111, f"the job id {id!r} means something else in a path")
    if len(id) > ID_CHARACTERS_MAX:
        raise PrelertError(10112, f"the job id has {len(id)} characters: at most {ID_CHARACTERS_MAX} are allowed")
    return id


def generated_id(created_ms: int, sequence: int) -> str:
    """The id of a job that names none: when it was created, UTC, and a number that no other job of the server has."""
    return f"{EPOCH + timedelta(milliseconds=created_ms):%Y%m%d%H%M%S}-{sequence:05d}"
