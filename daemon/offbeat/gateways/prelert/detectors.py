"""The detectors of a job: read, and checked one by one. Source: Prelert Engine API, sections 4.2 and 5."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from offbeat.gateways.prelert.errors import PrelertError
from offbeat.gateways.prelert.values import JOB, Codes, Values
from offbeat_detectors.buckets.functions import Function, UnknownFunction, function_of

CATEGORY = "prelertcategory"
"""The virtual field that holds the number of the category of a record."""
METRIC = "metric"
"""What a detector that names a field and no function means."""
EXCLUDE_FREQUENT = ("all", "none", "by", "over")
KNOWN = ("detectorDescription", "function", "fieldName", "byFieldName", "overFieldName", "partitionFieldName",
         "useNull", "excludeFrequent")


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """One detector: a function of a field, split by other fields."""

    function: str
    description: str | None = None
    field_name: str | None = None
    by_field_name: str | None = None
    over_field_name: str | None = None
    partition_field_name: str | None = None
    use_null: bool = False
    exclude_frequent: str | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of its fields: by, over, partition, measured."""
        named = (self.by_field_name, self.over_field_name, self.partition_field_name, self.field_name)
        return tuple(name for name in named if name is not None)


@dataclass(frozen=True, slots=True)
class Around:
    """What a detector must know of its job: whether it is summarised, has overlapping buckets, has categories."""

    summarised: bool
    overlapping: bool
    categorised: bool


def detector_of(document: object, around: Around | None = None, codes: Codes = JOB) -> DetectorConfig:
    """The detector that *document* describes, checked, if *around* is None by itself.

    Raises PrelertError: of several things that are wrong, the one that section 4.2 names first.
    """
    values = Values(document, "detector", KNOWN, codes)
    use_null, description = values.boolean("useNull"), values.name("detectorDescription")
    function, field = values.name("function"), values.name("fieldName")
    by, over = values.name("byFieldName"), values.name("overFieldName")
    partition = values.name("partitionFieldName")
    for name in (field, by, over, partition):
        check_field_name(name)
    known = None if function is None else _known(function)
    if function is None or known is None:
        if field is None:
            raise PrelertError(10106, "a detector needs a function or a fieldName")
        function, known = METRIC, function_of(METRIC)
    _check_fields(function, known, {"fieldName": field, "byFieldName": by, "overFieldName": over})
    if around is not None:
        _check_possible(function, known, around)
    exclude_frequent = _exclude_frequent(values)
    for choice, name in (("by", by), ("over", over)):
        if exclude_frequent == choice and name is None:
            raise PrelertError(10106, f"excludeFrequent {choice} needs a {choice}FieldName")
    if around is not None and not around.categorised and CATEGORY in (field, by, over, partition):
        raise PrelertError(10106, f"{CATEGORY} needs a categorizationFieldName")
    return DetectorConfig(function, description, field, by, over, partition, use_null, exclude_frequent)


def check_field_name(name: str | None) -> None:
    """Raise PrelertError 10113 for a name that a field may not have."""
    if name is not None and ('"' in name or "\\" in name):
        raise PrelertError(10113, f"the field name {name!r} holds a quote or a backslash")


def _known(function: str) -> Function:
    try:
        return function_of(function)
    except UnknownFunction as e:
        raise PrelertError(10105, f"{e.message}; {e.hint}") from None


def _check_fields(function: str, known: Function, given: Mapping[str, str | None]) -> None:
    for key, need in (("fieldName", known.field), ("byFieldName", known.by), ("overFieldName", known.over)):
        if need == "required" and given[key] is None:
            raise PrelertError(10106, f"the function {function} needs a {key}")
        if need == "forbidden" and given[key] is not None:
            raise PrelertError(10106, f"the function {function} cannot have a {key}")


def _exclude_frequent(values: Values) -> str | None:
    raw = values.raw("excludeFrequent")
    if raw is None or raw == "":
        return None
    if isinstance(raw, bool):
        return "all" if raw else "none"
    if not isinstance(raw, str):
        raise values.wrong_type("excludeFrequent", " or ".join(EXCLUDE_FREQUENT))
    if (choice := raw.strip().lower()) not in EXCLUDE_FREQUENT:
        raise PrelertError(10119, f"excludeFrequent is {raw!r}: expected {' or '.join(EXCLUDE_FREQUENT)}")
    return choice


def _check_possible(function: str, known: Function, around: Around) -> None:
    if around.summarised and not known.summarised:
        raise PrelertError(10114, f"the function {function} is not possible with a summaryCountFieldName")
    if around.overlapping and known.overlapping == "forbidden":
        raise PrelertError(10114, f"the function {function} is not possible with overlappingBuckets")


def detector_document(detector: DetectorConfig) -> dict[str, object]:
    """*detector* as a job document has it."""
    document: dict[str, object] = {
        "detectorDescription": detector.description, "function": detector.function, "fieldName": detector.field_name,
        "byFieldName": detector.by_field_name, "overFieldName": detector.over_field_name,
        "partitionFieldName": detector.partition_field_name, "useNull": detector.use_null or None,
        "excludeFrequent": detector.exclude_frequent}
    return {key: value for key, value in document.items() if value is not None}
