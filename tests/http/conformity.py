"""Does a document keep to a schema? As much of JSON Schema as the API's own schemas use."""
from __future__ import annotations

import re
from typing import Any

from offbeat.http.schemas import SCHEMAS

KINDS: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}
KNOWN = {
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "minimum",
    "maximum",
    "pattern",
    "format",
    "default",
    "examples",
    "oneOf",
    "$ref",
    "minLength",
    "maxLength",
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def misfits(value: Any, schema: dict[str, Any], at: str = "$") -> list[str]:
    """Where *value* departs from *schema*, a sentence each."""
    assert set(schema) <= KNOWN, f"{at}: the checker does not know {set(schema) - KNOWN}"
    if "$ref" in schema:
        return misfits(value, SCHEMAS[schema["$ref"].rsplit("/", 1)[1]], at)
    if "oneOf" in schema:
        fits = [one for one in schema["oneOf"] if not misfits(value, one, at)]
        return [] if len(fits) == 1 else [f"{at} fits {len(fits)} of the alternatives"]
    kinds = schema.get("type", list(KINDS))
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if not any(isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool)) for kind in kinds):
        return [f"{at} is {value!r}, not {' or '.join(kinds)}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at} is {value!r}, not one of {schema['enum']}")
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{at} is {value!r}, out of its range")
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{at} is {value!r}, not like {schema['pattern']}")
    if schema.get("format") == "date-time" and value is not None and not TIME.fullmatch(value):
        found.append(f"{at} is {value!r}, not a time with milliseconds")
    if isinstance(value, list):
        found += [misfit for i, one in enumerate(value) for misfit in misfits(one, schema["items"], f"{at}[{i}]")]
    if isinstance(value, dict):
        found += [f"{at}.{name} is missing" for name in schema.get("required", ()) if name not in value]
        for name, one in value.items():
            further = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
            if further is False:
                found.append(f"{at}.{name} is unknown")
            elif further is not True:
                found += misfits(one, further, f"{at}.{name}")
    return found
