"""Is the pattern of the last readings unlike any lately? Blocks of readings, and those before them, at one scale."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.kernel import inlined_kernel, lean_kernel

SCALE = np.dtype([
    ("origin", "f8"), ("unit", "f8"), ("sum", "f8"), ("high", "f8"), ("low", "f8"),
    ("mean", "f4"), ("variance", "f4"), ("reach", "f4"), ("z", "f4"), ("seen", "i4"),
    ("nearest", "i2"), ("second", "i2"), ("have", "i2"), ("at", "i2"), ("rows", "i1"), ("beyond", "i1"),
    ("following", "i2"),
], align=True)
"""One scale of one series: 72 bytes beside its ring.

origin, unit     a feature f is kept as the whole number (f − origin) / unit; unit 0: all have been the origin so far
sum, high, low   of the readings of the present block, less the origin; rows: how many
mean, variance   of the distance to the nearest patterns, in units, the distance² respectively; seen: how many
reach            the farthest feature from the origin lately, in units
z                how unlike the last block's pattern was; NaN: too little is known
nearest, second  lags of the two most similar patterns, in blocks; 0: none
have, at         blocks in the ring, and where the newest stands
beyond           blocks in a row that the range could not hold
following        the mean of the block that followed the most similar pattern, as it is in the ring
"""

DISTANCE, MEAN, HIGH, LOW = 0, 1, 2, 3
ROWS = 4
"""A ring is (ROWS, L) int16: three features of the block in each place, and before them the distance of the pattern
that ended with the block in the place before. The newest block stands before those that are older."""

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
HALF = np.float32(0.5)
APART = 32_767  # beyond any distance
NOWHERE = np.int32(2**31 - 1)


@lean_kernel
def rescale(ring: NDArray[np.int16], scale: Any, shift: float, unit: float) -> None:
    """Keep the ring (ROWS · L,) in another *unit*, and relative to an origin *shift* farther; what it cannot hold, at
    its edge."""
    lags = ring.size // ROWS
    factor = scale.unit / unit
    moved = shift / unit
    for i in range(lags):
        ring[i] = np.int16(round(min(RANGE, ring[i] * factor)))
    for i in range(MEAN * lags, ROWS * lags):
        ring[i] = np.int16(round(min(RANGE, max(-RANGE, ring[i] * factor - moved))))
    scale.origin += shift
    scale.unit = unit
    scale.mean = np.float32(min(1e30, scale.mean * factor))
    scale.variance = np.float32(min(1e36, scale.variance * factor * factor))
    scale.reach = np.float32(min(RANGE, scale.reach * factor + abs(moved)))


@lean_kernel
def further(
    distance: int, mean_was: int, high_was: int, low_was: int,
    mean: np.float32, high: np.float32, low: np.float32, limit: np.float32,
) -> np.int16:
    """The *distance* of a pattern, faded, after one block more: its block then, and the present one."""
    apart = abs(mean - np.float32(mean_was)) + HALF * (
        abs(high - np.float32(high_was)) + abs(low - np.float32(low_was)))
    return np.int16(min(np.float32(RANGE), FADE * np.float32(distance) + min(limit, apart)) + HALF)


@lean_kernel
def compare(
    ring: NDArray[np.int16], begin: int, mean: np.float32, high: np.float32, low: np.float32, limit: np.float32,
) -> None:
    """Let the distances see the present block: each pattern goes one block further, so its distance one place back.

    begin  the first place that holds a block; before it all are APART

    One loop over places and not over lags, so that the processor's vectors bear all of it: 0.4 ns a lag, where it was
    4.6. The distances are the first row, so that the one after the last can be read, and is then set right.
    """
    lags = ring.size // ROWS
    if begin >= lags:
        return
    first, last = ring[0], lags - 1
    for p in range(lags):  # the last distance is not there, but in the first place
        ring[p] = further(
            ring[p + 1], ring[MEAN * lags + p], ring[HIGH * lags + p], ring[LOW * lags + p], mean, high, low, limit)
    ring[last] = further(
        first, ring[MEAN * lags + last], ring[HIGH * lags + last], ring[LOW * lags + last], mean, high, low, limit)
    for p in range(begin):  # all loops here begin at 0: from elsewhere they are not made into vectors
        ring[p] = APART


@lean_kernel
def least(ring: NDArray[np.int16], at: int) -> int:
    """The place of the least distance; of several, that of the least lag. *at*: where the newest stands."""
    found = NOWHERE
    for p in range(ring.size // ROWS):
        # Distance · 2^16 + lag; what stands before the newest is older than what stands behind, so its lag may wrap.
        found = min(found, np.int32((np.int64(ring[p]) << 16) | ((p - at) & 0xFFFF)))
    return int(at + np.int64(np.int16(found & 0xFFFF)))


@lean_kernel
def nearest_two(ring: NDArray[np.int16], begin: int, at: int) -> tuple[int, int]:
    """The places of the two least distances, the two newest blocks left out; −1: there is none."""
    lags = ring.size // ROWS
    have = lags - begin
    if have <= NEAR_LAG:
        return -1, -1
    newest, newer = at, at + 1 if at + 1 < lags else 0
    d_newest, d_newer = ring[newest], ring[newer]
    ring[newest] = ring[newer] = APART
    one, two = least(ring, at), -1
    if have > NEAR_LAG + 1:
        d_one = ring[one]
        ring[one] = APART
        two = least(ring, at)
        ring[one] = d_one
    ring[newest], ring[newer] = d_newest, d_newer
    return one, two


@lean_kernel
def lag_of(place: int, at: int, lags: int) -> int:
    """How many blocks before the present one the block in *place* is, if the newest stands *at*; 0: place is −1."""
    if place < 0:
        return 0
    return place - at + 1 if place >= at else place - at + 1 + lags


@lean_kernel
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
    limit = np.float32(1e30)
    if scale.seen > LIMIT_FROM and spread + scale.mean > 0.0:  # a constant that moves at last is beyond any limit
        limit = np.float32(LIMIT * (spread + scale.mean))
    have: Any = np.int64(scale.have)
    at: Any = np.int64(scale.at)
    begin = lags - have
    compare(ring, begin, np.float32(mean), np.float32(high), np.float32(low), limit)
    one, two = nearest_two(ring, begin, at)
    scale.nearest = np.int16(lag_of(one, at, lags))
    scale.second = np.int16(lag_of(two, at, lags))
    if two >= 0:
        s = 0.5 * (ring[one] + ring[two])
        if scale.seen >= KNOWN:
            by = spread + FLOOR * scale.mean
            z = (s - scale.mean) / by if by > 0.0 else (UNLIKE_MAX if s > scale.mean else 0.0)
            scale.z = np.float32(min(UNLIKE_MAX, max(0.0, z)))
        scale.seen += 1
        gain = max(1.0 / scale.seen, 1.0 / memory)
        surprise = s - scale.mean
        scale.mean = np.float32(scale.mean + gain * surprise)
        square = (1.0 - gain) * surprise * surprise
        scale.variance = np.float32(max(0.0, scale.variance + gain * (square - scale.variance)))
    scale.at = np.int16(lags - 1 if scale.at == 0 else scale.at - 1)
    ring[MEAN * lags + scale.at] = np.int16(mean)
    ring[HIGH * lags + scale.at] = np.int16(high)
    ring[LOW * lags + scale.at] = np.int16(low)
    if have < lags:
        scale.have = np.int16(have + 1)
        ring[0] = 0  # where the oldest block's pattern comes from: no distance yet
    if scale.seen >= KNOWN and scale.unit > 0.0:
        wanted = max((math.sqrt(scale.variance) + scale.mean) / FINE, scale.reach / COARSE)
        if wanted > 2.0 or 0.0 < wanted < 0.5:
            rescale(ring, scale, 0.0, max(1e-300, scale.unit * wanted))
    if scale.nearest >= 2:
        # Lag j is j + 1 blocks before the last, which is the newest of the ring: the block after it stands j further.
        scale.following = ring[MEAN * lags + (scale.at + scale.nearest - 1) % lags]
    scale.rows = 0


@inlined_kernel
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


@inlined_kernel
def successor(scale: Any) -> float:
    """The mean of the block that followed the most similar pattern; NaN if there is none."""
    return float(scale.origin + scale.following * scale.unit) if scale.nearest >= 2 else np.nan
