"""Who may use the three paths: the protocol's clients send no token, so by default anyone who reaches the daemon."""
from __future__ import annotations

import ipaddress

from aiohttp import web

from offbeat.errors import Refused
from offbeat.http.parts import Parts


class NotFromHere(Refused):
    """A sender of another host, where only those of this one are let in."""

    code = "forbidden"
    status = 403


def admit(request: web.Request, parts: Parts) -> None:
    """Return if the sender may go on. Raises NotFromHere."""
    if parts.config().energy.access == "loopback" and not _is_loopback(request.remote):
        raise NotFromHere("only senders on this host are let in: the setting energy.access says so")


def _is_loopback(peer: str | None) -> bool:
    try:
        return not peer or ipaddress.ip_address(peer.partition("%")[0]).is_loopback
    except ValueError:
        return False
