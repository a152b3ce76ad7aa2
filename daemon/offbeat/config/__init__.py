"""Every setting, once: its name, type, default, range, unit and reason. Here they are one Config, read and read again.

The docs' table and the sample file are made from here.
"""
from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from offbeat.config.sections import (
    DEFAULT_MODEL,
    AlertsConfig,
    ChecksConfig,
    EngineConfig,
    HttpConfig,
    IngestConfig,
    RetentionConfig,
    StoreConfig,
    WatchConfig,
)
from offbeat.config.setting import (
    KINDS,
    check,
    coerced,
    known_zone,
    meant,
    setting,
    unknown,
)
from offbeat.config.sinks import (
    SINKS,
    AlertmanagerConfig,
    CommandConfig,
    EmailConfig,
    HttpSinkConfig,
    SinkConfig,
    WebhookConfig,
    sinks_of,
)
from offbeat.errors import BadConfig

__all__ = [
    "DEFAULT_MODEL",
    "KINDS",
    "SECTIONS",
    "SINKS",
    "AlertmanagerConfig",
    "AlertsConfig",
    "ChecksConfig",
    "CommandConfig",
    "Config",
    "EmailConfig",
    "EngineConfig",
    "HttpConfig",
    "HttpSinkConfig",
    "IngestConfig",
    "RetentionConfig",
    "SinkConfig",
    "StoreConfig",
    "WatchConfig",
    "WebhookConfig",
    "from_mapping",
    "known_zone",
    "load",
    "meant",
    "reloaded",
    "setting",
    "sinks_of",
]


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one daemon, checked."""

    http: HttpConfig = field(default_factory=HttpConfig)
    ingest: IngestConfig = field(default_factory=IngestConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    watch: WatchConfig = field(default_factory=WatchConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    retention: RetentionConfig = field(default_factory=RetentionConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    checks: ChecksConfig = field(default_factory=ChecksConfig)

    def __post_init__(self) -> None:
        for f in fields(self):
            check(f.name, getattr(self, f.name))
        for name in ("time_fields", "source_fields"):
            if not getattr(self.ingest, name):
                where = {"setting": f"ingest.{name}"}
                raise BadConfig(f"ingest.{name} is empty: expected at least one name", where=where)
        zone = self.engine.time_zone
        if not known_zone(zone):
            raise BadConfig(
                f"engine.time_zone is {zone!r}: expected the IANA name of a time zone",
                hint="as Europe/Berlin or America/New_York; the system's list is in /usr/share/zoneinfo",
                where={"setting": "engine.time_zone"})
        sinks_of(self.alerts)


def from_mapping(document: Mapping[str, Any]) -> Config:
    """The settings in *document* (section → name → value), defaults for the rest.

    Raises BadConfig for the first setting that is unknown, of the wrong type or out of range.
    """
    sections = {f.name: f for f in fields(Config)}
    built: dict[str, Any] = {}
    for section, values in document.items():
        if section not in sections:
            raise unknown(section, list(sections))
        if not isinstance(values, dict):
            raise BadConfig(f"{section} is {values!r}: expected a table [{section}]", where={"setting": section})
        holder = SECTIONS[section]
        known = {f.name: f for f in fields(holder)}
        arguments = {}
        for name, value in values.items():
            if name not in known:
                raise unknown(name, list(known), f"{section}.")
            arguments[name] = coerced(f"{section}.{name}", known[name], value)
        built[section] = holder(**arguments)
    return Config(**built)


def load(path: Path) -> Config:
    """The settings in the TOML file at *path*. Raises BadConfig, also for a file that is missing or no TOML."""
    try:
        document = tomllib.loads(path.read_text())
    except OSError as e:
        raise BadConfig(f"cannot read the config file {path}: {e.strerror}", where={"file": str(path)}) from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise BadConfig(f"{path} is not TOML: {e}", where={"file": str(path)}) from e
    return from_mapping(document)


def reloaded(running: Config, before: Config, after: Config) -> tuple[Config, tuple[str, ...]]:
    """*running* with what the file says otherwise now (*after*) than *before*, where a reload may change it.

    The second value names the settings that changed but need a restart.
    """
    sections: dict[str, Any] = {}
    waiting: list[str] = []
    for section in fields(running):
        old, new = getattr(before, section.name), getattr(after, section.name)
        changed = [f for f in fields(old) if getattr(old, f.name) != getattr(new, f.name)]
        waiting += [f"{section.name}.{f.name}" for f in changed if not f.metadata["reload"]]
        values = {f.name: getattr(new, f.name) for f in changed if f.metadata["reload"]}
        sections[section.name] = replace(getattr(running, section.name), **values)
    return Config(**sections), tuple(waiting)


SECTIONS: dict[str, Any] = {
    "http": HttpConfig, "ingest": IngestConfig, "engine": EngineConfig, "watch": WatchConfig, "store": StoreConfig,
    "retention": RetentionConfig, "alerts": AlertsConfig, "checks": ChecksConfig,
}
assert all(is_dataclass(s) for s in SECTIONS.values())
