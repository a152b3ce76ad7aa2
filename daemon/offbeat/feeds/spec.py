"""What a feed reads, as data: from the document of a client, to the one that is kept, to the one that is shown."""
from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from offbeat.errors import BadRequest
from offbeat.wire.records.description import DataDescription, UploadFormat
from offbeat.wire.records.errors import BadPattern, TransformError
from offbeat.wire.records.times import parser
from offbeat.wire.records.transforms import Condition, Transform, check_all

Order = Literal["name", "mtime"]
Document = dict[str, Any]
FORMATS: Mapping[str, UploadFormat] = {
    "delimited": "DELIMITED", "json": "JSON", "lines": "SINGLE_LINE", "search": "ELASTICSEARCH"}
MATCH_ALL: Mapping[str, Any] = {"match_all": {}}
QUERY_DELAY_S = 60
ROWS_A_QUERY, HITS_A_PAGE = 5_000, 1_000
ROWS_MAX, HITS_MAX = 100_000, 10_000
FILE_FREQUENCY_S = 1.0
SECONDS_MAX = 10**9


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file, or with a *pattern* (``*.csv``) the files of a directory whose names are like it.

    order  in which the files of a directory are read
    tail   what is appended later is read as well; else the feed ends with what there is
    """

    path: str
    pattern: str = ""
    order: Order = "name"
    tail: bool = True


@dataclass(frozen=True, slots=True)
class QuerySource:
    """What a query of a database gives, row by row, as its *cursor* column grows. address: a file, or a URL."""

    engine: Literal["sqlite", "postgres"]
    address: str
    query: str
    cursor: str
    rows: int = ROWS_A_QUERY
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SearchSource:
    """What a server that speaks the search protocol of Elasticsearch holds in *indexes*.

    aggregations  instead of single documents; a time histogram named like the time field is among them
    aligned_s     with aggregations: each search is of whole multiples of it
    """

    base_url: str
    indexes: tuple[str, ...]
    types: tuple[str, ...] = ()
    query: Mapping[str, Any] = field(default_factory=lambda: MATCH_ALL)
    aggregations: Mapping[str, Any] | None = None
    script_fields: Mapping[str, Any] | None = None
    whole_source: bool = False
    page: int = HITS_A_PAGE
    compatibility: Literal["1.7.x", "2.x.x"] = "2.x.x"
    username: str = ""
    password: str = field(default="", repr=False)


Source = FileSource | QuerySource | SearchSource


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """Where records come from and how they are read.

    query_delay_s  a query stays so far behind the clock, for rows and documents may arrive late; of search alone
    frequency_s    how often to look for more; None: what suits the bucket span
    """

    source: Source
    data: DataDescription
    transforms: tuple[Transform, ...] = ()
    query_delay_s: int = QUERY_DELAY_S
    frequency_s: float | None = None

    def looks_every_s(self, bucket_span_s: int) -> float:
        """How often to look for more."""
        if self.frequency_s is not None:
            return self.frequency_s
        if isinstance(self.source, FileSource):
            return FILE_FREQUENCY_S
        return float(min(bucket_span_s, 60) if bucket_span_s <= 120 else min(bucket_span_s // 2, 600))


# ── from documents ────────────────────────────────────────────────────────────────────────────────────────────


class _Asked:
    """The properties of one object; each method says no to a value that is not right. What is left over is unknown."""

    def __init__(self, document: object, name: str, known: Collection[str]) -> None:
        if not isinstance(document, dict):
            raise BadRequest(f"{name} is not an object; nothing was changed", where={"field": name})
        for key in document:
            if key not in known:
                raise BadRequest(f"{name} has no property {key!r}: known are {', '.join(known)}; nothing was changed",
                                 where={"field": key})
        self._document, self._name = document, name

    def _wrong(self, key: str, expected: str) -> BadRequest:
        return BadRequest(f"{self._name}.{key}: expected {expected}; nothing was changed", where={"field": key})

    def has(self, key: str) -> bool:
        return self._document.get(key) is not None

    def text(self, key: str, default: str | None = None) -> str:
        value = self._document.get(key)
        value = default if value is None else value
        if not isinstance(value, str) or (default is None and not value):
            raise self._wrong(key, "a text")
        return value

    def one_of(self, key: str, choices: Collection[str], default: str) -> str:
        value = self.text(key, default)
        if value not in choices:
            raise self._wrong(key, " or ".join(choices))
        return value

    def texts(self, key: str, *, empty: bool = False) -> tuple[str, ...]:
        value = self._document.get(key) or []
        if not isinstance(value, list) or not all(isinstance(one, str) and (one or empty) for one in value):
            raise self._wrong(key, "a list of texts")
        return tuple(value)

    def items(self, key: str) -> list[object]:
        value = self._document.get(key) or []
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self._document.get(key)
        value = default if value is None else value
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def number(self, key: str, default: float | None, low: float, high: float) -> float | None:
        value = self._document.get(key)
        if value is None:
            return default
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(key, f"a number from {low:g} to {high:g}")
        return value

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        value = self.number(key, default, low, high)
        if value is None or value != int(value):
            raise self._wrong(key, "a whole number")
        return int(value)

    def mapping(self, key: str) -> Mapping[str, Any] | None:
        value = self._document.get(key)
        if value is not None and not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return value

    def character(self, key: str, default: str) -> str:
        value = self.text(key, default)
        if len(value) != 1 or value in "\r\n\0":
            raise self._wrong(key, "one character, no line break")
        return value


def spec_of(document: object) -> FeedSpec:
    """The feed that *document* describes. Raises BadRequest."""
    asked = _Asked(document, "the feed", ("source", "data", "transforms", "query_delay_s", "frequency_s"))
    given = asked.mapping("source")
    if given is None:
        raise BadRequest("the feed has no source; nothing was changed", where={"field": "source"})
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in SOURCES:
        raise BadRequest(f"source.kind is {kind!r}: expected {', '.join(SOURCES)}; nothing was changed",
                         where={"field": "kind"})
    source: Source = SOURCES[kind]({name: value for name, value in given.items() if name != "kind"}, kind)
    transforms = tuple(_transform(one) for one in asked.items("transforms"))
    try:
        check_all(transforms, None)
    except TransformError as e:
        raise BadRequest(f"transforms: {e.message}; nothing was changed", where={"field": "transforms"}) from None
    return FeedSpec(
        source, _description(asked.mapping("data") or {}, source), transforms,
        asked.whole("query_delay_s", QUERY_DELAY_S, 0, SECONDS_MAX),
        asked.number("frequency_s", None, 0.1, SECONDS_MAX))


def _file(given: Document, kind: str) -> FileSource:
    asked = _Asked(given, "source", ("path", "pattern", "order", "tail"))
    pattern = asked.text("pattern", "")
    if "/" in pattern:
        raise BadRequest("source.pattern is of names in one directory; nothing was changed", where={"field": "pattern"})
    return FileSource(asked.text("path"), pattern, cast(Order, asked.one_of("order", ("name", "mtime"), "name")),
                      asked.flag("tail", True))


def _query(given: Document, kind: str) -> QuerySource:
    name = "path" if kind == "sqlite" else "url"
    known = (name, "query", "cursor", "rows") + (() if kind == "sqlite" else ("password",))
    asked = _Asked(given, "source", known)
    address, password = asked.text(name), "" if kind == "sqlite" else asked.text("password", "")
    if kind == "postgres":
        address, inside = _without_password(address)
        password = password or inside
    return QuerySource(cast(Literal["sqlite", "postgres"], kind), address, asked.text("query").strip().rstrip(";"),
                       asked.text("cursor"), asked.whole("rows", ROWS_A_QUERY, 1, ROWS_MAX), password)


def _without_password(url: str) -> tuple[str, str]:
    """A URL without the password that it has, and that."""
    try:
        parts = urlsplit(url)
        password = unquote(parts.password or "")
    except ValueError:
        raise BadRequest("source.url is no URL; nothing was changed", where={"field": "url"}) from None
    if parts.scheme not in ("postgres", "postgresql"):
        raise BadRequest("source.url: expected postgresql://user@host/database; nothing was changed",
                         where={"field": "url"})
    if not password:
        return url, ""
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}@{host}")), password


def _search(given: Document, kind: str) -> SearchSource:
    asked = _Asked(given, "source", (
        "base_url", "indexes", "types", "query", "aggregations", "script_fields", "whole_source", "page",
        "compatibility", "username", "password"))
    base_url, indexes = asked.text("base_url"), asked.texts("indexes")
    try:
        parts = urlsplit(base_url)
        good = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good or not indexes:
        raise BadRequest("source: expected base_url, the URL of a server, and at least one of indexes; nothing was "
                         "changed", where={"field": "base_url" if not good else "indexes"})
    compatibility = asked.one_of("compatibility", ("1.7.x", "2.x.x"), "2.x.x")
    username, password = asked.text("username", ""), asked.text("password", "")
    if parts.username is not None:  # who asks stands beside the address: it is shown without
        username, password = username or unquote(parts.username), password or unquote(parts.password or "")
        base_url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return SearchSource(
        base_url.rstrip("/"), indexes, asked.texts("types"), asked.mapping("query") or MATCH_ALL,
        asked.mapping("aggregations"), asked.mapping("script_fields"), asked.flag("whole_source", False),
        asked.whole("page", HITS_A_PAGE, 1, HITS_MAX), cast(Literal["1.7.x", "2.x.x"], compatibility),
        username, password)


SOURCES: Mapping[str, Callable[[Document, str], Source]] = {
    "file": _file, "sqlite": _query, "postgres": _query, "search": _search}
"""How each kind of source is read from its document."""


def _description(given: Mapping[str, Any], source: Source) -> DataDescription:
    asked = _Asked(dict(given), "data", ("format", "time_field", "time_format", "delimiter", "quote"))
    form: UploadFormat = "JSON" if isinstance(source, QuerySource) else "ELASTICSEARCH"
    if isinstance(source, FileSource):
        form = FORMATS[asked.one_of("format", tuple(FORMATS), "delimited")]
    time_format = asked.text("time_format", "epoch")
    try:
        parser(time_format)
    except BadPattern as e:
        raise BadRequest(f"data.time_format: {e}; nothing was changed", where={"field": "time_format"}) from None
    return DataDescription(form, asked.text("time_field", "time"), time_format, asked.character("delimiter", ","),
                           asked.character("quote", '"'))


def _transform(given: object) -> Transform:
    asked = _Asked(given, "a transform", ("name", "inputs", "arguments", "outputs", "condition"))
    condition = None
    if (of := asked.mapping("condition")) is not None:
        parts = _Asked(dict(of), "condition", ("operator", "value"))
        condition = Condition(parts.text("operator"), parts.text("value", ""))
    return Transform(asked.text("name"), asked.texts("inputs"), asked.texts("arguments", empty=True),
                     asked.texts("outputs"), condition)


# ── to documents ──────────────────────────────────────────────────────────────────────────────────────────────


def shown(spec: FeedSpec) -> Document:
    """*spec* as clients read it back: without passwords."""
    document: Document = {"source": _source(spec.source), "data": {
        "format": next(name for name, form in FORMATS.items() if form == spec.data.format),
        "time_field": spec.data.time_field, "time_format": spec.data.time_format,
        "delimiter": spec.data.field_delimiter, "quote": spec.data.quote_character}}
    if not isinstance(spec.source, FileSource):
        del document["data"]["format"]
    if spec.transforms:
        document["transforms"] = [_of_transform(one) for one in spec.transforms]
    document["query_delay_s"] = spec.query_delay_s
    if spec.frequency_s is not None:
        document["frequency_s"] = spec.frequency_s
    return document


def kept(spec: FeedSpec) -> Document:
    """*spec* as the store keeps it, passwords too; ``spec_of`` reads it."""
    document = shown(spec)
    if not isinstance(spec.source, FileSource) and spec.source.password:
        document["source"]["password"] = spec.source.password
    return document


def with_password(spec: FeedSpec, before: FeedSpec | None) -> FeedSpec:
    """*spec*, with the password of the one before it if it names the same server and user and has none of its own."""
    new, old = spec.source, None if before is None else before.source
    if isinstance(new, QuerySource) and isinstance(old, QuerySource) and not new.password:
        if new.address == old.address:
            return replace(spec, source=replace(new, password=old.password))
    elif isinstance(new, SearchSource) and isinstance(old, SearchSource) and not new.password and (
            (new.base_url, new.username) == (old.base_url, old.username)):
        return replace(spec, source=replace(new, password=old.password))
    return spec


def _source(source: Source) -> Document:
    if isinstance(source, FileSource):
        document: Document = {"kind": "file", "path": source.path, "pattern": source.pattern, "order": source.order,
                              "tail": source.tail}
    elif isinstance(source, QuerySource):
        document = {"kind": source.engine, "path" if source.engine == "sqlite" else "url": source.address,
                    "query": source.query, "cursor": source.cursor, "rows": source.rows}
    else:
        document = {
            "kind": "search", "base_url": source.base_url, "indexes": list(source.indexes),
            "types": list(source.types), "query": source.query, "aggregations": source.aggregations,
            "script_fields": source.script_fields, "whole_source": source.whole_source, "page": source.page,
            "compatibility": source.compatibility, "username": source.username}
    return {name: value for name, value in document.items() if value not in (None, "", [])}


def _of_transform(one: Transform) -> Document:
    document: Document = {"name": one.name, "inputs": list(one.inputs), "arguments": list(one.arguments),
                          "outputs": list(one.outputs)}
    if one.condition is not None:
        document["condition"] = {"operator": one.condition.operator, "value": one.condition.value}
    return document
