"""One job at work: which series it follows, what its detector says, which buckets are open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from offbeat.engine import buckets
from offbeat.engine.adjustments import HIDDEN, Adjustments, total_of
from offbeat.engine.buckets import AHEAD, LATE, RULES, accumulate, change_of, route
from offbeat.engine.catalog import Catalog
from offbeat.engine.entries import Job, Run
from offbeat.engine.groups import Groups
from offbeat.engine.outcome import BucketChange, Finding
from offbeat.engine.places import Given, Places
from offbeat_detectors import explain, registry, scores
from offbeat_detectors.contract import (
    Account,
    Accounting,
    Detector,
    Divisible,
    Evidence,
    Explaining,
    Grouped,
    Opinions,
    State,
)
from offbeat_detectors.parts import Team
from offbeat_detectors.rows import copy_of

UNKNOWN, FOLLOWED, LEFT_OUT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Heard:
    """What a job heard of a run: the q values that it judged, and what its detector says of them.

    row_state  (n,) int8   of each event, as ``route`` says    kept  (q,) int64  the values, as indices into the run's
    rows, series, time_ms, value, strength  (q,)    opinions  of those
    evicted_count, unjudged_count  as in Judged
    """

    row_state: NDArray[np.int8]
    kept: NDArray[np.int64]
    rows: NDArray[np.int32]
    series: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    opinions: Opinions
    strength: NDArray[np.float64]
    evicted_count: int
    unjudged_count: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What a job made of one run.

    kept      (q,) int64   the values that it judged, as indices into the run's
    opinions  of those     closed  (c, buckets.ROW) buckets that closed    late_count  events that came too late
    hidden_count  findings that adjustments kept from being any    untold  (3,) how many were not told, by buckets.RULES
    evicted_count  models that others took the place of    unjudged_count  values without a model, that have no opinion
    """

    kept: NDArray[np.int64]
    opinions: Opinions
    closed: NDArray[np.float64]
    late_count: int
    findings: tuple[tuple[int, Finding | BucketChange], ...]
    hidden_count: int
    untold: NDArray[np.int64]
    evicted_count: int = 0
    unjudged_count: int = 0


