"""Findings to alerts: each taken to the rules once, in order, over restarts; what is not told says why."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from offbeat.alerts import alerts as alerts_room
from offbeat.alerts.calendars import Calendar, Window
from offbeat.alerts.rows import AlertQuery
from offbeat.alerts.rules import Silence
from offbeat.errors import BadRequest, Conflict, NotFound, StoreUnavailable
from offbeat.store.database import StateDirectory
from tests.alerts.world import RULE, World, settings, world


async def test_a_strong_finding_raises_an_alert_of_its_source_and_time_clears_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.alerts.set_rule(RULE, new=True)
        await w.find(("pump", 60), ("boiler", 49))
        await w.later(99)
        assert await w.states() == [("pump", "active")]
        await w.find(("pump", 20))
        await w.later(99)
        assert await w.states() == [("pump", "active")]
        await w.later(1)
        assert await w.states() == [("pump", "cleared")]
        assert await w.deliveries() == [(1, "raised", "hook"), (1, "cleared", "hook")]
        assert [(s["status"], s["alert"], s["rule"], s["source"], s["score"]) for s in w.said] == [
            ("alert_raised", 1, "r", "pump", 60), ("alert_cleared", 1, "r", "pump", 60)]  # fmt: skip
        full = await w.alerts.get(1)
        assert [seen.score for seen in full.findings] == [60, 20]
        assert "flow of pump was 9" in full.alert.sentence
        assert [d.kind for d in full.deliveries] == ["raised", "cleared"]


async def test_one_alert_for_what_the_rule_groups_together(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for id, group_by in (("all", ()), ("fields", ("field",)), ("both", ("source", "field"))):
            await w.alerts.set_rule(replace(RULE, id=id, group_by=group_by), new=True)
        await w.find(("pump", 60), ("boiler", 60))
        await w.find(("pump", 60), spec="heat")
        found = (await w.alerts.list(AlertQuery())).rows
        groups = sorted((a.rule, a.group, a.finding_count) for a in found)
        assert groups == [
            ("all", (None, None, None, None), 3),
            ("both", (None, "boiler", "flow", None), 1), ("both", (None, "pump", "flow", None), 1),
            ("both", (None, "pump", "heat", None), 1),
            ("fields", (None, None, "flow", None), 2), ("fields", (None, None, "heat", None), 1),
        ]  # fmt: skip


async def test_a_rule_sees_what_comes_after_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.find(("pump", 60))
        await w.alerts.set_rule(RULE, new=True)
        await w.find(("boiler", 60), look=False)
        await w.alerts.set_rule(replace(RULE, id="s"), new=True)
        await w.later(0)
        assert await w.states() == [("boiler", "active")], "the second rule came after that"


async def test_after_a_restart_what_was_seen_is_not_seen_again_and_what_was_missed_is(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.alerts.set_rule(replace(RULE, repeat_s=1), new=True)
        await w.find(("pump", 60))
        await w.find(("boiler", 60), look=False)  # the daemon is killed before the rules see it
        clock = w.clock
    clock.move(50_000)
    async with world(tmp_path, clock=clock, seq=2) as w:
        await w.later(0)
        assert await w.states() == [("pump", "active"), ("boiler", "active")]
        assert [kind for _, kind, _ in await w.deliveries()] == ["raised", "raised"]
        await w.later(49)
        assert await w.states() == [("pump", "active"), ("boiler", "active")]
        await w.later(1)
        assert await w.states() == [("pump", "cleared"), ("boiler", "cleared")]
    async with world(tmp_path, clock=clock, seq=2) as w:
        await w.later(0)
        assert len(await w.deliveries()) == 4
        assert await w.suppressed() == ()


async def test_the_same_findings_give_the_same_alerts_however_they_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One life that looks after each finding; one that looks at the end; one that is killed after each."""
    steps = [("pump", 60), ("pump", 30), ("boiler", 55), ("pump", 90), ("fan", 49), ("boiler", 19), ("fan", 50),
             ("pump", 60), ("fan", 20), ("boiler", 80)]  # fmt: skip
    every_s = [0, 60, 30, 45, 20, 99, 15, 101, 3, 200]
    told = []
    monkeypatch.setattr(alerts_room, "PAGE", 3)
    for name, look, lives in (("each", True, 1), ("end", False, 1), ("lives", True, len(steps))):
        directory = tmp_path / name
        with StateDirectory(directory):
            pass
        clock, seq, todo = None, 0, list(zip(steps, every_s, strict=True))
        for _ in range(lives):
            async with world(directory, clock=clock, seq=seq) as w:
                if not seq:
                    await w.alerts.set_rule(replace(RULE, repeat_s=70), new=True)
                for step, wait_s in todo[: len(steps) // lives]:
                    w.clock.move(wait_s * 1000)
                    await w.find(step, look=look)
                del todo[: len(steps) // lives]
                clock, seq = w.clock, w.seq
        async with world(directory, clock=clock, seq=seq) as w:
            await w.later(1000)
            alerts = (await w.alerts.list(AlertQuery())).rows
            numbers = {a.number: (a.group, a.raised_ms) for a in alerts}
            told.append((
                sorted((a.group[1], a.raised_ms, a.cleared_ms, a.finding_count, a.score, a.told_count) for a in alerts),
                sorted((str(numbers[alert]), kind) for alert, kind, _ in await w.deliveries()),
                sorted((s.at_ms, s.reason, s.record) for s in await w.suppressed()),
            ))  # fmt: skip
    assert told[0] == told[1] == told[2]
    assert len(told[0][0]) > 4
    assert {reason for _, reason, _ in told[0][2]} == {"repeat_interval"}


@pytest.mark.parametrize("seed", range(3))
async def test_so_do_random_findings_of_random_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    rules = [replace(RULE, id=f"r{i}", raise_at=chance.choice((30, 50)), clear_after_s=chance.choice((40, 100)),
                     group_by=chance.choice(((), ("source",), ("source", "field"))),
                     repeat_s=chance.choice((0, 30))) for i in range(3)]  # fmt: skip
    steps = [(chance.choice(("pump", "boiler", "fan")), chance.choice((19, 25, 35, 55, 80)),
              chance.choice(("flow", "heat")), chance.randint(0, 60)) for _ in range(40)]  # fmt: skip
    told = []
    for name, page, kill in (("whole", 64, 0.0), ("cut", 1, 0.0), ("killed", 2, 0.1)):
        monkeypatch.setattr(alerts_room, "PAGE", page)
        directory, clock, seq, todo = tmp_path / name, None, 0, list(steps)
        directory.mkdir()
        while todo:
            async with world(directory, clock=clock, seq=seq) as w:
                for rule in rules if not seq else ():
                    await w.alerts.set_rule(rule, new=True)
                while todo:
                    source, score, spec, wait_s = todo.pop(0)
                    w.clock.move(wait_s * 1000)
                    await w.find((source, score), spec=spec, look=name != "whole" and chance.random() < 0.7)
                    if chance.random() < kill:
                        break
                if not todo:
                    await w.later(1000)
                    told.append(await history(w))
                clock, seq = w.clock, w.seq
    assert told[0] == told[1] == told[2]
    assert len(told[0][0]) > 3


async def history(w: World) -> tuple[list[object], list[object], list[object]]:
    """Alerts, deliveries and suppressed, each in an order of its own: numbers depend on when alerts were cleared."""
    alerts = {a.number: (a.rule, str(a.group), a.raised_ms) for a in (await w.alerts.list(AlertQuery(limit=999))).rows}
    full = [replace(a, number=0) for a in (await w.alerts.list(AlertQuery(limit=999))).rows]
    return (
        sorted(full, key=lambda a: (a.rule, str(a.group), a.raised_ms)),
        sorted((*alerts[alert], kind) for alert, kind, _ in await w.deliveries()),
        sorted((s.at_ms, s.rule, s.reason, s.record, s.kind) for s in await w.suppressed()),
    )


async def test_what_cannot_be_written_is_taken_to_the_rules_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as w:
        await w.alerts.set_rule(RULE, new=True)
        write = w.database.write

        async def full(statements: object) -> None:
            raise StoreUnavailable("the disk is full")

        await w.find(("pump", 60), look=False)
        monkeypatch.setattr(w.database, "write", full)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await w.alerts.catch_up()
        assert w.said == [], "nobody is told of what may never have been"
        monkeypatch.setattr(w.database, "write", write)
        await w.later(0)
        assert await w.states() == [("pump", "active")]
        assert await w.deliveries() == [(1, "raised", "hook")]


async def test_time_passes_no_further_than_findings_are_known(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.alerts.set_rule(RULE, new=True)
        await w.find(("pump", 60))
        w.seq, w.behind = w.seq + 1, 1  # an entry waits for the engine: it may hold the alert
        await w.later(200)
        assert await w.states() == [("pump", "active")]
        w.behind = 0
        await w.later(0)
        assert await w.states() == [("pump", "cleared")]


async def test_what_nobody_is_told_says_which_rule_silence_or_calendar_did_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        now = w.clock.now_ms()
        await w.alerts.add_silence(Silence(0, now, now + 10_000, "works", "ada", sources=("pump",)))
        window = Window("2023-11-14T22:00:00", wall_s=3600, title="batch")
        await w.alerts.set_calendar(Calendar("nights", "", (window,)))
        await w.alerts.set_rule(replace(RULE, calendars=("nights",)), new=True)
        await w.alerts.set_rule(replace(RULE, id="nobody", sinks=(), sources=("fan",)), new=True)
        await w.find(("pump", 60), ("boiler", 61), ("fan", 62))
        found = [(s.alert, s.rule, s.kind, s.reason, s.by, s.source, s.score) for s in await w.suppressed()]
        assert found == [
            (1, "r", "raised", "silence", "1", "pump", 60), (2, "r", "raised", "calendar", "nights", "boiler", 61),
            (3, "r", "raised", "calendar", "nights", "fan", 62),
            (4, "nobody", "raised", "no_sink", "nobody", "fan", 62),
        ]  # fmt: skip
        whys = [s.why for s in await w.suppressed()]
        assert whys[0] == "silence 1, by ada, until 2023-11-14T22:13:30.000Z: works"
        assert whys[1] == "calendar nights has a window (batch) until 2023-11-14T23:00:00.000Z"
        assert await w.deliveries() == []
        await w.later(101)
        assert [s.reason for s in await w.suppressed()][4:] == ["never_told"] * 4
        page, _ = await w.alerts.suppressed("nobody", None, (), 10, None)
        assert [s.reason for s in page.rows] == ["never_told", "no_sink"]
        page, _ = await w.alerts.suppressed(None, "silence", ("pump",), 10, None)
        assert len(page.rows) == 1
        assert 'offbeat_alert_suppressed_total{reason="never_told"} 4.0' in w.metrics.render().decode()


async def test_a_silence_that_is_ended_silences_no_more_and_stays_listed(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        now = w.clock.now_ms()
        await w.alerts.set_rule(RULE, new=True)
        kept = await w.alerts.add_silence(Silence(0, now, now + 10_000, "works", "ada"))
        await w.find(("pump", 60))
        await w.alerts.end_silence(kept.number)
        await w.find(("pump", 30))  # it goes on, and who was spared the beginning is told now
        assert await w.deliveries() == [(1, "raised", "hook")]
        assert [s.removed_ms for s in w.alerts.silences()] == [now]
        with pytest.raises(Conflict):
            await w.alerts.end_silence(kept.number)
        clock = w.clock
    async with world(tmp_path, clock=clock, seq=2) as w:
        assert [(s.number, s.removed_ms, s.reason) for s in w.alerts.silences()] == [(1, now, "works")]
        again = await w.alerts.add_silence(Silence(0, now, now + 10_000, "works", "ada"))
        assert again.number == 2


async def test_an_acknowledged_alert_is_not_told_again_but_its_end_is(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.alerts.set_rule(replace(RULE, repeat_s=10), new=True)
        await w.find(("pump", 60))
        full = await w.alerts.acknowledge(1, "ada", "on my way")
        assert (full.alert.acknowledged_by, full.alert.acknowledged_comment) == ("ada", "on my way")
        w.clock.move(20_000)
        await w.find(("pump", 60))
        assert [s.reason for s in await w.suppressed()] == ["acknowledged"]
        await w.later(100)
        assert [kind for _, kind, _ in await w.deliveries()] == ["raised", "cleared"]
        with pytest.raises(Conflict):
            await w.alerts.acknowledge(1, "ada", "")
        with pytest.raises(NotFound):
            await w.alerts.acknowledge(7, "ada", "")
        with pytest.raises(BadRequest):
            await w.alerts.acknowledge(1, "", "")


async def test_a_rule_that_is_taken_away_clears_its_alerts_for_whoever_was_told(tmp_path: Path) -> None:
    async with world(tmp_path, settings({name: {"type": "command", "argv": ["x"]} for name in "ab"})) as w:
        await w.alerts.set_rule(replace(RULE, sinks=("a",)), new=True)
        await w.find(("pump", 60))
        await w.alerts.set_rule(replace(RULE, sinks=("b",)), new=False)
        await w.find(("pump", 60))
        await w.alerts.delete_rule("r")
        assert await w.deliveries() == [(1, "raised", "a"), (1, "cleared", "a")]
        assert (await w.alerts.get(1)).alert.cleared_by == "rule"
        assert w.alerts.rules() == ()
        with pytest.raises(NotFound):
            await w.alerts.delete_rule("r")


async def test_a_rule_that_groups_otherwise_begins_anew(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        first = await w.alerts.set_rule(RULE, new=True)
        await w.find(("pump", 60))
        w.clock.move(5)
        changed = await w.alerts.set_rule(replace(RULE, group_by=()), new=False)
        assert (changed.created_ms, changed.changed_ms) == (first.created_ms, first.changed_ms + 5)
        await w.find(("pump", 60))
        assert await w.states() == [("pump", "cleared"), (None, "active")]
        with pytest.raises(Conflict):
            await w.alerts.set_rule(RULE, new=True)
        with pytest.raises(NotFound):
            await w.alerts.set_rule(replace(RULE, id="other"), new=False)


async def test_a_calendar_that_a_rule_names_stays(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        calendar = Calendar("c", "d", (Window("2023-11-14T22:00:00", wall_s=3600),))
        await w.alerts.set_calendar(calendar)
        await w.alerts.set_rule(replace(RULE, calendars=("c",)), new=True)
        with pytest.raises(Conflict, match="named by the rules r"):
            await w.alerts.delete_calendar("c")
        await w.alerts.set_rule(RULE, new=False)
        await w.alerts.delete_calendar("c")
        with pytest.raises(NotFound):
            await w.alerts.delete_calendar("c")


async def test_alerts_are_listed_by_state_rule_source_and_time(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        begin = w.clock.now_ms()
        await w.alerts.set_rule(RULE, new=True)
        await w.alerts.set_rule(replace(RULE, id="fans", sources=("fan",), clear_after_s=1000), new=True)
        await w.find(("pump", 60))
        await w.later(100)
        await w.find(("fan", 60))
        for query, numbers in (
            (AlertQuery(), [3, 2, 1]), (AlertQuery(state="active"), [3, 2]), (AlertQuery(state="cleared"), [1]),
            (AlertQuery(rule="fans"), [3]), (AlertQuery(sources=("pump",)), [1]),
            (AlertQuery(end_ms=begin + 1), [1]), (AlertQuery(start_ms=begin + 100_001), [3, 2]),
            (AlertQuery(start_ms=begin + 50_000, end_ms=begin + 60_000), [1]),
        ):  # fmt: skip
            assert [a.number for a in (await w.alerts.list(query)).rows] == numbers, query
        first = await w.alerts.list(AlertQuery(limit=2))
        second = await w.alerts.list(AlertQuery(limit=2, cursor=first.next_cursor))
        assert [a.number for a in (*first.rows, *second.rows)] == [3, 2, 1]
        assert second.next_cursor is None


async def bounded(w: World) -> None:
    for i in range(6):
        await w.find(("pump", 60), ("boiler", 60), ("fan", 60))
        await w.find(("pump", 30))
        await w.later(100 if i < 5 else 0)


async def test_every_table_keeps_to_its_bound_and_counts_what_goes(tmp_path: Path) -> None:
    config = settings(active_max=2, cleared_max=3, findings_max=1, suppressed_max=4, waiting_max=5, dead_letters_max=2,
                      rules_max=1, silences_max=1, calendars_max=1)  # fmt: skip
    async with world(tmp_path, config) as w:
        await w.alerts.set_rule(RULE, new=True)
        await bounded(w)
        found, gone = await w.alerts.suppressed(None, None, (), 100, None)
        assert len(found.rows) == 4
        assert gone == 12 - 4  # six times one too many, six times one that an alert was held by
        assert {s.reason for s in found.rows} == {"too_many_active", "hysteresis"}
        alerts = (await w.alerts.list(AlertQuery())).rows
        assert [a.cleared_ms is None for a in alerts] == [True, True, False, False, False]
        assert [len((await w.alerts.get(a.number)).findings) for a in alerts] == [1] * 5
        counts = dict(await w.database.read("SELECT state, count(*) FROM alert_delivery GROUP BY state"))
        assert counts == {"waiting": 5, "dead": 2}
        _, gone = await w.alerts.dead_letters(10, None)
        assert gone == 22 - 7
        kept = await w.database.read("SELECT count(*) FROM alert_finding")
        assert kept == [(5,)]

        now = w.clock.now_ms()
        with pytest.raises(Conflict):
            await w.alerts.set_rule(replace(RULE, id="s"), new=True)
        silence = Silence(0, now, now + 1000, "works", "ada")
        await w.alerts.add_silence(silence)
        with pytest.raises(Conflict):
            await w.alerts.add_silence(silence)
        w.clock.move(1000)
        await w.alerts.add_silence(replace(silence, until_ms=now + 2000))
        assert [s.number for s in w.alerts.silences()] == [2], "the one that was over made room"
        with pytest.raises(BadRequest):
            await w.alerts.add_silence(silence)
        calendar = Calendar("c", "d", (Window("2023-11-14T22:00:00", wall_s=3600),))
        await w.alerts.set_calendar(calendar)
        await w.alerts.set_calendar(calendar)
        with pytest.raises(Conflict):
            await w.alerts.set_calendar(replace(calendar, id="d"))


async def test_a_rule_whose_sink_is_no_longer_in_the_settings_tells_nobody_and_says_so(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.alerts.set_rule(RULE, new=True)
        await w.find(("pump", 60))
    async with world(tmp_path, settings({}), seq=1) as w:
        (dead,) = (await w.alerts.dead_letters(10, None))[0].rows
        assert (dead.sink, dead.error) == ("hook", "the sink is no longer in the settings")
        await w.find(("boiler", 60))
        assert [(s.reason, s.source) for s in await w.suppressed()] == [("no_sink", "boiler")]
        with pytest.raises(Conflict, match="not in the settings"):
            await w.alerts.deliveries.retry(dead.number)
