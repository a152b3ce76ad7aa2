"""The client library against the real daemon: killed while it is sent to, full, started anew; nothing lost or twice."""
from __future__ import annotations

import asyncio
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from offbeat.client import (
    AsyncClient,
    Client,
    Conflict,
    Happened,
    NotFound,
    Retry,
    to_arrays,
    to_pandas,
    to_structured,
)
from offbeat.client.errors import MissingPackage
from tests.system.client import NDJSON, Connection, diagnosis, event_counts, metric, sized, until
from tests.system.daemon import Daemon, daemon, settings

START_S = 1_767_600_000
PENDING_MAX = 64 * 1024
PATIENT = Retry(patience_s=100.0, first_s=0.01, longest_s=0.1)
ODD = 9_000.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    directory = tmp_path_factory.mktemp("client")
    config = settings(directory / "offbeat.toml", ingest={"pending_bytes_max": PENDING_MAX})
    with daemon(directory / "data", config) as started:
        yield started
        assert "Traceback" not in started.said()


@pytest.fixture
def client(running: Daemon) -> Iterator[Client]:
    with Client(running.url, retry=PATIENT) as opened:
        yield opened


class Killed:
    """A daemon that is killed and started anew on its port, again and again, while something is sent to it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.now = Daemon(directory / "data").wait_ready()
        self.url = self.now.url
        self.port = str(urlsplit(self.url).port)

    def again(self) -> None:
        self.now.kill()
        self.now = Daemon(self._directory / "data", None, "--port", self.port).wait_ready()
        assert self.now.url == self.url

    def __enter__(self) -> Killed:
        return self

    def __exit__(self, *_: object) -> None:
        self.now.stop()


def event(n: int) -> dict[str, Any]:
    return {"source": f"s{n % 7}", "time": START_S + n, "v": n}


def values(url: str) -> list[float]:
    with Client(url, retry=PATIENT) as client:
        upto = diagnosis(url)["journal_sequence"]
        list(client.buckets(limit=1, sequence=upto))
        return sorted(value for n in range(7) for part in client.readings(f"s{n}") for value in part.value)


COUNT, KILLS = 2_000, 2
SEVERAL_STARTS_S = 400.0


@pytest.mark.timeout(SEVERAL_STARTS_S)
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_each_event_counts_once_though_the_daemon_is_killed_while_it_is_sent_to(
    tmp_path: Path, compression: Any
) -> None:
    with Killed(tmp_path) as killed, Client(killed.url, retry=PATIENT) as client:
        with client.sender(retry=PATIENT, batch_events=20, queue_batches=2, compression=compression) as sender:
            for n in range(COUNT):
                sender.send(event(n))
                if n % (COUNT // KILLS) == COUNT // KILLS // 2:
                    killed.again()
        assert sender.receipt.retries > 0
        assert (sender.receipt.accepted, sender.receipt.rejected) == (COUNT, 0)
        assert values(killed.url) == [float(n) for n in range(COUNT)]


@pytest.mark.timeout(SEVERAL_STARTS_S)
async def test_the_same_holds_for_the_client_of_an_event_loop(tmp_path: Path) -> None:
    with Killed(tmp_path) as killed:
        async with AsyncClient(killed.url, retry=PATIENT) as client:
            async with client.sender(retry=PATIENT, batch_events=20, queue_batches=2, compression="zstd") as sender:
                for n in range(COUNT):
                    await sender.send(event(n))
                    if n % (COUNT // KILLS) == COUNT // KILLS // 2:
                        await asyncio.to_thread(killed.again)
            assert sender.receipt.retries > 0
            assert sender.receipt.accepted == COUNT
        assert await asyncio.to_thread(values, killed.url) == [float(n) for n in range(COUNT)]


@pytest.mark.timeout(SEVERAL_STARTS_S)
def test_a_send_under_a_key_counts_once_even_by_another_program_and_after_a_kill(tmp_path: Path) -> None:
    with Killed(tmp_path) as killed:
        receipts = []
        for _ in range(2):
            with Client(killed.url, retry=PATIENT) as client:
                receipts.append(client.send([event(n) for n in range(50)], key="night-7", batch_events=20))
            killed.again()
        assert receipts[0] == receipts[1]
        assert sum(event_counts(killed.url).values()) == 50


def test_a_full_daemon_is_waited_for(running: Daemon, client: Client) -> None:
    filler = b'{"source":"waits","v":1,"f":"' + b"x" * (PENDING_MAX - 300) + b'"}\n'
    with Connection(running.url) as slow:
        slow.head(sized(NDJSON, len(filler)))  # has its place reserved, and keeps it
        slow.send(filler[:-1])
        until(lambda: diagnosis(running.url)["pending_bytes"] == len(filler))
        with client.sender(retry=PATIENT, batch_events=100) as sender:
            sender.send([{"source": "pressed", "v": n, "f": "y" * 20} for n in range(100)])
            refusals = 'offbeat_http_requests_total{method="POST",route="/api/v1/events",status="429"}'
            until(lambda: metric(running.url, refusals) > 0 and sender.receipt.retries > 0)
            assert sender.waiting == 100
            slow.send(filler[-1:])
            assert slow.answer().status == 202
            assert sender.flush().accepted == 100
    assert event_counts(running.url, "pressed") == {"pressed": 100}


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_what_is_rejected_comes_back_with_its_event_and_the_others_count(client: Client, compression: Any) -> None:
    source = f"mixed-{compression}"
    events = [{"source": source, "v": 1.0}, {"source": source, "v": float("nan")}, {"source": source, "time": "soon"},
              {"source": source, "v": 2.0}, {"source": source, "v": [1]}]
    receipt = client.send(events, compression=compression)
    assert (receipt.accepted, receipt.rejected, receipt.rejections_omitted) == (2, 3, 0)
    assert [(one.event, one.code) for one in receipt.rejections] == [
        (1, "not_finite"), (2, "bad_time"), (4, "unsupported_type")]
    assert receipt.rejections[1].line == f'{{"source":"{source}","time":"soon"}}'
    only_bad = client.send(events[1:3])
    assert (only_bad.accepted, only_bad.rejected) == (0, 2)


def test_arrays_go_in_and_come_out_the_same(client: Client) -> None:
    rng = np.random.default_rng(7)
    time = np.datetime64("2026-01-05", "ms") + np.arange(2_500) * np.timedelta64(1_500, "ms")
    value = rng.normal(20.0, 1.0, 2_500)
    receipt = client.send({"time": time, "v": value}, extra={"source": "array"}, batch_events=600)
    list(client.buckets(source="array", limit=1, sequence=receipt.sequence))
    for page_rows in (10_000, 97):
        columns = to_arrays(client.readings("array", page_rows=page_rows))
        np.testing.assert_array_equal(columns["time"], time)
        np.testing.assert_array_equal(columns["value"], value)
    part = to_structured(client.readings("array", start="2026-01-05T00:00:03Z", end="2026-01-05T00:00:06Z"))
    assert part.dtype.names == ("source", "field", "time", "value")
    assert part["value"].tolist() == value[2:4].tolist()
    points = client.points("array", level="raw", width=100, time="epoch_ms")["series"][0]
    assert points["downsampled"] and len(points["time"]) <= 100


def test_lists_are_followed_over_their_pages_into_columns(client: Client) -> None:
    names = [f"many-{n:04}" for n in range(1_100)]
    sequence = client.send([{"source": name, "time": START_S, "v": 1} for name in names]).sequence
    buckets = list(client.buckets(source=names[:3], sequence=sequence))
    assert [bucket["source"] for bucket in buckets] == names[:3]
    assert [source["source"] for source in client.sources(prefix="many-")] == names
    assert len(list(client.sources(prefix="many-", limit=1_050))) == 1_050
    columns = to_arrays(client.sources(prefix="many-"))
    assert columns["event_count"].dtype == np.int64 and columns["first_event"].dtype == np.dtype("datetime64[ms]")
    assert columns["first_event"][0] == np.datetime64(START_S, "s")
    assert client.source(names[0])["series"][0]["last_value"] == 1
    with pytest.raises(NotFound) as missing:
        client.source("nobody")
    assert missing.value.status == 404 and missing.value.code == "not_found"


def test_frames_need_pandas_and_say_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackage, match="pandas is not installed"):
        to_pandas([{"v": 1}])


def test_jobs_and_checks_are_made_listed_and_deleted(client: Client) -> None:
    assert client.create_job({"id": "mine", "model": "ewma"})["id"] == "mine"
    with pytest.raises(Conflict):
        client.create_job({"id": "mine", "model": "ewma"})
    assert [job["id"] for job in client.jobs()] == ["mine", "watch"]
    assert client.job("mine")["model"] == "ewma"
    client.delete_job("mine")
    with pytest.raises(NotFound):
        client.job("mine")
    check = {"id": "cold", "kind": "range", "parameters": {"min": 0}, "series": [{"source": "a", "field": "v"}]}
    assert client.create_check(check)["id"] == "cold"
    assert [one["id"] for one in client.checks()] == [client.check("cold")["id"]] == ["cold"]
    client.delete_check("cold")
    assert list(client.checks()) == []


def steady(source: str, first: int, count: int, rng: random.Random, odd_at: int = -1) -> list[dict[str, Any]]:
    """Readings around 100, the one numbered *odd_at* far from it."""
    return [{"source": source, "time": START_S + 10 * i, "v": ODD if i == odd_at else round(rng.gauss(100, 1), 3)}
            for i in range(first, first + count)]


@pytest.mark.timeout(SEVERAL_STARTS_S)
def test_a_stream_goes_on_over_a_kill_without_a_gap_and_without_repeating(tmp_path: Path) -> None:
    rng = random.Random(3)
    heard: list[Happened] = []
    with Killed(tmp_path) as killed, Client(killed.url, retry=PATIENT) as client:
        client.send([one for n in range(20) for one in steady(f"s{n:02}", 0, 600, rng)])

        def listen() -> None:
            with Client(killed.url, retry=PATIENT) as own, suppress(StopIteration):
                for happened in own.follow(types="record", min_score=50):
                    heard.append(happened)
                    if happened.document["source"] == "s19" and happened.document["actual"] == ODD:
                        return

        listener = threading.Thread(target=listen)
        listener.start()
        until(lambda: metric(killed.url, "offbeat_stream_clients"))
        for first in (0, 7, 14):
            if first:
                killed.again()  # some findings come while nobody follows
            for n in range(first, min(first + 7, 20)):
                client.send(steady(f"s{n:02}", 600, 12, rng, 605))
        listener.join(60)
        assert not listener.is_alive()
        records = {one["id"]: one for one in client.records(min_score=50, sequence="latest")}
    odd = [happened for happened in heard if happened.document["actual"] == ODD]
    assert [happened.document["source"] for happened in odd] == [f"s{n:02}" for n in range(20)]
    ids = [happened.id for happened in heard]
    assert len(set(ids)) == len(ids)
    assert all(records[happened.document["id"]] == happened.document for happened in odd)


async def test_a_loop_follows_asks_and_sends_at_once(running: Daemon) -> None:
    rng = random.Random(4)
    async with AsyncClient(running.url, retry=PATIENT) as client:
        await client.send(steady("loop", 0, 600, rng))
        following = client.follow(source="loop", types="record", min_score=50)
        first = asyncio.ensure_future(anext(following))
        while not metric(running.url, "offbeat_stream_clients"):
            await client.call("GET", "/jobs")
        receipt = await client.send(steady("loop", 600, 10, rng, 605))
        happened = await asyncio.wait_for(first, 60)
        await following.aclose()
        assert happened.document["actual"] == ODD
        found = [one async for one in client.records(source="loop", min_score=50, sequence=receipt.sequence)]
        assert happened.document in found
        assert (await client.record(happened.document["id"]))["explain"]["history"]["reading_count"] > 600
        parts = [part async for part in client.readings("loop", page_rows=100)]
        assert sum(len(part.value) for part in parts) == 610
