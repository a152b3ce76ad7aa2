"""What feedback would do, from what is stored: how much weaker or stronger a series must be, and what that moves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.adjustments import TOTAL_MAX, total_of
from offbeat.engine.engine import Engine
from offbeat.engine.entries import Job
from offbeat.errors import BadRequest, Conflict, NotFound
from offbeat.store import adjustments as rows
from offbeat.store import bucket_queries
from offbeat.store.adjustments import Found, Kept, Verdict
from offbeat.store.bucket_queries import Ask
from offbeat.store.database import Database
from offbeat.store.queries import BucketQuery
from offbeat.store.record_queries import id_of, key_of
from offbeat_detectors.contract import EVIDENCE_MIN
from offbeat_detectors.scores import HOLD_READINGS, score_of_strength, strength_of_score

CALMER, KEENER = (1.1, 8.0), (0.125, 0.9)
"""The least and the most that one adjustment divides by."""
MISSED_SCORE = 50.0
"""What was missed would have scored this."""
BELOW_DEFAULT = 25.0
LOOK_BACK = 10_000
"""So many past records, and so many past buckets, are looked at."""
SHOWN_MAX = 100
IN_FORCE_MAX = 1_000
OF_SERIES_MAX = 8


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says: of one *record*, by its id; or of the series *field* of *source* in a span of event time.

    below  what was normal should have scored less than this
    """

    verdict: Verdict
    record: str | None = None
    job: str = "watch"
    source: str = ""
    field: str = ""
    start_ms: int = 0
    end_ms: int = 0
    note: str = ""
    below: float = BELOW_DEFAULT


@dataclass(frozen=True, slots=True)
class Effect:
    """A past record: its score as it was said, with what is in force now, and with the adjustment as well."""

    record: str
    time_ms: int
    score: float
    score_now: float
    score_then: float


@dataclass(frozen=True, slots=True)
class Weighed:
    """What an adjustment would do; *name* None: it is not in force.

    factor          what strengths of the series are divided by
    total_now, total_then  the same with all that is in force, without and with it
    target          the score aimed at: below it for what was normal, at least it for what was missed
    reached         what the strongest of the span would have scored
    estimated       *reached* is that of a bucket's novelty: no record tells of it
    record_count    past records of the series that were looked at, the newest LOOK_BACK
    changed_count   of these, would have scored less than the target (normal), or reached it (missed)
    hidden_count    of these, would have been no record at all
    effects         those that are counted in either, and those of the span; the strongest SHOWN_MAX of them
    bucket_count    past buckets that were looked at, the newest LOOK_BACK (missed)
    revealed_count  of these, those that might have held a record, at most
    """

    name: str | None
    verdict: Verdict
    job: str
    source: str
    field: str
    start_ms: int
    end_ms: int
    note: str
    factor: float
    total_now: float
    total_then: float
    target: float
    reached: float
    estimated: bool
    effects: tuple[Effect, ...]
    effects_omitted: int
    record_count: int
    changed_count: int
    hidden_count: int
    bucket_count: int
    revealed_count: int

    @property
    def sentence(self) -> str:
        """It in words."""
        whose = f"{self.field} of {self.source}"
        if self.verdict == "normal":
            text = (
                f"findings of {whose} are made {self.factor:g} times weaker from here on: of {self.record_count} past "
                f"ones {self.changed_count} would have scored below {self.target:g}, and {self.hidden_count} would not "
                "have been kept"
            )
            if self.reached >= self.target:
                text += f"; the strongest would still have scored {self.reached:.3g}, for {_bound(self.total_then)}"
            return text
        guess = ", as far as the novelty of its bucket tells," if self.estimated else ""
        text = (
            f"findings of {whose} are made {1 / self.factor:.3g} times stronger from here on: this one would have "
            f"scored {self.reached:.3g}{guess} and of {self.bucket_count} past buckets at most {self.revealed_count} "
            "more would have held a finding"
        )
        return f"{text}; no more is done, for {_bound(self.total_then)}" if self.reached < self.target else text


def _bound(total: float) -> str:
    if total in (TOTAL_MAX, 1 / TOTAL_MAX):
        return f"all that is in force together changes a strength {TOTAL_MAX:g} times at most"
    return f"one adjustment changes a strength {CALMER[1]:g} times at most"


