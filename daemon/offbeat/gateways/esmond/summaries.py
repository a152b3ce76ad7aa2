"""What the values of a bin come to: its state, kept as JSON, and what each summary says of it. Pure.

Source: esmond measurement archive, sections 14 and 17.
"""
from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import orjson

from offbeat.gateways.esmond.catalogue import DataType
from offbeat.gateways.esmond.values import EXACT, INT64, ratio
from offbeat_detectors.histograms import Merged, statistics
from offbeat_detectors.totals import Total, rounded

COUNT_MAX = INT64 - 1


def changed(data_type: DataType, state: bytes | None, added: Sequence[Any], removed: Sequence[Any]) -> bytes:
    """The state of a bin with the values *added* and without those *removed*; None is that of an empty one."""
    before = orjson.loads(state) if state is not None else None
    if data_type == "histogram":
        buckets = {name: (int(samples), int(times)) for name, (samples, times) in (before or {}).items()}
        merged = Merged(buckets).changed(added, removed)
        return orjson.dumps({name: (str(samples), times) for name, (samples, times) in merged.buckets.items()})
    assert not removed, "what is written once is never replaced"
    if data_type == "percentage":
        numerators, denominators = before or ("0", "0")
        return orjson.dumps([
            str(Total(Fraction(numerators)).plus(pair[0] for pair in added).sum),
            str(Total(Fraction(denominators)).plus(pair[1] for pair in added).sum),
        ])
    text, count = before or ("0", 0)
    total = Total(Fraction(text), count).plus(added)
    return orjson.dumps([str(total.sum), total.count])


def said(data_type: DataType, summary_type: str, state: bytes) -> bytes:
    """What a summary returns of a bin, as JSON."""
    kept = orjson.loads(state)
    match data_type, summary_type:
        case "histogram", "aggregation":
            return orjson.dumps({name: min(int(samples), COUNT_MAX) for name, (samples, _) in sorted(kept.items())})
        case "histogram", _:
            return orjson.dumps(statistics({name: int(samples) for name, (samples, _) in kept.items()}))
        case "percentage", _:
            return orjson.dumps(ratio(Fraction(kept[0]), Fraction(kept[1])))
        case _, "average":
            return orjson.dumps(Total(Fraction(kept[0]), kept[1]).mean)
    total = Fraction(kept[0])
    if data_type == "integer" and EXACT < abs(total) <= COUNT_MAX:
        return orjson.dumps(int(total))
    return orjson.dumps(rounded(total))
