"""What the transforms of a job are, whether they are right, and in which order they run. What they do: effects.py.

Source: Prelert Engine API, section 6; the codes are those named there.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from offbeat.uploads import number_of
from offbeat.wire.records.errors import BadRegex, TransformError
from offbeat.wire.records.java_regex import compiled

MANY = 1_000_000


@dataclass(frozen=True, slots=True)
class Condition:
    """What the inputs of ``exclude`` are compared with: the operator in lower case, and its argument."""

    operator: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Transform:
    """One transform as it was configured; *outputs* may be empty for the default ones."""

    name: str
    inputs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    condition: Condition | None = None

    @property
    def made(self) -> tuple[str, ...]:
        """The fields that it makes."""
        return self.outputs or (KINDS[self.name].default_outputs if self.name in KINDS else ())


@dataclass(frozen=True, slots=True)
class Kind:
    """How many inputs, arguments and outputs a transform has, from and to, and its outputs if none are named."""

    inputs: tuple[int, int]
    arguments: tuple[int, int]
    outputs: tuple[int, int]
    default_outputs: tuple[str, ...]


KINDS: Mapping[str, Kind] = {
    "domain_split": Kind((1, 1), (0, 0), (1, 2), ("subDomain", "hrd")),
    "concat": Kind((2, MANY), (0, 1), (1, 1), ("concat",)),
    "extract": Kind((1, 1), (1, 1), (1, MANY), ("extract",)),
    "split": Kind((1, 1), (1, 1), (1, MANY), ("split",)),
    "exclude": Kind((1, MANY), (0, 0), (0, 0), ()),
    "lowercase": Kind((1, 1), (0, 0), (1, 1), ("lowercase",)),
    "uppercase": Kind((1, 1), (0, 0), (1, 1), ("uppercase",)),
    "trim": Kind((1, 1), (0, 0), (1, 1), ("trim",)),
    "geo_unhash": Kind((1, 1), (0, 0), (1, 1), ("latLong",)),
}
NUMERIC = ("eq", "gt", "gte", "lt", "lte")
OPERATORS = (*NUMERIC, "match", "none")


def check(transform: Transform) -> None:
    """Raise TransformError if *transform* is wrong by itself."""
    name = transform.name
    kind = KINDS.get(name)
    if kind is None:
        raise TransformError(10201, f"unknown transform {name!r}: known are {', '.join(KINDS)}")
    _check_count(10202, name, "input", len(transform.inputs), kind.inputs)
    if "" in transform.inputs:
        raise TransformError(10212, f"an input of the transform {name} has no name")
    _check_count(10206, name, "argument", len(transform.arguments), kind.arguments)
    _check_count(10211, name, "output", len(transform.made), kind.outputs)
    if "" in transform.made:
        raise TransformError(10213, f"an output of the transform {name} has no name")
    if name in ("extract", "split"):
        _check_regex(transform)
    if name == "exclude":
        _check_condition(transform.condition)


def _check_count(code: int, name: str, what: str, count: int, allowed: tuple[int, int]) -> None:
    low, high = allowed
    if not low <= count <= high:
        wanted = f"{low}" if low == high else f"at least {low}" if high == MANY else f"{low} to {high}"
        raise TransformError(code, f"the transform {name} has {count} {what}s: expected {wanted}")


def _check_regex(transform: Transform) -> None:
    try:
        groups = compiled(transform.arguments[0]).groups
    except BadRegex as e:
        raise TransformError(10214, str(e)) from None
    if transform.name == "extract" and groups != len(transform.made):
        raise TransformError(
            10214, f"{transform.arguments[0]!r} has {groups} groups for {len(transform.made)} outputs of extract")


def _check_condition(condition: Condition | None) -> None:
    if condition is None or condition.operator == "none":
        raise TransformError(10208, "the transform exclude needs a condition")
    if condition.operator not in OPERATORS:
        raise TransformError(
            10209, f"unknown operator {condition.operator!r} of a condition: known are {', '.join(OPERATORS)}")
    if condition.operator == "match":
        try:
            compiled(condition.value)
        except BadRegex as e:
            raise TransformError(10210, str(e)) from None
    elif number_of(condition.value) != number_of(condition.value):
        raise TransformError(10210, f"{condition.operator} compares with a number, not with {condition.value!r}")


def check_all(transforms: Sequence[Transform], used: Collection[str] | None) -> None:
    """Raise TransformError if one of *transforms* is wrong, or all of them together.

    used  the fields that the analysis and the time come from; None if they are not known: then no output need be used
    """
    for transform in transforms:
        check(transform)
    in_order(transforms)
    if used is None:
        return
    for transform in transforms:
        wanted = {*used, *(name for other in transforms if other is not transform for name in other.inputs)}
        if transform.made and not wanted.intersection(transform.made):
            raise TransformError(
                10203, f"nothing uses an output of the transform {transform.name}: {', '.join(transform.made)}")


def in_order(transforms: Sequence[Transform]) -> list[Transform]:
    """*transforms* so that each stands behind those that make its inputs, otherwise in the order given.

    Raises TransformError if two make the same field, or a field follows from itself.
    """
    maker: dict[str, Transform] = {}
    for transform in transforms:
        for name in transform.made:
            if name in maker:
                raise TransformError(10205, f"two outputs of transforms are named {name!r}")
            maker[name] = transform
    ordered: list[Transform] = []
    waiting = list(transforms)
    while waiting:
        made_later = {name for transform in waiting for name in transform.made}
        ready = next((transform for transform in waiting if not made_later.intersection(transform.inputs)), None)
        if ready is None:
            names = ", ".join(sorted(made_later.intersection(*[set(waiting[0].inputs)]) or made_later))
            raise TransformError(10204, f"transforms need each other's outputs, or one needs its own: {names}")
        waiting = [transform for transform in waiting if transform is not ready]
        ordered.append(ready)
    return ordered
