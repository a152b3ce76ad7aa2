"""Detectors by name."""
from __future__ import annotations

import subprocess
import sys

import pytest

from offbeat_detectors import registry
from offbeat_detectors.banded import Banded
from offbeat_detectors.ewma import Ewma
from offbeat_detectors.registry import BadParameters, UnknownDetector
from offbeat_detectors.river_adapter import RiverDetector
from tests.detectors.plugins import Jumps


def test_a_plain_name_is_a_built_in_detector() -> None:
    assert "ewma" in registry.names()
    assert isinstance(registry.create("ewma", 3, {"half_life_readings": 5}), Ewma)


def test_a_model_of_river_is_named_by_its_path() -> None:
    made = registry.create("river:anomaly.GaussianScorer", 3, {"grace_period": 10, "time_zone": "Europe/Berlin"})
    assert isinstance(made, Banded)
    assert isinstance(made.inner, RiverDetector)


def test_any_detector_is_named_by_its_class() -> None:
    assert isinstance(registry.create("offbeat_detectors.ewma:Ewma", 3, {}), Ewma)


def test_a_class_that_asks_for_bands_gets_those_of_the_experts() -> None:
    made = registry.create("tests.detectors.plugins:Jumps", 3, {"time_zone": "Europe/Berlin"})
    assert isinstance(made, Banded)
    assert isinstance(made.inner, Jumps)


@pytest.mark.parametrize(("model", "it_does"), [
    ("river:anomaly.GaussianScorer", True), ("tests.detectors.plugins:Jumps", True), ("rhythm", True), ("ewma", False),
])
def test_what_follows_civil_time_takes_a_time_zone(model: str, it_does: bool) -> None:
    assert registry.takes(model, "time_zone") is it_does
    if it_does:
        with pytest.raises(BadParameters, match="no time zone"):
            registry.create(model, 1, {"time_zone": "Europe/Atlantis"})


@pytest.mark.parametrize("model", [
    "nothing", "", ":", "no.such.module:Class", "offbeat_detectors.ewma:Nothing", "river:anomaly.Nothing", "river:",
    "subprocess:Popen", "offbeat_detectors.ewma:math",
])
def test_what_is_no_detector_is_refused_with_a_hint_and_never_called(model: str) -> None:
    with pytest.raises(UnknownDetector) as refused:
        registry.create(model, 3, {})
    assert refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize(("model", "parameters", "hint"), [
    ("ewma", {"halflife": 3}, "half_life_readings (default 20.0)"),
    ("ewma", {"half_life_readings": "long"}, "half_life_readings"),
    ("ewma", {"warmup_readings": -1}, "warmup_readings"),
    ("river:anomaly.GaussianScorer", {"grace": 3}, "Class.parameter"),
    ("river:anomaly.GaussianScorer", {"time_zone": 1}, "Class.parameter"),
    ("tests.detectors.plugins:Jumps", {"halflife": 3}, "settle_readings (default 1)"),
])
def test_bad_parameters_are_refused_with_those_that_there_are(
    model: str, parameters: dict[str, object], hint: str,
) -> None:
    with pytest.raises(BadParameters) as refused:
        registry.create(model, 3, parameters)
    assert hint in refused.value.hint


def test_river_is_imported_only_when_a_job_names_it() -> None:
    code = ("import sys; from offbeat_detectors import registry; registry.create('ewma', 1, {});"
            "sys.exit('river' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
