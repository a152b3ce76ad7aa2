"""Databases: rows of a query along a column that grows, each once; SQLite and a real PostgreSQL."""
from __future__ import annotations

import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from offbeat.feeds.errors import MissingExtra
from offbeat.feeds.postgres import driver
from offbeat.feeds.queries import plain, tagged
from offbeat.feeds.spec import spec_of
from tests.feeds.parts import JOB, csv, house, rows, uploaded

ROWS = rows(3, 1_000)
CSV = {"source": {"kind": "file", "path": "-"}}


def sqlite(path: Path, some: list[tuple[int, str, float]]) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        columns = "id INTEGER PRIMARY KEY, time INTEGER, host TEXT, value REAL"
        database.execute(f"CREATE TABLE IF NOT EXISTS seen ({columns})")
        database.executemany("INSERT INTO seen (time, host, value) VALUES (?, ?, ?)", some)


def source(file: Path, **more: Any) -> dict[str, Any]:
    return {"source": {"kind": "sqlite", "path": str(file), "query": "SELECT * FROM seen;", "cursor": "id", "rows": 70,
                       **more}}


@pytest.mark.parametrize("cursor", ["id", "time"])
async def test_rows_are_read_once_page_by_page_and_across_restarts(cursor: str, tmp_path: Path) -> None:
    """Along the time three rows have the same value, and a page may end between them."""
    expected, path = await uploaded(tmp_path / "whole", csv(ROWS), CSV), tmp_path / "db"
    sqlite(path, ROWS[:500])
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path, cursor=cursor))
        await home.waits.asleep()
        assert home.at_work().report.record_count == 500
        await home.waits.look()
        assert home.at_work().report.batch_count == 8, "nothing new is no entry of the journal"
    sqlite(path, ROWS[500:])
    async with house(tmp_path / "fed") as home:
        await home.waits.asleep()
        found = await home.found()
        assert [found[name] for name in ("result_bucket", "result_record", "latest")] == [
            expected[name] for name in ("result_bucket", "result_record", "latest")]


async def test_a_page_full_of_one_value_is_passed(tmp_path: Path) -> None:
    path = tmp_path / "db"
    sqlite(path, [(1_700_000_040, "h", float(i)) for i in range(500)] + [(1_700_000_041, "h", 1.0)])
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path, cursor="time"))
        await home.waits.asleep()
        assert home.at_work().report.record_count == 501


@pytest.mark.parametrize(("more", "said"), [
    ({"query": "SELECT * FROM gone"}, "no such table"),
    ({"cursor": "number"}, "no column 'number'"),
    ({"query": "DELETE FROM seen"}, "syntax error"),
    ({"query": "SELECT * FROM seen) AS fed; DELETE FROM seen; --"}, "one statement at a time"),
    ({"path": "/nowhere/db"}, "unable to open"),
])
async def test_a_query_that_fails_is_told_and_tried_again(more: dict[str, str], said: str, tmp_path: Path) -> None:
    path = tmp_path / "db"
    sqlite(path, ROWS[:10])
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path, **more))
        await home.waits.look()
        report = home.at_work().report
        assert report.trouble is not None
        assert said in report.trouble.message
        assert (report.trouble.tries, home.waits.seconds) == (2, [1.0, 2.0])
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM seen").fetchone() == (10,)


@pytest.mark.parametrize("value", [
    7, 1.5, "text", datetime(2026, 3, 1, 12, 0, 0, 123456, UTC), date(2026, 3, 1), Decimal("1.20"), UUID(int=5)])
def test_a_value_of_the_cursor_column_comes_back_as_it_was(value: object) -> None:
    assert plain(tagged(value)) == value
    assert type(plain(tagged(value))) is type(value)


def test_without_the_extra_a_feed_says_which_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(MissingExtra) as raised:
        driver()
    assert "offbeat[postgres]" in raised.value.hint


# ── PostgreSQL ────────────────────────────────────────────────────────────────────────────────────────────────────


