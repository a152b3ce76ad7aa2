"""The rows behind the examples of the API: each, as a document, is the example."""
from __future__ import annotations

import numpy as np

from offbeat.store.queries import (
    Bucket,
    DaemonDiagnosis,
    Limit,
    Page,
    QuarantinedLine,
    Record,
    SeriesDiagnosis,
    SeriesInfo,
    SeriesReadings,
    SourceDiagnosis,
    SourceInfo,
)

START, LAST = 1_449_677_640_000, 1_449_677_642_000
BUCKET = Bucket("watch", "AAL", START, 60, 54, 1, 19.5, 100.0, False)
RECORD = Record(
    "watch:0:AAL:responsetime:1449677640000",
    "watch",
    0,
    "value",
    "AAL",
    "responsetime",
    START,
    60,
    LAST,
    302.9,
    100.2,
    60.1,
    140.3,
    19.5,
    1e-12,
    100.0,
    {"model": "ewma", "sentence": "responsetime of AAL was 302.9, typical is 100.2 (60.1 to 140.3)"},
)
SOURCE = SourceInfo(
    "AAL", 1, 8720, 0, 1_449_093_420_000, LAST, LAST, {"airline": "American", "desk": "B4"},
    (SeriesInfo("responsetime", 8720, 98.1, LAST),))
READINGS = SeriesReadings(
    "responsetime", "raw", True, 8720, np.array([LAST]), {"value": np.array([98.1])},
    {"time_ms": np.array([LAST]), "typical": np.array([100.2]), "lower": np.array([60.1]), "upper": np.array([140.3])})
DIAGNOSIS = (
    DaemonDiagnosis(
        "1.0", START, 17, 17, 0, True, "", 1234, {"bad_time": 1}, (Limit("engine.series_max", 19, 1_000_000),)
    ),
    Page(
        (
            SourceDiagnosis(
                "AAL", LAST, LAST, 0.2, 3.1, True, 8720, 0, (SeriesDiagnosis("watch", "responsetime", 0, "ready"),)
            ),
        ),
        None,
    ),
)
QUARANTINED = QuarantinedLine(
    5, LAST, "ndjson", 3, "bad_time", 'the time "yesterday" is neither ISO 8601 nor an epoch number', '{"time": "yest')
