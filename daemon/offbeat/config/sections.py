"""The sections of the config file: every setting with its name, type, default, range, unit and reason."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from offbeat.config.setting import setting

DEFAULT_MODEL = "rhythm"
"""The model of a job that names none."""


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
    outcomes_days: float = setting(
        365.0, "outcomes of checks; the newest of each subject stays", unit="days", low=0, reload=True)
    file_bytes_max: int = setting(
        20 * 1024**3, "beyond this the oldest readings go before their time", unit="bytes", low=0, reload=True)


@dataclass(frozen=True, slots=True)
class AlertsConfig:
    """Who is told of findings, and how much of that is kept. Rules are given at run time: docs/alerts.md."""

    sinks: dict[str, Any] = setting(
        {}, "where alerts go, a table [alerts.sinks.NAME] each with its type: webhook, alertmanager, email or command",
        reload=True)
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
class ChecksConfig:
    """Rules on series that say GREEN, YELLOW or RED. Checks are given at run time: docs/checks.md."""

    folder: str = setting("", "Python files in it are kinds of checks; empty: no folder. Naming one runs its code")
    modules: tuple[str, ...] = setting(
        (), "modules of which a check may name a class or a function as its kind, package.module:Class; naming one "
        "runs its code")
    checks_max: int = setting(1_000, "each looks at its series by itself", unit="checks", low=1)
    subjects_max: int = setting(
        50_000, "what checks are bound to, in all: columns that are judged together. Beyond it what is new is left "
        "out, which the log, the metrics and the diagnosis say", unit="subjects", low=1, reload=True)
    time_limit_s: float = setting(
        30.0, "longest time limit that a check may have: so long a plug-in that loops holds a worker", unit="seconds",
        low=0.01, reload=True)
    readings_max: int = setting(
        20_000, "most moments that a run is handed, the newest; more are left out, which its details say",
        unit="moments", low=10, reload=True)
    workers: int = setting(
        2, "processes that judge, so that a plug-in may loop or crash; none is started before the first check",
        unit="processes", low=1, high=64)
    worker_bytes_max: int = setting(
        4 * 1024**3, "address space of such a process; beyond it a check fails. 0: no bound", unit="bytes", low=0)
    outcomes_max: int = setting(
        1_000_000, "changes that are kept; the oldest go first, the newest of each subject stays", unit="outcomes",
        low=0, reload=True)
    maintenance_max: int = setting(
        1_000, "maintenance that is kept, also that which is over; this goes first", unit="entries", low=1, reload=True)
    preview_runs_max: int = setting(
        10_000, "runs of one preview; beyond it, it is cut, and says so", unit="runs", low=1, reload=True)
    preview_s: float = setting(
        20.0, "longest time of one preview; then it is cut, and says so", unit="seconds", low=0.1, reload=True)
