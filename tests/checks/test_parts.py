"""The pure parts of checks: moments of several series, bindings, standings, how events arrived, messages."""
from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from offbeat.checks import spec as specs
from offbeat.checks.align import aligned
from offbeat.checks.arrivals import NOTES_MAX, ArrivalLog, Counts
from offbeat.checks.frames import HEAD, Job, batch, jobs_of
from offbeat.checks.outcomes import Present
from offbeat.checks.spec import CheckSpec, Columns, EachSeries, EachSource
from offbeat.checks.standing import Result, Standing, concluded, unpacked
from offbeat.checks.subjects import binds, joining
from offbeat.engine.catalog import Catalog, Limits
from offbeat.records import Strings
from offbeat_detectors.checks.contract import Status
from offbeat_detectors.checks.outcomes import held
from offbeat_detectors.checks.readings import Arrivals, FoundBefore, Readings
from tests.checks import naive

READINGS = st.lists(st.tuples(st.integers(0, 30), st.floats(-9, 9)), max_size=12).map(
    lambda some: sorted(some, key=lambda pair: pair[0]))
NAMES = st.text("ab*?[]", min_size=1, max_size=3)


@given(st.lists(READINGS, min_size=1, max_size=3), st.integers(0, 10))
def test_moments_agree_with_the_definition(columns: list[list[tuple[int, float]]], tolerance_ms: int) -> None:
    arrays = [(np.array([t for t, _ in c], np.int64), np.array([v for _, v in c], np.float64)) for c in columns]
    moments, values = aligned(arrays, tolerance_ms)
    expected = naive.aligned(columns, tolerance_ms)
    assert moments.tolist() == [moment for moment, _ in expected]
    np.testing.assert_array_equal(values, np.array([row for _, row in expected]).reshape(-1, len(columns)))


def catalog(pairs: list[tuple[str, str]]) -> Catalog:
    made = Catalog(Limits(1000, 1000, 1000, 1000))
    sources, fields = (list(dict.fromkeys(column)) for column in (zip(*pairs, strict=True) if pairs else ((), ())))
    made.load(
        Strings.of(sources), np.zeros(len(sources), np.int32), Strings.of(fields),
        np.array([sources.index(s) for s, _ in pairs], np.int32),
        np.array([fields.index(f) for _, f in pairs], np.int32))
    return made


@given(st.lists(st.tuples(st.text("ab", min_size=1, max_size=2), st.text("xy", min_size=1, max_size=2)), unique=True),
       st.sampled_from(["*", "a*", "?", "[ab]b", "b"]), st.sampled_from(["*", "x", "?y", "y*"]), st.integers(0, 9))
def test_series_that_come_in_two_lots_join_as_in_one(
    pairs: list[tuple[str, str]], source: str, field: str, first: int
) -> None:
    from fnmatch import fnmatchcase

    known, first = catalog(pairs), min(first, len(pairs))
    spec = CheckSpec("c", "k", (EachSeries(source, field), EachSource(source, ("x", "y"))))
    whole = dict(joining(spec, known, 0, len(pairs)))
    halves = dict(joining(spec, known, 0, first)) | dict(joining(spec, known, first, len(pairs)))
    expected = {((s, f),) for s, f in pairs if fnmatchcase(s, source) and fnmatchcase(f, field)}
    expected |= {((s, "x"), (s, "y")) for s, f in pairs if fnmatchcase(s, source) and f in ("x", "y")}
    assert whole.keys() == halves.keys() == expected
    for s, f in pairs:
        bound = any((s, f) in columns for columns in whole)
        assert binds(spec, s, f) == bound or (binds(spec, s, f) and f in ("x", "y"))


def test_named_columns_are_a_run_whether_or_not_they_are_there() -> None:
    spec = CheckSpec("c", "k", (Columns((("p", "x"), ("q", "y")), 3.0),))
    assert list(joining(spec, catalog([]), 0, 0)) == [((("p", "x"), ("q", "y")), 3.0)]
    assert (binds(spec, "q", "y"), binds(spec, "q", "x"), binds(spec, "p", None), binds(spec, None, "y")) == (
        True, False, True, True)


BINDINGS = st.one_of(
    st.builds(EachSeries, NAMES, NAMES),
    st.builds(EachSource, NAMES, st.lists(NAMES, min_size=1, max_size=3, unique=True).map(tuple)),
    st.builds(Columns, st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=3, unique=True).map(tuple),
              st.floats(0, 100)),
)


@given(st.builds(
    CheckSpec, st.just("c"), NAMES, st.lists(BINDINGS, min_size=1, max_size=3).map(tuple), NAMES,
    st.dictionaries(NAMES, st.one_of(st.integers(-9, 9), NAMES, st.lists(NAMES))).map(lambda d: tuple(d.items())),
    st.floats(1, 100), st.floats(0.01, 5), st.integers(1, 9), st.integers(1, 9), st.booleans()))
