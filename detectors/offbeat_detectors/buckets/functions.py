"""The functions of detectors: names, what each needs, and what is computed of a bucket. No mathematics."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

Need = Literal["required", "optional", "forbidden"]
Side = Literal["both", "high", "low"]
SIDES: tuple[Side, Side] = ("high", "low")


@dataclass(frozen=True, slots=True)
class Function:
    """What a detector may ask of each bucket and entity.

    name, synonyms   the name that documents it, and others that mean the same
    field, by, over  whether the detector must, may or must not have such a field; a partition it always may
    features         what is computed, one number each: features.FEATURES, or "distinct_count", "info_content",
                     "time_of_day", "time_of_week", "position" (two numbers)
    descriptions     what a record says was unusual (``functionDescription``), one for each feature
    probability      which model judges it: "model" (model.py, and over.py with a population), "rare", "freq_rare",
                     "time" (clock.py), "position" (earth.py)
    side             "high" or "low": only such values are unusual
    kind             of number, for the model: "count" (whole, 0 or more), "sum", "metric" (any)
    empty            a bucket without a value: "zero" is a value too, "skipped" teaches nothing
    summarised       whether rows may stand for several events (a summary count)
    overlapping      whether buckets shifted by half a span are analysed too: "useful", "useless", "forbidden"

    Source: Prelert Engine API, section 5.
    """

    name: str
    features: tuple[str, ...]
    descriptions: tuple[str, ...]
    synonyms: tuple[str, ...] = ()
    field: Need = "required"
    by: Need = "optional"
    over: Need = "optional"
    probability: Literal["model", "rare", "freq_rare", "time", "position"] = "model"
    side: Side = "both"
    kind: Literal["count", "sum", "metric"] = "metric"
    empty: Literal["zero", "skipped"] = "skipped"
    summarised: bool = True
    overlapping: Literal["useful", "useless", "forbidden"] = "useful"

    @property
    def names(self) -> tuple[str, ...]:
        """Its name, then its synonyms."""
        return self.name, *self.synonyms

    @property
    def alone(self) -> bool:
        """Whether a detector may have nothing but it: no field, no by, no over."""
        return "required" not in (self.field, self.by, self.over)


class UnknownFunction(ValueError):
    """A name that is no function. *message* is one sentence for a person, *hint* says what was meant."""

    def __init__(self, name: str) -> None:
        near = get_close_matches(name.lower(), BY_NAME, n=1)
        self.message = f"{name!r} is no function"
        self.hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(each.name for each in FUNCTIONS)}"
        super().__init__(f"{self.message}; {self.hint}")


def function_of(name: str) -> Function:
    """The function that *name*, or a synonym, means. Raises UnknownFunction, which names the nearest one."""
    try:
        return BY_NAME[name]
    except KeyError:
        raise UnknownFunction(name) from None


def _sided(both: Function) -> tuple[Function, ...]:
    """*both*, and its forms that report only high and only low values."""
    return both, *(replace(both, name=f"{side}_{both.name}", side=side,
                           synonyms=tuple(f"{side}_{each}" for each in both.synonyms)) for side in SIDES)


FUNCTIONS: tuple[Function, ...] = (
    *_sided(Function("count", ("count",), ("count",), field="forbidden", kind="count", empty="zero")),
    *_sided(Function("non_zero_count", ("count",), ("count",), ("nzc",), field="forbidden", over="forbidden",
                     kind="count")),
    *_sided(Function("distinct_count", ("distinct_count",), ("distinct_count",), ("dc",), kind="count")),
    Function("rare", ("count",), ("rare",), field="forbidden", by="required", probability="rare",
             overlapping="forbidden"),
    Function("freq_rare", ("count",), ("rare",), field="forbidden", by="required", over="required",
             probability="freq_rare", overlapping="forbidden"),
    *_sided(Function("info_content", ("info_content",), ("info_content",))),
    Function("metric", ("mean", "min", "max"), ("mean", "min", "max"), summarised=False),
    *_sided(Function("mean", ("mean",), ("mean",), ("avg",))),
    Function("median", ("median",), ("median",)),
    Function("min", ("min",), ("min",), overlapping="useless"),
    Function("max", ("max",), ("max",), overlapping="useless"),
    *_sided(Function("sum", ("sum",), ("sum",), kind="sum", empty="zero")),
    *_sided(Function("non_null_sum", ("sum",), ("sum",), kind="sum")),
    *_sided(Function("varp", ("varp",), ("varp",))),
    Function("time_of_day", ("time_of_day",), ("time",), field="forbidden", probability="time",
             overlapping="useless"),
    Function("time_of_week", ("time_of_week",), ("time",), field="forbidden", probability="time",
             overlapping="useless"),
    Function("lat_long", ("position",), ("lat_long",), probability="position"),
)
"""Every function, a high and a low form after the one that they are of."""

BY_NAME: Mapping[str, Function] = {name: function for function in FUNCTIONS for name in function.names}
"""Every name and synonym."""
