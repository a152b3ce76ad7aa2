"""How a line becomes an event: the rules of docs/api.md, each format its own way."""
from __future__ import annotations

from typing import Any

import pytest

from offbeat.errors import BadRequest
from offbeat.records import Decoded
from offbeat.wire import Format, decode, decode_carefully
from tests.wire.bodies import NOW_MS, events, options, told


def read(format: Format, body: str | bytes, first_line: int | None = None, **changes: Any) -> Decoded:
    """*body* decoded, having checked that both ways say the same."""
    data = body.encode() if isinstance(body, str) else body
    lines = None if first_line is None else [first_line]
    decoded = decode([data], options(format, **changes), [NOW_MS], lines)
    assert told(decoded) == told(decode_carefully([data], options(format, **changes), [NOW_MS], lines))
    return decoded


def event(format: Format, body: str, **changes: Any) -> tuple[str, int, dict[str, float], dict[str, str]]:
    (one,) = events(read(format, body, **changes))
    return one


def refusal(format: Format, body: str | bytes, **changes: Any) -> str:
    decoded = read(format, body, **changes)
    assert decoded.body_end.tolist() == [0] and decoded.rejected_count.tolist() == [1]
    assert decoded.rejected_codes == {decoded.rejected[0].code: 1}
    return decoded.rejected[0].code


def test_the_first_time_and_source_field_that_an_event_has_are_its_own_and_the_others_are_values() -> None:
    assert event("ndjson", '{"id":7,"host":"h","sensor":"s","ts":1700000000000,"time":1690000000}') == (
        "s", 1_690_000_000_000, {"id": 7.0, "ts": 1_700_000_000_000.0}, {"host": "h"})


def test_an_event_without_time_and_source_has_that_of_arrival_and_the_default() -> None:
    assert event("ndjson", '{"a":1,"time":null,"source":""}') == ("default", NOW_MS, {"a": 1.0}, {})


def test_the_request_may_demand_time_and_source() -> None:
    assert refusal("ndjson", '{"a":1}', time_required=True) == "no_time"
    assert refusal("ndjson", '{"a":1}', source_required=True) == "no_source"
    assert refusal("influx", "m a=1", time_required=True) == "no_time"
    assert refusal("influx", "m,b=c a=1", source_required=True) == "no_source"


def test_booleans_are_values_text_stays_text_and_null_is_absent() -> None:
    assert event("ndjson", '{"a":true,"b":false,"c":"x","d":null,"e":-0.0}')[2:] == ({"a": 1.0, "b": 0.0, "e": -0.0},
        {"c": "x"})
    assert event("csv", "a,b,c,d,e\nTrue,false,x,,+.5\n")[2:] == ({"a": 1.0, "b": 0.0, "e": 0.5}, {"c": "x"})
    assert event("influx", 'm a=t,b=False,c="x",d=1i,e=2u,f=-1.5e1')[2:] == (
        {"a": 1.0, "b": 0.0, "d": 1.0, "e": 2.0, "f": -15.0}, {"c": "x"})


def test_an_event_without_values_is_an_event() -> None:
    assert event("ndjson", '{"source":"a"}') == ("a", NOW_MS, {}, {})
    assert event("ndjson", "{}") == ("default", NOW_MS, {}, {})


def test_nested_objects_flatten_and_may_hold_the_time_and_the_source() -> None:
    assert event("ndjson", '{"a":{"b":{"c":1},"d":2},"meta":{"ts":5,"id":"x"},"":{"e":3}}',
                 time_fields=("meta.ts",), source_fields=("meta.id",)) == ("x", 5000,
                 {"a.b.c": 1.0, "a.d": 2.0, ".e": 3.0}, {})


def test_fields_declared_as_text_are_text_as_written() -> None:
    assert event("ndjson", '{"zip":1.50,"ok":true}', text_fields=("zip", "ok"))[2:] == ({},
        {"zip": "1.50", "ok": "true"})
    assert event("csv", "zip,a\n01234,1\n", text_fields=("zip",))[2:] == ({"a": 1.0}, {"zip": "01234"})
    assert event("influx", "m zip=5i,a=1", text_fields=("zip",))[2:] == ({"a": 1.0}, {"zip": "5"})


