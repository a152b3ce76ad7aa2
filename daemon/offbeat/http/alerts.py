"""Alerts: listed, read, acknowledged; what nobody was told, what was given up, whether a sink works."""
from __future__ import annotations

from typing import Any

from aiohttp import web

from offbeat.alerts.alerts import AlertInFull
from offbeat.alerts.payload import alert_document, finding_document, iso, iso_or_none, outcome_document
from offbeat.alerts.rows import AlertQuery, Delivery, Suppressed
from offbeat.errors import (
    BadBody,
    BodyTimeout,
    BodyTooLarge,
    Conflict,
    NotFound,
    SinkFailed,
    StoreUnavailable,
    UnsupportedMedia,
)
from offbeat.http import alert_examples as examples
from offbeat.http.alert_schemas import REASONS
from offbeat.http.documents import Document, answer, page
from offbeat.http.members import members, text
from offbeat.http.parameters import CURSOR, LIMIT, SOURCES, Asked, Parameters, choice, time
from offbeat.http.parameters import text as text_parameter
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route, read_document
from offbeat.http.schemas import named

READERS = {"name": text, "comment": text}


async def get_alerts(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Alerts, newest first; with start and end those that were active at some time between."""
    found = await parts.alerts.list(AlertQuery(**asked))
    return answer(page("alerts", found, alert_document))


async def get_alert(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """One alert, with the findings or outcomes that hold it and what became of its notifications."""
    return answer(in_full(await parts.alerts.get(numbered(request, "alert")), parts))


async def post_acknowledge(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Say that somebody knows of an alert: it is not told again, but its end is."""
    number = numbered(request, "alert")
    said = members(await read_document(request, parts), READERS, ("name",), "an acknowledgement")
    return answer(in_full(await parts.alerts.acknowledge(number, said["name"], said.get("comment", "")), parts))


async def get_suppressed(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """What nobody was told, newest first: by which silence, calendar, rule or person, and why."""
    found, gone = await parts.alerts.suppressed(
        asked.get("rule"), asked.get("reason"), asked.get("sources", ()), asked["limit"], asked.get("cursor")
    )
    return answer({**page("suppressed", found, suppressed), "dropped": gone})


async def get_dead_letters(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Notifications that were given up, newest first."""
    found, gone = await parts.alerts.dead_letters(asked["limit"], asked.get("cursor"))
    return answer({**page("dead_letters", found, lambda one: delivery(one, parts)), "dropped": gone})


async def post_retry(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Send a notification that was given up again, under the id that it had."""
    return answer(delivery(await parts.alerts.deliveries.retry(numbered(request, "delivery")), parts))


async def post_sink_test(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Send one notification of the kind test to a sink, at once; it is not tried again."""
    name = request.match_info["sink"]
    return answer({"sink": name, "id": await parts.alerts.deliveries.test(name)})


def numbered(request: web.Request, what: str) -> int:
    """The number in the path of *request*. Raises NotFound for one that nothing can have."""
    given = request.match_info[what]
    if not given.isascii() or not given.isdecimal() or len(given) > 18:
        raise NotFound(f"there is no {what} {given:.40}: expected its number", where={what: given[:40]})
    return int(given)


def in_full(full: AlertInFull, parts: Parts) -> Document:
    """One alert with all that is kept of it."""
    return {
        **alert_document(full.alert),
        "findings": [finding_document(seen) for seen in full.findings],
        "outcomes": [outcome_document(turn) for turn in full.outcomes],
        "deliveries": [delivery(one, parts) for one in full.deliveries],
    }


def delivery(d: Delivery, parts: Parts) -> Document:
    """One notification for one sink, and what became of it."""
    return {
        "delivery": d.number, "id": parts.alerts.deliveries.id_of(d.number), "alert": d.alert, "kind": d.kind,
        "sink": d.sink, "state": d.state, "attempts": d.attempts, "created": iso(d.created_ms),
        "due": iso(d.due_ms) if d.state == "waiting" else None, "ended": iso_or_none(d.ended_ms), "error": d.error,
    }


def suppressed(s: Suppressed) -> Document:
    """What nobody was told, and why."""
    return {
        "number": s.number, "time": iso(s.at_ms), "alert": s.alert, "rule": s.rule, "kind": s.kind, "reason": s.reason,
        "by": s.by, "why": s.why, "source": s.source, "check": s.check, "record": s.record or None, "score": s.score,
    }


CHANGES: Any = (BadBody, BodyTimeout, BodyTooLarge, UnsupportedMedia, StoreUnavailable)
"""What a call may refuse that brings a document."""
RULE = text_parameter("rule", "Only of this rule.")
ROUTES = (
    Route("GET", "/api/v1/alerts", get_alerts, "alerts",
          {200: Content("Some alerts.", named("Alerts"), examples.ALERTS)},
          Parameters.of(choice("state", "Only those in this state.", ("active", "cleared")), RULE, SOURCES,
                        time("start", "Only what was active at this time or later."),
                        time("end", "Only what was raised before."), LIMIT, CURSOR)),
    Route("GET", "/api/v1/alerts/suppressed", get_suppressed, "alerts",
          {200: Content("Some of what nobody was told.", named("AlertsSuppressed"), examples.SUPPRESSED)},
          Parameters.of(RULE, choice("reason", "Only what was suppressed for this reason.", REASONS), SOURCES, LIMIT,
                        CURSOR)),
    Route("GET", "/api/v1/alerts/dead-letters", get_dead_letters, "alerts",
          {200: Content("Some dead letters.", named("DeadLetters"), examples.DEAD_LETTERS)},
          Parameters.of(LIMIT, CURSOR)),
    Route("POST", "/api/v1/alerts/dead-letters/{delivery}/retry", post_retry, "alerts",
          {200: Content("It waits to be delivered.", named("Delivery"), examples.RETRIED)},
          refusals=(NotFound, Conflict, StoreUnavailable)),
    Route("GET", "/api/v1/alerts/{alert}", get_alert, "alerts",
          {200: Content("The alert.", named("AlertInFull"), examples.ALERT_IN_FULL)}, refusals=(NotFound,)),
    Route("POST", "/api/v1/alerts/{alert}/acknowledge", post_acknowledge, "alerts",
          {200: Content("The alert as it is now.", named("AlertInFull"), examples.ACKNOWLEDGED)},
          body=(Content("Who knows of it, and what they say.", named("Acknowledgement"), examples.ACKNOWLEDGEMENT),),
          refusals=(NotFound, Conflict, *CHANGES)),
    Route("POST", "/api/v1/alert-sinks/{sink}/test", post_sink_test, "alerts",
          {200: Content("It was taken.", named("SinkTested"), examples.SINK_TESTED)}, refusals=(NotFound, SinkFailed)),
)
