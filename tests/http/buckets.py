"""Jobs with detectors, over the real daemon: what it is sent, and what it answers."""
from __future__ import annotations

import io
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from offbeat.clock import ManualClock
from offbeat.config import from_mapping
from offbeat.intake.committer import Control
from offbeat.service import Service, running
from offbeat.serving import listening

SPAN_S = 60
START_MS = 1_700_000_040_000
"""A whole number of spans."""
SPEC: dict[str, Any] = {
    "id": "shops",
    "bucket_span_s": SPAN_S,
    "detectors": [{"function": "mean", "field": "took", "by": "shop"}, {"function": "count"}],
    "influencers": ["shop"],
}
RESULTS = ("buckets", "records", "influencers")


@dataclass(frozen=True)
class Client:
    """A client of a running daemon, and the daemon."""

    service: Service
    clock: ManualClock
    http: aiohttp.ClientSession

    async def call(self, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        """What *path* (below /api/v1) answers, which must be with *status*; a document is sent as JSON."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        if isinstance(data, bytes):
            data = io.BytesIO(data)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = URL(f"/api/v1{path}", encoded=True)
        async with self.http.request(method, url, data=data, headers=named, skip_auto_headers=["Content-Type"]) as made:
            whole = await made.read()
            assert made.status == status, whole.decode(errors="replace")
            return json.loads(whole) if made.content_type == "application/json" and whole else whole

    async def get(self, path: str, status: int = 200) -> Any:
        """The document at *path*."""
        return await self.call("GET", path, status=status)

    async def post(self, path: str, body: Any = b"", status: int = 200, **headers: str) -> Any:
        """What is answered to *body*."""
        return await self.call("POST", path, body, status, **headers)

    async def results(self, id: str = "shops", *names: str) -> dict[str, Any]:
        """All results of a job, by kind."""
        return {
            name: (await self.get(f"/jobs/{id}/results/{name}?limit=10000&sequence=latest"))[name]
            for name in names or RESULTS
        }

    async def tick(self) -> None:
        """Let the clock tick once."""
        await self.service.intake.submit(Control("tick"))


@asynccontextmanager
async def daemon(state_dir: Path, now_ms: int = START_MS) -> AsyncIterator[Client]:
    """A daemon whose clock stands still, and which does nothing by itself."""
    config = from_mapping(
        {
            "store": {"state_dir": str(state_dir), "checkpoint_s": 1e9},
            "engine": {"tick_s": 1e6},
            "watch": {"model": "ewma", "parameters": {"warmup_readings": 5}},
            "http": {"port": 0},
        }
    )
    clock = ManualClock(now_ms)
    async with (
        running(config, clock=clock) as service,
        listening(service, []) as (address,),
        aiohttp.ClientSession(address) as http,
    ):
        yield Client(service, clock, http)


def rows(count: int, seed: int = 1, odd: Sequence[int] = (), step_ms: int = 1_000) -> list[dict[str, Any]]:
    """Calls of three shops, a second apart; those in the spans *odd* take three times as long in one of them."""
    rng = random.Random(seed)
    made = []
    for i in range(count):
        time_ms = START_MS + i * step_ms
        shop = rng.choice(("north", "south", "west"))
        took = round(rng.gauss(100, 5), 3)
        if shop == "west" and (time_ms - START_MS) // (1000 * SPAN_S) in odd:
            took *= 3
        made.append({"time": time_ms, "shop": shop, "took": took})
    return made


def ndjson(records: Sequence[dict[str, Any]]) -> bytes:
    """*records*, a line each."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)
