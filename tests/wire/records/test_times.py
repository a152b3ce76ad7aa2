"""Written times by Java date patterns; what each letter takes is what java.time's formatter takes."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat.wire.records.errors import BadPattern
from offbeat.wire.records.fixed_width import NO_TIME, ZONES_MAX
from offbeat.wire.records.times import Pattern, parser
from offbeat.wire.times import parse_text_ms


def utc(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type]


AT = utc(2014, 10, 1, 0, 0, 0)
READ = [
    # what example scripts and connectors of the protocol send
    ("yyyy-MM-dd'T'HH:mm:ssX", "2014-10-01T00:00:00+00:00", AT),
    ("yyyy-MM-dd'T'HH:mm:ssXXX", "2014-05-18T00:00:00+00:00", utc(2014, 5, 18)),
    ("yyyy-MM-dd HH:mm:ssX", "2014-10-01 00:00:00Z", AT),
    ("yyyy-MM-dd HH:mm:ssX", "2014-10-01 00:00:00+00", AT),
    ("yyyy-MM-dd'T'HH:mm:ss.SSSX", "2014-10-01T00:00:00.123Z", AT + 123),
    ("dd/MMM/yyyy:HH:mm:ss X", "01/Oct/2014:02:00:00 +0200", AT),
    ("yyyy-MM-dd HH:mm:ss", "2014-10-01 00:00:00", AT),
    # every letter
    ("uuuu-M-d H:m:s", "2014-10-1 0:0:0", AT), ("yy-MM-dd", "14-10-01", AT), ("y-M-d", "2014-10-01", AT),
    ("yyyy-DDD", "2014-274", AT), ("yyyy-D", "2014-1", utc(2014, 1, 1)), ("yyyyMMddHHmmss", "20141001000000", AT),
    ("d MMMM yyyy", "1 october 2014", AT), ("EEE, dd MMM yyyy HH:mm:ss z", "Wed, 01 Oct 2014 00:00:00 GMT", AT),
    ("EEEE d MMM yyyy", "Monday 1 OCT 2014", AT),  # it was a Wednesday: only being a name counts
    ("yyyy-MM-dd hh:mm a", "2014-10-01 12:00 AM", AT), ("yyyy-MM-dd h:mm a", "2014-10-01 12:00 pm", AT + 43_200_000),
    ("yyyy-MM-dd hh:mm:ssa", "2014-10-01 01:02:03PM", AT + ((13 * 60 + 2) * 60 + 3) * 1000),
    ("yyyy-MM-dd KK:mm a", "2014-10-01 00:30 PM", AT + 45_000_000), ("yyyy-MM-dd kk", "2014-10-01 24", AT),
    ("yyyy-MM-dd HH:mm:ss.SSSSSS", "2014-10-01 00:00:00.123987", AT + 123),
    ("yyyy-MM-dd HH:mm:ss,S", "2014-10-01 00:00:00,4", AT + 400),
    ("yyyy-MM-dd HHZ", "2014-10-01 02+0200", AT), ("yyyy-MM-dd HHZ", "2014-10-01 02+02", AT),
    ("yyyy-MM-dd HHXX", "2014-09-30 21-03:00", AT), ("yyyy-MM-dd HHxxx", "2014-10-01 00Z", AT),
    ("yyyy-MM-dd HH z", "2014-09-30 19 EST", AT), ("yyyy-MM-dd HH z", "2014-10-01 05 +0500", AT),
    ("yyyy 'o''clock' MM''dd", "2014 o'clock 10'01", AT), ("yyyy-MM-dd[ HH:mm]", "2014-10-01", AT),
    ("yyyy-MM-dd[ HH:mm[:ss]]", "2014-10-01 00:00", AT), ("  yyyy-MM-dd".strip(), "  2014-10-01\t", AT),
    ("yyyy-MM-dd", "2000-02-29", utc(2000, 2, 29)), ("yyyy-MM-dd", "1969-12-31", utc(1969, 12, 31)),
    ("yyyy-MM-dd HH:mm:ss.SSS", "1969-12-31 23:59:59.999", -1), ("yyyy", "2014", utc(2014, 1, 1)),
    ("yyyy-MM-dd HHX", "2014-10-01 23+23:59", utc(2014, 9, 30, 23, 1)),
    # seconds and milliseconds
    ("epoch", "1412121600", AT), ("epoch", "1412121600.999", AT), ("epoch", " -1.5 ", -1000),
    ("epoch", "1.4121216E9", AT), ("epoch_ms", "1412121600000", AT), ("epoch_ms", "1412121600000.7", AT),
    ("epoch", "1.4121216e+09", AT),
]
NOT_READ = [
    ("yyyy-MM-dd", "2014-10-01x"), ("yyyy-MM-dd", "2014-10-1"), ("yyyy-MM-dd", "14-10-01"),
    ("yyyy-MM-dd", "2014/10/01"), ("yyyy-MM-dd", "2014-02-29"), ("yyyy-MM-dd", "1900-02-29"),
    ("yyyy-MM-dd", "2014-13-01"), ("yyyy-MM-dd", "2014-00-01"),
    ("yyyy-MM-dd", "0000-01-01"), ("yyyy-MM-dd", ""), ("yyyy-MM-dd", "٢٠١٤-10-01"), ("yyyy-DDD", "2014-366"),
    ("yyyy-MM-dd HH:mm:ssX", "2014-10-01 00:00:00"), ("yyyy-MM-dd HH:mm:ssX", "2014-10-01 24:00:00Z"),
    ("yyyy-MM-dd HH:mm:ssX", "2014-10-01 00:60:00Z"), ("yyyy-MM-dd HH:mm:ssX", "2014-10-01 00:00:60Z"),
    ("yyyy-MM-dd HH:mm:ssX", "2014-10-01 00:00:00+24"), ("yyyy-MM-dd HH:mm:ssX", "2014-10-01 00:00:00 +00"),
    ("yyyy-MM-dd HHX", "2014-10-01 00UTC"), ("yyyy-MM-dd hh a", "2014-10-01 13 AM"),
    ("yyyy-MM-dd hh a", "2014-10-01 00 AM"),
    ("yyyy-MM-dd kk", "2014-10-01 00"), ("yyyy-MM-dd KK a", "2014-10-01 12 AM"), ("d MMM yyyy", "1 Okt 2014"),
    ("EEE d MMM yyyy", "Xyz 1 Oct 2014"), ("yyyy-MM-dd'T'", "2014-10-01S"), ("dd/MMM/yyyy", "01/10/2014"),
    ("epoch", ""), ("epoch", "(5 rows)"), ("epoch", "time"), ("epoch", "1,5"), ("epoch", "99999999999999"),
    ("epoch", "1_0"), ("epoch", "0x10"), ("epoch", "9" * 30), ("epoch", "1e40"), ("epoch_ms", "999999999999999999"),
    ("epoch", "٣"),
    ("yyyy-MM-ddX", "0001-01-01+01"),
]


@pytest.mark.parametrize(("time_format", "text", "time_ms"), READ)
def test_a_time_is_read_by_its_pattern(time_format: str, text: str, time_ms: int) -> None:
    parse = parser(time_format)
    assert parse.one(text) == time_ms
    assert parse.many([text]).tolist() == [time_ms]
    assert parse.many(["nothing", text, text]).tolist() == [NO_TIME, time_ms, time_ms]


@pytest.mark.parametrize(("time_format", "text"), NOT_READ)
def test_what_the_pattern_does_not_say_is_no_time(time_format: str, text: str) -> None:
    parse = parser(time_format)
    assert parse.one(text) is None
    assert parse.many([text, text]).tolist() == [NO_TIME] * 2


@pytest.mark.parametrize("pattern", [
    "", "HH:mm:ss", "yyyy-MM-dd'T", "yyyy'", "yyyy-MM-dd Q", "yyyy-MM-dd b", "yyyy-MMMMMM-dd", "yyyy-ddd", "yyyyy",
    "yyyy-dd", "yyyy{", "yyyy[", "yyyy]", "yyyy][", "yyyy#MM", "yyyy-MM-dd HHH", "yyyy-MM-dd aa", "yyyy SSSSSSSSSS",
    "YYYY-MM-dd",
    "yyyy XXXXXX", "epoch_s", "yyyy''MM'dd"])
def test_a_pattern_that_says_no_time_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        parser(pattern)


def test_a_time_without_a_zone_is_one_of_the_zone_given() -> None:
    berlin = parser("yyyy-MM-dd HH:mm:ss", ZoneInfo("Europe/Berlin"))
    texts = ["2014-10-01 02:00:00", "2014-12-01 01:00:00"]
    assert berlin.many(texts).tolist() == [AT, utc(2014, 12, 1)]
    assert parser("yyyy-MM-dd HHX", ZoneInfo("Europe/Berlin")).many(["2014-10-01 00Z"]).tolist() == [AT]


@given(times=st.lists(st.tuples(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
    st.sampled_from(["Z", "+00", "+0200", "-03:30", "+24", "", "+1"])),
    min_size=1, max_size=30), spoil=st.integers(0, 200), with_=st.sampled_from("x9:-٣"))
def test_times_read_together_are_what_they_are_one_by_one(
    times: list[tuple[datetime, str]], spoil: int, with_: str,
) -> None:
    pattern = Pattern("yyyy-MM-dd'T'HH:mm:ss.SSSX")
    texts = [f"{at.year:04d}-{at:%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}{zone}" for at, zone in times]
    if spoil < len(texts) * 25:
        i, j = divmod(spoil, 25)
        texts[i] = texts[i][:j] + with_ + texts[i][j + 1 :]
    expected = [NO_TIME if (one := pattern.one(text)) is None else one for text in texts]
    assert pattern.many(texts).tolist() == expected
    for text, time_ms in zip(texts, expected, strict=True):
        if time_ms != NO_TIME and text[-1] != ":":
            assert parse_text_ms(text, None) == time_ms


def test_many_zones_in_one_column_are_all_read() -> None:
    zones = [f"+{hour:02d}:00" for hour in range(ZONES_MAX + 4)]
    found = parser("yyyy-MM-dd HH:mmXXX").many([f"2014-10-01 12:00{zone}" for zone in zones])
    expected = [AT + timedelta(hours=12 - i) // timedelta(milliseconds=1) for i in range(len(zones))]
    np.testing.assert_array_equal(found, expected)


@given(
    st.lists(
        st.one_of(
            st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)).map(lambda t: f"{t:%Y-%m-%dT%H:%M:%S}Z"),
            st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)).map(lambda t: f"{t:%Y-%m-%d %H:%M:%S}+0130"),
            st.sampled_from(["1700000000", "1700000000123", "1.7e9", "2014-10-01", "2014-02-30T00:00:00Z", "soon", ""]),
        ),
        max_size=8,
    )
)
def test_any_is_read_as_the_times_of_events_are(texts: list[str]) -> None:
    expected = [NO_TIME if (time_ms := parse_text_ms(text, None)) is None else time_ms for text in texts]
    assert parser("any").many(texts).tolist() == expected
    assert [parser("any").one(text) for text in texts] == [None if ms == NO_TIME else ms for ms in expected]
