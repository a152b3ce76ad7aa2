"""The documents of tokens as JSON Schema, each under its name. Pure data; ``schemas`` joins them to the others."""
from __future__ import annotations

from offbeat.http.forms import NUMBER, TEXT, TIME, TIME_GIVEN, TIME_OR_NULL, Schema, document, listing, named
from offbeat.store.tokens import NAME, SCOPES

SCOPES_OF: Schema = listing({"type": "string", "enum": list(SCOPES)})
TOKEN: Schema = {
    "id": TEXT, "name": TEXT, "scopes": SCOPES_OF,
    "state": {"type": "string", "enum": ["active", "expired", "revoked"]},
    "created": TIME, "expires": TIME_OR_NULL, "revoked": TIME_OR_NULL,
}
TOKEN_SCHEMAS: dict[str, Schema] = {
    "TokenGiven": document(
        {"name": {"type": "string", "pattern": f"^{NAME.pattern}$"}, "scopes": SCOPES_OF, "expires": TIME_GIVEN,
         "expires_s": NUMBER},
        optional=("expires", "expires_s")),
    "Token": document(TOKEN),
    "TokenMade": document({**TOKEN, "token": TEXT}),
    "Tokens": document({"tokens": listing(named("Token"))}),
    "SessionGiven": document({"token": TEXT}),
    "Session": document({"name": TEXT, "scopes": SCOPES_OF, "expires": TIME}),
}
