"""What models found, and how events arrived, as a status."""
from __future__ import annotations

import pytest

from offbeat_detectors.checks import registry
from offbeat_detectors.checks.anomaly import Anomaly
from offbeat_detectors.checks.contract import Status
from offbeat_detectors.checks.parameters import BadParameters
from offbeat_detectors.checks.quality import Quality
from offbeat_detectors.checks.readings import Arrivals, FoundBefore, Readings
from offbeat_detectors.checks.trying import readings
from tests.detectors.checks.said import applies, said

GREEN, YELLOW, RED = Status
NOW = 1_767_600_000


def with_findings(*found: tuple[int, int, float]) -> Readings:
    """Two columns, and findings so many seconds ago, in a column, with a score."""
    return readings([NOW], {"load": [1.0], "heat": [2.0]}, source="pump", found=[
        FoundBefore((NOW - ago) * 1000, column, score, f"a score of {score:g}") for ago, column, score in found])


def with_arrivals(events: int, late: int = 0, rejected: int = 0, accepted: int = 0) -> Readings:
    return readings([NOW], [1.0], source="pump", arrivals=Arrivals(3600, events, late, rejected, accepted))


def test_the_highest_finding_of_the_last_hour_makes_the_status() -> None:
    assert [said("anomaly", {}, with_findings((60, 0, score))).status for score in (49, 50, 75)] == [
        GREEN, YELLOW, RED]
    outcome = said("anomaly", {}, with_findings((60, 0, 55), (120, 1, 80), (180, 0, 60)))
    assert outcome.message == ("heat was odd at 2026-01-05 07:58 UTC, score 80, 75 or more is RED; 3 in 60 min: "
                               "a score of 80").replace("heat", "heat of pump")
    assert [each["score"] for each in outcome.details["findings"]] == [80, 60, 55]


def test_a_finding_from_before_the_window_counts_no_more() -> None:
    assert said("anomaly", {}, with_findings((3600, 0, 90))).status is GREEN
    assert said("anomaly", {"window": 3601}, with_findings((3600, 0, 90))).status is RED


def test_a_series_without_a_reading_is_not_green_by_having_no_finding() -> None:
    assert said("anomaly", {}, readings([], [], now=NOW)).reason == "no_data"


def test_anomaly_asks_for_findings_and_runs_by_the_clock_so_that_it_clears() -> None:
    needs = registry.create("anomaly", {"window": 60}).needs
    assert (needs.findings, needs.clock, needs.history_s) == (True, True, 60)


def test_shares_of_late_and_rejected_have_limits() -> None:
    parameters = {"max_late": 5, "yellow_late": 1, "max_rejected": 10}
    assert [said("quality", parameters, with_arrivals(100, late, rejected, 100 - rejected)).status
            for late, rejected in ((1, 10), (2, 0), (5, 0), (6, 0), (0, 11))] == [GREEN, YELLOW, YELLOW, RED, RED]


def test_both_shares_are_told_if_both_are_as_bad() -> None:
    outcome = said("quality", {"max_late": 5, "max_rejected": 10}, with_arrivals(50, 5, 20, 80))
    assert outcome.message == ("10 % of the events of pump in 60 min were late: more than max_late 5 %; "
                               "20 % of the lines of all senders in 60 min were rejected: more than max_rejected 10 %")
    assert outcome.details["late_percent"] == 10


def test_too_few_events_or_none_known_are_not_judged() -> None:
    assert said("quality", {"max_late": 5}, with_arrivals(0)).reason == "no_data"
    assert said("quality", {"max_late": 5, "min_events": 20}, with_arrivals(19)).reason == "no_data"
    assert said("quality", {"max_late": 5}, readings([NOW], [1.0])).reason == "no_data"


def test_quality_asks_for_arrivals() -> None:
    assert registry.create("quality", {"max_late": 5}).needs.arrivals


def test_outside_of_their_hours_neither_applies() -> None:
    hours = {"hours": ["12:00-13:00"]}
    assert not applies("anomaly", hours, with_findings((60, 0, 99)))
    assert not applies("quality", {"max_late": 0, **hours}, with_arrivals(10, 10))


@pytest.mark.parametrize(("kind", "parameters", "parameter"), [
    (Anomaly, {"yellow": 80}, "yellow"), (Anomaly, {"window": 0}, "window"), (Quality, {}, "max_late"),
    (Quality, {"max_late": 101}, "max_late"), (Quality, {"max_late": 1, "yellow_late": 2}, "yellow_late"),
    (Quality, {"max_late": 1, "min_events": 0}, "min_events"), (Quality, {"max_late": 1, "window": 0}, "window"),
])
def test_what_cannot_be_is_refused_by_name(
    kind: type[Anomaly] | type[Quality], parameters: dict[str, object], parameter: str,
) -> None:
    with pytest.raises(BadParameters) as refused:
        kind(parameters)
    assert refused.value.parameter == parameter
