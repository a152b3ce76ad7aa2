"""Models of plug-ins through the life of a daemon: they go on where they stopped, or begin anew and say so."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from offbeat.assembly import assembled
from offbeat.clock import ManualClock
from offbeat.config import Config
from offbeat.records import JobSpec
from offbeat.service import Service, running
from offbeat.verification import verify
from offbeat_detectors import river_adapter
from offbeat_detectors.warm import warm_up
from tests.detectors.plugins import Jumps
from tests.engine.run import Event, random_steps
from tests.store.process import START_MS, Journeys, applied, config, everything, round_made, send
from tests.store.test_same_results import WAYS, differing

MODELS: dict[str, dict[str, Any]] = {
    "river:preprocessing.MinMaxScaler|anomaly.HalfSpaceTrees":
        {"n_trees": 3, "height": 4, "window_size": 20, "settle_readings": 20},
    "river:anomaly.GaussianScorer": {"grace_period": 5, "settle_readings": 5},
    "river:time_series.HoltWinters": {"alpha": 0.3, "settle_readings": 5},
    "tests.detectors.plugins:Jumps": {},
}
LAW = "river:anomaly.GaussianScorer"
EVENTS = [Event("pump", START_MS + 1000 * i, {"flow": 20.0 + i * 7919 % 97 / 97}) for i in range(400)]


@pytest.fixture(autouse=True, scope="module")
def compiled() -> None:
    """The daemon compiles before it listens: here too, nothing is to wait for it."""
    warm_up()


@pytest.mark.parametrize("way", ["stopped often", "crashed often"])
@pytest.mark.parametrize("model", MODELS)
async def test_a_plug_in_gives_the_same_results_whatever_stops_and_crashes(
    tmp_path: Path, model: str, way: str
) -> None:
    steps = random_steps(31, 500)
    watch = {"model": model, "parameters": MODELS[model]}
    calm = Journeys(tmp_path / "calm", 0, batch_max=10_000, threads=1, stops=0.0, crashes=0.0, checkpoints=0.0,
                    watch=watch)
    restless = Journeys(tmp_path / "restless", 2, **WAYS[way], watch=watch)
    calm.directory.mkdir()
    restless.directory.mkdir()
    expected, found = await calm.take(steps), await restless.take(steps)
    assert differing(expected, found) == []
    assert restless.lives > 2


async def fill(settings: Config) -> None:
    async with running(settings, clock=ManualClock(START_MS)) as service:
        await service.jobs.create(JobSpec("law", model=LAW, parameters=(("settle_readings", 50),)))
        await send(service, EVENTS[:200])
        await round_made(service)
        await send(service, EVENTS[200:300])
        await applied(service)


async def warmups(service: Service) -> dict[str, tuple[int, str]]:
    await applied(service)
    _, diagnosis = await service.results.diagnosis((), 10, None)
    return {one.job: (one.warmup_left, one.says) for one in diagnosis.rows[0].series}


@pytest.mark.parametrize("model", ["river:anomaly.GaussianScorer", "tests.detectors.plugins:Jumps"])
async def test_the_checkpoints_of_a_plug_in_are_those_of_a_replay(tmp_path: Path, model: str) -> None:
    settings = config(tmp_path, watch={"model": model, "parameters": MODELS[model]})
    for part in (slice(0, 150), slice(150, 300), slice(300, 400)):
        async with running(settings, clock=ManualClock(START_MS)) as service:
            await send(service, EVENTS[part])
            await applied(service)
    report = await verify(tmp_path, lambda database: assembled(database, settings))
    assert report.differences == ()
    assert report.entries > 0


async def test_models_of_another_river_begin_anew_and_the_daemon_says_which_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = config(tmp_path)
    await fill(settings)
    written_by = river_adapter.WRITTEN_BY
    monkeypatch.setattr(river_adapter, "WRITTEN_BY", "river 99.0, Python 3.99")
    reason = f"its models were written by {written_by}; this is river 99.0, Python 3.99"
    with caplog.at_level(logging.WARNING, logger="offbeat"):
        async with running(settings, clock=ManualClock(START_MS)) as service:
            assert f"job law: the models of 1 series cannot be restored and begin anew: {reason}" in caplog.messages
            assert "offbeat_models_begun_anew 1.0" in service.metrics.render().decode()
            states = await warmups(service)
            assert states["watch"][0] == 0
            assert "begun anew" not in states["watch"][1]
            assert states["law"][0] == 80
            assert f"; begun anew at the last start, for {reason}" in states["law"][1]
            await send(service, EVENTS[300:])
            assert (await warmups(service))["law"][0] == 0
    caplog.clear()
    async with running(settings, clock=ManualClock(START_MS)) as service:
        assert caplog.messages == []
        assert "offbeat_models_begun_anew 0.0" in service.metrics.render().decode()
        assert (await warmups(service))["law"][0] == 0


async def test_a_class_that_cannot_read_what_it_saved_once_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(tmp_path, watch={"model": "tests.detectors.plugins:Jumps", "parameters": {}})
    async with running(settings, clock=ManualClock(START_MS)) as service:
        await send(service, EVENTS[:200])
        before = await everything(service)

    def restore(self: Jumps, *state: Any) -> None:
        raise KeyError("last")

    monkeypatch.setattr(Jumps, "restore", restore)
    async with running(settings, clock=ManualClock(START_MS)) as service:
        left, says = (await warmups(service))["watch"]
        assert left == 31
        assert says.startswith(
            "warming up: 31 more readings, about 31 seconds; begun anew at the last start, for KeyError: 'last'")
        after = await everything(service)
    assert [name for name in differing(before, after) if name != "diagnosis"] == []
