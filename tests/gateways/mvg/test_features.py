"""What the features say. Source: MVG wire protocol, section 9."""
from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from tests.gateways.mvg.client import FIRST_MS, HOUR_MS, Client, waveform
from tests.gateways.mvg.machines import send, times, tone

KPIS = ["rms", "peak", "peak2peak", "variance", "crest_factor", "utilization", "dc_component"]


def test_key_figures_are_those_of_their_formulas(mvg: Client) -> None:
    mvg.create("figures", names=("b", "a"))
    rng = np.random.default_rng(1)
    waves = {"b": rng.normal(3.0, 1.0, (3, 500)), "a": rng.normal(-1.0, 0.05, (3, 500))}
    mvg.done("POST", "/sources/figures/measurements", [
        {"timestamp": t, "duration": 0.5, "data": {name: wave[t].tolist() for name, wave in waves.items()}}
        for t in (2, 0, 1)])
    results = mvg.results("KPIDemo", "figures", {"utilization_threshold": 0.5})
    assert list(results) == ["b", "a", "timestamps"] and results["timestamps"] == [0, 1, 2]
    for name, wave in waves.items():
        assert list(results[name]) == KPIS
        y = wave - wave.mean(axis=1, keepdims=True)
        rms = np.sqrt(np.mean(y**2, axis=1))
        expected = {
            "rms": rms, "peak": y.max(axis=1), "peak2peak": y.max(axis=1) - y.min(axis=1), "variance": rms**2,
            "crest_factor": np.abs(y).max(axis=1) / rms, "dc_component": wave.mean(axis=1)}
        for figure, values in expected.items():
            np.testing.assert_allclose(results[name][figure], values, rtol=1e-12)
        assert results[name]["utilization"] == [int(name == "b")] * 3
        assert all(isinstance(one, int) for one in results[name]["utilization"])
    only = mvg.results("KPIDemo", "figures", {"selected_channels": ["a"], "utilization_threshold": 0.5})
    assert only == {"a": results["a"], "timestamps": [0, 1, 2]}


def test_what_stands_still_has_a_crest_factor_of_0(mvg: Client) -> None:
    mvg.create("still")
    mvg.done("POST", "/sources/still/measurements", [waveform(1, [2.5] * 10)])
    found = mvg.results("KPIDemo", "still")["acc"]
    assert {name: value for name, (value,) in found.items()} == {
        "rms": 0.0, "peak": 0.0, "peak2peak": 0.0, "variance": 0.0, "crest_factor": 0.0, "utilization": 0,
        "dc_component": 2.5}


def test_the_older_figures_are_there_too(mvg: Client) -> None:
    mvg.create("older")
    mvg.done("POST", "/sources/older/measurements", [waveform(1, [3.0, 5.0])])
    assert mvg.results("RMS", "older") == {
        "acc": {"rms": [1.0], "rms_dc": [pytest.approx(17.0**0.5)], "dc": [4.0], "utilization": [1]}, "timestamps": [1]}


PLANTED = [1] * 15 + [0] * 15 + [1] * 10 + [2] * 12


def renumbered(modes: list[int]) -> list[int]:
    """*modes* by first appearance."""
    order = list(dict.fromkeys(modes))
    return [order.index(mode) for mode in modes]


@pytest.fixture(scope="module")
def modes(running: object) -> Client:
    """A client of a daemon with a machine in three modes, one of which returns."""
    client = Client(running.url)  # type: ignore[attr-defined]
    send(client, "modes", PLANTED, 7)
    return client


def test_planted_modes_are_found_and_numbered_by_first_appearance(modes: Client) -> None:
    found = modes.results("ModeId", "modes")
    assert set(found) == {
        "timestamps", "labels", "uncertain", "mode_probability", "mode_info", "mode_probabilities"}
    assert found["timestamps"] == times(len(PLANTED))
    assert found["labels"] == renumbered(PLANTED) == [0] * 15 + [1] * 15 + [0] * 10 + [2] * 12
    assert sum(found["uncertain"]) <= 1 and set(map(type, found["uncertain"])) == {bool}
    info = found["mode_info"]
    assert info["modes"] == [0, 1, 2]
    assert info["emerging_time"] == [times(52)[at] for at in (0, 15, 40)]
    for mode in range(3):
        own = [p for p, label in zip(found["mode_probability"], found["labels"], strict=True) if label == mode]
        assert info["max_probability"][mode] == max(own)
        assert found["labels"][found["timestamps"].index(info["max_prob_time"][mode])] == mode
    assert list(found["mode_probabilities"]) == ["mode 0", "mode 1", "mode 2"]
    rows = np.array(list(found["mode_probabilities"].values()))
    np.testing.assert_allclose(rows.sum(axis=0), 1.0, rtol=1e-9)
    assert rows[found["labels"], np.arange(52)].tolist() == found["mode_probability"]


def test_compressed_modes_are_runs(modes: Client) -> None:
    id = modes.ask("ModeId", "modes")
    modes.wait(id)
    runs = modes.get(f"/analyses/requests/{id}/results?result_type=compressed")["results"]
    assert runs == {
        "count": [15, 15, 10, 12], "label": [0, 1, 0, 2],
        "start_timestamp": [times(52)[at] for at in (0, 15, 30, 40)],
        "end_timestamp": [times(52)[at] for at in (14, 29, 39, 51)]}


def test_so_many_modes_are_found_as_are_asked_for(modes: Client) -> None:
    found = modes.results("ModeId", "modes", {"number_of_clusters": 2, "optimized": False, "n_trials": 5})
    assert found["mode_info"]["modes"] == [0, 1]


