"""Whoever follows hears every finding once, in order: live, and after a break from where it was."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from offbeat import broadcast
from offbeat.clock import ManualClock
from offbeat.errors import BadRequest, TooManyClients
from offbeat.records import JobSpec
from offbeat.service import Service, running
from offbeat.store.queries import Bucket, Record, StreamEvent
from tests.engine.run import Event
from tests.store.process import START_MS, applied, config, copied, send

ALL = frozenset({"record", "bucket", "status"})

WARM = (("warmup_readings", 5),)


def odd(seed: int, count: int = 60, sources: int = 3) -> list[Event]:
    """Events of which many are worth a finding: each body is of sources of its own."""
    rng = random.Random(seed)
    return [
        Event(f"s{seed}-{i % sources}", START_MS + i * 9_000, {"x": 1e5 * i if odd else rng.gauss(5, 1)})
        for i in range(count)
        for odd in [i > 20 and i % 4 == 0]
    ]


@asynccontextmanager
async def following(
    service: Service, last: str | None = None, **wanted: Any
) -> AsyncIterator[AsyncIterator[StreamEvent]]:
    asked = {"job": None, "sources": (), "min_score": 0.0, "kinds": ALL} | wanted
    async with service.broadcast.follow(last_event_id=last, **asked) as some:
        yield (event async for together in some for event in together)


async def heard(events: AsyncIterator[StreamEvent], upto: str) -> list[StreamEvent]:
    """Everything up to the event with this id."""
    found = []
    async with asyncio.timeout(20):
        async for event in events:
            found.append(event)
            if event.id == upto:
                break
    return found


def place(event: StreamEvent) -> tuple[int, int]:
    assert event.id is not None
    seq, ordinal = event.id.split("-")
    return int(seq), int(ordinal)


async def told(service: Service, seeds: range) -> list[StreamEvent]:
    """What one who follows from before hears while *seeds* are sent, bodies one after the other."""
    async with following(service) as events:
        listening = asyncio.create_task(anext(events))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        for seed in seeds:
            await send(service, odd(seed))
        await applied(service)
        service.broadcast.say(status="done")
        found = [await listening]
        while found[-1].id is not None:
            found.append(await anext(events))
        return found[:-1]


def records_of(events: list[StreamEvent]) -> dict[str, float]:
    """The strongest form of each record that was told of."""
    found: dict[str, float] = {}
    for event in events:
        if isinstance(event.body, Record):
            assert event.body.score > found.get(event.body.id, 0.0), "told once, and again only if stronger"
            found[event.body.id] = event.body.score
    return found


async def test_a_follower_hears_every_finding_in_order_as_it_is_made(tmp_path: Path) -> None:
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        live = await told(service, range(4))
        assert len(live) > 20 and {e.kind for e in live} == {"record", "bucket"}
        assert [place(e) for e in live] == sorted({place(e) for e in live})
        rows = await service.database.read("SELECT count(*), sum(score) FROM record")
        assert rows == [(len(records_of(live)), pytest.approx(sum(records_of(live).values())))]


@pytest.mark.parametrize("life", ["the same", "stopped", "crashed"])
async def test_who_comes_back_with_the_last_id_misses_no_record_and_hears_none_twice(
    tmp_path: Path, life: str
) -> None:
    state = tmp_path / "state"
    async with running(config(state), clock=ManualClock(START_MS)) as service:
        live = await told(service, range(3))
        if life == "the same":
            await comes_back(service, live)
        if life == "crashed":
            state = await copied(service, tmp_path / "copy")
    if life != "the same":
        async with running(config(state), clock=ManualClock(START_MS)) as service:
            await comes_back(service, live)


async def comes_back(service: Service, live: list[StreamEvent]) -> None:
    """From any event that was heard, the rest comes: each record and bucket in its last form, then what is new."""
    later: list[StreamEvent] = []
    for at in (0, len(live) // 3, len(live) // 2, len(live) - 1):
        async with following(service, live[at].id) as events:
            first = asyncio.create_task(anext(events))  # type: ignore[arg-type]
            await send(service, odd(100 + at))
            await applied(service)
            every = "(SELECT seq, ordinal FROM record UNION SELECT seq, ordinal FROM finding_bucket)"
            newest = (
                await service.database.read(f"SELECT seq, ordinal FROM {every} ORDER BY seq DESC, ordinal DESC LIMIT 1")
            )[0]
            found = [await first]
            if place(found[0]) < newest:
                found += await heard(events, f"{newest[0]}-{newest[1]}")
        places = [place(e) for e in found]
        assert places == sorted(set(places)) and places[0] > place(live[at])
        missed = [e for e in [*live, *later] if place(e) > place(live[at])]
        final = {e.id for e in missed if e.kind == "record" and not any(
            m.kind == "record" and m.body.id == e.body.id and place(m) > place(e) for m in missed)}  # type: ignore[union-attr]
        assert final <= {e.id for e in found}
        assert {e.id for e in found if place(e) <= place(live[-1])} <= {e.id for e in missed}
        later = [e for e in found if place(e) > place(live[-1])]


async def test_a_page_of_what_a_deleted_job_found_is_not_taken_for_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "PAGE", 1)
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await service.jobs.create(JobSpec("gone", sources=("s0-*",), model="ewma", parameters=WARM))
        await service.jobs.create(JobSpec("stays", sources=("s1-*",), model="ewma", parameters=WARM))
        await send(service, odd(0))
        await send(service, odd(1))
        await applied(service)
        await service.jobs.delete("gone")
        newest = (await service.database.read("SELECT max(seq), max(ordinal) FROM finding_bucket WHERE job = 3"))[0]
        async with following(service, "0-0", job="stays") as events, asyncio.timeout(10):
            found = [await anext(events)]
            while place(found[-1]) != newest and place(found[-1])[0] <= newest[0] and len(found) < 1000:
                try:
                    async with asyncio.timeout(1):
                        found.append(await anext(events))
                except TimeoutError:
                    break
        rows = await service.database.read("SELECT seq, ordinal FROM record WHERE job = 3 ORDER BY seq, ordinal")
        assert [place(e) for e in found if e.kind == "record"] == rows and len(rows) > 2


async def test_a_follower_hears_only_what_it_asked_for(tmp_path: Path) -> None:
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await send(service, odd(1))
        live = await told(service, range(2, 4))
        for wanted in (
            {"kinds": frozenset({"record"})},
            {"sources": ("s3-1",)},
            {"min_score": 90.0},
            {"job": "watch"},
        ):
            expected = [
                e
                for e in live
                if isinstance(e.body, Record | Bucket)
                and e.kind in wanted.get("kinds", ALL)
                and e.body.source in wanted.get("sources", (e.body.source,))
                and e.body.score >= wanted.get("min_score", 0.0)
            ]
            assert expected
            final = [e for e in expected if e.kind == "record"][-1]
            async with following(service, f"{place(live[0])[0] - 1}-999", **wanted) as events:
                found = await heard(events, final.id or "")
            assert {e.id for e in found} <= {e.id for e in expected}


async def test_a_follower_that_is_too_slow_is_cut_off_and_goes_on_from_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "QUEUE_MAX", 10)
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        async with following(service) as events:
            listening = asyncio.create_task(anext(events))  # type: ignore[arg-type]
            await asyncio.sleep(0)
            await send(service, odd(1, 700, 23))
            await applied(service)
            found = [await listening] + [event async for event in events]  # it ends by itself
            assert 10 <= len(found) <= 11
        async with following(service, found[-1].id) as events:
            rows = await service.database.read("SELECT seq, ordinal FROM record ORDER BY seq, ordinal")
            rest = await heard(events, "{}-{}".format(*rows[-1]))
        seen = {place(e) for e in found + rest}
        assert set(rows) <= seen


async def test_there_are_as_many_followers_as_the_config_allows(tmp_path: Path) -> None:
    settings = config(tmp_path / "state", http={"stream_clients_max": 2})
    async with running(settings, clock=ManualClock(START_MS)) as service, following(service):
        async with following(service):
            with pytest.raises(TooManyClients) as refusal:
                async with following(service):
                    pass
            assert refusal.value.headers["Retry-After"]
        async with following(service):
            pass


async def test_streams_end_when_the_daemon_stops(tmp_path: Path) -> None:
    settings = config(tmp_path / "state")
    async with running(settings, clock=ManualClock(START_MS)) as service, following(service) as events:
        service.broadcast.close()
        assert [event async for event in events] == []


@pytest.mark.parametrize("id", ["", "17", "17-", "-3", "a-b", "17-0-1", "1.5-0", f"{2**63}-0", f"1-{10**30}", "1" * 50])
async def test_an_id_that_no_event_ever_had_is_refused(tmp_path: Path, id: str) -> None:
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        with pytest.raises(BadRequest, match="not the id of an event"):
            async with following(service, id):
                pass
