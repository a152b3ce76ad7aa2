"""Bodies that are wrong or hostile: each gets a clear answer, the good lines count, and memory stays bounded."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

import pytest
import zstandard

from tests.system.client import NDJSON, Pulse, diagnosis, event_counts, get, post
from tests.system.daemon import Daemon, daemon, settings

MIB = 1024 * 1024
DECOMPRESSED_MAX = 64 * MIB
START_S = 1_577_836_800
LINE_MAX = 1024 * 1024


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all tests here; each uses sources of its own."""
    directory = tmp_path_factory.mktemp("bad-bodies")
    config = settings(directory / "offbeat.toml", ingest={"decompressed_bytes_max": DECOMPRESSED_MAX})
    with daemon(directory / "data", config) as started:
        yield started
        assert "Traceback" not in started.said()


def lines(source: str, count: int, field: str = "v") -> bytes:
    return b"".join(b'{"time":%d,"source":"%s","%s":%d}\n' % (START_S + i, source.encode(), field.encode(), i % 7)
                    for i in range(count))


def compressed(encoding: str, data: bytes) -> bytes:
    if encoding == "zstd":
        return zstandard.ZstdCompressor().compress(data)
    return gzip.compress(data) if encoding == "gzip" else zlib.compress(data)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_compressed_body_that_is_cut_short_is_refused_with_the_place_and_nothing_of_it_is_stored(
    running: Daemon, encoding: str
) -> None:
    body = compressed(encoding, lines(f"cut-{encoding}", 1_000))[:-10]
    headers = {**NDJSON, "Content-Encoding": encoding}
    answer = post(running.url, body, headers)
    assert (answer.status, answer.error["code"], answer.error["where"]) == (400, "bad_body", {"byte": len(body)})
    assert answer.error["message"].endswith("ends early within the first "
                                            f"{len(body)} bytes; nothing of this body was stored")
    assert event_counts(running.url, f"cut-{encoding}") == {}


