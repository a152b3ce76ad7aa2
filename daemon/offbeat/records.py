"""The words that every room uses, as data: columns of what sensors sent. No behaviour beyond packing texts."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat.config import DEFAULT_MODEL


@dataclass(frozen=True, slots=True)
class Strings:
    """k texts, packed, so that a thousand names cost no Python objects until somebody looks.

    data  (b,) uint8   the UTF-8 bytes, one text after the other
    end   (k,) int64   text i is data[end[i-1]:end[i]], with end[-1] read as 0 for i = 0
    """

    data: NDArray[np.uint8]
    end: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Strings:
        """Pack *texts*."""
        encoded = [text.encode() for text in texts]
        data = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        return cls(data, np.cumsum([len(e) for e in encoded], dtype=np.int64))

    def __len__(self) -> int:
        return int(self.end.size)

    def __getitem__(self, i: int) -> str:
        start = int(self.end[i - 1]) if i else 0
        return self.data[start : int(self.end[i])].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        packed, start = self.data.tobytes(), 0
        if packed.isascii():  # one character a byte: a text is cut from the whole
            whole = packed.decode("ascii")
            for end in self.end.tolist():
                yield whole[start:end]
                start = end
            return
        for end in self.end.tolist():
            yield packed[start:end].decode()
            start = end


EMPTY_STRINGS = Strings(np.zeros(0, np.uint8), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class Table:
    """The decoded form of one or more bodies: n events in arrival order, p numeric values, t text values.

    Values stand in the long form (one entry a value, not one column a field), so that a body with a
    million different field names costs what it weighs.

    sources      names, each once, in order of first sight
    source       (n,) int32    event i comes from sources[source[i]]
    time_ms      (n,) int64    event time, milliseconds since 1970 UTC
    fields       names of numeric fields, each once, in order of first sight
    point_row    (p,) int32    ascending; value j belongs to event point_row[j]
    point_field  (p,) int32    and to fields[point_field[j]]; no field twice in one event
    point_value  (p,) float64  finite: a missing value is no entry at all
    text_fields  names of text fields, each once, in order of first sight
    texts        distinct text values, each once, in order of first sight
    text_row     (t,) int32    ascending
    text_field   (t,) int32    into text_fields
    text_code    (t,) int32    into texts
    """

    sources: Strings
    source: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    fields: Strings
    point_row: NDArray[np.int32]
    point_field: NDArray[np.int32]
    point_value: NDArray[np.float64]
    text_fields: Strings
    texts: Strings
    text_row: NDArray[np.int32]
    text_field: NDArray[np.int32]
    text_code: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """One line that was not taken.

    body    which body of those that were decoded together, from 0
    line    line number in that body, from 1 (a CSV header is line 1; in a JSON array, the element's number)
    code    the reason as a word, for counters; one of those listed in docs/api.md
    reason  the reason as a sentence
    start   the first characters of the line, at most 200; undecodable bytes replaced
    """

    body: int
    line: int
    code: str
    reason: str
    start: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came of decoding some bodies together.

    table           the good lines of all bodies, body after body
    body_end        (b,) int64  the events of body i are rows body_end[i-1]:body_end[i] of the table
    row_line        (n,) int32  the line number (as in RejectedLine) of each event in its body
    rejected        rejected lines in order; at most a bounded number for each body
    rejected_count  (b,) int64  all rejected lines of each body, also those not listed
    rejected_codes  how many lines were rejected for each code, over all bodies
    failed          for each body that could not be read at all, its index and the reason; it has no rows
    """

    table: Table
    body_end: NDArray[np.int64]
    row_line: NDArray[np.int32]
    rejected: tuple[RejectedLine, ...]
    rejected_count: NDArray[np.int64]
    rejected_codes: dict[str, int]
    failed: dict[int, str]


@dataclass(frozen=True, slots=True)
class LineError:
    """A rejected line as its sender is told of it."""

    line: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one body: what was taken is durable.

    errors    the first rejected lines; *errors_omitted* more are only counted
    sequence  journal number of the last entry that holds any of it; of the newest entry if it holds none
    """

    accepted: int
    rejected: int
    errors: tuple[LineError, ...]
    errors_omitted: int
    sequence: int

    def as_dict(self) -> dict[str, object]:
        """As the API answers."""
        errors = [{"line": e.line, "code": e.code, "reason": e.reason} for e in self.errors]
        return {"accepted": self.accepted, "rejected": self.rejected, "errors": errors,
                "errors_omitted": self.errors_omitted, "sequence": self.sequence}


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a job is asked to do. *sources* and *fields* are patterns of fnmatch, case-sensitive.

    model        a model by the name that ``offbeat_detectors.registry`` knows
    parameters   its parameters as JSON values
    peer_groups  patterns of sources: for a model that learns from peers, the sources that match the same one first are
                 peers, and those that match none; without any, all are
    models_max   most models that it holds at once, divided evenly among *shards*; 0: one for every series. A job takes
                 both over from the built-in one, and that from the settings, when it is created
    """

    id: str
    description: str = ""
    function: str = "value"
    sources: tuple[str, ...] = ("*",)
    fields: tuple[str, ...] = ("*",)
    bucket_span_s: int = 60
    latency_s: int = 0
    model: str = DEFAULT_MODEL
    parameters: tuple[tuple[str, object], ...] = ()
    peer_groups: tuple[str, ...] = ()
    models_max: int = 0
    shards: int = 0


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job and what it has done.

    model_count     series that have a model now    evicted_count  models that were evicted at the limit
    unjudged_count  readings that nobody judged, for the place of a model was not free
    """

    spec: JobSpec
    created_ms: int
    series_count: int
    model_count: int
    evicted_count: int
    unjudged_count: int
    event_count: int
    late_count: int
    record_count: int
    bytes_per_series: int
