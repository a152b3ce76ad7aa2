"""The sink that POSTs each notification as JSON."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from offbeat.alerts.sinks import HttpSender, Note
from offbeat.config import WebhookConfig


class Webhook:
    """One address."""

    resend_s = 0.0

    def __init__(self, config: WebhookConfig) -> None:
        self._url, self._sender = config.url, HttpSender(config)

    async def send(self, note: Note) -> None:
        """POST *note*; its id is in the document and in the header Idempotency-Key. Raises SendFailed."""
        body = orjson.dumps({"id": note.id, **note.document})
        await self._sender.post(self._url, body, {"Idempotency-Key": note.id})

    async def resend(self, notes: Sequence[Note]) -> None:
        """Nothing: a webhook hears of each notification once."""

    async def close(self) -> None:
        """Close the connection."""
        await self._sender.close()
