"""What an analysis takes is counted as it is, and limited: who is unseen for longest makes room, then new ones wait."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.names import BEYOND, NONE, Entities, Names
from offbeat.engine.analysis.results import BucketResult
from offbeat.engine.analysis.spec import DetectorSpec
from offbeat.records import Strings
from tests.engine.analysis.logs import SPAN_S, START_MS, Row, analysed, changing, same_state, spec_of
from tests.engine.analysis.test_analysis import every, told

SPAN_MS = 1000 * SPAN_S
ROOT = Path(__file__).parents[3]
MEAN = DetectorSpec("mean", "value", by="host")
ENTITIES = 50_000


@pytest.mark.parametrize("function", ["mean", "count", "metric"])
def test_what_is_counted_is_what_the_process_grows_by(function: str) -> None:
    program = [sys.executable, "-m", "tests.engine.analysis.resident", function, str(ENTITIES)]
    run = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True, timeout=110)
    counted, grown = (int(word) for word in run.stdout.split())
    assert counted == pytest.approx(grown, rel=0.3)
    assert grown / ENTITIES < 4_096


def flood(buckets: int, *, steady: int, new: int, width: int = 1) -> list[tuple[int, Row]]:
    """Buckets with *steady* hosts that are always there, and *new* ones that come for *width* buckets, then never."""
    rng = np.random.default_rng(3)
    rows: list[tuple[int, Row]] = []
    for bucket in range(buckets):
        hosts = [f"steady-{i}" for i in range(steady)]
        hosts += [f"new-{start}-{i}" for start in range(max(0, bucket - width + 1), bucket + 1) for i in range(new)]
        for i, host in enumerate(hosts):
            odd = bucket == buckets - 2 and host in ("steady-7", "steady-20")
            level = 100.0 if host.startswith("steady") else 1e4 * int(host.split("-")[1])
            value = 500.0 if odd else rng.normal(level, 5.0)
            rows.append((START_MS + bucket * SPAN_MS + i, {"host": host, "value": f"{value:.3f}"}))
    return rows


def of_steady(results: list[BucketResult]) -> list[tuple[object, ...]]:
    """What is found of the hosts that are always there."""
    return [
        (result.start_ms, one.by, one.probability, one.typical, one.actual)
        for result in results
        for one in result.found
        if (one.by or "").startswith("steady")
    ]


def test_who_is_unseen_for_longest_makes_room_and_who_is_seen_is_judged_as_without_any_limit() -> None:
    rows = flood(60, steady=50, new=40)
    limited, free = Analysis(spec_of(MEAN, memory_max_mb=1)), Analysis(spec_of(MEAN, memory_max_mb=-1))
    found, expected = analysed(limited, rows), analysed(free, rows)
    size = limited.size()
    assert (size.status, size.refused, free.size().status) == ("SOFT_LIMIT", 0, "OK")
    assert size.pruned + size.by_count == free.size().by_count == 50 + 60 * 40
    assert size.model_bytes <= 2**20
    assert {one[1] for one in of_steady(found)} >= {"steady-7", "steady-20"}
    assert of_steady(found) == of_steady(expected)


def test_who_takes_the_place_of_another_begins_anew_and_so_does_who_comes_back() -> None:
    analysis = Analysis(spec_of(MEAN, memory_max_mb=1))
    found = analysed(analysis, flood(60, steady=50, new=40, width=4))  # four buckets: too few for an opinion
    assert analysis.size().pruned > 0
    assert [one for result in found for one in result.found if not (one.by or "").startswith("steady")] == []


def test_of_those_that_are_not_there_it_is_who_was_unseen_for_longest_that_goes() -> None:
    rows = flood(61, steady=50, new=80)
    rows += [(START_MS + bucket * SPAN_MS, {"host": "third", "value": str(bucket)}) for bucket in range(0, 61, 3)]
    rows += [(START_MS + bucket * SPAN_MS, {"host": "tenth", "value": str(bucket)}) for bucket in range(0, 51, 10)]
    analysis = Analysis(spec_of(MEAN, memory_max_mb=1))
    analysed(analysis, sorted(rows, key=lambda row: row[0]))
    (second,) = analysis._questions[0].used("host")
    known = {analysis._names["host"].text(number) for number in second.tolist()}
    assert {"third", *(f"steady-{i}" for i in range(50)), *(f"new-{b}-7" for b in (57, 58, 59))} <= known
    assert known.isdisjoint({"tenth", *(f"new-{b}-7" for b in range(55))})


def test_a_place_that_is_nobodys_has_learned_nothing_and_stays_so() -> None:
    detector = DetectorSpec("count", by="host", exclude_frequent="by")
    analysis = Analysis(spec_of(detector, memory_max_mb=1))
    rows = flood(40, steady=50, new=0) + [
        (time_ms + 40 * SPAN_MS, row) for time_ms, row in flood(12, steady=0, new=100) if "new" in row["host"]
    ]
    analysed(analysis, rows)
    analysis.advance(rows[-1][0] + 5 * SPAN_MS)
    state = analysis.save()
    free, by = state["question0.split.entities_free"], state["question0.split.by"]
    assert free.size > 0
    assert not state["question0.judge0.seen"][free].any()
    # Who has the place of one that was always there is not taken for frequent.
    assert state["question0.restraint.frequent.by_count"][by >= 0].max() <= 1.0


def test_a_value_that_a_model_remembers_keeps_its_number_when_nobody_has_it_any_more() -> None:
    analysis = Analysis(spec_of(DetectorSpec("rare", by="host"), memory_max_mb=1))
    analysed(analysis, flood(40, steady=3, new=0))
    analysed(analysis, [(time_ms + 40 * SPAN_MS, row) for time_ms, row in flood(20, steady=0, new=300)])
    of_entities, of_model = analysis._questions[0].used("host")
    names = analysis._names["host"]
    assert "steady-1" not in {names.text(number) for number in of_entities.tolist()}
    assert {"steady-0", "steady-1", "steady-2"} <= {names.text(number) for number in of_model.tolist()}
    assert len(names) < 50 + 20 * 300


def test_more_at_a_time_than_there_is_room_for_are_refused_and_counted() -> None:
    analysis = Analysis(spec_of(MEAN, memory_max_mb=1))
    rows = flood(3, steady=800, new=0)
    analysed(analysis, rows)
    size = analysis.size()
    assert size.status == "HARD_LIMIT"
    assert size.pruned == 0  # all that are known are there in every bucket
    assert size.refused == 3 * (800 - size.by_count) > 0
    assert size.model_bytes <= 2**20


@pytest.mark.parametrize(
    "detector",
    [
        DetectorSpec("mean", "value", over="host"),
        DetectorSpec("mean", "value", by="host", over="user"),
        DetectorSpec("mean", "value", partition="host", use_null=True),
        DetectorSpec("rare", by="host"),
        DetectorSpec("rare", by="user", partition="host"),
        DetectorSpec("freq_rare", by="user", over="host", partition="host", exclude_frequent="all"),
        DetectorSpec("time_of_week", by="host"),
        DetectorSpec("lat_long", "place", over="host"),
        DetectorSpec("count", by="host", exclude_frequent="by"),
    ],
    ids=lambda one: f"{one.function} {one.by} {one.over} {one.partition}",
)
def test_every_kind_of_detector_stays_within_its_memory(detector: DetectorSpec) -> None:
    analysis = Analysis(spec_of(detector, memory_max_mb=1, influencers=("word",)))
    rows = [
        (time_ms, row | {"user": f"user-{i // 2}", "word": f"word-{i}", "place": f"{i % 90},{i % 180}"})
        for i, (time_ms, row) in enumerate(flood(120, steady=5, new=60))
    ]
    analysed(analysis, rows)
    size = analysis.size()
    assert size.pruned > 0
    assert size.model_bytes <= 2**20


@settings(max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.lists(st.integers(1, 2_999), min_size=1, max_size=8))
def test_whose_place_goes_to_whom_depends_on_no_cut_and_no_restart(cuts: list[int]) -> None:
    rows, spec = changing(3_000, 5), every(memory_max_mb=1)
    whole, cut, before, after = (Analysis(spec) for _ in range(4))
    expected = told(analysed(whole, rows))
    assert whole.size().pruned > 0
    assert whole.size().refused > 0
    assert told(analysed(cut, rows, cuts)) == expected
    found = analysed(before, rows[: cuts[0]])
    after.restore(before.save())
    assert told([*found, *analysed(after, rows[cuts[0] :])]) == expected
    assert same_state(cut, whole)
    assert same_state(after, whole)
    assert after.size() == whole.size()


def test_values_that_nobody_needs_are_forgotten_and_their_numbers_given_again() -> None:
    names = Names(10)
    first = names.number(Strings.of("abcdefghi"), np.arange(9, dtype=np.int32))
    names.saw(first, np.array([1, 1, 1, 1, 2, 2, 3, 3, 3]))
    assert names.crowded
    names.forget_unused(3, [np.array([1, NONE, 4], np.int32)])
    assert [names.text(int(number)) for number in (1, 4, 6, 7, 8)] == list("begh" + "i")
    others = np.array([0, 1, 2, 3, NONE, 4, 5, 6], np.int32)
    again = names.number(Strings.of(("z", "b", "y", "x", "w", "v", "u")), others)
    assert again.tolist() == [0, 1, 2, 3, NONE, 5, 9, BEYOND]
    assert [names.text(number) for number in (0, 1, 5)] == ["z", "b", "w"]
    restored = Names(10)
    restored.restore(names.save())
    assert restored.number(Strings.of("zq"), np.array([1, 0], np.int32)).tolist() == [BEYOND, 0]


@pytest.mark.parametrize("most", [1_000, 30])
def test_few_of_many_texts_are_numbered_as_if_there_were_no_others(most: int) -> None:
    texts = [f"text {i}" for i in range(400)]
    codes = np.random.default_rng(2).integers(NONE, 400, 600).astype(np.int32)
    slowly = {NONE: NONE}
    for code in dict.fromkeys(codes.tolist()):
        number = len([one for one in slowly.values() if one >= 0])
        slowly.setdefault(code, number if number < most else BEYOND)
    expected = [slowly[code] for code in codes.tolist()]
    whole, parts = Names(most), Names(most)
    assert whole.number(Strings.of(texts), codes).tolist() == expected
    found = [parts.number(Strings.of(texts), codes[at : at + 20]) for at in range(0, 600, 20)]
    assert np.concatenate(found).tolist() == expected


def test_a_value_for_which_there_is_no_room_is_refused_as_nobody_and_not_as_one_that_is_missing() -> None:
    analysis = Analysis(spec_of(DetectorSpec("count", by="host", use_null=True), memory_max_mb=1))
    analysed(analysis, [(START_MS + i // 100, {"host": f"host-{i}"}) for i in range(5_000)])
    size = analysis.size()
    assert size.refused == 5_000 - size.by_count
    assert size.model_bytes <= 2**20
    (result,) = analysis.advance(START_MS + SPAN_MS).buckets
    assert isinstance(result, BucketResult)
    nobody = analysis.save()["question0.split.by"] == 0  # the first value of all is that of those without one
    assert not nobody.any()


def test_a_pair_that_is_forgotten_gives_its_number_to_the_next() -> None:
    entities = Entities()
    first, second = np.arange(5, dtype=np.int32), np.full(5, NONE, np.int32)
    assert entities.number(first, second)[0].tolist() == [0, 1, 2, 3, 4]
    entities.forget(np.array([3, 1], np.int32))
    assert (len(entities), entities.live.tolist()) == (3, [0, 2, 4])
    restored = Entities()
    restored.restore(entities.save())
    for one in (entities, restored):
        new = np.array([1, 9, 8, 0], np.int32)
        assert one.number(new, np.full(4, NONE, np.int32))[0].tolist() == [1, 3, 5, 0]
        assert one.keep_only(np.array([9], np.int32), np.array([NONE], np.int32)).tolist() == [0, 1, 2, 4, 5]
