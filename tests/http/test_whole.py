"""The doors over the real daemon: what it answers keeps to the schemas, and the stream tells what the queries tell."""
from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from offbeat.config import Config, HttpConfig, StoreConfig
from offbeat.http.schemas import named
from offbeat.service import listening, running
from tests.http.conformity import misfits

EVENTS = b"".join(
    b'{"time": %d, "source": "line 1/pump", "flow": %d}\n' % (1_700_000_000 + i, 100 if i == 150 else i % 5)
    for i in range(200)
)


@asynccontextmanager
async def daemon(state_dir: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a daemon that was sent EVENTS and a line that is none, and has applied them."""
    config = Config(store=StoreConfig(state_dir=str(state_dir)), http=HttpConfig(port=0))
    async with (
        running(config) as service,
        listening(service, []) as (address,),
        aiohttp.ClientSession(address) as client,
    ):
        async with client.post("/api/v1/events", data=EVENTS + b"no event\n") as response:
            receipt = await response.json()
            assert (response.status, receipt["accepted"], receipt["rejected"]) == (202, 200, 1)
        await get(client, f"/api/v1/buckets?sequence={receipt['sequence']}")
        yield client


async def get(client: aiohttp.ClientSession, path: str) -> Any:
    """The JSON document at *path*."""
    async with client.get(URL(path, encoded=True)) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def test_the_answers_of_the_daemon_keep_to_the_schemas(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        for path, schema, rows in (
            ("/buckets", "Buckets", "buckets"),
            ("/buckets?scope=job", "Buckets", "buckets"),
            ("/records", "Records", "records"),
            ("/records/watch%3A0%3Aline%201%2Fpump%3Aflow%3A1700000100000", "Record", "explain"),
            ("/buckets?order=-score", "Buckets", "buckets"),
            ("/sources", "Sources", "sources"),
            ("/jobs", "Jobs", "jobs"),
            ("/sources/line%201%2Fpump", "SourceInFull", "series"),
            ("/diagnosis", "Diagnosis", "sources"),
            ("/sources/line%201%2Fpump/readings?width=10", "Readings", "series"),
            ("/quarantine", "Quarantine", "rejected"),
            ("/sources/line%201%2Fpump/readings?level=1m", "Readings", "series"),
        ):
            document = await get(client, f"/api/v1{path}")
            assert misfits(document, named(schema)) == [], path
            assert document[rows], path


async def test_the_answers_about_feedback_keep_to_the_schemas(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        record = (await get(client, "/api/v1/records?order=-score&limit=1"))["records"][0]
        said = {"verdict": "normal", "record": record["id"], "below": record["score"] / 2}
        for query, status, name in (("?preview=true", 200, None), ("", 201, "calmer-1")):
            async with client.post(f"/api/v1/feedback{query}", json=said) as response:
                document = await response.json()
                assert (response.status, document.get("name")) == (status, name), document
                assert misfits(document, named("FeedbackWeighed")) == []
                assert [one["id"] for one in document["records"]] == [record["id"]]
        assert misfits(await get(client, "/api/v1/feedback"), named("Feedback")) == []
        assert misfits(await get(client, "/api/v1/feedback/calmer-1"), named("Adjustment")) == []


async def test_the_stream_resumes_with_what_the_queries_tell(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        (record,) = (await get(client, "/api/v1/records"))["records"]
        async with client.get("/api/v1/stream?last_event_id=0-0&types=record") as response:
            assert await response.content.readuntil(b"\n\n") == b": follow on\n\n"
            frame = await asyncio.wait_for(response.content.readuntil(b"\n\n"), 5)
        told = dict(line.split(": ", 1) for line in frame.decode().strip().split("\n"))
        assert (told["event"], json.loads(told["data"])) == ("record", record)
