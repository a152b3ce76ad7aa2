"""The same events give the same results, whatever the batches, threads, restarts, crashes and checkpoints."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.run import SPECS, Create, Delete, Event, Step, Tick, random_steps
from tests.store.process import Journeys

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
async def test_so_are_those_of_a_daemon_that_ticked_at_other_places(tmp_path: Path, seed: int) -> None:
    steps = random_steps(seed + 50, 400)
    without: list[Step] = [step for step in steps if not isinstance(step, Tick)]
    still = Journeys(tmp_path / "still", 0, batch_max=20, threads=1, stops=0.0, crashes=0.0, checkpoints=0.0)
    ticking = Journeys(tmp_path / "ticking", seed, batch_max=20, threads=1, stops=0.02, crashes=0.02, checkpoints=0.1,
                       ticks=0.3)
    still.directory.mkdir()
    ticking.directory.mkdir()
    assert differing(await still.take(without), await ticking.take(without)) == []


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
