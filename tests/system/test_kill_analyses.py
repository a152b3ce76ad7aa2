"""Uploads to analyses under SIGKILL: sent again under their keys, they give what a run gives that was never killed."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from offbeat import assembly
from offbeat.packing import unpack
from offbeat.store import analyses as kept
from offbeat.store.database import FILE_NAME
from tests.system.daemon import Daemon, daemon

CONFIG = """
[engine]
tick_s = 0.2
[store]
checkpoint_s = 0.2
"""
KILLS = 12
UPLOADS, ROWS, CHUNK_BYTES = 8, 4_000, 8_192
START_S = 1_700_000_400
JOBS: dict[str, dict[str, Any]] = {
    "metrics": {
        "bucketSpan": 60,
        "detectors": [
            {"function": "mean", "fieldName": "value", "byFieldName": "host"},
            {"function": "high_count", "byFieldName": "host"},
        ],
        "influencers": ["host", "user"],
    },
    "people": {
        "bucketSpan": 120,
        "detectors": [
            {"function": "rare", "byFieldName": "user", "partitionFieldName": "host"},
            {"function": "distinct_count", "fieldName": "user"},
        ],
        "influencers": ["user"],
        "categorizationFieldName": "message",
        "latency": 60,
    },
}


def bodies(seed: int) -> list[bytes]:
    """Uploads of one job, in order of time but for some records: CSV with a header each."""
    rng, time_s, made = random.Random(seed), START_S, []
    for _ in range(UPLOADS):
        lines = ["time,host,user,value,message"]
        for _ in range(ROWS):
            time_s += rng.random() < 0.15
            late_s = rng.randrange(40) if rng.random() < 0.02 else 0
            value = rng.gauss(100, 5) * (6 if rng.random() < 0.001 else 1)
            user = rng.choice(("ann", "bob", "eve")) if rng.random() < 0.998 else f"guest{rng.randrange(9)}"
            message = f"request {rng.randrange(10**6)} took {rng.randrange(100)} ms"
            lines.append(f"{time_s - late_s},host{rng.randrange(20)},{user},{value:.3f},{message}")
        made.append("\n".join(lines).encode() + b"\n")
    return made


class Senders:
    """Sends the uploads of each job in order, in chunks; after a failure those that were not acknowledged."""

    def __init__(self) -> None:
        self._bodies = {id: bodies(i) for i, id in enumerate(JOBS)}
        self._next = dict.fromkeys(JOBS, 0)
        self.chunks = 0

    @property
    def done(self) -> bool:
        return all(at == UPLOADS for at in self._next.values())

    async def send(self, url: str, on_chunk: Callable[[int], None]) -> None:
        """Send until all is sent or the daemon is gone."""
        async with aiohttp.ClientSession(f"{url}/engine/v2/") as session:
            await asyncio.gather(*(self._job(session, id, on_chunk) for id in JOBS))

    async def _job(self, session: aiohttp.ClientSession, id: str, on_chunk: Callable[[int], None]) -> None:
        while self._next[id] < UPLOADS:
            number = self._next[id]
            body = self._chunks(self._bodies[id][number], on_chunk)
            try:
                headers = {"Idempotency-Key": f"upload {number}"}
                async with session.post(f"data/{id}", data=body, headers=headers) as answer:
                    document = await answer.json()
                    assert answer.status == 202, document
            except (aiohttp.ClientError, ConnectionError):
                return
            summary = document["responses"][0]["uploadSummary"]
            assert summary["inputRecordCount"] == ROWS
            assert summary["processedRecordCount"] + summary["outOfOrderTimeStampCount"] == ROWS
            self._next[id] += 1

    async def _chunks(self, body: bytes, on_chunk: Callable[[int], None]) -> AsyncIterator[bytes]:
        for first in range(0, len(body), CHUNK_BYTES):
            yield body[first : first + CHUNK_BYTES]
            self.chunks += 1
            on_chunk(self.chunks)


async def create(url: str) -> None:
    async with aiohttp.ClientSession(f"{url}/engine/v2/") as session:
        for id, analysis in JOBS.items():
            description = {"fieldDelimiter": ",", "timeField": "time", "timeFormat": "epoch"}
            document = {"id": id, "analysisConfig": analysis, "dataDescription": description}
            async with session.post("jobs", json=document) as answer:
                assert answer.status == 201, await answer.text()


async def results(url: str) -> dict[str, Any]:
    """Everything that the gateway shows of all jobs, once they are closed."""
    found: dict[str, Any] = {}
    async with aiohttp.ClientSession(f"{url}/engine/v2/") as session:

        async def get(path: str) -> Any:
            async with session.get(path) as answer:
                assert answer.status == 200, await answer.text()
                return await answer.json()

        for id in JOBS:
            async with session.post(f"data/{id}/close") as answer:
                assert answer.status == 202, await answer.text()
            found[id, "counts"] = (await get(f"jobs/{id}"))["document"]["counts"]
            for kind in ("buckets?take=1000&expand=true&", "records?take=100000&", "influencers?take=100000&"):
                found[id, kind] = (await get(f"results/{id}/{kind}includeInterim=false"))["documents"]
            newest = (await get(f"modelsnapshots/{id}"))["documents"][0]
            found[id, "snapshot"] = [newest[name] for name in ("latestRecordTimeStamp", "latestResultTimeStamp")]
        found["categories"] = (await get("results/people/categorydefinitions?take=1000"))["documents"]
    return found


def states(state_dir: Path) -> dict[str, Any]:
    """The states of all analyses as the last stop left them, and the rows of their results, by the bits."""
    found: dict[str, Any] = {}
    with sqlite3.connect(state_dir / FILE_NAME) as db:
        for job in range(1, len(JOBS) + 1):
            sql = (
                "SELECT body FROM analysis_state s JOIN analysis a ON s.job = a.number "
                "WHERE job = ? AND name = 'current:' || seq ORDER BY piece"
            )
            state = unpack(b"".join(body for (body,) in db.execute(sql, (job,))))
            found["state", job] = {name: array.tobytes() for name, array in state.items()}
        for table in kept.RESULTS:
            found[table] = db.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()
    db.close()
    return found


def verified(state_dir: Path) -> tuple[str, ...]:
    return assembly.verify(state_dir).differences


@pytest.mark.timeout(300)
async def test_after_twelve_kills_during_uploads_analyses_are_those_of_an_uninterrupted_run(tmp_path: Path) -> None:
    config = tmp_path / "offbeat.toml"
    config.write_text(CONFIG)
    with daemon(tmp_path / "whole", config) as running:
        await create(running.url)
        senders = Senders()
        await senders.send(running.url, lambda _: None)
        assert senders.done
        expected = await results(running.url)
    expected |= states(tmp_path / "whole")

    rng, senders, each = random.Random(2), Senders(), senders.chunks // KILLS
    for kill in range(KILLS):
        running = Daemon(tmp_path / "killed", config)
        await asyncio.to_thread(running.wait_ready)
        if not kill:
            await create(running.url)
        last = senders.chunks + rng.randrange(each // 4, 2 * each)

        def kill_at(chunk: int, running: Daemon = running, last: int = last) -> None:
            if chunk >= last and running.process.poll() is None:
                running.kill()

        await senders.send(running.url, kill_at)
        if running.process.poll() is None:
            running.kill()
    with daemon(tmp_path / "killed", config) as running:
        await senders.send(running.url, lambda _: None)
        assert senders.done
        found = await results(running.url)
    found |= states(tmp_path / "killed")
    assert await asyncio.to_thread(verified, tmp_path / "killed") == ()

    assert found.keys() == expected.keys()
    for part in expected:
        assert found[part] == expected[part], part
    assert expected["metrics", "records?take=100000&"] and expected["people", "records?take=100000&"]
    assert len(expected["categories"]) == 1
    assert expected["people", "counts"]["outOfOrderTimeStampCount"] == 0
    assert expected["metrics", "counts"]["outOfOrderTimeStampCount"] > 0