def programs() -> Path | None:
    """Where initdb and postgres are, if they are installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    every = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return every[-1].parent if every else None


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server of PostgreSQL with a password, of a user that is not root."""
    where = programs()
    if where is None:
        pytest.skip("PostgreSQL is not installed: initdb is not found")
    directory = Path("/tmp") / f"offbeat-postgres-{os.getpid()}"
    directory.mkdir(mode=0o700)
    (directory / "password").write_text("se:cret\n")
    as_user: dict[str, Any] = {"cwd": "/"}
    if os.getuid() == 0:  # it refuses to run as root
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        as_user |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    try:
        subprocess.run(
            [where / "initdb", "-D", directory / "data", "-U", "ann", "-A", "scram-sha-256", "--no-sync",
             f"--pwfile={directory}/password"],
            check=True, capture_output=True, **as_user)
        server = subprocess.Popen(
            [where / "postgres", "-D", directory / "data", "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c",
             f"unix_socket_directories={directory}", "-c", "fsync=off"], stderr=subprocess.PIPE, **as_user)
        assert server.stderr is not None
        for line in server.stderr:
            if b"ready to accept connections" in line:
                break
        try:
            yield f"postgresql://ann:se%3Acret@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait(30)
            server.stderr.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def filled(url: str, some: list[tuple[int, str, float]], *, anew: bool = False) -> None:
    database = await driver().connect(url)
    if anew:
        await database.execute("DROP TABLE IF EXISTS seen; CREATE TABLE seen (id bigserial PRIMARY KEY, "
                               "at timestamptz, host text, value double precision, number numeric)")
    await database.executemany("INSERT INTO seen (at, host, value, number) VALUES ($1, $2, $3, $4)", [
        (datetime.fromtimestamp(time, UTC), host, value, Decimal(i)) for i, (time, host, value) in enumerate(some)])
    await database.close()


@pytest.mark.parametrize("cursor", ["id", "at"])
async def test_rows_of_postgres_are_read_once_and_across_restarts(cursor: str, postgres: str, tmp_path: Path) -> None:
    expected = await uploaded(tmp_path / "whole", csv(ROWS), CSV)
    document = {"source": {"kind": "postgres", "url": postgres, "query": "SELECT * FROM seen", "cursor": cursor,
                           "rows": 70}, "data": {"time_field": "at"}}
    await filled(postgres, ROWS[:500], anew=True)
    async with house(tmp_path / "fed") as home:
        await home.fed(document)
        await home.waits.asleep()
        assert home.at_work().report.record_count == 500
    await filled(postgres, ROWS[500:])
    async with house(tmp_path / "fed") as home:
        await home.waits.asleep()
        found = await home.found()
        assert [found[name] for name in ("result_bucket", "result_record", "latest")] == [
            expected[name] for name in ("result_bucket", "result_record", "latest")]


async def test_a_query_of_postgres_can_change_nothing_and_a_wrong_password_is_told(
    postgres: str, tmp_path: Path
) -> None:
    await filled(postgres, ROWS[:10], anew=True)
    document: dict[str, Any] = {"source": {
        "kind": "postgres", "url": postgres, "cursor": "id",
        "query": "SELECT setval('seen_id_seq', 900) AS id, 1700000040 AS time, 'h' AS host, 1 AS value"}}
    async with house(tmp_path / "fed") as home:
        await home.fed(document)
        await home.waits.asleep()
        trouble = home.at_work().report.trouble
        assert trouble is not None
        assert "read-only" in trouble.message
        await home.feeds.stop(JOB.id)
        document["source"] |= {"query": "SELECT *, 1 AS time FROM seen", "password": "wrong"}
        document["source"]["url"] = postgres.replace("se%3Acret", "wrong")
        await home.feeds.put(JOB.id, spec_of(document))
        await home.feeds.start(JOB.id)
        await home.waits.asleep()
        found = home.at_work().report.trouble
        assert found is not None
        assert "password authentication failed" in found.message
        assert "wrong" not in found.message
