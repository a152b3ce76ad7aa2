"""What a rule and a silence are, and whether a finding is one of theirs. Pure: no clock, no store."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import orjson

from offbeat.errors import BadRequest

ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
KEYS = ("job", "source", "field")
PATTERNS_MAX = 64
TEXT_MAX = 1_000
DAYS_MAX_S = 30 * 86_400
ALL = ("*",)


@dataclass(frozen=True, slots=True)
class Seen:
    """A finding as rules see it, by names. (seq, ordinal) is its place; at_ms is when its entry was journaled.

    sentence  what was seen and expected, and why that is odd
    """

    seq: int
    ordinal: int
    at_ms: int
    time_ms: int
    record: str
    job: str
    source: str
    field: str
    score: float
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which findings raise an alert, how it ends, and who is told. Patterns are of fnmatch, case-sensitive.

    raise_at       the score that raises it    clear_below  while findings reach this, it goes on
    clear_after_s  so long after the last of them it is cleared
    group_by       findings alike in these share an alert; none: all of the rule's
    repeat_s       0: told once; else told again after so long, by a finding that holds it
    calendars      in whose windows nobody is told
    """

    id: str
    description: str = ""
    jobs: tuple[str, ...] = ALL
    sources: tuple[str, ...] = ALL
    fields: tuple[str, ...] = ALL
    raise_at: float = 50.0
    clear_below: float = 25.0
    clear_after_s: float = 900.0
    group_by: tuple[str, ...] = ("source",)
    repeat_s: float = 0.0
    sinks: tuple[str, ...] = ()
    calendars: tuple[str, ...] = ()

    def matches(self, seen: Seen) -> bool:
        """Whether the finding is of a job, a source and a field that this rule names."""
        return fits(seen.job, self.jobs) and fits(seen.source, self.sources) and fits(seen.field, self.fields)

    def group_of(self, seen: Seen) -> Group:
        """What an alert of this rule has in common with others of the same finding; None for what it is not grouped by.
        """
        values = tuple(getattr(seen, key) if key in self.group_by else None for key in KEYS)
        return values[0], values[1], values[2]

    def packed(self) -> str:
        """As the store keeps it."""
        return orjson.dumps(asdict(self)).decode()


Group = tuple[str | None, str | None, str | None]
"""Job, source and field of an alert; None where it is of any."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told of what matches, from *from_ms*, before *until_ms*. *number* 0: not yet kept."""

    number: int
    from_ms: int
    until_ms: int
    reason: str
    who: str
    rules: tuple[str, ...] = ALL
    jobs: tuple[str, ...] = ALL
    sources: tuple[str, ...] = ALL
    fields: tuple[str, ...] = ALL
    created_ms: int = 0
    removed_ms: int | None = None

    def covers(self, rule: str, seen: Seen) -> bool:
        """Whether *rule* is not to be told of this finding."""
        return (
            self.from_ms <= seen.at_ms < self.until_ms
            and fits(rule, self.rules)
            and fits(seen.job, self.jobs)
            and fits(seen.source, self.sources)
            and fits(seen.field, self.fields)
        )


def fits(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether *name* is like one of the *patterns*."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def unpacked(body: str) -> Rule:
    """The rule that ``Rule.packed`` gave."""
    held: dict[str, Any] = orjson.loads(body)
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in held.items()}
    return Rule(**values)


def bad(field: str, message: str, hint: str = "") -> BadRequest:
    """The refusal of a document for its member *field*."""
    return BadRequest(f"{field} {message}; nothing was changed", hint=hint, where={"field": field})


def check(rule: Rule, sinks: Collection[str], calendars: Collection[str]) -> Rule:
    """*rule*, its group in the usual order. Raises BadRequest if it cannot work; says which field, what was expected.
    """
    if not ID.fullmatch(rule.id):
        raise bad("id", f"is {rule.id!r}: expected 1 to 64 letters, digits, '.', '_' or '-'")
    if len(rule.description) > TEXT_MAX:
        raise bad("description", f"has {len(rule.description)} characters: expected at most {TEXT_MAX}")
    for name in ("jobs", "sources", "fields"):
        check_patterns(name, getattr(rule, name))
    if not 0 < rule.raise_at <= 100:
        raise bad("raise_at", f"is {rule.raise_at:g}: expected more than 0, at most 100")
    if not 0 <= rule.clear_below <= rule.raise_at:
        raise bad("clear_below", f"is {rule.clear_below:g}: expected 0 to raise_at, {rule.raise_at:g}")
    if not 1 <= rule.clear_after_s <= DAYS_MAX_S:
        raise bad("clear_after_s", f"is {rule.clear_after_s:g}: expected 1 to {DAYS_MAX_S}")
    if rule.repeat_s and not 1 <= rule.repeat_s <= DAYS_MAX_S:
        raise bad("repeat_s", f"is {rule.repeat_s:g}: expected 0, or 1 to {DAYS_MAX_S}")
    for key in rule.group_by:
        if key not in KEYS:
            raise bad("group_by", f"has {key!r}: expected some of {', '.join(KEYS)}")
    for name, known in (("sinks", sinks), ("calendars", calendars)):
        for one in getattr(rule, name):
            if one not in known:
                among = f"known here: {', '.join(sorted(known))}" if known else "there are none"
                raise bad(name, f"has {one!r}, which is none", among)
    return replace(rule, group_by=tuple(key for key in KEYS if key in rule.group_by))


def check_patterns(name: str, patterns: tuple[str, ...]) -> None:
    """Raise BadRequest unless there are some *patterns*, and not too many."""
    if not 1 <= len(patterns) <= PATTERNS_MAX:
        raise bad(name, f"has {len(patterns)} patterns: expected 1 to {PATTERNS_MAX}")


def check_silence(silence: Silence) -> None:
    """Raise BadRequest if *silence* silences nothing, or says not why."""
    for name in ("rules", "jobs", "sources", "fields"):
        check_patterns(name, getattr(silence, name))
    if silence.until_ms <= silence.from_ms:
        raise bad("until", "is not after from")
    for name in ("reason", "who"):
        if not 1 <= len(getattr(silence, name)) <= TEXT_MAX:
            raise bad(name, f"has {len(getattr(silence, name))} characters: expected 1 to {TEXT_MAX}")
