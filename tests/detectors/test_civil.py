"""Civil time: the table of a zone's offsets, and its look-up, against zoneinfo itself."""
from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors import civil

ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo",
    "Pacific/Apia", "Africa/Casablanca", "Etc/GMT+12", "America/Argentina/Buenos_Aires",
]
TABLES = {name: civil.transitions(name) for name in ZONES}
HOUR_MS = 3_600_000


def by_zoneinfo(name: str, time_ms: int) -> int:
    shift = datetime.fromtimestamp(time_ms // 1000, civil.zone(name)).utcoffset()
    assert shift is not None
    return round(shift.total_seconds()) * 1000


def at(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1000  # type: ignore[misc, arg-type]


@given(st.sampled_from(ZONES), st.integers(0, at(2100, 12, 31) // 1000), st.integers(-5, 1000))
def test_the_look_up_agrees_with_zoneinfo_whatever_the_hint(name: str, time_s: int, hint: int) -> None:
    assert civil.offset_at(*TABLES[name], time_s * 1000, hint) == by_zoneinfo(name, time_s * 1000)


@pytest.mark.parametrize("name", ZONES)
def test_each_change_is_known_to_the_second(name: str) -> None:
    transitions_ms, offsets_ms = TABLES[name]
    for i, instant in enumerate(transitions_ms.tolist()[1:], start=1):
        assert offsets_ms[i] == by_zoneinfo(name, instant)
        assert offsets_ms[i - 1] == by_zoneinfo(name, instant - 1000) != offsets_ms[i]
        assert civil.span_at(transitions_ms, instant, 0) == civil.span_at(transitions_ms, instant - 1, i) + 1 == i


def test_both_clock_changes_of_berlin() -> None:
    for change, before, after in ((at(2026, 3, 29, 1), 1, 2), (at(2026, 10, 25, 1), 2, 1)):
        assert civil.offset_at(*TABLES["Europe/Berlin"], change - 1, 0) == before * HOUR_MS
        assert civil.offset_at(*TABLES["Europe/Berlin"], change, 0) == after * HOUR_MS


def test_half_and_quarter_hours() -> None:
    assert civil.offset_at(*TABLES["Australia/Lord_Howe"], at(2026, 1, 1), 0) == 11 * HOUR_MS
    assert civil.offset_at(*TABLES["Australia/Lord_Howe"], at(2026, 7, 1), 0) == 10.5 * HOUR_MS
    assert civil.offset_at(*TABLES["Asia/Kathmandu"], at(2026, 7, 1), 0) == 5.75 * HOUR_MS
    assert TABLES["UTC"][1].tolist() == [0]


def test_before_1970_the_first_offset_holds_and_after_2100_the_last() -> None:
    transitions_ms, offsets_ms = TABLES["Europe/Berlin"]
    assert civil.offset_at(transitions_ms, offsets_ms, -(10**15), 7) == offsets_ms[0]
    assert civil.offset_at(transitions_ms, offsets_ms, 10**15, 0) == offsets_ms[-1]


def test_the_hint_is_the_span_that_was_found() -> None:
    transitions_ms, _ = TABLES["Europe/Berlin"]
    span = civil.span_at(transitions_ms, at(2026, 7, 1), 0)
    assert transitions_ms[span] <= at(2026, 7, 1) < transitions_ms[span + 1]
    assert civil.span_at(transitions_ms, at(2026, 7, 2), span) == span
    assert np.all(np.diff(transitions_ms) > 0)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "Europe", "../etc/passwd", "zone.tab", "/UTC", "Europe//Berlin"])
def test_what_is_no_zone_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        civil.transitions(name)
