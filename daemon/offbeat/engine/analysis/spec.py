"""What an analysis is asked to do, as data; whether it can work, ``check`` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from offbeat.engine.analysis.rules import Rule, Unfit, rule_of
from offbeat_detectors.buckets.functions import function_of

Exclude = Literal["none", "by", "over", "all"]
CATEGORY_FIELD = "prelertcategory"
"""The name under which a detector uses the category of a message, as clients of the Prelert Engine write it."""

NUMBERLESS = ("rare", "freq_rare", "position")
"""Kinds of functions whose actual and typical values are no numbers that a rule could compare."""


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """One question.

    function            a name that ``buckets.functions`` knows
    field               what is measured
    by, over, partition fields that divide it: each value with its own past; with its peers; wholly apart. "": not
    use_null            a record without one of those has the empty text there; else it is left out
    exclude_frequent    of which of by and over the very frequent values are left out
    rules               what else is left out, of results or of learning

    Raises Unfit for a rule of what the detector has not got, UnknownFunction for one of a function that is none.
    """

    function: str
    field: str = ""
    by: str = ""
    over: str = ""
    partition: str = ""
    use_null: bool = False
    exclude_frequent: Exclude = "none"
    description: str = ""
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        for i, rule in enumerate(self.rules):
            for j, scope in enumerate(rule.scope):
                place = f"rules[{i}].scope[{j}].dimension"
                if not getattr(self, scope.dimension):
                    raise Unfit(place, f"is {scope.dimension}: the detector has no such field")
                if scope.dimension == "by" and function_of(self.function).probability == "freq_rare":
                    raise Unfit(place, "is by: a rule of freq_rare cannot be about by values, each result is of many")
            if rule.conditions and function_of(self.function).probability in NUMBERLESS:
                why = f"are about numbers: a rule of {self.function} can only be about times and entities"
                raise Unfit(f"rules[{i}].conditions", why)

    @property
    def fields(self) -> tuple[str, ...]:
        """All fields that it reads, each once."""
        return tuple(dict.fromkeys(name for name in (self.field, self.by, self.over, self.partition) if name))


@dataclass(frozen=True, slots=True)
class ModelPlot:
    """What of the models is kept beside the results: of each bucket and entity, what was expected and what came.

    percentile  that is to lie within the band, 0 to 100
    terms       only of entities of which a by, over or partition value is one of these; none: of all
    days        how long it is kept, by the time of buckets

    Raises Unfit for a number out of its range.
    """

    percentile: float = 95.0
    terms: tuple[str, ...] = ()
    days: float = 30.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.percentile <= 100.0:
            raise Unfit("percentile", f"is {self.percentile}: expected 0 to 100")
        if not 0.0 < self.days <= 36_500.0:
            raise Unfit("days", f"is {self.days}: expected more than 0, up to 36500")


@dataclass(frozen=True, slots=True)
class AnalysisSpec:
    """A job that asks questions of buckets. Of what it does not say, the defaults are those of the protocol.

    influencers               fields whose values may be blamed
    summary_count_field       a record stands for as many events as this says
    categorization_field      a text whose category is a field of its own, CATEGORY_FIELD
    memory_max_mb             of models; 0: the server's default, −1: no limit
    renormalization_days      how far back stored scores are set anew; −1: the longer of 30 days and 100 spans
    model_plot                None: none is kept
    overlapping_buckets       also ask of buckets shifted by half a span; a result is then the more unusual of both
    finalization_spans        how many spans a result waits for those, where there are any
    multivariate_by_fields    by values that follow one another are judged beside each other too, if there are any
    sources, fields           patterns of events that are records of it too; none: only what is sent to it counts
    season_s                  length of a season that models of numbers use besides those that they find; 0: none
    live_lag_max_s            events that come later are of the past: the clock closes no bucket meanwhile. It is taken
                              over from the settings when the job is created
    """

    id: str
    detectors: tuple[DetectorSpec, ...]
    bucket_span_s: int = 300
    description: str = ""
    latency_s: int = 0
    influencers: tuple[str, ...] = ()
    summary_count_field: str = ""
    categorization_field: str = ""
    categorization_filters: tuple[str, ...] = ()
    categorization_examples: int = 4
    memory_max_mb: int = 0
    renormalization_days: int = -1
    model_plot: ModelPlot | None = None
    overlapping_buckets: bool = False
    finalization_spans: int = 2
    multivariate_by_fields: bool = False
    sources: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    season_s: int = 0
    live_lag_max_s: float = 900.0

    @property
    def listens(self) -> bool:
        """Are events records of it?"""
        return bool(self.sources or self.fields)

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields that records must bring, each once, without the category."""
        named = [name for detector in self.detectors for name in detector.fields]
        every = [*named, *self.influencers, self.summary_count_field, self.categorization_field]
        return tuple(dict.fromkeys(name for name in every if name and name != CATEGORY_FIELD))


def detector_of(document: dict[str, Any]) -> DetectorSpec:
    """The detector that ``asdict`` made *document* of. Raises ValueError, TypeError for a name that there is not."""
    return DetectorSpec(**document | {"rules": tuple(rule_of(one) for one in document.get("rules", ()))})


def spec_of(document: dict[str, Any]) -> AnalysisSpec:
    """The analysis that ``asdict`` made *document* of. Raises ValueError, TypeError for a name that there is not."""
    d: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
    }
    if d.get("model_plot") is not None:
        d["model_plot"] = ModelPlot(**d["model_plot"] | {"terms": tuple(d["model_plot"].get("terms", ()))})
    return AnalysisSpec(**d | {"detectors": tuple(detector_of(one) for one in document["detectors"])})
