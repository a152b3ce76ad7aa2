"""Where a scheduled job gets its data from: read and checked. Source: Prelert Engine API, section 4.6."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from offbeat.gateways.prelert.errors import PrelertError
from offbeat.gateways.prelert.values import Codes, Values

FILE, ELASTICSEARCH = "FILE", "ELASTICSEARCH"
OF_FILE = ("filePath", "tailFile")
OF_ELASTICSEARCH = (
    "dataSourceCompatibility", "queryDelay", "frequency", "baseUrl", "indexes", "types", "query", "aggregations",
    "aggs", "script_fields", "retrieveWholeSource", "scrollSize", "username", "password", "encryptedPassword")
KNOWN = ("dataSource", *OF_FILE, *OF_ELASTICSEARCH)
COMPATIBILITIES = ("1.7.x", "2.x.x")
MATCH_ALL: dict[str, object] = {"match_all": {}}
URL = re.compile(r"https?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    """A source of data. What belongs to the other kind of source is None or empty.

    aggregations  as given, under *aggregations_key*, which is ``aggregations`` or ``aggs``
    password      never written anywhere
    """

    data_source: str
    file_path: str | None = None
    tail_file: bool = False
    compatibility: str | None = None
    query_delay_s: int | None = None
    frequency_s: int | None = None
    base_url: str | None = None
    indexes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    query: dict[str, object] | None = None
    aggregations: dict[str, object] | None = None
    aggregations_key: str | None = None
    script_fields: dict[str, object] | None = None
    retrieve_whole_source: bool = False
    scroll_size: int | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    encrypted_password: str | None = field(default=None, repr=False)


def scheduler_of(document: object) -> SchedulerConfig:
    """The scheduler that *document* describes, checked by itself. Raises PrelertError."""
    values = Values(document, "schedulerConfig", KNOWN, Codes(value=10303))
    named = values.text("dataSource", FILE).strip().upper()
    if named not in (FILE, ELASTICSEARCH):
        raise PrelertError(10301, f"unknown dataSource {named!r}: known are {FILE} and {ELASTICSEARCH}")
    foreign = OF_ELASTICSEARCH if named == FILE else OF_FILE
    for key in foreign:
        if values.has(key):
            raise PrelertError(10302, f"schedulerConfig.{key} does not belong to the source {named}")
    return _of_file(values) if named == FILE else _of_elasticsearch(values)


def _of_file(values: Values) -> SchedulerConfig:
    path = values.name("filePath")
    if path is None:
        raise values.refused("filePath", "the path of a file")
    return SchedulerConfig(FILE, file_path=path, tail_file=values.boolean("tailFile"))


def _of_elasticsearch(values: Values) -> SchedulerConfig:
    aggregation_keys = [key for key in ("aggregations", "aggs") if values.has(key)]
    if len(aggregation_keys) == 2:
        raise PrelertError(10302, "schedulerConfig has both aggregations and aggs: they mean the same")
    compatibility = values.one_of("dataSourceCompatibility", COMPATIBILITIES, COMPATIBILITIES[-1])
    query_delay_s, frequency_s = values.integer("queryDelay", 0), values.integer("frequency", 1)
    base_url, indexes, types = values.name("baseUrl"), values.texts("indexes"), values.texts("types")
    scroll_size = values.integer("scrollSize", 0)
    if base_url is None or not _is_url(base_url):
        raise values.refused("baseUrl", "the URL of a server")
    for key, names in (("indexes", indexes), ("types", types)):
        if not names or "" in names:
            raise values.refused(key, "an array of names, at least one")
    username, password, encrypted = values.name("username"), values.name("password"), values.name("encryptedPassword")
    if password is not None and encrypted is not None:
        raise PrelertError(10309, "schedulerConfig has both password and encryptedPassword")
    if (username is None) is not (password is None and encrypted is None):
        raise PrelertError(10308, "schedulerConfig has a username without a password, or a password without a username")
    aggregations_key = aggregation_keys[0] if aggregation_keys else None
    return SchedulerConfig(
        ELASTICSEARCH, compatibility=compatibility, query_delay_s=60 if query_delay_s is None else query_delay_s,
        frequency_s=frequency_s, base_url=base_url, indexes=indexes, types=types,
        query=values.object("query") or MATCH_ALL,
        aggregations=None if aggregations_key is None else values.object(aggregations_key),
        aggregations_key=aggregations_key, script_fields=values.object("script_fields"),
        retrieve_whole_source=values.boolean("retrieveWholeSource"),
        scroll_size=1000 if scroll_size is None else scroll_size,
        username=username, password=password, encrypted_password=encrypted)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return URL.fullmatch(parts.scheme) is not None and bool(parts.hostname)
    except ValueError:
        return False


def check_in_job(
    scheduler: SchedulerConfig, *, span_given: bool, latency_s: int, summarised: bool, data_format: str,
) -> None:
    """Raise PrelertError if *scheduler* does not go together with the rest of its job."""
    if not span_given:
        raise PrelertError(10304, "a scheduled job needs an explicit bucketSpan")
    if scheduler.data_source != ELASTICSEARCH:
        return
    if latency_s > 0:
        raise PrelertError(10305, "a job with an Elasticsearch scheduler cannot have latency")
    if scheduler.aggregations is not None and not summarised:
        raise PrelertError(10306, "a job with aggregations needs a summaryCountFieldName")
    if data_format != ELASTICSEARCH:
        raise PrelertError(10307, f"a job with an Elasticsearch scheduler needs the format {ELASTICSEARCH}")


def scheduler_document(scheduler: SchedulerConfig) -> dict[str, object]:
    """*scheduler* as a job document has it, without the password, with its defaults filled in."""
    if scheduler.data_source == FILE:
        return {"dataSource": FILE, "filePath": scheduler.file_path, "tailFile": scheduler.tail_file}
    document: dict[str, object] = {
        "dataSource": ELASTICSEARCH, "dataSourceCompatibility": scheduler.compatibility,
        "queryDelay": scheduler.query_delay_s, "frequency": scheduler.frequency_s, "baseUrl": scheduler.base_url,
        "indexes": list(scheduler.indexes), "types": list(scheduler.types), "query": scheduler.query,
        "script_fields": scheduler.script_fields, "retrieveWholeSource": scheduler.retrieve_whole_source,
        "scrollSize": scheduler.scroll_size, "username": scheduler.username,
        "encryptedPassword": scheduler.encrypted_password}
    if scheduler.aggregations_key is not None:
        document[scheduler.aggregations_key] = scheduler.aggregations
    return {key: value for key, value in document.items() if value is not None}
