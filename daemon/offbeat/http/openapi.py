"""The OpenAPI document, made from the routes themselves. Pure: routes in, a document out."""
from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any

from offbeat.config import HttpConfig
from offbeat.errors import BadRequest, Forbidden, NoGoodLine, Refused, TooManyAttempts, Unauthorized
from offbeat.http import examples
from offbeat.http.parameters import Parameter
from offbeat.http.refusals import Internal
from offbeat.http.route import JSON, Content, Header, Route, by_method
from offbeat.http.schemas import SCHEMAS, named

Document = dict[str, Any]

ABOUT = """Offbeat listens to sensors and says when one leaves its rhythm. Send events to `/api/v1/events`, ask for
`/api/v1/buckets`. Times are ISO 8601 or epoch numbers of seconds to nanoseconds, and are answered as ISO 8601 UTC."""
TAGS = {
    "events": "The way in.",
    "results": "What was found.",
    "sources": "Who sends, and what was sent.",
    "jobs": "What is looked for.",
    "feedback": "What people say of what was found.",
    "feeds": "What jobs read themselves: files, databases, search servers.",
    "alerts": "Who is told of what was found, and when nobody is.",
    "checks": "Rules on series that say GREEN, YELLOW or RED.",
    "tokens": "Who may do what.",
    "operation": "How the daemon is.",
    "influx": "For clients that write to InfluxDB.",
    "energy-sensors": "For energy meters that speak the energy-sensors protocol.",
}
PATH_PARAMETERS = {
    "source": "Name of the source; a slash in it is written %2F.",
    "id": "Name of the job.",
    "snapshot": "The id of the snapshot.",
    "name": "Name of the adjustment.",
    "alert": "Number of the alert.",
    "rule": "Id of the rule.",
    "silence": "Number of the silence.",
    "calendar": "Id of the calendar.",
    "delivery": "Number of the delivery.",
    "token": "Id or name of the token.",
    "sink": "Name of the sink in the settings.",
    "check": "Id of the check.",
    "subject": "Number of the subject: of a check and its columns.",
    "outcome": "Number of the outcome.",
    "maintenance": "Number of the maintenance.",
    "record": "The id of the record, percent-encoded as any part of a path is.",
}


def document(routes: Iterable[Route], version: str) -> Document:
    """The OpenAPI 3.1 document of those *routes* that are part of the API."""
    paths: dict[str, Document] = {}
    for route in routes:
        if route.listed:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Offbeat", "version": version, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "paths": paths,
        "components": {"schemas": SCHEMAS, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def as_30(node: Any) -> Any:
    """An OpenAPI 3.1 document, or a part of one, in the form 3.0, which the browser page of /docs reads.

    Of what 3.1 added, ours uses two things: the type null, and a list of examples in a schema.
    """
    if isinstance(node, list):
        return [as_30(one) for one in node]
    if not isinstance(node, dict):
        return node
    older = {name: as_30(value) for name, value in node.items()}
    if "openapi" in node:
        older["openapi"] = "3.0.3"
    if isinstance(node.get("type"), list):
        older["type"] = next(kind for kind in node["type"] if kind != "null")
        older["nullable"] = "null" in node["type"]
    if isinstance(node.get("examples"), list):
        older["example"] = older.pop("examples")[0]
    return older


def _operation(route: Route) -> Document:
    summary, _, rest = (inspect.getdoc(route.handler) or "").partition("\n\n")
    operation: Document = {
        "operationId": route.handler.__name__, "tags": [route.tag], "summary": " ".join(summary.split()),
        "parameters": [
            *(_path_parameter(name) for name in re.findall(r"{(\w+)}", route.path)),
            *(_query_parameter(p) for p in route.parameters.known.values()),
            *(_header(h) for h in route.headers),
        ],
        "responses": {str(status): _answer(content) for status, content in route.answers.items()} | _refusals(route),
    }
    if rest:
        operation["description"] = rest
    if (scope := _scope(route)) is not None:
        operation["security"] = [{"token": []}]
        operation["description"] = "\n\n".join((*((rest,) if rest else ()), f"A token needs the scope `{scope}`."))
    if route.body:
        operation["requestBody"] = {
            "required": True,
            "content": {media: _media(body) for body in route.body for media in body.media},
        }
    return operation


def _scope(route: Route) -> str | None:
    """The scope that *route* needs, None if it needs none."""
    scope = route.scope or by_method(route.method)
    return None if callable(scope) or scope in ("open", "sign-in") else scope


def _path_parameter(name: str) -> Document:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": PATH_PARAMETERS[name],
        "schema": {"type": "string"},
    }


def _query_parameter(p: Parameter) -> Document:
    schema = dict(p.schema)
    if p.name in ("limit", "width"):
        schema.setdefault("maximum", HttpConfig().page_rows_max)
    return {"name": p.name, "in": "query", "required": False, "description": p.about, "schema": schema}


def _header(h: Header) -> Document:
    return {"name": h.name, "in": "header", "required": False, "description": h.about, "schema": h.schema}


def _answer(content: Content) -> Document:
    found: Document = {"description": content.about}
    if content.schema is not None:
        found["content"] = {media: _media(content) for media in content.media}
    if content.headers:
        found["headers"] = {
            name: {"description": about, "schema": {"type": "string"}} for name, about in content.headers.items()
        }
    return found


def _media(content: Content) -> Document:
    return {"schema": content.schema, "example": content.example}


def _refusals(route: Route) -> Document:
    """The refusals of *route* by status, with examples; 500 is possible anywhere, 400 wherever something is asked."""
    kinds: list[type[Refused]] = [*route.refusals, Internal]
    if route.scope != "open":
        kinds += [Unauthorized, Forbidden, TooManyAttempts]
    if (route.parameters.known or route.body) and BadRequest not in kinds:
        kinds.insert(0, BadRequest)
    by_status: dict[int, list[type[Refused]]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {str(status): _refused(route, kinds) for status, kinds in sorted(by_status.items())}


def _refused(route: Route, kinds: list[type[Refused]]) -> Document:
    schema = named(route.refused_schema)
    if NoGoodLine in kinds and route.refused_schema == "Error":
        schema = {"oneOf": [schema, named("NoGoodLine")]}
    found: Document = {
        "description": "; ".join(f"`{kind.code}`: {_sentence(kind)}" for kind in kinds),
        "content": {
            JSON: {
                "schema": schema,
                "examples": {kind.code: {"value": route.as_refused(_sample(kind))} for kind in kinds},
            }
        },
    }
    headers = {name: value for kind in kinds for name, value in kind.headers.items()}
    if headers:
        found["headers"] = {name: {"schema": {"type": "string"}, "example": value} for name, value in headers.items()}
    return found


def _sentence(kind: type[Refused]) -> str:
    return " ".join((inspect.getdoc(kind) or "").split("``")[0].split("\n\n")[0].split())


def _sample(kind: type[Refused]) -> Refused:
    if kind is BadRequest:
        error = examples.ERROR["error"]
        return BadRequest(error["message"], where=error["where"])
    if issubclass(kind, NoGoodLine):
        return kind(examples.NO_GOOD_LINE["error"]["message"], receipt={**examples.RECEIPT, "accepted": 0})
    return kind(_sentence(kind))
