"""What is read of a source at once, with where that is up to: records, what is counted of them, the new cursor."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import orjson

from offbeat.records import Strings
from offbeat.uploads import Records, joined
from offbeat.wire.records.description import DataDescription
from offbeat.wire.records.errors import UploadRefused
from offbeat.wire.records.reader import Reader
from offbeat.wire.records.table import Read
from offbeat.wire.records.transforms import Transform

Cursor = Mapping[str, Any]
"""Where a source has been read up to, as JSON; empty at the beginning."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records and the cursor behind them. They become one entry of the journal, so both are kept or none.

    told         what there is to say of the source: a file that was replaced, for instance
    reached_ms   the newest time that was read, wanted or not; None: none was
    outside      records that were read and are not wanted: not of the span that the feed was started for
    """

    records: Records
    counts: dict[str, int]
    cursor: Cursor
    told: tuple[str, ...] = ()
    reached_ms: int | None = None
    outside: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Records of [start, end) are wanted; None: no bound."""

    start_ms: int | None = None
    end_ms: int | None = None

    def batch(
        self, records: Records, counts: dict[str, int], cursor: Cursor, told: tuple[str, ...] = (),
    ) -> Batch:
        """What of *records* is wanted, as a batch."""
        kept = self._keep(records)
        reached = int(records.time_ms.max()) if records.size else None
        return Batch(kept, counts, cursor, told, reached, records.size - kept.size)

    def _keep(self, records: Records) -> Records:
        wanted = np.ones(records.size, np.bool_)
        if self.start_ms is not None:
            wanted &= records.time_ms >= self.start_ms
        if self.end_ms is not None:
            wanted &= records.time_ms < self.end_ms
        return records.keep(wanted)


class Reading(Protocol):
    """A source that is open. It reads on from whatever cursor it is given: what it holds itself only saves time."""

    complete_ms: int | None
    """All before it has been read when ``read`` gives None; None: that cannot be known."""

    async def read(self, cursor: Cursor, bounds: Bounds) -> Batch | None:
        """The next records behind *cursor*; None if there are none now. Raises FeedTrouble."""
        ...

    async def close(self) -> None:
        """Let the source go."""
        ...


@dataclass(frozen=True, slots=True)
class Form:
    """How bytes become records: see ``Reader``."""

    description: DataDescription
    transforms: Sequence[Transform]
    wanted: Sequence[str]

    def records_of(self, body: bytes) -> tuple[Records, dict[str, int]]:
        """The records of *body*, and what is counted of them.

        A record that cannot be read is counted, however many there are. Raises UploadRefused for a header without a
        field that is needed, and for JSON that is none.
        """
        reader = Reader(self.description, self.transforms, self.wanted, judges=False)
        reads = [*reader.feed(body), *reader.finish()]
        counts = counts_of(reads)
        return joined([read.records for read in reads]) if reads else self.none(), counts

    def none(self) -> Records:
        """No records."""
        fields = tuple(dict.fromkeys(self.wanted))
        texts = tuple(Strings.of(()) for _ in fields)
        return Records(np.zeros(0, np.int64), fields, np.zeros((len(fields), 0), np.int32), texts)

    def lines_of(self, lines: bytes) -> tuple[Records, dict[str, int]]:
        """As ``records_of``, of JSON in lines: one that is none is a bad record, and the others are read."""
        try:
            return self.records_of(lines)
        except UploadRefused:
            parts, counts = [], counts_of(())
            for line in lines.splitlines(keepends=True):
                try:
                    records, more = self.records_of(line)
                except UploadRefused:
                    more = counts_of(()) | {"input_bytes": len(line), "input_record": 1, "invalid_date": 1}
                else:
                    parts.append(records)
                counts = {name: number + more[name] for name, number in counts.items()}
            return joined(parts) if parts else self.none(), counts


def counts_of(reads: Sequence[Read]) -> dict[str, int]:
    """What the door counts of *reads*, by ``results.COUNTS``."""
    return {
        "input_bytes": sum(read.input_bytes for read in reads),
        "input_record": sum(read.record_count for read in reads),
        "input_field": sum(read.field_count for read in reads),
        "invalid_date": sum(read.invalid_date_count for read in reads),
        "failed_transform": sum(read.failed_transform_count for read in reads),
        "excluded_record": sum(read.excluded_count for read in reads),
    }


def cursor_text(cursor: Cursor) -> str:
    """*cursor* as the journal keeps it."""
    return orjson.dumps(cursor).decode()


def cursor_of(text: str) -> Cursor:
    """What ``cursor_text`` was given; empty for the empty text."""
    return dict(orjson.loads(text)) if text else {}
