"""Feedback that was acknowledged is kept, once: after a SIGKILL it acts from where it was given, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.system.daemon import Daemon, daemon, everything, pages, settings

START_S = 1_767_600_000
STEP_S = 10
SPIKE_EVERY = 250
PARTS = 5


def part(number: int) -> str:
    """Readings of a calm pump with a spike now and then; the next part goes on where this one ends."""
    first = number * 2 * SPIKE_EVERY
    lines = []
    for i in range(first, first + 2 * SPIKE_EVERY):
        value = 10 + (i * 7919 % 97) / 97 + (9 if i % SPIKE_EVERY == SPIKE_EVERY - 1 else 0.0)
        lines.append(f'{{"time": {START_S + i * STEP_S}, "source": "pump", "flow": {value:.4f}}}')
    return "\n".join(lines)


async def call(url: str, method: str, path: str, status: int, **more: Any) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{url}/api/v1{path}", **more) as answer,
    ):
        assert answer.status == status, await answer.text()
        return await answer.json() if answer.content_type == "application/json" else None


async def step(url: str, number: int) -> None:
    """One part of the events, and what is said after it: feedback, more of it, the first taken back."""
    headers = {"Content-Type": "application/x-ndjson"}
    await call(url, "POST", "/events", 202, data=part(number).encode(), headers=headers)
    first = START_S + (SPIKE_EVERY - 1) * STEP_S
    said = {"verdict": "normal", "source": "pump", "field": "flow", "start": first, "end": first + 1}
    if number == 1:
        await call(url, "POST", "/feedback?sequence=latest", 201, json={**said, "below": 50})
    elif number == 2:
        await call(url, "POST", "/feedback?sequence=latest", 201, json={**said, "below": 12})
    elif number == 3:
        await call(url, "DELETE", "/feedback/calmer-1", 204)


async def told(url: str) -> dict[str, Any]:
    """Everything that can be asked, feedback too, without the wall clock's times."""
    found = await everything(url)
    async with aiohttp.ClientSession() as session:
        rows = await pages(session, f"{url}/api/v1/feedback", "feedback")
    found["feedback"] = [{**row, "created": "", "undone": row["undone"] is not None} for row in rows]
    return found


@pytest.mark.timeout(300)
async def test_feedback_survives_kills_and_acts_once(tmp_path: Path) -> None:
    config = settings(
        tmp_path / "offbeat.toml",
        store={"checkpoint_s": 0.2},
        engine={"tick_s": 3600.0},
        watch={"model": "ewma"},
    )
    with daemon(tmp_path / "whole", config) as running:
        for number in range(PARTS):
            await step(running.url, number)
        expected = await told(running.url)
    assert [row["name"] for row in expected["feedback"]] == ["calmer-2", "calmer-1"]
    assert all(row["hidden_count"] > 0 for row in expected["feedback"]), expected["feedback"]
    for number in range(PARTS):
        running = Daemon(tmp_path / "killed", config).wait_ready()
        await step(running.url, number)
        running.kill()
    with daemon(tmp_path / "killed", config) as running:
        found = await told(running.url)
        assert found.keys() == expected.keys()
        for name in expected:
            assert found[name] == expected[name], name
