"""How the daemon is: the document, what its sentences say, and the real daemon's figures by a clock that is moved."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offbeat.engine.views import Waiting
from offbeat.http import page_examples as examples
from offbeat.http.schemas import named
from offbeat.http.vitals import says
from offbeat.store.queries import Limit
from offbeat.vitals import KEPT_S, STEP_S, History, JobCounts, Sample
from tests.http import rows
from tests.http.buckets import SPEC, START_MS, daemon
from tests.http.conformity import misfits
from tests.http.parts import serving

CALM = replace(
    rows.HEALTH, rates={**rows.HEALTH.rates, "rejected_per_s_5m": 0.0},
    waiting=Waiting(0, np.ones(19, np.int64), np.zeros(19, np.int64)),
)


async def test_it_is_answered_as_the_example() -> None:
    async with serving() as door:
        document = await door.get("/api/v1/health")
        assert document == examples.HEALTH
        assert misfits(document, named("Health")) == []


@pytest.mark.parametrize(("change", "said"), [
    ({}, "All is well: 19 sources with 19 series, 54 events a second."),
    ({"reason": "the disk is full"}, "No events are taken: the disk is full."),
    ({"daemon": replace(CALM.daemon, full_reason="9 rows wait")}, "Bodies are refused with 429 just now: 9 rows wait."),
    ({"daemon": replace(CALM.daemon, applied_sequence=17, journal_sequence=1_118)},
     "What is found comes late: 1,101 journal entries wait to be applied."),
    ({"daemon": replace(CALM.daemon, limits=(Limit("engine.series_max", 95, 100),))},
     "The limit engine.series_max is 95% used: 95 of 100."),
    ({"daemon": replace(CALM.daemon, limits=(Limit("engine.series_max", 100, 100), Limit("no.bound", 7, 0)))},
     "The limit engine.series_max is reached: 100 of 100."),
    ({"jobs": JobCounts(2, 1, ("shops",))}, "1 job with detectors failed and stands still: shops."),
    ({"analysis_lag": 200}, "Jobs with detectors are late: 200 journal entries wait for them."),
    ({"free_bytes": 1 << 20}, "The disk is nearly full: 1 MiB are free."),
    ({"last_arrival_ms": None}, "Nothing has come yet: POST /api/v1/events takes events."),
    ({"now_ms": CALM.now_ms + 7_200_000}, "No event has come for 2 hours."),
    ({"rates": {**CALM.rates, "late_per_s_5m": 1.0}},
     "Events came too late for their buckets in the last five minutes: they are kept, and not judged."),
    ({"waiting": Waiting(19, np.ones(2, np.int64), np.array([1, 0]))},
     "All 19 series still warm up: nothing is found in them before."),
    ({"waiting": Waiting(0, np.array([1, 2, 0]), np.array([1, 1, 0]))},
     "1 of 19 sources is silent: the next reading is overdue."),
])
def test_the_first_sentence_says_what_matters(change: dict[str, Any], said: str) -> None:
    assert says(replace(CALM, **change))[0] == said


def test_what_is_wrong_is_said_before_what_is_near_its_limit_and_that_before_why_nothing_happens() -> None:
    told = says(replace(
        CALM, reason="x", daemon=replace(CALM.daemon, limits=(Limit("a", 9, 10),)), last_arrival_ms=None
    ))
    assert [sentence[:9] for sentence in told] == ["No events", "The limit", "Nothing h"]


def sample(at_s: float, events: float, level: int = 0) -> Sample:
    return Sample(START_MS + round(1000 * at_s), events, 0.0, 0.0, 0.0, level, 2 * level, 3 * level)


def test_rates_are_of_the_time_between_samples_whatever_that_was() -> None:
    history = History()
    for at_s, events in ((0, 0), (10, 50), (30, 90)):
        history.add(sample(at_s, events, at_s))
    columns = history.columns()
    assert columns["time"] == [START_MS + 10_000, START_MS + 30_000]
    assert (columns["events_per_s"], columns["pending_bytes"], columns["lag"]) == ([5.0, 2.0], [10, 30], [20, 60])
    now = sample(40, 140)
    assert [history.rate(now, "events", s) for s in (10, 30, 300)] == [5.0, 3.0, 3.5]
    assert History().rate(now, "events", 60) == 0.0


def test_an_hour_is_kept_and_a_clock_that_is_set_back_begins_it_anew() -> None:
    history = History()
    for i in range(2 * KEPT_S // STEP_S):
        history.add(sample(STEP_S * i, 10 * i))
    assert {len(column) for column in history.columns().values()} == {KEPT_S // STEP_S}
    history.add(sample(0, 5))
    assert history.columns()["time"] == []


async def test_the_daemon_tells_how_it_is_and_was(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        await client.post("/jobs", SPEC, 201)
        first = await client.get("/health")
        assert misfits(first, named("Health")) == []
        assert (first["ready"], first["jobs"]) == (True, {"count": 2, "analyses": 1, "failed": 0})
        assert first["says"] == ["Nothing has come yet: POST /api/v1/events takes events."]
        client.service.vitals.sample()
        lines = [b'{"source": "s%d", "time": %d, "flow": %d}' % (i % 2, START_MS + i * 1_000, i) for i in range(6)]
        sent = await client.post("/events", b"\n".join([*lines, b"none"]), 202)
        await client.get(f"/records?sequence={sent['sequence']}")
        client.clock.move(STEP_S * 1_000)
        client.service.vitals.sample()
        health = await client.get("/health")
        assert misfits(health, named("Health")) == []
        assert health["uptime_s"] == STEP_S
        assert (health["source_count"], health["series_count"], health["rejected"]) == (2, 2, {"bad_json": 1})
        assert (health["warming_up"], health["silent"], health["late_count"]) == (2, 0, 0)
        assert health["history"]["events_per_s"][-1] == health["rates"]["events_per_s_1m"] == 0.6
        assert health["history"]["rejected_per_s"][-1] == 0.1
        assert health["lag"]["journal_sequence"] == health["lag"]["applied_sequence"] == sent["sequence"]
        assert health["store"]["free_bytes"] > 0 < health["store"]["bytes"]
        assert health["store"]["retention"]["retention.readings_days"] > 0
        assert [sentence[:5] for sentence in health["says"]] == ["Lines", "All 2"]
