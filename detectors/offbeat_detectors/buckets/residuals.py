"""How far values stray from what was expected: eight laws side by side, weighed by how well each foretold the past."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from offbeat_detectors.buckets.normal import SURE, of_count, of_gamma, of_student, to_student
from offbeat_detectors.kernel import inlined_kernel, kernel

NORMAL, HEAVY, HEAVIER, HEAVIEST, LOG_NORMAL, LOG_HEAVY, GAMMA, COUNTS = range(8)
LAWS = 8
COUNT, SUM, METRIC = range(3)
"""The kinds of numbers: counts of events, sums of what is mostly above zero, any number."""

RESIDUALS = np.dtype([
    ("variance", "f8"), ("student", "f8", (3,)), ("fano", "f8"), ("known", "f4"), ("log_mean", "f4"),
    ("log_variance", "f4"), ("log_student", "f4"), ("deviance", "f4"), ("evidence", "f4", (LAWS,)),
])
"""What is known of the residuals of one entity: 92 bytes.

known         values learned, at most KNOWN_MAX
variance      mean square, winsorised
student       squared scales of Student's laws
log_mean, log_variance  of log(value / expected)
deviance      mean of ratio − 1 − log ratio: the shape of the gamma law
fano          mean of (value − expected)² / expected
log_student   squared scale of Student's law of the logarithm
evidence      decayed log-likelihood of each law, less that of the best
"""

KNOWN_MAX = 300.0
FREEDOM = (10.0, 4.0, 2.0)  # of Student's laws
LOG_FREEDOM = 4.0
PRIOR = (0.0, -1.5, -2.0, -4.0, -0.5, -3.0, -0.5, 3.0)  # evidence at the start: heavy tails are to be proven
EVIDENCE_CLIP = 4.0  # of one value: a single monster proves no heavy tail
IMPOSSIBLE = -1e300
EVIDENCE_MAX = 30.0  # so far behind, a law can still come back
RATIO_PROVEN, RATIO_APART = 5.0, 0.25
EVIDENCE_KEEP = 0.998
WEIGHT_MIN = 2e-3  # laws of less weight say nothing
LOG_CLIP_MIN = 1e-9
SHAPE_MAX = 1e12
SIZE_MIN, SIZE_MAX = 0.05, 1e9
ABSURD = 1e150  # values are bounded here, so that their squares are finite
_LOG_ROOT_TAU = 0.5 * math.log(2.0 * math.pi)
# log of Γ((f+1)/2) / (Γ(f/2) √(π f)), of Student's laws
_STUDENT_LOG = tuple(
    math.lgamma(0.5 * (f + 1.0)) - math.lgamma(0.5 * f) - 0.5 * math.log(math.pi * f) for f in (*FREEDOM, LOG_FREEDOM))


@kernel
def begin(s: Any, kind: int, variance: float, mean: float, above_zero: bool) -> None:
    """Set *s*, a row of dtype RESIDUALS, to what the first few values say: variance, mean, whether all are above 0."""
    s.known = 4.0
    s.variance = variance
    for i in range(3):
        s.student[i] = variance
    s.log_mean = 0.0
    square = min(1.0, variance / (mean * mean)) if mean > 0.0 else 1.0
    s.log_variance = s.log_student = square
    s.deviance = 0.5 * square
    s.fano = max(1.0, variance / mean) if mean > 0.0 else 1.0
    for law in range(LAWS):
        s.evidence[law] = PRIOR[law]
    if kind != COUNT:
        s.evidence[COUNTS] = -EVIDENCE_MAX
    if not above_zero:
        for law in range(LOG_NORMAL, COUNTS):
            s.evidence[law] = -EVIDENCE_MAX


@kernel
def rescale(s: Any, factor: float, known: float, evidence: float) -> None:
    """The residuals are now *factor* times as large (squared), of which *known* values tell."""
    s.known = min(s.known, max(3.0, known))
    s.variance *= factor
    for i in range(3):
        s.student[i] *= factor
    s.log_variance *= factor
    s.log_student *= factor
    s.deviance *= factor
    s.fano *= factor
    for law in range(LAWS):
        if s.evidence[law] > -EVIDENCE_MAX:
            s.evidence[law] = PRIOR[law] + evidence * (s.evidence[law] - PRIOR[law])


@inlined_kernel
def shape_of(deviance: float) -> float:
    """The shape of the gamma law of mean 1 with this mean of ratio − 1 − log ratio.

    Source: T. Minka, "Estimating a gamma distribution", 2002: the start of his iteration, within 1.5 %.
    """
    d = max(deviance, 0.5 / SHAPE_MAX)
    return (3.0 - d + math.sqrt((d - 3.0) ** 2 + 24.0 * d)) / (12.0 * d)


@inlined_kernel
def size_of(fano: float, mean: float, known: float) -> float:
    """The size of the negative binomial law that this Fano factor gives at *mean*, the doubt of the mean added."""
    inverse = max(0.0, fano - 1.0) / mean + 1.0 / (max(1.0, known) * mean)
    return min(SIZE_MAX, max(SIZE_MIN, 1.0 / max(1.0 / SIZE_MAX, inverse)))


@kernel
def deviations(
    s: Any, kind: int, x: float, expected: float, half: float, least: float, share: float,
) -> tuple[float, float, float, float]:
    """How odd *x* is where *expected* was: (z of being so high, z of being so low, lower bound, upper bound).

    s      a row of dtype RESIDUALS, left as it is
    half   half the resolution of the data; a value stands for all that would be rounded to it
    least  no standard deviation is smaller, above 0
    share  of the bucket that has passed, 0 to 1; *expected* is already that of the part

    The probability that a value is as high is the upper tail of the first, as low the lower tail of the second. Each
    law's deviation is brought to the scale of the normal law, made less sure by Student's law of as many degrees of
    freedom as values are known, and weighed by the law's share of the evidence. Heavy tails are mixed among
    themselves; then all is a geometric mean of probabilities, in which an unlikely heavy tail hides nothing. Bounds
    hold about 98 %.
    Sources: C. Genest, J. Zidek, "Combining probability distributions", 1986 (the pool); ``normal`` (the laws).
    """
    most = s.evidence[NORMAL]
    usable = LAWS if expected > 0.0 else LOG_NORMAL
    for law in range(1, usable):
        most = max(most, s.evidence[law])
    freedom = max(2.0, s.known - 1.0)
    edge = to_student(2.326, freedom)
    total = high = low = bottom = top = 0.0
    heavy = heavy_high = heavy_low = sign_high = sign_low = 0.0
    above, below = x - half, x + half
    for law in range(usable):
        weight = math.exp(max(-700.0, s.evidence[law] - most))
        if weight < WEIGHT_MIN:
            continue
        if law <= HEAVIEST:
            square = s.variance if law == NORMAL else s.student[law - 1]
            scale = max(least, math.sqrt(square * share))
            own = freedom if law == NORMAL else min(freedom, FREEDOM[law - 1])
            up, down = of_student((above - expected) / scale, own), of_student((below - expected) / scale, own)
            reach = scale * (edge if law == NORMAL else to_student(2.326, own)) + half
            lower, upper = expected - reach, expected + reach
        elif law < COUNTS and strays(s, law, expected):
            continue
        elif law <= LOG_HEAVY:
            square = s.log_variance if law == LOG_NORMAL else s.log_student
            scale = max(math.sqrt(square / share), least / expected)
            own = freedom if law == LOG_NORMAL else min(freedom, LOG_FREEDOM)
            centre = expected * math.exp(s.log_mean)
            up = of_student(math.log(above / centre) / scale, own) if above > 0.0 else -SURE
            down = of_student(math.log(below / centre) / scale, own) if below > 0.0 else -SURE
            reach = min(300.0, scale * to_student(2.326, own))
            lower, upper = centre * math.exp(-reach), centre * math.exp(reach)
        elif law == GAMMA:
            shape = min(shape_of(s.deviance) * share, (expected / least) ** 2)
            up = of_student(of_gamma(above / expected, shape), freedom) if above > 0.0 else -SURE
            down = of_student(of_gamma(below / expected, shape), freedom) if below > 0.0 else -SURE
            lower, upper = expected * root_bound(-edge, shape), expected * root_bound(edge, shape)
        else:
            size = size_of(s.fano, expected, s.known)
            up = of_student(of_count(above, expected, size), freedom) if above > 0.0 else -SURE
            down = of_student(of_count(max(half, below), expected, size), freedom)
            shape = 1.0 / (1.0 / expected + 1.0 / size)
            lower, upper = expected * root_bound(-edge, shape), expected * root_bound(edge, shape) + half
        total += weight
        if NORMAL < law < GAMMA:
            heavy += weight
            heavy_high += weight * math.exp(-0.5 * up * up)
            heavy_low += weight * math.exp(-0.5 * down * down)
            sign_high += weight * up
            sign_low += weight * down
        else:
            high += weight * up
            low += weight * down
        bottom += weight * max(-ABSURD, lower)
        top += weight * min(ABSURD, upper)
    if heavy > 0.0:
        high += heavy * math.copysign(mixed(heavy_high / heavy), sign_high)
        low += heavy * math.copysign(mixed(heavy_low / heavy), sign_low)
    return high / total, low / total, bottom / total, top / total


@inlined_kernel
def mixed(density: float) -> float:
    """The deviation at which exp(−z²/2) is *density*, a mean over laws: that of their mixture, nearly."""
    return min(SURE, math.sqrt(max(0.0, -2.0 * math.log(max(1e-320, density)))))


@inlined_kernel
def strays(s: Any, law: int, expected: float) -> bool:
    """Whether a law of ratios, which has proven nothing, was learned at another level than *expected*.

    Far from zero all laws are alike; a level that comes near it has ratios of another size.
    """
    if s.evidence[law] > s.evidence[NORMAL] + RATIO_PROVEN:
        return False
    square = s.log_variance * expected * expected
    return bool(square < RATIO_APART * s.variance or s.variance < RATIO_APART * square)


@inlined_kernel
def root_bound(z: float, shape: float) -> float:
    """The quantile of a gamma law of mean 1 that is *z* deviations out.

    Source: E. Wilson, M. Hilferty, "The distribution of chi-square", 1931.
    """
    nine = 1.0 / (9.0 * shape)
    root = max(0.0, 1.0 - nine + z * math.sqrt(nine))
    return root * root * root


@kernel
def compare(s: Any, kind: int, x: float, expected: float, half: float, least: float) -> None:
    """Learn which law foretold *x* best: evidence alone is changed. Arguments as of ``deviations``."""
    likely = likelihoods(s, kind, x, expected, half, least)
    said = likely[NORMAL]
    for law in range(1, LAWS):
        said = max(said, likely[law])
    best = -1e300
    for law in range(LAWS):
        s.evidence[law] += max(-EVIDENCE_CLIP, likely[law] - said)
        best = max(best, s.evidence[law])
    for law in range(LAWS):
        s.evidence[law] = max(-EVIDENCE_MAX, EVIDENCE_KEEP * (s.evidence[law] - best))


@inlined_kernel
def likelihood(log_constant: float, residual: float, scale: float, freedom: float) -> float:
    """The log-likelihood of a residual under Student's law of this scale."""
    u = residual / scale
    return log_constant - math.log(scale) - 0.5 * (freedom + 1.0) * math.log1p(u / freedom * u)


