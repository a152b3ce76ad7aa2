"""Checks: listed, read, made, replaced, taken away; tried on the past, and run now."""
from __future__ import annotations

from typing import Any

from aiohttp import web

from offbeat.checks.book import Held
from offbeat.checks.documents import iso, outcome_document
from offbeat.checks.spec import Binding, CheckSpec, Columns, EachSeries, EachSource, as_document
from offbeat.errors import (
    BadBody,
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    Conflict,
    NotFound,
    NoWorker,
    StoreUnavailable,
    UnsupportedMedia,
)
from offbeat.http import check_examples as examples
from offbeat.http.documents import Document, answer, page
from offbeat.http.members import an_object, flag, members, number, objects, refused, text, texts, time, whole
from offbeat.http.parameters import CURSOR, LIMIT, Asked, Parameters
from offbeat.http.parameters import text as text_parameter
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route, read_document
from offbeat.http.schemas import named
from offbeat.store.queries import Page

READERS = {
    "id": text, "description": text, "kind": text, "parameters": an_object, "series": objects, "interval_s": number,
    "time_limit_s": number, "raise_after": whole, "clear_after": whole, "enabled": flag,
}
NEEDED = ("id", "kind", "series")
COLUMN_READERS = {"source": text, "field": text}


async def get_checks(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The checks in the order of their ids; with source or field those that are bound to such a series."""
    found = parts.checks.list(asked.get("source"), asked.get("field"))
    rest = [held for held in found if held.spec.id > asked.get("cursor", "")]
    shown = tuple(rest[: asked["limit"]])
    return answer(page("checks", Page(shown, shown[-1].spec.id if len(rest) > len(shown) else None), check))


async def post_check(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Make a check; it runs from now on."""
    held = await parts.checks.set(check_of(await read_document(request, parts)), new=True)
    return answer(check(held), 201, {"Location": f"/api/v1/checks/{held.spec.id}"})


async def get_check(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """One check."""
    return answer(check(parts.checks.get(request.match_info["check"])))


async def put_check(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Replace a check. What it is still bound to keeps its number and its history."""
    id, document = request.match_info["check"], await read_document(request, parts)
    for made in ("created", "changed", "status", "counts"):  # what GET answers may be sent back
        document.pop(made, None)
    if document.setdefault("id", id) != id:
        raise refused("id", f"id is {document['id']!r:.80}: expected {id}, as in the path")
    return answer(check(await parts.checks.set(check_of(document), new=False)))


async def delete_check(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Take a check away, with all that it ever said."""
    await parts.checks.delete(request.match_info["check"])
    return web.Response(status=204)


async def get_check_kinds(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The kinds of checks that there are, with what a form for one needs; and the plug-ins that are broken."""
    return answer(await parts.checks.kinds())


async def post_check_preview(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """What a check would have said of stored readings: a run an interval, stored nowhere, bounded in runs and time."""
    document = await read_document(request, parts)
    said = members(document, {**READERS, "start": time, "end": time}, (*NEEDED, "start", "end"), "a preview")
    start_ms, end_ms = said.pop("start"), said.pop("end")
    found = await parts.checks.preview(_check_of(said), start_ms, end_ms)
    outcomes = [outcome_document(one) for one in found.outcomes]
    return answer({"runs": found.runs, "outcomes": outcomes, "counts": found.counts, "cut": found.cut})


async def post_check_run(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Run a check for all its subjects now; or as of a time: only readings up to it count, and nothing is stored."""
    said = members(await read_document(request, parts), {"as_of": time}, (), "a run")
    outcomes = await parts.checks.run_now(request.match_info["check"], said.get("as_of"))
    return answer({"outcomes": [outcome_document(one) for one in outcomes]})


def check_of(document: dict[str, Any]) -> CheckSpec:
    """The check that *document* asks for, as far as its form goes; whether it can work, the checks say."""
    return _check_of(members(document, READERS, NEEDED, "a check"))


def _check_of(said: dict[str, Any]) -> CheckSpec:
    series = tuple(_binding(f"series[{i}]", one) for i, one in enumerate(said["series"]))
    return CheckSpec(**{**said, "series": series, "parameters": tuple(said.get("parameters", {}).items())})


def _binding(at: str, document: dict[str, Any]) -> Binding:
    """A binding: one column a run, several of one source, or columns that are named."""
    if "columns" in document:
        said = members(document, {"columns": objects, "tolerance_s": number}, ("columns",), "a binding", f"{at}.")
        columns = [
            members(one, COLUMN_READERS, ("source", "field"), "a column", f"{at}.columns[{i}].")
            for i, one in enumerate(said["columns"])
        ]
        return Columns(tuple((one["source"], one["field"]) for one in columns), said.get("tolerance_s", 0.0))
    if "fields" in document:
        said = members(document, {"source": text, "fields": texts}, ("source", "fields"), "a binding", f"{at}.")
        return EachSource(said["source"], said["fields"])
    said = members(document, COLUMN_READERS, ("source", "field"), "a binding", f"{at}.")
    return EachSeries(said["source"], said["field"])


def check(held: Held) -> Document:
    """A check as it is."""
    status = {"status": held.status, "counts": held.counts()} if held.spec.enabled else {
        "status": None, "counts": {"GREEN": 0, "YELLOW": 0, "RED": 0}}
    return {
        **as_document(held.spec), "created": iso(held.created_ms), "changed": iso(held.changed_ms), **status,
    }


READING = (BadBody, BodyTimeout, BodyTooLarge, UnsupportedMedia, BadRequest)
CHANGES = (*READING, StoreUnavailable, NoWorker)
GIVEN = (Content("The check; id, kind and series are needed.", named("CheckGiven"), examples.CHECK_GIVEN),)
ROUTES = (
    Route("GET", "/api/v1/checks", get_checks, "checks",
          {200: Content("Some checks.", named("Checks"), examples.CHECKS)},
          Parameters.of(text_parameter("source", "Only checks of this source."),
                        text_parameter("field", "Only checks of this field."), LIMIT, CURSOR)),
    Route("POST", "/api/v1/checks", post_check, "checks",
          {201: Content("The new check.", named("Check"), examples.CHECK,
                        headers={"Location": "Path of the new check."})},
          body=GIVEN, refusals=(Conflict, *CHANGES)),
    Route("POST", "/api/v1/checks/preview", post_check_preview, "checks",
          {200: Content("What it would have said.", named("CheckPreview"), examples.PREVIEW)},
          body=(Content("The check, and the span of time.", named("CheckPreviewGiven"), examples.PREVIEW_GIVEN),),
          refusals=(*READING, NoWorker), scope="read"),
    Route("GET", "/api/v1/checks/{check}", get_check, "checks",
          {200: Content("The check.", named("Check"), examples.CHECK)}, refusals=(NotFound,)),
    Route("PUT", "/api/v1/checks/{check}", put_check, "checks",
          {200: Content("The check as it is now.", named("Check"), examples.CHECK)},
          body=GIVEN, refusals=(NotFound, *CHANGES)),
    Route("DELETE", "/api/v1/checks/{check}", delete_check, "checks", {204: Content("It is gone.")},
          refusals=(NotFound, StoreUnavailable)),
    Route("POST", "/api/v1/checks/{check}/run", post_check_run, "checks",
          {200: Content("What it says.", named("CheckSaid"), examples.SAID)},
          body=(Content("As of when; empty: now.", named("CheckRun"), examples.RUN),),
          refusals=(NotFound, *CHANGES)),
    Route("GET", "/api/v1/check-kinds", get_check_kinds, "checks",
          {200: Content("The kinds.", named("CheckKinds"), examples.KINDS)}, refusals=(BadRequest, NoWorker)),
)
