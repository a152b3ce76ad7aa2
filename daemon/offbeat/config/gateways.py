"""The settings of gateways: what clients of another program may do here, and what becomes of it."""
from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network

from offbeat.config.setting import setting
from offbeat.errors import BadConfig


@dataclass(frozen=True, slots=True)
class EsmondConfig:
    """The measurement archive for clients of esmond, at /esmond/perfsonar/archive/."""

    aliases: tuple[str, ...] = setting(
        ("esmond",), "what may stand before /perfsonar/archive/ in an address, as esmond or a/b; the path without any "
        "is always served", reload=True)
    networks: tuple[str, ...] = setting(
        (), "networks, as 192.0.2.0/24 or an address, whose hosts may write without a key", reload=True)
    proxies: tuple[str, ...] = setting(
        (), "networks of the proxies of which X-Forwarded-For is believed: it decides about networks", reload=True)
    records_max: int = setting(
        100_000, "metadata records; beyond it a new one is refused, known ones go on", unit="records", low=1,
        reload=True)
    body_bytes_max: int = setting(
        16 * 1024 * 1024, "largest write: it counts whole or not at all, so it is held in memory", unit="bytes",
        low=1024, reload=True)


def check_esmond(esmond: EsmondConfig) -> None:
    """Raise BadConfig unless its networks are some."""
    for name in ("networks", "proxies"):
        for text in getattr(esmond, name):
            try:
                ip_network(text)
            except ValueError as e:
                where = {"setting": f"esmond.{name}"}
                raise BadConfig(f"esmond.{name} has {text!r}: expected a network; {e}", where=where) from e
