"""Detectors that each break one promise: what the checks must find."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import Opinions, State
from offbeat_detectors.ewma import Ewma
from offbeat_detectors.joint import Joint
from offbeat_detectors.opinions import joined_opinions
from offbeat_detectors.population import Population


class SinglePrecision(Ewma):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        said = super().process(slot, time_ms, value)
        return replace(said, novelty=said.novelty.astype(np.float32))


class LearnsFirst(Ewma):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        said = super().process(slot, time_ms, value)
        near = np.where(np.isnan(said.typical), np.nan, 0.9 * said.typical + 0.1 * value)
        return replace(said, typical=near, lower=near, upper=near)


class LooksAhead(Ewma):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        said = super().process(slot, time_ms, value)
        return replace(said, novelty=said.novelty + 1e-9 * value.sum() ** 2)


class ScalesByBatch(Ewma):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        said = super().process(slot, time_ms, value)
        return replace(said, novelty=said.novelty * (1.0 + 1e-12 * slot.size))


class SharesAModel(Ewma):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        return super().process(slot // 2, time_ms, value)


class SavesTooLittle(Ewma):
    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        super().restore(slot, {**state, "step": np.zeros_like(state["step"])})


class SavesAView(Ewma):
    def save(self, slot: NDArray[np.int32]) -> State:
        state = super().save(slot)
        return {**state, "location": self._series["location"][:3]} if slot.tolist() == [2, 0, 1] else state


class NeverForgets(Ewma):
    def forget(self, slot: NDArray[np.int32]) -> None:
        pass


class ForgetsAll(Ewma):
    def forget(self, slot: NDArray[np.int32]) -> None:
        super().forget(np.arange(self._series.size, dtype=np.int32))


class KeepsEverything(Ewma):
    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.kept: list[float] = []

    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        self.kept.extend(value.tolist())
        return super().process(slot, time_ms, value)


class StoresEverything(KeepsEverything):
    def save(self, slot: NDArray[np.int32]) -> State:
        return {**super().save(slot), "kept": np.array(self.kept)}


class WritesItsInput(Ewma):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        value = value if value.flags.writeable else value.copy()
        value -= 1.0
        return super().process(slot, time_ms, value)


class NeedsWritableInput(Ewma):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        value += 0.0
        return super().process(slot, time_ms, value)


class SometimesExpectsNothing(Ewma):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        said = super().process(slot, time_ms, value)
        return replace(said, typical=np.where(said.novelty > 1.0, np.nan, said.typical))


class IsImprobableInTheWarmUp(Ewma):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        said = super().process(slot, time_ms, value)
        return replace(said, probability=np.nan_to_num(said.probability, nan=1.0))


class GivesImpossibleProbabilities(Ewma):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        said = super().process(slot, time_ms, value)
        return replace(said, probability=np.where(said.probability < 0.01, 0.0, said.probability))


class SwapsItsBounds(Ewma):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        said = super().process(slot, time_ms, value)
        return replace(said, lower=said.upper, upper=said.lower)


class HurriesItsWarmUp(Ewma):
    def warmup_left(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        return super().warmup_left(slot) // 2


class NeverWarm(Ewma):
    def __init__(self, capacity: int) -> None:
        super().__init__(capacity, warmup_readings=1_000_000)


class NeedsOrder(Ewma):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        if (np.diff(time_ms) < 0).any():
            raise ValueError("time steps back")
        return super().process(slot, time_ms, value)


class Overflows(Ewma):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        said = super().process(slot, time_ms, value)
        with np.errstate(over="ignore"):
            return replace(said, novelty=said.novelty + 1e-9 * value * value)


class IsPoisoned(Ewma):
    """One value beyond 1e200 and it never has an opinion again."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.poisoned = False

    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        said = super().process(slot, time_ms, value)
        self.poisoned |= bool((np.abs(value) > 1e200).any())
        return Opinions(*np.full((5, slot.size), np.nan)) if self.poisoned else said


class ThrowsDice(Ewma):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        said = super().process(slot, time_ms, value)
        return replace(said, novelty=said.novelty + 1e-9 * np.random.random())


class CutsByPosition(Ewma):
    _run: Any = None

    def divide(self, threads: int, run: Any) -> None:
        self._run = run if threads > 1 else None

    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        if self._run is None:
            return super().process(slot, time_ms, value)
        half, said = slot.size // 2, dict[int, Opinions]()

        def piece(which: int, part: slice) -> None:
            said[which] = super(CutsByPosition, self).process(slot[part], time_ms[part], value[part])

        self._run([lambda: piece(0, slice(0, half)), lambda: piece(1, slice(half, None))])
        return joined_opinions([said[0], said[1]])


class GivesNoEvidence(Joint):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        return replace(super().process(slot, time_ms, value), evidence=None)


class LosesItsGroup(Joint):
    """Saves its series, and not what they have in common."""

    def save(self, slot: NDArray[np.int32]) -> State:
        state = super().save(slot)
        return state | {name: np.zeros_like(column) for name, column in state.items() if name.startswith("panel_")}


class NeedsAGroup(Population):
    def process(self, slot: Any, time_ms: Any, value: Any) -> Opinions:
        if (self._members.of[slot] == 0).any():
            raise ValueError("no group")
        return super().process(slot, time_ms, value)


BROKEN: tuple[tuple[str, type[Any]], ...] = (
    ("shape", SinglePrecision),
    ("causal", LearnsFirst), ("causal", LooksAhead),
    ("cuts", ScalesByBatch),
    ("slots", SharesAModel),
    ("restore", SavesTooLittle), ("restore", SavesAView),
    ("forget", NeverForgets), ("forget", ForgetsAll),
    ("memory", KeepsEverything), ("memory", StoresEverything),
    ("inputs", WritesItsInput), ("inputs", NeedsWritableInput),
    ("no_opinion", SometimesExpectsNothing), ("no_opinion", IsImprobableInTheWarmUp),
    ("ranges", GivesImpossibleProbabilities), ("ranges", SwapsItsBounds),
    ("warmup", HurriesItsWarmUp), ("warmup", NeverWarm),
    ("times", NeedsOrder),
    ("extremes", Overflows), ("extremes", IsPoisoned),
    ("deterministic", ThrowsDice),
    ("shape", GivesNoEvidence), ("restore", LosesItsGroup), ("group", LosesItsGroup), ("unjoined", NeedsAGroup),
    ("divided", CutsByPosition),
)
"""(the check that must find it, the detector)"""
