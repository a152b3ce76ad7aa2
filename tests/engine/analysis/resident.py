"""Prints how much memory 50,000 by entities take, as it is counted, and as the process has grown. Run as a program."""

from __future__ import annotations

import sys

import numpy as np
import psutil

from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.entries import Upload
from offbeat.engine.analysis.spec import DetectorSpec
from offbeat.records import Strings
from offbeat.uploads import Records
from tests.engine.analysis.logs import SPAN_S, START_MS, spec_of

AT_ONCE = 5_000
BUCKETS = 8


def fed(function: str, entities: int) -> Analysis:
    """An analysis by host after a few buckets with a record of each host."""
    analysis = Analysis(spec_of(DetectorSpec(function, "" if "count" in function else "value", by="host")))
    codes = np.arange(AT_ONCE, dtype=np.int32)
    for bucket in range(BUCKETS):
        for first in range(0, entities, AT_ONCE):
            time_ms = np.full(AT_ONCE, START_MS + 1000 * SPAN_S * bucket, np.int64)
            texts = {
                "host": Strings.of(f"host-{i:06d}.example.org" for i in range(first, first + AT_ONCE)),
                "value": Strings.of(str(i) for i in range(AT_ONCE)),
            }
            fields = analysis.spec.columns
            columns = tuple(texts[field] for field in fields)
            analysis.take(Upload(1, Records(time_ms, fields, np.stack([codes] * len(fields)), columns)))
    analysis.advance(START_MS + 1000 * SPAN_S * BUCKETS)
    return analysis


def main() -> None:
    """Say bytes counted, and bytes grown by, after a small one has warmed everything."""
    fed(sys.argv[1], AT_ONCE)
    before = psutil.Process().memory_info().rss
    analysis = fed(sys.argv[1], int(sys.argv[2]))
    print(analysis.size().model_bytes, psutil.Process().memory_info().rss - before)


if __name__ == "__main__":
    main()
