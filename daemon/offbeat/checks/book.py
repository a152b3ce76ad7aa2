"""What is known of all checks, in memory: rules and subjects, who acknowledged what, maintenance; how it is now."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from offbeat.checks import rows
from offbeat.checks.outcomes import STATUSES, Acknowledgement, Maintenance, Outcome, Overview, StatusQuery, rank
from offbeat.checks.rows import KeptRule, KeptSubject
from offbeat.checks.spec import CheckSpec, Column
from offbeat.checks.standing import Standing
from offbeat.errors import NotFound
from offbeat.store.cursors import cursor_of, place_of
from offbeat.store.database import Database
from offbeat_detectors.checks.contract import Needs

STALE_INTERVALS = 2


@dataclass(slots=True, eq=False)
class Subject:
    """One run of a check: the columns that are judged together.

    numbers   their series, -1: not yet there      usual_ms  usual time between two readings, 0: not known
    ran_ms    when it ran last in this life of the daemon, 0: it did not
    """

    number: int
    columns: tuple[Column, ...]
    standing: Standing
    tolerance_ms: int = 0
    numbers: tuple[int, ...] = ()
    usual_ms: float = 0.0
    ran_ms: int = 0


@dataclass(slots=True, eq=False)
class Held:
    """A check with its subjects. *seen*: up to which series of the catalog these are looked for; *full*: some are left
    out, for there are as many as there may be.
    """

    spec: CheckSpec
    created_ms: int
    changed_ms: int
    judges: str
    subjects: dict[tuple[Column, ...], Subject] = field(default_factory=dict)
    seen: int = 0
    resolved: int = -1
    full: bool = False
    due_ms: int = 0
    needs: Needs | None = None
    generation: int = -1

    @property
    def kept(self) -> KeptRule:
        """The check without its subjects."""
        return KeptRule(self.spec, self.created_ms, self.changed_ms)

    @property
    def status(self) -> str | None:
        """The worst status of its subjects."""
        return STATUSES[worst] if (worst := max(map(_rank, self.subjects.values()), default=-1)) >= 0 else None

    def counts(self) -> dict[str, int]:
        """How many of its subjects have each status."""
        counts = dict.fromkeys(STATUSES, 0)
        for subject in self.subjects.values():
            if subject.standing.present is not None:
                counts[subject.standing.present.status] += 1
        return counts


def _rank(subject: Subject) -> int:
    return rank(subject.standing.present.status) if subject.standing.present is not None else -1


class Book:
    """All checks. What changes it has been written first."""

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}
        self.unbound: dict[str, dict[tuple[Column, ...], KeptSubject]] = {}
        self.acknowledged: dict[int, Acknowledgement] = {}
        self.maintenance: list[Maintenance] = []
        self.newest_subject = self.newest_outcome = self.newest_maintenance = 0

    async def load(self, database: Database, judges_of: Callable[[CheckSpec], str]) -> None:
        """Read what the last life of the daemon left. What has an outcome has it at once; the other subjects wait until
        their check finds them again."""
        for kept in await rows.load_rules(database):
            spec = kept.spec
            self.held[spec.id] = Held(spec, kept.created_ms, kept.changed_ms, judges_of(spec))
        for subject in await rows.load_subjects(database):
            if subject.standing.present is not None and subject.rule in self.held:
                made = Subject(subject.number, subject.columns, subject.standing)
                self.held[subject.rule].subjects[subject.columns] = made
            else:
                self.unbound.setdefault(subject.rule, {})[subject.columns] = subject
        self.acknowledged = await rows.load_acknowledgements(database)
        self.maintenance = await rows.load_maintenance(database)
        self.newest_subject = await rows.newest(database, "check_subject")
        self.newest_outcome = await rows.newest(database, "check_outcome", "check_end")
        self.newest_maintenance = await rows.newest(database, "check_maintenance")

    @property
    def subject_count(self) -> int:
        """How many subjects all checks have."""
        return sum(len(held.subjects) for held in self.held.values())

    def get(self, id: str) -> Held:
        """One check. Raises NotFound."""
        if id not in self.held:
            raise NotFound(f"there is no check {id}", hint="GET /api/v1/checks lists them", where={"check": id})
        return self.held[id]

    def subject(self, number: int) -> tuple[Held, Subject]:
        """A subject and its check. Raises NotFound."""
        for held in self.held.values():
            for subject in held.subjects.values():
                if subject.number == number:
                    return held, subject
        raise NotFound(f"there is no subject {number}", hint="GET /api/v1/status lists them",
                       where={"subject": number})

    def end_rows(self, id: str, subjects: Sequence[Subject], why: str, now_ms: int) -> list[tuple[Any, ...]]:
        """The rows that say of those *subjects* of the check *id* that have an outcome that they have none any more."""
        found = []
        for one in subjects:
            if one.standing.present is not None:
                self.newest_outcome += 1
                found.append((self.newest_outcome, one.number, id, rows.columns_text(one.columns),
                              one.standing.present.status, why, now_ms))
        return found

    def outcome(self, held: Held, subject: Subject, now_ms: int) -> Outcome | None:
        """What *subject* said last, without details; None: nothing that holds."""
        return self._outcome(held, subject, now_ms, self.maintenance)

    def _outcome(
        self, held: Held, subject: Subject, now_ms: int, maintenance: Sequence[Maintenance]
    ) -> Outcome | None:
        p = subject.standing.present
        if p is None:
            return None
        usual_ms = max(held.spec.interval_s * 1000, subject.usual_ms)
        return Outcome(
            p.outcome, held.spec.id, held.spec.kind, subject.number, subject.columns, p.status, p.reason, p.message,
            p.ran_ms, p.data_ms, p.data_from_ms, p.duration_ms, p.since_ms, {},
            now_ms - p.ran_ms > STALE_INTERVALS * usual_ms,
            _covering(maintenance, held.spec.id, subject.columns, now_ms), self.acknowledged.get(subject.number),
        )

    def maintained(self, check: str, columns: tuple[Column, ...], at_ms: int) -> Maintenance | None:
        """The newest maintenance that covers it."""
        return _covering(self.maintenance, check, columns, at_ms)

    def _present(self, query: StatusQuery, now_ms: int) -> Iterator[Outcome]:
        active = [one for one in self.maintenance if one.from_ms <= now_ms < one.until_ms]
        chosen = self.held.values() if query.check is None else [self.get(query.check)]
        for held in chosen:
            if not held.spec.enabled:
                continue
            for subject in held.subjects.values():
                if _has(subject.columns, query.source, query.field) and (
                    found := self._outcome(held, subject, now_ms, active)
                ):
                    yield found

    def overview(self, query: StatusQuery, now_ms: int) -> Overview:
        """How it is now: what checks that are enabled said last. Raises NotFound for an unknown check."""
        counts, worst, acknowledged, maintained = dict.fromkeys(STATUSES, 0), -1, 0, 0
        listed: list[tuple[tuple[int, int, int], Outcome]] = []
        for one in self._present(query, now_ms):
            acknowledged += one.acknowledged is not None
            if one.maintenance is not None:
                maintained += 1
            else:
                counts[one.status] += 1
                if one.acknowledged is None:
                    worst = max(worst, rank(one.status))
            if rank(one.status) >= rank(query.status):
                assert one.subject is not None
                listed.append(((-rank(one.status), -one.since_ms, one.subject), one))
        listed.sort(key=lambda pair: pair[0])
        if (place := place_of(query.cursor, int, int, int)) is not None:
            listed = [pair for pair in listed if pair[0] > place]
        shown = listed[: query.limit]
        following = cursor_of(*shown[-1][0]) if len(listed) > len(shown) else None
        return Overview(
            STATUSES[worst] if worst >= 0 else None, counts, acknowledged, maintained,
            tuple(one for _, one in shown), following,
        )


def _covering(
    maintenance: Sequence[Maintenance], check: str, columns: tuple[Column, ...], at_ms: int
) -> Maintenance | None:
    return next((one for one in reversed(maintenance) if one.covers(check, columns, at_ms)), None)


def _has(columns: tuple[Column, ...], source: str | None, field: str | None) -> bool:
    """Whether one of *columns* is of this source and this field; None: of any."""
    return any((source is None or source == s) and (field is None or field == f) for s, f in columns)
