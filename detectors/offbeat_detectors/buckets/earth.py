"""Places on earth: is this one where the entity is found?"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.kept import Kept
from offbeat_detectors.buckets.normal import PROBABILITY_MIN
from offbeat_detectors.kernel import inlined_kernel, kernel

PLACES = 12
EARTH = np.dtype([
    ("known", "i8"), ("new", "f8"), ("total", "f8"), ("held", "i8"), ("weight", "f8", (PLACES,)),
    ("square", "f8", (PLACES,)), ("centre", "f8", (PLACES, 3)),
])
"""One entity, 512 bytes.

known         positions learned; total: their decayed weight; new: the decayed weight of those that began a place
held          how many of the places are in use
weight        of each, decayed; square: mean squared distance from its centre along an axis, km²
centre        on the unit sphere
"""

RADIUS_KM = 6371.0
KEEP = 0.5 ** (1.0 / 2000.0)  # a position
KNOWN_FIRST = 5  # before the first opinion
BLUR_KM = 0.5  # no place is known better; as good as one position
JOINS = 4.0  # deviations from the centre of a place, within which a position belongs to it
OVERLAP = 4.0  # deviations of both: places as near as that are one
FREEDOM_MAX = 30.0
NEW_KM = 500.0  # from a place to a new one: half are nearer than 700 km


@dataclass(frozen=True, slots=True)
class EarthOpinions:
    """What is said of n positions.

    probability  (n,) float64    of a position at least as unusual; NaN: no opinion
    typical      (n, 2) float64  latitude and longitude, in degrees, of the middle of the nearest known place
    """

    probability: NDArray[np.float64]
    typical: NDArray[np.float64]


def position_of(text: str) -> tuple[float, float] | None:
    """Latitude and longitude in degrees of a text like "48.2,16.37"; None if it is none.

    Latitude from −90 to 90, longitude from −180 to 180.
    """
    parts = text.split(",")
    if len(parts) != 2:
        return None
    try:
        latitude, longitude = float(parts[0]), float(parts[1])
    except ValueError:
        return None
    return (latitude, longitude) if abs(latitude) <= 90.0 and abs(longitude) <= 180.0 else None


@inlined_kernel
def on_sphere(latitude: float, longitude: float) -> tuple[float, float, float]:
    """The point of the unit sphere at so many degrees."""
    a, b = math.radians(latitude), math.radians(longitude)
    return math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a)


@inlined_kernel
def apart_km(s: Any, place: int, x: float, y: float, z: float) -> float:
    """The great-circle distance of a point of the unit sphere from the centre of *place*."""
    dx, dy, dz = x - s.centre[place, 0], y - s.centre[place, 1], z - s.centre[place, 2]
    return 2.0 * RADIUS_KM * math.asin(min(1.0, 0.5 * math.sqrt(dx * dx + dy * dy + dz * dz)))


@inlined_kernel
def spread_km2(s: Any, place: int) -> float:
    """The squared spread of *place* along an axis, BLUR_KM counted as one position."""
    return float((s.weight[place] * s.square[place] + BLUR_KM * BLUR_KM) / (s.weight[place] + 1.0))


@kernel
def nearest_of(s: Any, x: float, y: float, z: float) -> tuple[int, float]:
    """The place nearest to a point, and how far it is; −1 if there is none."""
    best, least = -1, 1e9
    for place in range(s.held):
        far = apart_km(s, place, x, y, z)
        if far < least:
            best, least = place, far
    return best, least


@kernel
def judge_position(s: Any, latitude: float, longitude: float) -> tuple[float, float, float]:
    """The probability of a position at least as unusual, and latitude and longitude of the nearest place.

    s  a row of dtype EARTH, left as it is

    A mixture of the known places, each by its share of the weight, and of a place that is not known yet, by the share
    of positions that began one. Within a place the distance has the law of a vector of two Student numbers,
    P(R ≥ r) = (1 + r²/(f s²))^(−f/2), f being one less than the weight of the place, up to 30; that of a new place from
    the nearest one has the same law of f = 2 and s = NEW_KM.
    Source: S. Kotz, S. Nadarajah, "Multivariate t distributions and their applications", 2004.
    """
    if s.known < KNOWN_FIRST or not (abs(latitude) <= 90.0 and abs(longitude) <= 360.0):
        return np.nan, np.nan, np.nan
    x, y, z = on_sphere(latitude, longitude)
    near, far = nearest_of(s, x, y, z)
    p = (s.new + 0.5) / (s.total + 1.0) / (1.0 + far * far / (2.0 * NEW_KM * NEW_KM))
    for place in range(s.held):
        freedom = min(FREEDOM_MAX, max(1.0, s.weight[place] - 1.0))
        r = apart_km(s, place, x, y, z)
        p += s.weight[place] / (s.total + 1.0) * math.exp(
            -0.5 * freedom * math.log1p(r * r / (freedom * spread_km2(s, place))))
    cx, cy, cz = s.centre[near, 0], s.centre[near, 1], s.centre[near, 2]
    return (min(1.0, max(PROBABILITY_MIN, p)), math.degrees(math.atan2(cz, math.hypot(cx, cy))),
            math.degrees(math.atan2(cy, cx)))


@kernel
def join_nearest(s: Any, only_near: bool) -> None:
    """Make one place of the two nearest to each other, in their spreads; if *only_near*, only if they overlap."""
    one, other, apart, least = 0, 1, 0.0, 1e300
    for i in range(s.held):
        for j in range(i + 1, s.held):
            far = apart_km(s, i, s.centre[j, 0], s.centre[j, 1], s.centre[j, 2])
            spreads = far * far / (spread_km2(s, i) + spread_km2(s, j))
            if spreads < least:
                one, other, apart, least = i, j, far, spreads
    if s.held < 2 or (only_near and least > OVERLAP * OVERLAP):
        return
    s.new = max(0.0, s.new - 1.0)  # what is joined now was no new place
    share = s.weight[other] / (s.weight[one] + s.weight[other])
    between = 0.5 * share * (1.0 - share) * apart * apart
    s.square[one] = (1.0 - share) * s.square[one] + share * s.square[other] + between
    move(s, one, s.centre[other, 0], s.centre[other, 1], s.centre[other, 2], share)
    s.weight[one] += s.weight[other]
    last = s.held - 1
    s.weight[other], s.square[other] = s.weight[last], s.square[last]
    s.centre[other, :] = s.centre[last, :]
    s.held = last


@inlined_kernel
def move(s: Any, place: int, x: float, y: float, z: float, share: float) -> None:
    """Move the centre of *place* by a *share* of the way to a point, on the sphere."""
    cx = s.centre[place, 0] + share * (x - s.centre[place, 0])
    cy = s.centre[place, 1] + share * (y - s.centre[place, 1])
    cz = s.centre[place, 2] + share * (z - s.centre[place, 2])
    length = math.sqrt(cx * cx + cy * cy + cz * cz)
    if length > 1e-9:  # halfway between two ends of the earth is everywhere
        s.centre[place, 0], s.centre[place, 1], s.centre[place, 2] = cx / length, cy / length, cz / length


@kernel
def learn_position(s: Any, latitude: float, longitude: float) -> None:
    """Learn a position: the nearest place grows, or a new one begins.

    Source: J. MacQueen, "Some methods for classification and analysis of multivariate observations", 1967 (k-means with
    a coarsening and a refining distance), with centres and spreads that fade.
    """
    if not (abs(latitude) <= 90.0 and abs(longitude) <= 360.0):
        return
    x, y, z = on_sphere(latitude, longitude)
    s.total *= KEEP
    s.new *= KEEP
    for place in range(s.held):
        s.weight[place] *= KEEP
    near, far = nearest_of(s, x, y, z)
    if near < 0 or far * far > JOINS * JOINS * max(4.0 * BLUR_KM * BLUR_KM, spread_km2(s, near)):
        if s.held == PLACES:
            join_nearest(s, False)
        near = s.held
        s.held += 1
        s.centre[near, 0], s.centre[near, 1], s.centre[near, 2] = x, y, z
        s.weight[near] = s.square[near] = far = 0.0
        if s.known > 0:
            s.new += 1.0
    s.known += 1
    s.total += 1.0
    s.weight[near] += 1.0
    share = 1.0 / s.weight[near]
    s.square[near] += share * (0.5 * far * far - s.square[near])
    move(s, near, x, y, z, share)
    join_nearest(s, True)


@kernel
def earth_all(
    rows: NDArray[Any], entity: NDArray[np.int32], bucket: NDArray[np.int64], latitude: NDArray[np.float64],
    longitude: NDArray[np.float64], learns: bool, said: NDArray[np.float64],
) -> None:
    """``judge_position`` of n, those of one entity and bucket before any is learned; *said* (3, n) is filled."""
    first = 0
    while first < entity.size:
        last = first + 1
        while last < entity.size and entity[last] == entity[first] and bucket[last] == bucket[first]:
            last += 1
        s = rows[entity[first]]
        for i in range(first, last):
            said[0, i], said[1, i], said[2, i] = judge_position(s, latitude[i], longitude[i])
        if learns:
            for i in range(first, last):
                learn_position(s, latitude[i], longitude[i])
        first = last


class EarthModel(Kept):
    """How odd is a position? One model for each of *capacity* entities, of up to 12 places each, 512 bytes.

    The weight of a place fades by half in 2,000 positions; places that overlap become one, and if a thirteenth
    begins, the two nearest. No opinion before five positions. Prelert Engine API, section 5: lat_long.
    """

    bytes_per_entity = EARTH.itemsize

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity, EARTH)

    def process(
        self, entity: NDArray[np.int32], bucket: NDArray[np.int64], latitude: NDArray[np.float64],
        longitude: NDArray[np.float64],
    ) -> EarthOpinions:
        """Judge, then learn, n positions.

        entity               (n,) int32    its buckets ascend, and the rows of one are neighbours, all in one call
        bucket               (n,) int64    number of the bucket
        latitude, longitude  (n,) float64  degrees; what is no position (NaN, beyond 90 or 360) has no opinion
        """
        said = np.empty((3, entity.size), np.float64)
        earth_all(self._rows, entity, bucket, latitude, longitude, True, said)
        return EarthOpinions(said[0], said[1:].T.copy())

    def judge(
        self, entity: NDArray[np.int32], latitude: NDArray[np.float64], longitude: NDArray[np.float64],
    ) -> EarthOpinions:
        """Judge n positions and learn nothing. Arguments as of ``process``."""
        said = np.empty((3, entity.size), np.float64)
        earth_all(self._rows, entity, np.zeros(entity.size, np.int64), latitude, longitude, False, said)
        return EarthOpinions(said[0], said[1:].T.copy())
