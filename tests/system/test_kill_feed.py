"""A feed goes on where it was: whatever the moment of a SIGKILL, nothing is missing and nothing counts twice."""
from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import aiohttp

from tests.feeds.parts import START_S
from tests.system.daemon import Daemon, settings

ROWS, KILLS = 60_000, 6
PATIENCE_S = 60.0
JOB = {
    "id": "shop",
    "analysisConfig": {"bucketSpan": 60, "influencers": ["host"], "detectors": [
        {"function": "mean", "fieldName": "value", "byFieldName": "host"}, {"function": "count"}]},
    "dataDescription": {"fieldDelimiter": ","},
}


def written() -> list[bytes]:
    """A file of ROWS records in pieces that do not end with lines; a few records are unusual."""
    dice = random.Random(11)
    lines = [b"time,host,value\n"]
    for i in range(ROWS):
        value = dice.gauss(50, 5) + 300 * (i % 20_000 == 9_999)
        lines.append(f"{START_S + i // 10},h{dice.randrange(4)},{value:.3f}\n".encode())
    body = b"".join(lines)
    cuts = sorted(dice.sample(range(1, len(body)), 2 * KILLS))
    return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]


async def call(method: str, url: str, document: Any = None) -> Any:
    async with aiohttp.ClientSession() as session, session.request(method, url, json=document) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json()


async def until_read(url: str, records: int) -> None:
    """Return once the job has so many records."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            job = (await call("GET", f"{url}/engine/v2/jobs/shop"))["document"]
            if job["counts"]["processedRecordCount"] >= records:
                return
            await asyncio.sleep(0.005)


async def begin(url: str, path: Path) -> None:
    await call("POST", f"{url}/engine/v2/jobs", JOB)
    feed = {"source": {"kind": "file", "path": str(path)}, "frequency_s": 0.1}
    await call("PUT", f"{url}/api/v1/jobs/shop/feed", feed)
    await call("POST", f"{url}/api/v1/jobs/shop/feed/start")


async def found(url: str) -> dict[str, Any]:
    """What the job counted and found, once its feed has stopped."""
    await call("POST", f"{url}/api/v1/jobs/shop/feed/stop")
    job = (await call("GET", f"{url}/engine/v2/jobs/shop"))["document"]
    results = f"{url}/engine/v2/results/shop"
    return {
        "counts": job["counts"],
        "buckets": (await call("GET", f"{results}/buckets?take=10000"))["documents"],
        "records": (await call("GET", f"{results}/records?take=10000"))["documents"],
        "influencers": (await call("GET", f"{results}/influencers?take=10000"))["documents"],
    }


def test_a_feed_that_is_killed_again_and_again_finds_what_one_that_never_was_does(tmp_path: Path) -> None:
    pieces, dice = written(), random.Random(12)
    config = settings(tmp_path / "offbeat.toml", store={"checkpoint_s": 0.2})
    path = tmp_path / "whole"
    path.write_bytes(b"".join(pieces))
    daemon = Daemon(tmp_path / "calm", config).wait_ready()
    try:
        asyncio.run(begin(daemon.url, path))
        asyncio.run(until_read(daemon.url, ROWS))
        expected = asyncio.run(found(daemon.url))
    finally:
        daemon.stop()
    assert expected["counts"]["processedRecordCount"] == ROWS
    assert expected["counts"]["outOfOrderTimeStampCount"] == 0
    assert any(record["normalizedProbability"] > 50 for record in expected["records"])

    path = tmp_path / "growing"
    path.write_bytes(b"")
    daemon = Daemon(tmp_path / "killed", config).wait_ready()
    try:
        asyncio.run(begin(daemon.url, path))
        whole = 0
        for i, piece in enumerate(pieces):
            before, whole = whole, whole + piece.count(b"\n")
            with path.open("ab") as stream:
                stream.write(piece)
            asyncio.run(until_read(daemon.url, before - 1 + dice.randrange(max(1, whole - before))))
            if i % 2 == 0 and i < 2 * KILLS:  # somewhere in the piece, or behind it
                daemon.kill()
                daemon = Daemon(tmp_path / "killed", config).wait_ready()
        asyncio.run(until_read(daemon.url, ROWS))
        assert asyncio.run(found(daemon.url)) == expected
    finally:
        daemon.stop()
