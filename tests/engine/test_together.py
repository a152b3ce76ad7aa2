"""Entries that are applied together, by any number of threads, give what they give one by one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from offbeat.engine import engine as engines
from offbeat.engine.engine import Engine
from offbeat.engine.entries import Entry
from offbeat.engine.outcome import Outcome
from offbeat.records import JobSpec
from offbeat_detectors import rhythm_divided
from offbeat_detectors.parts import Team
from tests.engine.run import BEAT, LIMITS, WATCH, Clock, Create, Run, Step, Tick, living_steps, random_steps

RHYTHM = JobSpec("watch", parameters=(("tier", "light"),))
FEW = replace(WATCH, models_max=8, shards=2)


class Backwards(Team):
    """Threads of which the last is the fastest."""

    def run(self, pieces: Sequence[Callable[[], None]]) -> None:
        super().run(pieces[::-1])


def held(engine: Engine) -> dict[str, Any]:
    """All that checkpoints of all shards would write, as bytes, and since when each is due."""
    found: dict[str, Any] = {}
    for shard in sorted(engine.tail.shards()):
        frozen = engine.freeze(shard)
        assert frozen is not None and frozen.tail is not None
        tail = frozen.tail
        found |= {f"{shard} {part} {name}": a.tobytes() for part, s in frozen.states.items() for name, a in s.items()}
        found |= {f"{shard} readings {i}": column.tobytes() for i, column in enumerate(tail.all_readings())}
        found |= {f"{shard} windows": tail.all_windows().tobytes(), f"{shard} since": (tail.since_seq, tail.since_ms)}
        found |= {f"{shard} closed {job}": tail.all_closed(job).tobytes() for job in tail.closed}
    return found


def told(outcomes: Sequence[Outcome]) -> tuple[Any, ...]:
    """All findings and changes in the order of the stream, and what was counted."""
    both = [one for outcome in outcomes for one in (*outcome.findings, *outcome.changes)]
    counts = np.sum([(o.late_count, o.hidden_count, *o.untold, o.evicted_count, o.unjudged_count) for o in outcomes], 0)
    return [repr(one) for one in sorted(both, key=lambda one: (one.seq, one.ordinal))], counts.tolist()


def cut(journal: Sequence[Entry], rng: random.Random) -> Iterator[Sequence[Entry]]:
    first = 0
    while first < len(journal):
        stop = first + rng.choice([1, 2, 7, 50, 1000])
        yield journal[first:stop]
        first = stop


@pytest.mark.parametrize("watch", [WATCH, BEAT, RHYTHM, FEW], ids=["ewma", "grouped", "rhythm", "few models"])
@pytest.mark.parametrize("seed", range(3))
def test_entries_applied_together_by_several_threads_give_what_they_give_one_by_one(
    monkeypatch: pytest.MonkeyPatch, watch: JobSpec, seed: int
) -> None:
    rng = random.Random(seed)
    limits = replace(LIMITS, shards=2) if watch.models_max else LIMITS
    steps: list[Step] = [*living_steps(seed, 500), *random_steps(seed, 1500, 1_700_000_000_000 + 10**8)]
    steps = [s for i, s in enumerate(steps) if not isinstance(s, Create) or s not in steps[:i]]
    steps = [s for s in steps if not isinstance(s, Clock | Tick) or rng.random() < 0.2]
    alone = Run(limits, watch).take(steps, rng)
    apart = Engine(alone.catalog)
    expected = told([apart.apply(entry) for entry in alone.journal])
    assert len(expected[0]) > 10 and max(np.diff([e.seq for e in alone.journal if e.kind != "data"])) > 10
    state = held(apart)
    monkeypatch.setattr(engines, "SHARED_MIN", 1)
    monkeypatch.setattr(rhythm_divided, "POINTS_MIN", 1)
    for team in (Team(1), Team(2), Team(5), Backwards(3)):
        for longest in (50, 100_000):
            monkeypatch.setattr(engines, "RUN_MAX", longest)
            with team:
                together = Engine(alone.catalog)
                together.work_with(team)
                said = [one for some in cut(alone.journal, rng) for one in together.apply_all(some)]
                assert told(said) == expected
                assert held(together) == state
            team = type(team)(team.threads)


def test_a_shard_that_is_beyond_some_of_the_entries_takes_only_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "SHARED_MIN", 1)
    steps = random_steps(4, 600)
    run = Run().take(steps, random.Random(4))
    half = len(run.journal) // 2
    before = Engine(run.catalog)
    before.apply_all(run.journal[:half])
    frozen = [before.freeze(shard) for shard in sorted(before.tail.shards())[:1]]
    apart, together = Engine(run.catalog), Engine(run.catalog)
    jobs = [entry for entry in run.journal[:half] if entry.kind == "job_created"]
    for one in (apart, together):
        for entry in jobs:
            one.apply(entry)
        for shard in frozen:
            assert shard is not None
            one.restore(shard)
    rest = [entry for entry in run.journal if entry not in jobs]
    expected = told([apart.apply(entry) for entry in rest])
    assert told(together.apply_all(rest)) == expected
    assert held(together) == held(apart)