class JobState:
    """The state of one job in columns by source and by series. See ``buckets`` for what each column holds.

    The detector and the alert stage have a slot for each series, its number; where the job may hold fewer models than
    there are series, one for each of its ``places``.
    """

    def __init__(
        self,
        job: Job,
        sources_max: int,
        series_max: int,
        name_of: Callable[[int], tuple[str, str]],
        catalog: Catalog,
    ) -> None:
        spec = job.spec
        self.job = job
        self.span_ms, self.latency_ms = spec.bucket_span_s * 1000, spec.latency_s * 1000
        self.places = Places(spec.models_max, spec.shards, series_max, catalog) if spec.models_max else None
        capacity = spec.models_max or series_max
        self.detector: Detector = registry.create(spec.model, capacity, dict(spec.parameters))
        self.pieces = self.detector.pieces if isinstance(self.detector, Explaining) else ()
        self.alert = scores.AlertStage(capacity)
        self.adjustments = Adjustments(series_max)
        self.followed = np.zeros(series_max, np.int8)
        self._known = 0  # series up to here have been compared with the patterns
        self._name_of = name_of
        self._groups = (
            Groups(self.detector.group_by, spec.peer_groups, catalog) if isinstance(self.detector, Grouped) else None
        )
        open_max = -(-self.latency_ms // self.span_ms) + 1 + AHEAD
        self._latest = np.zeros(sources_max, np.int64)
        self.frontier = np.zeros(sources_max, np.int64)
        self.opened = np.zeros((sources_max, open_max, buckets.OPEN))
        self.counters = np.zeros((sources_max, buckets.COUNTERS), np.int64)
        self.spoken = np.zeros((sources_max, 2))  # of a source's silence, see ``find_silence``
        self.best = np.zeros((series_max, open_max, 2))
        self.begun_anew = np.zeros(series_max, np.bool_)  # their model's state could not be restored, for this reason
        self.anew_reason = ""

    def work_with(self, team: Team) -> None:
        """Let *team* take parts of what the detector does, if its work can be divided."""
        if isinstance(self.detector, Divisible):
            self.detector.divide(team.threads, team.run)

    def hear(self, run: Run) -> Heard:
        """Route, score and learn the events of *run*; they count for nothing until ``conclude``."""
        self.follow(int(run.series.max(initial=-1)) + 1)
        n, p = run.size, run.series.size
        row_state, kept = np.zeros(n, np.int8), np.empty(p, np.int64)
        q = route(
            run.source,
            run.time_ms,
            run.point_row,
            run.series,
            self.followed,
            self.span_ms,
            self.latency_ms,
            self._latest,
            row_state,
            kept,
        )
        kept = kept[:q]
        whole = q == p
        rows = run.point_row if whole else run.point_row[kept]
        series = run.series if whole else run.series[kept]
        value = run.value if whole else run.value[kept]
        time_ms = run.point_ms if whole else run.point_ms[kept]
        evicted_count = unjudged_count = 0
        if self.places is None:
            opinions = self.detector.process(series, time_ms, value)
            strength = self.alert.strength_of(series, opinions)
        else:
            given = self.places.give(series, run.at_ms[run.entry_of(rows)])
            evicted_count, unjudged_count = given.lost.size, given.unjudged_count
            opinions, strength = self._in_places(given, series, time_ms, value)
        return Heard(row_state, kept, rows, series, time_ms, value, opinions, strength, evicted_count, unjudged_count)

    def conclude(self, run: Run, heard: Heard, score_min: float) -> Judged:
        """Put what was heard of *run* into buckets, and find what is told."""
        series, opinions, strength = heard.series, heard.opinions, heard.strength
        score, hidden_count = self.adjustments.score(series, opinions.novelty, strength, score_min)
        n, q, k = run.size, series.size, self.opened.shape[1]
        closed, closed_row = np.empty((n + n * k, buckets.ROW)), np.empty(n + n * k, np.int32)
        found, found_bucket = np.empty(q, np.int64), np.empty((q, buckets.ROW))
        untold = np.zeros(len(RULES), np.int64)
        closed_count, found_count = accumulate(
            run.source,
            run.time_ms,
            heard.row_state,
            heard.rows,
            series,
            opinions.novelty,
            strength,
            score,
            self.span_ms,
            self.latency_ms,
            score_min,
            self.frontier,
            self.opened,
            self.best,
            self.counters,
            closed,
            closed_row,
            found,
            found_bucket,
            untold,
        )
        closed = closed[:closed_count].copy()
        findings = self._outcome(run, heard, score, closed, closed_row, found[:found_count], found_bucket)
        late_count = int((heard.row_state == LATE).sum())
        return Judged(
            heard.kept,
            opinions,
            closed,
            late_count,
            findings,
            hidden_count,
            untold,
            heard.evicted_count,
            heard.unjudged_count,
        )

    def _in_places(
        self, given: Given, series: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]
    ) -> tuple[Opinions, NDArray[np.float64]]:
        """Opinions and strengths, (q,), of values in the places that they were given; of those without one, none.

        A model is forgotten exactly where its place is taken, for what its group knows changes with it.
        """
        assert self.places is not None
        said: list[tuple[NDArray[np.int64], Opinions, NDArray[np.float64]]] = []
        first = 0
        for last, loser in zip((*given.lost.tolist(), series.size), (*given.losers.tolist(), -1), strict=True):
            begun = given.begun[(given.begun >= first) & (given.begun < last)]
            self._join(series[begun], given.place[begun])
            rows = first + np.flatnonzero(given.place[first:last] >= 0)
            if rows.size or loser < 0:
                slot = given.place[rows]
                opinions = self.detector.process(slot, time_ms[rows], value[rows])
                said.append((rows, opinions, self.alert.strength_of(slot, opinions)))
            if loser >= 0:
                self._forget(loser, given.place[last : last + 1])
            first = last
        if len(said) == 1 and not given.unjudged_count:
            return said[0][1:]
        return together(said, series.size)

    def _join(self, series: NDArray[np.int32], slot: NDArray[np.int32]) -> None:
        """*series* have their models in these slots from now on, and belong to their groups."""
        if self._groups is not None and isinstance(self.detector, Grouped) and series.size:
            self.detector.join(slot, self._groups.join(series))

    def _forget(self, series: int, slot: NDArray[np.int32]) -> None:
        """The model of *series*, in this slot, is evicted."""
        self.detector.forget(slot)
        self.alert.forget(slot)
        self.begun_anew[series] = False
        if self._groups is not None:
            self._groups.leave(series)

    def slot_of(self, series: NDArray[np.int32]) -> NDArray[np.int32]:
        """Where the detector and the alert stage have each of n series, (n,) int32; −1: it has no model."""
        return series if self.places is None else self.places.of(series)

    def follow(self, newest: int) -> None:
        """Compare the series up to *newest* with the patterns, those that have not been."""
        if newest <= self._known:
            return
        spec = self.job.spec
        if spec.sources == ("*",) and spec.fields == ("*",):
            self.followed[self._known : newest] = FOLLOWED
        else:
            for series in range(self._known, newest):
                self.followed[series] = FOLLOWED if follows(self.job, *self._name_of(series)) else LEFT_OUT
        if self.places is None:
            mine = np.flatnonzero(self.followed[self._known : newest] == FOLLOWED).astype(np.int32)
            mine += np.int32(self._known)
            self._join(mine, mine)
        self._known = newest

    def _outcome(
        self,
        run: Run,
        heard: Heard,
        score: NDArray[np.float64],
        closed: NDArray[np.float64],
        closed_row: NDArray[np.int32],
        found: NDArray[np.int64],
        found_bucket: NDArray[np.float64],
    ) -> tuple[tuple[int, Finding | BucketChange], ...]:
        """Findings and changed buckets with the event that gave each, in order of the events; ordinals are still 0."""
        job, out = self.job.number, list[tuple[int, Finding | BucketChange]]()
        for i in np.flatnonzero(closed[:, buckets.ROW - 1] > 0):
            entry = run.entry_of(closed_row[i])
            change = change_of(job, int(run.seq[entry]), int(run.at_ms[entry]), closed[i], closed=True)
            out.append((int(closed_row[i]), change))
        if found.size:  # whole columns, for a number taken out of an array alone costs as much as a dozen of a list
            row, of, said = heard.rows[found], heard.series[found], heard.opinions
            entry = run.entry_of(row)
            columns = (run.seq[entry], run.at_ms[entry], row, run.source[row], of, heard.time_ms[found],
                       heard.value[found], said.typical[found], said.lower[found], said.upper[found],
                       said.novelty[found], said.probability[found], score[found], heard.strength[found])
            numbers = zip(*[column.tolist() for column in columns], strict=True)
            for k, (point, its) in enumerate(zip(found.tolist(), numbers, strict=True)):
                seq, at_ms, at, owner, one, t, actual, typical, lower, upper, novelty, probability, rank, strong = its
                reason = self.reason(said, point, one, strong)
                change = change_of(job, seq, at_ms, found_bucket[k], closed=False)
                out.append((at, Finding(seq, 0, at_ms, job, owner, one, change.start_ms, t, actual, typical, lower,
                                        upper, novelty, probability, rank, reason)))
                out.append((at, change))
        out.sort(key=lambda pair: pair[0])
        return tuple(out)

    def reason(self, opinions: Opinions, point: int, series: int, strength: float) -> bytes:
        """Why *point*, of *series*, became a finding of this *strength*, packed as it is kept with the record."""
        damping = strength / float(opinions.novelty[point])
        adjustment = 1.0 / self.factor_of(series) if self.adjustments.in_force else 1.0
        return explain.pack(
            explain.reason_of(opinions.evidence, point, self.pieces, damping=damping, adjustment=adjustment)
        )

    def account(self, series: NDArray[np.int32]) -> Account:
        """How the incidents of these series stand, by whoever keeps account of them; one without a model has none."""
        keeper = self.detector if isinstance(self.detector, Accounting) else self.alert
        slot = self.slot_of(series)
        account, without = keeper.account(np.maximum(slot, 0)), slot < 0
        if not without.any():
            return account
        return Account(
            np.where(without, 1.0, account.damping),
            np.where(without, 0.0, account.held),
            np.where(without, 0, account.age),
            account.hold,
        )

    def factor_of(self, series: int) -> float:
        """What feedback divides the strengths of *series* by; 1 where there is none."""
        return total_of(adjustment.factor for adjustment in self.adjustments.of(series))

    def open_buckets(self, sources: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The buckets of *sources* that may still change, (m, ROW), and whether each is interim (m,)."""
        held = self.opened[sources]
        at = np.nonzero((held[:, :, buckets.COUNT] > 0) | (held[:, :, buckets.RECORDS] > 0))
        rows = np.empty((at[0].size, buckets.ROW))
        rows[:, 0] = sources[at[0]]
        rows[:, 1:] = held[at][:, : buckets.CLOSED]
        return rows, held[at][:, buckets.CLOSED] == 0

    def save(self, sources: NDArray[np.int64], series: NDArray[np.int64]) -> State:
        """A copy of the state of these sources and series."""
        mine = series[self.followed[series] == FOLLOWED].astype(np.int32)
        state: State = {
            "frontier": copy_of(self.frontier, sources),
            "opened": copy_of(self.opened, sources),
            "counters": copy_of(self.counters, sources),
            "spoken": copy_of(self.spoken, sources),
            "mine": mine,
            "best": copy_of(self.best, mine),
        }
        slot = self.slot_of(mine)
        slot = slot[slot >= 0]
        state |= {f"detector.{name}": array for name, array in self.detector.save(slot).items()}
        state |= {f"alert.{name}": array for name, array in self.alert.save(slot).items()}
        if self.places is not None:
            state |= {f"places.{name}": array for name, array in self.places.save(mine).items()}
        state |= {f"adjustments.{name}": array for name, array in self.adjustments.save(mine).items()}
        return state

    def restore(self, sources: NDArray[np.int64], state: State) -> None:
        """Set these sources, and the series that were followed, to what ``save`` gave."""
        self.frontier[sources], self.opened[sources], self.counters[sources] = (
            state["frontier"],
            state["opened"],
            state["counters"],
        )
        self._latest[sources], self.spoken[sources] = state["frontier"], state["spoken"]
        mine = state["mine"]
        self.best[mine] = state["best"]
        held = mine
        if self.places is not None:
            held = self.places.restore(mine, part_of(state, "places."))
            self._join(held, self.slot_of(held))
        self._restore_models(held, part_of(state, "detector."))
        self.alert.restore(self.slot_of(held), part_of(state, "alert."))
        self.adjustments.restore(mine, part_of(state, "adjustments."))

    def _restore_models(self, mine: NDArray[np.int32], state: State) -> None:
        """Give the detector the state of these series back; where it does not take it, they begin anew, and say so.

        So an update, of river or of a plug-in, costs its models their warm-up and not the daemon its start.
        """
        try:
            self.detector.restore(self.slot_of(mine), state)
        except Exception as e:  # a plug-in may raise anything
            self.detector.forget(self.slot_of(mine))
            self.begun_anew[mine] = True
            self.anew_reason = str(e) if isinstance(e, ValueError) else f"{type(e).__name__}: {e}"

    def hidden(self, series: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many findings of each of these series adjustments kept from being any, (n,) int64."""
        return self.adjustments.counted(series)[:, HIDDEN]


def together(
    said: list[tuple[NDArray[np.int64], Opinions, NDArray[np.float64]]], count: int
) -> tuple[Opinions, NDArray[np.float64]]:
    """The opinions and strengths of *count* values, said of some after others; none of those in none of the rows."""
    filled, strength = np.full((5, count), np.nan), np.zeros(count)
    evidence = None
    for rows, opinions, strong in said:
        filled[:, rows] = (
            opinions.novelty,
            opinions.probability,
            opinions.typical,
            opinions.lower,
            opinions.upper,
        )
        strength[rows] = strong
        if opinions.evidence is not None:
            if evidence is None:
                pieces = opinions.evidence.share.shape[1]
                evidence = Evidence(
                    np.zeros((count, pieces), np.float32), np.zeros((count, 2), np.int32), np.zeros(count, np.uint8)
                )
            evidence.share[rows] = opinions.evidence.share
            evidence.similar[rows] = opinions.evidence.similar
            evidence.notes[rows] = opinions.evidence.notes
    novelty, probability, typical, lower, upper = filled
    return Opinions(novelty, probability, typical, lower, upper, evidence), strength


def part_of(state: State, prefix: str) -> State:
    """Those of *state* whose names begin with *prefix*, without it."""
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}


def follows(job: Job, source: str, field: str) -> bool:
    """Does the job's selection take this series?"""
    spec = job.spec
    return any(fnmatchcase(source, p) for p in spec.sources) and any(fnmatchcase(field, p) for p in spec.fields)