@kernel
def likelihoods(
    s: Any, kind: int, x: float, expected: float, half: float, least: float,
) -> tuple[float, float, float, float, float, float, float, float]:
    """The log-likelihood of *x* under each law. Arguments as of ``deviations``.

    The normal laws are Student's of as many degrees of freedom as values are known: else the first prove heavy tails.
    """
    residual = x - expected
    freedom = max(2.0, s.known - 1.0)
    known = -_LOG_ROOT_TAU - 0.25 / freedom
    normal = likelihood(known, residual, max(least, math.sqrt(s.variance)), freedom)
    heavy = likelihood(_STUDENT_LOG[0], residual, max(least, math.sqrt(s.student[0])), FREEDOM[0])
    heavier = likelihood(_STUDENT_LOG[1], residual, max(least, math.sqrt(s.student[1])), FREEDOM[1])
    heaviest = likelihood(_STUDENT_LOG[2], residual, max(least, math.sqrt(s.student[2])), FREEDOM[2])
    log_normal = log_heavy = gamma = counts = IMPOSSIBLE
    size = size_of(s.fano, expected, s.known) if kind == COUNT and expected > 0.0 else 1.0
    if expected > 0.0 and x > 0.0:
        log_ratio, log_x = math.log(x / expected), math.log(x)
        relative = least / expected
        off = log_ratio - s.log_mean
        log_normal = likelihood(known, off, max(math.sqrt(s.log_variance), relative), freedom) - log_x
        log_heavy = likelihood(
            _STUDENT_LOG[3], off, max(math.sqrt(s.log_student), relative), LOG_FREEDOM) - log_x
        shape = min(shape_of(s.deviance), 1.0 / (relative * relative))
        deviance = max(0.0, x / expected - 1.0 - log_ratio)
        gamma = 0.5 * math.log(shape) - _LOG_ROOT_TAU - log_x - shape * deviance - 1.0 / (12.0 * shape)
        if kind == COUNT:
            deviance = x * log_ratio - (x + size) * math.log1p((x - expected) / (expected + size))
            counts = -_LOG_ROOT_TAU - 0.5 * math.log(x * (1.0 + x / size)) - deviance - 1.0 / (12.0 * x)
    elif kind == COUNT and expected > 0.0 and x == 0.0:
        counts = -size * math.log1p(expected / size)
    return normal, heavy, heavier, heaviest, log_normal, log_heavy, gamma, counts


