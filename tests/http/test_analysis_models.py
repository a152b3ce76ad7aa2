"""The models of a job: snapshots gone back to, and a job that goes on in another daemon as if nothing had happened."""
from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offbeat.http.schemas import named
from tests.http.buckets import SPEC, Client, daemon, ndjson, rows
from tests.http.conformity import misfits
from tests.store.process import copied

ROWS = rows(4_000, odd=(30, 60))
RICH = SPEC | {
    "detectors": [
        *SPEC["detectors"],
        {"function": "rare", "by": "prelertcategory"},
        {"function": "high_sum", "field": "took", "over": "shop"},
        {"function": "time_of_day", "by": "shop"},
    ],
    "categorization_field": "message",
}
FAREQUOTE = Path(__file__).parents[2].parent / "shared" / "data" / "farequote.csv"
FAREQUOTE_SPEC = {
    "id": "shops",
    "bucket_span_s": 3600,
    "detectors": [{"function": "metric", "field": "responsetime", "by": "airline"}],
    "influencers": ["airline"],
}


def with_messages(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"message": f"call {i} of {row['shop']} ended well"} for i, row in enumerate(records)]


async def snapshots(client: Client) -> list[dict[str, Any]]:
    found = await client.get("/jobs/shops/snapshots")
    assert misfits(found, named("Snapshots")) == []
    return found["snapshots"]  # type: ignore[no-any-return]


