"""The lines of energy meters: every example of the protocol, its odd corners, and a slow twin that reads alike."""
from __future__ import annotations

import contextlib
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from offbeat.errors import BadRequest
from offbeat.meters.events import document_in, event_of, sections_in
from offbeat.meters.lines import BadLine, moment_of, sections_of, value_of, written
from tests.gateways.energy.meters import Meter, line_of
from tests.meters import naive_lines

OCTOBER = datetime(2016, 10, 4, 16, 47, 50, tzinfo=UTC)


@pytest.mark.parametrize(("line", "sections"), [
    ("A; B; C;", {}), ("Dead=Beef", {}), ("", {}), (" : 1;", {}), ("Foo: Bar=A;B;C;", {"Foo": {"Bar": "A"}}),
    ("Foo: A; B=1", {"Foo": ["A"]}), ("Foo: 12:30; 13:45", {"Foo": ["12:30"], "13": [45]}),
    ("A: 1; : 2;", {"A": [1]}), ("A:x=y;B:z=1;q", {"A": {"x": "y"}, "B": {"z": 1}}),
    ("P: A=1; B; C=2", {"P": {"A": 1, "B; C": 2}}), ("P: A=1; A=2; P: B=3", {"P": {"B": 3}}),
    ("P: A=1; A=2", {"P": {"A": 2}}), ("A: ;", {"A": [""]}), ("A: 1;;2", {"A": [1, "", 2]}), ("A: x:", {"A": ["x:"]}),
    ("A: =;", {"A": {"": ""}}), ("P: A =1", {"P": {"A ": 1}}), ("P: A=5W ;", {"P": {"A": 5}}),
    ("A: 1\nB: 2\n", {"A": ["1\nB: 2"]}), ("\tA : 1", {"A": [1]}),
    ("UTC Time: 2016-10-4 16:47:50;", {"UTC Time": [OCTOBER]}),
    ("Device: ID=7; Fw=100; Evt=1; Power: Active=1200W; Peaks: 5.1;5.3;5.2; UTC Time: 2017-01-02 3:04:05; Dummy: 1",
     {"Device": {"ID": 7, "Fw": 100, "Evt": 1}, "Power": {"Active": 1200}, "Peaks": [5.1, 5.3, 5.2],
      "UTC Time": [datetime(2017, 1, 2, 3, 4, 5, tzinfo=UTC)], "Dummy": [1]}),
])
def test_a_line_is_read_as_the_protocol_says(line: str, sections: dict[str, Any]) -> None:
    assert sections_of(line) == sections
    assert naive_lines.sections(line) == sections


@pytest.mark.parametrize("line", ["Foo:", "Foo: Bar=:", "Foo: Bar=", "A: 1; Foo: ", "P: A=1:2; B"])
def test_a_section_with_neither_values_nor_pairs_is_an_error(line: str) -> None:
    with pytest.raises(BadLine):
        sections_of(line)
    with pytest.raises(naive_lines.Wrong):
        naive_lines.sections(line)


@settings(max_examples=600)
@given(st.text(alphabet="A1 :;=", max_size=24) | st.text(alphabet=":;= \t\nab1,.-W", max_size=40))
@example("A: 1; B=2; C: D=3")
def test_the_reader_agrees_with_the_text(line: str) -> None:
    try:
        expected = naive_lines.sections(line)
    except naive_lines.Wrong:
        with pytest.raises(BadLine):
            sections_of(line)
    else:
        assert sections_of(line) == expected


@pytest.mark.parametrize(("text", "value"), [
    ("on", True), ("OFF", False), ("5W", 5), ("-5,5var", -5.5), ("230.08V", 230.08), ("+403va", 403),
    ("-43.841RAD", -43.841), ("5 W", "5 W"), ("5kW", "5kW"), ("1e3W", "1e3W"), ("+5", 5), ("-0", 0), ("1,5", 1.5),
    ("1e5", 1e5), (".5", 0.5), ("5.", 5.0), ("9" * 30, int("9" * 30)), ("nan", "nan"), ("inf", "inf"),
    ("1e400", "1e400"), ("1_0", "1_0"), ("٣", "٣"), ("", ""), (" x ", "x"), ("May", "May"), ("Mon", "Mon"),
    ("12:30", "12:30"), ("2016-10", "2016-10"), ("Mon Jan 2017", "Mon Jan 2017"), ("1 2 3", "1 2 3"),
    ("10.5.3", "10.5.3"), ("192.168.1.1", "192.168.1.1"), ("2016-13-40", "2016-13-40"),
    ("2016-10-04 10:00 CEST", "2016-10-04 10:00 CEST"), ("9" * 5000, "9" * 5000),
])
def test_values(text: str, value: Any) -> None:
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


