"""Many probabilities to one: how unusual is a bucket, or what one influencer's value took part in, as a whole?

Two questions are asked of n probabilities, and the answers joined:

* Are those at most CUTOFF together less likely than so many of n would be? The truncated product of D. Zaykin,
  L. Zhivotovsky, P. Westfall, B. Weir, "Truncated product method for combining P-values", 2002: Fisher's method for the
  less likely ones, so that a thousand calm series do not drown ten that are odd. Exact if the n are independent.
* Is the least of them less than the least of n would be? 1 − (1 − p)^n, which holds, roughly, under dependence too.

The answers depend on each other, so they are joined by the Cauchy combination (Y. Liu, J. Xie, "Cauchy combination
test", 2020), with equal weights: at most about twice the smaller one, and valid for whatever dependence there is
between the two.

Share of aggregated probabilities below 0.01, 20,000 draws of n uniform ones (the test repeats it with fewer):

    n                                                1      2     20   1000
    independent                                 0.0107 0.0112 0.0116 0.0104
    of normal values with a correlation of 0.3  0.0088 0.0146 0.0493 0.2208

As the last line says, series that move together make a bucket look less likely than it is; the normaliser, which ranks
buckets among the job's own, makes up for that.
"""
from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.kernel import kernel, lean_kernel

PROBABILITY_MIN = 2.22507e-308
"""No probability is smaller, nor 0. Source: Prelert Engine API, section 9.3."""

CUTOFF = 0.05
"""A probability above it makes no record, and adds nothing to how unusual the others are together."""

_LOG_CUTOFF, _LOG_REST = math.log(CUTOFF), math.log1p(-CUTOFF)
_CERTAIN = 0.9  # an answer above it counts as this one: that of 1 has an infinite weight, and would silence the other
_NEGLIGIBLE = 40.0  # a term e^40 times smaller than the largest adds nothing to 15 digits


def aggregate(probability: NDArray[np.float64], others: int = 0) -> float:
    """How likely is something at least this unusual, of all these probabilities together?

    probability  (n,) in [0, 1]; NaN, no opinion, counts for nothing
    others       how many more there are that are not given, each above CUTOFF: the answer is as if they were

    The answer is in [PROBABILITY_MIN, 1]: NaN if nobody has an opinion, the probability itself if there is but one, 1
    if none is at most CUTOFF. It falls with each of them (but for rounding, a part in 10^9), and does not depend on
    their order, bit for bit. Raises ValueError for one outside [0, 1] and for negative others.
    """
    known = probability[~np.isnan(probability)]
    if known.size > 1 and others >= 0 and known.min() > CUTOFF and known.max() <= 1.0:  # most buckets are so
        return 1.0
    group = np.zeros(probability.size, np.int32)
    return float(aggregate_groups(probability, group, 1, np.array([others], np.int64))[0])


def aggregate_groups(
    probability: NDArray[np.float64], group: NDArray[np.int32], groups: int, others: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """``aggregate`` of each group's probabilities: (groups,) float64.

    probability, group  (n,): probability i belongs to group[i], 0 to groups − 1
    others              (groups,) how many more each has above CUTOFF; none if not given

    Raises ValueError for a probability outside [0, 1], a group that there is not, and others that are negative.
    """
    if ((probability < 0.0) | (probability > 1.0)).any():
        raise ValueError("a probability is outside 0 to 1")
    if ((group < 0) | (group >= groups)).any():
        raise ValueError(f"a group is outside 0 to {groups - 1}")
    more = np.zeros(groups, np.int64) if others is None else others
    if (more < 0).any():
        raise ValueError("others is negative")
    known = ~np.isnan(probability)
    p, of = probability[known], group[known]
    order = np.lexsort((p, of))
    start = np.searchsorted(of[order], np.arange(groups + 1))
    together = np.empty(groups)
    aggregate_sorted(np.maximum(p[order], PROBABILITY_MIN), start, more, together)
    return together


@kernel
def aggregate_sorted(
    p: NDArray[np.float64], start: NDArray[np.int64], others: NDArray[np.int64], together: NDArray[np.float64],
) -> None:
    """Fill *together* (groups,): group g has the probabilities p[start[g]:start[g + 1]], ascending, and others[g]."""
    for g in range(together.size):
        first, last = start[g], start[g + 1]
        n = last - first + others[g]
        if last == first:
            together[g] = np.nan if n == 0 else 1.0
        elif n == 1:
            together[g] = p[first]
        elif p[first] > CUTOFF:
            together[g] = 1.0
        else:
            surprise = 0.0
            i = first
            while i < last and p[i] <= CUTOFF:
                surprise -= math.log(p[i])
                i += 1
            least = -math.expm1(n * math.log1p(-p[first]))
            together[g] = joined(math.exp(joint_log(surprise, n)), least)


@lean_kernel
def joined(one: float, other: float) -> float:
    """The Cauchy combination of two probabilities, at least PROBABILITY_MIN."""
    weight = 0.0
    for p in (one, other):
        weight += 0.5 / math.tan(math.pi * min(_CERTAIN, max(PROBABILITY_MIN, p)))
    # atan2, and not 1/2 − atan: what is left of 1/2 has no digits below 10^−16
    return max(PROBABILITY_MIN, math.atan2(1.0, weight) / math.pi)


@lean_kernel
def joint_log(surprise: float, n: int) -> float:
    """log of the probability that those of n uniform values that are at most CUTOFF have a −log of product as large.

    A sum over how many they are: binomial, times the tail of a sum of as many exponential values beyond −log CUTOFF
    each. From the likeliest number outwards, until nothing is added: about √n terms.
    """
    usual = min(n, max(1, int(n * CUTOFF)))
    of_all = math.lgamma(n + 1.0)
    most, total = -np.inf, 0.0
    for direction in (-1, 1):
        k = usual if direction < 0 else usual + 1
        while 1 <= k <= n:
            term = of_all - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0) + k * _LOG_CUTOFF + (n - k) * _LOG_REST
            if direction > 0 and term < most - _NEGLIGIBLE:
                break  # a tail is at most 1, and the binomial falls
            term += gamma_tail_log(k, surprise + k * _LOG_CUTOFF)
            if direction < 0 and term < most - _NEGLIGIBLE:
                break  # below the likeliest number both factors fall
            if term > most:
                total = total * math.exp(most - term) + 1.0
                most = term
            else:
                total += math.exp(term - most)
            k += direction
    return min(0.0, most + math.log(total))


@lean_kernel
def gamma_tail_log(k: int, x: float) -> float:
    """log of the probability that k exponential values, k at least 1, have a sum above x.

    Source: the two series of the incomplete gamma function of a whole number, each where its terms only fall.
    """
    if x <= 0.0:
        return 0.0
    term = total = 1.0
    if x > k:
        for j in range(k - 1, 0, -1):
            term *= j / x
            total += term
            if term < 1e-17 * total:
                break
        return (k - 1) * math.log(x) - x - math.lgamma(np.float64(k)) + math.log(total)
    j = k
    while term >= 1e-17 * total:
        j += 1
        term *= x / j
        total += term
    return math.log1p(-total * math.exp(k * math.log(x) - x - math.lgamma(k + 1.0)))
