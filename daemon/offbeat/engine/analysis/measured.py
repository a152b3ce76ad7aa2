"""A detector that measures: a number per bucket and entity, judged by its own past, or by its peers."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.columns import Columns
from offbeat.engine.analysis.correlated import Beside, Correlated, once
from offbeat.engine.analysis.gathering import Gathering
from offbeat.engine.analysis.judges import ByPeers, Judge
from offbeat.engine.analysis.names import Names
from offbeat.engine.analysis.nested import part, under
from offbeat.engine.analysis.plotting import POINTS_MAX, Plotting
from offbeat.engine.analysis.question import CUT_OFF, Answer, Draft
from offbeat.engine.analysis.restraint import Restraint
from offbeat.engine.analysis.results import Peers, PlotPoint, Size, Withheld
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec
from offbeat.engine.analysis.split import Room, Split
from offbeat_detectors.buckets.features import Gathered
from offbeat_detectors.buckets.functions import Function
from offbeat_detectors.buckets.influence import Removed, influence
from offbeat_detectors.buckets.model import BucketOpinions
from offbeat_detectors.buckets.pairs import NOBODY
from offbeat_detectors.contract import State

NEVER = np.int64(1 << 62)
NOTHING = (0, 0)
"""The version of a split that knows nobody."""
GROWS, SHRINKS = ("count", "sum", "distinct_count", "info_content", "max"), ("min",)
"""Features that more rows of a bucket can only make larger, or smaller; a sum as a rule."""


class Measured:
    """One such detector at work. *judges*: one a feature of its function; *pairs* too, or none."""

    def __init__(
        self,
        index: int,
        function: Function,
        spec: DetectorSpec,
        analysis: AnalysisSpec,
        names: MutableMapping[str, Names],
        judges: list[Judge],
        room: Room,
        pairs: Sequence[Correlated] = (),
    ) -> None:
        self._index, self._function, self._spec, self._names = index, function, spec, names
        own = (spec.by, spec.over, spec.partition)
        self._own = tuple(field for field in analysis.influencers if field in own)
        removable = [field for field in analysis.influencers if field not in own]
        self._split = Split(spec, names, room)
        self._restraint = Restraint(index, spec, self._split, analysis.bucket_span_s)
        self._gathering = Gathering(function, spec.field, removable)
        self._removable = bool(removable)
        self._judges, self._pairs = judges, pairs
        self._zeros = function.empty == "zero" and not spec.over
        self._since = np.zeros(0, np.int64)  # the first bucket of each member
        self._version = NOTHING
        plot = analysis.model_plot
        self._plotting = Plotting(index, function, plot, self._values) if plot is not None else None

    # ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, columns: Columns, rows: slice, bucket: NDArray[np.int64], weight: NDArray[np.float64]) -> None:
        """Take *rows* of an upload, with the bucket and the weight of each."""
        whose = self._split.of(columns, rows)
        at = whose.row - rows.start
        self._split.saw(whose, bucket[at])
        self._follow()
        np.minimum.at(self._since, whose.member, bucket[at])
        self._gathering.add(columns, whose.row, bucket[at], whose.member, weight[at])

    def _follow(self) -> None:
        if self._version == self._split.version:
            return
        self._version, places = self._split.version, self._split.places
        self._since = np.concatenate([self._since, np.full(places - self._since.size, NEVER)])
        entity = self._split.members.first if self._spec.over else np.arange(places, dtype=np.int32)
        for judge in self._judges:
            judge.grow(places, entity)
        for pairs in self._pairs:
            pairs.grow(places)

    # ── buckets ───────────────────────────────────────────────────────────────────────────────────────────────

    def close(self, bucket: int) -> Answer:
        """Judge a bucket that is complete, learn it, and forget its rows."""
        answer = self._answer(bucket, 1.0, learn=True)
        self._gathering.forget(bucket)
        return answer

    def look(self, bucket: int, complete: float) -> Answer:
        """Judge an open bucket of which a share *complete* has come, and change nothing."""
        return self._answer(bucket, complete, learn=False)

    def drop(self, bucket: int) -> None:
        """Forget the rows of a bucket, of which nothing is to be said."""
        self._gathering.forget(bucket)

    def drop_open(self) -> None:
        """Forget the rows of all open buckets."""
        for bucket in self._gathering.buckets:
            self._gathering.forget(bucket)

    def _answer(self, bucket: int, complete: float, *, learn: bool) -> Answer:
        came = self._gathering.look(bucket)
        gathered = self._filled(came, bucket)
        plain = learn and not self._removable and not self._restraint.teaches_less
        probabilities, drafts, plot = [], list[Draft](), list[PlotPoint]()
        for j, (judge, description) in enumerate(zip(self._judges, self._function.descriptions, strict=True)):
            has = ~np.isnan(gathered.value[:, j])
            member, value = gathered.entity[has], np.ascontiguousarray(gathered.value[has, j])
            said = (
                judge.process(member, bucket, value, np.ones(member.size))
                if plain
                else judge.judge(member, bucket, value, complete)
            )
            own = self._sided(said, j, value, final=learn)
            beside = self._beside(j, bucket, member, value, said, own, final=learn)
            expected = said if beside is None else beside
            held = self._restraint.hold(
                bucket,
                self._entity(member),
                member,
                value,
                expected.typical,
                own if beside is None else beside.probability,
                final=learn,
            )
            p = held.probability
            odd = np.flatnonzero(p <= CUT_OFF)
            blamed = (
                self._blamed(bucket, j, judge, complete, member, odd, p[odd], beside, final=learn) if odd.size else {}
            )
            drafts += [
                self._draft(description, int(member[i]), float(p[i]), float(value[i]), expected, i, blamed)
                for i in odd.tolist()
            ]
            if learn and not plain:
                judge.process(member, bucket, value, held.teaches.astype(np.float64))
            if learn and beside is not None:
                partition, there = self._split.entities.first[member], np.isin(member, came.entity)
                self._pairs[j].learn(member, partition, bucket, beside, held.teaches, there)
            if learn and self._plotting is not None:
                plot += self._plotting.points(j, member, value, said)
            probabilities.append(p if beside is None else once(member, beside, p))
        if learn:
            self._restraint.learn(self._entity(came.entity), came.entity)
        beyond = max(0, len(plot) - POINTS_MAX)
        return Answer(self._index, np.concatenate(probabilities), drafts, tuple(plot[:POINTS_MAX]), beyond)

    def _entity(self, member: NDArray[np.int32]) -> NDArray[np.int32]:
        return self._split.members.first[member] if self._spec.over else member

    def _filled(self, gathered: Gathered, bucket: int) -> Gathered:
        """With a zero for every member that is known and has no row, if such a bucket says something."""
        if not self._zeros:
            return gathered
        known = np.flatnonzero(self._since <= bucket).astype(np.int32)
        value = np.zeros((known.size, gathered.value.shape[1]))
        place = np.searchsorted(known, gathered.entity)
        value[place] = np.nan_to_num(gathered.value)
        return Gathered(known, np.zeros(known.size), value, gathered.beyond)

    def _sided(
        self, said: BucketOpinions, feature: int, value: NDArray[np.float64], *, final: bool
    ) -> NDArray[np.float64]:
        match self._function.side:
            case "high":
                p = said.probability_high
            case "low":
                p = said.probability_low
            case _:
                p = said.probability
        if final:
            return p
        # What is low of an open bucket, and can still grow, is no anomaly yet.
        name = self._function.features[feature]
        unproven = value < said.typical if name in GROWS else value > said.typical if name in SHRINKS else False
        return np.where(unproven & ~np.isnan(p), 1.0, p)

    def _beside(
        self,
        feature: int,
        bucket: int,
        member: NDArray[np.int32],
        value: NDArray[np.float64],
        said: BucketOpinions,
        own: NDArray[np.float64],
        *,
        final: bool,
    ) -> Beside | None:
        """What is said of members beside those that they follow; None where they follow nobody.

        Of an open bucket nothing is, of what can still grow: the one may have come, and the other not yet.
        """
        if not self._pairs or (not final and self._function.features[feature] in GROWS + SHRINKS):
            return None
        return self._pairs[feature].look(member, bucket, value, said, own)

    def _blamed(
        self,
        bucket: int,
        feature: int,
        judge: Judge,
        complete: float,
        member: NDArray[np.int32],
        odd: NDArray[np.int64],
        probability: NDArray[np.float64],
        beside: Beside | None,
        *,
        final: bool,
    ) -> dict[int, dict[str, tuple[tuple[str, float], ...]]]:
        """By member that is odd: the values of each influencer field, and how much of the oddness goes with each."""
        found: dict[int, dict[str, tuple[tuple[str, float], ...]]] = {}
        for field, rest in self._gathering.without(bucket, member[odd]):
            if not rest.entity.size:
                continue
            without = self._without(rest, feature, judge, bucket, complete, member, beside, final=final)
            whole = dict(zip(member[odd].tolist(), probability.tolist(), strict=True))
            share = influence(np.array([whole[entity] for entity in rest.entity.tolist()]), without)
            for entity in np.unique(rest.entity).tolist():
                mine = np.flatnonzero(rest.entity == entity)
                mine = mine[np.lexsort((rest.code[mine], -share[mine]))]
                values = ((self._names[field].text(int(rest.code[i])) or "", float(share[i])) for i in mine.tolist())
                found.setdefault(entity, {})[field] = tuple(values)
        return found

    def _without(
        self,
        rest: Removed,
        feature: int,
        judge: Judge,
        bucket: int,
        complete: float,
        member: NDArray[np.int32],
        beside: Beside | None,
        *,
        final: bool,
    ) -> NDArray[np.float64]:
        """(r,) the probability of each member without each influencer value."""
        value = np.ascontiguousarray(rest.without[:, feature])
        said = judge.judge(rest.entity, bucket, value, complete)
        own = self._sided(said, feature, value, final=final)
        if beside is None:
            return own
        return self._pairs[feature].again(beside, member, rest.entity, bucket, value, said, own)

    def _draft(
        self,
        description: str,
        member: int,
        probability: float,
        value: float,
        said: BucketOpinions | Beside,
        i: int,
        blamed: dict[int, dict[str, tuple[tuple[str, float], ...]]],
    ) -> Draft:
        spec = self._spec
        partition, by, over = self._values(member)
        influences = dict(blamed.get(member, {}))
        for field in self._own:
            text = by if field == spec.by else over if field == spec.over else partition
            if text is not None:
                influences[field] = ((text, 1.0),)
        partner = int(said.partner[i]) if isinstance(said, Beside) else NOBODY
        return Draft(
            description,
            partition,
            by,
            over,
            probability,
            (float(said.typical[i]),),
            (value,),
            float(said.lower[i]),
            float(said.upper[i]),
            influences,
            correlated=self._split.by(partner) if partner != NOBODY else None,
        )

    def _values(self, member: int) -> tuple[str | None, str | None, str | None]:
        """The partition, by and over value of a member."""
        split, over = self._split, bool(self._spec.over)
        entity = int(split.members.first[member]) if over else member
        return split.partition(entity), split.by(entity), split.over(member) if over else None

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """What it left out, by cause."""
        return self._restraint.withheld

    @property
    def peers(self) -> tuple[Peers, ...]:
        """With whom its members are compared; nothing if each has a past of its own."""
        those = [judge.usual for judge in self._judges if isinstance(judge, ByPeers)]
        most = max(those, key=lambda usual: usual.size, default=None)  # a feature may have a value more rarely
        return () if most is None else (Peers(self._index, most.size, float(most.sum())),)

    # ── memory ────────────────────────────────────────────────────────────────────────────────────────────────

    def size(self) -> Size:
        """What its models take."""
        size = self._split.size()
        if not self._pairs:
            return size
        crowded = size.status == "OK" and any(pairs.crowded for pairs in self._pairs)
        return replace(
            size,
            model_bytes=size.model_bytes + sum(pairs.bytes_held for pairs in self._pairs),
            status="SOFT_LIMIT" if crowded else size.status,
        )

    def make_room(self, bucket: int) -> None:
        """Once *bucket* is final: forget, if there are too many, whom nobody has seen for longest."""
        gone = self._split.make_room(bucket)
        if gone.entity.size or gone.member.size:
            self._since[gone.member if self._spec.over else gone.entity] = NEVER
            self._restraint.forget(gone)
            if self._plotting is not None:
                self._plotting.forget()
            for judge in self._judges:
                judge.forget(gone)
            for pairs in self._pairs:
                pairs.forget(gone)

    def used(self, field: str) -> list[NDArray[np.int32]]:
        """The numbers of those values of a field that it knows by them."""
        return self._split.used(field)

    def save(self) -> State:
        """All of it, as arrays."""
        state = under("split", self._split.save()) | under("open", self._gathering.save())
        state |= under("restraint", self._restraint.save())
        state["since"] = self._since.copy()
        for i, judge in enumerate(self._judges):
            state |= under(f"judge{i}", judge.save())
        for i, pairs in enumerate(self._pairs):
            state |= under(f"pairs{i}", pairs.save())
        return state

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        self._split.restore(part(state, "split"))
        self._since, self._version = np.zeros(0, np.int64), NOTHING
        self._follow()
        self._since[:] = state["since"]
        self._gathering.restore(part(state, "open"))
        self._restraint.restore(part(state, "restraint"))
        for i, judge in enumerate(self._judges):
            judge.restore(part(state, f"judge{i}"))
        for i, pairs in enumerate(self._pairs):
            pairs.restore(part(state, f"pairs{i}"))
