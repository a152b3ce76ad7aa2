"""``offbeat send``: every line of the file once, whatever the daemon answers on the way."""
from __future__ import annotations

import csv
import gzip
import io
import json
import signal
import subprocess
import sys

import orjson
import pytest
import zstandard
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat.cli.inputs import Chunk, bodies, format_of, options_of
from offbeat.cli.sender import Body


class Intake:
    """Takes events as the daemon does: counts lines, rejects those that hold ``bad``, knows keys again."""

    def __init__(self, server, *, first=()):
        self.bodies: list[bytes] = []
        self.types: list[str] = []
        self.queries: list[dict] = []
        self.keys: dict[str, dict] = {}
        self.refusals = list(first)
        server.handler = self.handle

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/api/v1/diagnosis":
            return web.json_response(
                {"daemon": {"applied_sequence": int(request.query["sequence"])}, "sources": [], "next_cursor": None}
            )
        assert (request.method, request.path) == ("POST", "/api/v1/events")
        body, key = await request.read(), request.headers["Idempotency-Key"]
        if self.refusals:
            refusal = self.refusals.pop(0)
            if refusal == "taken, but the answer is lost":
                self.take(request, key, body)
            if not isinstance(refusal, web.Response):
                request.transport.abort()
                return web.Response()
            return refusal
        answer = self.take(request, key, body)
        good = answer["accepted"] or not answer["rejected"]
        error = (
            {} if good else {"error": {"code": "no_good_line", "message": "no line is good", "hint": "", "where": {}}}
        )
        return web.json_response({**answer, **error}, status=202 if good else 400)

    def take(self, request: web.Request, key: str, body: bytes) -> dict:
        if key not in self.keys:
            self.bodies.append(body)
            self.types.append(request.headers["Content-Type"])
            self.queries.append({name: request.query.getall(name) for name in request.query})
            lines = list(enumerate(body.splitlines(), 1))
            if "csv" in request.headers["Content-Type"]:
                lines = lines[1:]
            bad = [n for n, line in lines if b"bad" in line]
            errors = [
                {"line": n, "code": "bad_json", "reason": f"line {n} of the body is not an object"} for n in bad[:20]
            ]
            self.keys[key] = {
                "accepted": len(lines) - len(bad),
                "rejected": len(bad),
                "errors": errors,
                "errors_omitted": len(bad) - len(errors),
                "sequence": len(self.bodies),
            }
        return self.keys[key]


def refuse(status: int, code: str, **headers: str) -> web.Response:
    return web.json_response(
        {"error": {"code": code, "message": f"it is {code}", "hint": "", "where": {}}}, status=status, headers=headers
    )


def lines_of(count: int) -> bytes:
    return b"".join(b'{"time":%d,"source":"s","v":%d}\n' % (1_700_000_000_000 + i, i) for i in range(count))


def test_a_file_arrives_whole_in_order_and_in_batches(offbeat, server, tmp_path):
    intake = Intake(server)
    file = tmp_path / "events.ndjson"
    file.write_bytes(lines_of(1050))
    ran = offbeat("send", file, "--batch", 100, "--url", server.url)
    assert ran.status == 0
    assert b"".join(intake.bodies) == file.read_bytes()
    assert [body.count(b"\n") for body in intake.bodies] == [100] * 10 + [50]
    assert set(intake.types) == {"application/x-ndjson"}
    assert ran.out.startswith("1,050 events accepted, 0 rejected, in ")
    assert ran.out.endswith("; all is scored up to entry 11\n")


def test_sending_waits_until_the_daemon_has_scored_it(offbeat, server, tmp_path):
    Intake(server)
    file = tmp_path / "events.ndjson"
    file.write_bytes(lines_of(10))
    offbeat("send", file, "--url", server.url)
    assert [(seen.path, seen.parameter("sequence")) for seen in server.seen] == [
        ("/api/v1/events", None),
        ("/api/v1/diagnosis", "1"),
    ]
    assert "all is durable" in offbeat("send", file, "--no-wait", "--url", server.url).out


