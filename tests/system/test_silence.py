"""A sensor that stops is found by the real daemon, within a tick of being overdue, wherever one looks for findings."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiohttp

from tests.system.client import get, metric, post
from tests.system.daemon import Daemon, daemon

TICK_S = 0.2
CONFIG = f"""
[engine]
tick_s = {TICK_S}
[watch]
model = "tests.engine.heartbeat:Heartbeat"
bucket_span_s = 1
"""
HERE = {"PYTHONPATH": str(Path(__file__).parents[2])}


async def told(url: str, count: int) -> list[dict[str, Any]]:
    """The first *count* records that the stream tells."""
    found: list[dict[str, Any]] = []
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/api/v1/stream", params={"types": "record", "last_event_id": "0-0"}) as answer,
    ):
        async for line in answer.content:
            if line.startswith(b"data: "):
                found.append(json.loads(line.removeprefix(b"data: ")))
                if len(found) == count:
                    break
    return found


def pulses(count: int, every_s: float) -> bytes:
    """What the sensor "pump" has sent by now: the newest a moment ago, the others before it."""
    now_ms = int(time.time() * 1000)
    times = [now_ms - int(1000 * every_s * i) for i in reversed(range(count))]
    return b"".join(
        json.dumps({"source": "pump", "time": t, "pressure": 5.0, "flow": 1.0}).encode() + b"\n" for t in times
    )


def records(running: Daemon) -> list[dict[str, Any]]:
    return get(running.url, "/api/v1/records", sequence="latest").document["records"]  # type: ignore[no-any-return]


async def test_a_sensor_that_stops_is_a_record_and_survives_a_kill(tmp_path: Path) -> None:
    config = tmp_path / "offbeat.toml"
    config.write_text(CONFIG)
    with daemon(tmp_path / "state", config, environment=HERE) as running:
        await asyncio.to_thread(post, running.url, pulses(60, 0.5))
        (record,) = await asyncio.wait_for(told(running.url, 1), 30)
        assert (record["source"], record["actual"], record["typical"]) == ("pump", None, None)
        first = await asyncio.to_thread(records, running)
        assert record["id"] in {one["id"] for one in first}
        where = {"start": record["bucket_start"], "limit": 1, "sequence": "latest"}
        bucket = get(running.url, "/api/v1/buckets", **where).document["buckets"][0]
        assert (bucket["event_count"], bucket["record_count"]) == (0, 1)
        (its,) = get(running.url, "/api/v1/diagnosis", source="pump").document["sources"]
        assert {series["state"] for series in its["series"]} == {"silent"}
        assert its["suppressed"][0]["silence"] >= 1, "one of its two series spoke for both"
        assert metric(running.url, 'offbeat_findings_suppressed_total{rule="silence"}') >= 1
        running.kill()
    with daemon(tmp_path / "state", config, environment=HERE) as running:
        again = {one["id"]: one for one in await asyncio.to_thread(records, running)}
        assert record["id"] in again and again[record["id"]]["score"] >= record["score"]