@pytest.mark.parametrize("text", ["0.1", "1e22", "9007199254740993", "123456789012345678901234567890",
    "2.2250738585072011e-308",
                                  "0.30000000000000004", "1e-400", "5e-324", "1.7976931348623157e308",
                                  "7.2057594037927945e16"])
def test_a_number_is_rounded_as_python_rounds_it(text: str) -> None:
    assert event("ndjson", f'{{"a":{text}}}')[2] == {"a": float(text)}
    assert event("csv", f"a\n{text}\n")[2] == {"a": float(text)}
    assert event("influx", f"m a={text}")[2] == {"a": float(text)}


@pytest.mark.parametrize(("text", "ms"), [
    ("1700000000", 1_700_000_000_000), ("1700000000.1239", 1_700_000_000_123), ("99999999999", None),
    ("100000000000", 100_000_000_000),
    ("1700000000123", 1_700_000_000_123), ("1700000000123456", 1_700_000_000_123),
    ("1700000000123456789", 1_700_000_000_123),
    ("-1", -1000), ("-0.0005", -1), ("-1e-9", -1), ("1.5e3", 1_500_000), ("0", 0),
    ("-62135596800", -62_135_596_800_000), ("-62135596801", None),
    ("1e30", None)])
def test_an_epoch_number_counts_by_its_magnitude_rounded_down(text: str, ms: int | None) -> None:
    for body in (f'{{"time":{text}}}', f'{{"time":"{text}"}}'):
        if ms is None:
            assert refusal("ndjson", body) in ("bad_time", "future")
        else:
            assert event("ndjson", body)[1] == ms


@pytest.mark.parametrize(("precision", "ms"), [("s", 1_700_000_000), ("ms", 1_700_000), ("us", 1700), ("ns", 1)])
def test_a_named_precision_decides_what_an_epoch_number_counts(precision: str, ms: int) -> None:
    assert event("ndjson", '{"time":1700000}', precision=precision)[1] == ms
    assert event("influx", "m a=1 1700000", precision=precision)[1] == ms


@pytest.mark.parametrize(("text", "ms"), [
    ("2023-11-14T22:13:20Z", 1_700_000_000_000), ("2023-11-14 22:13:20.1239", 1_700_000_000_123),
    ("2023-11-14", 1_699_920_000_000),
    ("2023-11-14T22:13", 1_699_999_980_000), ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
    ("2023-11-14T17:43:20-0430", 1_700_000_000_000),
    ("2023-11-14T23:13:20+01", 1_700_000_000_000), ("0001-01-01", -62_135_596_800_000),
    ("1969-12-31T23:59:59.999Z", -1)])
def test_iso_8601_is_read_without_a_zone_as_utc(text: str, ms: int) -> None:
    assert event("ndjson", f'{{"time":"{text}"}}')[1] == ms
    assert event("csv", f"time,a\n{text},1\n")[1] == ms


@pytest.mark.parametrize("text", ["yesterday", "2023-02-29", "2023-11-14T24:00", "2023-11-14T22",
    "0001-01-01T00:00+00:01", "", "NaN", "2023-11-14T22:13:60"])
def test_what_is_no_time_is_refused(text: str) -> None:
    assert refusal("ndjson", f'{{"time":"{text}"}}') == "bad_time"


def test_a_time_beyond_the_bound_is_in_the_future() -> None:
    assert event("ndjson", f'{{"ts":{NOW_MS + 3_600_000}}}')[1] == NOW_MS + 3_600_000
    assert refusal("ndjson", f'{{"ts":{NOW_MS + 3_600_001}}}') == "future"
    assert refusal("influx", f"m a=1 {NOW_MS + 3_600_001}000000") == "future"


