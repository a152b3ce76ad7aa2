"""What a state directory spends its bytes on. Reads the file of a daemon that was stopped; writes nothing."""
from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from offbeat.packing import unpack
from offbeat.store.database import FILE_NAME

GZIP_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Spent:
    """Bytes and rows of one kind of chunk.

    body_bytes  as they lie in the file    gzip_bytes  the same columns as plain arrays, each chunk by ``gzip -6``
    """

    rows: int
    body_bytes: int
    gzip_bytes: int


def spent(state_dir: Path, kind: str) -> Spent:
    """On chunks of *kind*: readings, 1m, 1h, 1d or buckets."""
    rows = body_bytes = gzip_bytes = 0
    with closing(sqlite3.connect(f"file:{state_dir / FILE_NAME}?mode=ro", uri=True)) as db:
        for count, body in db.execute("SELECT rows, body FROM chunk WHERE kind = ?", (kind,)):
            plain = b"".join(column.tobytes() for column in unpack(body).values())
            rows, body_bytes = rows + count, body_bytes + len(body)
            gzip_bytes += len(gzip.compress(plain, GZIP_LEVEL))
    return Spent(rows, body_bytes, gzip_bytes)


def table_bytes(state_dir: Path) -> dict[str, int]:
    """Pages of each table with its indexes, in bytes, by name."""
    with closing(sqlite3.connect(f"file:{state_dir / FILE_NAME}?mode=ro", uri=True)) as db:
        return {name: int(size) for name, size in db.execute(
            "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m USING (name) GROUP BY m.tbl_name")}
