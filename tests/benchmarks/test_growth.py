"""What is counted on disk, and how curves are put into words."""
from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

import growth
from common import disk
from common.probe import Asked
from offbeat.packing import pack
from offbeat.store.database import FILE_NAME


def test_disk_is_counted_by_kind_beside_gzip_of_the_same_columns(tmp_path: Path) -> None:
    columns = {"series": np.repeat(np.arange(3, dtype=np.int32), 50), "time": np.arange(150), "value": np.ones(150)}
    body = pack(columns, 3)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        db.execute("CREATE TABLE chunk (kind TEXT, rows INTEGER, body BLOB)")
        db.executemany("INSERT INTO chunk VALUES (?, ?, ?)", [("readings", 150, body), ("1m", 150, body)])
        db.commit()
    plain = b"".join(column.tobytes() for column in columns.values())
    assert disk.spent(tmp_path, "readings") == disk.Spent(150, len(body), len(gzip.compress(plain, 6)))
    assert disk.spent(tmp_path, "buckets") == disk.Spent(0, 0, 0)
    assert set(disk.table_bytes(tmp_path)) == {"chunk"} and disk.table_bytes(tmp_path)["chunk"] >= 4096


def test_a_curve_has_the_median_of_each_point() -> None:
    assert growth.curve_text({1_000: [3e6, 1e6, 2e6], 1_000_000: [5e5]}) == "1,000: 2 M, 1,000,000: 500 k"


def test_the_largest_tables_are_named_first() -> None:
    assert growth.tables_text({"small": 2**20, "large": 3 * 2**20}) == "large 3.00, small 1.00"


def test_the_slowest_is_the_longest_or_a_percentile() -> None:
    asked = [Asked("a", 0.0, ms / 1000, 0) for ms in (1.0, 2.0, 9.0)]
    assert growth.slowest_ms(asked) == 9.0
    assert growth.slowest_ms(asked, 50) == 2.0
