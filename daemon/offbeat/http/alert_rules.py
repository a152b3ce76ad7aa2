"""The rules of alerts: listed, read, made, replaced, taken away."""
from __future__ import annotations

from typing import Any

from aiohttp import web

from offbeat.alerts.payload import iso
from offbeat.alerts.rows import KeptRule
from offbeat.alerts.rules import EACH_SUBJECT, Rule
from offbeat.errors import Conflict, NotFound, StoreUnavailable
from offbeat.http import alert_examples as examples
from offbeat.http.alerts import CHANGES
from offbeat.http.documents import Document, answer, page
from offbeat.http.members import members, number, refused, text, texts
from offbeat.http.parameters import CURSOR, LIMIT, Asked, Parameters
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route, read_document
from offbeat.http.schemas import named
from offbeat.store.queries import Page

READERS = {
    "id": text, "description": text, "jobs": texts, "sources": texts, "fields": texts, "raise_at": number,
    "clear_below": number, "clear_after_s": number, "group_by": texts, "repeat_s": number, "sinks": texts,
    "calendars": texts, "checks": texts, "status_at": text,
}

OF_FINDINGS = ("raise_at", "clear_below", "clear_after_s")
"""What a rule of checks has not; status_at is what a rule of findings has not. They are null, and may be given so."""


async def get_alert_rules(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The rules in the order of their ids."""
    rest = [kept for kept in parts.alerts.rules() if kept.rule.id > asked.get("cursor", "")]
    shown = tuple(rest[: asked["limit"]])
    return answer(page("rules", Page(shown, shown[-1].rule.id if len(rest) > len(shown) else None), rule))


async def post_alert_rule(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Make a rule; it sees the findings, or the outcomes of checks, that are made from now on."""
    kept = await parts.alerts.set_rule(rule_of(await read_document(request, parts)), new=True)
    return answer(rule(kept), 201, {"Location": f"/api/v1/alert-rules/{kept.rule.id}"})


async def get_alert_rule(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """One rule."""
    return answer(rule(parts.alerts.rule(request.match_info["rule"])))


async def put_alert_rule(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Replace a rule. Its alerts go on under the new one; if that groups otherwise, they are cleared."""
    id, document = request.match_info["rule"], await read_document(request, parts)
    if document.setdefault("id", id) != id:
        raise refused("id", f"id is {document['id']!r:.80}: expected {id}, as in the path")
    return answer(rule(await parts.alerts.set_rule(rule_of(document), new=False)))


async def delete_alert_rule(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Take a rule away. Its alerts are cleared, and whoever was told of them is told that."""
    await parts.alerts.delete_rule(request.match_info["rule"])
    return web.Response(status=204)


def rule_of(document: dict[str, Any]) -> Rule:
    """The rule that *document* asks for, as far as its form goes; whether it can work, the alerts say."""
    given = {name: v for name, v in document.items() if v is not None or name not in (*OF_FINDINGS, "status_at")}
    said = members(given, READERS, ("id", "sinks"), "a rule")
    if "raise_at" in said and "clear_below" not in said:
        said["clear_below"] = said["raise_at"] / 2
    if said.get("checks"):
        if scored := [name for name in OF_FINDINGS if name in said]:
            raise refused(scored[0], f"{scored[0]} is of findings, and this is a rule of checks", "leave it out")
        said.setdefault("group_by", EACH_SUBJECT)
    elif "status_at" in said:
        raise refused("status_at", "status_at is of checks, and this is a rule of findings", "checks says of which")
    return Rule(**said)


def rule(kept: KeptRule) -> Document:
    """A rule as it is."""
    r = kept.rule
    scores = {name: None if r.checks else getattr(r, name) for name in OF_FINDINGS}
    return {
        "id": r.id, "description": r.description, "jobs": r.jobs, "sources": r.sources, "fields": r.fields,
        "checks": r.checks, "status_at": r.status_at if r.checks else None,
        **scores,
        "group_by": r.group_by, "repeat_s": r.repeat_s, "sinks": r.sinks, "calendars": r.calendars,
        "created": iso(kept.created_ms), "changed": iso(kept.changed_ms),
    }


BODY = (Content("The rule; only id and sinks are needed.", named("AlertRuleGiven"), examples.RULE_GIVEN),)
ROUTES = (
    Route("GET", "/api/v1/alert-rules", get_alert_rules, "alerts",
          {200: Content("Some rules.", named("AlertRules"), examples.RULES)}, Parameters.of(LIMIT, CURSOR)),
    Route("POST", "/api/v1/alert-rules", post_alert_rule, "alerts",
          {201: Content("The new rule.", named("AlertRule"), examples.RULE,
                        headers={"Location": "Path of the new rule."})},
          body=BODY, refusals=(Conflict, *CHANGES)),
    Route("GET", "/api/v1/alert-rules/{rule}", get_alert_rule, "alerts",
          {200: Content("The rule.", named("AlertRule"), examples.RULE)}, refusals=(NotFound,)),
    Route("PUT", "/api/v1/alert-rules/{rule}", put_alert_rule, "alerts",
          {200: Content("The rule as it is now.", named("AlertRule"), examples.RULE)},
          body=BODY, refusals=(NotFound, Conflict, *CHANGES)),
    Route("DELETE", "/api/v1/alert-rules/{rule}", delete_alert_rule, "alerts", {204: Content("It is gone.")},
          refusals=(NotFound, StoreUnavailable)),
)
