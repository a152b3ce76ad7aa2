"""From the probabilities of a bucket to its result: one of the bucket, one an influencer, and the scores of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.question import CUT_OFF, Answer, Draft
from offbeat.engine.analysis.results import BucketResult, Found, Influencer, Part, Rescore
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat_detectors.buckets.aggregate import aggregate
from offbeat_detectors.buckets.normalizer import Normalizer, raw_scores
from offbeat_detectors.contract import State
from offbeat_detectors.scores import novelty_of_probability, score_of_strength

FOUND_MAX = 500
"""Records of a bucket, the most unusual ones. Source: Prelert Engine API, section 20.18."""
BUCKET_TIME = "bucketTime"
RECORD, BUCKET = "record", "bucket"
"""Levels that are normalized; ``level_of`` is that of the influencers of a field."""
BLAMED_MIN = 0.5
"""A value is blamed if a record would lose half of its oddness without it."""


def score_of(probability: float) -> float:
    """0–100, by the one fixed map from how often findings are false."""
    return float(score_of_strength(float(novelty_of_probability(probability))))


class Scoring:
    """Scores of the probabilities of one job, by its own past."""

    def __init__(self, spec: AnalysisSpec) -> None:
        self._influencers = spec.influencers
        self._normalizer = Normalizer()

    def result(
        self,
        start_ms: int,
        events: int,
        answers: Sequence[Answer],
        shifted: Sequence[Sequence[Answer]] = (),
        *,
        interim: bool,
    ) -> BucketResult:
        """The result of a bucket; unless *interim* it counts as past from now on.

        *shifted*: what is said of buckets that overlap with it. Its probability, and that of each record, is the least.
        """
        every, whole = _together(answers)
        whole = min([whole, *(_together(other)[1] for other in shifted)])
        drafts = sorted(
            _most_unusual([answers, *shifted]), key=lambda pair: (pair[0].probability, pair[1])
        )[:FOUND_MAX]
        blamed = {field: self._blamed(field, [draft for draft, _ in drafts]) for field in self._influencers}
        parts = [Part(BUCKET_TIME, whole, self._scored(BUCKET, [whole])[0])]
        influencers: list[Influencer] = []
        for field, values in blamed.items():
            if not values:
                continue
            of_field = aggregate(np.array(list(values.values())))
            *scores, of_all = self._scored(level_of(field), [*values.values(), of_field])
            influencers += [
                Influencer(field, value, p, score) for (value, p), score in zip(values.items(), scores, strict=True)
            ]
            parts.append(Part(field, of_field, of_all))
        influencers.sort(key=lambda one: (-one.score, one.probability, one.field, one.value))
        normalized = self._scored(RECORD, [draft.probability for draft, _ in drafts])
        found = tuple(_found(*pair, score) for pair, score in zip(drafts, normalized, strict=True))
        anomaly = max(part.score for part in parts)
        if not interim:
            self._learn(whole, every, blamed)
        return BucketResult(
            start_ms, events, whole, anomaly, score_of(whole), found, tuple(influencers), tuple(parts), interim
        )

    @staticmethod
    def _blamed(field: str, drafts: Sequence[Draft]) -> dict[str, float]:
        """Of each value of an influencer field that is to blame for records: how probable they are together."""
        by_value: dict[str, list[float]] = {}
        for draft in drafts:
            for value, influence in draft.influences.get(field, ()):
                if influence >= BLAMED_MIN:
                    by_value.setdefault(value, []).append(float(draft.probability**influence))
        return {value: aggregate(np.array(ps)) for value, ps in by_value.items()}

    def _scored(self, level: str, probabilities: Sequence[float]) -> list[float]:
        if not any(p <= CUT_OFF for p in probabilities):
            return [0.0] * len(probabilities)  # whatever the past is
        scores: list[float] = self._normalizer.normalize(level, np.array(probabilities)).tolist()
        return [0.0 if isnan(score) else score for score in scores]

    def _learn(self, whole: float, every: NDArray[np.float64], blamed: Mapping[str, Mapping[str, float]]) -> None:
        odd = every[every <= CUT_OFF]
        self._normalizer.learn(RECORD, raw_scores(odd) if odd.size else np.zeros(1))
        self._normalizer.learn(BUCKET, raw_scores(np.array([whole])))
        for field, values in blamed.items():
            self._normalizer.learn(level_of(field), raw_scores(np.array(list(values.values()) or [1.0])))

    def moved(self) -> Rescore | None:
        """What stored scores are by now, if the past has changed so much since this last was not None."""
        levels = self._normalizer.changed_enough()
        if not levels:
            return None
        for level in levels:
            self._normalizer.rescore(level, np.zeros(0))
        frozen = Normalizer()
        frozen.restore(self._normalizer.save())
        return Rescore(levels, frozen)

    @property
    def quantiles(self) -> str:
        """What is known of the past, for a person."""
        return self._normalizer.quantile_state()

    def save(self) -> State:
        """The past of all levels."""
        return self._normalizer.save()

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        self._normalizer.restore(state)


def _together(answers: Sequence[Answer]) -> tuple[NDArray[np.float64], float]:
    """All probabilities, and the one that they make."""
    if len(answers) == 1:
        every = answers[0].probability
    else:
        every = np.concatenate([answer.probability for answer in answers]) if answers else np.zeros(0)
    together = aggregate(every)
    return every, 1.0 if isnan(together) else together


def _most_unusual(of_buckets: Sequence[Sequence[Answer]]) -> list[tuple[Draft, int]]:
    """The drafts of a bucket with their detectors; of one that others have too, that of the least probability."""
    own, *others = ([(draft, one.detector) for one in answers for draft in one.drafts] for answers in of_buckets)
    if not others:
        return own
    found: dict[tuple[object, ...], tuple[Draft, int]] = {}
    for draft, detector in (pair for drafts in (own, *others) for pair in drafts):
        key = detector, draft.description, draft.partition, draft.by, draft.over
        if key not in found or draft.probability < found[key][0].probability:
            found[key] = draft, detector
    return list(found.values())


def level_of(field: str) -> str:
    """The level of the influencers of a field."""
    return f"influencer:{field}"


def _found(draft: Draft, detector: int, normalized: float) -> Found:
    blamed = {
        field: tuple(value for value, influence in values if influence >= BLAMED_MIN)
        for field, values in draft.influences.items()
    }
    return Found(
        detector,
        draft.description,
        draft.partition,
        draft.by,
        draft.over,
        draft.probability,
        draft.typical,
        draft.actual,
        draft.lower,
        draft.upper,
        score_of(draft.probability),
        normalized,
        tuple((field, values) for field, values in blamed.items() if values),
        draft.causes,
        draft.correlated,
    )
