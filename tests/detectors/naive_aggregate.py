"""Many probabilities to one once more, slow and obvious: every term of every sum."""
from __future__ import annotations

import math

FLOOR = 2.22507e-308
CUTOFF = 0.05


def log_sum(logs: list[float]) -> float:
    most = max(logs)
    return most + math.log(math.fsum(math.exp(log - most) for log in logs))


def gamma_tail_log(k: int, x: float) -> float:
    """k exponential values have a sum above x if fewer than k events of a Poisson process come until x."""
    if x <= 0.0:
        return 0.0
    return min(0.0, log_sum([j * math.log(x) - x - math.lgamma(j + 1) for j in range(k)]))


def joint_log(surprise: float, n: int) -> float:
    terms = []
    for k in range(1, n + 1):
        ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        binomial = ways + k * math.log(CUTOFF) + (n - k) * math.log(1.0 - CUTOFF)
        terms.append(binomial + gamma_tail_log(k, surprise + k * math.log(CUTOFF)))
    return min(0.0, log_sum(terms))


def cotangent(p: float) -> float:
    p = min(0.9, max(FLOOR, p))
    return math.cos(math.pi * p) / math.sin(math.pi * p)


def aggregate(probabilities: list[float], others: int = 0) -> float:
    p = sorted(max(FLOOR, x) for x in probabilities if not math.isnan(x))
    n = len(p) + others
    if n == 0:
        return math.nan
    if n == 1:
        return p[0] if p else 1.0
    if not p or p[0] > CUTOFF:
        return 1.0
    joint = math.exp(joint_log(-math.fsum(math.log(x) for x in p if x <= CUTOFF), n))
    least = -math.expm1(n * math.log1p(-p[0]))
    weight = (cotangent(joint) + cotangent(least)) / 2.0
    if weight > 1e6:
        return max(FLOOR, 1.0 / (math.pi * weight))
    return 0.5 - math.atan(weight) / math.pi