@inlined_kernel
def maximised(square: float, least: float, residual: float, freedom: float, gain: float) -> float:
    """The squared scale of Student's law, at least *least*, after a residual is learned."""
    square = max(square, least)
    within = min(residual * residual, 1e4 * square)
    return square + gain * ((freedom + 1.0) / (freedom + within / square) * within - square)


@kernel
def learn(
    s: Any, kind: int, x: float, expected: float, half: float, least: float, weight: float, whole: float, clip: float,
) -> None:
    """Learn how far *x* was from *expected*: spreads alone are changed. Arguments as of ``deviations``.

    weight  of the value, 0 to 1
    whole   of the value, odd or not: Student's laws bear odd values
    clip    deviations: beyond, a value counts as if it were there

    Each of Student's scales takes a step of the expectation-maximisation algorithm (K. Lange et al., "Robust
    statistical modeling using the t distribution", 1989).
    """
    gain = weight * max(1.0 / (s.known + 1.0), 1.0 / KNOWN_MAX)
    full = whole * max(1.0 / (s.known + 1.0), 1.0 / KNOWN_MAX)
    s.known = min(KNOWN_MAX, s.known + weight)
    residual = x - expected
    square = max(s.variance, least * least)
    clipped = min(residual * residual, clip * clip * square)
    s.variance += gain * (clipped - s.variance)
    for i in range(3):
        s.student[i] = maximised(s.student[i], least * least, residual, FREEDOM[i], full)
    if expected <= 0.0:
        return
    if kind == COUNT:
        limit = clip * clip * max(1.0, s.fano) * max(expected, 0.5)
        s.fano += gain * (min(residual * residual, limit) / max(expected, 0.05) - s.fano)
    seen = max(x, half)
    if seen <= 0.0:
        return
    scale = max(math.sqrt(s.log_variance), least / expected, LOG_CLIP_MIN)
    off = math.log(seen / expected) - s.log_mean
    s.log_student = maximised(s.log_student, 1e-6 * scale * scale, off, LOG_FREEDOM, full)
    off = min(clip * scale, max(-clip * scale, off))
    s.log_mean += gain * off
    s.log_variance += gain * ((1.0 - gain) * off * off - s.log_variance)
    ratio = min(seen / expected, math.exp(min(300.0, s.log_mean + clip * scale)))
    ratio = max(ratio, math.exp(max(-300.0, s.log_mean - clip * scale)))
    s.deviance += gain * (max(0.0, ratio - 1.0 - math.log(ratio)) - s.deviance)
