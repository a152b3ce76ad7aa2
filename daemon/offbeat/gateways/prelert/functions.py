"""The functions of a detector by name, and which of field, by and over each must have, may have or must not have.

Source: Prelert Engine API, section 5.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Need(Enum):
    """Whether a function has a field."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Fields:
    """What a function needs of the measured field, the by and the over field; a partition is always optional."""

    field: Need
    by: Need
    over: Need


COUNTING = Fields(Need.FORBIDDEN, Need.OPTIONAL, Need.OPTIONAL)
MEASURING = Fields(Need.REQUIRED, Need.OPTIONAL, Need.OPTIONAL)
_SIDED: Mapping[str, Fields] = {
    "count": COUNTING,
    "non_zero_count": Fields(Need.FORBIDDEN, Need.OPTIONAL, Need.FORBIDDEN),
    "nzc": Fields(Need.FORBIDDEN, Need.OPTIONAL, Need.FORBIDDEN),
    **dict.fromkeys(("distinct_count", "dc", "info_content", "mean", "avg", "sum", "non_null_sum", "varp"), MEASURING),
}
FUNCTIONS: Mapping[str, Fields] = {
    **{side + name: fields for name, fields in _SIDED.items() for side in ("", "high_", "low_")},
    "rare": Fields(Need.FORBIDDEN, Need.REQUIRED, Need.OPTIONAL),
    "freq_rare": Fields(Need.FORBIDDEN, Need.REQUIRED, Need.REQUIRED),
    **dict.fromkeys(("metric", "median", "min", "max", "lat_long"), MEASURING),
    **dict.fromkeys(("time_of_day", "time_of_week"), COUNTING),
}
METRIC = "metric"
"""What a detector that names a field and no function means; not possible with summarised input."""
RARE = ("rare", "freq_rare")
"""Not possible with overlapping buckets."""
