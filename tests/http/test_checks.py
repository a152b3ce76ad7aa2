"""The doors of checks over a real daemon: what is asked for, refused and answered."""
from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from offbeat.http import check_examples as examples
from offbeat.http.schemas import named
from offbeat.serving import listening
from tests.checks.world import START_MS, Event, World, world
from tests.http.conformity import misfits

CHECK = {"id": "warm", "kind": "range", "parameters": {"max": 10}, "series": [{"source": "*", "field": "heat"}]}


@dataclass
class Door:
    """A client of the daemon of a world."""

    client: aiohttp.ClientSession
    world: World

    async def call(self, method: str, path: str, status: int = 200, schema: str = "", **more: Any) -> Any:
        async with self.client.request(method, f"/api/v1{path}", **more) as response:
            assert response.status == status, await response.text()
            document = await response.json() if response.content_type == "application/json" else None
        if schema:
            assert misfits(document, named(schema)) == [], path
        return document

    async def error(self, method: str, path: str, status: int, **more: Any) -> dict[str, Any]:
        error = (await self.call(method, path, status, **more))["error"]
        assert error.keys() == {"code", "message", "hint", "where"}
        return error  # type: ignore[no-any-return]

    async def status(self, query: str = "") -> Any:
        return await self.call("GET", f"/status{query}", schema="StatusOverview")


@asynccontextmanager
async def door(state_dir: Path, **checks: Any) -> AsyncIterator[Door]:
    async with (
        world(state_dir, http={"port": 0}, checks=checks) as w,
        listening(w.service, []) as (address,),
        aiohttp.ClientSession(address) as client,
    ):
        yield Door(client, w)


async def test_a_check_from_its_making_to_its_end(state_dir: Path) -> None:
    async with door(state_dir) as d:
        made = await d.call("POST", "/checks", 201, "Check", json=CHECK)
        assert {name: made[name] for name in CHECK} == CHECK
        assert (made["interval_s"], made["time_limit_s"], made["enabled"], made["status"]) == (60, 5, True, None)
        assert await d.call("GET", "/checks/warm", schema="Check") == made
        await d.world.send("a", 50)
        await d.world.send("b", 5)
        await d.world.minute()
        shown = await d.call("GET", "/checks/warm")
        assert (shown["status"], shown["counts"]) == ("RED", {"GREEN": 1, "YELLOW": 0, "RED": 1})
        replaced = await d.call("PUT", "/checks/warm", 200, "Check", json={**shown, "description": "too warm"})
        assert (replaced["description"], replaced["created"]) == ("too warm", made["created"])
        assert (await d.call("GET", "/checks", schema="Checks"))["checks"] == [replaced]
        await d.call("DELETE", "/checks/warm", 204)
        assert (await d.error("GET", "/checks/warm", 404))["where"] == {"check": "warm"}
        assert (await d.status())["status"] is None


async def test_checks_are_found_by_their_series_a_page_at_a_time(state_dir: Path) -> None:
    async with door(state_dir) as d:
        columns = [{"source": "q", "field": "x"}, {"source": "r", "field": "y"}]
        for id, kind, parameters, series in (
            ("one", "range", {"max": 1}, [{"source": "p*", "field": "heat"}]),
            ("three", "disagreement", {"max_difference": 1}, [{"source": "*", "fields": ["heat", "x"]}]),
            ("two", "disagreement", {"max_difference": 1}, [{"columns": columns, "tolerance_s": 5}]),
        ):
            await d.call("POST", "/checks", 201, "Check",
                         json={"id": id, "kind": kind, "parameters": parameters, "series": series})
        for query, ids in (
            ("source=p1&field=heat", ["one", "three"]), ("source=q", ["three", "two"]), ("field=y", ["two"]),
            ("source=r&field=x", ["three"]), ("source=z&field=z", []),
        ):
            assert [c["id"] for c in (await d.call("GET", f"/checks?{query}"))["checks"]] == ids, query
        first = await d.call("GET", "/checks?limit=2")
        rest = await d.call("GET", f"/checks?limit=2&cursor={first['next_cursor']}")
        assert [c["id"] for c in first["checks"] + rest["checks"]] == ["one", "three", "two"]
        assert rest["next_cursor"] is None