@dataclass(frozen=True, slots=True)
class Series:
    job: Job
    source: int
    number: int
    names: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the engine holds of a series: is it followed, the factors in force, how much its past makes it weaker."""

    followed: bool
    factors: tuple[float, ...]
    damping: float
    score_min: float
    in_force: int


def _standing(engine: Engine, job: int, series: int) -> Standing:
    state = engine.jobs.get(job)
    if state is None:  # its entry has not been applied yet, or the one that deleted it has
        raise NotFound("the job is just beginning or ending", hint="try again in a moment")
    return Standing(
        bool(state.followed[series] == 1),
        tuple(one.factor for one in state.adjustments.of(series)),
        float(state.account(np.array([series], np.int32)).damping[0]),
        engine.settings.score_min,
        engine.adjustment_count(),
    )


class Weighing:
    """Weighs what is said against the past of its series. Changes nothing."""

    def __init__(self, database: Database, jobs: Callable[[], Mapping[int, Job]], ask: Ask) -> None:
        self._database, self._jobs, self._ask = database, jobs, ask

    async def weigh(self, said: Said) -> tuple[Weighed, Series]:
        """What *said* would do, and to which series.

        Raises BadRequest, NotFound for what it is said of, Conflict where nothing can or need be done.
        """
        _check(said)
        if said.record is not None:
            series, bucket_ms = await self._of_record(said.record)
            said = replace(said, start_ms=bucket_ms, end_ms=bucket_ms + series.job.spec.bucket_span_s * 1000)
        else:
            series = await self._named(self._job(said.job), said.source, said.field)
        standing = await self._ask(lambda engine: _standing(engine, series.job.number, series.number))
        source, field = series.names
        if not standing.followed:
            raise NotFound(
                f"the job {series.job.spec.id} does not follow {field} of {source}",
                hint="name another job, or another series",
                where={"job": series.job.spec.id, "source": source, "field": field},
            )
        if len(standing.factors) >= OF_SERIES_MAX or standing.in_force >= IN_FORCE_MAX:
            most = f"{OF_SERIES_MAX} of one series" if len(standing.factors) >= OF_SERIES_MAX else f"{IN_FORCE_MAX}"
            raise Conflict(f"{most} adjustments are in force already", hint="take one back first: GET /api/v1/feedback")
        past = await self._past(series, standing)
        weighed = await (self._normal if said.verdict == "normal" else self._missed)(said, series, standing, past)
        return weighed, series

    def _job(self, id: str) -> Job:
        for job in self._jobs().values():
            if job.spec.id == id:
                return job
        raise NotFound(f"there is no job {id}", hint="GET /api/v1/jobs lists them", where={"job": id})

    async def _named(self, job: Job, source: str, field: str) -> Series:
        numbers = await rows.series_named(self._database, source, field)
        if numbers is None:
            raise NotFound(
                f"there is no {field} of {source}",
                hint="GET /api/v1/sources lists the sources, GET /api/v1/sources/{source} their fields",
                where={"source": source, "field": field},
            )
        return Series(job, *numbers, (source, field))

    async def _of_record(self, id: str) -> tuple[Series, int]:
        """The series and the bucket of a record."""
        key = key_of(id)
        if key is None:
            raise BadRequest(
                f"record is {id[:200]!r}: expected the id of a record, as watch:0:AAL:responsetime:1449677640000",
                hint="GET /api/v1/records lists them",
                where={"field": "record"},
            )
        name, source, field, bucket_ms = key
        job, numbers = self._job(name), await rows.series_named(self._database, source, field)
        if numbers is None or not await rows.records_of(
            self._database, job.number, numbers[1], 1, bucket_ms, bucket_ms + 1
        ):
            raise NotFound(
                f"there is no record {id[:200]}", hint="GET /api/v1/records lists them", where={"record": id[:200]}
            )
        return Series(job, *numbers, (source, field)), bucket_ms

    async def _past(self, series: Series, standing: Standing) -> Past:
        """The newest records of the series."""
        found = await rows.records_of(self._database, series.job.number, series.number, LOOK_BACK)
        return Past(found, await rows.of_series(self._database, series.job.number, series.number), standing)

    async def _in_span(self, said: Said, series: Series, past: Past) -> Past:
        """The records of the span; those of one record's bucket if a record was named."""
        span_ms = series.job.spec.bucket_span_s * 1000
        low = said.start_ms - said.start_ms % span_ms
        found = await rows.records_of(
            self._database, series.job.number, series.number, LOOK_BACK, low, max(said.end_ms, low + 1)
        )
        if said.record is None:
            found = [one for one in found if said.start_ms <= one.time_ms < said.end_ms]
        return Past(found, past.history, past.standing)

    async def _normal(self, said: Said, series: Series, standing: Standing, past: Past) -> Weighed:
        span, (source, field) = await self._in_span(said, series, past), series.names
        if not span.found:
            raise Conflict(
                f"nothing was found in {field} of {source} there, so nothing needs to be calmer",
                hint="GET /api/v1/records lists what was found",
                where={"source": source, "field": field},
            )
        now, strongest = total_of(standing.factors), float(span.strength.max())
        needed = strongest / (now * strength_of_score(said.below))
        if needed < 1.0:
            raise Conflict(
                f"with what is in force it would score {score_of_strength(strongest / now):.3g} already, less than "
                f"{said.below:g}",
                hint="ask for less with below",
            )
        factor = min(max(math.floor(needed * 100 + 1) / 100, CALMER[0]), CALMER[1])
        then = _changed(standing, factor)
        changed = (past.now >= said.below) & (past.scores(then) < said.below)
        return self._weighed(
            said, series, past, span, factor, (now, then), said.below, score_of_strength(strongest / then), changed
        )

    async def _missed(self, said: Said, series: Series, standing: Standing, past: Past) -> Weighed:
        span = await self._in_span(said, series, past)
        if span.found and max(one.score for one in span.found) >= MISSED_SCORE:
            raise Conflict(
                f"it was found: a record there scored {max(one.score for one in span.found):.3g}",
                hint="GET /api/v1/records shows it",
            )
        now, goal = total_of(standing.factors), strength_of_score(MISSED_SCORE)
        inside = await self._novelties(said, series, {one.bucket_ms for one in span.found})
        known = float(span.strength.max(initial=0.0))
        strongest = max(known, float(inside.max(initial=0.0)) / standing.damping)
        novelty = max([float(inside.max(initial=0.0)), *(one.novelty for one in span.found)])
        if novelty < EVIDENCE_MIN:
            raise Conflict(
                f"the job {series.job.spec.id} saw nothing unusual there: its greatest novelty was {novelty:.2g}",
                hint="no factor makes a finding of that; a job with another model or other parameters may see it",
            )
        needed = strongest / (now * goal)
        if needed >= 1.0:
            raise Conflict(
                f"it was novel enough for a score of {score_of_strength(strongest / now):.3g}, but came within "
                f"{HOLD_READINGS} readings of a stronger finding",
                hint="one incident is one finding: GET /api/v1/records shows the one before",
            )
        factor = min(max(math.floor(needed * 1000) / 1000, KEENER[0]), KEENER[1])
        then = _changed(standing, factor)
        everywhere = replace(said, record=None, start_ms=-rows.FAR_MS, end_ms=rows.FAR_MS)
        before = await self._novelties(everywhere, series, {one.bucket_ms for one in past.found})
        floor = max(standing.score_min, 1e-9)
        revealed = sum(
            score_of_strength(e / then) >= floor > score_of_strength(e / now)
            for e in (before[before >= EVIDENCE_MIN] / standing.damping).tolist()
        )
        changed = (past.now < MISSED_SCORE) & (past.scores(then) >= MISSED_SCORE)
        weighed = self._weighed(
            said, series, past, span, factor, (now, then), MISSED_SCORE, score_of_strength(strongest / then), changed
        )
        return replace(weighed, estimated=known < strongest, bucket_count=before.size, revealed_count=revealed)

    async def _novelties(self, said: Said, series: Series, known: set[int]) -> NDArray[np.float64]:
        """The novelty, at most, of the series in the newest buckets of the span, (n,); 0 for those *known*.

        A bucket has the greatest novelty of its source's fields: that of a record of another field was not this one's.
        """
        job = series.job
        span_ms = job.spec.bucket_span_s * 1000
        low = said.start_ms - said.start_ms % span_ms
        query = BucketQuery(job.spec.id, start_ms=low, end_ms=said.end_ms, order="-time", limit=LOOK_BACK)
        page = await bucket_queries.source_buckets(
            self._database, self._ask, job, query, np.array([series.source], np.int64), str
        )
        if page.next_cursor is not None and said.start_ms > -rows.FAR_MS:
            raise BadRequest(
                f"the span holds more than {LOOK_BACK} buckets", hint="name a shorter one", where={"field": "start"}
            )
        if not page.rows:
            return np.zeros(0)
        oldest = min(one.start_ms for one in page.rows)
        others = await rows.other_novelties(
            self._database, job.number, series.source, series.number, oldest, 10 * LOOK_BACK
        )
        return np.array(
            [0.0 if b.start_ms in known or b.novelty <= others.get(b.start_ms, -1.0) else b.novelty for b in page.rows]
        )

    def _weighed(
        self,
        said: Said,
        series: Series,
        past: Past,
        span: Past,
        factor: float,
        totals: tuple[float, float],
        target: float,
        reached: float,
        changed: NDArray[np.bool_],
    ) -> Weighed:
        if totals[0] == totals[1]:
            raise Conflict(f"nothing more can be done: {_bound(totals[1])}", hint="take one back: GET /api/v1/feedback")
        source, field = series.names
        after, floor = past.scores(totals[1]), past.standing.score_min
        hidden = (past.now >= floor) & (after < floor)
        named = {one.bucket_ms for one in span.found}
        inside = np.array([one.bucket_ms in named for one in past.found], np.bool_)
        which = np.flatnonzero(changed | hidden | inside)
        which = which[np.argsort(-past.now[which], kind="stable")]
        effects = tuple(
            Effect(
                id_of(series.job.spec.id, source, field, past.found[i].bucket_ms),
                past.found[i].time_ms,
                past.found[i].score,
                float(past.now[i]),
                float(after[i]),
            )
            for i in which[:SHOWN_MAX].tolist()
        )
        return Weighed(
            None, said.verdict, series.job.spec.id, source, field, said.start_ms, said.end_ms, said.note, factor,
            *totals, target, reached, False, effects, which.size - len(effects), len(past.found), int(changed.sum()),
            int(hidden.sum()), 0, 0,
        )


