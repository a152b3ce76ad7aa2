"""What schemas are made of: the kinds of members, and documents, lists and pages of them. Pure data."""
from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
FLAG: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
ANY_OBJECT: Schema = {"type": "object", "additionalProperties": True}
SCORE: Schema = {"type": "number", "minimum": 0, "maximum": 100}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
TIME_GIVEN: Schema = {"type": ["string", "number"]}


def listing(items: Schema) -> Schema:
    """A list of *items*."""
    return {"type": "array", "items": items}


def named(name: str) -> Schema:
    """The schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def document(properties: Schema, optional: tuple[str, ...] = ()) -> Schema:
    """An object of just these properties, all there but the *optional*."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def paged(name: str, row: str) -> Schema:
    """A list of rows under *name*, and where it goes on."""
    return document({name: listing(named(row)), "next_cursor": {"type": ["string", "null"]}})
