"""What of a detector's answers is held back: values that come very often, and what its rules name. It is counted."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import translate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.names import NONE, Entities
from offbeat.engine.analysis.nested import part, under
from offbeat.engine.analysis.question import CUT_OFF
from offbeat.engine.analysis.results import Withheld
from offbeat.engine.analysis.rules import Rule, Scope
from offbeat.engine.analysis.spec import DetectorSpec
from offbeat.engine.analysis.split import Gone, Split
from offbeat_detectors.buckets.exclusion import Exclusion
from offbeat_detectors.buckets.functions import function_of
from offbeat_detectors.civil import transitions
from offbeat_detectors.contract import State

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
VALUES, RECORDS, UNLEARNED = range(3)
UNKNOWN = -1
NOWHERE = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Held:
    """Of n values: (n,) their probability, NaN for what is no result; and (n,) which of them teach."""

    probability: NDArray[np.float64]
    teaches: NDArray[np.bool_]


class Restraint:
    """Holds back for one detector. What it knows of frequent values and what it has counted is its state."""

    def __init__(self, index: int, spec: DetectorSpec, split: Split, span_s: int) -> None:
        self._index, self._spec, self._split = index, spec, split
        # What freq_rare says is of a member with many by values; those that are frequent are not rare anyway.
        self._by = bool(spec.by) and function_of(spec.function).probability != "freq_rare"
        self._excludes = spec.exclude_frequent != "none" and (self._by or bool(spec.over))
        self._exclusion = Exclusion(spec.exclude_frequent)
        self._peers = Entities()  # over values of partitions, whatever their by value is
        self._rules = [RuleAtWork(rule, split, span_s) for rule in spec.rules]
        self._counts = np.zeros((1 + len(self._rules), 3), np.int64)
        self.holds = bool(self._rules) or self._excludes
        """Whether anything may be held back."""
        self.teaches_less = any("skip_model_update" in rule.actions for rule in spec.rules)
        """Whether a value may teach nothing."""

    def hold(
        self,
        bucket: int,
        entity: NDArray[np.int32],
        member: NDArray[np.int32],
        actual: NDArray[np.float64],
        typical: NDArray[np.float64],
        probability: NDArray[np.float64],
        *,
        final: bool,
    ) -> Held:
        """Decide of n values of a bucket, by the buckets before; of a *final* one it is counted. All (n,).

        entity, member    whose each is    actual, typical  NaN where there is no such number
        """
        teaches = np.ones(entity.size, np.bool_)
        if not self.holds:
            return Held(probability, teaches)
        out = np.zeros(entity.size, np.bool_)
        if self._excludes:
            out = self._exclusion.excluded(*self._rows(entity, member, most=0))
            if final:
                self._count(0, out, member, probability)
        for i, rule in enumerate(self._rules, 1):
            which = rule.holds(bucket, entity, member, actual, typical)
            if "skip_result" in rule.rule.actions:
                if final:
                    self._count(i, which & ~out, member, probability)
                out |= which
            if "skip_model_update" in rule.rule.actions:
                if final:
                    self._counts[i, UNLEARNED] += int((which & teaches).sum())
                teaches &= ~which
        return Held(np.where(out, np.nan, probability), teaches)

    def _count(
        self, cause: int, out: NDArray[np.bool_], member: NDArray[np.int32], probability: NDArray[np.float64]
    ) -> None:
        self._counts[cause, VALUES] += int((out & ~np.isnan(probability)).sum())
        self._counts[cause, RECORDS] += np.unique(member[out & (probability <= CUT_OFF)]).size

    def learn(self, entity: NDArray[np.int32], member: NDArray[np.int32]) -> None:
        """Learn of a final bucket who was in it, as often and in whatever order: (n,) each."""
        if self._excludes:
            self._exclusion.learn(*self._rows(entity, member, most=NOWHERE))

    def _rows(
        self, entity: NDArray[np.int32], member: NDArray[np.int32], most: int
    ) -> tuple[NDArray[np.int32] | None, NDArray[np.int32] | None]:
        by = entity if self._by else None
        if not self._spec.over:
            return by, None
        over, _ = self._peers.number(self._split.entities.first[entity], self._split.members.second[member], most)
        return by, np.where(over == NONE, np.int32(NOWHERE), over)

    def forget(self, gone: Gone) -> None:
        """The numbers of these entities and members will stand for others."""
        for rule in self._rules:
            rule.forget()
        if not self._excludes:
            return
        entities, members = self._split.entities, self._split.members
        by, over = self._exclusion.by, self._exclusion.over
        by.forget(gone.entity[gone.entity < by.size])
        if self._spec.over:
            live = members.live
            peers = self._peers.keep_only(entities.first[members.first[live]], members.second[live])
            over.forget(peers[peers < over.size])

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """What was held back so far, by cause; nothing of causes that there are not."""
        first = 0 if self._excludes else 1
        causes = ["exclude_frequent", *(f"rule {i}" for i in range(len(self._rules)))]
        return tuple(
            Withheld(self._index, causes[i], *(int(count) for count in self._counts[i]))
            for i in range(first, len(causes))
        )

    def save(self) -> State:
        """All that was learned and counted."""
        state: State = {"counts": self._counts.copy()}
        if self._excludes:
            state |= under("frequent", self._exclusion.save()) | under("peers", self._peers.save())
        return state

    def restore(self, state: State) -> None:
        """As ``save`` gave it, of a detector that is asked the same."""
        self._counts = state["counts"].copy()
        if self._excludes:
            self._exclusion.restore(part(state, "frequent"))
            self._peers.restore(part(state, "peers"))
        for rule in self._rules:
            rule.forget()


class RuleAtWork:
    """One rule, and to which entities it applies: found once for each."""

    def __init__(self, rule: Rule, split: Split, span_s: int) -> None:
        self.rule, self._span_ms = rule, 1000 * span_s
        self._zone = transitions(rule.zone) if rule.windows else None
        self._scope = [Fitting(scope, split) for scope in rule.scope]

    def holds(
        self,
        bucket: int,
        entity: NDArray[np.int32],
        member: NDArray[np.int32],
        actual: NDArray[np.float64],
        typical: NDArray[np.float64],
    ) -> NDArray[np.bool_]:
        """(n,) for which of n values of a bucket; arguments as of ``Restraint.hold``."""
        which = np.full(entity.size, self._in_time(bucket * self._span_ms), np.bool_)
        for condition in self.rule.conditions:
            match condition.applies_to:
                case "actual":
                    number = actual
                case "typical":
                    number = typical
                case "diff_from_typical":
                    number = np.abs(actual - typical)
            which &= COMPARE[condition.operator](number, condition.value)
        for scope in self._scope:
            if which.any():
                which &= scope.fits(entity, member)
        return which

    def _in_time(self, start_ms: int) -> bool:
        if self._zone is None:
            return True
        at_ms, ahead_ms = self._zone
        ahead = int(ahead_ms[max(0, int(np.searchsorted(at_ms, start_ms, "right")) - 1)])
        return any(window.holds((start_ms + ahead) // 1000) for window in self.rule.windows)

    def forget(self) -> None:
        """Numbers of entities may stand for others now."""
        for scope in self._scope:
            scope.forget()


class Fitting:
    """Which entities, or members, a scope holds for."""

    def __init__(self, scope: Scope, split: Split) -> None:
        self._scope, self._split = scope, split
        self._patterns = [re.compile(translate(pattern)) for pattern in scope.patterns]
        self._known = np.zeros(0, np.int8)

    def fits(self, entity: NDArray[np.int32], member: NDArray[np.int32]) -> NDArray[np.bool_]:
        """(n,) whether it does."""
        numbers = member if self._scope.dimension == "over" else entity
        if numbers.size and (most := int(numbers.max()) + 1) > self._known.size:
            more = np.full(max(most, 2 * self._known.size) - self._known.size, UNKNOWN, np.int8)
            self._known = np.concatenate([self._known, more])
        for number in np.unique(numbers[self._known[numbers] == UNKNOWN]).tolist():
            text = self._text(number) or ""
            inside = any(pattern.match(text) is not None for pattern in self._patterns)
            self._known[number] = inside == self._scope.among
        holds: NDArray[np.bool_] = self._known[numbers] == 1
        return holds

    def _text(self, number: int) -> str | None:
        match self._scope.dimension:
            case "by":
                return self._split.by(number)
            case "over":
                return self._split.over(number)
            case "partition":
                return self._split.partition(number)

    def forget(self) -> None:
        """Numbers may stand for others now."""
        self._known = np.zeros(0, np.int8)
