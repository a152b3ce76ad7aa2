"""What checks say: how it is now and was, who knows of it, and maintenance, during which it is not counted."""
from __future__ import annotations

from aiohttp import web

from offbeat.checks.documents import maintenance_document, outcome_document
from offbeat.checks.outcomes import STATUSES, HistoryQuery, Maintenance, StatusQuery
from offbeat.config import Config
from offbeat.errors import Conflict, NotFound, StoreUnavailable
from offbeat.http import check_examples as examples
from offbeat.http.alerts import numbered
from offbeat.http.checks import READING
from offbeat.http.documents import answer, page
from offbeat.http.members import members, number, refused, text, texts, time
from offbeat.http.parameters import CURSOR, LIMIT, Asked, Parameters, choice, whole
from offbeat.http.parameters import text as text_parameter
from offbeat.http.parameters import time as time_parameter
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route, read_document
from offbeat.http.schemas import named

MAINTENANCE_READERS = {
    "checks": texts, "sources": texts, "from": time, "until": time, "duration_s": number, "reason": text, "who": text,
}


async def get_status(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """How it is now: the worst that nobody knows of, counts, and what each subject's newest run said, worst first."""
    found = await parts.checks.status(StatusQuery(**asked))
    return answer({
        "status": found.status, "counts": found.counts, "acknowledged": found.acknowledged,
        "maintenance": found.maintenance, "outcomes": [outcome_document(one) for one in found.outcomes],
        "next_cursor": found.next_cursor,
    })


async def get_outcomes(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """What checks said at each change, newest first, as it was then."""
    return answer(page("outcomes", await parts.checks.history(HistoryQuery(**asked)), outcome_document))


async def get_outcome(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """One outcome with the parameters that it came of, and the numbers of those before and after it."""
    found = await parts.checks.outcome(numbered(request, "outcome"))
    return answer({
        **outcome_document(found.outcome), "parameters": found.parameters, "previous": found.previous,
        "next": found.next,
    })


async def put_acknowledgement(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Note who knows of what a subject says; it ends by itself once that is GREEN again."""
    said = members(await read_document(request, parts), {"who": text, "comment": text}, ("who",), "an acknowledgement")
    subject = numbered(request, "subject")
    return answer(outcome_document(await parts.checks.acknowledge(subject, said["who"], said.get("comment", ""))))


async def delete_acknowledgement(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Take an acknowledgement back."""
    await parts.checks.take_back(numbered(request, "subject"))
    return web.Response(status=204)


async def get_maintenance(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """All maintenance that is kept, newest first, also that which is over."""
    now_ms = parts.clock.now_ms()
    return answer({"maintenance": [maintenance_document(one, now_ms) for one in parts.checks.maintenance()]})


async def post_maintenance(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Leave what matches out of the counts for a while. Its checks run on."""
    now_ms = parts.clock.now_ms()
    said = members(await read_document(request, parts), MAINTENANCE_READERS, ("reason", "who"), "maintenance")
    from_ms = said.pop("from", now_ms)
    if ("until" in said) == ("duration_s" in said):
        raise refused("until", "maintenance has either until or duration_s")
    until_ms = said.pop("until") if "until" in said else from_ms + int(1000 * min(said.pop("duration_s"), 1e12))
    kept = await parts.checks.add_maintenance(Maintenance(0, from_ms, until_ms, **said))
    return answer(maintenance_document(kept, now_ms), 201, {"Location": "/api/v1/maintenance"})


async def delete_maintenance(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Take maintenance away."""
    await parts.checks.end_maintenance(numbered(request, "maintenance"))
    return web.Response(status=204)


def _far(config: Config) -> int:
    return 1 << 61


CHOSEN = (
    text_parameter("check", "Only of this check."),
    text_parameter("source", "Only where a column is of this source."),
    text_parameter("field", "Only where a column is of this field."),
    choice("status", "Only of this status, or worse.", STATUSES),
)
ROUTES = (
    Route("GET", "/api/v1/status", get_status, "checks",
          {200: Content("How it is.", named("StatusOverview"), examples.STATUS)},
          Parameters.of(*CHOSEN, LIMIT, CURSOR), refusals=(NotFound,)),
    Route("PUT", "/api/v1/status/{subject}/acknowledgement", put_acknowledgement, "checks",
          {200: Content("The outcome, acknowledged.", named("Outcome"), examples.OUTCOME)},
          body=(Content("Who knows of it.", named("OutcomeAcknowledgement"), examples.ACKNOWLEDGEMENT),),
          refusals=(NotFound, Conflict, StoreUnavailable, *READING)),
    Route("DELETE", "/api/v1/status/{subject}/acknowledgement", delete_acknowledgement, "checks",
          {204: Content("It is taken back.")}, refusals=(NotFound, StoreUnavailable)),
    Route("GET", "/api/v1/outcomes", get_outcomes, "checks",
          {200: Content("Some outcomes.", named("Outcomes"), examples.OUTCOMES)},
          Parameters.of(*CHOSEN, whole("subject", "Only of this subject.", 1, _far),
                        time_parameter("start", "Only of runs at this time or later."),
                        time_parameter("end", "Only of runs before this time."), LIMIT, CURSOR)),
    Route("GET", "/api/v1/outcomes/{outcome}", get_outcome, "checks",
          {200: Content("The outcome.", named("OutcomeInFull"), examples.OUTCOME_IN_FULL)}, refusals=(NotFound,)),
    Route("GET", "/api/v1/maintenance", get_maintenance, "checks",
          {200: Content("All of it.", named("AllMaintenance"), examples.ALL_MAINTENANCE)}),
    Route("POST", "/api/v1/maintenance", post_maintenance, "checks",
          {201: Content("The maintenance.", named("Maintenance"), examples.MAINTENANCE,
                        headers={"Location": "Path of the list."})},
          body=(Content("Of what, until when, why, by whom.", named("MaintenanceGiven"), examples.MAINTENANCE_GIVEN),),
          refusals=(Conflict, StoreUnavailable, *READING)),
    Route("DELETE", "/api/v1/maintenance/{maintenance}", delete_maintenance, "checks", {204: Content("It is gone.")},
          refusals=(NotFound, StoreUnavailable)),
)
