"""The command over detection: what it runs, what it leaves out, what it prints."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import detection
from common import calm
from common.judge import Model, judge
from common.speed import Fleet, speed
from offbeat_detectors.ewma import Ewma
from offbeat_detectors.scores import AlertStage, score_of_strength


class Leavable(Ewma):
    """Ewma with components that can be left out, as a larger detector has them."""

    COMPONENTS = ("patience", "settling")

    def __init__(self, capacity: int, *, without: tuple[str, ...] = ()) -> None:
        super().__init__(capacity, half_life_readings=2.0 if "patience" in without else 20.0)


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    detection.main(list(options))
    return capsys.readouterr().out


def test_a_corpus_is_judged_as_its_series_are_one_by_one() -> None:
    corpus = calm.corpus("Student t(3)", range(3), 2000, seed=1)
    found = judge(Model("ewma"), corpus)
    for i in range(3):
        rows = slice(2000 * i, 2000 * (i + 1))
        slot = np.zeros(2000, np.int32)
        said = Ewma(1).process(slot, corpus.time_ms[rows], corpus.value[rows])
        strength = AlertStage(1).process(slot, said.novelty)
        np.testing.assert_array_equal(found.strength[rows], strength)
        np.testing.assert_array_equal(found.novelty[rows], np.nan_to_num(said.novelty))
        assert found.score[rows].tolist() == [score_of_strength(e) for e in strength]


def test_a_component_is_left_out_beside_those_left_out_already() -> None:
    model = Model("some.package:Class", {"without": ["drift"], "depth": 2}).without("stuck")
    assert model.parameters == {"without": ("drift", "stuck"), "depth": 2}
    assert str(model) == "some.package:Class without stuck"


def test_a_large_fleet_begins_with_the_state_of_a_small_one() -> None:
    few, many = Fleet(Model("ewma"), 1000, seed=1), Fleet(Model("ewma"), 3000, seed=1)
    few.feed(50_000)
    many.grown_from(few)
    slots = np.arange(3000, dtype=np.int32)
    state = few.detector.save(slots[:1000])
    for name, column in many.detector.save(slots).items():
        np.testing.assert_array_equal(column, np.tile(state[name], 3))
    assert many.fed == 150_000


def test_speed_is_measured_after_so_many_readings_of_each_series() -> None:
    measured = speed(Model("ewma"), 10, seen=200, seconds=0.05)
    assert measured.seen >= 200
    assert measured.rate > 1000
    assert (measured.detector_bytes, measured.alert_bytes) == (Ewma.bytes_per_series, AlertStage.bytes_per_series)


def test_calm_series_alone_need_no_corpus(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report = tmp_path / "results" / "detection.md"
    out = printed(capsys, "--only", "calm", "--detectors", "ewma", "--series", "2", "--rows", "1000",
                  "--markdown", str(report))
    text = report.read_text()
    assert text in out
    assert "## Calm series" in text
    assert "## NAB" not in text
    assert all(f"| {kind} " in text for kind in calm.KINDS)
    assert "plan of ewma: 16 alignments of NAB, 2 calm series of 1,000 points a kind" in text


def test_parameters_reach_their_detector_and_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    given = {"ewma": {"half_life_readings": 5.0}}
    out = printed(capsys, "--only", "calm", "--detectors", "ewma", "--series", "1", "--rows", "600",
                  "--parameters", json.dumps(given))
    assert '| ewma {"half_life_readings": 5.0} |' in out


def test_ablation_says_what_changes_without_each_component(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(detection.registry.BUILT_IN, "leavable", Leavable)
    out = printed(capsys, "--only", "calm", "--detectors", "leavable,ewma", "--series", "2", "--rows", "2000",
                  "--ablate")
    table = out[out.index("## leavable without one component"):]
    assert [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| leavable")] == [
        "leavable", "leavable without patience", "leavable without settling"]
    assert "## ewma without one component" not in out


def test_a_section_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        detection.main(["--only", "nab,weather"])
    assert "weather: expected some of nab,labelled,calm,speed" in capsys.readouterr().err
