"""The same events give the same results, whatever the batches, threads, restarts, crashes and checkpoints."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offbeat import assembly
from offbeat.engine import engine
from offbeat.store import journal
from offbeat_detectors import rhythm_divided
from tests.engine.run import FIELDS, SPECS, Clock, Create, Delete, Event, Step, Tick, living_steps, random_steps
from tests.store.process import Adjust, Journeys, Undo

WAYS: dict[str, dict[str, Any]] = {
    "one by one": {"batch_max": 1, "threads": 1, "stops": 0.0, "crashes": 0.0, "checkpoints": 0.1},
    "many threads": {"batch_max": 80, "threads": 4, "stops": 0.0, "crashes": 0.0, "checkpoints": 0.0},
    "stopped often": {"batch_max": 40, "threads": 2, "stops": 0.15, "crashes": 0.0, "checkpoints": 0.1},
    "crashed often": {"batch_max": 40, "threads": 2, "stops": 0.0, "crashes": 0.15, "checkpoints": 0.3},
    "all of it": {"batch_max": 15, "threads": 2, "stops": 0.05, "crashes": 0.05, "checkpoints": 0.2},
}


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    assert one.keys() == other.keys()
    return [part for part in one if one[part] != other[part]]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", [1])
async def test_the_results_are_those_of_a_single_body_to_a_daemon_that_never_stopped(
    tmp_path: Path, way: str, seed: int
) -> None:
    steps = random_steps(seed + 20, 400)
    calm = Journeys(tmp_path / "calm", 0, batch_max=10_000, threads=1, stops=0.0, crashes=0.0, checkpoints=0.0)
    calm.directory.mkdir()
    restless = Journeys(tmp_path / "restless", seed, **WAYS[way])
    restless.directory.mkdir()
    expected, found = await calm.take(steps), await restless.take(steps)
    assert differing(expected, found) == []
    assert expected["records watch time"] and any(source["late_count"] for source in expected["sources"])
    assert (restless.lives > 2) == (way not in ("one by one", "many threads"))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    seed=st.integers(0, 1000),
    count=st.integers(1, 250),
    batch_max=st.integers(1, 60),
    threads=st.integers(1, 3),
    stops=st.floats(0, 0.1),
    crashes=st.floats(0, 0.1),
    checkpoints=st.floats(0, 0.4),
)
def test_so_are_those_of_any_events_and_any_life(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    count: int,
    **way: Any,
) -> None:
    async def both() -> tuple[dict[str, Any], dict[str, Any]]:
        steps = random_steps(seed, count)
        calm = Journeys(
            tmp_path_factory.mktemp("calm"), 0, batch_max=10_000, threads=1, stops=0.0, crashes=0.0, checkpoints=0.0
        )
        return await calm.take(steps), await Journeys(tmp_path_factory.mktemp("other"), seed, **way).take(steps)

    assert differing(*asyncio.run(both())) == []


@pytest.mark.parametrize("seed", range(2))
async def test_so_are_those_of_a_daemon_that_ticked_at_other_places_if_no_detector_watches_for_silence(
    tmp_path: Path, seed: int
) -> None:
    steps = random_steps(seed + 50, 400)
    without: list[Step] = [step for step in steps if not isinstance(step, Tick)]
    still = Journeys(tmp_path / "still", 0, batch_max=20, threads=1, stops=0.0, crashes=0.0, checkpoints=0.0)
    ticking = Journeys(tmp_path / "ticking", seed, batch_max=20, threads=1, stops=0.02, crashes=0.02, checkpoints=0.1,
                       ticks=0.3)
    still.directory.mkdir()
    ticking.directory.mkdir()
    assert differing(await still.take(without), await ticking.take(without)) == []


RHYTHM: dict[str, Any] = {"model": "rhythm", "parameters": {}}
BEATING: dict[str, Any] = {
    "model": "tests.engine.heartbeat:Heartbeat",
    "parameters": {"warmup_readings": 5},
    "peer_groups": ["a*"],
}


@pytest.mark.parametrize("way", ["one by one", "stopped often", "crashed often"])
async def test_so_are_those_of_a_detector_that_watches_for_silence_and_has_groups_if_the_ticks_are_the_same(
    tmp_path: Path, way: str
) -> None:
    steps = [*living_steps(3, 120), *(step for _ in range(10) for step in (Clock(30_000), Tick()))]
    calm = Journeys(
        tmp_path / "calm", 0, batch_max=10_000, threads=1, stops=0.0, crashes=0.0, checkpoints=0.0, watch=BEATING
    )
    rates = {"stops": 0.03, "crashes": 0.03, "checkpoints": 0.1}
    rare = {name: min(value, rates.get(name, value)) for name, value in WAYS[way].items()}
    restless = Journeys(tmp_path / "restless", 1, **rare, watch=BEATING)
    calm.directory.mkdir()
    restless.directory.mkdir()
    expected, found = await calm.take(steps), await restless.take(steps)
    assert differing(expected, found) == []
    assert any(record["actual"] == "nan" for record in expected["records watch time"]), "something fell silent"
    assert any(bucket["event_count"] == 0 for bucket in expected["buckets watch source time"])
    assert any(one["state"] == "silent" for source in expected["diagnosis"] for one in source)


@pytest.mark.parametrize("threads", [1, 2, 3])
async def test_so_are_those_of_a_replay_that_any_number_of_threads_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    steps = [*living_steps(3, 250), *random_steps(3, 350, 1_700_000_000_000 + 10**8)]
    calm = Journeys(tmp_path / "calm", 0, batch_max=10_000, threads=1, stops=0.0, crashes=0.0, checkpoints=0.0,
                    watch=RHYTHM)
    calm.directory.mkdir()
    expected = await calm.take(steps)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(threads))
    monkeypatch.setattr(engine, "SHARED_MIN", 1)
    monkeypatch.setattr(rhythm_divided, "POINTS_MIN", 1)
    monkeypatch.setattr(journal, "PAGE_ENTRIES", 5)
    restless = Journeys(tmp_path / "restless", 1, batch_max=40, threads=2, stops=0.0, crashes=0.03, checkpoints=0.01,
                        watch=RHYTHM)
    restless.directory.mkdir()
    assert differing(expected, await restless.take(steps)) == []
    assert restless.lives > 2 and expected["records watch time"]


async def test_so_are_those_of_jobs_that_came_and_went_between_checkpoints(tmp_path: Path) -> None:
    events = [step for step in random_steps(7, 600) if isinstance(step, Event)]
    steps: list[Step] = [
        *events[:100],
        Create(SPECS[0]),
        *events[100:200],
        Create(SPECS[1]),
        *events[200:300],
        Delete(),
        *events[300:400],
        Create(SPECS[0]),
        *events[400:],
    ]
    calm = Journeys(tmp_path / "calm", 0, batch_max=10_000, threads=1, stops=0.0, crashes=0.0, checkpoints=0.0)
    calm.directory.mkdir()
    expected = await calm.take(steps)
    for seed in range(3):
        way = Journeys(
            tmp_path / str(seed), seed, batch_max=30, threads=2, stops=0.1, crashes=0.1, checkpoints=0.3
        )
        way.directory.mkdir()
        assert differing(expected, await way.take(steps)) == []


async def test_so_are_those_of_feedback_that_came_and_was_taken_back_between_checkpoints(tmp_path: Path) -> None:
    rng, steps = random.Random(3), list[Step | Adjust | Undo]()
    for step in random_steps(3, 1000, sources=("a", "b"), absurd=0.03):
        values = step.values if isinstance(step, Event) else {}
        mild = {name: float(rng.randrange(14, 26)) if abs(value) > 100 else value for name, value in values.items()}
        steps.append(replace(step, values=mild) if isinstance(step, Event) else step)
        if rng.random() < 0.02:
            steps.append(Adjust(rng.choice("ab"), rng.choice(FIELDS), rng.choice([0.3, 2.0, 8.0])))
        elif rng.random() < 0.01:
            steps.append(Undo())
    calm = Journeys(tmp_path / "calm", 0, batch_max=10_000, threads=1, stops=0.0, crashes=0.0, checkpoints=0.0)
    calm.directory.mkdir()
    expected = await calm.take(steps)
    assert sum(hidden for *_, hidden, _ in expected["feedback"]) > 0
    for seed in range(3):
        way = Journeys(
            tmp_path / str(seed), seed, batch_max=30, threads=2, stops=0.05, crashes=0.1, checkpoints=0.3
        )
        way.directory.mkdir()
        assert differing(expected, await way.take(steps)) == []


@pytest.mark.parametrize("way", ["one by one", "stopped often", "crashed often"])
@pytest.mark.parametrize("shards", [1, 2])
async def test_so_are_those_of_a_daemon_with_fewer_models_than_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, shards: int
) -> None:
    monkeypatch.setattr(assembly, "places_of", lambda engine: (6 * shards, shards))
    names = [f"s{i}" for i in range(9)]
    steps: list[Step] = []
    for part in range(6):
        some = random.Random(part).sample(names, 4)
        steps += random_steps(part, 100, 1_700_000_000_000 + part * 10**7, some)
    made = {s.spec.id: s for s in steps if isinstance(s, Create)}
    steps = [s for s in steps if not isinstance(s, Create) or made[s.spec.id] is s]
    watch = {"model": "rhythm", "parameters": {}} if shards == 2 else {}
    calm = Journeys(tmp_path / "calm", 0, batch_max=10_000, threads=1, stops=0.0, crashes=0.0, checkpoints=0.0,
                    watch=watch)
    restless = Journeys(tmp_path / "restless", 1, **WAYS[way], watch=watch)
    for journeys in (calm, restless):
        journeys.directory.mkdir()
    expected, found = await calm.take(steps), await restless.take(steps)
    assert differing(expected, found) == []
    assert "evicted" in str(expected["diagnosis"]) and "no_model" in str(expected["diagnosis"])
