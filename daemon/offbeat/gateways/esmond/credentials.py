"""Who may write: what clients of the archive send, said to the daemon's own keys.

Source: esmond measurement archive, section 5.
"""
from __future__ import annotations

from aiohttp import hdrs, web

from offbeat.gateways.esmond.addresses import among
from offbeat.gateways.esmond.errors import BadCredentials
from offbeat.http.parts import Parts
from offbeat.tokens import Token


async def admit_writer(request: web.Request, parts: Parts) -> None:
    """Return if the sender may write: by its key, or by where it is. Raises BadCredentials, or what ``who`` raises."""
    user, secret = _sent(request)
    peer, settings = _peer(request, parts), parts.config().esmond
    if secret is not None or not among(peer, settings.networks):
        _same(user, await parts.tokens.who(secret, "ingest", peer))


async def admit_reader(request: web.Request, parts: Parts) -> None:
    """Return if the sender may read, as everybody may who sends no key or any that is known. Raises as above."""
    user, secret = _sent(request)
    if secret is not None:
        _same(user, await parts.tokens.who(secret, None, _peer(request, parts)))


def _sent(request: web.Request) -> tuple[str | None, str | None]:
    """User and key: ``Token KEY``, or ``ApiKey USER:KEY``; another scheme is as no header. Raises BadCredentials."""
    scheme, _, rest = request.headers.get(hdrs.AUTHORIZATION, "").strip().partition(" ")
    words = rest.split()
    match scheme.lower():
        case "token":
            if len(words) != 1:
                raise BadCredentials("Authorization: Token is followed by one key, without spaces")
            return None, words[0]
        case "apikey":
            user, colon, key = words[0].partition(":") if len(words) == 1 else ("", "", "")
            if not (user and colon and key):
                raise BadCredentials("Authorization: ApiKey is followed by user and key as USER:KEY")
            return user, key
    return None, None


def _same(user: str | None, token: Token) -> None:
    if user is not None and token.name not in (user, ""):
        raise BadCredentials("the key is not that of this user")


def _peer(request: web.Request, parts: Parts) -> str:
    """Where the request comes from: who connects, or whom a proxy that is believed names."""
    peer, proxies = request.remote or "", parts.config().esmond.proxies
    hops = [hop.strip() for line in request.headers.getall(hdrs.X_FORWARDED_FOR, []) for hop in line.split(",")]
    while hops and among(peer, proxies):
        peer = hops.pop()
    return peer