def test_a_compressed_stream_that_is_cut_short_says_what_of_it_is_stored(running: Daemon) -> None:
    body = gzip.compress(lines("damaged", 50_000))
    pieces = (body[at : at + 4096] for at in range(0, len(body) // 2, 4096))
    answer = post(running.url, pieces, {**NDJSON, "Content-Encoding": "gzip"})
    assert (answer.status, answer.error["code"]) == (400, "bad_body")
    stored = event_counts(running.url, "damaged")["damaged"]
    assert answer.error["where"]["accepted"] == stored > 10_000
    assert answer.error["message"].endswith(f"; {stored} events before it are stored")


def test_a_body_that_is_not_compressed_as_it_says_is_refused(running: Daemon) -> None:
    for encoding in ("gzip", "deflate", "zstd"):
        answer = post(running.url, lines("plain", 3), {**NDJSON, "Content-Encoding": encoding})
        assert (answer.status, answer.error["code"]) == (400, "bad_body"), encoding
    assert event_counts(running.url, "plain") == {}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("sender", ["with its length", "in chunks"])
def test_a_bomb_is_refused_before_it_fills_the_memory(running: Daemon, encoding: str, sender: str) -> None:
    bomb = compressed(encoding, b"\n" * (DECOMPRESSED_MAX * 3 // 2))
    assert len(bomb) < DECOMPRESSED_MAX / 200
    running.forget_peak()
    before = running.memory_bytes
    answer = post(running.url, bomb if sender == "with its length" else iter([bomb]),
                  {**NDJSON, "Content-Encoding": encoding})
    assert (answer.status, answer.error["code"]) == (413, "body_too_large")
    assert str(DECOMPRESSED_MAX) in answer.error["message"]
    assert running.peak_bytes - before < 80 * MIB


GOOD = b'{"source":"kept","v":1}'
DEEP = 100_000
REJECTED = {
    "not UTF-8": (b'{"source":"\xff","v":1}', "not_utf8"),
    "not JSON": (b'{"source":"x","v":1', "bad_json"),
    "not an object": (b"[1, 2]", "bad_json"),
    "a name twice": (b'{"source":"x","v":1,"v":2}', "duplicate_key"),
    "objects nested deep": (b'{"v":' * DEEP + b"1" + b"}" * DEEP, "too_deep"),
    "arrays nested deep": (b'{"v":' + b"[" * DEEP + b"]" * DEEP + b"}", ("unsupported_type", "too_deep")),
    "an array": (b'{"source":"x","v":[1]}', "unsupported_type"),
    "NaN": (b'{"source":"x","v":NaN}', "not_finite"),
    "infinity": (b'{"source":"x","v":-Infinity}', "not_finite"),
    "a number beyond all bounds": (b'{"source":"x","v":1e999}', "not_finite"),
    "an integer of 5,000 digits": (b'{"source":"x","v":' + b"9" * 5_000 + b"}", "not_finite"),
    "a time that is none": (b'{"source":"x","time":"yesterday","v":1}', "bad_time"),
    "a time in the far future": (b'{"source":"x","time":"2999-01-01T00:00:00Z","v":1}', "future"),
    "a source that is a fraction": (b'{"source":1.5,"v":1}', "unsupported_type"),
    "half a surrogate pair": (b'{"source":"\\ud800","v":1}', "bad_json"),
    "too many fields": (b'{"source":"x"' + b"".join(b',"f%d":1' % i for i in range(1_500)) + b"}", "too_many_fields"),
    "a long name": (b'{"source":"x","' + b"f" * 300 + b'":1}', "name_too_long"),
    "a long line": (b'{"source":"x","t":"' + b"t" * LINE_MAX + b'"}', "too_long"),
}


@pytest.mark.parametrize("what", REJECTED)
def test_a_bad_line_is_rejected_with_its_reason_and_the_lines_around_it_are_taken(running: Daemon, what: str) -> None:
    line, codes = REJECTED[what]
    answer = post(running.url, GOOD + b"\n" + line + b"\n" + GOOD + b"\n")
    taken = answer.document
    assert (answer.status, taken["accepted"], taken["rejected"], taken["errors_omitted"]) == (202, 2, 1, 0)
    assert (taken["errors"][0]["line"], taken["errors"][0]["code"] in codes) == (2, True), taken
    assert 10 < len(taken["errors"][0]["reason"]) < 300


@pytest.mark.parametrize("what", REJECTED)
def test_a_body_without_a_good_line_is_refused_and_can_be_looked_at(running: Daemon, what: str) -> None:
    line, codes = REJECTED[what]
    before = diagnosis(running.url)["rejected"]
    answer = post(running.url, line)
    assert (answer.status, answer.error["code"]) == (400, "no_good_line")
    code = answer.document["errors"][0]["code"]
    assert (answer.document["accepted"], answer.document["rejected"], code in codes) == (0, 1, True)
    assert answer.document["errors"][0]["reason"] in answer.error["message"]
    assert diagnosis(running.url)["rejected"][code] == before.get(code, 0) + 1
    kept = get(running.url, "/api/v1/quarantine", limit=1).document["rejected"][0]
    assert (kept["code"], kept["line"]) == (code, 1)
    assert kept["start"].startswith(line[:10].decode(errors="replace"))
    assert len(kept["start"]) <= 200


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/json", "text/csv", "text/plain", ""])
@pytest.mark.parametrize("sender", ["with its length", "in chunks"])
def test_an_empty_body_holds_no_events_and_that_is_no_error(running: Daemon, content_type: str, sender: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = post(running.url, b"" if sender == "with its length" else iter([]), headers)
    assert (answer.status, answer.document["accepted"], answer.document["rejected"]) == (202, 0, 0)


@pytest.mark.parametrize(
    ("content_type", "part"),
    [
        ("application/xml", "Content-Type is application/xml: expected application/x-ndjson"),
        ("text/html; charset=utf-8", "Content-Type is text/html"),
        ("application/json; charset=latin-1", "the charset is latin-1: expected utf-8"),
        ("no type at all", "Content-Type is no type at all"),
    ],
)
def test_a_content_type_that_offbeat_does_not_read_is_refused_by_name(
    running: Daemon, content_type: str, part: str
) -> None:
    answer = post(running.url, GOOD, {"Content-Type": content_type})
    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")
    assert part in answer.error["message"]


def test_a_body_in_the_wrong_format_is_refused_or_its_lines_are(running: Daemon) -> None:
    csv = b"time,source,v\n1577836800,wrong,1\n"
    assert post(running.url, csv, {"Content-Type": "application/json"}).error["code"] == "bad_body"
    assert post(running.url, csv).error["code"] == "no_good_line"
    assert post(running.url, csv, {}).error["code"] == "unsupported_media_type"
    assert post(running.url, GOOD, {"Content-Type": "text/plain"}).error["code"] == "no_good_line"
    assert event_counts(running.url, "wrong") == {}


def test_a_json_document_that_ends_early_is_refused_whole(running: Daemon) -> None:
    body = b'[{"source":"early","v":1},{"source":"early","v":2}'
    answer = post(running.url, body, {"Content-Type": "application/json"})
    assert (answer.status, answer.error["code"]) == (400, "bad_body")
    assert answer.error["message"] == ("the body ends before its document does, after the beginning of element 2; "
                                       "nothing of this body was stored")
    assert event_counts(running.url, "early") == {}


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "text/csv", "application/json", "text/plain"])
def test_a_line_of_100_mb_is_rejected_while_it_passes_and_the_daemon_goes_on_answering(
    running: Daemon, content_type: str
) -> None:
    def body() -> Iterator[bytes]:
        yield {"text/csv": b"source,v,t\n", "application/json": b"["}.get(content_type, b"")
        yield {"text/csv": b"long,1,", "text/plain": b'long t="'}.get(content_type, b'{"source":"long","t":"')
        for _ in range(100):
            yield b"t" * 1_000_000
        yield {"text/csv": b"\nlong,1,t\n", "text/plain": b'"\nlong v=1\n'}.get(content_type, b'"}')
        yield {"application/x-ndjson": b'\n{"source":"long","v":1}\n',
               "application/json": b',{"source":"long","v":1}]'}.get(content_type, b"")

    running.forget_peak()
    before = running.memory_bytes
    with Pulse(running.url) as pulse:
        answer = post(running.url, filter(None, body()), {"Content-Type": content_type})
    taken = answer.document
    assert (answer.status, taken["accepted"], taken["rejected"]) == (202, 1, 1)
    assert taken["errors"][0]["code"] == "too_long"
    assert running.peak_bytes - before < 80 * MIB
    print(f"{content_type}: healthz p99 {pulse.quantile_ms(0.99):.0f} ms, worst {pulse.quantile_ms(1):.0f} ms, "
          f"peak +{(running.peak_bytes - before) / MIB:.0f} MiB")
    assert pulse.quantile_ms(0.99) < 100
