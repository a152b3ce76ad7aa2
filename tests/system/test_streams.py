"""Streams in and out: a body without end is taken as it comes, findings are followed as they are made."""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.system.client import (
    NDJSON,
    Connection,
    Pulse,
    chunked,
    diagnosis,
    event_counts,
    get,
    metric,
    post,
    until,
)
from tests.system.daemon import Daemon, daemon, settings

MIB = 1024 * 1024
START_S = 1_577_836_800
LINGER_S = 0.1


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return settings(tmp_path_factory.mktemp("config") / "offbeat.toml", ingest={"stream_linger_s": LINGER_S},
                    store={"tail_readings_max": 500_000})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, config: Path) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("streams") / "data", config) as started:
        yield started
        assert "Traceback" not in started.said()


def block(number: int, rows: int, sources: int, prefix: str) -> bytes:
    """Rows one after the other in time, each source in its turn, with enough text to weigh something."""
    first = number * rows
    return b"".join(
        b'{"time":%d,"source":"%s-%d","v":%d,"note":"%s"}\n'
        % (START_S + i // sources, prefix.encode(), i % sources, 100 + i * 7919 % 13, b"n" * 120)
        for i in range(first, first + rows))


def streamed(running: Daemon, megabytes: int, prefix: str) -> tuple[float, Pulse]:
    """Stream that much in one body; how much memory grew, in MiB, and how fast the daemon answered meanwhile."""
    url, rows, sources = running.url, 5_000, 50
    blocks = megabytes * MIB // len(block(0, rows, sources, prefix))
    running.forget_peak()
    before = running.memory_bytes
    with Connection(url) as connection, Pulse(url) as pulse:
        connection.head(chunked(NDJSON))
        for number in range(blocks):
            connection.chunk(block(number, rows, sources, prefix))
            if number == blocks // 2:  # results are there while the stream is still open
                seen = until(lambda: get(url, "/api/v1/buckets", source=f"{prefix}-0", limit=5).document["buckets"])
                assert seen[0]["event_count"] > 0
        connection.chunk(b"")
        answer = connection.answer()
    assert (answer.status, answer.document["accepted"]) == (202, blocks * rows)
    assert sum(event_counts(url, f"{prefix}-").values()) == blocks * rows
    return (running.peak_bytes - before) / MIB, pulse


def test_a_body_of_200_mb_passes_in_bounded_memory_and_is_seen_while_it_arrives(running: Daemon) -> None:
    grown, pulse = streamed(running, 200, "long")
    print(f"200 MB: peak +{grown:.0f} MiB; healthz p50 {pulse.quantile_ms(0.5):.1f}, "
          f"p99 {pulse.quantile_ms(0.99):.1f}, worst {pulse.quantile_ms(1):.1f} ms")
    assert grown < 150
    assert pulse.quantile_ms(0.99) < 250


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_body_of_2_gb_needs_no_more_memory_than_one_of_200_mb(running: Daemon) -> None:
    grown, _ = streamed(running, 2_000, "endless")
    assert grown < 150


def test_a_live_stream_is_journaled_line_by_line_as_it_trickles_in(running: Daemon) -> None:
    url = running.url
    with Connection(url) as connection:
        connection.head(chunked(NDJSON))
        for i in range(5):
            line = b'{"source":"trickle","v":%d}\n' % i
            connection.chunk(line[:10])
            connection.chunk(line[10:])
            until(lambda i=i: event_counts(url, "trickle").get("trickle") == i + 1, timeout_s=5 + LINGER_S)  # type: ignore[misc]
        connection.chunk(b'{"source":"trickle","v":5}')  # without a line end: complete only now that the body ends
        connection.chunk(b"")
        answer = connection.answer()
    assert (answer.status, answer.document["accepted"], answer.document["rejected"]) == (202, 6, 0)


class Follower:
    """One reader of /stream in a thread; *events* are what came, in order."""

    def __init__(self, url: str, last_event_id: str | None = None, **parameters: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port), timeout=60)
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        resume = f"Last-Event-ID: {last_event_id}\r\n" if last_event_id else ""
        self._socket.sendall(f"GET /api/v1/stream?{query} HTTP/1.0\r\nHost: offbeat\r\n{resume}\r\n".encode())
        self.events: list[tuple[str, str, dict[str, Any]]] = []  # id, kind, document
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def __enter__(self) -> Follower:
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # the daemon may be faster
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        frame: dict[str, str] = {}
        try:
            with self._socket.makefile(encoding="utf-8") as lines:
                for line in lines:
                    line = line.rstrip("\r\n")
                    if line.startswith(":"):
                        self._ready.set()
                    elif line:
                        name, _, value = line.partition(": ")
                        frame[name] = value
                    elif "event" in frame:
                        self.events.append((frame.get("id", ""), frame["event"], json.loads(frame["data"])))
                        frame = {}
        except OSError:
            return

ODD = 9_000


def steady(source: str, first: int, count: int, rng: random.Random, odd_at: int = -1) -> bytes:
    """Readings around 100, the one numbered *odd_at* far from it; a bucket has six."""
    return b"".join(b'{"time":%d,"source":"%s","v":%.3f}\n'
                    % (START_S + 10 * i, source.encode(), ODD if i == odd_at else rng.gauss(100, 1))
                    for i in range(first, first + count))


def test_a_follower_is_told_of_a_finding_the_moment_it_is_made(running: Daemon) -> None:
    rng = random.Random(1)
    assert post(running.url, steady("told", 0, 2_000, rng)).status == 202
    with Follower(running.url, source="told", types="record", min_score="50") as follower:
        sequence = post(running.url, steady("told", 2_000, 10, rng, 2_005)).document["sequence"]
        until(lambda: follower.events)
        id, kind, record = follower.events[0]
        assert (kind, record["source"], record["actual"]) == ("record", "told", ODD)
        assert int(id.split("-")[0]) == sequence
        query = {"source": "told", "min_score": 50, "sequence": sequence}
        assert get(running.url, "/api/v1/records", **query).document["records"] == [record]


