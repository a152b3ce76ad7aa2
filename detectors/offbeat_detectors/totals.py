"""Sums that lose nothing: of the same numbers in any order, cut in any way, they are the same to the last bit."""
from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Total:
    """What some finite numbers come to, exactly, and how many they are."""

    sum: Fraction = Fraction(0)
    count: int = 0

    def plus(self, values: Iterable[float]) -> Total:
        """This total with *values* as well."""
        total, count = self.sum, self.count
        for value in values:
            total += Fraction(value)
            count += 1
        return Total(total, count)

    @property
    def mean(self) -> float:
        """The mean; ZeroDivisionError of nothing."""
        return rounded(self.sum / self.count)


def rounded(value: Fraction) -> float:
    """The float nearest to *value*; of what is beyond any, the largest with its sign."""
    try:
        return float(value)
    except OverflowError:
        return sys.float_info.max if value > 0 else -sys.float_info.max
