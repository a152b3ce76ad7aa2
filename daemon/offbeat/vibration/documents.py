"""The forms of results that clients ask for. Pure.

Source: MVG wire protocol, sections 8 and 9.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

RESULT_TYPES = ("full", "compressed")


def result_types(feature: str) -> tuple[str, ...]:
    """The forms in which results of *feature* can be had."""
    return RESULT_TYPES if feature in ("ModeId", "ApplyModel") else RESULT_TYPES[:1]


def compressed(results: Mapping[str, Any]) -> dict[str, list[int]]:
    """Runs of equal labels: how many, which label, the first and the last timestamp."""
    runs = [
        [time for time, _ in run]
        for _, run in groupby(zip(results["timestamps"], results["labels"], strict=True), key=lambda one: one[1])
    ]
    labels = [label for label, _ in groupby(results["labels"])]
    return {
        "count": [len(run) for run in runs],
        "label": labels,
        "start_timestamp": [run[0] for run in runs],
        "end_timestamp": [run[-1] for run in runs],
    }
