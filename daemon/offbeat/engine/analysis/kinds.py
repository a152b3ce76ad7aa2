"""Which kind of question a detector is."""

from __future__ import annotations

from collections.abc import MutableMapping

from offbeat.engine.analysis.appearing import Appearing
from offbeat.engine.analysis.judges import ByOwnPast, ByPeers, Judge
from offbeat.engine.analysis.measured import MEMBER_BYTES, Measured
from offbeat.engine.analysis.names import Names
from offbeat.engine.analysis.placed import Placed
from offbeat.engine.analysis.question import Question
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat_detectors.buckets.functions import function_of

MEMORY_MB = 1_024
"""Of the models of a job that does not say."""
EVENT_MODEL_BYTES = 1_400
"""What a model of times takes; one of places takes less."""


def question_of(index: int, analysis: AnalysisSpec, names: MutableMapping[str, Names]) -> Question:
    """Detector *index* of an analysis, at work. Raises UnknownFunction."""
    spec = analysis.detectors[index]
    function = function_of(spec.function)
    if function.probability in ("rare", "freq_rare"):
        return Appearing(index, function, spec, analysis, names, most_of(analysis, MEMBER_BYTES))
    if function.probability in ("time", "position"):
        return Placed(index, function, spec, analysis, names, most_of(analysis, MEMBER_BYTES + EVENT_MODEL_BYTES))
    by = ByPeers if spec.over else ByOwnPast
    judges: list[Judge] = [by(function, analysis.bucket_span_s) for _ in function.features]
    each = MEMBER_BYTES + sum(judge.bytes_per_member for judge in judges)
    return Measured(index, function, spec, analysis, names, judges, most_of(analysis, each))


def most_of(analysis: AnalysisSpec, bytes_each: int) -> int:
    """How many entities a detector of an analysis may know, if each takes so many bytes."""
    memory = analysis.memory_max_mb or MEMORY_MB
    return 2**31 - 1 if memory < 0 else max(1, memory * 2**20 // len(analysis.detectors) // bytes_each)
