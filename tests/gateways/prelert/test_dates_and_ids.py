"""Dates in answers and queries, and the ids of jobs."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat.gateways.prelert.dates import date_text, query_ms, query_range_ms
from offbeat.gateways.prelert.ids import checked_id, generated_id
from offbeat.wire.times import TIME_MS_MAX, TIME_MS_MIN
from tests.gateways.prelert.jobs import refusal

AT = 1_390_370_400_000  # 2014-01-22T06:00:00Z


@pytest.mark.parametrize(("text", "time_ms"), [
    (None, None), ("", None), ("None", None), ("1390370400", AT), ("1390370400000", AT),
    ("9999999999", 9_999_999_999_000),
    ("10000000000", 10_000_000_000), ("0", 0), ("20140122", 20_140_122_000), ("1", 1000), ("-1", -1000),
    ("2014-01-22T06:00:00.000Z", AT),
    ("2014-01-22T06:00:00.25Z", AT + 250), ("2014-01-22T06:00:00Z", AT), ("2014-01-22T06:00:00", AT),
    ("2014-01-22", AT - 21_600_000), ("2014-01-22T07:00:00+01:00", AT), ("2014-01-22T07:00:00+0100", AT),
    ("2014-01-22T07:00:00+01", AT), ("2014-01-22T07:00:00 01:00", AT), ("2014-01-22T07:00:00.000 0100", AT),
    ("2014-01-22T05:30:00-0030", AT), ("2014-01-22T06:00:00-0000", AT)])
def test_a_date_of_a_query_is_read_in_every_form(text: str | None, time_ms: int | None) -> None:
    assert query_ms(text, "start") == time_ms


@pytest.mark.parametrize("text", [
    "x", "null", "none", " ", "1.5", "1e9", "2014-01-22T06:00", "2014-01-22 06:00:00", "2014-02-30",
    "2014-01-22T24:00:00Z",
    "2014-01-22T06:00:00z", "2014-01-22T06:00:00+1", "2014-01-22Z",
    "9" * 18, "9" * 30, "2014-01-22T06:00:00Zx"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with refusal(60101):
        query_ms(text, "start")


def test_an_end_before_the_start_is_refused() -> None:
    assert query_range_ms("5", "5") == (5000, 5000)
    assert query_range_ms("", "5") == (None, 5000)
    assert query_range_ms("2014-01-22", None) == (AT - 21_600_000, None)
    with refusal(60107):
        query_range_ms("5", "4")
    with refusal(60101):
        query_range_ms("x", "4")


@given(time_ms=st.integers(TIME_MS_MIN, TIME_MS_MAX))
def test_a_date_that_was_answered_can_be_asked_for(time_ms: int) -> None:
    text = date_text(time_ms)
    assert len(text) == len("2014-06-25T16:00:00.000+0000")
    assert query_ms(text, "start") == query_ms(text.replace("+", " "), "start") == time_ms


def test_a_date_is_answered_with_milliseconds_and_a_zone_without_a_colon() -> None:
    assert date_text(AT) == "2014-01-22T06:00:00.000+0000"
    assert date_text(AT - 1) == "2014-01-22T05:59:59.999+0000"
    assert date_text(TIME_MS_MIN) == "0001-01-01T00:00:00.000+0000"


@pytest.mark.parametrize("id", ["a", "20260301120000-00007", "web-1_a.b", "é", "a" * 64, "engine_apis"])
def test_an_id_may_be(id: str) -> None:
    assert checked_id(id) == id


def test_a_generated_id_is_a_time_and_a_number() -> None:
    assert generated_id(1_772_366_400_999, 7) == "20260301120000-00007"
    assert generated_id(0, 123_456) == "19700101000000-123456"
    assert checked_id(generated_id(AT, 1)) == "20140122060000-00001"