def test_a_check_comes_back_from_the_store_as_it_went(spec: CheckSpec) -> None:
    specs.check(spec, 5.0)
    assert specs.unpacked(spec.packed()) == spec


STATUSES = st.lists(st.sampled_from(["GREEN", "YELLOW", "RED"]), max_size=20)


@given(STATUSES, st.integers(1, 4), st.integers(1, 4))
def test_a_standing_holds_what_the_results_in_a_row_make_of_it_over_restarts(
    statuses: list[str], raise_after: int, clear_after: int
) -> None:
    standing, seen, changes = Standing(), [], []
    for i, status in enumerate(statuses):
        result = Result(status, "judged", f"{status} {i}", i, i, i, 0.5)
        standing, changed = concluded(standing, result, (i,), "same", raise_after, clear_after)
        assert standing.present is not None
        standing = unpacked(standing.packed(), standing.present)
        seen.append(standing.present.status)
        changes.append(changed)
        assert standing.present.ran_ms == i
        assert standing.present.message.startswith(standing.present.status)
    expected = [s.name for s in held([Status[s] for s in statuses], raise_after, clear_after)]
    assert seen == expected
    assert changes == [i == 0 or seen[i] != seen[i - 1] for i in range(len(seen))]


def test_since_is_when_the_status_began_and_another_reason_is_a_change() -> None:
    def run(before: Standing, status: str, reason: str, ms: int, judges: str = "j") -> tuple[Present, bool, Standing]:
        result = Result(status, reason, "", ms, None, None, 0.0)  # type: ignore[arg-type]
        after, changed = concluded(before, result, (), judges, 1, 1)
        assert after.present is not None
        return after.present, changed, after

    present, changed, standing = run(Standing(), "YELLOW", "no_data", 1)
    assert (present.since_ms, changed) == (1, True)
    present, changed, standing = run(standing, "YELLOW", "judged", 2)
    assert (present.since_ms, changed) == (1, True)
    present, changed, standing = run(standing, "YELLOW", "judged", 3)
    assert (present.since_ms, changed) == (1, False)
    present, changed, standing = run(standing, "YELLOW", "judged", 4, "other parameters")
    assert (present.since_ms, changed) == (1, True)
    present, changed, standing = run(standing, "RED", "error", 5, "other parameters")
    assert (present.since_ms, changed) == (5, True)
    after, changed = concluded(standing, Result("", "judged", "", 6, None, None, 0.0), (), "other parameters", 1, 1)
    assert (after.present, changed) == (None, False)


@given(st.lists(st.integers(1, 5_000), min_size=2, max_size=200), st.integers(1, 100_000))
def test_what_arrived_lately_is_within_the_span_or_a_little_more_and_bounded(steps: list[int], span_ms: int) -> None:
    log, now_ms = ArrivalLog(), 0
    for step in steps:
        now_ms += step
        found = log.note(1, Counts(now_ms, now_ms, 2 * now_ms, 3 * now_ms, 4 * now_ms), span_ms)
        assert len(log._notes[1]) <= NOTES_MAX
        if now_ms == steps[0]:
            assert found is None
            continue
        assert found is not None
        covered = round(found.span_s * 1000)
        assert (found.events, found.late, found.rejected, found.accepted) == (
            covered, 2 * covered, 3 * covered, 4 * covered)
        since_first = now_ms - steps[0]
        assert covered >= min(span_ms, since_first) - 5_000 - span_ms / (NOTES_MAX - 2)
    log.forget(1)
    assert log._notes == {}


def test_a_message_holds_what_its_runs_are_handed() -> None:
    found = (FoundBefore(5, 1, 60.0, "odd"),)
    one = Readings("a", ("x", "y"), np.array([1, 2]), np.array([[1.0, np.nan], [2.0, 3.0]]), 1, 9,
                   ZoneInfo("Asia/Tokyo"), np.array([2, -1]), found, Arrivals(1.5, 2, 3, 4, 5))
    none = Readings("b", ("x",), np.zeros(0, np.int64), np.zeros((0, 1)), 0, 9, ZoneInfo("UTC"), np.array([-1]))
    message = batch([Job("k", {"p": [1]}, one), Job("k", {}, none)])
    length, more = HEAD.unpack(message[: HEAD.size])
    body = message[HEAD.size :]
    assert len(body) == length + more
    import orjson

    first, second = jobs_of(orjson.loads(body[:length]), body[length:])
    assert (first.kind, first.parameters) == ("k", {"p": [1]})
    for came, went in ((first.data, one), (second.data, none)):
        for name in ("time_ms", "values", "last_ms"):
            np.testing.assert_array_equal(getattr(came, name), getattr(went, name))
        for name in ("source", "columns", "new_from", "now_ms", "zone", "found", "arrivals"):
            assert getattr(came, name) == getattr(went, name)
