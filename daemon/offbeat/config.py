"""Every setting, once: its name, type, default, range, unit and reason.

The docs' table and the sample file are made from here.
"""
from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from offbeat.errors import BadConfig

DEFAULT_MODEL = "rhythm"
"""The model of a job that names none."""


def setting(default: Any, why: str, *, unit: str = "", low: float | None = None, high: float | None = None,
            reload: bool = False) -> Any:
    """One setting of a section: *reload* says that SIGHUP applies it without a restart."""
    metadata = {"unit": unit, "why": why, "low": low, "high": high, "reload": reload}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def _check(section: str, holder: Any) -> None:
    for f in fields(holder):
        value, low, high = getattr(holder, f.name), f.metadata["low"], f.metadata["high"]
        if low is not None and value < low:
            raise BadConfig(
                f"{section}.{f.name} is {value!r}: it must be at least {low}", where={"setting": f"{section}.{f.name}"})
        if high is not None and value > high:
            raise BadConfig(
                f"{section}.{f.name} is {value!r}: it must be at most {high}", where={"setting": f"{section}.{f.name}"})


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """The doors."""

    host: str = setting("127.0.0.1", "loopback: nobody else reaches the daemon until you say so")
    port: int = setting(7373, "0 takes any free port; the ready line names it", low=0, high=65535)
    connections_max: int = setting(
        1024, "each open connection costs memory and a file descriptor", unit="connections", low=1)
    body_timeout_s: float = setting(60.0, "longest wait for the next complete record of a body that is still arriving",
                                    unit="seconds", low=0.1, reload=True)
    stream_clients_max: int = setting(
        64, "each follower of /stream has a queue of its own", unit="clients", low=1, reload=True)
    page_rows_max: int = setting(
        10_000, "largest `limit` of a query; longer lists go on with a cursor", unit="rows", low=1, reload=True)


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """How bodies become events, and how much may wait."""

    time_fields: tuple[str, ...] = setting(
        ("time", "timestamp", "ts", "@timestamp"), "the first of these that an event has is its time", reload=True)
    source_fields: tuple[str, ...] = setting(
        ("source", "sensor", "sensor_id", "device", "device_id", "sid", "host", "station", "id"),
        "the first of these that an event has names its source", reload=True)
    source_default: str = setting("default", "the source of an event that names none", reload=True)
    max_future_s: float = setting(
        3600.0, "an event further ahead is a wrong clock, and would make all that follow late",
        unit="seconds", low=0, reload=True)
    block_bytes: int = setting(
        4 * 1024 * 1024,
        "a body of a stated length up to this counts whole or not at all; a longer or chunked one is taken "
        "in blocks of at most this",
        unit="bytes", low=1024)
    line_bytes_max: int = setting(
        1024 * 1024, "a longer line is rejected unread: parsing one holds up everyone else", unit="bytes", low=256)
    decompressed_bytes_max: int = setting(
        1024 * 1024 * 1024, "a compressed body that grows beyond this is a bomb", unit="bytes", low=1024, reload=True)
    depth_max: int = setting(16, "deepest nesting of objects in an event", unit="levels", low=1, high=100)
    event_fields_max: int = setting(1_000, "most fields in one event", unit="fields", low=1)
    name_bytes_max: int = setting(256, "longest name of a source or a field", unit="bytes", low=1, high=4096)
    errors_max: int = setting(
        20, "most rejected lines listed in one answer; the rest is counted", unit="lines", low=1, reload=True)
    pending_bytes_max: int = setting(
        64 * 1024 * 1024, "most bytes between the door and the engine; beyond it the answer is 429",
        unit="bytes", low=1024)
    decode_threads: int = setting(
        2, "decoding releases the interpreter lock, so a thread a core", unit="threads", low=1, high=64)
    stream_linger_s: float = setting(
        0.5, "a slow chunked stream is journaled at least this often", unit="seconds", low=0.01)
    idempotency_window_s: float = setting(
        86_400.0, "how long an Idempotency-Key is remembered", unit="seconds", low=1, reload=True)
    quarantine_rows_max: int = setting(
        10_000, "most rejected lines kept for a look; the oldest go first", unit="lines", low=0, reload=True)


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What the engine may hold."""

    series_max: int = setting(
        1_000_000, "memory of a series is a fixed amount; beyond this a new series is rejected",
        unit="series", low=1, high=100_000_000)
    models_max: int = setting(
        1_000_000,
        "most models that a job holds at once; with less than series_max, a series that is silent for long loses its "
        "model to one that sends and has none, and begins from its peers when it sends again. Counts when a state "
        "directory is new",
        unit="models", low=1, high=100_000_000)
    sources_max: int = setting(1_000_000, "as series_max, for sources", unit="sources", low=1, high=100_000_000)
    fields_max: int = setting(
        100_000, "most distinct field names in all; a body with a million names fills no table",
        unit="names", low=1, high=100_000_000)
    tick_s: float = setting(5.0, "how often silence is looked at", unit="seconds", low=0.05)
    live_lag_max_s: float = setting(
        900.0,
        "a source whose newest event came later than this after its time is back-filling: the clock does not "
        "close its buckets",
        unit="seconds", low=0)
    time_zone: str = setting(
        "UTC",
        "where days and weeks begin for models that know them, an IANA name as Europe/Berlin; a job takes it over "
        "when it is created, unless its parameters have a time_zone of their own")
    jobs_open_max: int = setting(
        1_000, "jobs of buckets that are open at once; an upload that would open one more is answered with 429",
        unit="jobs", low=1, high=1_000)
    model_modules: tuple[str, ...] = setting(
        (), "modules of which a job may name a class as its model, package.module:Class; naming one runs its code")
    shard_series: int = setting(
        4_096, "series checkpointed together; more make each checkpoint longer, fewer make more of them",
        unit="series", low=64)


@dataclass(frozen=True, slots=True)
class WatchConfig:
    """The built-in job that follows every numeric field of every source."""

    bucket_span_s: int = setting(60, "length of a bucket", unit="seconds", low=1, high=86_400)
    latency_s: int = setting(0, "how long a bucket stays open for late events", unit="seconds", low=0, high=86_400)
    model: str = setting(
        DEFAULT_MODEL,
        "the model of a series: a name of the entry-point group offbeat.detectors, river:<dotted name>, or "
        "package.module:Class")
    parameters: dict[str, Any] = setting({}, "the model's parameters")
    peer_groups: tuple[str, ...] = setting(
        (), "patterns of sources: for a model that learns from peers, the sources that match the same one first are "
        "peers, and those that match none; without any, all are")


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """How the one SQLite file is written."""

    state_dir: str = setting("offbeat-data", "the one directory that Offbeat writes to")
    tail_readings_max: int = setting(
        2_000_000,
        "readings, closed buckets and closed windows kept in memory, of at most 88 bytes, before they are packed into "
        "chunks; that begins between half and all of it, and beyond 1.5 times as many events are answered with 429 "
        "until no more than this are left",
        unit="rows", low=1_000)
    checkpoint_s: float = setting(
        300.0, "longest time between two checkpoints of a shard; the journal holds that much", unit="seconds", low=0.05)
    group_bytes_max: int = setting(8 * 1024 * 1024, "most bytes of bodies in one transaction", unit="bytes", low=1024)
    record_score_min: float = setting(
        10.0, "findings with a lower score are not kept as records", unit="score", low=0, high=100)
    dataload_bytes_max: int = setting(
        1024**3, "what a job keeps, packed, of records that clients of the Prelert Engine send to /dataload; then the "
        "oldest go", unit="bytes", low=65_536, reload=True)


@dataclass(frozen=True, slots=True)
class RetentionConfig:
    """How long things are kept. 0 keeps them for ever."""

    readings_days: float = setting(90.0, "readings as sent", unit="days", low=0, reload=True)
    rollups_1m_days: float = setting(90.0, "rollups of one minute", unit="days", low=0, reload=True)
    rollups_1h_days: float = setting(730.0, "rollups of one hour", unit="days", low=0, reload=True)
    rollups_1d_days: float = setting(3_650.0, "rollups of one day", unit="days", low=0, reload=True)
    buckets_days: float = setting(365.0, "bucket scores", unit="days", low=0, reload=True)
    records_days: float = setting(365.0, "records", unit="days", low=0, reload=True)
    file_bytes_max: int = setting(
        20 * 1024**3, "beyond this the oldest readings go before their time", unit="bytes", low=0, reload=True)


@dataclass(frozen=True, slots=True)
class AlertsConfig:
    """Who is told of findings, and how much of that is kept. Rules are given at run time: docs/alerts.md."""

    sinks: dict[str, Any] = setting(
        {}, "where alerts go, a table [alerts.sinks.NAME] each with its type: webhook, alertmanager, email or command")
    link_url: str = setting("", "the daemon's address as those who are told reach it: what they get has a link to it")
    rules_max: int = setting(200, "each finding is held against every rule", unit="rules", low=1)
    silences_max: int = setting(
        1_000, "silences that are kept, also those that are over; these go first", unit="silences", low=1)
    calendars_max: int = setting(64, "each has its windows in memory", unit="calendars", low=1)
    active_max: int = setting(
        10_000, "alerts that are active at a time; beyond it one is not raised, and that is listed as suppressed",
        unit="alerts", low=1, reload=True)
    cleared_max: int = setting(
        10_000, "cleared alerts that are kept, with their deliveries; the oldest go first", unit="alerts", low=0,
        reload=True)
    findings_max: int = setting(
        100, "findings of one alert that are listed; the rest is counted", unit="findings", low=1, reload=True)
    suppressed_max: int = setting(
        10_000, "what nobody was told, and why, that is kept for a look; the oldest go first", unit="rows", low=0,
        reload=True)
    waiting_max: int = setting(
        20_000, "deliveries that wait for one sink; beyond it they are dead letters", unit="deliveries", low=1,
        reload=True)
    dead_letters_max: int = setting(
        1_000, "deliveries that were given up and may be tried again; the oldest go first", unit="deliveries", low=0,
        reload=True)


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
        "open", "who may use its three paths, whose clients send no token: open, anyone, or loopback, who is on this "
        "host", reload=True)


ENERGY_WORDS = {"time": ("reported", "stored"), "access": ("open", "loopback")}


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
    energy: EnergyConfig = field(default_factory=EnergyConfig)

    def __post_init__(self) -> None:
        for f in fields(self):
            _check(f.name, getattr(self, f.name))
        for name in ("time_fields", "source_fields"):
            if not getattr(self.ingest, name):
                where = {"setting": f"ingest.{name}"}
                raise BadConfig(f"ingest.{name} is empty: expected at least one name", where=where)
        for name, words in ENERGY_WORDS.items():
            if (given := getattr(self.energy, name)) not in words:
                raise BadConfig(
                    f"energy.{name} is {given!r}: expected {' or '.join(words)}", where={"setting": f"energy.{name}"})
        zone = self.engine.time_zone
        if not known_zone(zone):
            raise BadConfig(
                f"engine.time_zone is {zone!r}: expected the IANA name of a time zone",
                hint="as Europe/Berlin or America/New_York; the system's list is in /usr/share/zoneinfo",
                where={"setting": "engine.time_zone"})
        sinks_of(self.alerts)


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
                raise _unknown(one, list(known), f"{place}.")
            arguments[one] = _coerced(f"{place}.{one}", known[one], value)
    sink: SinkConfig = holder(**arguments)
    _check(place, sink)
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


def known_zone(name: str) -> bool:
    """Whether *name* is a time zone that this machine has the rules of; UTC needs none."""
    if name == "UTC":
        return True
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a directory, as Europe, is an OSError
        return False
    return True


def _coerced(name: str, f: Field[Any], value: Any) -> Any:
    """*value* of the file as the type of setting *f*; an integer may stand for a float, a list for a tuple."""
    kind = str(f.type)
    good: bool
    if kind == "float":
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        value = float(value) if good else value
    elif kind == "int":
        good = isinstance(value, int) and not isinstance(value, bool)
    elif kind == "str":
        good = isinstance(value, str)
    elif kind.startswith("tuple"):
        good = isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
        value = tuple(value) if good else value
    else:
        good = isinstance(value, dict)
    if not good:
        raise BadConfig(f"{name} is {value!r}: expected {KINDS.get(kind, kind)}", where={"setting": name})
    return value


KINDS = {
    "float": "a number", "int": "a whole number", "str": "a text", "tuple[str, ...]": "a list of texts",
    "dict[str, Any]": "a table",
}


def _unknown(name: str, known: list[str], prefix: str = "") -> BadConfig:
    near = meant(name, known)
    hint = f"did you mean {prefix}{near}?" if near else f"known here: {', '.join(known)}"
    return BadConfig(f"{prefix}{name} is not a setting", hint=hint, where={"setting": f"{prefix}{name}"})


OTHER_WORDS = {"detector": "model", "detector_modules": "model_modules"}
"""What a name is also called, by its users and by earlier builds: never taken for it, only hinted at."""


def meant(name: str, known: Iterable[str]) -> str | None:
    """Which of the *known* names somebody who wrote *name* had in mind: by another word for it, or by its letters."""
    names = list(known)
    if OTHER_WORDS.get(name) in names:
        return OTHER_WORDS[name]
    near = difflib.get_close_matches(name, names, n=1)
    return near[0] if near else None


def from_mapping(document: Mapping[str, Any]) -> Config:
    """The settings in *document* (section → name → value), defaults for the rest.

    Raises BadConfig for the first setting that is unknown, of the wrong type or out of range.
    """
    sections = {f.name: f for f in fields(Config)}
    built: dict[str, Any] = {}
    for section, values in document.items():
        if section not in sections:
            raise _unknown(section, list(sections))
        if not isinstance(values, dict):
            raise BadConfig(f"{section} is {values!r}: expected a table [{section}]", where={"setting": section})
        holder = SECTIONS[section]
        known = {f.name: f for f in fields(holder)}
        arguments = {}
        for name, value in values.items():
            if name not in known:
                raise _unknown(name, list(known), f"{section}.")
            arguments[name] = _coerced(f"{section}.{name}", known[name], value)
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
    "retention": RetentionConfig, "alerts": AlertsConfig, "energy": EnergyConfig,
}
SINKS: dict[str, Any] = {
    "webhook": WebhookConfig, "alertmanager": AlertmanagerConfig, "email": EmailConfig, "command": CommandConfig,
}
NEEDED = {"webhook": ("url",), "alertmanager": ("url",), "email": ("host", "sender", "to"), "command": ("argv",)}
"""What a sink of a type cannot do without."""
assert all(is_dataclass(s) for s in SECTIONS.values())
