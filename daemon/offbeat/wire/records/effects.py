"""What each transform makes of the fields of a record: texts in, texts out, or nothing where it fails.

A missing input is an empty text. Each effect is asked once for a value of its inputs, however often that comes.
"""
from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import cache
from ipaddress import ip_address

from publicsuffixlist import PublicSuffixList

from offbeat.uploads import number_of
from offbeat.wire.records.java_regex import Pattern, compiled
from offbeat.wire.records.transforms import Condition, Transform

Effect = Callable[[tuple[str, ...]], Sequence[str] | None]
"""The outputs for the inputs of one record, at least as many as the transform has; None if it fails.

Raises SlowRegex for a value that takes too long, as ``holds`` does.
"""

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "eq": operator.eq, "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}
GEOHASH = "0123456789bcdefghjkmnpqrstuvwxyz"
GEOHASH_CHARACTERS_MAX = 20
"""100 bits: more than two numbers of float64 tell apart."""


def effect_of(transform: Transform) -> Effect:
    """What *transform*, which has been checked and is no ``exclude``, does."""
    count = len(transform.made)
    argument = transform.arguments[0] if transform.arguments else ""
    if transform.name == "concat":
        return lambda inputs: (argument.join(inputs),)
    if transform.name in ("extract", "split"):
        regex = compiled(argument)
        return _extract(regex) if transform.name == "extract" else _split(regex, count)
    of_one: dict[str, Callable[[str], Sequence[str] | None]] = {
        "domain_split": domain_split, "geo_unhash": geo_unhash, "lowercase": lambda text: (text.lower(),),
        "uppercase": lambda text: (text.upper(),), "trim": lambda text: (text.strip(),),
    }
    effect = of_one[transform.name]
    return lambda inputs: effect(inputs[0])


def holds(condition: Condition) -> Callable[[str], bool]:
    """Whether a value meets *condition*, which has been checked."""
    if condition.operator == "match":
        regex = compiled(condition.value)
        return lambda text: regex.fullmatch(text) is not None
    compare, bound = COMPARISONS[condition.operator], number_of(condition.value)
    return lambda text: compare(number_of(text), bound)  # nothing compares with NaN


def _extract(regex: Pattern) -> Effect:
    def effect(inputs: tuple[str, ...]) -> Sequence[str] | None:
        match = regex.search(inputs[0])
        return None if match is None else match.groups("")

    return effect


def _split(regex: Pattern, count: int) -> Effect:
    def effect(inputs: tuple[str, ...]) -> Sequence[str]:
        text, pieces, at = inputs[0], [], 0
        for match in regex.finditer(text):
            if match.end() == 0:  # nothing matched at the very start splits nothing off, as in Java
                continue
            pieces.append(text[at : match.start()])
            at = match.end()
        pieces.append(text[at:])
        return (pieces + [""] * count)[:count]

    return effect


@cache
def public_suffixes() -> PublicSuffixList:
    """The list of domains under which anybody can register a name; read when it is first needed."""
    return PublicSuffixList()


def domain_split(host: str) -> tuple[str, str]:
    """The part of *host* before the highest registered domain, and that domain.

    An address, and a name that is itself a public suffix, have no part before.
    """
    name = host.strip().rstrip(".")
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        pass
    else:
        return "", name
    registered = public_suffixes().privatesuffix(name.lower()) if name else None
    if not registered:
        return "", name
    labels = name.split(".")
    first = len(labels) - registered.count(".") - 1
    return ".".join(labels[:first]), ".".join(labels[first:])


def geo_unhash(text: str) -> tuple[str] | None:
    """The middle of the cell that a geohash names, as ``latitude,longitude`` in degrees; None if it is no geohash.

    Source: G. Niemeyer, "geohash.org", 2008: bits in turn halve longitude and latitude, five a character.
    """
    low, high = [-180.0, -90.0], [180.0, 90.0]
    if not 0 < len(text) <= GEOHASH_CHARACTERS_MAX:
        return None
    axis = 0
    for character in text.lower():
        value = GEOHASH.find(character)
        if value < 0:
            return None
        for bit in (16, 8, 4, 2, 1):
            middle = (low[axis] + high[axis]) / 2
            (low if value & bit else high)[axis] = middle
            axis = 1 - axis
    longitude, latitude = ((low[i] + high[i]) / 2 for i in (0, 1))
    return (f"{latitude!r},{longitude!r}",)
