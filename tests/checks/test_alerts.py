"""Real checks to alerts: what they say of readings is told, until it is over; who knows of it hears nothing."""
from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson
import pytest

from offbeat.alerts.rows import AlertQuery
from offbeat.alerts.rules import EACH_SUBJECT, Rule
from offbeat.checks.outcomes import Maintenance
from offbeat.clock import ManualClock
from tests.checks.world import RANGE, EachSeries, World, replace, world

RULE = Rule("plant", checks=("*",), group_by=EACH_SUBJECT, sinks=("horn",))
SINKS = {"horn": {"type": "command", "argv": ["true"]}}


@asynccontextmanager
async def plant(state_dir: Path, clock: ManualClock | None = None) -> AsyncIterator[World]:
    """A daemon with a sink, whose rules hear of outcomes only when a test says so."""
    with patch("offbeat.alerts.alerts.TOGETHER_S", 1e6):
        async with world(state_dir, clock, alerts={"sinks": SINKS}) as w:
            yield w


async def told(w: World) -> list[tuple[str, str, str]]:
    """Kind, status and sentence of each notification, oldest first."""
    await w.service.alerts.catch_up()
    rows = await w.service.database.read("SELECT body FROM alert_delivery ORDER BY number")
    found: list[Any] = [orjson.loads(body) for (body,) in rows]
    return [(one["kind"], one["outcome"]["status"], one["alert"]["sentence"]) for one in found]


async def reasons(w: World) -> list[tuple[str, str]]:
    await w.service.alerts.catch_up()
    page, _ = await w.service.alerts.suppressed(None, None, (), 100, None)
    return [(one.reason, one.by) for one in page.rows[::-1]]


async def test_what_a_check_says_is_told_once_over_restarts(state_dir: Path) -> None:
    async with plant(state_dir) as w:
        await w.service.alerts.set_rule(RULE, new=True)
        await w.checks.set(RANGE, new=True)
        await w.send("pump", 5)
        await w.minute()
        assert await told(w) == []
        await w.send("pump", 50)
        await w.minute()  # and the daemon ends before the rules have heard of it
        clock = w.clock
    async with plant(state_dir, clock) as w:
        ((kind, status, sentence),) = await told(w)
        assert (kind, status) == ("raised", "RED")
        assert sentence.startswith("check warm is RED: heat of pump was 50 ")
        await w.send("pump", 60)
        await w.minute()
        assert len(await told(w)) == 1
        await w.send("pump", 6)
        await w.minute()
        clock = w.clock
    async with plant(state_dir, clock) as w:
        assert [(kind, status) for kind, status, _ in await told(w)] == [("raised", "RED"), ("cleared", "GREEN")]


@pytest.mark.parametrize("how", ["deleted", "disabled", "bound to other series"])
async def test_a_check_that_is_no_more_clears_its_alert(state_dir: Path, how: str) -> None:
    """Also one of which nobody has looked at the last outcome: it is told as if somebody had."""
    async with plant(state_dir) as w:
        await w.service.alerts.set_rule(RULE, new=True)
        await w.checks.set(RANGE, new=True)
        await w.send("pump", 50)
        await w.minute()
        if how == "deleted":
            await w.checks.delete("warm")
        elif how == "disabled":
            await w.checks.set(replace(RANGE, enabled=False), new=False)
        else:
            await w.checks.set(replace(RANGE, series=(EachSeries("b", "*"),)), new=False)
        clock = w.clock
    async with plant(state_dir, clock) as w:
        assert [kind for kind, _, _ in await told(w)] == ["raised", "cleared"]
        (alert,) = (await w.service.alerts.list(AlertQuery())).rows
        assert alert.cleared_by == "check"
        (body,) = await w.service.database.read("SELECT body FROM alert_delivery WHERE kind = 'cleared'")
        outcome = orjson.loads(body[0])["outcome"]
        assert (outcome["was"], outcome["status"]) == ("RED", None)
        assert how in outcome["message"]
        if how == "disabled":
            await w.checks.set(RANGE, new=False)
            await w.send("pump", 50)
            await w.minute()
            assert [kind for kind, _, _ in await told(w)] == ["raised", "cleared", "raised"]


async def test_outside_of_its_days_a_check_holds_no_alert(state_dir: Path) -> None:
    async with plant(state_dir) as w:
        w.plug_in("moods", """
            def moody(data, parameters):
                if data.value() > 99:
                    raise NotNow("not now")
                return Status.RED, "bad"
        """)
        await w.service.alerts.set_rule(RULE, new=True)
        await w.checks.set(replace(RANGE, kind="moods", parameters=()), new=True)
        for value in (1, 100, 2):
            await w.send("pump", value)
            await w.minute()
        assert [(kind, status) for kind, status, _ in await told(w)] == [
            ("raised", "RED"), ("cleared", None), ("raised", "RED")]


async def test_maintenance_and_who_knows_of_a_subject_keep_it_quiet(state_dir: Path) -> None:
    async with plant(state_dir) as w:
        await w.service.alerts.set_rule(replace(RULE, status_at="YELLOW"), new=True)
        await w.checks.set(replace(RANGE, parameters=(("max", 10.0), ("yellow_margin", 2.0))), new=True)
        now_ms = w.clock.now_ms()
        given = Maintenance(0, now_ms, now_ms + 600_000, "mast", "ada", sources=("pum*",))
        kept = await w.checks.add_maintenance(given)
        await w.send("pump", 9)
        await w.send("fan", 9)
        await w.minute()
        assert [sentence.split()[6] for _, _, sentence in await told(w)] == ["fan"]
        assert await reasons(w) == [("maintenance", str(kept.number))]
        await w.checks.acknowledge((await w.outcomes(source="pump"))[0].subject or 0, "eve", "")
        await w.checks.end_maintenance(kept.number)
        await w.send("pump", 50)
        await w.minute()
        assert (await reasons(w))[1:] == [("acknowledged", "eve")]
        await w.checks.take_back((await w.outcomes(source="pump"))[0].subject or 0)
        assert [(kind, status) for kind, status, _ in await told(w)] == [("raised", "YELLOW"), ("raised", "RED")]


async def test_numbers_of_outcomes_go_on_after_an_end_over_a_restart(state_dir: Path) -> None:
    """Else what is said after the restart would stand before what the rules have seen."""
    async with plant(state_dir) as w:
        await w.service.alerts.set_rule(RULE, new=True)
        await w.checks.set(RANGE, new=True)
        await w.send("pump", 50)
        await w.minute()
        await w.checks.set(replace(RANGE, enabled=False), new=False)
        assert len(await told(w)) == 2
        clock = w.clock
    async with plant(state_dir, clock) as w:
        await w.checks.set(RANGE, new=False)
        await w.send("pump", 50)
        await w.minute()
        assert [kind for kind, _, _ in await told(w)] == ["raised", "cleared", "raised"]


async def test_ends_are_retired_with_outcomes(state_dir: Path) -> None:
    async with world(state_dir, checks={"outcomes_max": 2}) as w:
        await w.checks.set(RANGE, new=True)
        for value in (50, 51, 52, 53):
            await w.checks.set(RANGE, new=False)
            await w.send("pump", value)
            await w.minute()
            await w.checks.set(replace(RANGE, enabled=False), new=False)
        await w.checks.retire()
        assert await w.service.database.read("SELECT count(*) FROM check_end") == [(2,)]
