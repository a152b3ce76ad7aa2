"""Tokens as rows: made, listed, revoked, by the daemon and by a command beside it. Of a secret only a hash is kept."""
from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
import time
from base64 import b32encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from offbeat.errors import BadRequest, CannotStart, Conflict, NotFound, StateDirectoryInUse
from offbeat.store.database import FILE_NAME, StateDirectory, Statements, prepare
from offbeat.store.schema import MIGRATIONS

Scope = Literal["ingest", "read", "admin"]
State = Literal["active", "expired", "revoked"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
TOKENS_MAX = 1_000
"""Rows that are kept; what was revoked or has expired goes first, the oldest of it."""
SESSIONS_MAX = 1_000
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
PATIENCE_S = 5.0
"""How long a command waits for a daemon that has only just begun."""
SECRET_BYTES = 32
SALT_BYTES = 16
SELECT = "SELECT id, name, scopes, salt, digest, created_ms, expires_ms, revoked_ms FROM token ORDER BY created_ms, id"
SELECT_EPOCH = "SELECT epoch FROM token_epoch"
SELECT_SESSIONS = "SELECT digest, token, expires_ms FROM token_session ORDER BY created_ms"
INSERT = "INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
REVOKE = "UPDATE token SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL"
DELETE = "DELETE FROM token WHERE id = ?"
INSERT_SESSION = "INSERT INTO token_session VALUES (?, ?, ?, ?)"
DELETE_SESSION = "DELETE FROM token_session WHERE digest = ?"
DELETE_SESSIONS_OF = "DELETE FROM token_session WHERE token = ?"


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token as it is kept. *expires_ms* None: never."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    salt: bytes
    digest: bytes
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None

    def state(self, now_ms: int) -> State:
        """What it is worth at *now_ms*."""
        if self.revoked_ms is not None:
            return "revoked"
        return "expired" if self.expires_ms is not None and self.expires_ms <= now_ms else "active"


def digest_of(secret: str, salt: bytes) -> bytes:
    """What is kept of *secret*: BLAKE2b under its *salt*, 32 bytes.

    A password is hashed slowly because it can be guessed. A secret here is 256 bits of chance, of which nobody guesses
    one however fast he tries, and it is checked with each request.
    """
    return hashlib.blake2b(secret.encode(errors="surrogateescape"), digest_size=32, salt=salt).digest()


def kept(rows: Iterable[Sequence[Any]]) -> tuple[KeptToken, ...]:
    """The tokens that ``SELECT`` gave."""
    return tuple(KeptToken(id, name, tuple(scopes.split(",")), *rest) for id, name, scopes, *rest in rows)


def made(
    known: Sequence[KeptToken], name: str, scopes: Iterable[str], expires_ms: int | None, now_ms: int
) -> tuple[KeptToken, str, Statements]:
    """A new token beside those *known*, the text that its holder is given, and what writes it.

    Raises BadRequest for a name, a scope or a time that none can have, Conflict if the name is taken.
    """
    asked = set(scopes)
    if NAME.fullmatch(name) is None:
        raise BadRequest(f"the name is {name!r:.80}: expected 1 to 64 letters, digits, '.', '_' or '-'",
                         where={"field": "name"})
    if not asked or not asked <= set(SCOPES):
        raise BadRequest(f"the scopes are {', '.join(sorted(asked)) or 'none'}: expected some of {', '.join(SCOPES)}",
                         where={"field": "scopes"})
    if expires_ms is not None and expires_ms <= now_ms:
        raise BadRequest("the token would have expired already", where={"field": "expires"})
    if any(name in (one.id, one.name) for one in known if one.revoked_ms is None or name == one.id):
        raise Conflict(f"there is a token {name} already", hint="revoke it first, or choose another name",
                       where={"token": name})
    over = [one for one in known if one.state(now_ms) != "active"]
    gone = over[: max(0, len(known) + 1 - TOKENS_MAX)]
    if len(known) - len(gone) >= TOKENS_MAX:
        raise Conflict(f"there are {TOKENS_MAX} tokens already", hint="revoke those that nobody uses")
    taken = {word for one in known for word in (one.id, one.name)}
    id = next(id for id in iter(_new_id, "") if id not in taken)
    secret, salt = secrets.token_urlsafe(SECRET_BYTES), secrets.token_bytes(SALT_BYTES)
    ordered = tuple(scope for scope in SCOPES if scope in asked)
    token = KeptToken(id, name, ordered, salt, digest_of(secret, salt), now_ms, expires_ms, None)
    row = (id, name, ",".join(ordered), salt, token.digest, now_ms, expires_ms, None)
    return token, f"{id}.{secret}", ((DELETE, [(one.id,) for one in gone]), (INSERT, [row]))


def _new_id() -> str:
    return b32encode(secrets.token_bytes(5)).decode().lower()


def revoked(known: Sequence[KeptToken], word: str, now_ms: int) -> tuple[KeptToken, Statements]:
    """The token whose id or name *word* is, and what revokes it with its sessions. Raises NotFound, Conflict."""
    found = [one for one in known if word in (one.id, one.name)]
    if not found:
        raise NotFound(f"there is no token {word:.80}", hint="`offbeat token list` lists them",
                       where={"token": word[:80]})
    for one in found:
        if one.revoked_ms is None:
            return one, ((REVOKE, [(now_ms, one.id)]), (DELETE_SESSIONS_OF, [(one.id,)]))
    raise Conflict(f"the token {word} was revoked already", where={"token": word})


FORGET: Statements = (("DELETE FROM token", [()]), ("DELETE FROM token_session", [()]))
"""All tokens are gone, as if there had never been one."""


def any_token(state_dir: Path) -> bool:
    """Whether the store in *state_dir* holds a token, revoked ones too; no, if there is no store that can be read."""
    path = state_dir / FILE_NAME
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)) as db:
            return bool(db.execute("SELECT count(*) FROM token").fetchone()[0])
    except sqlite3.DatabaseError:  # what is wrong with it, the start says
        return False


@contextmanager
def beside(state_dir: Path) -> Iterator[sqlite3.Connection]:
    """The store in *state_dir*, for one transaction that is committed at the end; a daemon may be running on it.

    A store that is not there, or older than this program, is made ready as a start does it, which takes the directory
    for that moment. Raises CannotStart.
    """
    path = state_dir / FILE_NAME
    _make_ready(state_dir, path)
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=10.0)) as db:
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA wal_autocheckpoint=0")  # the daemon moves its log itself
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                db.rollback()
                raise
    except sqlite3.OperationalError as e:
        raise CannotStart(f"{path} cannot be written now: {e}; nothing was changed",
                          hint="free some space, mend the permissions, or try as the user that the daemon runs as",
                          where={"path": str(path)}) from e


def _make_ready(state_dir: Path, path: Path) -> None:
    began_s = time.monotonic()
    while _schema_of(path) != len(MIGRATIONS):
        try:
            with StateDirectory(state_dir):
                prepare(path)
        except StateDirectoryInUse:  # by a daemon that is about to do it, if it is no older one
            if time.monotonic() - began_s > PATIENCE_S:
                raise
            time.sleep(0.02)


def _schema_of(path: Path) -> int:
    if not path.exists():
        return -1
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)) as db:
            return int(db.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError:  # what is wrong with it, ``prepare`` says
        return -1


def write(db: sqlite3.Connection, statements: Statements) -> None:
    """Execute *statements* in the transaction of *db*."""
    for sql, rows in statements:
        db.executemany(sql, rows)
