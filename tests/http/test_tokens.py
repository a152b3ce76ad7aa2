"""Tokens at the doors: which call needs which scope, how clients show theirs, what a browser is given."""
from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from aiohttp import web

from offbeat.clock import ManualClock
from offbeat.gateways import GATEWAYS
from offbeat.gateways.prelert.routes import CALLS
from offbeat.http.app import API
from offbeat.http.route import Route
from offbeat.store.database import FILE_NAME, Database, prepare
from offbeat.store.tokens import SCOPES
from offbeat.tokens import Tokens
from tests.http.parts import Behind, Door, serving
from tests.http.test_short import EVENT, Sender, post

INGEST = {
    "POST /api/v1/events", "POST /api/v1/jobs/{id}/records", "POST /api/v1/jobs/{id}/flush",
    "POST /api/v1/jobs/{id}/close", "POST /api/v2/write", "POST /write",
}
OPEN = {
    "POST /log/store", "POST /log/parse", "GET /clusters/summary",  # unless energy.access says otherwise
    "GET /healthz", "GET /readyz", "GET /", "GET /docs", "GET /docs/{file}", "GET /openapi.json", "GET /ping",
    "HEAD /ping", "GET /health", "POST /api/v1/session", "DELETE /api/v1/session",
}
ADMIN = {"GET /api/v1/tokens"}
READ = {"POST /api/v1/jobs/preview", "POST /api/v1/checks/preview"}
ROUTES = [route for route in (*API, *GATEWAYS) if route.method != "*"]


