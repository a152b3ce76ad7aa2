"""Who may use the three paths: the protocol's clients send no token, so by default anyone who reaches the daemon."""
from __future__ import annotations

import ipaddress

from aiohttp import web

from offbeat.errors import Refused
from offbeat.http.credentials import bearer
from offbeat.http.parts import Parts
from offbeat.store.tokens import Scope


class NotFromHere(Refused):
    """A sender of another host, where only those of this one are let in."""

    code = "forbidden"
    status = 403


async def admit(request: web.Request, parts: Parts, scope: Scope) -> None:
    """Return if the sender may go on. Raises NotFromHere, or what ``Tokens.who`` raises where a token is asked for."""
    access = parts.config().energy.access
    if access == "loopback" and not _is_loopback(request.remote):
        raise NotFromHere("only senders on this host are let in: the setting energy.access says so")
    if access == "token":
        await parts.tokens.who(bearer(request.headers), scope, request.remote or "")


def _is_loopback(peer: str | None) -> bool:
    try:
        return not peer or ipaddress.ip_address(peer.partition("%")[0]).is_loopback
    except ValueError:
        return False
