"""What callers show to say who they are, wherever their clients put it. Headers in, text out: tokens say whose."""
from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from aiohttp import hdrs, web

from offbeat.errors import Forbidden

COOKIE = "offbeat_session"
MARK = "X-Offbeat"
"""A header that a form of another site cannot set; nor can its scripts, for no other origin is allowed to."""
SAFE = ("GET", "HEAD")


def after(headers: Mapping[str, str], *schemes: str) -> str | None:
    """What stands in Authorization after one of the *schemes*, as ``Bearer``; None if it has another or nothing."""
    scheme, _, rest = headers.get(hdrs.AUTHORIZATION, "").strip().partition(" ")
    return (rest.strip() or None) if scheme.lower() in (one.lower() for one in schemes) else None


def basic(headers: Mapping[str, str]) -> str | None:
    """The password of Authorization: Basic, or the user where the password is empty; None without one."""
    given = after(headers, "Basic")
    if given is None:
        return None
    try:
        user, _, password = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return given  # it is shown, and is no token
    return password or user or None


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token of Authorization: Bearer."""
    return after(headers, "Bearer")


def native(request: web.Request) -> str | None:
    """What a caller of our own API shows: Authorization: Bearer, or the cookie of a session.

    Raises Forbidden for a change asked for by the cookie alone: a browser sends it whoever asked for the request.
    """
    given = bearer(request.headers)
    if given is not None or not (kept := request.cookies.get(COOKIE)):
        return given
    if request.method not in SAFE:
        of_our_page(request)
    return kept


def of_our_page(request: web.Request) -> None:
    """Raise Forbidden for a request that a form of another site could have made."""
    if MARK not in request.headers and request.content_type != "application/json":
        raise Forbidden(f"a change by a session needs the header {MARK}: 1, or Content-Type: application/json",
                        hint="it shows that no page of another site asked for it", where={"header": MARK})
