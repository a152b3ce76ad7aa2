"""A fleet of simulated sensors with faults whose place is known. Pure: a seed and a day in, values and labels out."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
STEP_S = 60
STEPS_A_DAY = 86_400 // STEP_S
FAULTY_SHARE = 0.2
"""The share of sensors that have one fault on a day that is not quiet."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of sensor.

    jump    a change that a person would see at once, in the sensor's unit
    cyclic  whether it has a daily or shorter cycle, of which one can be missed
    signal  the value without noise of a sensor with a phase in [0, 1) at steps since the first day (int64)
    noise   standard deviation of its noise
    floor   it never reads below; whole: it reads whole numbers only
    """

    name: str
    jump: float
    cyclic: bool
    noise: float
    signal: Callable[[float, NDArray[np.int64]], Values]
    floor: float = -np.inf
    whole: bool = False


def _day_wave(phase: float, step: NDArray[np.int64]) -> Values:
    return np.asarray(np.sin(2 * np.pi * (step / STEPS_A_DAY + phase)), np.float64)


def _wander(phase: float, step: NDArray[np.int64]) -> Values:
    """A slow wandering between −1 and 1: three waves of periods with no common multiple."""
    turns = step / STEPS_A_DAY
    return np.asarray(
        (
            np.sin(2 * np.pi * (turns * 1.37 + phase))
            + np.sin(2 * np.pi * (turns * 3.71 + 3 * phase))
            + np.sin(2 * np.pi * (turns * 7.93 + 7 * phase))
        )
        / 3,
        np.float64,
    )


def _temperature(phase: float, step: NDArray[np.int64]) -> Values:
    return 18 + 6 * phase + 4 * _day_wave(phase / 8, step) + 0.4 * _wander(phase, step)


def _pressure(phase: float, step: NDArray[np.int64]) -> Values:
    return 5 + phase + 0.08 * _wander(phase, step)


def _vibration(phase: float, step: NDArray[np.int64]) -> Values:
    return 2.5 + phase + 0.3 * _wander(phase, step)


def _counter(phase: float, step: NDArray[np.int64]) -> Values:
    return 40 + 10 * phase + 15 * _day_wave(phase / 8, step)


def _runs(phase: float, step: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a machine that runs a third of every two hours runs."""
    return ((step + int(120 * phase)) % 120) < 40


def _power(phase: float, step: NDArray[np.int64]) -> Values:
    return np.where(_runs(phase, step), 1.5 + 0.5 * phase, 0.1)


KINDS = (
    Kind("temperature", 8.0, True, 0.25, _temperature),
    Kind("pressure", 0.5, False, 0.03, _pressure),
    Kind("vibration", 4.0, False, 0.25, _vibration, floor=0.0),
    Kind("counter", 60.0, True, 5.0, _counter, floor=0.0, whole=True),
    Kind("power", 2.0, True, 0.03, _power, floor=0.0),
)


@dataclass(frozen=True, slots=True)
class Sensor:
    """One simulated sensor: its source's name and its kind; its only field is named after the kind."""

    source: str
    kind: Kind
    phase: float


@dataclass(frozen=True, slots=True)
class Fault:
    """One injected fault of a sensor: steps first to stop − 1, counted from the fleet's first."""

    sensor: int
    kind: str
    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class Day:
    """What the fleet reads on one day.

    values  (s, 1440) float64  sensor by step; NaN: the sensor sends nothing then
    faults  those of the day; each begins and ends in it
    """

    values: Values
    faults: tuple[Fault, ...]


Inject = Callable[[Values, Sensor, NDArray[np.int64], np.random.Generator], Values]
"""The values under a fault: from the healthy ones, the sensor, the steps since the first day, and chance."""


def _spike(healthy: Values, sensor: Sensor, step: NDArray[np.int64], chance: np.random.Generator) -> Values:
    return healthy + sensor.kind.jump * chance.uniform(1.5, 2.5)


def _level_shift(healthy: Values, sensor: Sensor, step: NDArray[np.int64], chance: np.random.Generator) -> Values:
    return healthy + sensor.kind.jump * chance.uniform(1.0, 1.5)


def _drift(healthy: Values, sensor: Sensor, step: NDArray[np.int64], chance: np.random.Generator) -> Values:
    return healthy + sensor.kind.jump * chance.uniform(1.0, 1.5) * np.arange(1, step.size + 1) / step.size


def _stuck(healthy: Values, sensor: Sensor, step: NDArray[np.int64], chance: np.random.Generator) -> Values:
    return np.full_like(healthy, healthy[0])


