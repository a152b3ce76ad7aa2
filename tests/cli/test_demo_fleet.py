"""The simulated fleet: the same for the same seed, and its labels say where the faults are."""
from __future__ import annotations

import json

import numpy as np
import pytest

from offbeat.cli.demo_fleet import FAULT_KINDS, INJECT, STEPS_A_DAY, Fleet
from offbeat.cli.demo_report import Finding, Label, findings_of, judge

DAYS = range(9)


@pytest.fixture(scope="module")
def fleets() -> tuple[Fleet, Fleet]:
    """A fleet, and the same without its faults."""
    return Fleet(20, 7), Fleet(20, 7, faulty=False)


def test_the_same_seed_gives_the_same_days_in_whatever_order():
    one, other = Fleet(10, 3), Fleet(10, 3)
    later = other.day(5)
    for number in (2, 5):
        day = one.day(number)
        again = other.day(number)
        np.testing.assert_array_equal(day.values, again.values)
        assert day.faults == again.faults
    np.testing.assert_array_equal(later.values, one.day(5).values)
    assert not np.array_equal(Fleet(10, 4).day(2).values, one.day(2).values)


def test_outside_its_faults_a_fleet_reads_as_if_it_had_none(fleets):
    faulty, healthy = fleets
    for number in DAYS:
        day, well = faulty.day(number), healthy.day(number).values
        allowed = np.zeros_like(well, dtype=bool)
        for fault in day.faults:
            allowed[fault.sensor, fault.first - number * STEPS_A_DAY : fault.stop - number * STEPS_A_DAY] = True
        np.testing.assert_array_equal(day.values[~allowed], well[~allowed])
        assert np.isfinite(well).all()


def under(fleets: tuple[Fleet, Fleet], kind: str):
    """Each fault of *kind*: the sensor's kind, the values under it, and those without it."""
    for number in DAYS:
        day, well = fleets[0].day(number), fleets[1].day(number).values
        for fault in day.faults:
            at = slice(fault.first - number * STEPS_A_DAY, fault.stop - number * STEPS_A_DAY)
            if fault.kind == kind:
                assert 0 <= at.start < at.stop <= STEPS_A_DAY
                assert fault.stop - fault.first == INJECT[kind][1]
                yield fleets[0].sensors[fault.sensor].kind, day.values[fault.sensor, at], well[fault.sensor, at]


def test_a_spike_is_one_reading_far_off(fleets):
    assert all(
        abs(faulty[0] - well[0]) >= kind.jump and faulty.size == 1 for kind, faulty, well in under(fleets, "spike")
    )


def test_a_level_shift_moves_each_reading_alike(fleets):
    for kind, faulty, well in under(fleets, "level shift"):
        assert np.ptp(faulty - well) <= 1.0 and (faulty - well).mean() >= 0.9 * kind.jump


def test_a_drift_grows_from_nothing(fleets):
    for kind, faulty, well in under(fleets, "drift"):
        assert (faulty - well)[0] < 0.05 * kind.jump
        assert (faulty - well)[-1] >= 0.9 * kind.jump
        assert np.corrcoef(np.arange(faulty.size), faulty - well)[0, 1] > 0.99


def test_a_stuck_sensor_repeats_its_first_value(fleets):
    assert all((faulty == well[0]).all() for _, faulty, well in under(fleets, "stuck value"))


def test_noise_widens_and_does_not_shift(fleets):
    for kind, faulty, well in under(fleets, "noise"):
        assert np.diff(faulty).std() > 2 * kind.noise
        assert abs((faulty - well).mean()) < 0.25 * kind.jump


def test_a_silent_sensor_has_no_readings(fleets):
    assert all(np.isnan(faulty).all() for _, faulty, _ in under(fleets, "silence"))


def test_a_missed_cycle_befalls_only_what_has_one(fleets):
    for kind, faulty, well in under(fleets, "missed cycle"):
        assert kind.cyclic
        assert not np.array_equal(faulty, well)


