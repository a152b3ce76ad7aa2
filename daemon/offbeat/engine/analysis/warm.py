"""Compiles the kernels of analyses before anything waits for them, by small analyses that ask every function."""

from __future__ import annotations

import numpy as np

from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.entries import Upload
from offbeat.engine.analysis.spec import CATEGORY_FIELD, AnalysisSpec, DetectorSpec
from offbeat.records import Strings
from offbeat.uploads import Records
from offbeat_detectors.buckets.functions import FUNCTIONS, Function

SPAN_S, BUCKETS, ROWS = 60, 60, 6
BY, OVER, MEASURED, PLACE, MESSAGE = "by", "over", "value", "place", "message"
ODD_FROM = 58
"""The bucket from which on all is different: there is something to blame."""


def warm_up() -> None:
    """Compile every kernel that an analysis may need, or load it: half a minute the first time."""
    detectors = [one for function in FUNCTIONS if function.side == "both" for one in _forms(function)]
    spec = AnalysisSpec(
        "warm",
        (*detectors, DetectorSpec("count", by=CATEGORY_FIELD)),
        SPAN_S,
        latency_s=SPAN_S,
        influencers=(OVER, MESSAGE),
        categorization_field=MESSAGE,
        multivariate_by_fields=True,
    )
    analysis = Analysis(spec)
    analysis.take(Upload(1, _records()))
    analysis.interim(None, None)
    analysis.advance(1000 * SPAN_S * (BUCKETS + 1))
    Analysis(spec).restore(analysis.save())


def _forms(function: Function) -> list[DetectorSpec]:
    """*function* with its own past, and with peers, as far as it may be asked so."""
    field = "" if function.field == "forbidden" else PLACE if function.probability == "position" else MEASURED
    by = "" if function.by == "forbidden" else BY
    made = [] if function.over == "required" else [DetectorSpec(function.name, field, by)]
    return made if function.over == "forbidden" else [*made, DetectorSpec(function.name, field, by, OVER)]


def _records() -> Records:
    """A few rows a bucket; of the last ones those are odd."""
    size = BUCKETS * ROWS
    row = np.arange(size)
    odd = (row >= ODD_FROM * ROWS).tolist()
    texts: dict[str, list[str]] = {
        BY: [f"b{i % 2}" if i % 3 or not late else f"new{i}" for i, late in zip(row.tolist(), odd, strict=True)],
        OVER: [f"o{i % 3}" for i in row.tolist()],
        MEASURED: [f"{9000 + i}" if late else "100" for i, late in zip(row.tolist(), odd, strict=True)],
        PLACE: [f"{40 + i % 3},{8 + i % 2}" for i in row.tolist()],
        MESSAGE: [f"request {i} of user took {i % 9} ms" for i in row.tolist()],
    }
    codes = np.empty((len(texts), size), np.int32)
    distinct = []
    for j, column in enumerate(texts.values()):
        known: dict[str, int] = {}
        codes[j] = [known.setdefault(text, len(known)) for text in column]
        distinct.append(Strings.of(known))
    return Records(row * (1000 * SPAN_S // ROWS), tuple(texts), codes, tuple(distinct))
