"""What tests of checks ask in a word: the outcome of a kind with parameters on readings."""
from __future__ import annotations

from typing import Any

from offbeat_detectors.checks import outcomes, registry
from offbeat_detectors.checks.outcomes import Outcome
from offbeat_detectors.checks.readings import Readings


def said(kind: str, parameters: dict[str, Any], data: Readings) -> Outcome:
    """The outcome; fails if the check does not apply or is broken."""
    outcome = outcomes.run(registry.create(kind, parameters), data)
    assert outcome is not None, "it does not apply"
    assert outcome.reason != outcomes.ERROR, outcome.message
    return outcome


def applies(kind: str, parameters: dict[str, Any], data: Readings) -> bool:
    """Whether there is an outcome at all."""
    return outcomes.run(registry.create(kind, parameters), data) is not None


def minutes(count: int, start: int = 1_767_600_000) -> list[float]:
    """So many times a minute apart, from a Monday in January at eight in the morning UTC."""
    return [start + 60.0 * at for at in range(count)]