@pytest.mark.parametrize(("line", "code"), [
    (b'{"a":"\xff"}', "not_utf8"), (b'{"a":"\xed\xa0\x80"}', "not_utf8"), (b'{"a":', "bad_json"), (b"5", "bad_json"),
    (b"[1]", "bad_json"),
    (b'{"a":01}', "bad_json"), (b'{"a":+1}', "bad_json"), (b'{"a":.5}', "bad_json"), (b'{"a":1.}', "bad_json"),
    (b'{"a":1}{', "bad_json"),
    (b'{"a":"\t"}', "bad_json"), (b'{"a":"\x00"}', "bad_json"), (b'{"a":"\\ud800"}', "bad_json"),
    (b'{"":1}', "bad_json"), (b"\x00", "bad_json"),
    (b'{"a":1,"a":2}', "duplicate_key"), (b'{"a":{"b":1},"a.b":2}', "duplicate_key"),
    (b'{"a":{"b":1},"a":{"c":2}}', "duplicate_key"),
    (b'{"a":[1]}', "unsupported_type"), (b'{"source":1.5}', "unsupported_type"),
    (b'{"source":true}', "unsupported_type"),
    (b'{"a":NaN}', "not_finite"), (b'{"a":-Infinity}', "not_finite"), (b'{"a":1e400}', "not_finite"),
    (b'{"time":true}', "bad_time"),
    (b'{"a":{"b":{"c":1}}}', "too_deep"), (b'{"a":1,"b":2,"c":3,"d":4}', "too_many_fields"),
    (b'{"abcdefghi":1}', "name_too_long"),
    (b'{"source":"abcdefghi"}', "name_too_long"), (b'{"a":"' + b"x" * 100 + b'"}', "too_long")])
def test_a_line_of_json_that_is_not_taken_says_why(line: bytes, code: str) -> None:
    assert refusal("ndjson", line, depth_max=2, event_fields_max=3, name_bytes_max=8, line_bytes_max=100) == code


@pytest.mark.parametrize(("row", "code"), [
    (b"1", "bad_csv"), (b"1,2,3", "bad_csv"), (b'1,2"', "bad_csv"), (b'1,"2"x', "bad_csv"), (b'1,"2', "bad_csv"),
    (b"1,\x00", "bad_csv"),
    (b"1,\xff", "not_utf8"), (b"1,nan", "not_finite"), (b"1,-INF", "not_finite"), (b"1,Infinity", "not_finite"),
    (b"1,1e400", "not_finite"),
    (b"x,2", "bad_time"), (b"1," + b"x" * 100, "too_long")])
def test_a_row_of_csv_that_is_not_taken_says_why(row: bytes, code: str) -> None:
    assert refusal("csv", b"time,a\n" + row, line_bytes_max=100) == code


@pytest.mark.parametrize(("line", "code"), [
    (b"m", "bad_line"), (b"m ", "bad_line"), (b"m a", "bad_line"), (b"m a=", "bad_line"), (b"m a=x", "bad_line"),
    (b'm a="x', "bad_line"),
    (b'm a="x"y', "bad_line"), (b"m,b a=1", "bad_line"), (b"m,b= a=1", "bad_line"), (b"m,=c a=1", "bad_line"),
    (b",b=c a=1", "bad_line"),
    (b"m a=1.5i", "bad_line"), (b"m a=-1u", "bad_line"), (b"m a=0x1", "bad_line"), (b"m a=1,", "bad_line"),
    (b"m a=\x00", "bad_line"),
    (b"m a=1 x", "bad_time"), (b"m a=1 1.5", "bad_time"), (b"m a=1 1 2", "bad_time"), (b"m a=nan", "not_finite"),
    (b"m a=1e400", "not_finite"),
    (b"m a=1,a=2", "duplicate_key"), (b"m,b=1,b=2 a=1", "duplicate_key"), (b"m,b=\xff a=1", "not_utf8")])
def test_a_line_of_line_protocol_that_is_not_taken_says_why(line: bytes, code: str) -> None:
    assert refusal("influx", line) == code


