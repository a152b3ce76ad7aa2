"""What stands in the journal for analyses."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Literal

import numpy as np
import orjson

from offbeat.engine.analysis.results import COUNTS
from offbeat.packing import pack, unpack
from offbeat.uploads import Records, arrays_of, records_of

Order = Literal["created", "deleted", "advance", "revert", "skip", "rest", "resume", "reset", "changed"]


@dataclass(frozen=True, slots=True)
class Upload:
    """Records for analysis number *job*.

    counts  what the door counted of their body, by ``results.COUNTS``
    cursor  of a feed: where its source has been read up to with these records; empty where nothing is read
    """

    job: int
    records: Records
    counts: dict[str, int] = field(default_factory=dict)
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """Anything else that changes analysis number *job*.

    created   begin it; the store has what it is asked
    deleted   end it
    advance   no record before *time_ms* will come
    changed   go on with what *spec* asks, of the same questions
    skip      the time up to the next record is downtime
    rest      take no events from now on
    resume    take events again, and the time up to the next record is downtime
    reset     forget what open buckets hold, those that overlap [time_ms, end_ms)
    revert    go on from the model snapshot *snapshot*; time_ms: 1 as if nothing had come since, −1 not earlier than
              now. Without a name: as if it had just begun
    """

    job: int
    order: Order
    time_ms: int = -1
    snapshot: str = ""
    end_ms: int = -1
    spec: str = ""


def pack_upload(upload: Upload) -> bytes:
    """*upload* as the journal keeps it."""
    counts = np.array([upload.counts.get(name, 0) for name in COUNTS], np.int64)
    arrays = arrays_of(upload.records) | {"job": np.array([upload.job], np.int64), "counts": counts}
    if upload.cursor:
        arrays["cursor"] = np.frombuffer(upload.cursor.encode(), np.uint8)
    return pack(arrays)


def unpack_upload(packed: bytes) -> Upload:
    """What ``pack_upload`` was given. Raises BadPack."""
    a = unpack(packed)
    counts = {name: int(count) for name, count in zip(COUNTS, a["counts"].tolist(), strict=True) if count}
    cursor = a["cursor"].tobytes().decode() if "cursor" in a else ""
    return Upload(int(a["job"][0]), records_of(a), counts, cursor)


def pack_command(command: Command) -> bytes:
    """*command* as the journal keeps it."""
    return orjson.dumps(asdict(command))


def unpack_command(packed: bytes) -> Command:
    """What ``pack_command`` was given."""
    return Command(**orjson.loads(packed))
