"""Which kind of question a detector is."""

from __future__ import annotations

from collections.abc import MutableMapping

from offbeat.engine.analysis.measured import MEMBER_BYTES, ByOwnPast, Judge, Measured
from offbeat.engine.analysis.names import Names
from offbeat.engine.analysis.question import Question
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat_detectors.buckets.functions import function_of

MEMORY_MB = 1_024
"""Of the models of a job that does not say."""


def question_of(index: int, analysis: AnalysisSpec, names: MutableMapping[str, Names]) -> Question:
    """Detector *index* of an analysis, at work. Raises UnknownFunction."""
    spec = analysis.detectors[index]
    function = function_of(spec.function)
    memory = analysis.memory_max_mb or MEMORY_MB
    judges: list[Judge] = [ByOwnPast(function, analysis.bucket_span_s) for _ in function.features]
    each = MEMBER_BYTES + sum(judge.bytes_per_member for judge in judges)
    most = 2**31 - 1 if memory < 0 else max(1, memory * 2**20 // len(analysis.detectors) // each)
    return Measured(index, function, spec, analysis, names, judges, most)
