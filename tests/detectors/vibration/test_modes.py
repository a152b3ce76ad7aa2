"""Planted modes are found again: which, when, how surely; and a model of them says the same of other measurements."""
from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from offbeat_detectors.vibration import modes as vibration_modes
from offbeat_detectors.vibration.measurements import (
    DoesNotFit,
    Series,
    Spectra,
    Table,
    TooFew,
    Unsuitable,
    Waveforms,
    WrongParameter,
)
from offbeat_detectors.vibration.modes import Model, Modes, apply, apply_series, identify, identify_series
from tests.detectors.vibration import machines

SCHEDULES = {
    "one": [0] * 60,
    "two": [0] * 30 + [1] * 30,
    "one that returns": [0] * 30 + [1] * 30 + [0] * 30,
    "three, the shortest allowed": [0] * 10 + [1] * 5 + [2] * 5,
    "four": [0] * 20 + [1] * 25 + [2] * 10 + [3] * 30 + [1] * 15,
}
THREE = [0] * 30 + [1] * 30 + [0] * 20 + [2] * 25


def of_waveforms(modes: list[int], scale: float = 1.0, seed: int = 0) -> Modes:
    samples = [scale * one for one in machines.waveforms(modes, seed)]
    return identify(samples, np.ones(len(modes)), np.arange(len(modes)), {})


def series(kind: str, modes: list[int], seed: int = 0) -> Series:
    times = 1_577_833_200_000 + 60_000 * np.arange(len(modes))
    match kind:
        case "waveform":
            return Waveforms(machines.waveforms(modes, seed), np.ones(len(modes)), times)
        case "two channels":
            quiet = [np.stack([0.1 * machines.waveform(3, seed), one]) for one in machines.waveforms(modes, seed)]
            return Waveforms(quiet, np.ones(len(modes)), times)
        case "spectrum":
            return Spectra(machines.spectra(modes, seed), np.tile([10.0, 1010.0], (len(modes), 1)), times)
    return Table(machines.table(modes, seed), times)


KINDS = ["waveform", "two channels", "spectrum", "tabular"]


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_planted_modes_are_found_whatever_the_scale(schedule: str, scale: float) -> None:
    found = of_waveforms(SCHEDULES[schedule], scale)
    assert found.labels.tolist() == SCHEDULES[schedule]
    assert not found.uncertain.any()


@pytest.mark.parametrize("kind", KINDS)
def test_modes_are_found_in_every_kind_of_measurement(kind: str) -> None:
    found = identify_series(series(kind, THREE), {})
    assert found.labels.tolist() == THREE
    assert found.uncertain.sum() <= 1


@pytest.mark.parametrize("columns", [1, 2, 6, 12])
@pytest.mark.parametrize("seed", range(3))
def test_noise_is_one_mode_and_hardly_ever_uncertain(columns: int, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=(120, columns))
    found = identify_series(Table(noise, np.arange(120)), {})
    assert found.modes.tolist() == [0]
    assert found.uncertain.sum() <= 1


@pytest.mark.parametrize("n", [20, 40, 100])
@pytest.mark.parametrize("seed", range(4))
def test_a_single_odd_measurement_is_uncertain_and_disturbs_no_other(n: int, seed: int) -> None:
    samples = machines.waveforms([0] * n, seed)
    samples[n // 2] = samples[n // 2] + machines.waveform(3, seed)
    found = identify(samples, np.ones(n), np.arange(n), {})
    assert np.flatnonzero(found.uncertain).tolist() == [n // 2]
    assert found.labels.tolist() == [0] * n


def test_three_kinds_of_iris_that_follow_one_another_are_told_apart() -> None:
    found = identify_series(Table(load_iris().data, np.arange(150)), {})
    runs = found.runs()
    assert (runs.count.tolist(), runs.label.tolist()) == ([50, 50, 50], [0, 1, 2])
    assert (runs.start_timestamp.tolist(), runs.end_timestamp.tolist()) == ([0, 50, 100], [49, 99, 149])


def test_what_is_told_of_modes_agrees_with_their_measurements() -> None:
    found = identify_series(series("waveform", THREE), {})
    np.testing.assert_allclose(found.mode_probabilities.sum(axis=1), 1.0)
    own = found.mode_probabilities[np.arange(len(THREE)), found.labels]
    np.testing.assert_array_equal(found.mode_probability, own)
    assert found.modes.tolist() == [0, 1, 2]
    assert found.count.tolist() == [50, 30, 25]
    assert found.emerging_time.tolist() == [found.timestamps[at] for at in (0, 30, 80)]
    for mode, time, most in zip(found.modes, found.max_prob_time, found.max_probability, strict=True):
        assert most == own[found.labels == mode].max()
        assert most == own[found.timestamps == time].item()
    assert found.runs().count.tolist() == [30, 30, 20, 25]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 13])
