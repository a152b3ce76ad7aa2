"""The feeds of jobs: given, read, taken away, started, stopped. One sentence a route, and a feed's document."""
from __future__ import annotations

from typing import Any

from aiohttp import web

from offbeat.errors import BadBody, BodyTimeout, BodyTooLarge, Conflict, NotFound, StoreUnavailable, UnsupportedMedia
from offbeat.feeds.feeds import Shown
from offbeat.feeds.spec import shown, spec_of
from offbeat.http import feed_examples as examples
from offbeat.http.documents import Document, answer, iso
from offbeat.http.forms import named
from offbeat.http.parameters import Asked, Parameters, time
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route, read_document


async def get_feeds(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The feeds of all jobs, the oldest job first."""
    return answer({"feeds": [document_of(one) for one in parts.feeds.all()]})


async def get_feed(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """What the feed of a job reads, whether it is at work, and what it has to say."""
    return answer(document_of(parts.feeds.show(request.match_info["id"])))


async def put_feed(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Give a job its feed, or another one; where it was up to stays. It must be stopped."""
    id = request.match_info["id"]
    await parts.feeds.put(id, spec_of(await read_document(request, parts)))
    return answer(document_of(parts.feeds.show(id)))


async def delete_feed(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Take the feed of a job away; the job stays. It must be stopped."""
    await parts.feeds.drop(request.match_info["id"])
    return web.Response(status=204)


async def post_start(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Begin to read, or go on where it was. With an end, it stops there and closes the job."""
    id = request.match_info["id"]
    await parts.feeds.start(id, asked.get("start_ms"), asked.get("end_ms"))
    return answer(document_of(parts.feeds.show(id)))


async def post_stop(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Stop reading and close the job; the answer comes once that is done."""
    id = request.match_info["id"]
    await parts.feeds.stop(id)
    return answer(document_of(parts.feeds.show(id)))


def document_of(one: Shown) -> Document:
    """A feed as it is."""
    report, trouble = one.report, one.report.trouble
    return {
        "job": one.job,
        "state": one.state,
        "start": None if one.bounds.start_ms is None else iso(one.bounds.start_ms),
        "end": None if one.bounds.end_ms is None else iso(one.bounds.end_ms),
        "record_count": report.record_count,
        "outside_count": report.outside_count,
        "batch_count": report.batch_count,
        "trouble_count": report.trouble_count,
        "last_read": None if report.last_read_ms is None else iso(report.last_read_ms),
        "trouble": None if trouble is None else {
            "message": trouble.message, "since": iso(trouble.since_ms), "tries": trouble.tries,
            "again": iso(trouble.again_ms)},
        "told": [{"time": iso(time_ms), "message": message} for time_ms, message in report.told],
        "feed": shown(one.spec),
    }


CHANGES: Any = (NotFound, Conflict, BadBody, BodyTimeout, BodyTooLarge, UnsupportedMedia, StoreUnavailable)
FEED = Content("The feed.", named("Feed"), examples.FEED)
ROUTES = (
    Route("GET", "/api/v1/feeds", get_feeds, "feeds", {200: Content("All feeds.", named("Feeds"), examples.FEEDS)}),
    Route("GET", "/api/v1/jobs/{id}/feed", get_feed, "feeds", {200: FEED}, refusals=(NotFound,)),
    Route("PUT", "/api/v1/jobs/{id}/feed", put_feed, "feeds", {200: FEED},
          body=(Content("What to read.", named("FeedSpec"), examples.FEED_SPEC),), refusals=CHANGES),
    Route("DELETE", "/api/v1/jobs/{id}/feed", delete_feed, "feeds", {204: Content("It is gone.")},
          refusals=(NotFound, Conflict, StoreUnavailable)),
    Route("POST", "/api/v1/jobs/{id}/feed/start", post_start, "feeds", {200: FEED},
          Parameters.of(time("start", "Only records from this time on."), time("end", "Only records before it.")),
          refusals=(NotFound, Conflict, StoreUnavailable)),
    Route("POST", "/api/v1/jobs/{id}/feed/stop", post_stop, "feeds", {200: FEED}, refusals=(NotFound, Conflict)),
)
