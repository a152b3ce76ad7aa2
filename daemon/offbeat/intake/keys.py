"""Idempotency keys: a body that is sent again is answered as before, one that was cut short goes on where it was."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson

from offbeat.errors import IdempotencyKeyReused
from offbeat.records import LineError, Receipt
from offbeat.store.database import Database
from offbeat.store.journal import KeyRow
from offbeat.store.turn import Turns


def digest_of(body: bytes) -> bytes:
    """What a whole body is recognised by."""
    return hashlib.blake2b(body, digest_size=16).digest()


class Digest:
    """The same of a stream while it arrives; and whether it begins as the one did that was cut short."""

    def __init__(self, beginning: bytes | None = None) -> None:
        """*beginning*: what ``beginning`` said of the stream that was cut short."""
        self._hash = hashlib.blake2b(digest_size=16)
        self._size = 0
        self._compare_at = int.from_bytes(beginning[:8], "big") if beginning else 0
        self._expected = beginning

    def feed(self, piece: bytes) -> None:
        """Go on with *piece*. Raises IdempotencyKeyReused where it shows that this is another body."""
        left = self._compare_at - self._size
        if 0 < left <= len(piece):
            self._hash.update(piece[:left])
            self._size = self._compare_at
            if self.beginning() != self._expected:
                raise another_body()
            piece = piece[left:]
        self._hash.update(piece)
        self._size += len(piece)

    def beginning(self) -> bytes:
        """What a stream is recognised by that was cut short here: how long it was, and what it was."""
        return self._size.to_bytes(8, "big") + self._hash.digest()

    def whole(self) -> bytes:
        """Of everything fed, which is all. Raises IdempotencyKeyReused if it is less than there was before."""
        if self._size < self._compare_at:
            raise another_body()
        return self._hash.digest()


class Keys:
    """What the store remembers of keys, and which are in use just now."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turns = Turns()

    @asynccontextmanager
    async def hold(self, key: str, not_before_ms: int) -> AsyncIterator[KeyRow | None]:
        """What is remembered of *key*; a second request with it waits until the first is answered."""
        async with self._turns.alone(key):
            rows = await self._database.read(
                "SELECT key, at_ms, digest, whole, lines_done, receipt FROM idempotency WHERE key = ? AND "
                "at_ms >= ?",
                (key, not_before_ms),
            )
            if not rows:
                yield None
            else:
                _, at_ms, digest, whole, lines_done, receipt = rows[0]
                yield KeyRow(key, at_ms, digest, bool(whole), lines_done, receipt.encode())


def answered(row: KeyRow, digest: bytes) -> Receipt:
    """The answer that was given before. Raises IdempotencyKeyReused if it was to another body."""
    if row.digest != digest:
        raise another_body()
    return receipt_of(row)


def another_body() -> IdempotencyKeyReused:
    """The refusal of a body whose key belongs to another one."""
    return IdempotencyKeyReused(
        "this Idempotency-Key was used with another body; nothing of this one was stored",
        hint="use a new key for each body",
        where={"header": "Idempotency-Key"},
    )


def receipt_of(row: KeyRow) -> Receipt:
    """The receipt that a row remembers."""
    d = orjson.loads(row.receipt)
    errors = tuple(LineError(e["line"], e["code"], e["reason"]) for e in d["errors"])
    return Receipt(d["accepted"], d["rejected"], errors, d["errors_omitted"], d["sequence"])


def joined(before: Receipt | None, receipt: Receipt, errors_max: int) -> Receipt:
    """Two parts of one answer as one."""
    if before is None:
        return receipt
    errors = (before.errors + receipt.errors)[:errors_max]
    rejected = before.rejected + receipt.rejected
    return Receipt(
        before.accepted + receipt.accepted,
        rejected,
        errors,
        rejected - len(errors),
        max(before.sequence, receipt.sequence),
    )