@pytest.mark.parametrize("kind", ["waveform", "tabular"])
def test_as_many_modes_are_found_as_are_asked_for(kind: str, count: int) -> None:
    found = identify_series(series(kind, [0] * 40), {"number_of_clusters": count, "optimized": False})
    assert found.modes.tolist() == list(range(count))
    first = [int(np.flatnonzero(found.labels == mode)[0]) for mode in range(count)]
    assert first == sorted(first)


def test_the_number_of_modes_is_found_if_it_is_to_be_optimized() -> None:
    found = identify_series(series("tabular", THREE), {"number_of_clusters": 7, "optimized": True, "what": "ever"})
    assert found.modes.tolist() == [0, 1, 2]
    assert found.parameters == {"number_of_clusters": None, "optimized": True, "n_trials": 10, "seed": 0}


def test_equal_input_gives_equal_bits_and_another_seed_the_same_modes() -> None:
    first, again = (identify_series(series("waveform", THREE), {}) for _ in range(2))
    assert first.model.pack() == again.model.pack()
    np.testing.assert_array_equal(first.mode_probabilities, again.mode_probabilities)
    other = identify_series(series("waveform", THREE), {"seed": 7, "n_trials": 5})
    assert other.labels.tolist() == THREE


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 100))
def test_the_order_of_measurements_only_renumbers_clear_modes(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(THREE))
    samples = machines.waveforms(THREE)
    found = identify([samples[at] for at in order], np.ones(len(THREE)), np.arange(len(THREE)), {})
    planted = np.array(THREE)[order]
    assert len(set(zip(found.labels.tolist(), planted.tolist(), strict=True))) == 3
    assert found.labels[0] == 0


@settings(max_examples=8, deadline=None)
@given(shift=st.floats(-1e3, 1e3), scale=st.sampled_from([-1.0, 1e-6, 3.0, 1e12]))
def test_neither_an_offset_nor_a_unit_of_waveforms_changes_their_modes(shift: float, scale: float) -> None:
    samples = [scale * (one + shift) for one in machines.waveforms([0] * 12 + [1] * 12)]
    assert identify(samples, np.ones(24), np.arange(24), {}).labels.tolist() == [0] * 12 + [1] * 12


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_says_of_other_measurements_what_it_learned(kind: str) -> None:
    model = Model.unpack(identify_series(series(kind, THREE), {}).model.pack())
    found = apply_series(model, series(kind, [1] * 8 + [0] * 4, seed=9))
    assert found.labels.tolist() == [1] * 8 + [0] * 4
    assert found.modes.tolist() == [0, 1]
    assert found.mode_probabilities.shape == (12, 3)
    assert not found.uncertain.any()


def test_a_model_applied_to_its_own_measurements_agrees_with_itself() -> None:
    own = series("waveform", THREE)
    found = identify_series(own, {})
    again = apply_series(found.model, own)
    np.testing.assert_array_equal(found.labels, again.labels)
    np.testing.assert_array_equal(found.mode_probabilities, again.mode_probabilities)
    np.testing.assert_array_equal(found.uncertain, again.uncertain)


def test_what_a_model_has_never_seen_is_uncertain() -> None:
    model = of_waveforms([0] * 20 + [1] * 20).model
    found = apply(model, [machines.waveform(3, 1), machines.waveform(1, 2)], [1.0, 1.0], [5, 6])
    assert found.uncertain.tolist() == [True, False]
    assert found.labels[1] == 1


