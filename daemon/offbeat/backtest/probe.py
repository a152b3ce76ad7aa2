"""What a job thought of single readings, beyond its findings: why it said nothing where another one did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.engine import Engine
from offbeat.engine.entries import Block, Job, Run
from offbeat.engine.job import FOLLOWED, Heard, JobState, Judged
from offbeat.store.chunks import in_order
from offbeat_detectors.contract import Opinions
from offbeat_detectors.scores import AlertStage


@dataclass(frozen=True, slots=True)
class Said:
    """What a job made of one reading.

    place     how many readings of its series came before
    novelty   NaN: no opinion    strength  what the alert stage made of it, 0: nothing
    held_ms, held_novelty  the time and novelty of what the alert stage let pass last, before it; −1 in place of none
    """

    place: int
    novelty: float
    strength: float
    held_ms: int = -1
    held_novelty: float = 0.0


class RememberingAlerts(AlertStage):
    """The alert stage, with what it said last."""

    strength: NDArray[np.float64]

    def strength_of(self, slot: NDArray[np.int32], opinions: Opinions) -> NDArray[np.float64]:
        """As ``AlertStage`` does."""
        self.strength = super().strength_of(slot, opinions)
        return self.strength


class ProbedJob(JobState):
    """A job as the engine runs it, that can be asked about the readings of its last block."""

    def __init__(self, job: Job, engine: Engine) -> None:
        catalog = engine.catalog
        sources = max(catalog.limits.sources, catalog.sources.count)
        series = max(catalog.limits.series, catalog.series_count)
        super().__init__(job, sources, series, engine.name_of, catalog)
        self._remembering = RememberingAlerts(series)
        self.alert = self._remembering
        self._passed_ms = np.zeros(series, np.int64)
        self._passed = np.zeros(series)
        self._heard = np.zeros(series, np.int64)
        self._asked = np.zeros(series, np.bool_)
        self._last: Judged | None = None
        self.follow(engine.series_count)

    def conclude(self, run: Run, heard: Heard, score_min: float) -> Judged:
        """As ``JobState`` does."""
        self._last = super().conclude(run, heard, score_min)
        return self._last

    def said(self, block: Block, series: NDArray[np.int32], time_ms: NDArray[np.int64]) -> dict[tuple[int, int], Said]:
        """What it made, in the *block* that it judged last, of the readings of m *series* at *time_ms*, by these two.

        A reading that is not in the block is not in the answer; of several at one time, the most novel is.
        """
        judged, found = self._last, dict[tuple[int, int], Said]()
        if judged is None or not series.size:
            return found
        mine, novelty, strength = block.series[judged.kept], judged.opinions.novelty, self._remembering.strength
        times = block.time_ms[block.point_row[judged.kept]]
        self._asked[series] = True  # the few series that are asked about are sorted, not the whole block
        rows = np.flatnonzero(self._asked[mine])
        self._asked[series] = False
        order = rows[in_order(mine[rows], times[rows])]
        series_sorted, time_sorted = mine[order], times[order]
        first, last = np.searchsorted(series_sorted, series), np.searchsorted(series_sorted, series, "right")
        for s, t, low, high in zip(series.tolist(), time_ms.tolist(), first.tolist(), last.tolist(), strict=True):
            a = low + int(np.searchsorted(time_sorted[low:high], t))
            b = low + int(np.searchsorted(time_sorted[low:high], t, "right"))
            if a == b:
                continue
            known = novelty[order[a:b]]
            at = a + (0 if np.isnan(known).all() else int(np.nanargmax(known)))
            row = int(order[at])
            earlier = order[low:high][order[low:high] < row]
            passed = earlier[strength[earlier] > 0]
            if passed.size:
                newest = int(passed.max())
                held_ms, held = int(times[newest]), float(novelty[newest])
            elif self._passed[s] > 0:
                held_ms, held = int(self._passed_ms[s]), float(self._passed[s])
            else:
                held_ms, held = -1, 0.0
            place = int(self._heard[s]) + earlier.size
            found[s, t] = Said(place, float(novelty[row]), float(strength[row]), held_ms, held)
        return found

    def forget_block(self, block: Block) -> None:
        """The last block has been asked about; keep of it only what the next one needs."""
        judged = self._last
        if judged is None:
            return
        mine = block.series[judged.kept]
        np.add.at(self._heard, mine, 1)
        rows = np.flatnonzero(self._remembering.strength > 0)
        self._passed_ms[mine[rows]] = block.time_ms[block.point_row[judged.kept[rows]]]
        self._passed[mine[rows]] = judged.opinions.novelty[rows]
        self._last = None

    def heard(self) -> NDArray[np.int64]:
        """The series that it follows and has had a reading of."""
        return np.flatnonzero((self.followed == FOLLOWED) & (self._heard > 0))