async def test_kinds_come_with_what_a_form_needs(state_dir: Path) -> None:
    async with door(state_dir) as d:
        d.world.plug_in("wet", "def wet(data, parameters):\n    '''Is it wet?'''\n    return Status.GREEN\n")
        d.world.plug_in("odd", "1 /\n")
        found = await d.call("GET", "/check-kinds", schema="CheckKinds")
        kinds = {kind["kind"]: kind for kind in found["kinds"]}
        assert {"range", "curve", "gap"} <= kinds.keys()
        assert (kinds["wet"]["from"], kinds["wet"]["about"]) == ("folder", "Is it wet?")
        assert next(p for p in kinds["range"]["parameters"] if p["name"] == "max")["kind"] == "number"
        (broken,) = found["broken"]
        assert broken["where"].endswith("odd.py") and broken["line"] == 2


async def test_a_document_that_says_not_what_it_must_is_refused_by_its_member(state_dir: Path) -> None:
    async with door(state_dir) as d:
        for changes, field in (
            ({"kind": 1}, "kind"), ({"interval": 1}, "interval"), ({"raise_after": 1.5}, "raise_after"),
            ({"enabled": "yes"}, "enabled"), ({"parameters": []}, "parameters"), ({"series": {}}, "series"),
            ({"series": [{"source": "a"}]}, "series[0].field"),
            ({"series": [{"source": "a", "fields": "x"}]}, "series[0].fields"),
            ({"series": [{"columns": [{"source": "a"}]}]}, "series[0].columns[0].field"),
            ({"parameters": {"mox": 1}}, "parameters.mox"),
            ({"kind": "rang"}, "kind"), ({"id": "a b"}, "id"),
        ):
            error = await d.error("POST", "/checks", 400, json={**CHECK, **changes})
            assert field in error["where"]["field"], (changes, error)
            assert error["message"].endswith("nothing was changed")
        error = await d.error("PUT", "/checks/other", 400, json=CHECK)
        assert error["where"] == {"field": "id"}
        assert (await d.error("PUT", "/checks/warm", 404, json=CHECK))["code"] == "not_found"
        await d.call("POST", "/checks", 201, json=CHECK)
        assert (await d.error("POST", "/checks", 409, json=CHECK))["code"] == "conflict"


