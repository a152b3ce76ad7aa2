"""A stream gives the same whatever the chunks it comes in: the same bytes whole and cut at every point."""
from __future__ import annotations

import tracemalloc
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offbeat.errors import BadBody
from offbeat.wire import Cutter, Format, Options, decode
from tests.wire.bodies import BODIES, NOW_MS, events, options

FORMATS = get_args(Format)


def streamed(chunks: list[bytes], how: Options) -> dict[str, Any]:
    """What comes of a stream: events with their lines, rejected lines, and how it ended."""
    cutter = Cutter(how)
    said: dict[str, Any] = {"events": [], "rejected": [], "failed": set(), "ended": None}

    def take(blocks: list[Any]) -> None:
        for block in blocks:
            decoded = decode([block.body], cutter.block_options, [NOW_MS], [block.first_line])
            said["events"] += zip(decoded.row_line.tolist(), events(decoded), strict=True)
            said["rejected"] += [(r.line, r.code, r.reason, r.start) for r in decoded.rejected]
            said["failed"] |= set(decoded.failed.values())

    try:
        for chunk in chunks:
            take(cutter.feed(chunk))
        take(cutter.finish())
    except BadBody as e:
        said["ended"] = (e.message, e.where)
    return said


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_stream_cut_anywhere_gives_what_it_gives_in_one_piece(format: Format, data: st.DataObject) -> None:
    body = data.draw(BODIES[format])
    how = options(format, line_bytes_max=data.draw(st.sampled_from([1_048_576, 20])))
    whole = streamed([body], how)
    for at in range(len(body)):
        assert streamed([body[:at], body[at:]], how) == whole
    assert streamed([body[at : at + 1] for at in range(len(body))], how) == whole


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_stream_gives_what_its_whole_body_gives(format: Format, data: st.DataObject) -> None:
    body = data.draw(BODIES[format])
    how = options(format, line_bytes_max=data.draw(st.sampled_from([1_048_576, 20])))
    stream, body_decoded = streamed([body], how), decode([body], how, [NOW_MS])
    if body_decoded.failed:
        reason = body_decoded.failed[0]
        assert reason in stream["failed"] or stream["ended"][0] == reason
        return
    assert stream["events"] == list(zip(body_decoded.row_line.tolist(), events(body_decoded), strict=True))
    assert stream["rejected"] == [(r.line, r.code, r.reason, r.start) for r in body_decoded.rejected]
    assert not stream["failed"] and stream["ended"] is None


@pytest.mark.parametrize(("format", "head", "tail"), [
    ("ndjson", b'{"a":1}\n{"a":"', b'"}\n{"a":2}\n'), ("influx", b'm a=1\nm b="', b'"\nm a=2\n'),
    ("csv", b'a\n1\n"', b'"\n2\n'), ("json", b'[{"a":1},{"a":"', b'"},{"a":2}]')])
def test_an_endless_line_is_dropped_as_it_comes_and_rejected_once(format: Format, head: bytes, tail: bytes) -> None:
    how = options(format, line_bytes_max=1000)
    cutter = Cutter(how)
    blocks = cutter.feed(head)
    piece = b"x\n" * 32768 if format == "csv" else b"x" * 65536
    tracemalloc.start()
    for _ in range(160):  # 10 MiB
        blocks += cutter.feed(piece)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    blocks += cutter.feed(tail) + cutter.finish()
    decoded = [decode([b.body], cutter.block_options, [NOW_MS], [b.first_line]) for b in blocks]
    assert [(e[2], int(line)) for d in decoded for e, line in zip(events(d), d.row_line, strict=True)] == [
        ({"a": 1.0}, 2 if format == "csv" else 1), ({"a": 2.0}, 160 * 32768 + 4 if format == "csv" else 3)]
    assert [(r.line, r.code) for d in decoded for r in d.rejected] == [(3 if format == "csv" else 2, "too_long")]
    assert peak_bytes < 1024 * 1024


def test_a_json_stream_that_ends_in_mid_array_says_where() -> None:
    cutter = Cutter(options("json"))
    (block,) = cutter.feed(b'[{"a": 1},\n {"a": ')
    assert (block.body, block.first_line) == (b'{"a": 1}\n', 1)
    with pytest.raises(BadBody) as refused:
        cutter.finish()
    assert refused.value.where == {"line": 2, "byte": 18}


def test_elements_before_the_break_of_a_json_stream_are_given_before_it_is_refused() -> None:
    cutter = Cutter(options("json"))
    (block,) = cutter.feed(b'[{"a":1},{"a":2},,{"a":3}]')
    assert block.body == b'{"a":1}\n{"a":2}\n'
    with pytest.raises(BadBody, match="around element 2"):
        cutter.feed(b"")


def test_every_block_of_csv_has_the_header_and_the_line_of_its_first_row() -> None:
    cutter = Cutter(options("csv"))
    blocks = cutter.feed(b"\nts,") + cutter.feed(b'a\n1,"x\ny"\n2') + cutter.feed(b",z\n3,") + cutter.finish()
    assert [(b.body, b.first_line) for b in blocks] == [
        (b'ts,a\n1,"x\ny"\n', 3), (b"ts,a\n2,z\n", 5), (b"ts,a\n3,", 6)]
