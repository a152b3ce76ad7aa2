"""On the way to a sink: in order, again after a wait that grows, given up, tried anew."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offbeat.alerts import deliveries as room
from offbeat.errors import Conflict, NotFound, SinkFailed, StoreUnavailable
from tests.alerts.receivers import Receiver, receiver
from tests.alerts.world import RULE, World, settings, world


def hook(there: Receiver, **more: Any) -> dict[str, Any]:
    return {"hook": {"type": "webhook", "url": there.url, **more}}


async def deliver(w: World) -> None:
    """All that is due now."""
    await w.alerts.deliveries.added({"hook": 0})
    while await w.alerts.deliveries.deliver("hook"):
        pass


async def test_a_notification_is_tried_again_after_waits_that_double_and_then_given_up(tmp_path: Path) -> None:
    async with receiver() as there, world(tmp_path, settings(hook(there, attempts_max=6, backoff_max_s=6))) as w:
        there.status = 500
        await w.alerts.set_rule(RULE, new=True)
        await w.find(("pump", 60))
        chance = random.Random(1)
        for attempt, wait_s in enumerate((1, 2, 4, 6, 6), 1):
            await deliver(w)
            wait_ms = int(1000 * wait_s * (1 - chance.random() / 2))
            (one,) = (await w.alerts.get(1)).deliveries
            assert (one.state, one.attempts, one.error) == ("waiting", attempt, "it answered 500")
            assert one.due_ms - w.clock.now_ms() == wait_ms
            w.clock.move(wait_ms - 1)
            await deliver(w)
            assert len(there.came) == attempt, "not before its time"
            w.clock.move(1)
        await deliver(w)
        (dead,) = (await w.alerts.dead_letters(10, None))[0].rows
        assert (dead.state, dead.attempts, dead.error, dead.kind) == ("dead", 6, "it answered 500", "raised")
        assert len(there.came) == 6
        assert len({document["id"] for document in there.documents}) == 1
        metrics = w.metrics.render().decode()
        assert 'offbeat_alert_deliveries_total{outcome="failed",sink="hook"} 6.0' in metrics
        assert 'offbeat_alert_deliveries_total{outcome="dead",sink="hook"} 1.0' in metrics
        assert "offbeat_alert_dead_letters 1.0" in metrics

        there.status = 200
        assert (await w.alerts.deliveries.retry(dead.number)).state == "waiting"
        await deliver(w)
        assert len(there.came) == 7
        assert len({document["id"] for document in there.documents}) == 1
        assert (await w.alerts.get(1)).deliveries[0].state == "delivered"
        assert "offbeat_alert_dead_letters 0.0" in w.metrics.render().decode()
        with pytest.raises(Conflict, match="was not given up"):
            await w.alerts.deliveries.retry(dead.number)
        with pytest.raises(NotFound):
            await w.alerts.deliveries.retry(99)


async def test_nobody_hears_of_the_end_before_the_beginning_nor_waits_for_another_alert(tmp_path: Path) -> None:
    async with receiver() as there, world(tmp_path, settings(hook(there, attempts_max=2))) as w:
        await w.alerts.set_rule(RULE, new=True)
        there.status = 500
        await w.find(("pump", 60))
        await deliver(w)
        there.status = 200
        await w.find(("boiler", 60))
        w.clock.move(1)
        await deliver(w)
        await w.later(200)
        await deliver(w)
        told = [(d["kind"], d["alert"]["source"]) for d in there.documents]
        assert told == [
            ("raised", "pump"), ("raised", "boiler"), ("raised", "pump"), ("cleared", "boiler"), ("cleared", "pump"),
        ]  # fmt: skip


async def test_an_end_is_told_once_the_beginning_was_given_up(tmp_path: Path) -> None:
    async with receiver() as there, world(tmp_path, settings(hook(there, attempts_max=1))) as w:
        await w.alerts.set_rule(RULE, new=True)
        there.status = 500
        await w.find(("pump", 60))
        await w.later(100)
        await deliver(w)
        assert [d["kind"] for d in there.documents] == ["raised", "cleared"]


async def test_a_daemon_that_is_killed_before_it_noted_a_delivery_sends_it_again_with_the_same_id(
    tmp_path: Path,
) -> None:
    async with receiver() as there:
        config = settings(hook(there))
        async with world(tmp_path, config) as w:
            await w.alerts.set_rule(RULE, new=True)
            await w.find(("pump", 60))
            there.hangs = True
            attempt = asyncio.create_task(deliver(w))
            await asyncio.wait_for(there.some.wait(), 10)
            attempt.cancel()
            await asyncio.gather(attempt, return_exceptions=True)
            clock = w.clock
        there.hangs = False
        async with world(tmp_path, config, clock, seq=1) as w:
            await deliver(w)
            await deliver(w)
        assert [d["kind"] for d in there.documents] == ["raised", "raised"]
        assert len({d["id"] for d in there.documents}) == 1


async def test_a_receiver_that_hangs_holds_up_no_other(tmp_path: Path) -> None:
    async with receiver() as slow, receiver() as quick:
        sinks = {name: {"type": "webhook", "url": there.url} for name, there in (("slow", slow), ("quick", quick))}
        async with world(tmp_path, settings(sinks)) as w:
            slow.hangs = True
            await w.alerts.set_rule(replace(RULE, sinks=("slow", "quick")), new=True)
            running = asyncio.create_task(w.alerts.deliveries.run())
            try:
                await w.find(("pump", 60))
                await asyncio.wait_for(slow.some.wait(), 10)
                await asyncio.wait_for(quick.some.wait(), 10)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)


async def test_what_is_active_is_sent_to_an_alertmanager_again_until_it_is_cleared(tmp_path: Path) -> None:
    async with receiver() as there:
        config = settings({"hook": {"type": "alertmanager", "url": there.url, "resend_s": 30}})
        async with world(tmp_path, config) as w:
            await w.alerts.set_rule(RULE, new=True)
            await w.alerts.set_rule(replace(RULE, id="others", sinks=()), new=True)  # of which this sink knows nothing
            await w.find(("pump", 60))
            await deliver(w)
            for wait_s, count in ((0, 2), (29, 2), (1, 3), (30, 4)):
                w.clock.move(wait_s * 1000)
                await w.alerts.deliveries.resend("hook")
                assert len(there.came) == count, wait_s
                assert [one["labels"]["rule"] for one in there.documents[-1]] == ["r"]
            there.status = 500
            w.clock.move(30_000)
            await w.alerts.deliveries.resend("hook")  # nobody is there for once: the next time will do
            there.status = 200
            clock = w.clock
        async with world(tmp_path, config, clock, seq=1) as w:
            await w.alerts.deliveries.resend("hook")
            assert there.documents[-1][0]["labels"]["source"] == "pump", "after a restart as well"
            await w.later(100)
            await deliver(w)
            count = len(there.came)
            w.clock.move(60_000)
            await w.alerts.deliveries.resend("hook")
            assert len(there.came) == count
            assert there.documents[-1][0]["endsAt"] == "2023-11-14T22:15:00.000Z"


async def test_of_an_alert_that_is_told_again_and_again_only_some_deliveries_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.rows, "DELIVERIES_MAX", 3)
    async with receiver() as there, world(tmp_path, settings(hook(there))) as w:
        await w.alerts.set_rule(replace(RULE, repeat_s=1), new=True)
        for _ in range(6):
            await w.find(("pump", 60))
            await deliver(w)
            w.clock.move(1000)
        assert len(there.came) == 6
        assert [d.number for d in (await w.alerts.get(1)).deliveries] == [4, 5, 6]


async def test_a_fault_of_a_sink_is_a_failed_attempt_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with receiver() as there, world(tmp_path, settings(hook(there))) as w:

        async def broken(note: object) -> None:
            raise RuntimeError("out of paper")

        monkeypatch.setattr(w.alerts.deliveries.sinks["hook"], "send", broken)
        await w.alerts.set_rule(RULE, new=True)
        await w.find(("pump", 60))
        await deliver(w)
        (one,) = (await w.alerts.get(1)).deliveries
        assert (one.state, one.error) == ("waiting", "a fault of Offbeat's, its log says more: RuntimeError")
        assert "out of paper" in caplog.text


async def test_while_nothing_can_be_written_what_was_taken_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver() as there, world(tmp_path, settings(hook(there))) as w:
        await w.alerts.set_rule(RULE, new=True)
        await w.find(("pump", 60))
        write = w.database.write

        async def full(statements: object) -> None:
            raise StoreUnavailable("the disk is full")

        monkeypatch.setattr(w.database, "write", full)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await deliver(w)
        monkeypatch.setattr(w.database, "write", write)
        await deliver(w)
        assert len(there.came) == 1
        assert (await w.alerts.get(1)).deliveries[0].state == "delivered"


async def test_room_for_more_comes_with_each_delivery_over_restarts_too(tmp_path: Path) -> None:
    async with receiver() as there:
        config = settings(hook(there), waiting_max=1)
        async with world(tmp_path, config) as w:
            await w.alerts.set_rule(RULE, new=True)
            await w.find(("pump", 60), ("boiler", 60))
            clock = w.clock
        async with world(tmp_path, config, clock, seq=1) as w:
            await w.find(("fan", 60))
            assert len((await w.alerts.dead_letters(10, None))[0].rows) == 2
            await deliver(w)
            await w.find(("fan", 60), spec="heat")
            await w.later(100)
            await deliver(w)
            states = await w.database.read("SELECT kind, state FROM alert_delivery WHERE alert = 1 ORDER BY number")
            assert states == [("raised", "delivered"), ("cleared", "delivered")]


async def test_a_sink_can_be_tried(tmp_path: Path) -> None:
    async with receiver() as there, world(tmp_path, settings(hook(there))) as w:
        id = await w.alerts.deliveries.test("hook")
        (document,) = there.documents
        assert (document["id"], document["kind"], document["rule"]["id"]) == (id, "test", "test")
        there.status = 401
        with pytest.raises(SinkFailed, match="the sink hook did not take a test: it answered 401"):
            await w.alerts.deliveries.test("hook")
        with pytest.raises(NotFound, match="there is no sink other"):
            await w.alerts.deliveries.test("other")
