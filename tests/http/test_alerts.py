"""The doors of alerts over a real daemon and a real receiver: what is asked for, refused and answered."""
from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from offbeat.clock import ManualClock
from offbeat.http import alert_examples as examples
from offbeat.http.schemas import named
from offbeat.service import Service, running
from offbeat.serving import listening
from tests.alerts.receivers import Receiver, receiver
from tests.engine.run import Event
from tests.http.conformity import misfits
from tests.store.process import START_MS, applied, config, send

RULE = {"id": "hot", "sinks": ["hook"], "raise_at": 20, "clear_below": 10, "clear_after_s": 60}
ICS = examples.ICS.encode()


@dataclass
class Door:
    """A client of the daemon; *service* is the daemon, *clock* its time, *there* the receiver of its sink hook."""

    client: aiohttp.ClientSession
    service: Service
    clock: ManualClock
    there: Receiver

    async def call(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        async with self.client.request(method, f"/api/v1{path}", **more) as response:
            assert response.status == status, await response.text()
            return await response.json() if response.content_type == "application/json" else None

    async def get(self, path: str, schema: str) -> Any:
        document = await self.call("GET", path)
        assert misfits(document, named(schema)) == [], path
        return document

    async def error(self, method: str, path: str, status: int, **more: Any) -> dict[str, Any]:
        error = (await self.call(method, path, status, **more))["error"]
        assert error.keys() == {"code", "message", "hint", "where"}
        return error  # type: ignore[no-any-return]

    async def spike(self, source: str = "pump") -> None:
        """Readings of a calm source with one that is far off at the end, taken to the rules."""
        calm = [Event(source, START_MS + i * 1000, {"flow": 5 + i % 3}) for i in range(60)]
        await send(self.service, [*calm, Event(source, START_MS + 60_000, {"flow": 1e6})])
        await applied(self.service)
        await self.service.alerts.catch_up()

    async def told(self, count: int) -> list[Any]:
        """What the receiver was sent, once that is so much."""
        async with asyncio.timeout(20):
            while len(self.there.came) < count:
                self.there.some.clear()
                await self.there.some.wait()
        return self.there.documents


@asynccontextmanager
async def door(state_dir: Path, **alerts: Any) -> AsyncIterator[Door]:
    clock = ManualClock(START_MS)
    async with receiver() as there:
        sinks = {"hook": {"type": "webhook", "url": there.url, "attempts_max": 1}}
        settings = config(state_dir, http={"port": 0}, alerts={"sinks": sinks, **alerts})
        async with (
            running(settings, clock=clock) as service,
            listening(service, []) as (address,),
            aiohttp.ClientSession(address) as client,
        ):
            yield Door(client, service, clock, there)


async def test_an_alert_from_its_rule_to_its_end(state_dir: Path) -> None:
    async with door(state_dir) as d:
        made = await d.call("POST", "/alert-rules", 201, json=RULE)
        assert misfits(made, named("AlertRule")) == []
        async with d.client.get("/api/v1/stream?types=status") as stream:
            await stream.content.readuntil(b"\n\n")
            await d.spike()
            frame = await asyncio.wait_for(stream.content.readuntil(b"\n\n"), 10)
        assert b"event: status" in frame and b'"status":"alert_raised"' in frame
        (told,) = await d.told(1)
        assert (told["kind"], told["alert"]["source"]) == ("raised", "pump")
        (alert,) = (await d.get("/alerts?state=active&rule=hot&source=pump", "Alerts"))["alerts"]
        assert "flow of pump was 1000000" in alert["sentence"]
        number = alert["number"]
        acknowledged = await d.call("POST", f"/alerts/{number}/acknowledge", json={"name": "ada", "comment": "seen"})
        assert misfits(acknowledged, named("AlertInFull")) == []
        assert acknowledged["acknowledged_by"] == "ada"
        d.clock.move(60_000)
        await d.service.alerts.catch_up()
        assert [one["kind"] for one in await d.told(2)] == ["raised", "cleared"]
        full = await d.get(f"/alerts/{number}", "AlertInFull")
        assert (full["state"], full["cleared_by"], len(full["findings"])) == ("cleared", "time", 1)
        assert [one["id"] for one in full["deliveries"]] == [one["id"] for one in d.there.documents]
        assert (await d.get("/alerts?state=active", "Alerts"))["alerts"] == []
        metrics = d.service.metrics.render().decode()
        assert "offbeat_alerts_raised_total 1.0" in metrics
        assert "offbeat_alerts_active 0.0" in metrics


async def test_taking_in_events_waits_for_no_alert(state_dir: Path) -> None:
    async with door(state_dir) as d:
        await d.call("POST", "/alert-rules", 201, json=RULE)
        async with d.service.alerts._turn:  # as if a page of findings took for ever
            for source in ("pump", "boiler"):
                calm = [Event(source, START_MS + i * 1000, {"flow": 5 + i % 3}) for i in range(60)]
                await send(d.service, [*calm, Event(source, START_MS + 60_000, {"flow": 1e6})])
                await applied(d.service)
        await d.service.alerts.catch_up()
        assert len((await d.get("/alerts", "Alerts"))["alerts"]) == 2


async def test_what_was_given_up_is_listed_and_sent_again(state_dir: Path) -> None:
    async with door(state_dir) as d:
        d.there.status = 500
        await d.call("POST", "/alert-rules", 201, json=RULE)
        await d.spike()
        await d.told(1)
        async with asyncio.timeout(20):
            while not (letters := (await d.get("/alerts/dead-letters", "DeadLetters"))["dead_letters"]):
                pass
        d.there.status = 200
        again = await d.call("POST", f"/alerts/dead-letters/{letters[0]['delivery']}/retry")
        assert misfits(again, named("Delivery")) == []
        told = await d.told(2)
        assert told[0]["id"] == told[1]["id"] == letters[0]["id"]
        assert (await d.error("POST", "/alerts/dead-letters/99/retry", 404))["where"] == {"delivery": 99}
        tested = await d.call("POST", "/alert-sinks/hook/test")
        assert misfits(tested, named("SinkTested")) == []
        d.there.status = 503
        assert (await d.error("POST", "/alert-sinks/hook/test", 502))["code"] == "sink_failed"
        assert (await d.error("POST", "/alert-sinks/nobody/test", 404))["hint"] == "the settings have hook"


async def test_a_silence_is_given_and_ended_and_what_it_hid_is_listed(state_dir: Path) -> None:
    async with door(state_dir) as d:
        await d.call("POST", "/alert-rules", 201, json=RULE)
        said = {"sources": ["pu*"], "duration_s": 3600, "reason": "works", "who": "ada"}
        kept = await d.call("POST", "/silences", 201, json=said)
        assert misfits(kept, named("Silence")) == []
        assert (kept["silence"], kept["state"], kept["until"]) == (1, "active", "2023-11-14T23:13:20.000Z")
        await d.spike()
        found = await d.get("/alerts/suppressed?reason=silence&rule=hot&source=pump", "AlertsSuppressed")
        (hidden,) = found["suppressed"]
        assert (hidden["by"], hidden["kind"], found["dropped"]) == ("1", "raised", 0)
        assert (await d.get("/alerts/suppressed?reason=calendar", "AlertsSuppressed"))["suppressed"] == []
        await d.call("DELETE", "/silences/1", 204)
        assert (await d.get("/silences", "Silences"))["silences"][0]["state"] == "over"
        later = {**said, "from": START_MS + 1000, "until": "2024-01-01T00:00:00Z"}
        del later["duration_s"]
        assert (await d.call("POST", "/silences", 201, json=later))["state"] == "to come"
        first = await d.get("/silences?limit=1", "Silences")
        second = await d.get(f"/silences?limit=1&cursor={first['next_cursor']}", "Silences")
        assert [page["silences"][0]["silence"] for page in (first, second)] == [2, 1]
        assert second["next_cursor"] is None
        assert (await d.error("DELETE", "/silences/1", 409))["code"] == "conflict"
        assert (await d.error("DELETE", "/silences/9", 404))["where"] == {"silence": 9}


async def test_calendars_come_as_json_or_icalendar_and_a_rule_names_them(state_dir: Path) -> None:
    async with door(state_dir) as d:
        kept = await d.call("POST", "/calendars", 201, json=examples.CALENDAR_GIVEN)
        assert misfits(kept, named("Calendar")) == []
        assert {**kept, "created": examples.CALENDAR["created"]} == examples.CALENDAR
        headers = {"Content-Type": "text/calendar"}
        imported = await d.call("POST", "/calendars?id=plant&description=d", 201, data=ICS, headers=headers)
        assert [w["title"] for w in imported["windows"]] == ["Nightly batch"]
        await d.call("POST", "/alert-rules", 201, json={**RULE, "calendars": ["plant"]})
        await d.spike()  # 22:13 in UTC, 23:13 in Berlin
        (hidden,) = (await d.get("/alerts/suppressed", "AlertsSuppressed"))["suppressed"]
        assert (hidden["reason"], hidden["by"]) == ("calendar", "plant")
        assert "Nightly batch" in hidden["why"]
        listed = await d.get("/calendars?limit=1", "Calendars")
        assert [one["id"] for one in listed["calendars"]] == ["nights"]
        more = await d.get(f"/calendars?cursor={listed['next_cursor']}", "Calendars")
        assert [one["id"] for one in more["calendars"]] == ["plant"]
        assert (await d.error("DELETE", "/calendars/plant", 409))["where"] == {"calendar": "plant"}
        await d.call("DELETE", "/calendars/nights", 204)
        assert (await d.error("DELETE", "/calendars/nights", 404))["where"] == {"calendar": "nights"}
        assert (await d.error("POST", "/calendars", 400, data=ICS, headers=headers))["where"] == {"field": "id"}
        large = io.BytesIO(b"X" * (1024 * 1024 + 1))
        assert (await d.error("POST", "/calendars?id=x", 413, data=large, headers=headers))["code"] == "body_too_large"
        assert (await d.error("POST", "/calendars?id=x", 400, data=b"x", headers=headers))["code"] == "bad_body"


async def test_a_rule_is_read_replaced_and_taken_away(state_dir: Path) -> None:
    async with door(state_dir) as d:
        await d.call("POST", "/alert-rules", 201, json={"id": "b", "sinks": []})
        default = await d.get("/alert-rules/b", "AlertRule")
        assert (default["raise_at"], default["clear_below"], default["group_by"]) == (50, 25, ["source"])
        made = await d.call("POST", "/alert-rules", 201, json={"id": "a", "sinks": ["hook"], "raise_at": 30})
        assert made["clear_below"] == 15, "half of it"
        changed = await d.call("PUT", "/alert-rules/a", json={"sinks": [], "raise_at": 70, "group_by": []})
        assert (changed["raise_at"], changed["group_by"], changed["sinks"]) == (70, [], [])
        first = await d.get("/alert-rules?limit=1", "AlertRules")
        second = await d.get(f"/alert-rules?cursor={first['next_cursor']}", "AlertRules")
        assert [one["id"] for one in (*first["rules"], *second["rules"])] == ["a", "b"]
        await d.call("DELETE", "/alert-rules/a", 204)
        assert (await d.error("GET", "/alert-rules/a", 404))["where"] == {"rule": "a"}
        assert (await d.error("PUT", "/alert-rules/a", 404, json={"sinks": []}))["hint"] == "POST makes one"
        assert (await d.error("POST", "/alert-rules", 409, json={"id": "b", "sinks": []}))["code"] == "conflict"


async def test_a_check_raises_an_alert_by_a_rule_of_checks(state_dir: Path) -> None:
    async with door(state_dir) as d:
        made = await d.call("POST", "/alert-rules", 201, json={"id": "c", "checks": ["hi*"], "sinks": ["hook"]})
        assert misfits(made, named("AlertRule")) == []
        assert (made["status_at"], made["raise_at"], made["clear_below"], made["clear_after_s"], made["group_by"]) == (
            "RED", None, None, None, ["source", "field", "check"])  # fmt: skip
        again = {name: value for name, value in made.items() if name not in ("created", "changed")}
        assert misfits(again, named("AlertRuleGiven")) == []
        assert {**await d.call("PUT", "/alert-rules/c", json=again), "changed": made["changed"]} == made
        await d.call("POST", "/checks", 201, json={
            "id": "high", "kind": "range", "parameters": {"max": 10}, "series": [{"source": "*", "field": "flow"}]})
        await d.spike()
        await d.call("POST", "/checks/high/run", json={})
        await d.service.alerts.catch_up()
        (told,) = await d.told(1)
        assert (told["kind"], told["outcome"]["check"], told["outcome"]["status"]) == ("raised", "high", "RED")
        (alert,) = (await d.get("/alerts", "Alerts"))["alerts"]
        assert (alert["check"], alert["status"], alert["score"], alert["record"]) == ("high", "RED", None, None)
        full = await d.get(f"/alerts/{alert['number']}", "AlertInFull")
        assert (full["findings"], [one["check"] for one in full["outcomes"]]) == ([], ["high"])
        assert full["outcomes"] == [told["outcome"]]
        await d.call("DELETE", "/checks/high", 204)
        await d.service.alerts.catch_up()
        assert [one["kind"] for one in await d.told(2)] == ["raised", "cleared"]
        assert (await d.get("/alerts?state=cleared", "Alerts"))["alerts"][0]["cleared_by"] == "check"


@pytest.mark.parametrize(("path", "document", "field"), [
    ("/alert-rules", {"id": "a", "sinks": [], "status_at": "RED"}, "status_at"),
    ("/alert-rules", {"id": "a", "sinks": [], "checks": ["*"], "status_at": "red"}, "status_at"),
    ("/alert-rules", {"id": "a", "sinks": [], "checks": ["*"], "raise_at": 50}, "raise_at"),
    ("/alert-rules", {"id": "a", "sinks": [], "checks": ["*"], "clear_after_s": 50}, "clear_after_s"),
    ("/alert-rules", {"id": "a", "sinks": [], "checks": ["*"], "jobs": ["watch"]}, "jobs"),
    ("/alert-rules", {"sinks": []}, "id"), ("/alert-rules", {"id": "a"}, "sinks"),
    ("/alert-rules", {"id": "a", "sinks": "hook"}, "sinks"), ("/alert-rules", {"id": "a", "sink": []}, "sink"),
    ("/alert-rules", {"id": "a", "sinks": ["nobody"]}, "sinks"), ("/alert-rules", {"id": 1, "sinks": []}, "id"),
    ("/alert-rules", {"id": "a", "sinks": [], "raise_at": "high"}, "raise_at"),
    ("/alert-rules", {"id": "a", "sinks": [], "raise_at": True}, "raise_at"),
    ("/silences", {"reason": "r", "who": "w"}, "until"), ("/silences", {"who": "w", "duration_s": 9}, "reason"),
    ("/silences", {"reason": "r", "who": "w", "duration_s": 9, "until": 5}, "until"),
    ("/silences", {"reason": "r", "who": "w", "until": "yesterday"}, "until"),
    ("/silences", {"reason": "r", "who": "w", "until": 5}, "until"),
    ("/silences", {"reason": "", "who": "w", "duration_s": 9}, "reason"),
    ("/silences", {"reason": "r", "who": "w", "duration_s": 9, "sources": []}, "sources"),
    ("/calendars", {"id": "c", "windows": []}, "windows"), ("/calendars", {"id": "c", "windows": [1]}, "windows"),
    ("/calendars", {"id": "c", "windows": [{"start": 1}]}, "windows[0].end"),
    ("/calendars", {"id": "c", "windows": [{"start": 5, "end": 5}]}, "windows[0]"),
    ("/calendars", {"id": "c", "windows": [{"from": "22:00", "to": "6"}]}, "windows[0].time_zone"),
    ("/calendars", {"id": "c", "windows": [{"from": "22:00", "to": "6", "time_zone": "UTC"}]}, "windows[0].to"),
    ("/calendars", {"id": "c", "windows": [{"from": "24:01", "to": "06:00", "time_zone": "UTC"}]}, "windows[0].from"),
    ("/calendars", {"id": "c", "windows": [{"from": "22:00", "to": "06:00", "time_zone": "X/Y"}]},
     "windows[0].time_zone"),
    ("/calendars", {"id": "c", "windows": [{"from": "22:00", "to": "06:00", "time_zone": "UTC", "days": ["x"]}]},
     "windows[0].days"),
    ("/calendars", {"id": "c d", "windows": [{"start": 1, "end": 2}]}, "id"),
    ("/alerts/1/acknowledge", {}, "name"), ("/alerts/1/acknowledge", {"name": ""}, "name"),
    ("/alerts/1/acknowledge", {"name": "a", "comment": 1}, "comment"),
])  # fmt: skip
async def test_a_document_that_does_not_say_what_it_must_is_refused(
    shared_door: Door, path: str, document: dict[str, Any], field: str
) -> None:
    error = await shared_door.error("POST", path, 400, json=document)
    assert (error["code"], error["where"]) == ("bad_request", {"field": field})
    assert error["message"].endswith("nothing was changed")


@pytest.mark.parametrize(("method", "path", "status", "where"), [
    ("GET", "/alerts/7", 404, {"alert": 7}), ("GET", "/alerts/x", 404, {"alert": "x"}),
    ("GET", "/alerts/²", 404, {"alert": "²"}), ("DELETE", "/silences/-1", 404, {"silence": "-1"}),
    ("GET", "/alerts?state=odd", 400, {"parameter": "state"}),
    ("GET", "/alerts?cursor=x", 400, {"parameter": "cursor"}),
    ("GET", "/alerts/suppressed?reason=odd", 400, {"parameter": "reason"}),
    ("PUT", "/alert-rules/a", 400, {"field": "id"}),
])  # fmt: skip
async def test_what_is_not_there_or_cannot_be_asked_is_refused(
    shared_door: Door, method: str, path: str, status: int, where: dict[str, Any]
) -> None:
    more = {"json": {"id": "b", "sinks": []}} if method == "PUT" else {}
    assert (await shared_door.error(method, path, status, **more))["where"] == where


@pytest.fixture
async def shared_door(tmp_path: Path) -> AsyncIterator[Door]:
    async with door(tmp_path / "offbeat-data") as d:
        yield d