def needed(route: Route) -> str:
    """The scope of *route*, as the guide has it."""
    name = f"{route.method} {route.path}"
    if name in OPEN:
        return "open"
    if name in INGEST:
        return "ingest"
    return "read" if name in READ or (route.method == "GET" and name not in ADMIN) else "admin"


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server that wants tokens, one of each scope, and a client of it."""

    door: Door
    tokens: Tokens
    clock: ManualClock
    secrets: Mapping[str, str]

    async def status(self, method: str, path: str, secret: str | None, **headers: str) -> int:
        """How a call is answered."""
        shown = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        return (await self.door.send(method=method, path=path, **shown, **headers))[0]


@asynccontextmanager
async def guarded(directory: Path) -> AsyncIterator[Guarded]:
    prepare(directory / FILE_NAME)
    behind, clock = Behind(), ManualClock()
    async with Database(directory / FILE_NAME) as database:
        tokens = Tokens(database, clock, behind.metrics, anonymous=True)
        await tokens.begin()
        secrets = {scope: (await tokens.create(scope, [scope], None))[1] for scope in SCOPES}
        behind.tokens = tokens
        async with serving(behind) as door:
            yield Guarded(door, tokens, clock, secrets)


async def test_each_route_lets_in_its_scope_alone(tmp_path: Path) -> None:
    async with guarded(tmp_path) as mine:
        for route in ROUTES:
            scope, path = needed(route), re.sub(r"{\w+}", "1", route.path)
            if scope == "open":
                assert await mine.status(route.method, path, None) not in (401,), route.path
                continue
            assert await mine.status(route.method, path, None) == 401, route.path
            for other, secret in mine.secrets.items():
                if other != scope:
                    assert await mine.status(route.method, path, secret) == 403, (route.path, other)


@pytest.mark.parametrize(("method", "path", "scope", "status"), [
    ("GET", "/api/v1/buckets", "read", 200), ("GET", "/metrics", "read", 200), ("GET", "/api/v1/jobs", "read", 200),
    ("POST", "/api/v1/jobs", "admin", 400), ("DELETE", "/api/v1/jobs/none", "admin", 404),
    ("GET", "/api/v1/tokens", "admin", 200), ("POST", "/api/v2/write", "ingest", 204),
    ("POST", "/write", "ingest", 204),
])
async def test_a_token_with_the_scope_is_let_in(
        tmp_path: Path, method: str, path: str, scope: str, status: int) -> None:
    async with guarded(tmp_path) as mine:
        assert await mine.status(method, path, mine.secrets[scope], Content_Type="application/json") == status


async def test_there_is_nothing_at_a_path_that_nobody_has_with_or_without_a_token(tmp_path: Path) -> None:
    async with guarded(tmp_path) as mine:
        assert await mine.status("GET", "/none", None) == 404


async def test_what_is_refused_says_why_and_what_to_do(tmp_path: Path) -> None:
    async with guarded(tmp_path) as mine:
        status, document, headers = await mine.door.send(path="/api/v1/buckets", method="GET")
        assert (status, headers["WWW-Authenticate"]) == (401, 'Bearer realm="offbeat"')
        assert document["error"]["code"] == "unauthorized"
        assert "Authorization: Bearer" in document["error"]["hint"]
        status, document, _ = await mine.door.send(
            path="/api/v1/buckets", method="GET", Authorization=f"Bearer {mine.secrets['ingest']}")
        assert (status, document["error"]["code"], document["error"]["where"]) == (403, "forbidden", {"scope": "read"})
        for _ in range(11):
            status, document, headers = await mine.door.send(
                path="/api/v1/buckets", method="GET", Authorization="Bearer wrong")
        assert (status, document["error"]["code"], headers["Retry-After"]) == (429, "too_many_attempts", "60")


async def test_an_intake_that_is_full_tells_strangers_nothing(tmp_path: Path) -> None:
    async with guarded(tmp_path) as mine:
        mine.door.behind.intake.raises = AssertionError("reached")
        assert await mine.status("POST", "/api/v1/events", None, Content_Type="text/csv") == 401
        assert mine.door.behind.intake.bodies.empty()


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.mark.parametrize("path", ["/write?db=x", "/api/v2/write?bucket=b&org=o"])
async def test_clients_of_influx_show_a_token_in_their_own_ways(tmp_path: Path, path: str) -> None:
    async with guarded(tmp_path) as mine:
        secret = mine.secrets["ingest"]
        for shown in (f"Token {secret}", f"Token anybody:{secret}", f"token {secret}", f"Bearer {secret}",
                      basic("anybody", secret), basic(secret, "")):
            assert (await mine.door.send(EVENT, path, Authorization=shown))[0] == 204, shown
        assert (await mine.door.send(EVENT, f"{path}&u=anybody&p={secret}"))[0] == 204
        for shown in ("Token wrong", basic("anybody", "wrong"), "Basic !", "Digest x", ""):
            status, document, _ = await mine.door.send(EVENT, path, Authorization=shown)
            assert status == 401, shown
            assert set(document) == ({"error"} if path.startswith("/write") else {"code", "message"})
        assert document.get("code", "unauthorized") == "unauthorized"


@pytest.mark.parametrize(("method", "call"), [(method, call) for method, call, _ in CALLS])
async def test_calls_of_prelert_clients_need_the_scope_of_what_they_do(tmp_path: Path, method: str, call: str) -> None:
    what = call.split("/")[0]
    scope = "read" if method == "GET" or what in ("preview", "validate") else "admin"
    if what in ("data", "dataload"):
        scope = "ingest"
    async with guarded(tmp_path) as mine:
        for other, secret in mine.secrets.items():
            if other != scope:
                for shown in (f"Bearer {secret}", basic("anybody", secret)):
                    status, document, _ = await mine.door.send(
                        path=f"/engine//v2/{re.sub('{.*?}', '1', call)}", method=method, Authorization=shown)
                    assert (status, document["errorCode"]) == (403, 0)


async def test_a_prelert_client_without_a_token_is_told_in_its_own_form(tmp_path: Path) -> None:
    async with guarded(tmp_path) as mine:
        status, document, _ = await mine.door.send(path="/engine/v2/jobs", method="GET")
        assert (status, document["errorCode"]) == (401, 0)
        status, document, _ = await mine.door.send(
            path="/engine/v1/nothing", method="GET", Authorization=basic("x", mine.secrets["read"]))
        assert status == 404


async def test_tokens_are_made_listed_and_revoked_by_admins(tmp_path: Path) -> None:
    async with guarded(tmp_path) as mine:
        admin = {"Authorization": f"Bearer {mine.secrets['admin']}"}
        body = b'{"name": "boiler", "scopes": ["read", "ingest"], "expires_s": 60}'
        status, made, headers = await mine.door.send(body, "/api/v1/tokens", Content_Type="application/json", **admin)
        assert (status, headers["Location"]) == (201, f"/api/v1/tokens/{made['id']}")
        assert (made["scopes"], made["state"]) == (["ingest", "read"], "active")
        assert await mine.status("GET", "/api/v1/buckets", made["token"]) == 200
        _, listed, _ = await mine.door.send(path="/api/v1/tokens", method="GET", **admin)
        shown = {name: value for name, value in made.items() if name != "token"}
        assert [one for one in listed["tokens"] if one["name"] == "boiler"] == [shown]
        assert await mine.status("DELETE", "/api/v1/tokens/boiler", mine.secrets["admin"]) == 204
        assert await mine.status("GET", "/api/v1/buckets", made["token"]) == 401
        assert await mine.status("DELETE", "/api/v1/tokens/boiler", mine.secrets["admin"]) == 409
        assert await mine.status("DELETE", "/api/v1/tokens/none", mine.secrets["admin"]) == 404


@pytest.mark.parametrize(("body", "status"), [
    (b'{"name": "x"}', 400), (b'{"name": "x", "scopes": ["write"]}', 400), (b'{"name": "", "scopes": ["read"]}', 400),
    (b'{"name": "x", "scopes": ["read"], "expires_s": 0}', 400),
    (b'{"name": "x", "scopes": ["read"], "expires_s": 1, "expires": "2999-01-01"}', 400),
    (b'{"name": "x", "scopes": ["read"], "expires": "1999-01-01"}', 400),
    (b'{"name": "read", "scopes": ["read"]}', 409),
    (b'{"name": "x", "scopes": ["read"], "expires": "2999-01-01"}', 201),
])
async def test_a_token_that_cannot_be_is_refused(tmp_path: Path, body: bytes, status: int) -> None:
    async with guarded(tmp_path) as mine:
        answered = await mine.door.send(body, "/api/v1/tokens", Content_Type="application/json",
                                        Authorization=f"Bearer {mine.secrets['admin']}")
        assert answered[0] == status


async def signed_in(mine: Guarded, secret: str, **headers: str) -> tuple[str, str]:
    """The cookie of a new session, as the browser sends it and as it was set."""
    status, _, answered = await mine.door.send(
        f'{{"token": "{secret}"}}'.encode(), "/api/v1/session", Content_Type="application/json", **headers)
    assert status == 200
    mine.door.client.cookie_jar.clear()
    (morsel,) = SimpleCookie(answered["Set-Cookie"]).values()
    return f"{morsel.key}={morsel.value}", answered["Set-Cookie"]


async def test_a_browser_is_given_a_cookie_that_stands_for_a_token(tmp_path: Path) -> None:
    async with guarded(tmp_path) as mine:
        cookie, whole = await signed_in(mine, mine.secrets["read"])
        assert {"HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={30 * 86_400}"} <= set(whole.split("; "))
        assert mine.secrets["read"].partition(".")[2] not in whole
        assert await mine.status("GET", "/api/v1/buckets", None, Cookie=cookie) == 200
        assert await mine.status("GET", "/api/v1/tokens", None, Cookie=cookie) == 403
        assert await mine.status("GET", "/api/v1/tokens", mine.secrets["admin"], Cookie=cookie) == 200
        assert await mine.status("DELETE", "/api/v1/session", None, Cookie=cookie, X_Offbeat="1") == 204
        assert await mine.status("GET", "/api/v1/buckets", None, Cookie=cookie) == 401


@pytest.mark.parametrize(("proto", "secure"), [("https", True), ("https, http", True), ("http", False)])
async def test_the_cookie_is_secure_where_the_page_is(tmp_path: Path, proto: str, secure: bool) -> None:
    async with guarded(tmp_path) as mine:
        _, whole = await signed_in(mine, mine.secrets["read"], X_Forwarded_Proto=proto)
        assert ("Secure" in whole.split("; ")) is secure


async def test_a_change_that_another_site_might_have_asked_for_is_refused(tmp_path: Path) -> None:
    async with guarded(tmp_path) as mine:
        cookie, _ = await signed_in(mine, mine.secrets["admin"])
        for media in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data"):
            for method, path in (("POST", "/api/v1/jobs"), ("DELETE", "/api/v1/jobs/none"),
                                 ("POST", "/api/v1/session"), ("DELETE", "/api/v1/session")):
                status = await mine.status(method, path, None, Cookie=cookie, Content_Type=media)
                assert status == 403, (method, path, media)
        assert await mine.status("DELETE", "/api/v1/jobs/none", None, Cookie=cookie, X_Offbeat="1") == 404
        assert await mine.status(
            "DELETE", "/api/v1/jobs/none", None, Cookie=cookie, Content_Type="application/json") == 404
        assert await mine.status("DELETE", "/api/v1/jobs/none", mine.secrets["admin"], Cookie=cookie) == 404


async def test_who_signs_in_with_a_wrong_token_is_counted_as_any_other(tmp_path: Path) -> None:
    async with guarded(tmp_path) as mine:
        told = [(await mine.door.send(b'{"token": "wrong"}', "/api/v1/session", Content_Type="application/json"))[0]
                for _ in range(11)]
        assert told == [401] * 10 + [429]


async def test_while_there_is_no_token_nobody_needs_one_nor_signs_in() -> None:
    async with serving() as door:
        assert (await door.send(path="/api/v1/buckets", method="GET", Authorization="Bearer another's"))[0] == 200
        status, document, _ = await door.send(b'{"token": "x"}', "/api/v1/session", Content_Type="application/json")
        assert (status, document["error"]["code"]) == (409, "conflict")


async def test_a_stream_ends_when_its_token_does(tmp_path: Path) -> None:
    async with guarded(tmp_path) as mine:
        url = f"{mine.door.url}/api/v1/stream"
        shown = {"Authorization": f"Bearer {mine.secrets['read']}"}
        async with mine.door.client.get(url, headers=shown) as response:
            assert await response.content.readline() == b": follow on\n"
            await mine.tokens.revoke("read")
            async with asyncio.timeout(10):
                assert await response.content.read() == b"\n"


async def test_a_body_that_still_arrives_when_its_token_ends_is_taken_no_further(tmp_path: Path) -> None:
    async with guarded(tmp_path) as mine:
        revoked = asyncio.Event()

        async def lines() -> AsyncIterator[bytes]:
            yield EVENT
            await revoked.wait()
            yield EVENT

        async def revoke() -> None:
            await mine.door.behind.intake.reading.wait()
            await mine.tokens.revoke("ingest")
            revoked.set()

        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            tasks.create_task(revoke())
            answered = tasks.create_task(mine.door.send(
                lines(), Content_Type="application/x-ndjson", Authorization=f"Bearer {mine.secrets['ingest']}"))
        assert answered.result()[0] == 401
        assert mine.door.behind.intake.body().data == EVENT


# ── the short way ─────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def sending(mine: Guarded) -> AsyncIterator[Sender]:
    assert mine.door.url.host is not None
    reader, writer = await asyncio.open_connection(mine.door.url.host, mine.door.url.port)
    try:
        yield Sender(mine.door, reader, writer)
    finally:
        writer.close()


async def test_a_head_with_a_good_token_goes_the_short_way_until_it_is_revoked(tmp_path: Path) -> None:
    async with guarded(tmp_path) as mine, sending(mine) as sender:
        request = post(EVENT, f"Authorization: Bearer {mine.secrets['ingest']}")
        told = [(await sender.ask(request))[0] for _ in range(3)]
        assert (told, sender.offered) == ([202] * 3, 2)
        await mine.tokens.create("another", ["read"], None)  # another epoch; this token is good as before
        assert ((await sender.ask(request))[0], sender.offered) == (202, 3)
        await mine.tokens.revoke("ingest")
        assert ((await sender.ask(request))[0], sender.offered) == (401, 3)
        assert ((await sender.ask(request))[0], sender.offered) == (401, 3)


async def test_a_head_whose_token_expires_goes_the_short_way_until_then(tmp_path: Path) -> None:
    async with guarded(tmp_path) as mine, sending(mine) as sender:
        _, secret = await mine.tokens.create("brief", ["ingest"], mine.clock.now_ms() + 1_000)
        request = post(EVENT, f"Authorization: Bearer {secret}")
        assert [(await sender.ask(request))[0] for _ in range(2)] == [202, 202]
        mine.clock.move(1_000)
        assert ((await sender.ask(request))[0], sender.offered) == (401, 1)


async def test_a_head_that_is_not_let_in_is_never_remembered(tmp_path: Path) -> None:
    async with guarded(tmp_path) as mine, sending(mine) as sender:
        cookie, _ = await signed_in(mine, mine.secrets["ingest"])
        for line, status in (
            ("X-Nothing: 1", 401), ("Authorization: Bearer wrong", 401),
            (f"Authorization: Bearer {mine.secrets['read']}", 403), (f"Cookie: {cookie}", 403),
        ):
            assert [(await sender.ask(post(EVENT, line)))[0] for _ in range(2)] == [status] * 2, line
        assert sender.offered == 0


async def test_an_open_head_is_shut_by_the_first_token(tmp_path: Path) -> None:
    prepare(tmp_path / FILE_NAME)
    behind = Behind()
    async with Database(tmp_path / FILE_NAME) as database:
        tokens = behind.tokens = Tokens(database, ManualClock(), behind.metrics, anonymous=True)
        await tokens.begin()
        async with serving(behind) as door:
            assert door.url.host is not None
            reader, writer = await asyncio.open_connection(door.url.host, door.url.port)
            sender = Sender(door, reader, writer)
            assert [(await sender.ask(post()))[0] for _ in range(2)] == [202, 202]
            await tokens.create("one", ["ingest"], None)
            assert ((await sender.ask(post()))[0], sender.offered) == (401, 1)
            writer.close()


def test_a_route_that_says_nothing_is_for_admins_or_for_those_who_read() -> None:
    async def handler(*_: object) -> web.StreamResponse:
        raise AssertionError

    for method, scope in (("GET", "read"), ("HEAD", "read"), ("POST", "admin"), ("PUT", "admin"), ("BREW", "admin")):
        route = Route(method, "/x", handler, "operation", {})
        request = type("Request", (), {"method": method})()
        assert route.needs(request) == scope
