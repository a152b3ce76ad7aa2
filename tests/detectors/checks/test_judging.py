"""The words and the levels that the built-in checks share."""
from __future__ import annotations

import pytest

from offbeat_detectors.checks.judging import apart, lasted, number


@pytest.mark.parametrize(("value", "said"), [
    (0.0, "0"), (-0.0, "0"), (12.0, "12"), (1.23456789, "1.2346"), (123456.7, "123457"), (1e300, "1e+300"),
    (-98765432.1, "-98765432"), (1.5e-7, "1.5e-07"),
])
def test_a_number_has_digits_that_a_person_reads(value: float, said: str) -> None:
    assert number(value) == said


@pytest.mark.parametrize(("value", "limit", "said"), [
    (12.0, 10.0, ("12", "10")), (10.0000001, 10.0, ("10.0000001", "10")), (10.0, 10.0, ("10", "10")),
    (0.1 + 0.2, 0.3, ("0.30000000000000004", "0.3")), (100000.25, 100000.0, ("100000.2", "100000")),
])
def test_two_numbers_have_as_many_digits_as_tell_them_apart(value: float, limit: float, said: tuple[str, str]) -> None:
    assert apart(value, limit) == said


@pytest.mark.parametrize(("seconds", "said"), [
    (0.25, "0.25 s"), (60.0, "60 s"), (120.0, "2 min"), (5400.0, "90 min"), (7200.0, "2 h"), (200_000.0, "2.31 days"),
])
def test_a_time_is_told_in_the_unit_that_suits_it(seconds: float, said: str) -> None:
    assert lasted(seconds) == said