class Past:
    """Past records of a series, and how strong each was before any adjustment.

    strength  (n,) float64; of a score of 100, which says no more, the novelty
    now       (n,) float64: the scores with what is in force
    """

    def __init__(self, found: list[Found], history: list[Kept], standing: Standing) -> None:
        self.found, self.history, self.standing = found, history, standing
        then = [
            total_of(
                k.given.adjustment.factor
                for k in history
                if k.created_seq < one.seq and (k.ended_seq is None or one.seq < k.ended_seq)
            )
            for one in found
        ]
        self.strength = np.array(
            [
                max(strength_of_score(one.score) * by, one.novelty if one.score >= 100.0 else 0.0)
                for one, by in zip(found, then, strict=True)
            ]
        )
        in_force = total_of(standing.factors)
        said = np.array([one.score for one in found])
        self.now = np.where(np.array(then) == in_force, said, self.scores(in_force)) if found else said

    def scores(self, total: float) -> NDArray[np.float64]:
        """What they would score if strengths were divided by *total*."""
        return np.array([score_of_strength(e / total) for e in self.strength.tolist()])


def _changed(standing: Standing, factor: float) -> float:
    return total_of((*standing.factors, factor))


def _check(said: Said) -> None:
    """Raise BadRequest if *said* cannot mean anything."""
    if not 1.0 <= said.below <= 100.0:
        raise BadRequest(f"below is {said.below:g}: expected 1 to 100", where={"field": "below"})
    if len(said.note) > 1000:
        raise BadRequest("note is longer than 1000 characters", where={"field": "note"})
    if said.record is None and said.start_ms >= said.end_ms:
        raise BadRequest("start is not before end", hint="end is exclusive", where={"field": "end"})
