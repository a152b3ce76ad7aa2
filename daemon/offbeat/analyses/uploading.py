"""A body to the uploads of a job: read on a thread, block by block, as it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from offbeat.analyses.again import Again
from offbeat.engine.analysis.entries import Upload
from offbeat.wire.records.reader import Reader
from offbeat.wire.records.table import Read

BLOCK_BYTES = 1 << 20
"""So much of a body is read before its records are journaled, or what came within LINGER_S."""
LINGER_S = 0.5


async def uploads(
    number: int, reader: Reader, body: AsyncIterator[bytes], again: Again | None = None
) -> AsyncGenerator[Upload]:
    """The records of *body*, for analysis *number*; what is counted of it goes with them.

    again  is fed what is read, for a body with an Idempotency-Key

    Raises UploadRefused, and IdempotencyKeyReused for the body of another key.
    """
    async with aclosing(blocks(body)) as some:
        async for block in some:
            if again is not None:
                again.feed(block)
            reading = reader.feed(block)
            while (read := await asyncio.to_thread(next, reading, None)) is not None:
                yield _upload(number, read)
    reading = reader.finish()
    while (read := await asyncio.to_thread(next, reading, None)) is not None:
        yield _upload(number, read)


async def blocks(body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """The body in larger pieces; what came waits no longer than LINGER_S for more."""
    held: list[bytes] = []
    size = 0
    ahead = asyncio.ensure_future(anext(body, None))
    try:
        while True:
            done, _ = await asyncio.wait((ahead,), timeout=LINGER_S if held else None)
            piece = ahead.result() if done else None
            if piece is not None:
                held.append(piece)
                size += len(piece)
                ahead = asyncio.ensure_future(anext(body, None))
            if held and (size >= BLOCK_BYTES or piece is None):
                yield b"".join(held)
                held, size = [], 0
            if done and piece is None:
                return
    finally:
        ahead.cancel()
        await asyncio.wait((ahead,))  # nobody else can read the body before


def _upload(number: int, read: Read) -> Upload:
    return Upload(
        number,
        read.records,
        {
            "input_bytes": read.input_bytes,
            "input_record": read.record_count,
            "input_field": read.field_count,
            "invalid_date": read.invalid_date_count,
            "failed_transform": read.failed_transform_count,
            "excluded_record": read.excluded_count,
        },
    )