async def test_a_job_goes_on_from_an_earlier_snapshot(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        await client.post("/jobs", SPEC, 201)
        await client.post("/jobs/shops/records", ndjson(ROWS[:2_000]))
        await client.post("/jobs/shops/close")
        client.clock.move(5_000)
        await client.post("/jobs/shops/records", ndjson(ROWS[2_000:]))
        expected = await client.results()
        (first,) = await snapshots(client)
        assert (await client.post(f"/jobs/shops/snapshots/{first['id']}/revert", status=409))["error"]["code"] == (
            "job_not_closed"
        )
        await client.post("/jobs/shops/close")
        assert [one["in_use"] for one in await snapshots(client)] == [True, False]
        chosen = await client.post(f"/jobs/shops/snapshots/{first['id']}/revert?forget_results=true")
        assert misfits(chosen, named("Snapshot")) == []
        assert (chosen["id"], chosen["in_use"]) == (first["id"], True)
        assert len((await client.results())["buckets"]) < len(expected["buckets"])
        await client.post("/jobs/shops/records", ndjson(ROWS[2_000:]))
        again = await client.results()
        assert without_rescoring(again) == without_rescoring(expected)


def without_rescoring(results: dict[str, Any]) -> dict[str, Any]:
    """*results* but for what is set anew as the job learns what is usual for it: that came twice."""
    return {name: [{"start": one.get("start"), "p": one["probability"]} for one in found]
            for name, found in results.items()}


async def test_a_snapshot_is_described_and_deleted(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        await client.post("/jobs", SPEC, 201)
        for first in (0, 500):
            await client.post("/jobs/shops/records", ndjson(ROWS[first : first + 500]))
            await client.post("/jobs/shops/close")
            client.clock.move(5_000)
        newest, oldest = await snapshots(client)
        path = "/jobs/shops/snapshots"
        told = await client.call("PATCH", f"{path}/{oldest['id']}", {"description": "calm"})
        assert told == oldest | {"description": "calm"}
        taken = await client.call("PATCH", f"{path}/{newest['id']}", {"description": "calm"}, 409)
        assert taken["error"]["code"] == "description_taken"
        await client.call("PATCH", f"{path}/{newest['id']}", {"description": ""}, 400)
        assert (await client.call("DELETE", f"{path}/{newest['id']}", status=409))["error"]["code"] == (
            "model_snapshot_in_use"
        )
        await client.call("DELETE", f"{path}/{oldest['id']}", status=204)
        assert [one["id"] for one in await snapshots(client)] == [newest["id"]]
        for method, more, body in (("POST", "/revert", b""), ("DELETE", "", b""), ("PATCH", "", {"description": "x"})):
            none = await client.call(method, f"{path}/{oldest['id']}{more}", body, 404)
            assert none["error"]["code"] == "no_such_model_snapshot"


async def moved(
    client: Client, other: Client, spec: dict[str, Any], first: bytes, rest: bytes, **headers: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Results of one run, and of one of which the first half was in *other*."""
    await client.post("/jobs", spec, 201)
    await client.post("/jobs/shops/records", first, **headers)
    await other.post("/jobs/import", await client.get("/jobs/shops/export"), 201)
    for one in (client, other):
        await one.post("/jobs/shops/records", rest, **headers)
        await one.post("/jobs/shops/flush?interim=true")
    return await client.results(), await other.results()


@pytest.mark.parametrize("cut", [1, 1_234, 3_000])
async def test_a_job_that_moved_goes_on_as_if_nothing_had_happened(cut: int, state_dir: Path, tmp_path: Path) -> None:
    records = with_messages(ROWS)
    async with daemon(state_dir) as client:
        async with daemon(tmp_path / "other") as other:
            whole, halves = await moved(client, other, RICH, ndjson(records[:cut]), ndjson(records[cut:]))
            assert halves == whole
            assert len(whole["buckets"]) == 66
            for path in ("/jobs/shops/results/categories", "/jobs/shops"):
                volatile = {"created": "", "last_upload": ""}
                assert await other.get(path) | volatile == await client.get(path) | volatile
        async with daemon(tmp_path / "other") as other:
            assert await other.results() == whole


@pytest.mark.skipif(not FAREQUOTE.exists(), reason="farequote.csv is not beside the project")
async def test_farequote_in_two_daemons_is_farequote_in_one(state_dir: Path, tmp_path: Path) -> None:
    header, *lines = FAREQUOTE.read_bytes().splitlines(keepends=True)
    half = len(lines) // 2
    first, rest = (header + b"".join(some) for some in (lines[:half], lines[half:]))
    async with daemon(state_dir) as client, daemon(tmp_path / "other") as other:
        whole, halves = await moved(client, other, FAREQUOTE_SPEC, first, rest, Content_Type="text/csv")
        assert halves == whole
        strongest = max(whole["records"], key=lambda one: one["normalized"])
        assert (strongest["by"]["value"], strongest["bucket_start"]) == ("AAL", "2015-12-09T16:00:00.000Z")


async def test_a_job_that_was_imported_goes_on_after_a_crash_before_its_first_checkpoint(
    state_dir: Path, tmp_path: Path
) -> None:
    async with daemon(state_dir) as client, daemon(tmp_path / "other") as other:
        await client.post("/jobs", SPEC, 201)
        await client.post("/jobs/shops/records", ndjson(ROWS[:2_000]))
        await other.post("/jobs/import?as=elsewhere", await client.get("/jobs/shops/export?results=false"), 201)
        assert (await other.results("elsewhere"))["buckets"] == []
        await other.post("/jobs/elsewhere/records", ndjson(ROWS[2_000:3_000]))
        crashed = await copied(other.service, tmp_path / "crashed")
        for one, id in ((client, "shops"), (other, "elsewhere")):
            await one.post(f"/jobs/{id}/records", ndjson(ROWS[2_000 if id == "shops" else 3_000 :]))
        expected = await other.results("elsewhere")
        probabilities = [one["probability"] for one in (await client.results())["records"]]
    async with daemon(crashed) as client:
        await client.post("/jobs/elsewhere/records", ndjson(ROWS[3_000:]))
        assert await client.results("elsewhere") == expected
        later = [one["probability"] for one in expected["records"]]
        assert later
        assert later == probabilities[-len(later) :]


async def test_a_job_that_listens_is_moved_with_what_it_knows_of_the_clock(state_dir: Path, tmp_path: Path) -> None:
    events = [row | {"source": "till"} for row in ROWS]
    now_ms = ROWS[-1]["time"]
    async with daemon(state_dir, now_ms) as client, daemon(tmp_path / "other", now_ms) as other:
        await client.post("/jobs", SPEC | {"sources": ["till"]}, 201)
        await client.post("/events", ndjson(events[:3_000]), 202)
        await client.results()
        await other.post("/events", ndjson([{"source": "before", "x": 1, "time": ROWS[0]["time"]}]), 202)
        await other.post("/jobs/import", await client.get("/jobs/shops/export"), 201)
        for one in (client, other):
            await one.post("/events", ndjson(events[3_000:]), 202)
        assert await other.results() == await client.results()
        assert (await other.get("/jobs/shops"))["state"] == "running"


def damaged(change: Callable[[dict[str, bytes]], None]) -> Callable[[bytes], bytes]:
    """What makes another file of an export, by a change of its members."""

    def remade(file: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        change(members)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, body in members.items():
                archive.writestr(name, body)
        return out.getvalue()

    return remade


def another_format(members: dict[str, bytes]) -> None:
    members["job.json"] = json.dumps(json.loads(members["job.json"]) | {"format": 99}).encode()


def another_question(members: dict[str, bytes]) -> None:
    head = json.loads(members["job.json"])
    head["spec"]["detectors"][0] |= {"function": "rare", "field": "", "by": "shop"}
    members["job.json"] = json.dumps(head).encode()


def no_models(members: dict[str, bytes]) -> None:
    del members["state"]


def broken_models(members: dict[str, bytes]) -> None:
    members["state"] = members["state"][:-10]


def broken_results(members: dict[str, bytes]) -> None:
    members["result_bucket.ndjson"] = b"[1, 2]\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda file: b"", lambda file: b"no zip", lambda file: file[: len(file) // 2],
        *map(damaged, (another_format, another_question, no_models, broken_models, broken_results)),
    ],
    ids=["empty", "no zip", "cut", "format", "question", "no models", "broken models", "broken results"],
)
async def test_a_file_that_is_no_job_is_refused_and_leaves_nothing(
    change: Callable[[bytes], bytes], state_dir: Path
) -> None:
    async with daemon(state_dir) as client:
        await client.post("/jobs", SPEC, 201)
        await client.post("/jobs/shops/records", ndjson(ROWS[:500]))
        file = await client.get("/jobs/shops/export")
        assert (await client.post("/jobs/import", file, 409))["error"]["code"] == "conflict"
        refused = await client.post("/jobs/import?as=other", change(file), 400)
        assert refused["error"]["code"] == "not_an_export"
        assert [job["id"] for job in (await client.get("/jobs"))["jobs"]] == ["shops", "watch"]
        for table in ("result_bucket", "analysis_state"):
            left = await client.service.database.read(f"SELECT count(*) FROM {table} WHERE job <> 1")
            assert left[0][0] == 0
