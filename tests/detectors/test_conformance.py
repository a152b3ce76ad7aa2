"""The checks themselves: each can fail, and says where."""
from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from offbeat_detectors import conformance
from offbeat_detectors.ewma import Ewma
from tests.detectors.broken import BROKEN, NeedsOrder


@pytest.mark.parametrize(("name", "broken"), BROKEN, ids=[cls.__name__ for _, cls in BROKEN])
def test_a_broken_detector_is_found_by_the_check_that_names_its_fault(name: str, broken: type[Any]) -> None:
    failures = {failure.check: failure for failure in conformance.check(broken, readings=300)}
    assert name in failures
    assert failures[name].detail


def test_every_check_can_fail() -> None:
    assert {name for name, _ in BROKEN} == {check.name for check in conformance.CHECKS}


def test_a_failure_is_a_sentence_with_the_place() -> None:
    failure = next(f for f in conformance.check(NeedsOrder, readings=100) if f.check == "times")
    assert str(failure) == "times: Times that repeat or step back do no harm. It raised ValueError: time steps back"


def test_a_detector_that_raises_fails_the_checks_and_does_not_end_them() -> None:
    failures = conformance.check(lambda capacity: Ewma(capacity, half_life_readings=0.0), readings=50)
    assert len(failures) == len(conformance.CHECKS)


def test_the_checks_leave_the_global_random_generators_as_they_were() -> None:
    random.seed(3)
    np.random.seed(3)
    conformance.check(Ewma, readings=50)
    after = random.random(), np.random.random()
    random.seed(3)
    np.random.seed(3)
    assert after == (random.random(), np.random.random())