def test_a_follower_that_comes_back_after_a_kill_has_no_gap_and_nothing_twice(tmp_path: Path, config: Path) -> None:
    rng = random.Random(2)
    heard: list[tuple[str, str, dict[str, Any]]] = []

    def prepare(running: Daemon) -> None:
        body = b"".join(steady(f"s{n:02}", 0, 600, rng) for n in range(40))
        assert post(running.url, body).status == 202

    def send(running: Daemon, first: int, end: int) -> None:
        """One finding each, at a source of its own."""
        for n in range(first, end):
            assert post(running.url, steady(f"s{n:02}", 600, 12, rng, 605)).status == 202

    def send_to_follower(running: Daemon, first: int, end: int) -> None:
        until(lambda: metric(running.url, "offbeat_stream_clients"))
        send(running, first, end)

    def hear(running: Daemon, last: str) -> None:
        """Follow on until the finding at source *last* is told; then the daemon dies."""
        follower = Follower(running.url, heard[-1][0] if heard else None, types="record,bucket")
        with follower:
            until(lambda: any(kind == "record" and said["source"] == last and said["actual"] == ODD
                              for _, kind, said in follower.events))
            running.kill()
        heard.extend(follower.events)

    with daemon(tmp_path / "data", config) as first:
        prepare(first)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(send_to_follower, first, 0, 10)
            hear(first, "s09")
    with daemon(tmp_path / "data", config) as second:
        send(second, 10, 20)  # while nobody follows
        with ThreadPoolExecutor(1) as pool:
            pool.submit(send_to_follower, second, 20, 30)
            hear(second, "s29")
    with daemon(tmp_path / "data", config) as third:
        send(third, 30, 40)
        sequence = diagnosis(third.url)["journal_sequence"]
        records = get(third.url, "/api/v1/records", limit=1_000, sequence=sequence).document["records"]
        hear(third, "s39")
    ids = [id for id, _, _ in heard]
    assert len(set(ids)) == len(ids)
    places = [tuple(map(int, id.split("-"))) for id in ids]
    assert places == sorted(places)
    last_said = {said["id"]: said for _, kind, said in heard if kind == "record"}
    known = {record["id"]: record for record in records}
    assert {id: record for id, record in known.items() if record["actual"] == ODD}.keys() <= last_said.keys()
    assert all(known[id] == said for id, said in last_said.items())
    assert len([record for record in records if record["actual"] == ODD]) == 40


def hostile(size: int) -> dict[str, tuple[dict[str, str], bytes]]:
    """Bodies of *size* bytes that keep the careful path busy: every line is bad, or odd, or both."""
    def filled(line: bytes) -> bytes:
        return line * (size // len(line))

    csv, influx = {"Content-Type": "text/csv"}, {"Content-Type": "text/plain"}
    return {
        "lines that are no JSON": (NDJSON, filled(b'{"a":1,,}\n')),
        "escapes": (NDJSON, filled(b'{"s\\u006furce":"e\\u0041","\\u0076":1e0}\n')),
        "nested objects": (NDJSON, filled(b'{"v":' * 15 + b"1" + b"}" * 15 + b"\n")),
        "a name twice": (NDJSON, filled(b'{"v":1,"v":2}\n')),
        "many fields, the last one bad": (
            NDJSON, filled(b"{" + b"".join(b'"f%d":1,' % i for i in range(900)) + b'"x":[]}\n')),
        "long texts": (NDJSON, filled(b'{"source":"t","t":"' + b"\\n" * 100_000 + b'"}\n')),
        "brackets": ({"Content-Type": "application/json"}, b"[" + filled(b'[{"v":1}],') + b"1]"),
        "stray quotes": (csv, b"source,v,t\n" + filled(b'a,1,x"y"z\n')),
        "quotes that stay open": (csv, b"source,v,t\n" + filled(b'a,1,"xy,\n')),
        "quotes that end too soon": (csv, b"source,v,t\n" + filled(b'"a"b,1,x\n')),
        "too many cells": (csv, b"source,v,t\n" + filled(b"a,1" + b"," * 50 + b"\n")),
        "no line protocol": (influx, filled(b"m,=, v=\n")),
        "escaped spaces": (influx, filled(b"m\\ m,a\\ b=c\\ d v\\ v=1,w=\"a b\" 1577836800000000000\n")),
    }


def answers_meanwhile(running: Daemon, what: str, size: int) -> None:
    headers, body = hostile(size)[what]
    with Pulse(running.url) as pulse:
        answer = post(running.url, body, headers)
    assert answer.status in (202, 400), answer
    print(f"{what}: {len(pulse.latencies_ms)} answers, p50 {pulse.quantile_ms(0.5):.1f}, "
          f"p99 {pulse.quantile_ms(0.99):.1f}, worst {pulse.quantile_ms(1):.1f} ms")
    assert pulse.quantile_ms(0.99) < 250


@pytest.mark.parametrize("what", hostile(MIB))
def test_the_daemon_answers_others_while_it_reads_a_hostile_body(running: Daemon, what: str) -> None:
    answers_meanwhile(running, what, MIB // 2)


@pytest.mark.soak
@pytest.mark.parametrize("what", hostile(MIB))
def test_it_does_so_while_it_reads_one_of_4_mib(running: Daemon, what: str) -> None:
    answers_meanwhile(running, what, 4 * MIB - 4096)
