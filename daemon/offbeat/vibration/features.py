"""What each feature makes of stored measurements, as the results that clients read: offbeat_detectors computes.

Source: MVG wire protocol, sections 8 and 9.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from offbeat.store import mvg_analyses as store
from offbeat.store.mvg_analyses import Given
from offbeat.vibration.task import Task
from offbeat_detectors.vibration.blacksheep import population
from offbeat_detectors.vibration.kpis import KPI_NAMES, RMS_NAMES, UTILIZATION_THRESHOLD, kpis, rms_figures
from offbeat_detectors.vibration.labels import UNKNOWN, propagate
from offbeat_detectors.vibration.measurements import Series, Spectra, Table, Waveforms
from offbeat_detectors.vibration.modes import Model, Modes, apply_series, identify_series

T = TypeVar("T")
Floats = NDArray[np.float64]
READ = 0.7
"""The share of the work that is done when all samples have been read."""
ADDED = "Added by label propagation"


class CannotCompute(ValueError):
    """What was asked for cannot be computed; the text says why."""


@dataclass(frozen=True, slots=True)
class Material:
    """What an analysis is made of: measurements of each member. tell: how far it is, 0 to 1."""

    db: sqlite3.Connection
    task: Task
    given: Sequence[Given]
    tell: Callable[[float], None]

    def samples(self, member: int) -> Samples:
        """The measurements of a member, read one by one."""
        total = sum(one.made.size for one in self.given)
        before = sum(one.made.size for one in self.given[:member])
        return Samples(self.db, self.given[member], self.task.selected,
                       lambda done: self.tell(READ * (before + done) / total))

    def series(self, member: int) -> Series:
        """The measurements of a member, as they are analysed."""
        given, samples = self.given[member], self.samples(member)
        if self.task.data_class == "waveform":
            return Waveforms(samples, given.durations, given.timestamps, given.samples)
        if self.task.data_class == "spectrum":
            return Spectra(samples, np.stack([given.low, given.high], axis=1), given.timestamps)
        columns = [given.names.index(name) for name in self.task.selected]
        bodies = [_found(store.body(self.db, made)) for made in given.made.tolist()]
        values = np.frombuffer(b"".join(bodies), "<f8").reshape(-1, len(given.names))[:, columns]
        return Table(values, given.timestamps)


@dataclass(frozen=True, slots=True)
class Samples(Sequence[Floats]):
    """The selected channels, (k, n), of each measurement of a source; each is read when it is asked for."""

    db: sqlite3.Connection
    given: Given
    selected: tuple[str, ...]
    done: Callable[[int], None]

    def __len__(self) -> int:
        return self.given.made.size

    @overload
    def __getitem__(self, at: int) -> Floats: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Floats]: ...

    def __getitem__(self, at: int | slice) -> Floats | Sequence[Floats]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        channels = _found(store.samples(self.db, int(self.given.made[at])))
        self.done(at + 1)
        return np.stack([channels[name] for name in self.selected])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an analysis: JSON of its results (numpy arrays in it become lists), the parameters in force, and a
    model if it has one.
    """

    results: dict[str, Any]
    parameters: Mapping[str, Any]
    model: bytes | None = None


def compute(task: Task, material: Material) -> Outcome:
    """What *task* asks for. Raises ValueError with a sentence that says why it cannot be."""
    for member, one in zip(task.members, material.given, strict=True):
        if not one.timestamps.size:
            raise CannotCompute(f"source {member.id} has no measurements in the window")
    return FEATURES[task.feature](material)