def test_line_protocol_names_source_and_series_by_measurement_and_tags() -> None:
    assert event("influx", "cpu,rack=2,host=h1,dc=eu idle=9 1700000000123456789") == (
        "h1", 1_700_000_000_123, {"cpu.idle,dc=eu,rack=2": 9.0}, {})
    assert event("influx", "weather,station2=x,location=eu t=1") == ("weather,location=eu,station2=x", NOW_MS,
        {"t": 1.0}, {})


def test_line_protocol_escapes_and_comments() -> None:
    assert event("influx", '# nothing\n my\\ m\\,x,host=a\\=b\\\\ f\\ 1="say \\"hi\\" \\\\ \\n" \n') == (
        "a=b\\", NOW_MS, {}, {"my m,x.f 1": 'say "hi" \\ \\n'})


def test_csv_cells_in_quotes_may_hold_anything_and_are_typed_like_others() -> None:
    decoded = read("csv", '\ufeffsource; n ;"t x"\r\n"a;b";"1.5";"say ""hi""\r\nbye"\r\n\r\nc;;x\r\n', delimiter=";")
    assert events(decoded) == [("a;b", NOW_MS, {"n": 1.5}, {"t x": 'say "hi"\r\nbye'}), ("c", NOW_MS, {}, {"t x": "x"})]
    assert decoded.row_line.tolist() == [2, 5]


@pytest.mark.parametrize("header", ["a,a", "a,", '"a', "time,,b", 'a"b'])
def test_a_body_of_csv_without_a_good_header_fails_as_a_whole(header: str) -> None:
    decoded = read("csv", f"{header}\n1,2\n")
    assert list(decoded.failed) == [0] and decoded.body_end.tolist() == [0]


def test_the_delimiter_is_one_character_that_begins_nothing_else() -> None:
    assert event("csv", "a\tb\n1\t2\n", delimiter="\t")[2] == {"a": 1.0, "b": 2.0}
    for delimiter in ("", "ab", '"', "\n", "1", "é"):
        with pytest.raises(BadRequest):
            decode([b"a\n1\n"], options("csv", delimiter=delimiter), [NOW_MS])


def test_the_elements_of_an_array_are_numbered_like_lines() -> None:
    decoded = read("json", '[\n  {"a": 1,\n   "b": "x]"},\n  5,\n {"a": 2}\n]\n')
    assert [e[2] for e in events(decoded)] == [{"a": 1.0}, {"a": 2.0}]
    assert (decoded.row_line.tolist(), [(r.line, r.code) for r in decoded.rejected]) == ([1, 3], [(2, "bad_json")])


@pytest.mark.parametrize("body", ["5", '"x"', '[{"a":1}', '[{"a":1}}', '{"a":1}\n{"a":2}', "[1,,2]", "[1,]", "[1]]",
    "]"])
def test_a_body_of_json_that_is_broken_fails_as_a_whole(body: str) -> None:
    assert list(read("json", body).failed) == [0]


@pytest.mark.parametrize("format", ["ndjson", "json", "csv", "influx"])
@pytest.mark.parametrize("body", ["", "\n", " \r\n\t\n", "\ufeff"])
def test_a_body_with_nothing_in_it_has_no_events_and_no_faults(format: Format, body: str) -> None:
    decoded = read(format, body)
    assert (events(decoded), decoded.rejected, decoded.failed) == ([], (), {})


def test_blank_lines_count_but_are_not_rejected() -> None:
    decoded = read("ndjson", '\n{"a":1}\n \t\r\nx\n', first_line=10)
    assert (decoded.row_line.tolist(), [r.line for r in decoded.rejected]) == ([11], [13])


def test_rejected_lines_are_listed_up_to_the_bound_and_counted_beyond() -> None:
    decoded = decode([b"x\n" * 5, b"y\n" * 2], options("ndjson", rejects_kept=3), [NOW_MS, NOW_MS])
    assert [(r.body, r.line, r.start) for r in decoded.rejected] == [(0, 1, "x"), (0, 2, "x"), (0, 3, "x"), (1, 1, "y"),
        (1, 2, "y")]
    assert (decoded.rejected_count.tolist(), decoded.rejected_codes) == ([5, 2], {"bad_json": 7})
