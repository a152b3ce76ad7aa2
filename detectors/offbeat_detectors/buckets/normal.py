"""Tails of probability on one scale: how many deviations of the normal law is this as odd as? And back."""
from __future__ import annotations

import math

from offbeat_detectors.kernel import inlined_kernel

PROBABILITY_MIN = 2.2250738585072014e-308
"""No probability is smaller: beyond it nothing can be told apart (Prelert Engine API, section 9.3)."""

SURE = 40.0  # deviations: beyond every probability
_ROOT_HALF = math.sqrt(0.5)
_NEAR = 0.05  # deviations: nearer, the correction of the signed root is taken at its limit


@inlined_kernel
def tail(z: float) -> float:
    """The probability that a standard normal number is *z* or more, at least PROBABILITY_MIN."""
    return float(min(1.0, max(PROBABILITY_MIN, 0.5 * math.erfc(z * _ROOT_HALF))))


@inlined_kernel
def both_sides(high: float, low: float) -> float:
    """The two-sided probability of a value whose one-sided ones are these: twice the smaller, at most 1."""
    return float(min(1.0, 2.0 * min(high, low)))


@inlined_kernel
def of_student(u: float, freedom: float) -> float:
    """The deviation of the normal law as odd as *u* of Student's, of so many degrees of freedom.

    Source: D. Wallace, "Bounds on normal approximations to Student's and the chi-square distributions", 1959; his
    approximation is within 6 % of z from 2 degrees of freedom up, however far the tail.
    """
    z = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0) * math.sqrt(freedom * math.log1p(u / freedom * u))
    return float(math.copysign(min(SURE, z), u))


@inlined_kernel
def to_student(z: float, freedom: float) -> float:
    """The reverse of ``of_student``."""
    root = z * (8.0 * freedom + 3.0) / (8.0 * freedom + 1.0)
    return float(math.copysign(math.sqrt(freedom * math.expm1(min(600.0, root * root / freedom))), z))


@inlined_kernel
def corrected(w: float, v: float, limit: float) -> float:
    """The normal deviation of a signed root of the deviance *w*, corrected by the standardised distance *v*.

    limit  what is added where w is 0: a sixth of the skewness

    Source: O. Barndorff-Nielsen, "Inference on full or partial parameters based on the standardized signed log
    likelihood ratio", 1986; R. Lugannani, S. Rice, 1980.
    """
    if abs(w) < _NEAR:
        return w + limit
    return float(min(SURE, max(-SURE, w + math.log(v / w) / w)))


@inlined_kernel
def of_gamma(ratio: float, shape: float) -> float:
    """The normal deviation as odd as *ratio* (above 0) of a gamma law of mean 1; exact to a few per cent of p."""
    if ratio > 1e100:
        return SURE
    distance = ratio - 1.0
    deviance = max(0.0, distance - math.log(ratio)) if abs(distance) > 1e-4 else 0.5 * distance * distance
    w = math.copysign(math.sqrt(2.0 * shape * deviance), distance)
    return corrected(w, distance * math.sqrt(shape), 1.0 / (3.0 * math.sqrt(shape)))


@inlined_kernel
def of_count(y: float, mean: float, size: float) -> float:
    """The normal deviation as odd as a count of the negative binomial law, *y* being half a count nearer the mean.

    y     above 0: x − ½ for P(X ≥ x), x + ½ for P(X ≤ x)
    size  the variance is mean + mean²/size; large: Poisson's law

    Source: H. Daniels, "Tail probability approximations", 1987 (the second, for lattices).
    """
    if y > 1e100:
        return SURE
    log_ratio = math.log(y / mean)
    log_size = math.log1p((y - mean) / (mean + size))
    deviance = max(0.0, 2.0 * (y * log_ratio - (y + size) * log_size))
    w = math.copysign(math.sqrt(deviance), y - mean)
    tilt = log_ratio - log_size
    if abs(tilt) > 1300.0:
        return SURE
    v = 2.0 * math.sinh(0.5 * tilt) * math.sqrt(y * (1.0 + y / size))
    variance = mean * (1.0 + mean / size)
    return corrected(w, v, (1.0 + 2.0 * mean / size) / (6.0 * math.sqrt(variance)))
