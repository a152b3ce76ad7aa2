"""The one file: opened, locked, migrated; one connection that writes, a few that read."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from offbeat.errors import CannotStart, StateDirectoryInUse, StoreUnavailable, StoreUnusable
from offbeat.store.schema import APPLICATION_ID, MIGRATIONS
from offbeat.store.turn import Turn

T = TypeVar("T")
FILE_NAME = "offbeat.sqlite"
READERS = 3
Statements = Sequence[tuple[str, Sequence[Sequence[Any]]]]
"""Statements, each with the rows that it is executed for."""
UNWRITABLE = ("full", "readonly", "read-only", "disk i/o", "unable to open", "i/o error")


class StateDirectory:
    """The state directory, held by this process alone as long as the context lasts.

    Raises StateDirectoryInUse if another process holds it, CannotStart if it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Path:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path / "offbeat.lock", "a+")
            self._hold()
        except OSError as e:
            raise CannotStart(
                f"cannot write to the state directory {self.path}: {e.strerror}",
                hint="free some space, mend the permissions, or choose another one with --state-dir",
                where={"path": str(self.path)},
            ) from e
        return self.path

    def _hold(self) -> None:
        """Lock the file and write into it whose it is."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise StateDirectoryInUse(
                f"another daemon (process {holder}) uses the state directory {self.path}",
                hint="stop it, or choose another directory with --state-dir",
                where={"path": str(self.path), "process": holder},
            ) from e
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        self._file.close()


def prepare(path: Path) -> None:
    """Create or migrate the file at *path*, and see that it is whole enough to use.

    Raises StoreUnusable for a file that is corrupt, foreign, locked or newer than this program; such a file is left
    as it was.
    """

    def unusable(message: str, hint: str = "the file was left as it is") -> StoreUnusable:
        return StoreUnusable(f"{path} {message}", hint=hint, where={"path": str(path)})

    if path.is_dir():
        raise unusable("is a directory, not a database", "move it away or choose another --state-dir")
    fresh = not path.exists() or path.stat().st_size == 0
    try:
        version = 0 if fresh else _version_of(path, unusable)
        with closing(_opened(path, "rwc")) as db:
            db.execute("PRAGMA auto_vacuum=INCREMENTAL")
            db.execute("PRAGMA journal_mode=WAL")
            for number in range(version, len(MIGRATIONS)):
                db.executescript(
                    f"BEGIN IMMEDIATE; {MIGRATIONS[number]} PRAGMA application_id={APPLICATION_ID}; "
                    f"PRAGMA user_version={number + 1}; COMMIT;"
                )
    except sqlite3.DatabaseError as e:
        said = str(e).lower()
        if "locked" in said:
            raise unusable("is locked by another program", "close whatever has it open") from e
        if any(word in said for word in UNWRITABLE):
            raise unusable(f"cannot be written: {e}", "free some space or mend the permissions") from e
        raise unusable(f"is damaged or no database: {e}", "restore a copy; the file was left as it is") from e


def _version_of(path: Path, unusable: Callable[..., StoreUnusable]) -> int:
    """The schema of an existing file that may be used. Reads only: who opens to write moves the log into the file."""
    began = Path(f"{path}-journal").exists()  # cut short in its first moment: to read it is to roll it back
    with closing(_opened(path, "rw" if began else "ro")) as db:
        if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return 0  # a start that was killed before its first commit
            raise unusable("is a database, but not one of Offbeat", "move it away or choose another --state-dir")
        problem = (
            db.execute("PRAGMA quick_check(1)").fetchone()[0] if path.stat().st_size < QUICK_CHECK_BYTES else "ok"
        )
        if problem != "ok":
            raise unusable(f"is damaged: {problem.splitlines()[-1]}", "restore a copy; the file was left as it is")
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > len(MIGRATIONS):
            raise unusable(
                f"was written by a newer Offbeat (schema {version}, this one knows {len(MIGRATIONS)})",
                "upgrade Offbeat; the file was left as it is",
            )
        return version


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{_quoted(path)}?mode={mode}", uri=True, isolation_level=None, timeout=2.0)


QUICK_CHECK_BYTES = 64 * 1024 * 1024  # a larger file is not read whole at each start; damage shows when it is met


class Database:
    """The open file. Use as a context; ``prepare`` must have been called on the path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unwritable = ""  # why the last transaction failed, empty if it did not
        self._turn = Turn()
        self._free: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
        self._all: list[aiosqlite.Connection] = []

    async def __aenter__(self) -> Database:
        self._writer = await self._connect(f"file:{_quoted(self.path)}")
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "wal_autocheckpoint=0",
            "cache_size=-16384",
            "journal_size_limit=67108864",
        ):
            await self._writer.execute(f"PRAGMA {pragma}")
        for _ in range(READERS):
            self._free.put_nowait(await self._connect(f"file:{_quoted(self.path)}?mode=ro"))
        self._mover = await self._connect(f"file:{_quoted(self.path)}")
        self._glancer = await self._connect(f"file:{_quoted(self.path)}?mode=ro")
        return self

    async def _connect(self, uri: str) -> aiosqlite.Connection:
        db = await aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=10.0)
        self._all.append(db)
        return db

    async def __aexit__(self, *_: object) -> None:
        for db in reversed(self._all):  # the writer last: it tidies the log away
            await db.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """One transaction of the one writer: all of it or, on any error or cancellation, nothing.

        Raises StoreUnavailable if the file cannot be written now; it is tried anew with each transaction.
        """
        async with self._turn.taken():
            db = self._writer
            try:
                await db.execute("BEGIN IMMEDIATE")
                yield db
                await db.execute("COMMIT")
            except BaseException as e:
                await asyncio.shield(db.rollback())  # does nothing where COMMIT was faster
                self._tell(e)
                raise
            self.unwritable = ""

    async def write(self, statements: Statements) -> None:
        """Execute each statement for each of its rows: a ``transaction`` of one trip to the writer's thread.

        A cancelled caller does not undo it. Raises StoreUnavailable; then nothing of it is stored.
        """
        async with self._turn.taken():
            await self._written(lambda: statements)

    async def write_next(self, make: Callable[[], Callable[[], Statements]]) -> None:
        """As ``write``, before all others that wait for their turn; for who never has two that wait.

        *make* is called when it is its turn. What that gives is called on the writer's thread, before the transaction
        begins, for the statements.
        """
        async with self._turn.taken(next=True):
            await self._written(make())

    async def _written(self, make: Callable[[], Statements]) -> None:
        db = self._writer
        try:  # aiosqlite has no public way to run more than one statement a trip
            await asyncio.shield(db._execute(_write, db._conn, make))  # type: ignore[no-untyped-call]
        except Exception as e:
            self._tell(e)
            raise
        self.unwritable = ""

    def _tell(self, error: BaseException) -> None:
        """Raise StoreUnavailable if *error* is of the file; others, such as a broken constraint, are faults of ours."""
        if isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError:
            self.unwritable = str(error)
            raise StoreUnavailable(
                f"the database cannot be written: {error}; nothing was stored",
                hint="free some space or mend the file's permissions; Offbeat goes on by itself",
            ) from error

    async def read(self, sql: str, parameters: Iterable[Any] = ()) -> list[Any]:
        """All rows of a query, read from a connection of its own."""
        db = await self._free.get()
        try:
            return list(await db.execute_fetchall(sql, parameters))
        finally:
            self._free.put_nowait(db)

    async def glance(self, sql: str) -> list[Any]:
        """All rows of a small query that must not wait behind large ones, for it has a connection of its own."""
        return list(await self._glancer.execute_fetchall(sql))

    async def look(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run *function* on the thread of a connection that reads: several reads and what is made of them in one trip.

        To cross threads takes longer than a small read while the processors are busy.
        """
        db = await self._free.get()
        try:  # as in ``write``
            looked: T = await db._execute(function, db._conn)  # type: ignore[no-untyped-call]
            return looked
        finally:
            self._free.put_nowait(db)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[aiosqlite.Connection]:
        """A connection whose reads all see the store as of the first of them."""
        db = await self._free.get()
        try:
            await db.execute("BEGIN")
            yield db
        finally:
            await asyncio.shield(db.rollback())
            self._free.put_nowait(db)

    async def move_log(self) -> None:
        """Move the write-ahead log into the file, without holding up the writer."""
        await self._mover.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")

    async def probe(self) -> str:
        """Try to write: empty if that works, else why it does not."""
        try:
            async with self.transaction() as db:
                await db.execute("INSERT INTO counter VALUES ('probe', 1) ON CONFLICT DO UPDATE SET value = value + 1")
        except StoreUnavailable:
            pass
        return self.unwritable

    def size_bytes(self) -> int:
        """The size of the file and its log on disk."""
        return sum(p.stat().st_size for p in (self.path, Path(f"{self.path}-wal")) if p.exists())


def _write(db: sqlite3.Connection, make: Callable[[], Statements]) -> None:
    statements = make()
    db.execute("BEGIN IMMEDIATE")
    try:
        for sql, rows in statements:
            db.executemany(sql, rows)
        db.execute("COMMIT")
    except BaseException:
        db.rollback()
        raise


def _quoted(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
