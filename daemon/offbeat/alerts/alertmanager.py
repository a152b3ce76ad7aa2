"""The sink that speaks to Prometheus Alertmanager, API v2: an alert is sent again while it is active."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from offbeat.alerts.payload import iso, series_of
from offbeat.alerts.rules import KEYS
from offbeat.alerts.sinks import HttpSender, Note
from offbeat.clock import Clock
from offbeat.config import AlertmanagerConfig

TOGETHER = 200
"""Alerts in one request."""
LASTS = 4
"""After so many intervals in which nothing came Alertmanager takes an alert for resolved, as those of Prometheus."""


class Alertmanager:
    """One Alertmanager."""

    def __init__(self, config: AlertmanagerConfig, clock: Clock) -> None:
        self._config, self._clock, self._sender = config, clock, HttpSender(config)
        self._url = f"{config.url.rstrip('/')}/api/v2/alerts"
        self.resend_s = config.resend_s

    async def send(self, note: Note) -> None:
        """POST the alert of *note*. Raises SendFailed."""
        await self._post([note], {"Idempotency-Key": note.id})

    async def resend(self, notes: Sequence[Note]) -> None:
        """POST the alerts of *notes* again, some at a time. Raises SendFailed."""
        for first in range(0, len(notes), TOGETHER):
            await self._post(notes[first : first + TOGETHER], {})

    async def _post(self, notes: Sequence[Note], headers: dict[str, str]) -> None:
        await self._sender.post(self._url, orjson.dumps([self._alert(note) for note in notes]), headers)

    def _alert(self, note: Note) -> dict[str, Any]:
        """An alert is known by its labels, so these are the same from its beginning to its end."""
        alert, rule = note.document["alert"], note.document["rule"]
        labels = {"alertname": alert["rule"], "rule": alert["rule"]}
        labels |= {key: alert[key] for key in KEYS if alert.get(key) is not None}
        annotations = {"summary": alert["sentence"], "description": rule["description"], **self._badness(note)}
        lasts_ms = self._clock.now_ms() + int(LASTS * self.resend_s * 1000)
        return {
            "labels": {**labels, **self._config.labels},
            "annotations": {**annotations, "notification": note.id},
            "startsAt": alert["raised"],
            "endsAt": alert["cleared"] or iso(lasts_ms),
            "generatorURL": note.document["link"],
        }

    def _badness(self, note: Note) -> dict[str, str]:
        """How bad it is, and what of: this may change while the alert goes on, so it is no label."""
        alert, outcome = note.document["alert"], note.document.get("outcome")  # none in what an older daemon queued
        if alert.get("status") is None:
            return {"score": f"{alert['score']:g}", "record": alert["record"]}
        found = {"status": alert["status"]}
        if outcome is not None:
            found |= {"check": outcome["check"], "message": outcome["message"], "series": series_of(outcome)}
        return found

    async def close(self) -> None:
        """Close the connection."""
        await self._sender.close()
