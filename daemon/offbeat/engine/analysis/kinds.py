"""Which kind of question a detector is."""

from __future__ import annotations

from collections.abc import MutableMapping

from offbeat.engine.analysis.appearing import Appearing
from offbeat.engine.analysis.correlated import Correlated
from offbeat.engine.analysis.judges import ByOwnPast, ByPeers, Judge
from offbeat.engine.analysis.measured import Measured
from offbeat.engine.analysis.names import UNLIMITED, Names
from offbeat.engine.analysis.placed import Placed
from offbeat.engine.analysis.question import Question
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec
from offbeat.engine.analysis.split import Room
from offbeat_detectors.buckets.functions import function_of

MEMORY_MB = 1_024
"""Of the models of a job that does not say."""
OF_MODELS = 0.75
"""The share of memory that entities and their models may take; the rest is for the values by which they are known."""
OF_PAIRS = 0.25
"""The share of that which a detector whose by values are judged beside each other may take for it."""
PAIR_BYTES = 120
"""Of an entity or a member beside its models and its name: a pair in a table of hashes, when it was seen."""
OPEN_BYTES = 160
"""Of a member that is measured: its numbers in an open bucket."""
NAME_BYTES = 100
"""Of a value, by which it is decided how many there may be."""


def question_of(index: int, analysis: AnalysisSpec, names: MutableMapping[str, Names]) -> Question:
    """Detector *index* of an analysis, at work. Raises UnknownFunction."""
    spec = analysis.detectors[index]
    function = function_of(spec.function)
    if function.probability in ("rare", "freq_rare"):
        each = Appearing.entity_bytes(function, spec)
        return Appearing(index, function, spec, analysis, names, room_of(analysis, spec, each))
    if function.probability in ("time", "position"):
        return Placed(index, function, spec, analysis, names, room_of(analysis, spec, Placed.entity_bytes(function)))
    by = ByPeers if spec.over else ByOwnPast
    judges: list[Judge] = [by(function, analysis.bucket_span_s, analysis.season_s) for _ in function.features]
    each = sum(judge.bytes_per_entity for judge in judges)
    if not (analysis.multivariate_by_fields and spec.by and not spec.over):
        return Measured(index, function, spec, analysis, names, judges, room_of(analysis, spec, each, OPEN_BYTES))
    for_pairs = int(OF_PAIRS * share_of(analysis))
    pairs = [Correlated(function, analysis.bucket_span_s, for_pairs // len(judges)) for _ in judges]
    each += sum(one.bytes_per_entity for one in pairs)
    room = room_of(analysis, spec, each, OPEN_BYTES, for_pairs)
    return Measured(index, function, spec, analysis, names, judges, room, pairs)


def memory_of(analysis: AnalysisSpec) -> int:
    """Bytes that an analysis may take; below 0: without limit."""
    return (analysis.memory_max_mb or MEMORY_MB) * 2**20


def share_of(analysis: AnalysisSpec) -> int:
    """Bytes that the models of one detector may take; below 0: without limit."""
    twice = 2 if analysis.overlapping_buckets else 1
    return int(OF_MODELS * memory_of(analysis)) // (twice * len(analysis.detectors))


def room_of(
    analysis: AnalysisSpec, spec: DetectorSpec, model_bytes: int, open_bytes: int = 0, other_bytes: int = 0
) -> Room:
    """How much a detector may know, if the models of an entity, and a member's part of a bucket, take so many bytes.

    other_bytes: what is set aside for something else
    """
    share = share_of(analysis) - other_bytes
    member = PAIR_BYTES + open_bytes
    entity = model_bytes + (PAIR_BYTES if spec.over else member)
    return Room.of(share, values_max(analysis), entity, member, over=bool(spec.over))


def values_max(analysis: AnalysisSpec) -> int:
    """How many values of each field an analysis may know."""
    memory = memory_of(analysis)
    share = int((1.0 - OF_MODELS) * memory) // max(1, len(analysis.columns))
    return UNLIMITED if memory < 0 else max(1, share // NAME_BYTES)
