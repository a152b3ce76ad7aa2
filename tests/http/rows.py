"""The rows behind the examples of the API: each, as a document, is the example."""
from __future__ import annotations

import numpy as np

from offbeat.engine.entries import Adjustment
from offbeat.engine.views import Waiting
from offbeat.feedback import AdjustmentInfo
from offbeat.store.adjustments import Given, Kept
from offbeat.store.queries import (
    Bucket,
    DaemonDiagnosis,
    Limit,
    Page,
    QuarantinedLine,
    Record,
    RecordInFull,
    SeriesDiagnosis,
    SeriesInfo,
    SeriesReadings,
    SourceDiagnosis,
    SourceInfo,
    Suppressed,
)
from offbeat.vitals import Health, JobCounts
from offbeat.weighing import Effect, Weighed
from offbeat_detectors.explain import Reason, pack

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
    "rhythm",
    pack(Reason((("pattern", 3.0), ("jump", 1.0)), (812,), 0, 0.5, 1.0)),
)
RECORD_IN_FULL = RecordInFull(RECORD, (LAST - 33_112_000,), LAST - 13_000, 1, 1_449_093_420_000, 8720)
SOURCE = SourceInfo(
    "AAL", 1, 8720, 0, 1_449_093_420_000, LAST, LAST, {"airline": "American", "desk": "B4"},
    (SeriesInfo("responsetime", 8720, 98.1, LAST),))
READINGS = SeriesReadings(
    "responsetime", "raw", True, 8720, np.array([LAST]), {"value": np.array([98.1])},
    {"time_ms": np.array([LAST]), "typical": np.array([100.2]), "lower": np.array([60.1]), "upper": np.array([140.3])})
DIAGNOSIS = (
    DaemonDiagnosis(
        "1.0", START, 17, 17, 0, True, "", "", 1234, {"bad_time": 1}, (Limit("engine.series_max", 19, 1_000_000),)
    ),
    Page(
        (
            SourceDiagnosis(
                "AAL",
                LAST,
                LAST,
                0.2,
                3.1,
                True,
                8720,
                0,
                (
                    SeriesDiagnosis(
                        "watch",
                        "responsetime",
                        "warming_up",
                        23,
                        1380.0,
                        None,
                        0,
                        1.0,
                        1.0,
                        0.0046,
                        89_580.0,
                        "warming up: 23 more readings, about 23 minutes",
                    ),
                ),
                (Suppressed("watch", 17, 2, 0, 0),),
            ),
        ),
        None,
    ),
)
QUARANTINED = QuarantinedLine(
    5, LAST, "ndjson", 3, "bad_time", 'the time "yesterday" is neither ISO 8601 nor an epoch number', '{"time": "yest')
WEIGHED = Weighed(
    None, "normal", "watch", "AAL", "responsetime", START, START + 60_000, "the partner's nightly batch", 4.02, 1.0,
    4.02, 25.0, 24.9, False,
    (
        Effect("watch:0:AAL:responsetime:1449677640000", LAST, 73.2, 73.2, 24.9),
        Effect("watch:0:AAL:responsetime:1449591240000", LAST - 86_400_000, 31.0, 31.0, 0.0),
    ),
    0, 3, 2, 1, 0, 0)
ADJUSTMENT = AdjustmentInfo(
    Kept(
        Given(Adjustment(17, 1, 0, 4.02), "normal", "the partner's nightly batch", START, START + 60_000),
        LAST, 40, None, None, 2, 0),
    "watch", "AAL", "responsetime")
HEALTH = Health(
    DIAGNOSIS[0], START + 32_000, None,
    {"events_per_s_1m": 54.0, "events_per_s_5m": 54.0, "rejected_per_s_5m": 0.1, "late_per_s_5m": 0.0,
     "findings_per_h": 112.5},
    {"time": [START + 10_000, START + 20_000], "events_per_s": [53.9, 54.1], "rejected_per_s": [0.1, 0.0],
     "late_per_s": [0.0, 0.0], "pending_bytes": [0, 0], "lag": [0, 1], "store_bytes": [1234, 1234]},
    67_108_864, 0, 0, 19, 19, START + 31_000, Waiting(1, np.ones(19, np.int64), np.zeros(19, np.int64)),
    JobCounts(1, 0, ()), 1 << 36, {"retention.readings_days": 30.0})
