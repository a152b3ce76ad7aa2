"""What plug-in tests with traffic lights must do, line by line; and time: winters, days, zones, changes of clock."""
from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from offbeat.clock import ManualClock
from tests.checks.world import RANGE, EachSeries, EachSource, Event, World, replace, world

ZONE = ZoneInfo("America/Anchorage")


def ms(text: str, zone: ZoneInfo = ZONE) -> int:
    """The moment *text* of a zone."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def at(text: str) -> ManualClock:
    return ManualClock(ms(text))


async def test_1_a_new_test_is_one_file_and_one_document(state_dir: Path) -> None:
    async with world(state_dir) as w:
        w.plug_in("frost", """
            def frost(data, parameters):
                return (Status.RED, "frost") if data.value() < parameters["below"] else Status.GREEN
        """)
        await w.send("umiat", -3, name="air")
        await w.checks.set(replace(
            RANGE, id="frost", kind="frost", parameters=(("below", 0),), series=(EachSeries("*", "air"),)), new=True)
        await w.minute()
        assert [(o.status, o.message) for o in await w.outcomes()] == [("RED", "frost")]


async def test_2_one_test_on_three_sensors_and_three_on_one(state_dir: Path) -> None:
    async with world(state_dir) as w:
        for field in ("t1", "t2", "t3", "wind"):
            await w.send("umiat", 5, name=field)
        await w.checks.set(replace(RANGE, series=(EachSeries("umiat", "t*"),)), new=True)
        for id in ("second", "third"):
            await w.checks.set(replace(RANGE, id=id, series=(EachSeries("*", "t2"),)), new=True)
        await w.minute()
        assert len(await w.outcomes(check="warm")) == 3
        assert [held.spec.id for held in w.checks.list("umiat", "t2")] == ["second", "third", "warm"]
        assert sorted(o.check for o in await w.outcomes(field="t2")) == ["second", "third", "warm"]
        assert w.checks.list("umiat", "wind") == ()
        assert await w.outcomes(field="wind") == []


async def test_3_values_come_in_the_order_of_the_columns(state_dir: Path) -> None:
    async with world(state_dir) as w:
        w.plug_in("three", """
            from offbeat_detectors.checks.contract import Needs
            def three(data, parameters):
                return Status.GREEN, f"{data.value()} {data.value(1)} {data.value(2)}"
            three.needs = Needs(columns_min=3, columns_max=3)
        """)
        await w.events(Event("umiat", w.clock.now_ms(), {"a": 1.0, "b": 2.0, "c": 3.0}))
        await w.checks.set(replace(RANGE, kind="three", parameters=(), series=(
            EachSource("umiat", ("c", "a", "b")),)), new=True)
        await w.minute()
        assert [o.message for o in await w.outcomes()] == ["3.0 1.0 2.0"]


@pytest.mark.parametrize(("day", "statuses"), [
    ("2024-12-31T23:30", ["RED"]), ("2025-01-01T00:30", ["RED"]), ("2025-07-01T12:00", []),
    ("2024-09-30T23:30", []), ("2024-10-01T00:30", ["RED"]), ("2025-04-30T23:30", ["RED"]), ("2025-05-01T00:30", []),
])
async def test_4_a_winter_limit_passes_the_new_year_in_the_zone_of_the_source(
    state_dir: Path, day: str, statuses: list[str]
) -> None:
    async with world(state_dir, at(day)) as w:
        await w.send("umiat", 50)
        await w.service.results.set_metadata("umiat", {"time_zone": ZONE.key})
        winter = (("max", 10.0), ("from", "10-01"), ("to", "04-30"))
        await w.checks.set(replace(RANGE, parameters=winter), new=True)
        await w.checks.look()
        assert [o.status for o in await w.outcomes()] == statuses


async def test_5_a_curve_finds_what_is_wrong_for_its_time_of_day(state_dir: Path) -> None:
    async with world(state_dir, at("2025-06-01T00:00")) as w:
        await days(w, 8)
        curve = replace(RANGE, kind="curve", parameters=(("days", 7),), interval_s=3600)
        await w.checks.set(curve, new=True)
        await w.checks.look()
        assert await w.statuses() == {"umiat.heat": "GREEN"}
        await w.send("umiat", 20.0, step_ms=1_800_000)
        await w.minute()
        w.clock.move(3_600_000)
        await w.checks.look()
        (one,) = await w.outcomes()
        assert one.status == "RED", "20 is what noon has, and it is midnight"


async def days(w: World, count: int) -> None:
    """Readings each half hour that are cold at night and warm at noon."""
    events = []
    for i in range(48 * count):
        w.clock.move(1_800_000)
        hour = (i + 1) % 48 / 2
        events.append(Event("umiat", w.clock.now_ms(), {"heat": 10 - 10 * abs(hour - 12) / 12 + i % 3 / 10}))
    await w.events(*events)


async def test_6_a_raising_plug_in_is_an_error_and_the_others_have_results(state_dir: Path) -> None:
    async with world(state_dir) as w:
        w.plug_in("wrong", "def wrong(data, parameters):\n    return 1 / 0\n")
        await w.send("umiat", 5)
        await w.checks.set(replace(RANGE, id="wrong", kind="wrong", parameters=()), new=True)
        await w.checks.set(RANGE, new=True)
        await w.minute()
        said = {o.check: (o.status, o.reason) for o in await w.outcomes()}
        assert said == {"wrong": ("RED", "error"), "warm": ("GREEN", "judged")}
        (wrong,) = await w.outcomes(check="wrong")
        assert "ZeroDivisionError" in wrong.message and "wrong.py, line" in wrong.message


@pytest.mark.parametrize(("moment", "status"), [
    ("2025-03-30T01:30", "GREEN"), ("2025-03-30T03:30", "RED"),  # 02:00 to 03:00 is not there
    ("2025-10-26T01:30", "GREEN"), ("2025-10-26T03:30", "RED"),  # 02:00 to 03:00 is there twice
    ("2025-06-01T23:30", "GREEN"), ("2025-06-01T02:30", "RED"),
])
async def test_a_time_of_the_day_holds_over_both_changes_of_the_clock(
    state_dir: Path, moment: str, status: str
) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    async with world(state_dir, ManualClock(ms(moment, berlin) - 1000), engine={"time_zone": "Europe/Berlin"}) as w:
        w.plug_in("night", """
            def night(data, parameters):
                hour = data.now.astimezone(data.zone).hour
                return (Status.RED if 2 <= hour < 22 else Status.GREEN), str(data.zone)
        """)
        await w.send("umiat", 50)
        await w.checks.set(replace(RANGE, kind="night", parameters=()), new=True)
        await w.checks.look()
        assert [(o.status, o.message) for o in await w.outcomes()] == [(status, "Europe/Berlin")]


@pytest.mark.parametrize(("metadata", "zone"), [
    ({"time_zone": "Asia/Tokyo"}, "Asia/Tokyo"), ({"time_zone": "Mars/Base"}, "UTC"), ({"time_zone": 9}, "UTC"),
    ({"site": "north"}, "UTC"),
])
async def test_the_zone_is_that_of_the_source_if_it_has_a_valid_one(
    state_dir: Path, metadata: dict[str, Any], zone: str
) -> None:
    async with world(state_dir) as w:
        w.plug_in("where", "def where(data, parameters):\n    return Status.GREEN, data.zone.key\n")
        await w.send("umiat", 1)
        await w.service.results.set_metadata("umiat", metadata)
        await w.checks.set(replace(RANGE, kind="where", parameters=()), new=True)
        await w.checks.look()
        assert [o.message for o in await w.outcomes()] == [zone]


async def test_findings_of_models_and_how_events_arrive_reach_the_checks_that_ask_for_them(state_dir: Path) -> None:
    async with world(state_dir) as w:
        w.plug_in("told", """
            from offbeat_detectors.checks.contract import Needs
            def told(data, parameters):
                if parameters["of"] == "found":
                    return Status.GREEN, " ".join(one.sentence for one in data.found)
                came = data.arrivals
                return Status.GREEN, came and f"{came.span_s:g} {came.events} {came.accepted}" or "none"
            told.needs = Needs(history_s=3600, clock=True, findings=True, arrivals=True)
        """)
        series = (EachSeries("umiat", "heat"),)
        for of in ("found", "arrivals"):
            await w.checks.set(
                replace(RANGE, id=of, kind="told", parameters=(("of", of),), series=series), new=True)
        await w.send("umiat", *(5 + i % 3 for i in range(60)))
        await w.send("ridge", 5)
        await w.minute()
        assert [o.message for o in await w.outcomes(check="arrivals")] == ["none"]
        await w.send("umiat", 1e6)
        await w.send("ridge", 5)
        await w.minute()
        (found,) = await w.outcomes(check="found")
        assert "heat of umiat was 1000000" in found.message
        assert [o.message for o in await w.outcomes(check="arrivals")] == ["62 1 2"]