def test_a_model_may_be_applied_to_nothing() -> None:
    found = apply(of_waveforms([0] * 20).model, [], [], np.empty(0, np.int64))
    assert (len(found.labels), len(found.modes), len(found.runs().count)) == (0, 0, 0)


def test_a_model_refuses_what_it_was_not_made_of() -> None:
    model = identify_series(series("waveform", [0] * 20), {}).model
    with pytest.raises(DoesNotFit, match="waveform measurements, not tabular"):
        apply_series(model, series("tabular", [0]))
    with pytest.raises(DoesNotFit, match="1 channels, not 2"):
        apply_series(model, series("two channels", [0]))
    with pytest.raises(DoesNotFit, match="frequencies from 0 to"):
        apply(model, [np.ones(100)], [1.0], [0])
    with pytest.raises(DoesNotFit, match="4 columns, not 2"):
        apply_series(identify_series(series("tabular", [0] * 20), {}).model, Table(np.ones((1, 2)), np.array([1])))


@pytest.mark.parametrize("broken", [b"", b"PK\x03\x04 what", b"\x93NUMPY"])
def test_bytes_that_are_no_model_are_refused(broken: bytes) -> None:
    with pytest.raises(Unsuitable, match="of a model"):
        Model.unpack(broken)


def test_arrays_that_do_not_fit_one_another_are_no_model() -> None:
    arrays = of_waveforms([0] * 20).model.arrays()
    with pytest.raises(Unsuitable, match="do not fit"):
        Model.of({**arrays, "centre": np.zeros(1)})
    with pytest.raises(Unsuitable, match="arrays of a model"):
        Model.of({name: array for name, array in arrays.items() if name != "means"})


@pytest.mark.parametrize(("parameters", "said"), [
    ({"number_of_clusters": 0}, "1 to 13"), ({"number_of_clusters": 14}, "1 to 13"),
    ({"number_of_clusters": 2.5}, "whole"), ({"number_of_clusters": "3"}, "number"), ({"n_trials": True}, "number"),
    ({"optimized": "yes"}, "true or false"),
])
def test_parameters_without_meaning_are_refused(parameters: dict[str, object], said: str) -> None:
    with pytest.raises(WrongParameter, match=said):
        identify_series(series("tabular", [0] * 20), parameters)


def test_fewer_than_twenty_measurements_have_no_modes() -> None:
    with pytest.raises(TooFew, match="at least 20 measurements in the window, not 19"):
        identify_series(series("waveform", [0] * 19), {})


def test_equal_measurements_are_one_mode_and_cannot_be_three() -> None:
    same = Table(np.ones((30, 2)), np.arange(30))
    found = identify_series(same, {})
    assert (found.modes.tolist(), found.uncertain.any()) == ([0], False)
    with pytest.raises(TooFew, match="at least 3 different"):
        identify_series(same, {"number_of_clusters": 3})


def test_a_machine_that_stands_still_is_a_mode() -> None:
    samples = [np.zeros(4096) if still else machines.waveform(0, at) for at, still in enumerate([0] * 15 + [1] * 15)]
    assert identify(samples, np.ones(30), np.arange(30), {}).labels.tolist() == [0] * 15 + [1] * 15


def test_each_measurement_is_read_once_and_let_go() -> None:
    stored = machines.ReadAsAsked([0] * 20 + [1] * 20, n=40_000)
    lengths = np.full(40, 40_000)
    tracemalloc.start()
    try:
        found = identify_series(Waveforms(stored, np.full(40, 40_000 / 4096), np.arange(40), lengths), {})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.labels.tolist() == stored.modes
    assert stored.reads == [1] * 40
    assert peak < 16 * 40_000 * 8  # a dozen arrays of one measurement, not forty measurements


def test_a_mode_needs_more_than_two_measurements_unless_so_many_modes_are_asked_for() -> None:
    values = np.array([[0.0]] * 19 + [[5.0]] * 2) + np.random.default_rng(3).normal(size=(21, 1)) * 0.01
    found = identify_series(Table(values, np.arange(21)), {})
    assert (found.modes.tolist(), np.flatnonzero(found.uncertain).tolist()) == ([0], [19, 20])
    assert vibration_modes.MODES_MAX == 13
