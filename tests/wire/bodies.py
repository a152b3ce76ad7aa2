"""Bodies to try decoders on: regular ones, hostile ones and mixtures, and a way to compare what was decoded."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from offbeat.config import IngestConfig
from offbeat.records import Decoded
from offbeat.wire import Format, Options

NOW_MS = 1_700_000_000_000


def options(format: Format, **changes: Any) -> Options:
    """The options of a fresh daemon, with some changed."""
    return replace(Options.of(IngestConfig(), format), **changes)


def told(decoded: Decoded) -> dict[str, Any]:
    """All that *decoded* says, as plain values that compare exactly (-0.0 is not 0.0)."""
    t = decoded.table
    return {
        "sources": list(t.sources), "source": t.source.tolist(), "time_ms": t.time_ms.tolist(),
        "fields": list(t.fields),
        "points": list(zip(t.point_row.tolist(), t.point_field.tolist(), map(float.hex, t.point_value.tolist()),
        strict=True)),
        "text_fields": list(t.text_fields), "texts": list(t.texts),
        "text_points": list(zip(t.text_row.tolist(), t.text_field.tolist(), t.text_code.tolist(), strict=True)),
        "body_end": decoded.body_end.tolist(), "row_line": decoded.row_line.tolist(), "rejected": decoded.rejected,
        "rejected_count": decoded.rejected_count.tolist(), "rejected_codes": decoded.rejected_codes,
        "failed": decoded.failed,
        "dtypes": [str(column.dtype) for column in (t.source, t.time_ms, t.point_row, t.point_field, t.point_value,
        t.text_row,
                                                    t.text_field, t.text_code, decoded.body_end, decoded.row_line)],
    }


def events(decoded: Decoded) -> list[tuple[str, int, dict[str, float], dict[str, str]]]:
    """The events of *decoded* as (source, time in milliseconds, values, texts)."""
    t = decoded.table
    sources, fields, text_fields, texts = list(t.sources), list(t.fields), list(t.text_fields), list(t.texts)
    found: list[tuple[str, int, dict[str, float], dict[str, str]]] = [
        (sources[s], int(time_ms), {}, {}) for s, time_ms in zip(t.source.tolist(), t.time_ms.tolist(), strict=True)]
    for row, name, value in zip(t.point_row.tolist(), t.point_field.tolist(), t.point_value.tolist(), strict=True):
        found[row][2][fields[name]] = value
    for row, name, code in zip(t.text_row.tolist(), t.text_field.tolist(), t.text_code.tolist(), strict=True):
        found[row][3][text_fields[name]] = texts[code]
    return found


def joined(*choices: str) -> st.SearchStrategy[str]:
    return st.sampled_from(choices)


NUMBERS = st.one_of(
    st.integers(-10**20, 10**20).map(str), st.floats(allow_nan=False).map(repr),
    st.integers(1_690_000_000, 1_700_000_000).map(str),
    st.integers(1_690_000_000_000, 1_700_000_000_000).map(str), st.decimals(-10**6, 10**6, places=3).map(str),
    joined("0", "-0", "-0.0", "00", "01", "+1", ".5", "1.", "1e5", "1E-7", "1e400", "-1e-400", "0e999",
    "9007199254740993", "1e23", "NaN",
           "Infinity", "-inf", "nan", "1_0", "0x1", "--1", "-", "+", ".", "e1", "1e", "1e+", "9223372036854775807",
           "9223372036854775808", "1700000000.5", "-0.001", "-1.5", "253402300799.999", "253402300800",
           "-62135596800001", "1e11", "99999999999",
           "100000000000", "99999999999999", "100000000000000000", "5e-1", "123456789012345678901234567890"))
TIMES = joined(
    "2023-01-02", "2023-01-02T03:04", "2023-01-02 03:04:05", "2023-01-02T03:04:05.6789Z", "2024-02-29T00:00:00+01:00",
    "2023-02-29",
    "2023-01-02T03:04:05-0130", "2023-01-02T03:04:05+05", "2023-01-02T24:00", "2023-13-01", "0000-01-01",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59.9999Z", "9999-12-31T23:59-00:01", "1960-01-01T00:00:00.001", "2023-01-02T03:04:05.",
    "2023-01-02T03:04:", "2023-01-02T",
    "2023-01-02T03:04Z ", " 2023-01-02", "yesterday", "2023-01-02T03:04:05+24:00", "2023-01-02T03:04:05+01:60",
    "2023-01-02T03:04:60Z",
    "2023-01-02t03:04z", "2023-1-2", "2023-01-02T03:04:05+0", "2023-01-02T03:04:05+01:", "2023-01-02T03:04:05+01:3",
    "1900-02-29", "2000-02-29")
PLAIN = joined("", "a", "on", "true", "False", "TRUE", "é", "日本", "𝄞", "s0001", "x y", "x,y", "x=y", "nan", "-inf",
    "+Infinity", "infinit", "1", "-5", "1.5",
               "t", "F", "a\tb", "a" * 300, "#")
ESCAPES = joined(r"\n", r"\"", r"\\", r"\u00e9", r"\ud834\udd1e", r"\ud800", r"\x", "\x00", "\x01", '"', "\\", r"\,",
    r"\ ", r"\=", "\r")
TEXTS = st.one_of(PLAIN, TIMES, NUMBERS, st.lists(st.one_of(PLAIN, ESCAPES), max_size=3).map("".join))
KEYS = st.one_of(joined("time", "ts", "timestamp", "source", "sensor", "id", "host", "value", "temperature", "a", "b",
    "a.b", "zip", ""),
                 TEXTS)
BLANKS = joined("", "", "", " ", "\t", "\r", "  ")
BYTES = joined("", "", "", "", "", "\udcff", "\udcc3", "\udced\udca0\udc80", "\udcf4\udc90\udc80\udc80", "\udcc0\udc80",
    "\x00")


def encoded(text: str) -> bytes:
    """*text* in UTF-8, with single surrogates \\udc80 to \\udcff as the bytes that they stand for."""
    return text.encode("utf-8", "surrogateescape")


def json_strings() -> st.SearchStrategy[str]:
    return TEXTS.map(lambda text: f'"{text}"')


@st.composite
def json_objects(draw: st.DrawFn, values: st.SearchStrategy[str], keys: st.SearchStrategy[str]) -> str:
    members = draw(st.lists(st.tuples(keys, values), max_size=4))
    blank = draw(BLANKS)
    return "{" + blank + f",{blank}".join(f'"{key}"{blank}:{blank}{value}' for key, value in members) + "}"


JSON_VALUES = st.recursive(
    st.one_of(NUMBERS, json_strings(), joined("true", "false", "null", "tru", "nul", "True")),
    lambda inner: st.one_of(st.lists(inner, max_size=2).map(lambda v: f"[{','.join(v)}]"), json_objects(inner, KEYS)),
    max_leaves=4)


REGULAR_JSON = st.builds(
    '{{"ts":{},"sensor":"s{}","{}":{}}}'.format, st.integers(1_690_000_000_000, 1_700_000_000_000), st.integers(0, 9),
    joined("t", "p"), st.decimals(-100, 100, places=2))
JSON_LINES = st.one_of(
    REGULAR_JSON, json_objects(JSON_VALUES, KEYS), json_objects(JSON_VALUES, joined("ts", "source", "a", "b")),
    JSON_VALUES, TEXTS,
    st.tuples(json_objects(JSON_VALUES, KEYS), st.one_of(BYTES, joined("}", " {}", "x"))).map("".join))


@st.composite
def mangled(draw: st.DrawFn, lines: st.SearchStrategy[str], separators: st.SearchStrategy[str]) -> bytes:
    """Some lines, blank ones between, invalid bytes anywhere, perhaps a byte order mark, perhaps cut short."""
    parts = [draw(joined("", "", "", "\ufeff"))]
    for line in draw(st.lists(lines, max_size=6)):
        if draw(st.integers(0, 15)) == 0:
            at = draw(st.integers(0, len(line)))
            line = line[:at] + draw(BYTES) + line[at:]
        parts += [line, draw(separators)]
    body = encoded("".join(parts))
    return body[: draw(st.integers(0, len(body)))] if draw(st.integers(0, 7)) == 0 else body


NEWLINES = joined("\n", "\n", "\n", "\r\n", "\n\n", "\n \t\n")
NDJSON_BODIES = mangled(JSON_LINES, NEWLINES)
JSON_BODIES = st.one_of(
    NDJSON_BODIES,
    st.builds(lambda a, items, comma, z: encoded(a + comma.join(items) + z), joined("[", " [\n", "\ufeff["),
    st.lists(JSON_LINES, max_size=5),
              joined(",", ",\n", " ,"), joined("]", "]\n", "", "]]", ",]", "}")),
    st.builds(lambda item, z: encoded(item + z), JSON_LINES, joined("", "\n", " x", "}")))
CELLS = st.one_of(NUMBERS, TEXTS, TEXTS.map(lambda text: '"' + text.replace('"', '""') + '"'),
    joined('"', 'a"b', '"a"b', '"a\nb"', " 1 ", '" 1 "'))
CSV_ROWS = st.lists(CELLS, min_size=2, max_size=5).map(",".join)
REGULAR_ROWS = st.builds("{},s{},{}".format, st.integers(1_690_000_000_000, 1_700_000_000_000), st.integers(0, 9),
    st.decimals(-100, 100, places=2))
CSV_BODIES = st.builds(
    lambda header, rows: encoded(header) + rows,
    joined("ts,sensor,t\n", "time,a,b\r\n", '\n "source" ,zip,"a\nb"\n', "a,b,c\n", "\ufeffid,ts,x,y\n", "a,a\n",
    "a,\n", "ts,host,source\n", "x\n", ""),
    mangled(st.one_of(REGULAR_ROWS, CSV_ROWS), NEWLINES))
LINE_VALUES = st.one_of(NUMBERS, NUMBERS.map("{}i".format), NUMBERS.map("{}u".format), json_strings(),
                        joined("t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE", "tRUE", "TRuE",
                        "FAlSE", "", "x"))
LINE_NAMES = st.one_of(joined("a", "b", "host", "id", "value", "zip", "é", r"x\ y", r"x\,y", r"x\=y", r"x\\", "x\\"),
    TEXTS)
PAIRS = st.tuples(LINE_NAMES, LINE_NAMES).map("=".join)
REGULAR_LINES = st.builds("cpu,dc={},host=h{} value={} {}".format, joined("eu", "us"), st.integers(0, 3),
    st.decimals(-100, 100, places=1),
                          st.integers(1_690_000_000_000_000_000, 1_700_000_000_000_000_000))
SIMPLE_LINES = st.builds(
    lambda tags, fields, end: "m" + "".join(f",{tag}" for tag in tags) + " " + ",".join(fields) + end,
    st.lists(st.tuples(joined("a", "b", "host", "dc", "id"), joined("1", "x", "é")).map("=".join), max_size=4),
    st.lists(st.tuples(joined("a", "b", "value", "zip"), LINE_VALUES).map("=".join), min_size=1, max_size=4),
    joined("", " ", " 1690000000000000000", "  -5", " 1.5", " x", " 1 2", "\t", "\t1", " 01"))
LINES = st.one_of(
    REGULAR_LINES, SIMPLE_LINES,
    st.builds(lambda m, tags, blank, fields, end: f"{m}{''.join(',' + t for t in tags)}{blank} {','.join(fields)}{end}",
              LINE_NAMES, st.lists(PAIRS, max_size=3), BLANKS,
              st.lists(st.tuples(LINE_NAMES, LINE_VALUES).map("=".join), max_size=3),
              st.one_of(joined("", " "), NUMBERS.map(" {}".format))),
    joined("# comment", " # comment", "m", "m ", "m a", ",a=b c=1"))
INFLUX_BODIES = mangled(LINES, NEWLINES)
BODIES: dict[Format, st.SearchStrategy[bytes]] = {
    "ndjson": NDJSON_BODIES, "json": JSON_BODIES, "csv": CSV_BODIES, "influx": INFLUX_BODIES}


@st.composite
def cases(draw: st.DrawFn, format: Format) -> tuple[list[bytes], Options]:
    """Some bodies and options to read them with, often with narrow bounds."""
    changes: dict[str, Any] = draw(st.fixed_dictionaries({}, optional={
        "line_bytes_max": st.integers(1, 120), "depth_max": st.integers(1, 3), "event_fields_max": st.integers(1, 3),
        "name_bytes_max": st.integers(1, 8), "time_required": st.just(True), "source_required": st.just(True),
        "precision": st.sampled_from(["s", "ms", "us", "ns", "m", "h", None]),
        "text_fields": st.sampled_from([("zip",), ("a", "ts", "id")]),
        "rejects_kept": st.integers(0, 3), "source_default": st.sampled_from(["", "é", "x" * 9]),
        "time_fields": st.sampled_from([("ts", "id"), ("a.b", "time")]),
        "source_fields": st.sampled_from([("id", "ts"), ("a", "host")])}))
    if format == "csv":
        changes["delimiter"] = draw(st.sampled_from([",", ",", ",", ";", "\t", " "]))
    return draw(st.lists(BODIES[format], max_size=3)), options(format, **changes)
