"""Other sinks after a reload: new ones begin, changed ones have what waits, what waits for the gone is given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offbeat.alerts.webhook import Webhook
from offbeat.config import Config, sinks_of
from offbeat.errors import NotFound
from tests.alerts.receivers import Receiver, receiver
from tests.alerts.world import RULE, World, settings, world


def hook(there: Receiver, **more: Any) -> dict[str, Any]:
    return {"type": "webhook", "url": there.url, **more}


@asynccontextmanager
async def delivering(w: World) -> AsyncIterator[None]:
    """Deliveries go out by themselves."""
    task = asyncio.create_task(w.alerts.deliveries.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0)


async def reload(w: World, config: Config) -> None:
    """The settings say otherwise now, the daemon is told so, and has taken them over."""
    w.config = config
    w.alerts.deliveries.reload()
    await until(lambda: w.alerts.deliveries._configs == sinks_of(config.alerts))


async def test_a_new_sink_is_told_without_a_restart(tmp_path: Path) -> None:
    async with receiver() as old, receiver() as new, world(tmp_path, settings({"hook": hook(old)})) as w, delivering(w):
        await w.alerts.set_rule(RULE, new=True)
        await w.find(("pump", 60))
        await until(lambda: len(old.came) == 1)
        kept = w.alerts.deliveries.sinks["hook"]
        await reload(w, settings({"hook": hook(old), "more": hook(new)}))
        assert w.alerts.deliveries.sinks["hook"] is kept, "what has not changed goes on"
        await w.alerts.set_rule(replace(RULE, sinks=("hook", "more")), new=False)
        await w.find(("boiler", 60))
        await until(lambda: (len(old.came), len(new.came)) == (2, 1))


async def test_what_waits_for_a_sink_that_has_changed_goes_where_it_is_now(tmp_path: Path) -> None:
    async with (
        receiver() as wrong, receiver() as right, world(tmp_path, settings({"hook": hook(wrong)})) as w, delivering(w)
    ):
        wrong.status = 500
        await w.alerts.set_rule(RULE, new=True)
        await w.find(("pump", 60))
        await until(lambda: len(wrong.came) == 1)
        await reload(w, settings({"hook": hook(right)}))
        w.clock.move(60_000)
        await until(lambda: len(right.came) == 1)
        assert right.documents[0]["id"] == wrong.documents[0]["id"]
        await until(lambda: w.alerts.deliveries.waiting == {"hook": 0})


async def test_an_attempt_at_a_sink_that_hangs_is_broken_off_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = asyncio.Event()

    async def hangs(*_: Any) -> None:
        hanging.set()
        await asyncio.Event().wait()

    async with receiver() as there, world(tmp_path, settings({"hook": hook(there, timeout_s=600)})) as w, delivering(w):
        with monkeypatch.context() as patched:
            patched.setattr(Webhook, "send", hangs)
            await w.alerts.set_rule(RULE, new=True)
            await w.find(("pump", 60))
            await hanging.wait()
        await reload(w, settings({"hook": hook(there, timeout_s=5)}))
        await until(lambda: len(there.came) == 1)


async def test_what_waits_for_a_sink_that_is_gone_is_a_dead_letter(tmp_path: Path) -> None:
    async with receiver() as there, world(tmp_path, settings({"hook": hook(there)})) as w, delivering(w):
        there.status = 500
        await w.alerts.set_rule(RULE, new=True)
        await w.find(("pump", 60))
        await until(lambda: len(there.came) == 1)
        await reload(w, settings({}))

        async def dead() -> list[str]:
            return [one.error for one in (await w.alerts.dead_letters(10, None))[0].rows]

        async with asyncio.timeout(20):
            while await dead() != ["the sink is no longer in the settings"]:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0)
        with pytest.raises(NotFound):
            await w.alerts.deliveries.test("hook")
        await w.find(("boiler", 60))
        assert [one.reason for one in await w.suppressed()] == ["no_sink"]
        await w.alerts.deliveries.added({"hook": 1})  # of a page that was looked at before
        assert w.alerts.deliveries.waiting == {}
