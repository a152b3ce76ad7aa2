"""Bodies made to hurt: they are refused or taken in linear time and memory, never with a crash."""
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from offbeat.wire import Format, decode, warm_up
from tests.wire.bodies import NOW_MS, events, options, told


@pytest.mark.parametrize("format", ["ndjson", "json", "csv", "influx"])
@pytest.mark.parametrize("filling", [b"x", b'"', b"{", b"[", b"\\", b",", b"1", b" ", b"\xff", b'{"a":', b"a=1,"])
def test_a_line_of_megabytes_is_too_long_whatever_it_holds(format: Format, filling: bytes) -> None:
    line = filling * (20_000_000 // len(filling))
    body = {"ndjson": b'{"a":1}\n' + line, "json": b'[{"a":1},' + line, "csv": b"a\n1\n" + line,
        "influx": b"m a=1\n" + line}[format]
    decoded = decode([body], options(format), [NOW_MS])
    if format == "json":
        assert list(decoded.failed) == [0] or [(r.line, r.code) for r in decoded.rejected] == [(2, "too_long")]
    else:
        assert [r.code for r in decoded.rejected] == ["too_long"]
        assert len(decoded.rejected[0].start) <= 200


def test_nesting_a_hundred_thousand_deep_is_too_deep() -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    decoded = decode([deep + b'\n{"a":' + b"[" * 100_000 + b"\n" + b"[" * 100_000], options("ndjson"), [NOW_MS])
    assert decoded.rejected_codes == {"too_deep": 3}
    assert decode([b"[" + deep + b"]"], options("json"), [NOW_MS]).rejected_codes == {"too_deep": 1}


def test_a_million_distinct_names_take_linear_room() -> None:
    lines = [b'{"' + b'":1,"'.join(b"f%d" % (1000 * i + j) for j in range(1000)) + b'":1}' for i in range(1000)]
    decoded = decode([b"\n".join(lines)], options("ndjson"), [NOW_MS])
    assert len(decoded.table.fields) == len(decoded.table.point_value) == 1_000_000
    assert decoded.table.fields[999_999] == "f999999"


def test_a_million_distinct_sources_and_texts_are_kept_apart() -> None:
    body = b"\n".join(b'm,host=%d a=1,b="%d"' % (i, i) for i in range(300_000))
    decoded = decode([body], options("influx"), [NOW_MS])
    assert len(decoded.table.sources) == len(decoded.table.texts) == 300_000
    assert (decoded.table.fields[0], len(decoded.table.fields)) == ("m.a", 1)


def test_one_odd_line_among_many_changes_nothing_for_the_others() -> None:
    lines = [b'{"source":"s%d","a":%d}' % (i % 50, i) for i in range(2000)]
    lines[700] = b'{"source":"s\\u0031","a":700}'
    lines[900] = b"?"
    decoded = decode([b"\n".join(lines)], options("ndjson"), [NOW_MS])
    values = [e[2]["a"] for e in events(decoded)]
    assert values == [float(i) for i in range(2000) if i != 900]
    assert events(decoded)[700][0] == "s1"
    assert [r.line for r in decoded.rejected] == [901]


def test_threads_decode_at_once() -> None:
    warm_up()
    bodies = [b"".join(b'{"source":"t%d-%d","a":%d,"b":"\\n"}\n' % (t, i % 7, i) for i in range(300)) for t in range(8)]
    how = options("ndjson")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda body: told(decode([body], how, [NOW_MS])), bodies * 4))
    assert found == [told(decode([body], how, [NOW_MS])) for body in bodies] * 4


def test_many_tiny_bodies_are_one_table() -> None:
    bodies = [b'{"source":"%d","a":1}' % (i % 10) for i in range(2000)]
    decoded = decode(bodies, options("ndjson"), list(range(NOW_MS, NOW_MS + 2000)))
    assert decoded.body_end.tolist() == list(range(1, 2001))
    assert decoded.table.time_ms.tolist() == list(range(NOW_MS, NOW_MS + 2000))
    assert list(decoded.table.sources) == [str(i) for i in range(10)]
