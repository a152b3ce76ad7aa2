"""Whatever goes wrong is answered by one document, and counted under the route's template."""
from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import web

from offbeat import errors
from offbeat.errors import Refused
from tests.http.parts import Behind, serving

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Refused) and kind is not Refused
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
async def test_each_refusal_has_its_status_its_headers_and_the_one_document(kind: type[Refused]) -> None:
    behind = Behind()
    more: dict[str, Any] = {"receipt": {}} if kind is errors.NoGoodLine else {}
    behind.intake.raises = kind("no", hint="perhaps", **more)
    async with serving(behind) as door:
        status, document, headers = await door.send(b"{}")
        assert status == kind.status
        assert document == {"error": {"code": kind.code, "message": "no", "hint": "perhaps", "where": {}}}
        assert dict(kind.headers).items() <= dict(headers).items()


async def test_what_nobody_expected_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    behind = Behind()
    behind.intake.raises = RuntimeError("the secret")
    async with serving(behind) as door:
        with caplog.at_level(logging.ERROR):
            status, document, _ = await door.send(b"{}")
        assert (status, document["error"]["code"]) == (500, "internal")
        assert "secret" not in str(document)
        (logged,) = caplog.records
        assert logged.exc_info is not None
        assert str(logged.exc_info[1]) == "the secret"


async def test_a_body_that_breaks_off_is_a_bad_body() -> None:
    behind = Behind()
    behind.intake.raises = web.RequestPayloadError("no size")
    async with serving(behind) as door:
        status, document, _ = await door.send(b"{}")
        assert (status, document["error"]["code"]) == (400, "bad_body")


async def test_a_path_that_does_not_exist_is_answered_with_the_nearest_that_does() -> None:
    async with serving() as door:
        error = (await door.get("/api/v1/bucket", 404))["error"]
        assert (error["code"], error["hint"]) == ("not_found", "did you mean /api/v1/buckets?")


async def test_a_method_that_does_not_exist_is_answered_with_those_that_do() -> None:
    async with serving() as door:
        status, document, headers = await door.send(path="/api/v1/jobs/watch", method="PUT")
        assert (status, document["error"]["code"], headers["Allow"]) == (405, "method_not_allowed", "DELETE,GET")


async def test_requests_are_counted_by_template_never_by_path() -> None:
    async with serving() as door:
        await door.get("/api/v1/jobs/watch")
        await door.get("/api/v1/jobs/nothing-of-that-name", 404)
        await door.get("/nowhere", 404)
        await door.send(method="PROPFIND")
        text = door.behind.metrics.render().decode()
        counted = {line for line in text.splitlines() if line.startswith("offbeat_http_requests_total{")}
        assert counted == {
            'offbeat_http_requests_total{method="GET",route="/api/v1/jobs/{id}",status="200"} 1.0',
            'offbeat_http_requests_total{method="GET",route="/api/v1/jobs/{id}",status="404"} 1.0',
            'offbeat_http_requests_total{method="GET",route="unmatched",status="404"} 1.0',
            'offbeat_http_requests_total{method="other",route="unmatched",status="405"} 1.0',
        }
        assert 'offbeat_http_request_seconds_count{route="/api/v1/jobs/{id}"} 2.0' in text


async def test_a_sender_that_leaves_is_counted_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as door:
        _, writer = await asyncio.open_connection("127.0.0.1", door.url.port)
        writer.write(b"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        await asyncio.wait_for(door.behind.intake.reading.wait(), 5)
        writer.close()
        await writer.wait_closed()
        await asyncio.wait_for(door.behind.intake.bodies.get(), 5)
        await door.get("/healthz")  # by then the handler has ended
        assert b'route="/api/v1/events",status="499"} 1.0' in door.behind.metrics.render()
        assert not caplog.records
