"""Outcomes of checks to alerts: raised by a status, held while it stays, told once over restarts; or why not."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from offbeat.alerts import alerts as alerts_room
from offbeat.alerts.calendars import Calendar, Window
from offbeat.alerts.machine import Hush
from offbeat.alerts.rows import AlertQuery
from offbeat.alerts.rules import EACH_SUBJECT, Rule, Silence, check, turn_unpacked
from offbeat.errors import BadRequest, StoreUnavailable
from tests.alerts.test_alerts import history
from tests.alerts.world import RULE, World, settings, world

CHECKS = Rule("c", checks=("warm*",), group_by=EACH_SUBJECT, sinks=("hook",))


async def kinds(w: World) -> list[str]:
    return [kind for _, kind, _ in await w.deliveries()]


async def test_a_status_raises_an_alert_and_a_better_one_clears_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.alerts.set_rule(CHECKS, new=True)
        await w.alerts.set_rule(RULE, new=True)
        await w.say("warm", "pump", "GREEN")
        await w.say("warm", "pump", "YELLOW")
        assert await w.states() == []
        await w.say("warm", "pump", "RED", "50 is above 10")
        await w.later(100_000)
        assert await w.states() == [("pump", "active")], "no time clears it while the check says so"
        await w.say("warm", "pump", "YELLOW", "9 is near to 10")
        assert await w.states() == [("pump", "cleared")]
        assert await w.deliveries() == [(1, "raised", "hook"), (1, "cleared", "hook")]
        full = await w.alerts.get(1)
        assert full.alert.sentence == "check warm is RED for flow of pump: 50 is above 10"
        assert (full.alert.status, full.alert.cleared_by, full.findings) == ("RED", "check", ())
        assert [(turn.status, turn.was) for turn in full.outcomes] == [("RED", "YELLOW")]
        assert [(s["status"], s["check"], s["check_status"], s["score"]) for s in w.said] == [
            ("alert_raised", "warm", "RED", None), ("alert_cleared", "warm", "RED", None)]  # fmt: skip
        bodies = [orjson.loads(body) for (body,) in await w.database.read("SELECT body FROM alert_delivery")]
        assert [(body["outcome"]["was"], body["outcome"]["status"], body["outcome"]["message"]) for body in bodies] == [
            ("YELLOW", "RED", "50 is above 10"), ("RED", "YELLOW", "9 is near to 10")]  # fmt: skip
        assert await w.database.read("SELECT * FROM alert_holder") == []


async def test_rules_are_of_findings_or_of_checks_and_choose_by_check_and_series(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.alerts.set_rule(RULE, new=True)
        await w.alerts.set_rule(replace(CHECKS, sources=("pu*",), fields=("flow",), status_at="YELLOW"), new=True)
        await w.say("cold", "pump", "RED")
        await w.say("warm-2", "boiler", "RED")
        await w.say("warm-2", "pump", "RED", field="heat")
        await w.say("warm-2", "pump", "YELLOW")
        await w.find(("pump", 90))
        found = (await w.alerts.list(AlertQuery())).rows
        assert [(a.rule, a.group, a.status) for a in reversed(found)] == [
            ("c", (None, "pump", "flow", "warm-2"), "YELLOW"), ("r", (None, "pump", None, None), "")]  # fmt: skip


async def test_what_is_grouped_is_held_by_any_of_its_subjects(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.alerts.set_rule(replace(CHECKS, group_by=("source",), status_at="YELLOW"), new=True)
        await w.say("warm", "pump", "YELLOW", "near")
        await w.say("warm-2", "pump", "RED", "far")
        await w.say("warm-2", "pump", "GREEN")
        assert await w.states() == [("pump", "active")]
        await w.say("warm", "pump", "GREEN")
        assert await w.states() == [("pump", "cleared")]
        full = await w.alerts.get(1)
        assert (full.alert.status, full.alert.finding_count) == ("RED", 2)
        assert "warm-2" in full.alert.sentence, "it says the worst"
        assert [s.reason for s in await w.suppressed()] == ["already_active"]
        assert await kinds(w) == ["raised", "cleared"]


async def test_a_check_that_says_nothing_any_more_clears_its_alert(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.alerts.set_rule(CHECKS, new=True)
        await w.say("warm", "pump", "RED")
        await w.say("warm", "pump", "", "it does not apply now")
        assert await w.states() == [("pump", "cleared")]
        await w.say("warm", "pump", "RED")
        assert await w.states() == [("pump", "cleared"), ("pump", "active")]
        assert [turn.was for turn in (await w.alerts.get(2)).outcomes] == [""], "not the RED before that"


async def test_why_an_outcome_is_not_told_is_listed_and_when_that_is_over_it_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.alerts.set_calendar(Calendar("nights", "", (Window("2023-11-14T22:00:00", wall_s=3600),)))
        now = w.clock.now_ms()
        for i, (reason, rule) in enumerate({
            "no_sink": replace(CHECKS, sinks=()), "silence": replace(CHECKS, sources=("pump",)),
            "calendar": replace(CHECKS, calendars=("nights",)),
            "maintenance": CHECKS, "acknowledged": CHECKS,
        }.items()):  # fmt: skip
            await w.alerts.set_rule(replace(rule, id=reason, checks=(f"warm-{reason}",)), new=True)
            if reason == "silence":
                await w.alerts.add_silence(Silence(0, now, now + 10_000, "works", "ada", rules=("silence",)))
            w.hush = Hush(reason, "1", "said so") if reason in ("maintenance", "acknowledged") else w.hush
            await w.say(f"warm-{reason}", "pump", "RED")
            last = (await w.suppressed())[-1]
            assert (last.reason, last.check, last.source, last.score) == (reason, f"warm-{reason}", "pump", None)
            w.hush = Hush("maintenance", "1", "said so")
            await w.later(1)
            assert len(await w.suppressed()) == i + 1, "once, not at every look"
        assert await w.deliveries() == []
        w.hush = None
        await w.later(0)
        told = {number for number, _, _ in await w.deliveries()}
        assert {(await w.alerts.get(number)).alert.rule for number in told} == {"maintenance", "acknowledged"}
        await w.later(3600)
        assert await kinds(w) == ["raised"] * 4
        assert len(await w.suppressed()) == 5
        await w.say("warm-no_sink", "pump", "GREEN")
        assert (await w.suppressed())[-1].reason == "never_told"


async def test_while_it_stays_it_is_told_again_unless_somebody_knows(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.alerts.set_rule(replace(CHECKS, repeat_s=60), new=True)
        await w.say("warm", "pump", "RED")
        await w.later(59)
        assert await kinds(w) == ["raised"]
        await w.later(1)
        await w.later(1)
        assert await kinds(w) == ["raised", "repeated"]
        clock = w.clock
    async with world(tmp_path, clock=clock) as w:
        await w.later(58)
        assert await kinds(w) == ["raised", "repeated"]
        await w.later(1)
        assert await kinds(w) == ["raised", "repeated", "repeated"]
        await w.alerts.acknowledge(1, "ada", "")
        for _ in range(3):
            await w.later(60)
        assert [s.reason for s in await w.suppressed()] == ["acknowledged"] * 3
        await w.say("warm", "pump", "GREEN")
        assert await kinds(w) == ["raised", "repeated", "repeated", "cleared"]


async def test_a_new_rule_hears_what_is_said_from_then_on(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.alerts.set_rule(RULE, new=True)
        await w.say("warm", "pump", "RED")
        await w.alerts.set_rule(CHECKS, new=True)
        await w.say("warm", "fan", "RED", look=False)
        await w.alerts.set_rule(replace(CHECKS, id="d"), new=True)
        await w.later(0)
        assert await w.states() == [("fan", "active")]
        await w.alerts.delete_rule("c")
        await w.alerts.delete_rule("d")
        await w.say("warm", "boiler", "RED")
        await w.alerts.set_rule(CHECKS, new=True)
        await w.later(0)
        assert await w.states() == [("fan", "cleared")]


@pytest.mark.parametrize(("change", "states"), [
    ({"description": "d"}, ["active", "active"]),
    ({"status_at": "RED"}, ["cleared", "active"]),
    ({"sources": ("fan",)}, ["active", "cleared"]),
    ({"checks": ("cold",)}, ["cleared", "cleared"]),
    ({"group_by": ()}, ["cleared", "cleared"]),
    ({"checks": (), "status_at": "RED"}, ["cleared", "cleared"]),
])  # fmt: skip
async def test_a_rule_that_is_replaced_keeps_what_it_still_means(
    tmp_path: Path, change: dict[str, object], states: list[str]
) -> None:
    async with world(tmp_path) as w:
        rule = replace(CHECKS, group_by=("source",), status_at="YELLOW")
        await w.alerts.set_rule(rule, new=True)
        await w.say("warm", "fan", "YELLOW")
        await w.say("warm", "pump", "RED")
        await w.alerts.set_rule(replace(rule, **change), new=False)  # type: ignore[arg-type]
        assert [state for _, state in await w.states()] == states
        assert {a.cleared_by for a in (await w.alerts.list(AlertQuery())).rows} <= {"", "rule"}
        held = [turn_unpacked(body) for (body,) in await w.database.read("SELECT body FROM alert_holder")]
        assert len(held) == states.count("active"), "what holds nothing is forgotten"


async def test_beyond_the_bound_of_alerts_none_is_raised_and_that_is_listed(tmp_path: Path) -> None:
    async with world(tmp_path, settings(active_max=1)) as w:
        await w.alerts.set_rule(CHECKS, new=True)
        await w.say("warm", "pump", "RED")
        await w.say("warm", "fan", "RED")
        assert [(s.reason, s.source, s.check) for s in await w.suppressed()] == [("too_many_active", "fan", "warm")]
        await w.say("warm", "fan", "GREEN")
        assert await w.states() == [("pump", "active")]


async def test_what_cannot_be_written_is_taken_to_the_rules_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as w:
        await w.alerts.set_rule(CHECKS, new=True)
        await w.say("warm", "pump", "RED", look=False)
        write = w.database.write

        async def full(statements: object) -> None:
            raise StoreUnavailable("the disk is full")

        monkeypatch.setattr(w.database, "write", full)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await w.alerts.catch_up()
        assert w.said == []
        monkeypatch.setattr(w.database, "write", write)
        await w.later(0)
        assert await w.deliveries() == [(1, "raised", "hook")]


@pytest.mark.parametrize("seed", range(3))
async def test_the_same_outcomes_give_the_same_alerts_however_they_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """One life that looks at the end; one that looks at each outcome; one that is killed again and again."""
    chance = random.Random(seed)
    rules = [replace(CHECKS, id=f"c{i}", status_at=chance.choice(("YELLOW", "RED")),
                     group_by=chance.choice(((), ("source",), ("check",), EACH_SUBJECT)))
             for i in range(3)]  # fmt: skip
    steps = [(chance.choice(("warm", "warm-2")), chance.choice(("pump", "boiler", "fan")),
              chance.choice(("GREEN", "YELLOW", "RED", "")), chance.randint(0, 60)) for _ in range(40)]  # fmt: skip
    told = []
    for name, page, kill in (("whole", 64, 0.0), ("cut", 1, 0.0), ("killed", 2, 0.15)):
        monkeypatch.setattr(alerts_room, "PAGE", page)
        directory, clock, todo = tmp_path / name, None, list(steps)
        directory.mkdir()
        while todo:
            async with world(directory, clock=clock) as w:
                for rule in rules if clock is None else ():
                    await w.alerts.set_rule(rule, new=True)
                while todo:
                    said, source, status, wait_s = todo.pop(0)
                    w.clock.move(wait_s * 1000)
                    if status or await w.database.read(
                        "SELECT 1 FROM check_subject WHERE rule = ? AND status IS NOT NULL AND columns LIKE ?",
                        (said, f"%{source}%"),
                    ):
                        await w.say(said, source, status, look=name != "whole" and chance.random() < 0.7)
                    if chance.random() < kill:
                        break
                if not todo:
                    await w.later(1000)
                    told.append((await history(w), await w.database.read(
                        "SELECT rule, subject, body FROM alert_holder JOIN alert ON alert.number = alert "
                        "ORDER BY rule, subject")))  # fmt: skip
                clock = w.clock
    assert told[0] == told[1] == told[2]
    assert len(told[0][0][0]) > 3


@pytest.mark.parametrize(("change", "field"), [
    ({"status_at": "GREEN"}, "status_at"), ({"group_by": ("job",)}, "group_by"), ({"jobs": ("watch",)}, "jobs"),
    ({"checks": ("x",) * 65}, "checks"), ({"checks": (), "group_by": ("check",)}, "group_by"),
])  # fmt: skip
def test_a_rule_that_cannot_be_of_checks_is_refused(change: dict[str, object], field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check(replace(CHECKS, **change), ("hook",), ())  # type: ignore[arg-type]
    assert refused.value.where == {"field": field}