def test_every_kind_occurs_and_the_first_days_are_quiet(fleets):
    days = [fleets[0].day(number) for number in DAYS]
    assert {fault.kind for day in days for fault in day.faults} == set(FAULT_KINDS)
    assert days[0].faults == days[1].faults == ()
    for day in days:
        assert len({fault.sensor for fault in day.faults}) == len(day.faults)


def test_one_sensor_is_a_fleet_too():
    kinds = [fault.kind for number in range(2, 16) for fault in Fleet(1, 1).day(number).faults]
    assert set(kinds) == set(FAULT_KINDS)


def test_a_step_is_a_line_a_sensor_and_none_for_a_silent_one(fleets):
    fleet = fleets[0]
    day, fault = next(
        (day, fault)
        for number in DAYS
        for day in (fleet.day(number),)
        for fault in day.faults
        if fault.kind == "silence"
    )
    lines = [json.loads(line) for line in fleet.lines(day, fault.first % STEPS_A_DAY, 1_700_000_000_000)]
    silent = {f.sensor for f in day.faults if f.kind == "silence" and f.first <= fault.first < f.stop}
    assert [line["source"] for line in lines] == [s.source for i, s in enumerate(fleet.sensors) if i not in silent]
    assert all(set(line) == {"time", "source", line["source"].split("-")[0]} for line in lines)


MINUTE = 60_000
SPIKE = Label("a", "v", "spike", 100 * MINUTE, 101 * MINUTE)
SHIFT = Label("b", "v", "level shift", 200 * MINUTE, 300 * MINUTE)


def test_a_fault_is_found_from_its_start_to_sixteen_minutes_after_its_end():
    for minute, found in ((99, 0), (100, 1), (116, 1), (117, 0)):
        report = judge([SPIKE], [Finding("a", "v", minute * MINUTE)], series_count=1, days=7)
        assert (report.kinds[0].found, report.false_findings) == (found, 1 - found)


def test_a_finding_on_another_series_finds_nothing_and_is_false():
    report = judge(
        [SPIKE, SHIFT], [Finding("b", "v", 100 * MINUTE), Finding("a", "w", 100 * MINUTE)], series_count=4, days=14
    )
    assert [kind.found for kind in report.kinds] == [0] * 7
    assert (report.findings, report.false_findings, report.false_per_series_week) == (2, 2, 0.25)
    assert (report.injected, report.found, report.precision) == (2, 0, 0.0)


def test_the_delay_is_to_the_first_finding_and_what_is_missed_is_explained():
    findings = [Finding("b", "v", m * MINUTE) for m in (260, 230, 310)]
    kinds = {kind.kind: kind for kind in judge([SPIKE, SHIFT], findings, series_count=2, days=7).kinds}
    assert kinds["level shift"].median_delay_s == 30 * 60
    assert (kinds["level shift"].found, kinds["level shift"].why_missed) == (1, "")
    assert (kinds["spike"].injected, kinds["spike"].found, kinds["spike"].median_delay_s) == (1, 0, None)
    assert kinds["spike"].why_missed
    assert kinds["silence"].why_missed == ""  # none was injected


def test_a_fault_whose_end_alone_was_noticed_is_told_apart():
    for minute, at_end in ((299, 0), (300, 1)):
        report = judge([SHIFT], [Finding("b", "v", minute * MINUTE)], series_count=1, days=7)
        shift = report.kinds[1]
        assert (shift.kind, shift.found, shift.found_at_end, bool(shift.why_missed)) == (
            "level shift",
            1,
            at_end,
            bool(at_end),
        )


def test_precision_is_the_share_of_the_findings_that_are_not_false():
    found = [Finding("b", "v", m * MINUTE) for m in (230, 260, 290, 400)]
    report = judge([SPIKE, SHIFT], found, series_count=2, days=7)
    assert (report.injected, report.found, report.precision) == (2, 1, 0.75)
    assert judge([SPIKE], [], series_count=1, days=7).precision is None


def test_only_strong_records_of_the_fleet_count():
    records = [
        {"source": s, "field": "v", "time": "2023-11-14T22:13:20.000Z", "score": score}
        for s, score in (("a", 32.0), ("a", 31.9), ("x", 99.0))
    ]
    assert findings_of(records, ["a"]) == [Finding("a", "v", 1_700_000_000_000)]
