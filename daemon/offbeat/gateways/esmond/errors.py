"""What the archive refuses, and how its clients are told. Pure.

Source: esmond measurement archive, section 4.
"""
from __future__ import annotations

from typing import Any

from offbeat.errors import BadRequest, Refused


class BadCredentials(Refused):
    """An Authorization header that is malformed, or no key where one is needed."""

    code = "unauthorized"
    status = 401


def document_of(refused: Refused) -> dict[str, Any]:
    """The error document: the text twice, for its clients read either."""
    text = f"{refused.message}; {refused.hint}" if refused.hint else refused.message
    return {"detail": text, "error": text}


def shown(value: object) -> str:
    """*value* as a message quotes it."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def wrong(where: str, value: object, expected: str) -> BadRequest:
    """The refusal of a value; *where* says which."""
    return BadRequest(f"{where} is {shown(value)}: expected {expected}; nothing was stored")