def inputs_of(task: Task, given: Sequence[Given], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What an analysis was made of, as clients read it."""
    population = task.feature == "BlackSheep"
    ids, times = [member.id for member in task.members], [one.timestamps.tolist() for one in given]
    return {
        "UUID": ids if population else ids[0],
        "timestamps": times if population else times[0],
        "selected_channels": task.params.get("selected_channels") or [],
        "selected_columns": task.params.get("selected_columns") or [],
        "feature": task.feature,
        "experiment": task.feature,
        "dataType": task.data_class,
        "params": {**task.params, **parameters},
    }


def _kpi_demo(material: Material) -> Outcome:
    threshold = _threshold(material)
    durations = material.given[0].durations.tolist()
    figures = _figures(material, KPI_NAMES, lambda samples, i: kpis(samples, durations[i], threshold))
    return Outcome(figures, {"utilization_threshold": threshold})


def _rms(material: Material) -> Outcome:
    threshold = _threshold(material)
    figures = _figures(material, RMS_NAMES, lambda samples, _: rms_figures(samples, threshold))
    return Outcome(figures, {"utilization_threshold": threshold})


def _figures(
    material: Material, names: Sequence[str], of: Callable[[Floats, int], Mapping[str, float]]
) -> dict[str, Any]:
    """Lists of figures by channel, parallel to the timestamps; what is too large for a double is 0."""
    found: dict[str, dict[str, list[float | int]]] = {
        channel: {name: [] for name in names} for channel in material.task.selected}
    for i, channels in enumerate(material.samples(0)):
        for channel, samples in zip(found, channels, strict=True):
            for name, value in of(samples, i).items():
                number: float | int = int(value) if name == "utilization" else value
                found[channel][name].append(number if math.isfinite(number) else 0.0)
    return {**found, "timestamps": material.given[0].timestamps}


def _threshold(material: Material) -> float:
    value = material.task.params.get("utilization_threshold")
    return UTILIZATION_THRESHOLD if value is None else float(value)


def _mode_id(material: Material) -> Outcome:
    modes = identify_series(material.series(0), material.task.params)
    return Outcome(_of_modes(modes), modes.parameters, modes.model.pack())


def _apply_model(material: Material) -> Outcome:
    packed, _ = _model(material)
    return Outcome(_of_modes(apply_series(Model.unpack(packed), material.series(0))), {})


def _label_propagation(material: Material) -> Outcome:
    _, model = _model(material)
    times = np.array(model["timestamps"], np.int64)
    said = {label[0]: label for label in store.labels(material.db, material.task.members[0].number)}
    kinds = {text: i for i, text in enumerate(dict.fromkeys(label[1] for label in said.values()))}
    given = [said.get(time) for time in times.tolist()]
    spread = propagate(
        np.stack(list(map(np.array, model["mode_probabilities"].values())), axis=1),
        np.array([UNKNOWN if one is None else kinds[one[1]] for one in given], np.int64),
        np.array(model["labels"], np.int64),
        times,
        np.array([0 if one is None else one[2] for one in given], np.int64),
    )
    texts = list(kinds)
    return Outcome({"propagated_labels": [
        {
            "label": texts[label],
            "severity": severity,
            "notes": ADDED if one is None else one[3],
            "label_timestamp": _date(material.task.now_ms if one is None else one[4]),
            "timestamp": time,
        }
        for time, one, label, severity in zip(
            times.tolist(), given, spread.labels.tolist(), spread.severities.tolist(), strict=True)
    ]}, {})


def _black_sheep(material: Material) -> Outcome:
    members = {member.id: i for i, member in enumerate(material.task.members)}  # one that is named twice is one
    found = population({id: material.series(i) for id, i in members.items()}, material.task.params)
    return Outcome({"atypical_assets": [
        {"source_id": one.source, "timestamps": one.timestamps, "labels": one.labels, "atypical": one.atypical}
        for one in found.atypical
    ]}, found.parameters)


def _of_modes(modes: Modes) -> dict[str, Any]:
    probabilities = modes.mode_probabilities
    return {
        "timestamps": modes.timestamps,
        "labels": modes.labels,
        "uncertain": modes.uncertain,
        "mode_probability": modes.mode_probability,
        "mode_info": {
            "modes": modes.modes,
            "emerging_time": modes.emerging_time,
            "max_prob_time": modes.max_prob_time,
            "max_probability": modes.max_probability,
        },
        "mode_probabilities": {
            f"mode {k}": np.ascontiguousarray(probabilities[:, k]) for k in range(probabilities.shape[1])},
    }


def _model(material: Material) -> tuple[bytes, dict[str, Any]]:
    tenant, _, id = material.task.model.rpartition("/")
    found = store.model(material.db, tenant, id)
    if found is None:
        raise CannotCompute(f"the model {id} is gone: it is no longer a successful analysis by ModeId")
    return found


def _date(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _found(body: T | None) -> T:
    if body is None:
        raise CannotCompute("a measurement was deleted while it was analysed: ask again")
    return body


FEATURES: Mapping[str, Callable[[Material], Outcome]] = {
    "KPIDemo": _kpi_demo,
    "RMS": _rms,
    "ModeId": _mode_id,
    "ApplyModel": _apply_model,
    "LabelPropagation": _label_propagation,
    "BlackSheep": _black_sheep,
}
