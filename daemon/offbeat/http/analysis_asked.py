"""The document that asks for an analysis, read into what is asked, and back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from offbeat.analyses.checks import bad, made
from offbeat.engine.analysis.rules import Condition, Rule, Scope, Window
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec, ModelPlot
from offbeat.errors import BadRequest
from offbeat.http.documents import Document, dump
from offbeat.http.parameters import nearest

T = TypeVar("T")
Read = Callable[[str, Any], T]
Readers = Mapping[str, Read[Any]]


def spec_of(document: Mapping[str, Any], live_lag_max_s: float) -> AnalysisSpec:
    """The analysis that *document* asks for, as far as its form goes; whether it can work, ``checks`` says.

    What is null is not given. Raises BadRequest for the first property that is unknown, missing, of the wrong type or
    no such word.
    """
    given = _read("", document, READERS, "an analysis", needed=("id", "detectors"))
    return AnalysisSpec(**given, live_lag_max_s=live_lag_max_s)


def asked(spec: AnalysisSpec) -> Document:
    """What a job is asked, in the form in which it is asked for."""
    document = {name: getattr(spec, name) for name in READERS}
    detectors = [{name: getattr(one, name) for name in DETECTOR_READERS} for one in spec.detectors]
    for detector in detectors:
        detector["rules"] = [asdict(rule) for rule in detector["rules"]]
    plot = None if spec.model_plot is None else asdict(spec.model_plot)
    return document | {"detectors": detectors, "model_plot": plot}


def _read(
    place: str, document: Mapping[str, Any], readers: Readers, what: str, needed: Sequence[str] = ()
) -> dict[str, Any]:
    inside = f"{place}." if place else ""
    for name in document:
        if name not in readers:
            raise BadRequest(
                f"{inside}{name} is not a property of {what}; nothing was created",
                hint=nearest(name, readers),
                where={"field": f"{inside}{name}"},
            )
    given = {name: readers[name](f"{inside}{name}", value) for name, value in document.items() if value is not None}
    for name in needed:
        if name not in given:
            raise bad(f"{inside}{name}", "is missing; nothing was created")
    return given


def _wrong(place: str, value: object, expected: str) -> BadRequest:
    return bad(place, f"is {dump(value).decode():.80}: expected {expected}; nothing was created")


def _text(place: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(place, value, "a text")
    return value


def _texts(place: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _wrong(place, value, "a list of texts")
    return tuple(dict.fromkeys(value))


def _whole(place: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(place, value, "a whole number")
    return value


def _number(place: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _wrong(place, value, "a number")
    return float(value)


def _flag(place: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(place, value, "true or false")
    return value


def _list(read: Read[T], what: str) -> Read[tuple[T, ...]]:
    """What reads a list of what *read* reads; an error says which of them is wrong."""

    def listed(place: str, value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise _wrong(place, value, f"a list of {what}")
        return tuple(read(f"{place}[{i}]", one) for i, one in enumerate(value))

    return listed


def _object(kind: Callable[..., T], readers: Readers, what: str, *needed: str) -> Read[T]:
    """What makes a *kind* of an object with members that *readers* read."""

    def read(place: str, value: object) -> T:
        if not isinstance(value, dict):
            raise _wrong(place, value, "an object")
        return made(place, kind, _read(place, value, readers, what, needed))

    return read


CONDITION_READERS: Readers = {"applies_to": _text, "operator": _text, "value": _number}
WINDOW_READERS: Readers = {"start_s": _whole, "end_s": _whole, "days": _list(_whole, "whole numbers")}
SCOPE_READERS: Readers = {"dimension": _text, "patterns": _texts, "among": _flag}
RULE_READERS: Readers = {
    "actions": _texts,
    "conditions": _list(_object(Condition, CONDITION_READERS, "a condition", *CONDITION_READERS), "conditions"),
    "windows": _list(_object(Window, WINDOW_READERS, "a window"), "windows"),
    "zone": _text,
    "scope": _list(_object(Scope, SCOPE_READERS, "a scope", "dimension", "patterns"), "scopes"),
}
DETECTOR_READERS: Readers = {
    **dict.fromkeys(("function", "field", "by", "over", "partition"), _text),
    "use_null": _flag,
    "exclude_frequent": _text,
    "description": _text,
    "rules": _list(_object(Rule, RULE_READERS, "a rule", "actions"), "rules"),
}
PLOT_READERS: Readers = {"percentile": _number, "terms": _texts, "days": _number}
READERS: Readers = {
    "id": _text,
    "description": _text,
    "bucket_span_s": _whole,
    "latency_s": _whole,
    "detectors": _list(_object(DetectorSpec, DETECTOR_READERS, "a detector", "function"), "detectors"),
    "influencers": _texts,
    "summary_count_field": _text,
    "categorization_field": _text,
    "categorization_filters": _texts,
    "categorization_examples": _whole,
    "memory_max_mb": _whole,
    "renormalization_days": _whole,
    "model_plot": _object(ModelPlot, PLOT_READERS, "a model plot"),
    "overlapping_buckets": _flag,
    "finalization_spans": _whole,
    "multivariate_by_fields": _flag,
    "sources": _texts,
    "fields": _texts,
    "season_s": _whole,
}