def _noise(healthy: Values, sensor: Sensor, step: NDArray[np.int64], chance: np.random.Generator) -> Values:
    return healthy + sensor.kind.jump * 0.4 * chance.standard_normal(healthy.size)


def _silence(healthy: Values, sensor: Sensor, step: NDArray[np.int64], chance: np.random.Generator) -> Values:
    return np.full_like(healthy, np.nan)


def _missed_cycle(healthy: Values, sensor: Sensor, step: NDArray[np.int64], chance: np.random.Generator) -> Values:
    """The level at which the fault begins, with the noise as ever: the cycle does not come."""
    signal = sensor.kind.signal(sensor.phase, step)
    return np.asarray(healthy - signal + signal[0], np.float64)


INJECT: dict[str, tuple[Inject, int]] = {
    "spike": (_spike, 1),
    "level shift": (_level_shift, 360),
    "drift": (_drift, 720),
    "stuck value": (_stuck, 360),
    "noise": (_noise, 240),
    "silence": (_silence, 180),
    "missed cycle": (_missed_cycle, 480),
}
"""Each kind of fault: what it does to the values, and how many steps it lasts."""
FAULT_KINDS = tuple(INJECT)


class Fleet:
    """Sensors in turn of each kind; day after day without end, each day from the seed alone.

    sensor_count  how many sensors, 1 or more
    seed          the same seed gives the same values and faults, bit for bit
    quiet_days    days at the beginning that have no fault
    prefix        the beginning of each source's name
    faulty        False: the same fleet, with the faults left out
    """

    def __init__(
        self, sensor_count: int, seed: int, *, quiet_days: int = 2, prefix: str = "", faulty: bool = True
    ) -> None:
        self._seed = seed
        self._quiet_days = quiet_days
        self._faulty = faulty
        phases = np.random.default_rng([seed, 0]).random(sensor_count)
        width = len(str(sensor_count))
        kinds = [KINDS[i % len(KINDS)] for i in range(sensor_count)]
        self.sensors = tuple(
            Sensor(f"{prefix}{kind.name}-{i + 1:0{width}}", kind, float(phases[i])) for i, kind in enumerate(kinds)
        )
        self._heads = [f'"source":"{sensor.source}","{sensor.kind.name}":' for sensor in self.sensors]

    def day(self, number: int) -> Day:
        """Day *number*, from 0."""
        step = np.arange(number * STEPS_A_DAY, (number + 1) * STEPS_A_DAY, dtype=np.int64)
        values = np.empty((len(self.sensors), STEPS_A_DAY))
        for i, sensor in enumerate(self.sensors):
            chance = np.random.default_rng([self._seed, 1, number, i])
            values[i] = sensor.kind.signal(sensor.phase, step) + sensor.kind.noise * chance.standard_normal(step.size)
        faults = self._faults(number) if self._faulty else ()
        for fault in faults:
            at = slice(fault.first - int(step[0]), fault.stop - int(step[0]))
            chance = np.random.default_rng([self._seed, 2, number, fault.sensor])
            values[fault.sensor, at] = INJECT[fault.kind][0](
                values[fault.sensor, at].copy(), self.sensors[fault.sensor], step[at], chance
            )
        for i, sensor in enumerate(self.sensors):
            read = np.maximum(values[i], sensor.kind.floor)
            values[i] = np.round(read, 0 if sensor.kind.whole else 3)
        return Day(values, faults)

    def lines(self, day: Day, step: int, time_ms: int) -> list[bytes]:
        """The events of one step of *day* as NDJSON lines (no newline), all at *time_ms*; a silent sensor has none."""
        values = day.values[:, step].tolist()
        return [
            f'{{"time":{time_ms},{head}{value}}}'.encode()
            for head, value in zip(self._heads, values, strict=True)
            if value == value
        ]

    def _faults(self, number: int) -> tuple[Fault, ...]:
        """The faults of day *number*: the kinds in turn over the days, each on a sensor that has no other that day."""
        if number < self._quiet_days:
            return ()
        count = max(1, round(FAULTY_SHARE * len(self.sensors)))
        chance = np.random.default_rng([self._seed, 3, number])
        free = [int(i) for i in chance.permutation(len(self.sensors))]
        faults = []
        for turn in range(number * count, (number + 1) * count):
            kind = FAULT_KINDS[turn % len(FAULT_KINDS)]
            able = [i for i in free if kind != "missed cycle" or self.sensors[i].kind.cyclic]
            if not able:
                continue
            free.remove(able[0])
            length = INJECT[kind][1]
            first = number * STEPS_A_DAY + int(chance.integers(0, STEPS_A_DAY - length + 1))
            faults.append(Fault(able[0], kind, first, first + length))
        return tuple(sorted(faults, key=lambda fault: fault.first))
