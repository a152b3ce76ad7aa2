"""The settings of a sink of alerts, by its type."""
from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from offbeat.config.sections import AlertsConfig
from offbeat.config.setting import check, coerced, setting, unknown
from offbeat.errors import BadConfig


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """What every sink has."""

    timeout_s: float = setting(10.0, "longest time for one attempt", unit="seconds", low=0.1, high=600)
    attempts_max: int = setting(
        20, "so often a delivery is tried before it is a dead letter: with the waits below, for about an hour",
        unit="attempts", low=1)
    backoff_s: float = setting(
        1.0, "wait before the second attempt; each one after waits twice as long, less a random part of up to a half",
        unit="seconds", low=0.01)
    backoff_max_s: float = setting(300.0, "longest wait between two attempts", unit="seconds", low=0.01)


@dataclass(frozen=True, slots=True)
class HttpSinkConfig(SinkConfig):
    """What a sink has that is reached over HTTP."""

    url: str = setting("", "where to POST; http or https")
    headers: dict[str, Any] = setting({}, "headers of each request")
    token: str = setting("", "sent as Authorization: Bearer; better in a file or the environment")
    token_file: str = setting("", "a file that holds the token")
    token_env: str = setting("", "an environment variable that holds the token")


@dataclass(frozen=True, slots=True)
class WebhookConfig(HttpSinkConfig):
    """POSTs each notification as a JSON document."""


@dataclass(frozen=True, slots=True)
class AlertmanagerConfig(HttpSinkConfig):
    """POSTs to Prometheus Alertmanager (API v2), and again while an alert is active. *url* is without /api/v2."""

    resend_s: float = setting(60.0, "how often an active alert is sent again", unit="seconds", low=1)
    labels: dict[str, Any] = setting({}, "labels of each alert besides alertname, rule, job, source and field")


@dataclass(frozen=True, slots=True)
class EmailConfig(SinkConfig):
    """Sends each notification as a mail."""

    host: str = setting("", "the mail server")
    port: int = setting(587, "587 for starttls, 465 for tls", low=1, high=65535)
    security: str = setting("starttls", "starttls, tls (from the first byte) or none")
    user: str = setting("", "who logs in; empty: nobody does")
    password: str = setting("", "the password; better in a file or the environment")
    password_file: str = setting("", "a file that holds the password")
    password_env: str = setting("", "an environment variable that holds the password")
    ca_file: str = setting("", "certificates of authorities to trust instead of the system's")
    sender: str = setting("", "the address in From")
    to: tuple[str, ...] = setting((), "the addresses in To")


@dataclass(frozen=True, slots=True)
class CommandConfig(SinkConfig):
    """Runs a command, never by a shell, with each notification as JSON on its standard input."""

    argv: tuple[str, ...] = setting((), "the program and its arguments")


SINKS: dict[str, Any] = {
    "webhook": WebhookConfig, "alertmanager": AlertmanagerConfig, "email": EmailConfig, "command": CommandConfig,
}
NEEDED = {"webhook": ("url",), "alertmanager": ("url",), "email": ("host", "sender", "to"), "command": ("argv",)}
"""What a sink of a type cannot do without."""


def sinks_of(alerts: AlertsConfig) -> dict[str, SinkConfig]:
    """The sinks by name, checked. Raises BadConfig for the first setting of one that is not right."""
    return {name: _sink(f"alerts.sinks.{name}", name, table) for name, table in alerts.sinks.items()}


def _sink(place: str, name: str, table: Any) -> SinkConfig:
    def wrong(setting: str, message: str, hint: str = "") -> BadConfig:
        return BadConfig(f"{setting} {message}", hint=hint, where={"setting": setting})

    if not isinstance(table, dict):
        raise wrong(place, f"is {table!r}: expected a table [{place}]")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise wrong(place, "is no name of a sink: expected 1 to 64 letters, digits, '_' or '-'")
    kind = table.get("type")
    if kind not in SINKS:
        raise wrong(f"{place}.type", f"is {kind!r}: expected {', '.join(SINKS)}")
    holder, arguments = SINKS[kind], {}
    known = {f.name: f for f in fields(holder)}
    for one, value in table.items():
        if one != "type":
            if one not in known:
                raise unknown(one, list(known), f"{place}.")
            arguments[one] = coerced(f"{place}.{one}", known[one], value)
    sink: SinkConfig = holder(**arguments)
    check(place, sink)
    for one in NEEDED[kind]:
        if not getattr(sink, one):
            raise wrong(f"{place}.{one}", "is missing")
    if isinstance(sink, HttpSinkConfig) and not sink.url.startswith(("http://", "https://")):
        raise wrong(f"{place}.url", f"is {sink.url!r}: expected an address that begins with http:// or https://")
    if isinstance(sink, EmailConfig) and sink.security not in ("starttls", "tls", "none"):
        raise wrong(f"{place}.security", f"is {sink.security!r}: expected starttls, tls or none")
    for one in ("headers", "labels"):
        if not all(isinstance(value, str) for value in getattr(sink, one, {}).values()):
            raise wrong(f"{place}.{one}", "has a value that is no text")
    for secret in ("token", "password"):
        if sum(bool(getattr(sink, f"{secret}{form}", "")) for form in ("", "_file", "_env")) > 1:
            raise wrong(f"{place}.{secret}", "is given twice", f"one of {secret}, {secret}_file and {secret}_env")
    return sink
