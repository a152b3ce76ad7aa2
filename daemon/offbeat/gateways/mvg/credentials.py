"""Who asks: one token is one tenant.

Source: MVG wire protocol, section 1, Authentication.
"""

from __future__ import annotations

from aiohttp import web

from offbeat.errors import Unauthorized
from offbeat.http.credentials import bearer
from offbeat.http.parts import Parts


def secret_of(request: web.Request) -> str | None:
    """The token of *request*: X-Vibium-Api-Key, as newer clients send it, or Bearer."""
    key = request.headers.get("X-Vibium-Api-Key", "").strip()
    return key or bearer(request.headers)


def tenant_of(request: web.Request, parts: Parts) -> str:
    """Whose sources *request*, which was let in, is about: those of the tokens of one name, of which one is in force.

    Whoever needs no token, as long as there is none, has sources of his own. Raises Unauthorized.
    """
    found = parts.tokens.found(secret_of(request))
    if isinstance(found, str):  # it was revoked a moment ago
        raise Unauthorized("the token is taken no more")
    return found.name
