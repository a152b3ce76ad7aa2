"""A daemon whose senders are faster than it can pack what they send: it refuses, says why, and loses nothing."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.system.client import Answer, Pulse, diagnosis, event_counts, metric, post, until
from tests.system.daemon import daemon, settings

ROWS_MAX = 1_000
BODY_EVENTS = 500
PENDING_MAX = 256 * 1024
SENDERS = 8
LINE = b'{"time":%d,"source":"%s","v":%d}\n'
ROWS_OF_EVENT_MAX = 3
"""A reading, a bucket and a window: events here are a minute apart."""


def body(sender: int, number: int) -> bytes:
    first = number * BODY_EVENTS
    return b"".join(
        LINE % (1_577_836_800 + 60 * (first + i), b"s%d" % sender, i % 7) for i in range(BODY_EVENTS)
    )


def limit(url: str) -> dict[str, int]:
    (found,) = (one for one in diagnosis(url)["limits"] if one["name"] == "store.tail_readings_max")
    return found  # type: ignore[no-any-return]


def test_memory_that_is_full_turns_senders_away_until_it_is_packed_and_nothing_taken_is_lost(tmp_path: Path) -> None:
    config = settings(
        tmp_path / "offbeat.toml", store={"tail_readings_max": ROWS_MAX}, ingest={"pending_bytes_max": PENDING_MAX}
    )
    data = tmp_path / "data"
    most, reasons, over = [0], set[str](), threading.Event()
    refusals: list[Answer] = []

    def watch(url: str) -> None:
        while not over.is_set():
            most[0] = max(most[0], limit(url)["used"])
            reasons.add(diagnosis(url)["full_reason"])

    def send(url: str, sender: int) -> int:
        """Send until others and this one have been refused often enough; what was taken."""
        taken, by = 0, time.monotonic() + 60.0
        while len(refusals) < 20 or taken < 5:
            assert time.monotonic() < by, "nobody is refused"
            answer = post(url, body(sender, taken))
            if answer.status == 202:
                taken += 1
            elif "in memory" in answer.error["message"]:
                refusals.append(answer)
            else:
                assert (answer.status, answer.error["code"]) == (429, "intake_full")
        return taken

    with daemon(data, config) as running, ThreadPoolExecutor(SENDERS + 1) as pool:
        url = running.url
        watching = pool.submit(watch, url)
        with Pulse(url):
            taken = list(pool.map(send, [url] * SENDERS, range(SENDERS)))
        until(lambda: diagnosis(url)["full_reason"] == "")
        over.set()
        watching.result()
        for answer in refusals:
            assert (answer.status, answer.error["code"], answer.headers["Retry-After"]) == (429, "intake_full", "1")
            assert answer.error["message"].endswith("may; nothing of this body was stored")
            assert answer.error["where"] == {"limit": "store.tail_readings_max"} and answer.error["hint"]
        assert metric(url, 'offbeat_bodies_refused_total{bound="tail"}') == len(refusals)
        assert any(f"{ROWS_MAX} may" in reason for reason in reasons)
        pending_rows = ROWS_OF_EVENT_MAX * (PENDING_MAX // len(LINE % (1_577_836_800, b"s0", 0)))
        assert ROWS_MAX < most[0] < 1.5 * ROWS_MAX + pending_rows
        expected = {f"s{sender}": bodies * BODY_EVENTS for sender, bodies in enumerate(taken)}
        assert event_counts(url) == expected
        assert post(url, body(0, taken[0])).status == 202
        running.kill()
    with daemon(data, config) as running:
        expected["s0"] += BODY_EVENTS
        assert event_counts(running.url) == expected
        assert "bodies are refused" in running.said() and "Traceback" not in running.said()
