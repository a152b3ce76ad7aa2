"""What is applied together, and what goes between."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, cast

import pytest

from offbeat.applier import Applier
from offbeat.clock import ManualClock
from offbeat.config import StoreConfig
from offbeat.engine.engine import Engine
from offbeat.engine.entries import Block, Entry
from offbeat.engine.outcome import Outcome
from offbeat.metrics import Metrics
from tests.engine.run import Run, random_steps

EVENTS_MAX = 50


def test_questions_are_answered_while_a_batch_is_applied_each_between_two_entries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = Run().take(random_steps(1, 1_500), random.Random(1))
    engine = Engine(run.catalog)
    no_database = cast(Any, None)
    applier = Applier(
        engine, no_database, StoreConfig(), ManualClock(0), Metrics(), lambda outcome: None, lambda reason: None
    )
    together: list[Sequence[Entry]] = []
    answered: list[tuple[int, int]] = []
    whole = engine.apply_all

    def apply_all(entries: Sequence[Entry]) -> list[Outcome]:
        together.append(entries)
        applier._questions.append(lambda: answered.append((engine.seq, applier._findings.upto)))
        return whole(entries)

    monkeypatch.setattr(engine, "apply_all", apply_all)
    applier._apply(run.journal, EVENTS_MAX)
    assert [entry for some in together for entry in some] == run.journal
    assert len(together) > 10 and max(len(some) for some in together) > 1
    for some in together:
        events = sum(entry.body.size for entry in some if isinstance(entry.body, Block))
        assert events <= EVENTS_MAX or len(some) == 1
    assert answered == [(some[-1].seq, some[-1].seq) for some in together[:-1]]
