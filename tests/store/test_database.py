"""The one file is made, taken or refused; a file that is refused keeps its bytes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from offbeat.errors import CannotStart, StateDirectoryInUse, StoreUnavailable, StoreUnusable
from offbeat.store import journal
from offbeat.store.database import FILE_NAME, Database, StateDirectory, prepare
from offbeat.store.findings import KEEP_RECORD
from offbeat.store.schema import APPLICATION_ID, MIGRATIONS


def digests(directory: Path) -> dict[str, str]:
    """Every file that holds data; the index of the log beside it (-shm) holds none."""
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in directory.iterdir()
        if not p.name.endswith("-shm") and p.stat().st_size
    }


def refused(path: Path) -> StoreUnusable:
    """The refusal of *path*, with its bytes untouched."""
    before = digests(path.parent)
    with pytest.raises(StoreUnusable) as refusal:
        prepare(path)
    assert digests(path.parent) == before
    assert str(path) in refusal.value.message and refusal.value.exit_status == 4
    return refusal.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


def made(path: Path) -> Path:
    """A file with the schema and some rows."""
    prepare(path)
    with sqlite3.connect(path) as db:
        db.executemany("INSERT INTO field VALUES (?, ?)", [(i, f"field-{i}" * 50) for i in range(2000)])
    db.close()
    return path


def test_a_new_file_has_the_schema_the_log_and_pages_that_can_be_given_back(path: Path) -> None:
    prepare(path)
    db = sqlite3.connect(path)
    asked = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in
             ("application_id", "user_version", "journal_mode", "auto_vacuum")]
    db.close()
    assert asked == [APPLICATION_ID, len(MIGRATIONS), "wal", 2]


def test_preparing_again_keeps_every_row(path: Path) -> None:
    prepare(made(path))
    assert sqlite3.connect(path).execute("SELECT count(*), sum(id) FROM field").fetchone() == (2000, 1999000)


def test_a_file_from_before_records_said_why_keeps_its_records_and_takes_those_that_nothing_came(path: Path) -> None:
    record = (1, 2, 60_000, 3, 61_000, 9.5, 1.0, 0.5, None, 4.0, 1e-5, 82.5, 17, 2, 99_000)
    with sqlite3.connect(path) as db:
        db.executescript(f"{MIGRATIONS[0]} PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version=1;")
        db.execute(f"INSERT INTO record VALUES ({', '.join('?' * len(record))})", record)
    db.close()
    prepare(path)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT * FROM record").fetchall() == [(*record, None)]
        db.execute("UPDATE record SET actual = NULL, evidence = x'01'")
        named = "SELECT name FROM sqlite_master WHERE tbl_name = 'record' AND name LIKE 'record_by_%' ORDER BY name"
        assert [name for (name,) in db.execute(named)] == ["record_by_place", "record_by_score", "record_by_source"]
    db.close()


def test_findings_of_a_file_from_before_they_stood_in_the_order_of_time_are_found_as_before(path: Path) -> None:
    records = [(1, series, bucket, series // 2, 9, 1.0, None, None, None, 2.0, None, 30.0 + series, 5, series, 7, None)
               for series in range(4) for bucket in (0, 60_000)]
    buckets = [(1, source, start, 3, 1, 2.0, 30.0, 5, source, 7) for source in range(2) for start in (0, 60_000)]
    with sqlite3.connect(path) as db:
        db.executescript(f"{' '.join(MIGRATIONS[:3])} PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version=3;")
        db.executemany(f"INSERT INTO record VALUES ({', '.join('?' * 16)})", records)
        db.executemany(f"INSERT INTO finding_bucket VALUES ({', '.join('?' * 10)})", buckets)
    db.close()
    prepare(path)
    with sqlite3.connect(path) as db:
        assert sorted(db.execute("SELECT * FROM record")) == sorted(records)
        assert sorted(db.execute("SELECT * FROM finding_bucket")) == sorted(buckets)
        db.executemany(f"{KEEP_RECORD.partition('SET')[0]} SET score = excluded.score", records)
        assert db.execute("SELECT count(*) FROM record").fetchone() == (len(records),)
    db.close()


def test_an_empty_file_is_as_good_as_none(path: Path) -> None:
    path.touch()
    prepare(path)
    assert sqlite3.connect(path).execute("SELECT count(*) FROM journal").fetchone() == (0,)


def test_a_start_that_was_killed_before_its_first_commit_is_begun_again(path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA auto_vacuum=INCREMENTAL")
    db.execute("PRAGMA journal_mode=WAL")
    db.close()
    assert path.stat().st_size
    prepare(path)
    assert sqlite3.connect(path).execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("dear diary\n" * 1000)
    assert "damaged or no database" in refused(path).message


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_database_of_another_program_is_refused(path: Path, mode: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA journal_mode={mode}")
    db.execute("CREATE TABLE cakes (name TEXT)")
    db.close()
    assert "not one of Offbeat" in refused(path).message


def left_with_a_log(path: Path, *sql: str) -> None:
    """Run *sql* in a process that dies with its log still beside the file."""
    code = "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None)\n" \
           "for sql in sys.argv[2:]: db.execute(sql)\nos._exit(0)"
    subprocess.run([sys.executable, "-c", code, str(path), *sql], check=True)
    assert Path(f"{path}-wal").stat().st_size


def test_the_log_of_another_programs_database_is_left_as_it_was(path: Path) -> None:
    left_with_a_log(path, "PRAGMA journal_mode=WAL", "CREATE TABLE cakes (name TEXT)")
    assert "not one of Offbeat" in refused(path).message


def test_a_newer_file_is_refused_with_its_log_as_it_was(path: Path) -> None:
    made(path)
    left_with_a_log(path, f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    refusal = refused(path)
    assert f"newer Offbeat (schema {len(MIGRATIONS) + 1}" in refusal.message and "upgrade" in refusal.hint


def test_the_log_of_a_daemon_that_was_killed_is_taken_along(path: Path) -> None:
    made(path)
    left_with_a_log(path, "INSERT INTO counter VALUES ('kept', 7)")
    prepare(path)
    assert sqlite3.connect(path).execute("SELECT value FROM counter").fetchall() == [(7,)]


@pytest.mark.parametrize("at", [0.3, 0.6])
def test_a_damaged_file_is_refused(path: Path, at: float) -> None:
    content = bytearray(made(path).read_bytes())
    first = int(len(content) * at)
    content[first : first + 20_000] = os.urandom(20_000) if at > 0.5 else bytes(20_000)
    path.write_bytes(content)
    refusal = refused(path)
    assert "damaged" in refusal.message and "restore a copy" in refusal.hint


def test_a_file_that_was_cut_short_is_refused(path: Path) -> None:
    content = made(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "damaged" in refused(path).message


def test_a_directory_in_its_place_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreUnusable, match="is a directory, not a database"):
        prepare(path)


def test_a_file_that_another_process_has_locked_is_refused(path: Path) -> None:
    made(path)
    code = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None)\n" \
           "db.execute('PRAGMA locking_mode=EXCLUSIVE'); db.execute('BEGIN EXCLUSIVE')\n" \
           "db.execute(\"INSERT INTO counter VALUES ('held', 1)\"); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreUnusable, match="locked by another program") as refusal:
            prepare(path)
        assert "close whatever has it open" in refusal.value.hint
        holder.communicate(b"")


NOBODY = 65534
as_nobody = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")


def as_somebody_else(function: str, path: Path) -> str:
    """What *function* of the store says of *path* to a process without permissions."""
    child = os.fork()
    answer = path.parent.parent / "answer"
    if child == 0:  # pragma: no cover: another process
        said = ""
        try:
            descriptor = os.open(answer, os.O_WRONLY | os.O_CREAT)
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            if function == "prepare":
                prepare(path)
            else:
                StateDirectory(path).__enter__()
        except BaseException as e:
            said = f"{type(e).__name__}: {e}"
        os.write(descriptor, said.encode())
        os._exit(0)
    os.waitpid(child, 0)
    return answer.read_text()


def reachable(path: Path) -> None:
    for parent in [path, *path.parents]:
        if parent.owner() == "root" and str(parent).startswith(("/tmp/pytest-of", "/tmp/offbeat")):
            parent.chmod(0o755)


@as_nobody
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    reachable(tmp_path)
    said = as_somebody_else("hold", tmp_path / "state")
    assert said.startswith("CannotStart: cannot write to the state directory") and "Permission denied" in said


@as_nobody
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_new_file_in_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    reachable(state)
    said = as_somebody_else("prepare", state / FILE_NAME)
    assert said.startswith("StoreUnusable") and "cannot be written" in said


@as_nobody
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("directory_is_ours", [False, True])
def test_a_file_that_may_only_be_read_is_refused(tmp_path: Path, directory_is_ours: bool) -> None:
    state = tmp_path / "state"
    state.mkdir()
    made(state / FILE_NAME).chmod(0o644)
    reachable(state)
    if directory_is_ours:
        os.chown(state, NOBODY, NOBODY)
    said = as_somebody_else("prepare", state / FILE_NAME)
    assert said.startswith("StoreUnusable") and "cannot be written" in said


def test_a_state_directory_has_one_holder_and_the_second_is_told_who(tmp_path: Path) -> None:
    with StateDirectory(tmp_path):
        with pytest.raises(StateDirectoryInUse, match=f"process {os.getpid()}") as refusal, StateDirectory(tmp_path):
            pass
        assert refusal.value.where["process"] == str(os.getpid()) and refusal.value.exit_status == 3
    with StateDirectory(tmp_path):
        assert (tmp_path / "offbeat.lock").read_text() == str(os.getpid())


def test_a_file_where_the_state_directory_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(CannotStart, match="cannot write to the state directory"), StateDirectory(tmp_path / "state"):
        pass


# ── transactions ──────────────────────────────────────────────────────────────────────────────────────────────────


async def counters(database: Database) -> dict[str, int]:
    return dict(await database.read("SELECT name, value FROM counter ORDER BY name"))


async def test_a_transaction_that_fails_leaves_nothing_and_the_next_goes_on(path: Path) -> None:
    prepare(path)
    async with Database(path) as database:
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as db:
                await db.execute("INSERT INTO counter VALUES ('a', 1)")
                raise ZeroDivisionError
        async with database.transaction() as db:
            await db.execute("INSERT INTO counter VALUES ('b', 1)")
        assert await counters(database) == {"b": 1}


async def test_a_transaction_that_is_cancelled_leaves_nothing(path: Path) -> None:
    prepare(path)
    async with Database(path) as database:
        inside = asyncio.Event()

        async def write() -> None:
            async with database.transaction() as db:
                await db.execute("INSERT INTO counter VALUES ('a', 1)")
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(write())
        await inside.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await counters(database) == {}
        assert await database.probe() == ""


async def test_a_file_that_cannot_grow_is_store_unavailable_until_it_can(path: Path) -> None:
    prepare(path)
    async with Database(path) as database:
        async with database.transaction() as db:
            await db.execute("INSERT INTO counter VALUES ('probe', 1)")
        ((pages,),) = await database._writer.execute_fetchall("PRAGMA page_count")
        await database._writer.execute_fetchall(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StoreUnavailable, match="full"):
            async with database.transaction() as db:
                await db.execute("INSERT INTO field VALUES (1, ?)", ("x" * 100_000,))
        assert "full" in database.unwritable
        await database._writer.execute_fetchall("PRAGMA max_page_count=1000000")
        assert await database.probe() == "" == database.unwritable


async def test_all_reads_of_a_snapshot_see_the_store_as_of_the_first(path: Path) -> None:
    prepare(path)
    async with Database(path) as database:
        async with database.snapshot() as seen:
            assert list(await seen.execute_fetchall("SELECT * FROM counter")) == []
            async with database.transaction() as db:
                await db.execute("INSERT INTO counter VALUES ('a', 1)")
            assert list(await seen.execute_fetchall("SELECT * FROM counter")) == []
            assert await counters(database) == {"a": 1}
        for _ in range(5):
            assert await counters(database) == {"a": 1}


async def test_the_journal_is_pruned_in_steps_up_to_where_it_may_be_and_keeps_count(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    prepare(path)
    async with Database(path) as database:
        count = 2 * journal.PRUNED_AT_ONCE + 3
        await database.write([("INSERT INTO journal VALUES (?, 'tick', 0, NULL)", [(n,) for n in range(1, count + 1)])])
        await journal.prune(database, count - 2)
        assert await database.read("SELECT seq FROM journal ORDER BY seq") == [(count - 1,), (count,)]
        await journal.prune(database, count)
        assert (await database.read("SELECT * FROM journal"), await journal.last_seq(database)) == ([], count)
