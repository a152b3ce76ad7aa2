"""Records as tests send them: a seeded stream of many fields, and how it is cut."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.entries import Upload
from offbeat.engine.analysis.results import BucketResult, Rescore
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec
from offbeat.records import Strings
from offbeat.uploads import Records

SPAN_S = 60
START_MS = 1_700_000_000_000 // (1000 * SPAN_S) * (1000 * SPAN_S)
Row = dict[str, str]


def records_of(rows: Sequence[tuple[int, Row]], fields: Sequence[str]) -> Records:
    """Rows of (time in ms, fields) as columns; a field that a row has not got is missing."""
    codes = np.full((len(fields), len(rows)), -1, np.int32)
    texts = []
    for i, field in enumerate(fields):
        known: dict[str, int] = {}
        for j, (_, row) in enumerate(rows):
            if row.get(field):
                codes[i, j] = known.setdefault(row[field], len(known))
        texts.append(Strings.of(known))
    return Records(np.array([time_ms for time_ms, _ in rows], np.int64), tuple(fields), codes, tuple(texts))


def calm(count: int, seed: int, *, step_ms: int = 900, jitter_ms: int = 0) -> list[tuple[int, Row]]:
    """Records of four hosts and three users with a value, a word, a place and a message; some fields are missing.

    The load of all hosts is nearly the same in a bucket.
    """
    rng, loads = random.Random(seed), random.Random(seed + 1)
    load = [loads.gauss(10, 1) for _ in range(1 + count * step_ms // (1000 * SPAN_S))]
    rows = []
    for i in range(count):
        host, user = rng.choice("abcd"), rng.choice(("ann", "bob", "eve"))
        row = {
            "host": f"host-{host}",
            "user": user,
            "value": f"{rng.gauss(100, 5):.3f}",
            "word": rng.choice(("get", "put", "list")),
            "place": f"{48 + rng.gauss(0, 0.01):.4f},{16 + rng.gauss(0, 0.01):.4f}",
            "message": f"request {rng.randrange(10**6)} of {user} took {rng.randrange(100)} ms",
            "count": str(rng.randrange(1, 4)),
            "load": f"{load[i * step_ms // (1000 * SPAN_S)] + loads.gauss(0, 0.1):.3f}",
        }
        if rng.random() < 0.03:
            del row[rng.choice(("host", "value", "user"))]
        rows.append((START_MS + i * step_ms - rng.randrange(jitter_ms + 1), row))
    return rows


def spec_of(*detectors: DetectorSpec, **others: object) -> AnalysisSpec:
    """An analysis in buckets of a minute."""
    return AnalysisSpec("test", detectors, SPAN_S, **others)  # type: ignore[arg-type]


def analysed(
    analysis: Analysis, rows: Sequence[tuple[int, Row]], cuts: Sequence[int] = ()
) -> list[BucketResult]:
    """The final results of *rows*, sent in parts that end at *cuts*."""
    found: list[BucketResult | Rescore] = []
    ends = sorted({min(cut, len(rows)) for cut in cuts} | {len(rows)})
    for start, stop in zip([0, *ends], ends, strict=False):
        found += analysis.take(Upload(1, records_of(rows[start:stop], analysis.spec.columns))).buckets
    return [one for one in found if isinstance(one, BucketResult)]


def same_state(one: Analysis, other: Analysis) -> bool:
    """Are two analyses alike, bit for bit?"""
    a, b = one.save(), other.save()
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


def changing(count: int, seed: int) -> list[tuple[int, Row]]:
    """As ``calm``, but of a hundred hosts, users and words that come and go; in places some come back, or are many."""
    rng = random.Random(seed)
    rows = []
    for i, (time_ms, row) in enumerate(calm(count, seed)):
        if rng.random() < 0.7:
            newest = i // 20 if rng.random() < 0.9 else rng.randrange(count // 20)
            for field in ("host", "user", "word"):
                if field in row:
                    row[field] = f"{field}-{(newest + rng.randrange(3)) % 100}"
        rows.append((time_ms, row))
    return rows
