"""Tokens and the sessions of browsers: listed, made, revoked; begun and ended. One sentence a route."""
from __future__ import annotations

from typing import Any

from aiohttp import web

from offbeat.errors import BadBody, BodyTimeout, BodyTooLarge, Conflict, NotFound, StoreUnavailable, UnsupportedMedia
from offbeat.http import token_examples as examples
from offbeat.http.credentials import COOKIE, of_our_page
from offbeat.http.documents import Document, answer, iso
from offbeat.http.members import members, number, refused, text, texts, time
from offbeat.http.parameters import Asked
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route, read_document
from offbeat.http.schemas import named
from offbeat.store.tokens import SCOPES, KeptToken
from offbeat.tokens import SESSION

READERS = {"name": text, "scopes": texts, "expires": time, "expires_s": number}
LASTS_S_MAX = 100 * 365 * 86_400


async def get_tokens(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """All tokens that are kept, the oldest first, also revoked ones; never a secret."""
    now_ms = parts.clock.now_ms()
    return answer({"tokens": [token(one, now_ms) for one in parts.tokens.list()]})


async def post_token(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Make a token. The answer is the only one that shows it."""
    said = members(await read_document(request, parts), READERS, ("name", "scopes"), "a token")
    now_ms = parts.clock.now_ms()
    until_ms: int | None = said.get("expires")
    if "expires_s" in said:
        if until_ms is not None:
            raise refused("expires_s", "expires and expires_s are both given: expected one of them")
        if not 0 < said["expires_s"] <= LASTS_S_MAX:
            raise refused("expires_s", f"expires_s is {said['expires_s']:g}: expected more than 0, at most 100 years")
        until_ms = now_ms + int(said["expires_s"] * 1000)
    kept, secret = await parts.tokens.create(said["name"], said["scopes"], until_ms)
    return answer({**token(kept, now_ms), "token": secret}, 201, {"Location": f"/api/v1/tokens/{kept.id}"})


async def delete_token(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Revoke a token, by its id or its name: from this answer on nothing is done for it, nor for its sessions."""
    await parts.tokens.revoke(request.match_info["token"])
    return web.Response(status=204)


async def post_session(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Give a browser a cookie that stands for a token, for thirty days or as long as that lasts.

    The cookie is HttpOnly and SameSite=Strict, and Secure where the page came over https.
    """
    of_our_page(request)
    said = members(await read_document(request, parts), {"token": text}, ("token",), "a session")
    secret, mine = await parts.tokens.begin_session(said["token"], request.remote or "")
    response = answer({"name": mine.name, "scopes": [one for one in SCOPES if one in mine.scopes],
                       "expires": iso(mine.until_ms)})
    response.set_cookie(
        COOKIE, secret, max_age=(mine.until_ms - parts.clock.now_ms()) // 1000, path="/", httponly=True,
        samesite="Strict", secure=_over_https(request))
    return response


async def delete_session(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """End the session of the cookie; without one nothing happens."""
    of_our_page(request)
    if (kept := request.cookies.get(COOKIE, "")).startswith(f"{SESSION}."):
        await parts.tokens.end_session(kept)
    response = web.Response(status=204)
    response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict", secure=_over_https(request))
    return response


def _over_https(request: web.Request) -> bool:
    return "https" in (request.scheme, request.headers.get("X-Forwarded-Proto", "").split(",")[0].strip().lower())


def token(one: KeptToken, now_ms: int) -> Document:
    """A token as it is, without its secret."""
    return {
        "id": one.id, "name": one.name, "scopes": list(one.scopes), "state": one.state(now_ms),
        "created": iso(one.created_ms), "expires": None if one.expires_ms is None else iso(one.expires_ms),
        "revoked": None if one.revoked_ms is None else iso(one.revoked_ms),
    }


CHANGES: Any = (BadBody, BodyTimeout, BodyTooLarge, UnsupportedMedia, Conflict, StoreUnavailable)
ROUTES = (
    Route("GET", "/api/v1/tokens", get_tokens, "tokens",
          {200: Content("The tokens.", named("Tokens"), examples.TOKENS)}, scope="admin"),
    Route("POST", "/api/v1/tokens", post_token, "tokens",
          {201: Content("The token, this once.", named("TokenMade"), examples.TOKEN_MADE,
                        headers={"Location": "Path of the new token."})},
          body=(Content("Its name and scopes, and until when.", named("TokenGiven"), examples.TOKEN_GIVEN),),
          refusals=CHANGES),
    Route("DELETE", "/api/v1/tokens/{token}", delete_token, "tokens", {204: Content("It is revoked.")},
          refusals=(NotFound, Conflict, StoreUnavailable)),
    Route("POST", "/api/v1/session", post_session, "tokens",
          {200: Content("Whose it is, and until when.", named("Session"), examples.SESSION,
                        headers={"Set-Cookie": "The session."})},
          body=(Content("The token.", named("SessionGiven"), examples.SESSION_GIVEN),),
          refusals=CHANGES, scope="sign-in"),
    Route("DELETE", "/api/v1/session", delete_session, "tokens", {204: Content("It is over.")},
          refusals=(StoreUnavailable,), scope="sign-in"),
)
