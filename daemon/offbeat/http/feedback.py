"""Feedback: given, weighed, listed, taken back. One sentence a route, and what its document may say."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from offbeat.errors import (
    BadBody,
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    Conflict,
    NotFound,
    NotYet,
    StoreUnavailable,
    UnsupportedMedia,
)
from offbeat.feedback import AdjustmentInfo
from offbeat.http import examples
from offbeat.http.documents import Document, answer, dump, iso, page
from offbeat.http.parameters import CURSOR, LIMIT, SEQUENCE, SOURCES, Asked, Parameters, Unreadable, flag, nearest
from offbeat.http.parameters import time_ms as time_of
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route, read_document
from offbeat.http.schemas import named
from offbeat.store.adjustments import VERDICTS
from offbeat.weighing import Effect, Said, Weighed


async def post_feedback(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Say that a record or a span was normal, or was missed: what comes later is scored so. Or see what that would do.

    What was said before is never revised. With preview nothing is changed, and the answer, 200, has no name.
    """
    said = said_of(await read_document(request, parts))
    if asked["preview"]:
        return answer(weighed(await parts.feedback.weigh(said)))
    accepted = await parts.feedback.accept(said)
    return answer(weighed(accepted), 201, {"Location": f"/api/v1/feedback/{accepted.name}"})


async def get_feedback(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """What was accepted, newest first, also what was taken back since."""
    found = await parts.feedback.list(asked.get("sources", ()), asked["limit"], asked.get("cursor"))
    return answer(page("feedback", found, adjustment))


async def get_one_feedback(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """One adjustment, and what it has done."""
    return answer(adjustment(await parts.feedback.get(request.match_info["name"])))


async def delete_feedback(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Take an adjustment back: what comes later is scored as if it had never been."""
    await parts.feedback.undo(request.match_info["name"])
    return web.Response(status=204)


def said_of(document: dict[str, Any]) -> Said:
    """What *document* says, as far as its form goes.

    Raises BadRequest for the first property that is unknown, missing, of the wrong type or one too many.
    """
    for name in document:
        if name not in READERS:
            raise _bad(name, f"{name} is not a property of feedback", nearest(name, READERS))
    read = {name: READERS[name](name, value) for name, value in document.items()}
    if "verdict" not in read:
        raise _bad("verdict", "the feedback has no verdict", f"expected {' or '.join(VERDICTS)}")
    if "record" in read:
        for name in SPAN:
            if name in read:
                raise _bad(name, f"{name} and record do not go together", "name a record, or a series and a span")
    else:
        for name in SPAN[1:]:
            if name not in read:
                raise _bad(name, f"the feedback has no record and no {name}", "a span is source, field, start and end")
    if read["verdict"] == "missed" and "below" in read:
        raise _bad("below", "below is of what was normal", "what was missed is brought to a score of 50")
    return Said(**{{"start": "start_ms", "end": "end_ms"}.get(name, name): value for name, value in read.items()})


def _bad(field: str, message: str, hint: str = "") -> BadRequest:
    return BadRequest(f"{message}; nothing was changed", hint=hint, where={"field": field})


def _wrong(name: str, value: object, expected: str) -> BadRequest:
    return _bad(name, f"{name} is {dump(value).decode():.80}: expected {expected}")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(name, value, "a text")
    return value


def _note(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(name, value, "a text")
    return value


def _verdict(name: str, value: object) -> str:
    if value not in VERDICTS:
        raise _wrong(name, value, " or ".join(VERDICTS))
    return str(value)


def _time(name: str, value: object) -> int:
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        try:
            return time_of(str(value))
        except Unreadable:
            pass
    raise _wrong(name, value, "a time, ISO 8601 or an epoch number")


def _number(name: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _wrong(name, value, "a number")
    return float(value)


SPAN = ("job", "source", "field", "start", "end")
READERS: dict[str, Callable[[str, Any], Any]] = {
    "verdict": _verdict,
    "record": _text,
    "job": _text,
    "source": _text,
    "field": _text,
    "start": _time,
    "end": _time,
    "note": _note,
    "below": _number,
}


def weighed(w: Weighed) -> Document:
    """What an adjustment would do, or does from now on."""
    return {
        "name": w.name, "verdict": w.verdict, "job": w.job, "source": w.source, "field": w.field,
        "start": iso(w.start_ms), "end": iso(w.end_ms), "note": w.note, "factor": w.factor,
        "total_factor_now": w.total_now, "total_factor_then": w.total_then, "target_score": w.target,
        "reached_score": w.reached, "estimated": w.estimated, "record_count": w.record_count,
        "changed_count": w.changed_count, "hidden_count": w.hidden_count, "bucket_count": w.bucket_count,
        "revealed_count": w.revealed_count, "records": [_effect(one) for one in w.effects],
        "records_omitted": w.effects_omitted, "sentence": w.sentence,
    }


def _effect(e: Effect) -> Document:
    return {"id": e.record, "time": iso(e.time_ms), "score": e.score, "score_now": e.score_now,
            "score_then": e.score_then}


def adjustment(a: AdjustmentInfo) -> Document:
    """An adjustment that was accepted."""
    kept, given = a.kept, a.kept.given
    return {
        "name": kept.name, "verdict": given.verdict, "job": a.job, "source": a.source, "field": a.field,
        "start": iso(given.start_ms), "end": iso(given.end_ms), "note": given.note, "factor": given.adjustment.factor,
        "created": iso(kept.created_ms), "undone": None if kept.ended_ms is None else iso(kept.ended_ms),
        "hidden_count": kept.hidden_count, "revealed_count": kept.revealed_count,
    }


ROUTES = (
    Route("POST", "/api/v1/feedback", post_feedback, "feedback",
          {200: Content("What it would do.", named("FeedbackWeighed"), examples.FEEDBACK_PREVIEW),
           201: Content("What it does from now on.", named("FeedbackWeighed"), examples.FEEDBACK_ACCEPTED,
                        headers={"Location": "Path of the adjustment."})},
          Parameters.of(flag("preview", "Only tell what it would do.", default=False), SEQUENCE),
          body=(Content("The verdict, and a record or a span of a series.", named("FeedbackGiven"),
                        examples.FEEDBACK_GIVEN),),
          refusals=(NotFound, Conflict, BadBody, BodyTimeout, BodyTooLarge, UnsupportedMedia, StoreUnavailable,
                    NotYet)),
    Route("GET", "/api/v1/feedback", get_feedback, "feedback",
          {200: Content("Some adjustments.", named("Feedback"), examples.FEEDBACK)},
          Parameters.of(SOURCES, LIMIT, CURSOR, SEQUENCE), refusals=(NotYet,)),
    Route("GET", "/api/v1/feedback/{name}", get_one_feedback, "feedback",
          {200: Content("The adjustment.", named("Adjustment"), examples.ADJUSTMENT)},
          Parameters.of(SEQUENCE), refusals=(NotFound, NotYet)),
    Route("DELETE", "/api/v1/feedback/{name}", delete_feedback, "feedback", {204: Content("It is taken back.")},
          refusals=(NotFound, Conflict, StoreUnavailable, NotYet)),
)
