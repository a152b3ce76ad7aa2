"""Examples of the documents of tokens, as ``examples`` has those of the rest. Pure data."""
from __future__ import annotations

from typing import Any

TOKEN_GIVEN: dict[str, Any] = {"name": "boiler-room", "scopes": ["ingest"], "expires_s": 7_776_000}
TOKEN: dict[str, Any] = {
    "id": "k3vq7m2a", "name": "boiler-room", "scopes": ["ingest"], "state": "active",
    "created": "2015-12-09T16:14:00.000Z", "expires": "2016-03-08T16:14:00.000Z", "revoked": None,
}
TOKEN_MADE: dict[str, Any] = {**TOKEN, "token": "k3vq7m2a.0Yx6vHnJ0JmS8bW3mE4pQdT5rZ1cUa7fLk2gNi9oXyE"}
TOKENS: dict[str, Any] = {"tokens": [TOKEN]}
SESSION_GIVEN: dict[str, Any] = {"token": TOKEN_MADE["token"]}
SESSION: dict[str, Any] = {"name": "boiler-room", "scopes": ["ingest"], "expires": "2016-01-08T16:14:00.000Z"}
