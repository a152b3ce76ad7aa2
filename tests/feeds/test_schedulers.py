"""Schedulers of the Prelert gateway: started, stopped, told apart by codes; passwords; what a job may meanwhile."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offbeat.clock import ManualClock
from tests.feeds.doors import Door, door
from tests.feeds.parts import START_S, csv, rows
from tests.feeds.server import INDEX, TYPE, SearchServer, serving

ROWS = rows(5, 900)
ACK = (200, {"acknowledgement": True})
ANALYSIS = {"bucketSpan": 60, "detectors": [{"function": "mean", "fieldName": "value", "byFieldName": "host"}]}


def of_file(path: Path, tail: bool = True, **more: Any) -> dict[str, Any]:
    return {"id": "shop", "analysisConfig": ANALYSIS, "dataDescription": {"fieldDelimiter": ","},
            "schedulerConfig": {"dataSource": "FILE", "filePath": str(path), "tailFile": tail}, **more}


def of_search(server: SearchServer, **more: Any) -> dict[str, Any]:
    return {"id": "shop", "analysisConfig": ANALYSIS,
            "dataDescription": {"format": "ELASTICSEARCH", "timeFormat": "epoch_ms"},
            "schedulerConfig": {"dataSource": "ELASTICSEARCH", "baseUrl": server.url, "indexes": INDEX, "types": TYPE,
                                "scrollSize": 100, **more}}


async def made(at: Door, document: dict[str, Any]) -> None:
    status, answer = await at.prelert("POST", "/jobs", document)
    assert status == 201, answer


async def job(at: Door) -> dict[str, Any]:
    status, answer = await at.prelert("GET", "/jobs/shop")
    assert status == 200
    found: dict[str, Any] = answer["document"]
    return found


def code(answer: tuple[int, Any]) -> tuple[int, int]:
    return answer[0], answer[1]["errorCode"]


async def test_a_scheduler_is_started_and_stopped_and_refused_by_its_codes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(csv(ROWS))
    async with door(tmp_path / "state") as at:
        await made(at, of_file(path))
        assert (await job(at))["schedulerStatus"] == "STOPPED"
        assert code(await at.prelert("POST", "/schedulers/shop/stop")) == (409, 60115)
        assert await at.prelert("POST", "/schedulers/shop/start?start=&end=") == ACK
        await at.home.waits.asleep()
        now = await job(at)
        assert (now["schedulerStatus"], now["status"]) == ("STARTED", "RUNNING")
        assert now["counts"]["processedRecordCount"] == len(ROWS)
        assert code(await at.prelert("POST", "/schedulers/shop/start")) == (409, 60114)
        for call in ("data/shop/flush", "data/shop/close", "jobs/shop/pause", "jobs/shop/resume"):
            assert code(await at.prelert("POST", f"/{call}")) == (409, 60117), call
        status, answer = await at.prelert("POST", "/data/shop", {"time": 1})
        assert (status, answer["responses"][0]["error"]["errorCode"]) == (409, 60117)
        assert code(await at.prelert("PUT", "/jobs/shop/update", {
            "schedulerConfig": {"dataSource": "FILE", "filePath": "/b"}})) == (409, 60126)
        assert await at.prelert("POST", "/schedulers/shop/stop") == ACK
        now = await job(at)
        assert (now["schedulerStatus"], now["status"]) == ("STOPPED", "CLOSED")


async def test_a_job_without_a_scheduler_says_so(tmp_path: Path) -> None:
    async with door(tmp_path / "state") as at:
        await made(at, {"id": "shop", "analysisConfig": ANALYSIS})
        for what in ("start", "stop"):
            assert code(await at.prelert("POST", f"/schedulers/shop/{what}")) == (404, 60116)
            assert code(await at.prelert("POST", f"/schedulers/other/{what}")) == (404, 20101)
        assert "schedulerStatus" not in await job(at)


async def test_a_file_that_is_not_tailed_is_read_between_start_and_end_and_the_job_closed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(csv(ROWS))
    async with door(tmp_path / "state") as at:
        await made(at, of_file(path, tail=False))
        assert code(await at.prelert("POST", "/schedulers/shop/start?start=x")) == (400, 60101)
        assert code(await at.prelert("POST", "/schedulers/shop/start?start=9&end=8")) == (400, 60107)
        asked = f"/schedulers/shop/start?start={START_S + 60}&end={START_S + 120}"
        assert await at.prelert("POST", asked) == ACK
        await at.home.ended("shop")
        now = await job(at)
        assert (now["schedulerStatus"], now["status"]) == ("STOPPED", "CLOSED")
        assert now["counts"]["processedRecordCount"] == 180
        assert "finishedTime" in now


async def test_another_file_is_read_once_the_scheduler_was_told(tmp_path: Path) -> None:
    for name, some in (("a", ROWS[:300]), ("b", ROWS[300:])):
        (tmp_path / name).write_bytes(csv(some))
    async with door(tmp_path / "state") as at:
        await made(at, of_file(tmp_path / "a", tail=False))
        assert await at.prelert("POST", "/schedulers/shop/start") == ACK
        await at.home.ended("shop")
        update = {"schedulerConfig": {"dataSource": "FILE", "filePath": str(tmp_path / "b")}}
        assert await at.prelert("PUT", "/jobs/shop/update", update) == ACK
        assert (await job(at))["schedulerConfig"]["filePath"] == str(tmp_path / "b")
        assert await at.prelert("POST", "/schedulers/shop/start") == ACK
        await at.home.ended("shop")
        assert (await job(at))["counts"]["processedRecordCount"] == len(ROWS)


@pytest.mark.parametrize("changed", [False, True])
async def test_a_password_is_shown_to_nobody_and_is_there_after_a_restart(changed: bool, tmp_path: Path) -> None:
    server, clock = SearchServer(user="ann", password="s3cret"), ManualClock((START_S + 10_000) * 1000)
    async with serving(server):
        server.add(*({"time": t * 1000, "host": h, "value": v} for t, h, v in ROWS))
        async with door(tmp_path / "state", clock) as at:
            await made(at, of_search(server, username="ann", password="old" if changed else "s3cret"))
            if changed:
                update = {"schedulerConfig": of_search(server, username="ann", password="s3cret")["schedulerConfig"]}
                assert await at.prelert("PUT", "/jobs/shop/update", update) == ACK
            for path in ("/engine/v2/jobs", "/engine/v2/jobs/shop", "/api/v1/jobs/shop/feed", "/api/v1/feeds"):
                status, document = await at.call("GET", path)
                assert status == 200
                assert "ann" in str(document)
                assert "s3cret" not in str(document), path
        async with door(tmp_path / "state", clock) as at:
            description = {"description": "after a restart"}
            assert await at.prelert("PUT", "/jobs/shop/update", description) == ACK
            assert await at.prelert("POST", f"/schedulers/shop/start?end={START_S + 1000}") == ACK
            await at.home.ended("shop")
            now = await job(at)
            assert now["counts"]["processedRecordCount"] == len(ROWS)
            assert now["description"] == "after a restart"


async def test_an_encrypted_password_cannot_be_used_here(tmp_path: Path) -> None:
    async with door(tmp_path / "state") as at:
        server = SearchServer()
        server.url = "http://127.0.0.1:1"
        await made(at, of_search(server, username="ann", encryptedPassword="abc"))
        assert code(await at.prelert("POST", "/schedulers/shop/start")) == (409, 60114)
        assert (await job(at))["schedulerStatus"] == "STOPPED"


async def test_a_scheduled_job_is_deleted_while_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(csv(ROWS))
    async with door(tmp_path / "state") as at:
        await made(at, of_file(path))
        assert await at.prelert("POST", "/schedulers/shop/start") == ACK
        await at.home.waits.asleep()
        assert await at.prelert("DELETE", "/jobs/shop") == ACK
        assert await at.call("GET", "/api/v1/feeds") == (200, {"feeds": []})