def test_a_full_intake_is_asked_again_after_the_time_it_says_and_each_body_counts_once(offbeat, server, tmp_path):
    full = {"status": 429, "code": "intake_full", "Retry-After": "0"}
    intake = Intake(server, first=[refuse(**full), refuse(**full)])
    file = tmp_path / "events.ndjson"
    file.write_bytes(lines_of(30))
    ran = offbeat("send", file, "--batch", 10, "--json", "--url", server.url)
    assert ran.status == 0
    outcome = json.loads(ran.out)
    assert (outcome["accepted"], outcome["requests"], outcome["retries"]) == (30, 3, 2)
    assert b"".join(intake.bodies) == file.read_bytes()


def test_a_lost_answer_and_a_stopping_daemon_cost_no_event_and_double_none(offbeat, server, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_bytes(lines_of(40))
    intake = Intake(
        server,
        first=[
            refuse(503, "shutting_down", **{"Retry-After": "0"}),
            "taken, but the answer is lost",
            "lost",
            web.Response(status=502, text="<html>", content_type="text/html"),
        ],
    )
    ran = offbeat("send", file, "--batch", 20, "--json", "--url", server.url)
    assert ran.status == 0
    assert json.loads(ran.out)["accepted"] == 40
    assert b"".join(intake.bodies) == file.read_bytes()


def test_rejected_lines_are_named_by_their_number_in_the_file(offbeat, server, tmp_path):
    Intake(server)
    lines = lines_of(50).splitlines()
    lines[6] = lines[33] = b"bad"
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(lines))
    ran = offbeat("send", file, "--batch", 10, "--url", server.url)
    assert ran.status == 6
    assert f"{file}: line 7: bad_json: line 7 of the body is not an object\n" in ran.err
    assert f"{file}: line 34: bad_json: line 4 of the body is not an object\n" in ran.err
    assert ran.out.startswith("48 events accepted, 2 rejected")


def test_the_lines_of_a_csv_file_are_numbered_past_its_repeated_header(offbeat, server, tmp_path):
    intake = Intake(server)
    file = tmp_path / "events.csv"
    file.write_text(
        "time,source,v\n" + "".join(f"{1_700_000_000 + i},s,{'bad' if i in (4, 27) else i}\n" for i in range(40))
    )
    ran = offbeat("send", file, "--batch", 10, "--url", server.url)
    assert [error.split(":")[1].strip() for error in ran.err.splitlines()] == ["line 6", "line 29"]
    assert all(body.startswith(b"time,source,v\n") for body in intake.bodies)
    assert set(intake.types) == {"text/csv"}


def test_a_body_of_nothing_but_bad_lines_does_not_end_the_sending(offbeat, server, tmp_path):
    Intake(server)
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"bad\n" * 10 + lines_of(10))
    ran = offbeat("send", file, "--batch", 10, "--url", server.url)
    assert ran.status == 6
    assert ran.out.startswith("10 events accepted, 10 rejected")


def test_many_rejected_lines_are_counted_and_the_first_are_shown(offbeat, server, tmp_path):
    Intake(server)
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"bad\n" * 90 + lines_of(10))
    ran = offbeat("send", file, "--url", server.url)
    assert ran.status == 6
    assert ran.err.count("bad_json") == 20
    assert f"{file}: 70 more; `offbeat quarantine` lists the newest\n" in ran.err


