"""The settings of gateways: what clients of another program may do here, and what becomes of it."""
from __future__ import annotations

import re
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

    def check(self) -> None:
        """Raise BadConfig for a value that its type allows and its meaning does not."""
        for name in ("networks", "proxies"):
            for text in getattr(self, name):
                try:
                    ip_network(text)
                except ValueError as e:
                    where = {"setting": f"esmond.{name}"}
                    raise BadConfig(f"esmond.{name} has {text!r}: expected a network; {e}", where=where) from e


@dataclass(frozen=True, slots=True)
class MvgConfig:
    """What clients of the MultiViz Analytics Engine may do: measurements of vibration, and analyses of them."""

    version: str = setting(
        "v0.11.5", "the version that clients are told; each compares it with the one that it was tested against",
        reload=True)
    meta: str = setting(
        "any", "what a new source must say of itself: any takes whatever comes; strict refuses one without "
        "location and assetName and, if it is no table, sensorName and measurementName", reload=True)
    page_items_max: int = setting(1_000, "most measurements on one page", unit="measurements", low=1, reload=True)
    body_bytes_max: int = setting(
        64 * 1024 * 1024, "largest body; 400,000 samples are some 8 MB of JSON", unit="bytes", low=65_536, reload=True)
    uploads_max: int = setting(
        4, "bodies of measurements that are in memory at once; the others wait before they are read", unit="bodies",
        low=1)
    sources_max: int = setting(10_000, "sources of all clients", unit="sources", low=1, reload=True)
    stored_bytes_max: int = setting(
        10 * 1024**3, "what all measurements may hold, compressed; beyond it uploads are refused with 507. It "
        "is part of retention.file_bytes_max, and half of it, so that readings have room as well",
        unit="bytes", low=0, reload=True)
    analyses_max: int = setting(
        10_000, "analyses that are kept with their results; beyond it a new one is answered with 429: delete some",
        unit="analyses", low=1, reload=True)
    analyses_at_once: int = setting(1, "each that runs is a process of its own", unit="processes", low=1, high=64)
    analysis_bytes_max: int = setting(
        4 * 1024**3, "address space of such a process; one that needs more fails and says so", unit="bytes",
        low=1024**3, reload=True)
    analysis_timeout_s: float = setting(
        1_800.0, "an analysis that takes longer fails", unit="seconds", low=1, reload=True)
    queued_s: float = setting(
        0.5, "an analysis is seen as queued for at least this long: some clients rely on it", unit="seconds", low=0,
        high=60, reload=True)
    callback_hosts: tuple[str, ...] = setting(
        (), "hosts that may be told when an analysis ends, if its client asks for it; none given: any", reload=True)
    callback_timeout_s: float = setting(5.0, "longest time for telling one", unit="seconds", low=0.1, reload=True)

    def check(self) -> None:
        """Raise BadConfig for a value that its type and range allow and its meaning does not."""
        if self.meta not in ("any", "strict"):
            raise BadConfig(f"mvg.meta is {self.meta!r}: expected any or strict", where={"setting": "mvg.meta"})
        if not re.fullmatch(r"v?\d+\.\d+\.\d+([-+][\w.+-]+)?", self.version):
            raise BadConfig(
                f"mvg.version is {self.version!r}: expected three numbers as v0.11.5", where={"setting": "mvg.version"})


ENERGY_WORDS = {"time": ("reported", "stored"), "access": ("open", "loopback", "token")}


@dataclass(frozen=True, slots=True)
class EnergyConfig:
    """What clients of the energy-sensors protocol may do, and what becomes of it: docs/gateways/energy.md."""

    batch_events: int = setting(
        1_000, "each time that so many events have been stored, all that ever were are clustered", unit="events", low=1,
        reload=True)
    time: str = setting(
        "reported", "the time of an event in its series: reported, as the meter says, or stored, as it came",
        reload=True)
    access: str = setting(
        "open", "who may use its three paths, whose clients send no token: open, anyone; loopback, who is on this "
        "host; or token, who shows one as for our own API", reload=True)

    def check(self) -> None:
        """Raise BadConfig for a word that is none of those that are meant."""
        for name, words in ENERGY_WORDS.items():
            if (given := getattr(self, name)) not in words:
                raise BadConfig(
                    f"energy.{name} is {given!r}: expected {', '.join(words[:-1])} or {words[-1]}",
                    where={"setting": f"energy.{name}"})
