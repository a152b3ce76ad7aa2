"""What a rule and a silence are, and whether a finding, or an outcome of a check, is one of theirs. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import orjson

from offbeat.checks.outcomes import STATUSES, rank
from offbeat.checks.spec import Column
from offbeat.errors import BadRequest

ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
KEYS = ("job", "source", "field", "check")
EACH_SUBJECT = ("source", "field", "check")
"""What alerts of checks are grouped by unless a rule says otherwise."""
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

    @property
    def check(self) -> None:
        """A finding is of no check."""
        return None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The series that it is of."""
        return ((self.source, self.field),)


@dataclass(frozen=True, slots=True)
class Turn:
    """An outcome of a check as rules see it, by names. *number* is its place; *at_ms* is when the check ran.

    status  "": the check no longer says anything of its subject    was  the status before, "" for none
    """

    number: int
    at_ms: int
    check: str
    subject: int
    columns: tuple[Column, ...]
    status: str
    was: str = ""
    reason: str = "judged"
    message: str = ""

    @property
    def job(self) -> str:
        """An outcome is of no job."""
        return ""

    @property
    def source(self) -> str:
        """The source of its first column."""
        return self.columns[0][0]

    @property
    def field(self) -> str:
        """The fields of all columns."""
        return ", ".join(field for _, field in self.columns)

    @property
    def sentence(self) -> str:
        """What the check said, and of what unless that is how its message begins."""
        series = series_text(self.columns)
        of = "" if self.message.startswith(series) else f" for {series}"
        return f"check {self.check} is {self.status}{of}: {self.message}"

    def packed(self) -> str:
        """As the store keeps it."""
        return orjson.dumps(asdict(self)).decode()


def worst(held: Iterable[Turn]) -> Turn:
    """The worst of some outcomes; of several the newest."""
    return max(held, key=lambda turn: (rank(turn.status), turn.number))


def series_text(columns: tuple[Column, ...]) -> str:
    """Columns as a sentence names them, their source once if it is one."""
    if len({source for source, _ in columns}) == 1:
        return f"{', '.join(field for _, field in columns)} of {columns[0][0]}"
    return ", ".join(f"{field} of {source}" for source, field in columns)


def turn_unpacked(body: str) -> Turn:
    """The outcome that ``Turn.packed`` gave."""
    held: dict[str, Any] = orjson.loads(body)
    return Turn(**{**held, "columns": tuple((source, field) for source, field in held["columns"])})


@dataclass(frozen=True, slots=True)
class Rule:
    """Which findings, or outcomes of which checks, raise an alert, how it ends, and who is told.

    Patterns are of fnmatch, case-sensitive.

    checks         those whose outcomes raise it; none: it is a rule of findings
    status_at      the status that raises it, and holds it; of findings do so
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
    checks: tuple[str, ...] = ()
    status_at: str = "RED"

    def matches(self, seen: Seen) -> bool:
        """Whether the finding is of a job, a source and a field that this rule names."""
        return not self.checks and fits(seen.job, self.jobs) and fit(seen.columns, self.sources, self.fields)

    def hears(self, turn: Turn) -> bool:
        """Whether the outcome is of a check and a series that this rule names."""
        return fits(turn.check, self.checks) and fit(turn.columns, self.sources, self.fields)

    def reached_by(self, turn: Turn) -> bool:
        """Whether the outcome is as bad as it must be to raise an alert, and to hold it."""
        return rank(turn.status) >= rank(self.status_at)

    def group_of(self, seen: Seen | Turn) -> Group:
        """What an alert of this rule has in common with others of the same finding or outcome; None for what it is not
        grouped by.
        """
        values = tuple(getattr(seen, key) if key in self.group_by else None for key in KEYS)
        return values[0], values[1], values[2], values[3]

    def packed(self) -> str:
        """As the store keeps it."""
        return orjson.dumps(asdict(self)).decode()


Group = tuple[str | None, str | None, str | None, str | None]
"""Job, source, field and check of an alert; None where it is of any."""


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

    def covers(self, rule: str, seen: Seen | Turn, at_ms: int) -> bool:
        """Whether nobody is to be told by *rule* of this finding or outcome at this time."""
        return (
            self.from_ms <= at_ms < self.until_ms
            and fits(rule, self.rules)
            and fits(seen.job, self.jobs)
            and fit(seen.columns, self.sources, self.fields)
        )


def fits(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether *name* is like one of the *patterns*."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def fit(columns: tuple[Column, ...], sources: tuple[str, ...], fields: tuple[str, ...]) -> bool:
    """Whether a series among *columns* is of a source and a field that are like these patterns."""
    return any(fits(source, sources) and fits(field, fields) for source, field in columns)


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
    _check_kind(rule)
    for name, known in (("sinks", sinks), ("calendars", calendars)):
        for one in getattr(rule, name):
            if one not in known:
                among = f"known here: {', '.join(sorted(known))}" if known else "there are none"
                raise bad(name, f"has {one!r}, which is none", among)
    return replace(rule, group_by=tuple(key for key in KEYS if key in rule.group_by))


def _check_kind(rule: Rule) -> None:
    """Raise BadRequest if *rule* is of findings and of checks at once."""
    keys = EACH_SUBJECT if rule.checks else KEYS[:3]
    for key in rule.group_by:
        if key not in keys:
            raise bad("group_by", f"has {key!r}: expected some of {', '.join(keys)}")
    if rule.status_at not in STATUSES[1:]:
        raise bad("status_at", f"is {rule.status_at!r}: expected {' or '.join(STATUSES[1:])}")
    if not rule.checks:
        return
    check_patterns("checks", rule.checks)
    if rule.jobs != ALL:
        raise bad("jobs", "are given, and checks: a rule is of findings or of checks", "leave jobs out, or checks")


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
