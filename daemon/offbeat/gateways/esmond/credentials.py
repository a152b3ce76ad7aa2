"""Who may write: what clients of the archive send, said to the daemon's own keys.

Source: esmond measurement archive, section 5.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from aiohttp import hdrs, web

from offbeat.gateways.esmond.addresses import among
from offbeat.gateways.esmond.errors import BadCredentials
from offbeat.http.parts import Parts

Scope = Literal["ingest", "read", "admin"]


class Token(Protocol):
    """A key that is known, by its name; empty while the daemon has none, and everybody may do everything."""

    @property
    def name(self) -> str:
        """Whose it is."""
        ...


class Tokens(Protocol):
    """The keys that the daemon knows."""

    async def who(self, secret: str | None, scope: Scope | None, peer: str) -> Token:
        """Whose *secret* it is, if it is meant for *scope*, None for any; else a Refused, of status 401, 403 or 429."""
        ...


@dataclass(frozen=True, slots=True)
class Anyone:
    """Who comes while the daemon has no keys."""

    name: str = ""

    async def who(self, secret: str | None, scope: Scope | None, peer: str) -> Token:
        """Nobody in particular."""
        return self


def tokens_of(parts: Parts) -> Tokens:
    """The keys of the daemon."""
    return getattr(parts, "tokens", Anyone())


async def admit_writer(request: web.Request, parts: Parts) -> None:
    """Return if the sender may write: by its key, or by where it is. Raises BadCredentials, or what ``who`` raises."""
    user, secret = _sent(request)
    peer, settings = _peer(request, parts), parts.config().esmond
    if secret is not None or not among(peer, settings.networks):
        _same(user, await tokens_of(parts).who(secret, "ingest", peer))


async def admit_reader(request: web.Request, parts: Parts) -> None:
    """Return if the sender may read, as everybody may who sends no key or any that is known. Raises as above."""
    user, secret = _sent(request)
    if secret is not None:
        _same(user, await tokens_of(parts).who(secret, None, _peer(request, parts)))


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
