"""The smaller parts of a job configuration: limits, data description, transforms, model debug output.

Source: Prelert Engine API, sections 4.3 to 4.5 and 6.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from offbeat.gateways.prelert.errors import PrelertError, of_transform
from offbeat.gateways.prelert.values import JOB, Codes, Values
from offbeat.wire.records.description import DataDescription, UploadFormat
from offbeat.wire.records.errors import BadPattern, TransformError
from offbeat.wire.records.times import parser
from offbeat.wire.records.transforms import Condition, Transform, check, check_all

FORMATS: Mapping[str, UploadFormat] = {
    "delimited": "DELIMITED", "delineated": "DELIMITED", "json": "JSON", "single_line": "SINGLE_LINE",
    "elasticsearch": "ELASTICSEARCH",
}


@dataclass(frozen=True, slots=True)
class AnalysisLimits:
    """What an analysis may hold.

    model_memory_mb      0: what the server gives; −1: no limit; None: not given
    category_examples    kept for each category; None: not given
    """

    model_memory_mb: int | None = None
    category_examples: int | None = None


def limits_of(document: object) -> AnalysisLimits:
    """The limits that *document* describes. Raises PrelertError."""
    values = Values(document, "analysisLimits", ("modelMemoryLimit", "categorizationExamplesLimit"))
    memory = values.integer("modelMemoryLimit")
    return AnalysisLimits(None if memory is None else max(memory, -1), values.integer("categorizationExamplesLimit", 0))


def limits_document(limits: AnalysisLimits) -> dict[str, object]:
    """*limits* as a job document has them."""
    document: dict[str, object] = {
        "modelMemoryLimit": limits.model_memory_mb, "categorizationExamplesLimit": limits.category_examples}
    return {key: value for key, value in document.items() if value is not None}


def description_of(document: object) -> DataDescription:
    """The data description that *document* is. Raises PrelertError."""
    # The last two are what the Java client writes of its own accord.
    values = Values(document, "dataDescription", (
        "format", "timeField", "timeFormat", "fieldDelimiter", "quoteCharacter", "transformTime", "epochMs"))
    default = DataDescription()
    form = FORMATS.get(values.text("format", default.format).strip().lower())
    if form is None:
        raise values.wrong_type("format", " or ".join(dict.fromkeys(FORMATS.values())))
    time_format = values.name("timeFormat") or default.time_format
    delimiter = _character(values, "fieldDelimiter", default.field_delimiter)
    quote = _character(values, "quoteCharacter", default.quote_character)
    if delimiter == quote:
        raise values.refused("fieldDelimiter", "another character than quoteCharacter")
    try:
        parser(time_format)
    except BadPattern as e:
        raise PrelertError(10108, str(e)) from None
    return DataDescription(form, values.name("timeField") or default.time_field, time_format, delimiter, quote)


def _character(values: Values, key: str, default: str) -> str:
    character = values.text(key, default)
    if len(character) != 1 or character in "\r\n\0":
        raise values.refused(key, "one character, no line break")
    return character


def description_document(description: DataDescription) -> dict[str, object]:
    """*description* as a job document has it, with its defaults filled in."""
    return {
        "format": description.format, "timeField": description.time_field, "timeFormat": description.time_format,
        "fieldDelimiter": description.field_delimiter, "quoteCharacter": description.quote_character}


def transform_of(document: object, codes: Codes = JOB) -> Transform:
    """The transform that *document* describes, not checked yet. Raises PrelertError for types and unknown fields."""
    values = Values(document, "transform", ("transform", "inputs", "arguments", "outputs", "condition"), codes)
    name = values.text("transform")
    condition = None
    if values.has("condition"):
        parts = Values(values.object("condition"), "condition", ("operator", "value"), codes)
        value = parts.raw("value")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        # An operator that is not given is the one that never holds.
        condition = Condition(
            parts.text("operator", "none").strip().lower(), str(value) if is_number else parts.text("value"))
    return Transform(name, values.texts("inputs"), values.texts("arguments"), values.texts("outputs"), condition)


def check_transform(transform: Transform) -> None:
    """Raise PrelertError if *transform* is wrong by itself."""
    try:
        check(transform)
    except TransformError as e:
        raise of_transform(e) from None


def check_transforms(transforms: Sequence[Transform], used: Collection[str] | None) -> None:
    """Raise PrelertError if *transforms* are wrong; *used* are the fields that the analysis needs, if that is known."""
    try:
        check_all(transforms, used)
    except TransformError as e:
        raise of_transform(e) from None


def transform_document(transform: Transform) -> dict[str, object]:
    """*transform* as a job document has it, with its default outputs filled in."""
    document: dict[str, object] = {"transform": transform.name, "inputs": list(transform.inputs)}
    if transform.arguments:
        document["arguments"] = list(transform.arguments)
    if transform.made:
        document["outputs"] = list(transform.made)
    if transform.condition is not None:
        document["condition"] = {"operator": transform.condition.operator, "value": transform.condition.value}
    return document


@dataclass(frozen=True, slots=True)
class ModelDebugConfig:
    """Whether the bands of the models are kept; *bounds_percentile* None: no."""

    write_to: str = "FILE"
    bounds_percentile: float | None = None
    terms: str | None = None


def model_debug_of(document: object) -> ModelDebugConfig:
    """The model debug output that *document* describes. Raises PrelertError."""
    # The last is what the Java client writes of its own accord.
    values = Values(document, "modelDebugConfig", ("writeTo", "boundsPercentile", "terms", "enabled"))
    write_to = values.one_of("writeTo", ("FILE", "DATA_STORE"), "FILE")
    return ModelDebugConfig(cast(str, write_to), values.number("boundsPercentile", 0, 100), values.name("terms"))


def model_debug_document(debug: ModelDebugConfig) -> dict[str, object]:
    """*debug* as a job document has it."""
    document: dict[str, object] = {
        "writeTo": debug.write_to, "boundsPercentile": debug.bounds_percentile, "terms": debug.terms}
    return {key: value for key, value in document.items() if value is not None}