async def test_status_acknowledgement_and_maintenance(state_dir: Path) -> None:
    async with door(state_dir) as d:
        assert await d.status() == {
            "status": None, "counts": {"GREEN": 0, "YELLOW": 0, "RED": 0}, "acknowledged": 0, "maintenance": 0,
            "outcomes": [], "next_cursor": None}
        await d.call("POST", "/checks", 201, json={
            **CHECK, "parameters": {"max": 10, "yellow_margin": 2}})
        for source, value in (("a", 50), ("b", 9), ("c", 5), ("d", 51)):
            await d.world.send(source, value)
        await d.world.minute()
        found = await d.status()
        assert (found["status"], found["counts"]) == ("RED", {"GREEN": 1, "YELLOW": 1, "RED": 2})
        assert [o["source"] for o in found["outcomes"]] == ["a", "d", "b", "c"]
        assert [o["source"] for o in (await d.status("?status=YELLOW"))["outcomes"]] == ["a", "d", "b"]
        assert (await d.status("?source=c"))["status"] == "GREEN"
        pages, cursor = [], ""
        while cursor is not None:
            page = await d.status(f"?limit=1{cursor and '&cursor=' + cursor}")
            pages += [o["source"] for o in page["outcomes"]]
            cursor = page["next_cursor"]
        assert pages == ["a", "d", "b", "c"]
        subjects = {o["source"]: o["subject"] for o in found["outcomes"]}
        one = await d.call("PUT", f"/status/{subjects['a']}/acknowledgement", 200, "Outcome",
                           json={"who": "ada", "comment": "on my way"})
        assert one["acknowledged"]["who"] == "ada"
        kept = await d.call("POST", "/maintenance", 201, "Maintenance",
                            json={"sources": ["d"], "duration_s": 3600, "reason": "new pump", "who": "eve"})
        found = await d.status()
        assert (found["status"], found["counts"], found["acknowledged"], found["maintenance"]) == (
            "YELLOW", {"GREEN": 1, "YELLOW": 1, "RED": 1}, 1, 1)
        assert found["outcomes"][1]["maintenance"] == {
            "number": kept["number"], "reason": "new pump", "who": "eve", "until": kept["until"]}
        assert (await d.call("GET", "/maintenance", schema="AllMaintenance"))["maintenance"] == [kept]
        await d.call("DELETE", f"/maintenance/{kept['number']}", 204)
        assert (await d.status())["status"] == "RED"
        await d.call("DELETE", f"/status/{subjects['a']}/acknowledgement", 204)
        for method, path, status, document in (
            ("PUT", f"/status/{subjects['c']}/acknowledgement", 409, {"who": "ada"}),
            ("PUT", "/status/99/acknowledgement", 404, {"who": "ada"}),
            ("PUT", f"/status/{subjects['a']}/acknowledgement", 400, {"who": ""}),
            ("DELETE", f"/status/{subjects['a']}/acknowledgement", 404, None),
            ("DELETE", f"/maintenance/{kept['number']}", 404, None),
            ("POST", "/maintenance", 400, {"reason": "x", "who": "y"}),
            ("POST", "/maintenance", 400, {"reason": "x", "who": "y", "until": 0}),
            ("GET", "/status?check=none", 404, None), ("GET", "/status?status=red", 400, None),
        ):
            await d.error(method, path, status, **({"json": document} if document else {}))


async def test_maintenance_is_over_by_the_clock_and_the_oldest_that_is_over_goes_first(state_dir: Path) -> None:
    async with door(state_dir, maintenance_max=1) as d:
        given = {"duration_s": 60, "reason": "r", "who": "w"}
        await d.call("POST", "/maintenance", 201, json=given)
        await d.error("POST", "/maintenance", 409, json=given)
        d.world.clock.move(60_000)
        (one,) = (await d.call("GET", "/maintenance"))["maintenance"]
        assert one["state"] == "over"
        assert (await d.call("POST", "/maintenance", 201, json=given))["number"] == 2


async def test_every_field_of_a_result_is_read_back_and_filtered_on(state_dir: Path) -> None:
    async with door(state_dir) as d:
        await d.call("POST", "/checks", 201, json=CHECK)
        for value in (50, 5, 60):
            await d.world.send("a", value)
            await d.world.send("b", 5)
            await d.world.minute()
        every = (await d.call("GET", "/outcomes", schema="Outcomes"))["outcomes"]
        assert [(o["source"], o["status"]) for o in every] == [
            ("a", "RED"), ("a", "GREEN"), ("b", "GREEN"), ("a", "RED")]
        newest = every[0]
        for query, count in (
            ("check=warm", 4), ("check=none", 0), (f"subject={newest['subject']}", 3), ("source=b", 1),
            ("field=heat", 4), ("source=b&field=flow", 0), ("status=YELLOW", 2), ("status=GREEN", 4),
            (f"start={newest['ran']}", 1), (f"end={newest['ran']}", 3),
        ):
            assert len((await d.call("GET", f"/outcomes?{query}"))["outcomes"]) == count, query
        full = await d.call("GET", f"/outcomes/{newest['outcome']}", schema="OutcomeInFull")
        assert full == {**newest, "parameters": {"max": 10}, "previous": every[1]["outcome"], "next": None}
        before = await d.call("GET", f"/outcomes/{full['previous']}")
        assert (before["status"], before["next"]) == ("GREEN", newest["outcome"])
        first = await d.call("GET", "/outcomes?limit=3")
        rest = await d.call("GET", f"/outcomes?limit=3&cursor={first['next_cursor']}")
        assert first["outcomes"] + rest["outcomes"] == every
        await d.error("GET", "/outcomes/99", 404)
        # From the overview to the offending reading in three steps: status, outcome, readings.
        at = (await d.status())["outcomes"][0]
        chosen = await d.call("GET", f"/outcomes/{at['outcome']}")
        readings = await d.call(
            "GET", f"/sources/{chosen['source']}/readings?field={chosen['fields'][0]}&start={chosen['data_time']}")
        assert readings["series"][0]["value"][0] == 60


