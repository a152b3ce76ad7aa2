"""What stands in the journal: everything that changes the engine's state, and its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.entries import Command, Upload
from offbeat.packing import counts_up, pack, unpack
from offbeat.records import EMPTY_STRINGS, JobSpec, Strings

Kind = Literal[
    "data",
    "tick",
    "job_created",
    "job_deleted",
    "settings",
    "adjustment_added",
    "adjustment_removed",
    "records",
    "analysis",
]


@dataclass(frozen=True, slots=True)
class Block:
    """The events of one entry; names are already numbers of the catalog. Long form as in Table.

    source, time_ms                     (n,) int32, int64
    point_row, series, value            (p,) int32, int32, float64; rows ascending
    text_row, text_field, text_code     (t,) int32; fields and codes into the two lists of texts
    """

    source: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    point_row: NDArray[np.int32]
    series: NDArray[np.int32]
    value: NDArray[np.float64]
    text_row: NDArray[np.int32]
    text_field: NDArray[np.int32]
    text_code: NDArray[np.int32]
    text_fields: Strings = EMPTY_STRINGS
    texts: Strings = EMPTY_STRINGS

    @property
    def size(self) -> int:
        return int(self.source.size)

    def keep(self, rows: NDArray[np.bool_]) -> Block:
        """Only the events where *rows* (n,) is true."""
        if rows.all():
            return self
        number = np.cumsum(rows, dtype=np.int32) - np.int32(1)
        points, texts = rows[self.point_row], rows[self.text_row]
        return Block(
            self.source[rows],
            self.time_ms[rows],
            number[self.point_row[points]],
            self.series[points],
            self.value[points],
            number[self.text_row[texts]],
            self.text_field[texts],
            self.text_code[texts],
            self.text_fields,
            self.texts,
        )


def joined(blocks: Sequence[Block]) -> Block:
    """The events of *blocks*, of which none has texts, one after the other."""
    if len(blocks) == 1:
        return blocks[0]
    first_row = np.cumsum([0, *(block.size for block in blocks[:-1])]).astype(np.int32)
    return Block(
        np.concatenate([block.source for block in blocks]),
        np.concatenate([block.time_ms for block in blocks]),
        np.concatenate([block.point_row + first for block, first in zip(blocks, first_row, strict=True)]),
        np.concatenate([block.series for block in blocks]),
        np.concatenate([block.value for block in blocks]),
        blocks[0].text_row,
        blocks[0].text_field,
        blocks[0].text_code,
    )


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the journal knows it.

    *number* is never given twice; entries up to *created_seq* are none of its business.
    """

    number: int
    spec: JobSpec
    created_ms: int
    created_seq: int


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that results depend on. They are journaled, for a replay must not depend on today's config.

    lag_max_ms  a source whose lag is larger is back-filling: ticks leave it alone
    score_min   findings below are no records
    tick_ms     how often the clock ticks, or less; a silence that has not lasted longer is not asked about
    """

    lag_max_ms: int = 900_000
    score_min: float = 10.0
    tick_ms: int = 5_000


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Feedback on one series, as the journal knows it: the strengths of its findings are divided by *factor*.

    *number* is never given twice. It acts on the entries after its own: what was said before stays said.
    """

    number: int
    job: int
    series: int
    factor: float


@dataclass(frozen=True, slots=True)
class AdjustmentEnd:
    """Feedback that was taken back: *number* acts on no entry after this one."""

    number: int
    job: int
    series: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    *at_ms* is the wall clock when it was journaled: for data the time of arrival, for a tick what it says.

    body  a Block for data, a Job for job_created, the job's number for job_deleted, Settings for settings, None for
        a tick, an Adjustment for adjustment_added, an AdjustmentEnd for adjustment_removed; an Upload for records and a
        Command for analysis, which only analyses know
    """

    seq: int
    kind: Kind
    at_ms: int
    body: Block | Job | int | Settings | Adjustment | AdjustmentEnd | Upload | Command | None


@dataclass(frozen=True, slots=True)
class Run:
    """The events of k entries that follow one another, one after the other; columns as in Block.

    point_ms         (p,) int64  the time of each value
    seq, at_ms, end  (k,) int64  the number of each entry, when it arrived, and where its rows end
    """

    source: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    point_row: NDArray[np.int32]
    series: NDArray[np.int32]
    value: NDArray[np.float64]
    point_ms: NDArray[np.int64]
    seq: NDArray[np.int64]
    at_ms: NDArray[np.int64]
    end: NDArray[np.int64]

    @property
    def size(self) -> int:
        return int(self.source.size)

    def entry_of(self, row: NDArray[Any]) -> NDArray[np.int64]:
        """To which of the k entries each of these rows belongs."""
        return np.searchsorted(self.end, row, "right")


def run_of(entries: Sequence[Entry], blocks: Sequence[Block]) -> Run:
    """The events of these *blocks*, of each of n *entries* what counts of it; one at least, and none of them empty."""
    seq = np.array([entry.seq for entry in entries], np.int64)
    at_ms = np.array([entry.at_ms for entry in entries], np.int64)
    end = np.cumsum([block.size for block in blocks], dtype=np.int64)
    whole = blocks[0]
    if len(blocks) > 1:
        first = [0, *end[:-1].tolist()]
        none = np.zeros(0, np.int32)
        whole = Block(
            np.concatenate([b.source for b in blocks]),
            np.concatenate([b.time_ms for b in blocks]),
            np.concatenate([b.point_row + np.int32(f) for b, f in zip(blocks, first, strict=True)]),
            np.concatenate([b.series for b in blocks]),
            np.concatenate([b.value for b in blocks]),
            none,
            none,
            none,
        )
    in_turn = whole.point_row.size == whole.size and counts_up(whole.point_row)
    point_ms = whole.time_ms if in_turn else whole.time_ms[whole.point_row]
    return Run(whole.source, whole.time_ms, whole.point_row, whole.series, whole.value, point_ms, seq, at_ms, end)


def pack_block(block: Block) -> bytes:
    """*block* as the journal keeps it."""
    arrays: dict[str, NDArray[Any]] = {
        "source": block.source,
        "time": block.time_ms,
        "series": block.series,
        "value": block.value,
    }
    if block.point_row.size != block.size or not counts_up(block.point_row):
        arrays["point_row"] = block.point_row
    if block.text_row.size:
        arrays |= {
            "text_row": block.text_row,
            "text_field": block.text_field,
            "text_code": block.text_code,
            "field_data": block.text_fields.data,
            "field_end": block.text_fields.end,
            "text_data": block.texts.data,
            "text_end": block.texts.end,
        }
    return pack(arrays)


def unpack_block(packed: bytes) -> Block:
    """The block that ``pack_block`` was given. Raises BadPack."""
    a = unpack(packed)
    none = np.zeros(0, np.int32)
    rows = a["point_row"] if "point_row" in a else np.arange(a["source"].size, dtype=np.int32)
    if "text_row" not in a:
        return Block(a["source"], a["time"], rows, a["series"], a["value"], none, none, none)
    return Block(
        a["source"],
        a["time"],
        rows,
        a["series"],
        a["value"],
        a["text_row"],
        a["text_field"],
        a["text_code"],
        Strings(a["field_data"], a["field_end"]),
        Strings(a["text_data"], a["text_end"]),
    )
