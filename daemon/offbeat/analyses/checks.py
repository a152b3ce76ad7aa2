"""What an analysis may be asked: every rule of it, each broken one a refusal that says where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, get_args

from offbeat.engine.analysis.rules import Rule, Unfit
from offbeat.engine.analysis.spec import CATEGORY_FIELD, AnalysisSpec, DetectorSpec, Exclude
from offbeat.errors import BadRequest
from offbeat.jobs import ID
from offbeat_detectors.buckets.categories import filter_of
from offbeat_detectors.buckets.functions import FUNCTIONS, Function, UnknownFunction, function_of
from offbeat_detectors.buckets.given import BUCKETS_MAX, BUCKETS_MIN, usable_season

T = TypeVar("T")
SPAN_S_MAX = 366 * 86_400
LATENCY_SPANS_MAX = 10_000
DETECTORS_MAX, INFLUENCERS_MAX, PATTERNS_MAX, FILTERS_MAX = 100, 100, 100, 100
RULES_MAX, CONDITIONS_MAX, ENTITIES_MAX = 100, 100, 1_000
FINALIZATION_SPANS_MAX, RENORMALIZATION_DAYS_MAX = 10_000, 36_500
EXAMPLES_MAX = 1_000
MEMORY_MB_MAX = 1 << 20
NAME_MAX = 256
EXCLUDES: tuple[str, ...] = get_args(Exclude)


class UnknownFunctionAsked(BadRequest):
    """A detector asks for a function that there is not."""

    code = "unknown_function"


def bad(place: str, message: str, hint: str = "") -> BadRequest:
    """*place* is not as it must be."""
    return BadRequest(f"{place} {message}", hint=hint, where={"field": place})


def made(place: str, kind: Callable[..., T], given: Mapping[str, Any]) -> T:
    """The part of what is asked that is at *place*. Raises BadRequest for the member of it that cannot be."""
    try:
        return kind(**given)
    except Unfit as e:
        raise bad(f"{place}.{e.member}" if e.member else place, e.why) from None
    except UnknownFunction as e:
        raise _unknown(place, e) from None


def _unknown(place: str, e: UnknownFunction) -> UnknownFunctionAsked:
    where = {"field": f"{place}.function"}
    return UnknownFunctionAsked(f"{place}.function: {e.message}", hint=e.hint, where=where)


def check_new(spec: AnalysisSpec) -> None:
    """Raise BadRequest if *spec* cannot be created: ``check``, and its id."""
    if not ID.fullmatch(spec.id):
        raise bad("id", f"is {spec.id!r}: expected 1 to 64 letters, digits, '.', '_' or '-'")
    check(spec)


def check(spec: AnalysisSpec) -> None:
    """Raise BadRequest if *spec* cannot work."""
    if not 1 <= len(spec.detectors) <= DETECTORS_MAX:
        raise bad("detectors", f"has {len(spec.detectors)} detectors: expected 1 to {DETECTORS_MAX}")
    _between("bucket_span_s", spec.bucket_span_s, 1, SPAN_S_MAX)
    if not 0 <= spec.latency_s <= LATENCY_SPANS_MAX * spec.bucket_span_s:
        raise bad("latency_s", f"is {spec.latency_s}: expected 0 to {LATENCY_SPANS_MAX} bucket spans")
    if spec.memory_max_mb != -1:
        _between("memory_max_mb", spec.memory_max_mb, 0, MEMORY_MB_MAX, " or -1, no limit")
    if spec.renormalization_days != -1:
        days = RENORMALIZATION_DAYS_MAX
        _between("renormalization_days", spec.renormalization_days, 0, days, " or -1, what is usual")
    if not usable_season(spec.season_s, spec.bucket_span_s):
        raise bad("season_s", f"is {spec.season_s}: expected {BUCKETS_MIN} to {BUCKETS_MAX:,} bucket spans, or 0, none")
    _between("finalization_spans", spec.finalization_spans, 0, FINALIZATION_SPANS_MAX)
    if spec.model_plot is not None:
        _names("model_plot.terms", spec.model_plot.terms, ENTITIES_MAX)
    _between("categorization_examples", spec.categorization_examples, 0, EXAMPLES_MAX)
    _names("influencers", spec.influencers, INFLUENCERS_MAX)
    _names("sources", spec.sources, PATTERNS_MAX)
    _names("fields", spec.fields, PATTERNS_MAX)
    for place, name in (
        ("summary_count_field", spec.summary_count_field), ("categorization_field", spec.categorization_field)
    ):
        _name(place, name)
    _check_categories(spec)
    for i, detector in enumerate(spec.detectors):
        _check_detector(f"detectors[{i}]", detector, spec)


def _between(place: str, value: int, low: int, high: int, otherwise: str = "") -> None:
    if not low <= value <= high:
        raise bad(place, f"is {value}: expected {low} to {high}{otherwise}")


def _name(place: str, name: str) -> None:
    if len(name) > NAME_MAX or "\0" in name:
        raise bad(place, f"is {name[:40]!r}: expected at most {NAME_MAX} characters, none of them NUL")


def _most(place: str, entries: Sequence[object], most: int) -> None:
    if len(entries) > most:
        raise bad(place, f"has {len(entries)} entries: expected at most {most}")


def _names(place: str, names: Sequence[str], most: int) -> None:
    _most(place, names, most)
    for i, name in enumerate(names):
        _name(f"{place}[{i}]", name)
        if not name:
            raise bad(f"{place}[{i}]", "is empty: expected a text")


def _check_categories(spec: AnalysisSpec) -> None:
    _names("categorization_filters", spec.categorization_filters, FILTERS_MAX)
    if spec.categorization_filters and not spec.categorization_field:
        raise bad("categorization_filters", "has filters of nothing: expected a categorization_field as well")
    for i, text in enumerate(spec.categorization_filters):
        try:
            filter_of(text)
        except ValueError as e:
            raise bad(f"categorization_filters[{i}]", f"is no regular expression: {e}") from None
    if CATEGORY_FIELD in spec.influencers and not spec.categorization_field:
        place = f"influencers[{spec.influencers.index(CATEGORY_FIELD)}]"
        raise bad(place, f"is {CATEGORY_FIELD}: expected a categorization_field as well")


def _check_detector(place: str, detector: DetectorSpec, spec: AnalysisSpec) -> None:
    try:
        function = function_of(detector.function)
    except UnknownFunction as e:
        raise _unknown(place, e) from None
    for name in ("field", "by", "over", "partition"):
        value: str = getattr(detector, name)
        _name(f"{place}.{name}", value)
        if value == CATEGORY_FIELD and not spec.categorization_field:
            raise bad(f"{place}.{name}", f"is {CATEGORY_FIELD}: expected a categorization_field as well")
    _check_needs(place, detector, function)
    if spec.summary_count_field and not function.summarised:
        raise bad(f"{place}.function", f"is {detector.function}, which takes no summary_count_field")
    if detector.exclude_frequent not in EXCLUDES:
        raise bad(f"{place}.exclude_frequent", f"is {detector.exclude_frequent!r}: expected {', '.join(EXCLUDES)}")
    for name in ("by", "over"):
        if detector.exclude_frequent == name and not getattr(detector, name):
            raise bad(f"{place}.exclude_frequent", f"is {name}: expected a field {name} as well")
    if spec.overlapping_buckets and function.overlapping == "forbidden":
        raise bad(f"{place}.function", f"is {detector.function}, which takes no overlapping_buckets")
    _most(f"{place}.rules", detector.rules, RULES_MAX)
    for i, rule in enumerate(detector.rules):
        _check_rule(f"{place}.rules[{i}]", rule)


def _check_rule(place: str, rule: Rule) -> None:
    for name in ("actions", "conditions", "windows", "scope"):
        _most(f"{place}.{name}", getattr(rule, name), CONDITIONS_MAX)
    for i, scope in enumerate(rule.scope):
        _names(f"{place}.scope[{i}].patterns", scope.patterns, ENTITIES_MAX)


def _check_needs(place: str, detector: DetectorSpec, function: Function) -> None:
    """Which of field, by and over a function must, may and must not have."""
    for name, need in (("field", function.field), ("by", function.by), ("over", function.over)):
        if need == "required" and not getattr(detector, name):
            hint = ""
            if name == "field":
                alone = sorted(one.name for one in FUNCTIONS if one.alone)
                hint = f"functions without a field: {', '.join(alone)}"
            raise bad(f"{place}.{name}", f"is missing: {detector.function} needs one", hint)
        if need == "forbidden" and getattr(detector, name):
            raise bad(f"{place}.{name}", f"is {getattr(detector, name)!r}: {detector.function} can have none")