async def test_a_check_is_run_now_and_as_of_then(state_dir: Path) -> None:
    async with door(state_dir) as d:
        await d.call("POST", "/checks", 201, json=CHECK)
        await d.world.send("a", 50, 5)
        (now,) = (await d.call("POST", "/checks/warm/run", schema="CheckSaid", json={}))["outcomes"]
        assert now["outcome"] is not None
        (past,) = (await d.call("POST", "/checks/warm/run", schema="CheckSaid",
                                json={"as_of": START_MS + 1000}))["outcomes"]
        assert (past["status"], past["outcome"], past["subject"]) == ("RED", None, now["subject"])
        assert len((await d.call("GET", "/outcomes"))["outcomes"]) == 1
        await d.error("POST", "/checks/none/run", 404, json={})
        await d.error("POST", "/checks/warm/run", 400, json={"as_of": "tomorrow"})
        await d.error("POST", "/checks/warm/run", 400, json={"as_of": "2100-01-01"})


async def test_a_preview_stores_nothing(state_dir: Path) -> None:
    async with door(state_dir) as d:
        await d.world.send("a", 1, 50, 1, step_ms=60_000)
        span = {"start": START_MS, "end": START_MS + 300_000}
        found = await d.call("POST", "/checks/preview", schema="CheckPreview", json={**CHECK, **span})
        assert [o["status"] for o in found["outcomes"]] == ["GREEN", "RED", "GREEN"]
        assert (found["runs"], found["cut"]) == (3, None)
        assert (await d.call("GET", "/checks"))["checks"] == []
        await d.error("POST", "/checks/preview", 400, json=CHECK)
        await d.error("POST", "/checks/preview", 400, json={**CHECK, "start": 2, "end": 1})


async def test_the_stream_tells_each_change_of_a_status_as_the_document_that_status_has(state_dir: Path) -> None:
    async with door(state_dir) as d:
        await d.call("POST", "/checks", 201, json=CHECK)
        async with d.client.get("/api/v1/stream?types=status") as stream:
            await stream.content.readuntil(b"\n\n")
            for value in (5, 6, 50):
                await d.world.send("a", value)
                await d.world.minute()
            frames = [await asyncio.wait_for(stream.content.readuntil(b"\n\n"), 10) for _ in range(2)]
        told = [json.loads(frame.decode().split("data: ")[1])["outcome"] for frame in frames]
        assert [one["status"] for one in told] == ["GREEN", "RED"]
        assert told[-1] == (await d.status())["outcomes"][0]


async def test_the_diagnosis_tells_how_much_of_the_bounds_is_used(state_dir: Path) -> None:
    async with door(state_dir) as d:
        await d.call("POST", "/checks", 201, json=CHECK)
        await d.world.events(Event("a", START_MS, {"heat": 1.0}))
        await d.world.checks.look()
        limits = (await d.call("GET", "/diagnosis"))["daemon"]["limits"]
        assert {"name": "checks.subjects_max", "used": 1, "limit": 50_000} in limits
        assert {"name": "checks.checks_max", "used": 1, "limit": 1_000} in limits


def test_the_example_of_a_check_given_is_one_of_a_check() -> None:
    assert misfits(examples.CHECK_GIVEN, named("CheckGiven")) == []