def test_the_elements_of_an_array_are_sent_as_lines_and_numbered_as_elements(offbeat, server, tmp_path):
    intake = Intake(server)
    file = tmp_path / "events.json"
    file.write_text(json.dumps([{"time": i, "v": "bad" if i == 11 else i} for i in range(25)], indent=1))
    ran = offbeat("send", file, "--batch", 10, "--url", server.url)
    assert ran.status == 6
    assert set(intake.types) == {"application/x-ndjson"}
    assert [body.count(b"\n") for body in intake.bodies] == [10, 10, 5]
    assert f"{file}: element 12: bad_json" in ran.err


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_compressed_file_is_decompressed_on_the_way(offbeat, server, tmp_path, suffix):
    intake = Intake(server)
    plain = lines_of(20_000)
    half = plain.index(b"\n", len(plain) // 2)
    compress = gzip.compress if suffix == ".gz" else zstandard.ZstdCompressor().compress
    file = tmp_path / f"events.ndjson{suffix}"
    file.write_bytes(compress(plain[:half]) + compress(plain[half:]))  # two members, as rotated logs have
    assert offbeat("send", file, "--url", server.url).status == 0
    assert b"".join(intake.bodies) == plain


def test_a_damaged_file_is_sent_up_to_the_damage_and_then_fails(offbeat, server, tmp_path):
    intake = Intake(server)
    file = tmp_path / "events.ndjson.gz"
    file.write_bytes(gzip.compress(lines_of(100))[:-30])
    ran = offbeat("send", file, "--url", server.url)
    assert ran.status == 1
    assert "offbeat: the input cannot be read further: the gzip data ends early" in ran.err
    assert f"events of {file} were taken before the error, 0 lines rejected" in ran.err
    assert lines_of(100).startswith(b"".join(intake.bodies))


def test_a_broken_array_fails_with_its_place(offbeat, server, tmp_path):
    Intake(server)
    file = tmp_path / "events.json"
    file.write_text('[{"v": 1}, {"v": 2]')
    ran = offbeat("send", file, "--url", server.url)
    assert ran.status == 1
    assert (
        "offbeat: the input cannot be read further:"
        " the body ends before its document does, after the beginning of element 2\n" in ran.err
    )


def test_parameters_are_forwarded(offbeat, server, tmp_path):
    intake = Intake(server)
    file = tmp_path / "events.csv"
    file.write_text("wann;wer;wert\n1;a;2\n")
    ran = offbeat(
        "send",
        file,
        "--time",
        "wann",
        "--source",
        "wer",
        "--source",
        "was",
        "--precision",
        "s",
        "--delimiter",
        ";",
        "--text",
        "wert",
        "--url",
        server.url,
    )
    assert ran.status == 0
    assert intake.queries == [
        {"time": ["wann"], "source": ["wer", "was"], "precision": ["s"], "delimiter": [";"], "text": ["wert"]}
    ]


def test_line_protocol_is_sent_as_plain_text(offbeat, server, tmp_path):
    intake = Intake(server)
    file = tmp_path / "events.lp"
    file.write_text("weather,location=eu temperature=82 1465839830100400200\n")
    assert offbeat("send", file, "--url", server.url).status == 0
    assert intake.types == ["text/plain"]


def test_the_same_run_sent_again_counts_nothing_twice_and_another_run_does(offbeat, server, tmp_path):
    intake = Intake(server)
    file = tmp_path / "events.ndjson"
    file.write_bytes(lines_of(100) * 2)  # equal lines at two places are two things
    for _ in range(2):
        assert (
            json.loads(offbeat("send", file, "--batch", 50, "--run", "monday", "--json", "--url", server.url).out)[
                "accepted"
            ]
            == 200
        )
    assert len(intake.bodies) == 4
    offbeat("send", file, "--url", server.url)
    assert len(intake.bodies) == 5


def test_several_connections_deliver_every_line_once(offbeat, server, tmp_path):
    intake = Intake(server)
    file = tmp_path / "events.ndjson"
    file.write_bytes(lines_of(1000))
    assert offbeat("send", file, "--batch", 10, "--connections", 4, "--url", server.url).status == 0
    assert sorted(b"".join(intake.bodies).splitlines()) == sorted(file.read_bytes().splitlines())


def test_a_rate_cuts_bodies_to_about_one_a_second(offbeat, server, tmp_path):
    intake = Intake(server)
    file = tmp_path / "events.ndjson"
    file.write_bytes(lines_of(40))
    ran = offbeat("send", file, "--rate", "100", "--batch", 10, "--json", "--url", server.url)
    assert [body.count(b"\n") for body in intake.bodies] == [10] * 4
    assert json.loads(ran.out)["seconds"] >= 0.3  # the fourth ten may go 0.3 s after the first


def test_standard_input_is_guessed_by_its_first_byte_and_sent_as_it_comes(server):
    intake = Intake(server)
    sending = subprocess.Popen(
        [sys.executable, "-m", "offbeat", "send", "-", "--url", server.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = sending.communicate(lines_of(5000), timeout=60)
    assert (sending.returncode, err) == (0, b"")
    assert out.startswith(b"5,000 events accepted")
    assert b"".join(intake.bodies) == lines_of(5000)


def test_ctrl_c_ends_a_wait_for_standard_input(server):
    """What came is sent at once, also from a pipe that stays open; then nothing more comes."""
    Intake(server)
    sending = subprocess.Popen(
        [sys.executable, "-m", "offbeat", "send", "-", "--url", server.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    sending.stdin.write(lines_of(2) + b'{"half a li')
    sending.stdin.flush()
    assert server.wait_for(lambda seen: seen.path == "/api/v1/events").body == lines_of(2)
    sending.send_signal(signal.SIGINT)
    assert sending.wait(timeout=20) == 130
    sending.stdin.close()
    assert sending.stderr.read() == b"offbeat: interrupted\n"
    sending.stderr.close()
    sending.stdout.close()


def test_an_unnamed_format_that_cannot_be_guessed_is_asked_for(offbeat, tmp_path):
    file = tmp_path / "events.dat"
    file.write_text("time,v\n1,2\n")
    ran = offbeat("send", file)
    assert ran.status == 2
    assert ran.err == (
        f"offbeat: the format of {file} is not plain from its name or first byte\n"
        "  hint: say --format ndjson, json, csv or influx\n"
    )


def test_a_file_that_is_missing_or_a_directory_is_said_so(offbeat, tmp_path):
    ran = offbeat("send", tmp_path / "none.ndjson")
    assert (ran.status, ran.err) == (1, f"offbeat: cannot read {tmp_path / 'none.ndjson'}: No such file or directory\n")
    assert offbeat("send", tmp_path).status == 2


def test_a_delimiter_that_is_none_is_wrong_usage(offbeat, tmp_path, server):
    file = tmp_path / "events.csv"
    file.write_text("time,v\n1,2\n")
    assert offbeat("send", file, "--delimiter", "::", "--url", server.url).status == 2
    assert offbeat("send", file, "--format", "ndjson", "--delimiter", ";", "--url", server.url).status == 2


def test_a_daemon_that_is_not_there_is_not_waited_for(offbeat, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_bytes(lines_of(3))
    ran = offbeat("send", file, "--url", "http://127.0.0.1:1")
    assert ran.status == 5
    assert ran.err.startswith("offbeat: no daemon answers at http://127.0.0.1:1: connection refused\n")


def test_patience_ends(offbeat, server, tmp_path):
    Intake(server, first=[refuse(429, "intake_full", **{"Retry-After": "30"})])
    file = tmp_path / "events.ndjson"
    file.write_bytes(lines_of(3))
    ran = offbeat("send", file, "--patience", 1, "--url", server.url)
    assert (ran.status, ran.err) == (1, "offbeat: it is intake_full\n")


def test_a_body_that_is_refused_whole_ends_the_sending_with_its_place(offbeat, server, tmp_path):
    Intake(server)
    file = tmp_path / "events.ndjson"
    file.write_bytes(lines_of(30))
    offbeat("send", file, "--batch", 10, "--url", server.url)
    intake = Intake(server, first=[])
    first_answers = intake.handle

    async def then_too_large(request: web.Request) -> web.StreamResponse:
        return await first_answers(request) if not intake.bodies else refuse(413, "body_too_large")

    server.handler = then_too_large
    ran = offbeat("send", file, "--batch", 10, "--run", "r", "--url", server.url)
    assert ran.status == 1
    assert f"10 events of {file} were taken before the error, 0 lines rejected\n" in ran.err
    assert "the same command with --run r" in ran.err
    assert "offbeat: the lines from 11 on were refused: it is body_too_large\n" in ran.err


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.ndjson", ("ndjson", "identity")),
        ("a.JSONL", ("ndjson", "identity")),
        ("a.json.gz", ("json", "gzip")),
        ("a.csv.zst", ("csv", "zstd")),
        ("a.lp", ("influx", "identity")),
        ("a.txt.gz", ("influx", "gzip")),
        ("a.gz", (None, "gzip")),
        ("-", (None, "identity")),
    ],
)
def test_the_suffix_says_the_format_and_the_encoding(name, expected):
    assert format_of(name) == expected


def cut(data: bytes, format: str, sizes: list[int], **bounds: int) -> list[Body]:
    """*data* as bodies, read in chunks of these *sizes* in turn."""
    chunks, at = [], 0
    while at < len(data):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(Chunk(data[at : at + size], at + size))
        at += size
    return [body for body in bodies(iter(chunks), options_of(format, None), **bounds) if isinstance(body, Body)]


@settings(deadline=None)
@given(
    lines=st.lists(st.integers(0, 10**9).map(lambda n: b'{"v":%d}' % n), max_size=60),
    last=st.booleans(),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    lines_max=st.integers(1, 20),
    bytes_max=st.integers(10, 300),
)
def test_however_a_file_is_read_its_bodies_are_its_lines(lines, last, sizes, lines_max, bytes_max):
    data = b"\n".join(lines) + (b"\n" if last and lines else b"")
    made = cut(data, "ndjson", sizes, lines_max=lines_max, bytes_max=bytes_max)
    assert b"".join(body.data for body in made) == data
    for body in made:
        count = len(body.data.splitlines())
        assert body.event_count == count <= lines_max
        assert len(body.data) <= bytes_max or count == 1
        assert body.data.splitlines() == lines[body.first_line - 1 : body.first_line - 1 + count]


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.text('ab,"\n é', max_size=8), st.integers(0, 99)), min_size=1, max_size=30),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    lines_max=st.integers(1, 9),
)
def test_each_csv_body_is_a_csv_file_whose_rows_stand_where_it_says(rows, sizes, lines_max):
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([("wo\nher", "wert"), *rows])  # even the header goes over two lines
    data = out.getvalue().encode()
    read = []
    for body in cut(data, "csv", sizes, lines_max=lines_max, bytes_max=4096):
        header, *some = list(csv.reader(io.StringIO(body.data.decode(), newline="")))
        assert header == ["wo\nher", "wert"]
        read += some
        after_header = body.data.splitlines(keepends=True)[body.header_lines]
        assert data.split(b"\n")[body.line_in_input(body.header_lines + 1) - 1] == after_header.rstrip(b"\n")
    assert read == [[text, str(number)] for text, number in rows]


def test_the_answer_lists_are_bounded():
    from offbeat.cli.sender import ERRORS_KEPT, Tally

    tally = Tally()
    for index in range(300):
        body = Body(index, b"", 1 + 20 * index, 0, 20, 0)
        tally.count(
            body,
            orjson.loads(
                orjson.dumps(
                    {
                        "accepted": 0,
                        "rejected": 20,
                        "errors": [{"line": n, "code": "c", "reason": "r"} for n in range(1, 21)],
                    }
                )
            ),
        )
    assert tally.rejected == 6000
    assert len(tally.errors) <= 2 * ERRORS_KEPT
    assert [error.line for error in tally.first_errors(3)] == [1, 2, 3]