def test_modes_need_twenty_measurements(modes: Client) -> None:
    assert "20" in modes.failure("ModeId", "modes", end=times(52)[18])
    assert modes.results("ModeId", "modes", end=times(52)[19])["labels"][0] == 0


def test_modes_of_spectra_and_of_tables_are_found(mvg: Client) -> None:
    rng = np.random.default_rng(5)
    mvg.create("modes-spectra", "spectrum", ("x", "y"))
    base = np.zeros((2, 400))
    base[0, 30:60], base[1, 200:260] = 1.0, 1.0
    planted = [0] * 14 + [1] * 14
    mvg.done("POST", "/sources/modes-spectra/measurements/spectrum", [
        {"timestamp": i, "freq_range": [0.0, 1000.0],
         "data": {name: (base[mode] + 0.02 * rng.random(400)).tolist() for name in ("x", "y")}}
        for i, mode in enumerate(planted)])
    assert mvg.results("ModeId", "modes-spectra")["labels"] == planted
    mvg.create("modes-table", "tabular", ("small", "large"))
    rows = np.array([[0.001, 5e6], [0.004, 1e6]])[planted] * (1.0 + 0.02 * rng.normal(size=(28, 2)))
    mvg.done("POST", "/sources/modes-table/measurements/tabular", {
        "data": {"timestamp": list(range(28)), "small": rows[:, 0].tolist(), "large": rows[:, 1].tolist()}})
    assert mvg.results("ModeId", "modes-table")["labels"] == planted
    assert mvg.results("ModeId", "modes-table", {"selected_columns": ["large"]})["labels"] == planted


def test_a_model_is_applied_with_its_own_numbers(modes: Client) -> None:
    model = modes.ask("ModeId", "modes")
    modes.wait(model)
    send(modes, "modes-like", [0, 0, 2], 11)  # the model's modes 1 and 2
    found = modes.results("ApplyModel", "modes-like", {"model_ref": model})
    assert found["labels"] == [1, 1, 2]
    assert found["mode_info"]["modes"] == [1, 2]
    assert list(found["mode_probabilities"]) == ["mode 0", "mode 1", "mode 2"]
    modes.create("modes-unlike", names=("other",))
    for id, ref in (("modes-unlike", model), ("modes-like", modes.ask("KPIDemo", "modes"))):
        answer = modes.call("POST", "/analyses/requests/", {
            "source_id": id, "feature": "ApplyModel", "params": {"model_ref": ref}})
        assert answer.offences == [(["body", "params", "model_ref"], "value_error")]


def test_labels_spread_over_the_modes_of_a_model(modes: Client) -> None:
    model = modes.ask("ModeId", "modes")
    modes.wait(model)
    assert "label" in modes.failure("LabelPropagation", "modes", {"model_ref": model})
    when = times(52)
    modes.done("POST", f"/sources/modes/labels/{when[20]}", {"label": "bad", "severity": 3, "notes": "seen"})
    modes.done("POST", f"/sources/modes/labels/{when[2]}", {"label": "ok", "severity": 0, "notes": ""})
    modes.done("POST", f"/sources/modes/labels/{when[45]}", {"label": "stop", "severity": 1, "notes": ""})
    found = modes.results("LabelPropagation", "modes", {"model_ref": model})
    assert set(found) == {"propagated_labels"}
    rows = found["propagated_labels"]
    assert [row["timestamp"] for row in rows] == when
    assert [row["label"] for row in rows] == ["ok"] * 15 + ["bad"] * 15 + ["ok"] * 10 + ["stop"] * 12
    for row in rows:
        assert set(row) == {"label", "severity", "notes", "label_timestamp", "timestamp"}
        datetime.strptime(row["label_timestamp"], "%Y-%m-%d %H:%M:%S")
    assert (rows[20]["severity"], rows[20]["notes"]) == (3, "seen")
    assert (rows[21]["severity"], rows[21]["notes"]) == (-1, "Added by label propagation")
    assert modes.get("/sources/modes/labels")["timestamp"] == [when[2], when[20], when[45]]


def test_the_black_sheep_of_a_population_is_found(mvg: Client) -> None:
    rng = np.random.default_rng(9)
    ids = [f"flock-{i}" for i in range(6)]
    for id in ids:
        mvg.create(id)
        mvg.done("POST", f"/sources/{id}/measurements", [
            waveform(FIRST_MS + i * HOUR_MS, tone(rng, 1 if id == "flock-4" and i >= 21 else 0), 0.5)
            for i in range(25)])
    found = mvg.results("BlackSheep", ids)
    (sheep,) = found["atypical_assets"]
    assert list(sheep)[1:] == ["timestamps", "labels", "atypical"] and sheep["source_id"] == "flock-4"
    assert sheep["timestamps"] == times(25)
    assert sheep["atypical"] == [False] * 21 + [True] * 4
    assert mvg.results("BlackSheep", ids, {"atypical_threshold": 0.001}) == {"atypical_assets": []}
    twice = mvg.wait(mvg.ask("BlackSheep", [ids[0], ids[0], ids[4]]))
    assert twice["inputs"]["UUID"] == [ids[0], ids[0], ids[4]]
    assert twice["inputs"]["timestamps"] == [times(25)] * 3
    id = mvg.ask("BlackSheep", ids)
    assert all(id in mvg.get(f"/analyses/source/{one}/feature/BlackSheep") for one in ids)
    assert "20" in mvg.failure("BlackSheep", ids, end=times(25)[5])
