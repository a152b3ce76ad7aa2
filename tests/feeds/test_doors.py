"""Feeds in the native API, and ``offbeat feeds``."""
from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from offbeat.cli.group import offbeat
from offbeat.http.schemas import SCHEMAS
from tests.feeds.doors import Door, door
from tests.feeds.parts import JOB, csv, rows
from tests.http.conformity import misfits

ROWS = rows(6, 300)
FEED = f"/api/v1/jobs/{JOB.id}/feed"


async def good(at: Door, method: str, path: str, document: Any = None, schema: str = "Feed") -> Any:
    status, answer = await at.call(method, path, document)
    assert status == 200, answer
    assert misfits(answer, SCHEMAS[schema]) == []
    return answer


async def refused(at: Door, method: str, path: str, document: Any = None) -> tuple[int, str]:
    status, answer = await at.call(method, path, document)
    return status, answer["error"]["code"]


async def test_a_feed_is_given_started_shown_stopped_and_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with door(tmp_path / "state") as at:
        await at.home.analyses.create(JOB, {})
        assert await refused(at, "GET", FEED) == (404, "job_has_no_feed")
        assert await refused(at, "PUT", FEED, {"source": {"kind": "tape"}}) == (400, "bad_request")
        given = await good(at, "PUT", FEED, {"source": {"kind": "file", "path": str(path)}})
        assert (given["state"], given["feed"]["source"]["tail"]) == ("STOPPED", True)
        assert await refused(at, "POST", f"{FEED}/stop") == (409, "feed_cannot_be_stopped")
        assert (await good(at, "POST", f"{FEED}/start"))["state"] == "STARTED"
        await at.home.waits.asleep()
        troubled = await good(at, "GET", FEED)
        assert (troubled["trouble_count"], troubled["trouble"]["tries"]) == (1, 1)
        path.write_bytes(csv(ROWS))
        await at.home.waits.look()
        now = await good(at, "GET", FEED)
        assert (now["record_count"], now["trouble"]) == (300, None)
        assert await refused(at, "DELETE", FEED) == (409, "feed_cannot_be_changed")
        assert await refused(at, "POST", f"{FEED}/start") == (409, "feed_cannot_be_started")
        assert [one["job"] for one in (await good(at, "GET", "/api/v1/feeds", schema="Feeds"))["feeds"]] == [JOB.id]
        metrics = at.home.service.metrics.render().decode()
        assert "offbeat_feed_records_total 300.0" in metrics
        assert "offbeat_feed_troubles_total 1.0" in metrics
        assert "offbeat_feeds_started 1.0" in metrics
        assert (await good(at, "POST", f"{FEED}/stop"))["state"] == "STOPPED"
        assert (await at.call("DELETE", FEED))[0] == 204
        assert await refused(at, "GET", FEED) == (404, "job_has_no_feed")
        assert await refused(at, "POST", "/api/v1/jobs/none/feed/start") == (404, "not_found")


async def test_the_command_does_the_same(tmp_path: Path) -> None:
    path, document = tmp_path / "log", tmp_path / "feed.json"
    path.write_bytes(csv(ROWS))
    document.write_text(f'{{"source": {{"kind": "file", "path": "{path}"}}}}')

    async def said(*arguments: str) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, offbeat, ["feeds", *arguments, "--url", at.url])
        assert done.exit_code == 0, (done.output, done.exception)
        return str(done.output)

    async with door(tmp_path / "state") as at:
        await at.home.analyses.create(JOB, {})
        assert "no job has a feed" in await said()
        assert str(path) in await said("put", JOB.id, str(document))
        assert "STARTED" in await said("start", JOB.id, "--start", "2020-01-01")
        await at.home.waits.asleep()
        assert "300" in await said()
        assert '"state":"STARTED"' in await said("--json")
        assert "STOPPED" in await said("stop", JOB.id)
        await said("delete", JOB.id)
        assert "no job has a feed" in await said()