@pytest.mark.parametrize("text", [
    "2016-10-4 16:47:50", "2016-10-04T16:47:50Z", "2016-10-04T18:47:50+02:00", "20161004T164750Z",
    "Tue, 04 Oct 2016 16:47:50 GMT", "Tue Oct  4 16:47:50 2016", "10/04/2016 16:47:50",
    "Tuesday, 04-Oct-16 16:47:50 GMT",
    "4 October 2016 4:47:50 pm",
])
def test_moments_in_common_notations(text: str) -> None:
    assert moment_of(text) == OCTOBER


def test_two_digits_of_a_year_mean_the_same_in_any_year() -> None:
    assert moment_of("06-Nov-94") == datetime(1994, 11, 6, tzinfo=UTC)
    assert moment_of("06-Nov-68") == datetime(2068, 11, 6, tzinfo=UTC)


@given(st.text(alphabet="0123456789 -:./,+TZGMTaugpm", max_size=30))
def test_no_text_breaks_the_reader_of_moments(text: str) -> None:
    moment = moment_of(text)
    assert moment is None or moment.tzinfo is UTC


def test_a_line_is_written_as_json_that_is_read_the_same() -> None:
    event = Meter(3).event()
    sections = sections_in(line_of(event).encode())
    text = written(sections)
    assert json.loads(text) == event
    assert "\u00fc" not in written({"f\u00fcr": 1})
    assert event_of(sections).numbers == event_of(document_in(json.dumps(text).encode())).numbers
    assert event_of(sections) == event_of(document_in(text.encode()))


def test_a_long_line_of_any_kind_is_read_in_a_moment() -> None:
    began = time.monotonic()
    for piece in ("A=1;", "A:x=1;", "A: 1;", "P: A=1; b;", "=", ": ", "a", "2016-10-04 ", "P: "):
        with contextlib.suppress(BadLine):
            sections_of("S: X=1;" + piece * (200_000 // len(piece)))
    assert time.monotonic() - began < 20.0


def without(*path: str) -> dict[str, Any]:
    event = Meter().event()
    holder = event
    for name in path[:-1]:
        holder = holder[name]
    del holder[path[-1]]
    return event


def having(value: Any, *path: str) -> dict[str, Any]:
    event = Meter().event()
    holder = event
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value
    return event


@pytest.mark.parametrize("event", [
    *(without(name) for name in Meter().event()),
    *(without("Device", name) for name in ("ID", "Fw", "Evt")), without("Alarms", "CoilRevesed"),
    *(without("Power", name) for name in ("Active", "Reactive", "Appearent")),
    *(without("Line", name) for name in ("Current", "Voltage", "Phase")),
    *(having([], name) for name in ("UTC Time", "hz", "WiFi Strength", "Dummy", "Device")),
    *(having({}, name) for name in ("UTC Time", "hz", "Peaks", "FFT Re")),
    having([1.0], "FFT Re"), having(["5kW"], "Peaks"), having([True], "Peaks"), having("7", "Device", "ID"),
    having(7.0, "Device", "ID"), having(2**63, "Device", "ID"),
    having(True, "Device", "Fw"), having(1, "Alarms", "CoilRevesed"),
    having("1200", "Power", "Active"), having(10**400, "Power", "Active"), having(None, "Line", "Phase"),
    having(["soon"], "UTC Time"), having([1475599670], "UTC Time"), having([0.5], "Dummy"),
])
def test_an_event_that_lacks_something_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=r"Unabled to extract all fields from the given data\."):
        event_of(event)


def test_correct_spellings_and_further_sections_are_taken_and_kept() -> None:
    event = Meter().event()
    event["Alarms"] = {"CoilReversed": True}
    event["Power"]["Apparent"] = event["Power"].pop("Appearent")
    event["Extra"] = ["x"]
    read = event_of(event)
    assert read.numbers["power_apparent_va"] == 403.0
    assert json.loads(read.body) == event


def test_an_event_with_two_peaks_has_no_third_feature() -> None:
    read = event_of(Meter(peaks=2).event())
    assert read.features[-1] is None and None not in read.features[:-1]
    assert "peak_3" not in read.numbers
