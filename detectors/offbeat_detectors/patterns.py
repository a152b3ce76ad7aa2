"""Is the pattern of the last readings unlike any lately? Blocks of readings, compared with those before, at one scale."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.kernel import exact_minimum_kernel, kernel

SCALE = np.dtype([
    ("origin", "f8"), ("unit", "f8"), ("sum", "f8"), ("high", "f8"), ("low", "f8"),
    ("mean", "f4"), ("variance", "f4"), ("reach", "f4"), ("z", "f4"), ("seen", "i4"),
    ("nearest", "i2"), ("second", "i2"), ("have", "i2"), ("at", "i2"), ("rows", "i1"), ("beyond", "i1"),
], align=True)
"""One scale of one series: 80 bytes beside its ring.

origin, unit     a feature f is kept as the whole number (f − origin) / unit; unit 0: all have been the origin so far
sum, high, low   of the readings of the present block, less the origin; rows: how many
mean, variance   of the distance to the nearest patterns, in units, the distance² respectively; seen: how many
reach            the farthest feature from the origin lately, in units
z                how unlike the last block's pattern was; NaN: too little is known
nearest, second  lags of the two most similar patterns, in blocks; 0: none
have, at         blocks in the ring, and where the newest stands
beyond           blocks in a row that the range could not hold
"""

MEAN, HIGH, LOW, DISTANCE = 0, 1, 2, 3
ROWS = 4
"""A ring is (ROWS, L) int16: three features of the block in each place, and the distance of the pattern at each lag."""

RANGE = 32_000.0
FINE = 256.0  # units in the spread of the distances: finer tells nothing more
COARSE = 30_000.0
FADE = np.float32(0.5)  # of a pattern's distance from block to block
NEAR_LAG = 2  # the two newest blocks share too much with the present one
LIMIT, LIMIT_FROM = 15.0, 30  # spreads: one absurd value must not blind the detector
KNOWN = 10  # distances before the first opinion
FLOOR = 0.1  # of the mean, below which no spread is believed
UNLIKE_MAX = 10_000.0
REACH_FADE = 0.999
BEYOND = 3
CHUNK = 32


@kernel
def rescale(ring: NDArray[np.int16], scale: Any, shift: float, unit: float) -> None:
    """Keep the ring (ROWS · L,) in another *unit*, and relative to an origin *shift* farther; what it cannot hold, at
    its edge."""
    lags = ring.size // ROWS
    factor = scale.unit / unit
    moved = shift / unit
    for i in range(DISTANCE * lags):
        ring[i] = np.int16(round(min(RANGE, max(-RANGE, ring[i] * factor - moved))))
    for i in range(DISTANCE * lags, ROWS * lags):
        ring[i] = np.int16(round(min(RANGE, ring[i] * factor)))
    scale.origin += shift
    scale.unit = unit
    scale.mean = np.float32(min(1e30, scale.mean * factor))
    scale.variance = np.float32(min(1e36, scale.variance * factor * factor))
    scale.reach = np.float32(min(RANGE, scale.reach * factor + abs(moved)))


@exact_minimum_kernel
def compare(
    ring: NDArray[np.int16], first: int, count: int, place: int,
    mean: np.float32, high: np.float32, low: np.float32, limit: np.float32,
) -> np.float32:
    """Let the distances at lags *first* to *first + count* see the present block; the least of them.

    place  where in the ring the block at lag *first* stands; those after it follow
    """
    lags = ring.size // ROWS
    half, none = np.float32(0.5), np.float32(1e30)
    means, highs, lows = ring[place : place + count], ring[lags + place :], ring[2 * lags + place :]
    distances = ring[DISTANCE * lags + first :]
    least = none
    for j in range(count):
        apart = abs(mean - np.float32(means[j])) + half * (
            abs(high - np.float32(highs[j])) + abs(low - np.float32(lows[j])))
        d = FADE * np.float32(distances[j]) + min(limit, apart)
        kept = np.int16(min(np.float32(RANGE), d) + half)
        distances[j] = kept
        least = min(least, np.float32(kept))
    return least


@kernel
def nearest_two(ring: NDArray[np.int16], have: int) -> tuple[int, int]:
    """The lags of the two least distances among the *have* newest, the two newest left out; −1: there is none."""
    lags = ring.size // ROWS
    one, two = -1, -1
    d1 = d2 = 1 << 30
    for j in range(NEAR_LAG, have):
        d = np.int64(ring[DISTANCE * lags + j])
        if d < d2:
            if d < d1:
                two, d2 = one, d1
                one, d1 = j, d
            else:
                two, d2 = j, d
    return one, two


@kernel
def end_block(ring: NDArray[np.int16], scale: Any, memory: float) -> None:
    """Judge the block that has just ended, by the distances of the patterns that end with each earlier one; keep it.

    memory  blocks over which mean and variance are averaged
    """
    lags = ring.size // ROWS
    mean, high, low = scale.sum / scale.rows, scale.high, scale.low
    far = max(abs(high), abs(low))
    if scale.unit == 0.0 and far > 0.0:
        scale.unit = max(1e-300, far / FINE)
    units = np.float32(0.0)
    if scale.unit > 0.0:
        if far > RANGE * scale.unit:
            scale.beyond += 1
            if scale.beyond >= BEYOND:  # the range moves for what stays, not for one absurd value
                wide = max(scale.unit, (high - low) / FINE, abs(mean) / COARSE)
                rescale(ring, scale, mean, wide)
                mean, high, low = 0.0, high - mean, low - mean
                scale.beyond = 0
                far = max(abs(high), abs(low))
        else:
            scale.beyond = 0
        units = np.float32(min(RANGE, far / scale.unit))
        scale.reach = max(np.float32(REACH_FADE) * scale.reach, units)
        per = 1.0 / scale.unit
        mean = round(min(RANGE, max(-RANGE, mean * per)))
        high = round(min(RANGE, max(-RANGE, high * per)))
        low = round(min(RANGE, max(-RANGE, low * per)))
    spread = math.sqrt(scale.variance)
    limit = np.float32(LIMIT * (spread + scale.mean)) if scale.seen > LIMIT_FROM else np.float32(1e30)
    have = np.int64(scale.have)
    until = min(have, lags - scale.at)
    m32, h32, l32 = np.float32(mean), np.float32(high), np.float32(low)
    compare(ring, 0, until, np.int64(scale.at), m32, h32, l32, limit)
    compare(ring, until, have - until, 0, m32, h32, l32, limit)
    one, two = nearest_two(ring, have)
    scale.nearest = np.int16(one + 1)
    scale.second = np.int16(two + 1)
    if two >= 0:
        s = 0.5 * (ring[DISTANCE * lags + one] + ring[DISTANCE * lags + two])
        if scale.seen >= KNOWN:
            by = spread + FLOOR * scale.mean
            z = (s - scale.mean) / by if by > 0.0 else (UNLIKE_MAX if s > scale.mean else 0.0)
            scale.z = np.float32(min(UNLIKE_MAX, max(0.0, z)))
        scale.seen += 1
        gain = max(1.0 / scale.seen, 1.0 / memory)
        surprise = s - scale.mean
        scale.mean = np.float32(scale.mean + gain * surprise)
        scale.variance = np.float32(max(0.0, scale.variance + gain * ((1.0 - gain) * surprise * surprise - scale.variance)))
    scale.at = np.int16(lags - 1 if scale.at == 0 else scale.at - 1)
    ring[scale.at] = np.int16(mean)
    ring[lags + scale.at] = np.int16(high)
    ring[2 * lags + scale.at] = np.int16(low)
    if have < lags:
        ring[DISTANCE * lags + have] = 0
        scale.have = np.int16(have + 1)
    if scale.seen >= KNOWN and scale.unit > 0.0:
        wanted = max((math.sqrt(scale.variance) + scale.mean) / FINE, scale.reach / COARSE)
        if wanted > 2.0 or 0.0 < wanted < 0.5:
            rescale(ring, scale, 0.0, max(1e-300, scale.unit * wanted))
    scale.rows = 0


@kernel
def take_reading(ring: NDArray[np.int16], scale: Any, x: float, block: int, memory: float) -> bool:
    """Add one reading to the present block of *block* readings; True if it ended the block, and z is new."""
    if scale.have == 0 and scale.rows == 0:
        scale.origin = x
        scale.z = np.float32(np.nan)
    away = x - scale.origin
    if scale.rows == 0:
        scale.sum = scale.high = scale.low = away
    else:
        scale.sum += away
        scale.high = max(scale.high, away)
        scale.low = min(scale.low, away)
    scale.rows += 1
    if scale.rows < block:
        return False
    end_block(ring, scale, memory)
    return True


@kernel
def successor(ring: NDArray[np.int16], scale: Any) -> float:
    """The mean of the block that followed the most similar pattern; NaN if there is none."""
    if scale.nearest < 2:
        return np.nan
    lags = ring.size // ROWS
    # Lag j is j + 1 blocks before the last, which is the newest of the ring: the block after it stands j further.
    place = (scale.at + scale.nearest - 1) % lags
    return float(scale.origin + ring[place] * scale.unit)
