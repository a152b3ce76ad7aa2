"""What a check of the daemon is asked to do: its kind, its parameters, the series that it is bound to. Pure."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from offbeat.errors import BadRequest

ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
BINDINGS_MAX = 256
COLUMNS_MAX = 64
PARAMETERS_BYTES_MAX = 64 * 1024
TEXT_MAX = 1_000
INTERVAL_MAX_S = 30 * 86_400
TOLERANCE_MAX_S = 30 * 86_400
STEPS_MAX = 100

Column = tuple[str, str]
"""A source and a field of it."""


@dataclass(frozen=True, slots=True)
class EachSeries:
    """One run for each series whose source and field match these patterns."""

    source: str
    field: str


@dataclass(frozen=True, slots=True)
class EachSource:
    """One run for each matching source that has any of the *fields*; those are its columns, in this order."""

    source: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """One run of just these; the value of a column counts for a moment up to *tolerance_s* later."""

    columns: tuple[Column, ...]
    tolerance_s: float = 0.0


Binding = EachSeries | EachSource | Columns


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A check. Patterns are of fnmatch, case-sensitive.

    interval_s    it runs at most so often        time_limit_s  a run that takes longer is ended
    raise_after   so many results in a row that are worse make its status worse, clear_after so many better ones better
    """

    id: str
    kind: str
    series: tuple[Binding, ...]
    description: str = ""
    parameters: tuple[tuple[str, Any], ...] = ()
    interval_s: float = 60.0
    time_limit_s: float = 5.0
    raise_after: int = 1
    clear_after: int = 1
    enabled: bool = True

    @property
    def judges(self) -> tuple[str, bytes]:
        """What decides what it says: the kind, and the parameters as JSON."""
        return self.kind, orjson.dumps(dict(self.parameters), option=orjson.OPT_SORT_KEYS)

    def packed(self) -> str:
        """As the store keeps it."""
        return orjson.dumps(as_document(self)).decode()


def as_document(spec: CheckSpec) -> dict[str, Any]:
    """The check as its document has it, without what has become of it."""
    return {
        "id": spec.id, "description": spec.description, "kind": spec.kind, "parameters": dict(spec.parameters),
        "series": [_binding_document(one) for one in spec.series], "interval_s": spec.interval_s,
        "time_limit_s": spec.time_limit_s, "raise_after": spec.raise_after, "clear_after": spec.clear_after,
        "enabled": spec.enabled,
    }


def _binding_document(binding: Binding) -> dict[str, Any]:
    match binding:
        case EachSeries():
            return {"source": binding.source, "field": binding.field}
        case EachSource():
            return {"source": binding.source, "fields": list(binding.fields)}
    columns = [{"source": source, "field": field} for source, field in binding.columns]
    return {"columns": columns, "tolerance_s": binding.tolerance_s}


def unpacked(body: str) -> CheckSpec:
    """The check that ``CheckSpec.packed`` gave."""
    held = orjson.loads(body)
    series = tuple(_unpacked_binding(one) for one in held.pop("series"))
    return CheckSpec(**{**held, "series": series, "parameters": tuple(held["parameters"].items())})


def _unpacked_binding(held: dict[str, Any]) -> Binding:
    if "columns" in held:
        return Columns(tuple((one["source"], one["field"]) for one in held["columns"]), held["tolerance_s"])
    if "fields" in held:
        return EachSource(held["source"], tuple(held["fields"]))
    return EachSeries(held["source"], held["field"])


def bad(field: str, message: str, hint: str = "") -> BadRequest:
    """The refusal of a document for its member *field*."""
    return BadRequest(f"{field} {message}; nothing was changed", hint=hint, where={"field": field})


def check(spec: CheckSpec, time_limit_max_s: float) -> None:
    """Raise BadRequest for the first member of *spec* that cannot work; kind and parameters are looked at elsewhere.
    """
    if not ID.fullmatch(spec.id):
        raise bad("id", f"is {spec.id!r:.80}: expected 1 to 64 letters, digits, '.', '_' or '-'")
    if len(spec.description) > TEXT_MAX:
        raise bad("description", f"has {len(spec.description)} characters: expected at most {TEXT_MAX}")
    if not spec.kind:
        raise bad("kind", "is empty: expected the name of a kind", "GET /api/v1/check-kinds lists them")
    if len(spec.judges[1]) > PARAMETERS_BYTES_MAX:
        raise bad("parameters", f"are {len(spec.judges[1])} bytes of JSON: expected at most {PARAMETERS_BYTES_MAX}")
    if not 1 <= spec.interval_s <= INTERVAL_MAX_S:
        raise bad("interval_s", f"is {spec.interval_s:g}: expected 1 to {INTERVAL_MAX_S}")
    if not 0.01 <= spec.time_limit_s <= time_limit_max_s:
        raise bad("time_limit_s", f"is {spec.time_limit_s:g}: expected 0.01 to {time_limit_max_s:g}",
                  "checks.time_limit_s says how long it may be")
    for name in ("raise_after", "clear_after"):
        if not 1 <= getattr(spec, name) <= STEPS_MAX:
            raise bad(name, f"is {getattr(spec, name)}: expected 1 to {STEPS_MAX}")
    if not 1 <= len(spec.series) <= BINDINGS_MAX:
        raise bad("series", f"has {len(spec.series)} bindings: expected 1 to {BINDINGS_MAX}")
    for i, binding in enumerate(spec.series):
        _check_binding(f"series[{i}]", binding)


def _check_binding(at: str, binding: Binding) -> None:
    match binding:
        case EachSeries():
            texts = {"source": binding.source, "field": binding.field}
        case EachSource():
            texts = {"source": binding.source} | {f"fields[{i}]": one for i, one in enumerate(binding.fields)}
            _check_count(f"{at}.fields", binding.fields)
        case Columns():
            _check_count(f"{at}.columns", binding.columns)
            texts = {f"columns[{i}].{name}": text for i, column in enumerate(binding.columns)
                     for name, text in zip(("source", "field"), column, strict=True)}
            if not 0 <= binding.tolerance_s <= TOLERANCE_MAX_S:
                raise bad(f"{at}.tolerance_s", f"is {binding.tolerance_s:g}: expected 0 to {TOLERANCE_MAX_S}")
    for name, text in texts.items():
        if not 1 <= len(text) <= TEXT_MAX:
            raise bad(f"{at}.{name}", f"has {len(text)} characters: expected 1 to {TEXT_MAX}")


def _check_count(name: str, columns: tuple[Any, ...]) -> None:
    if not 1 <= len(columns) <= COLUMNS_MAX:
        raise bad(name, f"has {len(columns)} columns: expected 1 to {COLUMNS_MAX}")
    if len(set(columns)) != len(columns):
        raise bad(name, "names a column twice")


def check_columns(spec: CheckSpec, least: int, most: int) -> None:
    """Raise BadRequest if a binding gives a run fewer or more columns than the kind takes."""
    for i, binding in enumerate(spec.series):
        match binding:
            case EachSeries():
                count, name = 1, f"series[{i}]"
            case EachSource():
                count, name = len(binding.fields), f"series[{i}].fields"
            case Columns():
                count, name = len(binding.columns), f"series[{i}].columns"
        if not least <= count <= most:
            expected = f"{least}" if least == most else f"{least} to {most}"
            columns = f"{count} column{'s' * (count > 1)}"
            raise bad(name, f"gives {columns} a run: a check of the kind {spec.kind} takes {expected}")
