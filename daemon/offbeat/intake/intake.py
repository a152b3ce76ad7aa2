"""The way in for bodies: whole ones count whole or not at all, longer ones are taken in blocks as they arrive."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, nullcontext
from typing import get_args

import orjson

from offbeat.clock import Clock
from offbeat.config import Config
from offbeat.errors import BodyTimeout, IdempotencyKeyReused, NoGoodLine, Refused, ShuttingDown
from offbeat.intake.committer import Committer, Control
from offbeat.intake.decoding import Decoding
from offbeat.intake.keys import Digest, Keys, answered, digest_of, joined, receipt_of
from offbeat.intake.parcels import Budget, Waiter
from offbeat.metrics import Metrics
from offbeat.records import Receipt
from offbeat.store.database import Database, Statements
from offbeat.store.journal import KeyRow
from offbeat.wire import Block, Cutter, Decompressor
from offbeat.wire.options import Format, Options

FEED_BYTES = 512 * 1024
"""A stream is cut in portions of about this; a slow one whenever ``stream_linger_s`` has passed."""
INLINE_BYTES = 64 * 1024
"""Less than this is decompressed on the event loop: handing it to a thread takes longer."""
NOT_ENCODED = ("", "identity")
NOTHING_STORED = re.compile("; nothing (of [a-z ]+ )?was stored$")
SLOWEST_BYTES_S = 4096
"""A whole body has ``body_timeout_s`` and the time that what came of it takes at this rate."""


class Intake:
    """Receives bodies. ``decoding`` and ``committer`` run beside it; see ``service``."""

    def __init__(
        self,
        database: Database,
        config: Callable[[], Config],
        clock: Clock,
        metrics: Metrics,
        budget: Budget,
        decoding: Decoding,
        committer: Committer,
    ) -> None:
        self._config, self._clock, self._budget = config, clock, budget
        self._decoding, self._committer = decoding, committer
        self._keys = Keys(database)
        self._bodies = {format: metrics.bodies_total.labels(format) for format in get_args(Format)}
        self.closed = False

    @property
    def pending_bytes(self) -> int:
        """Bytes between the door and the engine."""
        return self._budget.pending_bytes

    async def submit(self, control: Control) -> int:
        """Journal an entry that is not data; its sequence. Raises StoreUnavailable."""
        self._committer.put(control)
        return (await control.done).seq

    async def receive(
        self,
        body: bytes | AsyncIterator[bytes],
        options: Options,
        *,
        encoding: str,
        length: int | None,
        key: str | None,
    ) -> Receipt:
        """Take one body, all of it or as its chunks arrive. Returns once what is accepted is durable.

        length  the stated length in bytes, None for a chunked body
        key     the sender's Idempotency-Key
        Raises NoGoodLine, BadBody, BodyTooLarge, BodyTimeout, UnsupportedMedia, IdempotencyKeyReused, IntakeFull,
        StoreUnavailable, ShuttingDown; and whatever the chunks raise if the sender goes away.
        """
        if self.closed:
            raise ShuttingDown(
                "the daemon is stopping; nothing of this body was stored", hint="send it again in a moment"
            )
        try:
            if isinstance(body, bytes) and encoding in NOT_ENCODED and len(body) <= self._config().ingest.block_bytes:
                receipt = await self._whole(body, options, key)
            else:
                receipt = await self._arriving(body, options, encoding, length, key)
        except Refused as e:
            _tell(e)
            raise
        self._bodies[options.format].inc()
        return self._judged(receipt)

    def offer(self, body: bytes, options: Options) -> asyncio.Future[Receipt] | None:
        """What will become of *body*, which is whole, not encoded and has no key; None if ``receive`` would refuse it.

        For ``outcome``, once it is done. It spares a body what ``receive`` needs for any.
        """
        if self.closed or len(body) > self._config().ingest.block_bytes or self._budget.full(len(body)):
            return None
        self._budget.take(len(body))
        return self._sent(body, options, None, None)

    def outcome(self, taken: asyncio.Future[Receipt], options: Options) -> Receipt:
        """What ``receive`` would return, or raise, of a body that was offered."""
        try:
            receipt = taken.result()
        except Refused as e:
            _tell(e)
            raise
        self._bodies[options.format].inc()
        return self._judged(receipt)

    async def keep(self, body: bytes, options: Options, beside: Statements) -> Receipt:
        """Take the events of *body* and write *beside* in the transaction that makes them durable: both, or neither.

        body    whole records of no more than ``ingest.block_bytes``; may be empty, if there is nothing to score
        beside  writes that no row can make fail, as upserts are: others wait for the same transaction

        A line that is rejected is told in the receipt; what is beside it stays. Raises BadBody, IntakeFull,
        StoreUnavailable, ShuttingDown; then nothing is stored.
        """
        if self.closed:
            raise ShuttingDown("the daemon is stopping; nothing of it was stored", hint="send it again in a moment")
        self._budget.take(len(body))
        try:
            receipt = await self._sent(body, options, None, None, beside)
        except Refused as e:
            _tell(e)
            raise
        self._bodies[options.format].inc()
        return receipt

    async def _arriving(
        self, body: bytes | AsyncIterator[bytes], options: Options, encoding: str, length: int | None, key: str | None
    ) -> Receipt:
        """Take a body that is encoded, or of which more is to come; room for one of stated length is reserved first."""
        ingest = self._config().ingest
        decompressor = Decompressor(encoding, ingest.decompressed_bytes_max)
        whole = length is not None and length <= ingest.block_bytes
        reserved = length if whole and length is not None else 0
        self._budget.take(reserved)
        try:
            chunks = _only(body) if isinstance(body, bytes) else body
            pieces = chunks if encoding.strip().lower() in NOT_ENCODED else _pieces(chunks, decompressor)
            start, ended = await self._collect(pieces, ingest.block_bytes) if whole else (b"", False)
            self._budget.give(reserved)
            reserved = 0
            return await (self._whole(start, options, key) if ended else self._stream(start, pieces, options, key))
        finally:
            self._budget.give(reserved)

    @staticmethod
    def _judged(receipt: Receipt) -> Receipt:
        if receipt.rejected and not receipt.accepted:
            reason = receipt.errors[0].reason if receipt.errors else "every line was rejected"
            raise NoGoodLine(
                f"no line was good; the first: {reason}; nothing was stored",
                receipt=receipt.as_dict(),
                hint="GET /api/v1/quarantine shows rejected lines",
            )
        return receipt

    async def _collect(self, pieces: AsyncIterator[bytes], bytes_max: int) -> tuple[bytes, bool]:
        """The body, or its beginning if it decompresses to more than *bytes_max*; and whether that was all."""
        parts: list[bytes] = []
        total = 0
        patience_s, clock = self._config().http.body_timeout_s, asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(patience_s) as limit:
                async for piece in pieces:
                    parts.append(piece)
                    total += len(piece)
                    if total > bytes_max:
                        return b"".join(parts), False
                    limit.reschedule(min(clock(), began + total / SLOWEST_BYTES_S) + patience_s)
        except TimeoutError:
            raise BodyTimeout(
                f"the body stopped arriving, or came too slowly: {total} bytes in {clock() - began:.0f} s",
                hint="http.body_timeout_s says how long it may pause",
                where={"bytes": total},
            ) from None
        return parts[0] if len(parts) == 1 else b"".join(parts), True

    def _remembered_since_ms(self) -> int:
        return self._clock.now_ms() - int(self._config().ingest.idempotency_window_s * 1000)

    async def _whole(self, body: bytes, options: Options, key: str | None) -> Receipt:
        if key is None:
            return await self._put(body, options, None, None)
        async with self._keys.hold(key, self._remembered_since_ms()) as row:
            digest = await asyncio.to_thread(digest_of, body) if len(body) > INLINE_BYTES else digest_of(body)
            if row is not None and row.whole:
                return answered(row, digest)
            if row is None:
                return await self._put(body, options, None, lambda r: self._row(key, digest, True, 0, r))
        return await self._stream(body, _only(), options, key)  # begun as a stream, sent again as a whole

    async def _stream(self, start: bytes, pieces: AsyncIterator[bytes], options: Options, key: str | None) -> Receipt:
        hold = self._keys.hold(key, self._remembered_since_ms()) if key is not None else nullcontext()
        async with hold as row:
            return await Stream(self, options, key, row).take(start, pieces)

    def _row(self, key: str, digest: bytes, whole: bool, lines_done: int, receipt: Receipt) -> KeyRow:
        return KeyRow(key, self._clock.now_ms(), digest, whole, lines_done, orjson.dumps(receipt.as_dict()))

    async def _put(
        self,
        body: bytes,
        options: Options,
        first_line: int | None,
        key_row: Callable[[Receipt], KeyRow] | None,
        *,
        wait_s: float = 0.0,
    ) -> Receipt:
        """Send one body of whole records on its way and wait until it is durable."""
        if wait_s:
            await self._budget.take_when_free(len(body), wait_s)
        else:
            self._budget.take(len(body))
        # A sender that goes away now does not undo it: nobody else waits for this future.
        return await self._sent(body, options, first_line, key_row)

    def _sent(
        self, body: bytes, options: Options, first_line: int | None, key_row: Callable[[Receipt], KeyRow] | None,
        beside: Statements = (),
    ) -> asyncio.Future[Receipt]:
        """Send one body of whole records on its way; what is told once it is durable."""
        waiter = Waiter(body, options, self._clock.now_ms(), first_line, key_row, beside)
        self._decoding.put(waiter)
        return waiter.taken


class Stream:
    """One body that is taken in blocks; *row* is what was remembered of its key, if it came before."""

    def __init__(self, intake: Intake, options: Options, key: str | None, row: KeyRow | None) -> None:
        self._intake, self._key = intake, key
        self._cutter = Cutter(options)
        self._answered = row if row is not None and row.whole else None
        begun = row if row is not None and not row.whole else None
        self._digest = Digest(begun.digest if begun is not None else None)
        self._total: Receipt | None = receipt_of(begun) if begun is not None else None
        self._lines_done = begun.lines_done if begun is not None else 0

    async def take(self, start: bytes, pieces: AsyncIterator[bytes]) -> Receipt:
        """Take all of it. A Refused that ends it says how much of it counts."""
        try:
            async with aclosing(_portions(start, pieces, self._intake._config)) as portions:
                async for portion in portions:
                    self._digest.feed(portion)
                    if self._answered is None:  # else: read on to see that it is the same body
                        await self._put_all(await asyncio.to_thread(self._cutter.feed, portion))
            digest = self._digest.whole()
            if self._answered is not None:
                return answered(self._answered, digest)
            await self._put_all(self._cutter.finish())
            return await self._end(digest)
        except IdempotencyKeyReused:
            raise
        except Refused as e:
            _tell(e, self._total)
            raise

    async def _put_all(self, blocks: list[Block]) -> None:
        """Send *blocks* on, one after the other: the lines of a stream stay in their order."""
        for i, block in enumerate(blocks):
            if i + 1 < len(blocks):
                last_line = blocks[i + 1].first_line - 1
            else:
                last_line = self._cutter.next_line - (1 if block.body.endswith(b"\n") else 0)
            if last_line > self._lines_done:
                await self._put(_after(block, self._lines_done, last_line), last_line)

    async def _put(self, block: Block, last_line: int) -> None:
        intake, digest, total = self._intake, self._digest.beginning(), self._total
        config = intake._config()

        def row(receipt: Receipt) -> KeyRow:
            assert self._key is not None
            return intake._row(self._key, digest, False, last_line, joined(total, receipt, config.ingest.errors_max))

        receipt = await intake._put(
            block.body,
            self._cutter.block_options,
            block.first_line,
            row if self._key is not None else None,
            wait_s=config.http.body_timeout_s if total is not None else 0.0,  # what has begun may wait: its sender does
        )
        self._total = joined(total, receipt, config.ingest.errors_max)

    async def _end(self, digest: bytes) -> Receipt:
        """The answer to the whole; remembered under the key by an empty body that carries it."""
        intake = self._intake
        total = self._total if self._total is not None else Receipt(0, 0, (), 0, intake._committer.seq)
        if self._key is not None:
            key = self._key
            await intake._put(
                b"",
                self._cutter.block_options,
                None,
                lambda _: intake._row(key, digest, True, 0, total),
                wait_s=intake._config().http.body_timeout_s,
            )
        return total


def _after(block: Block, done: int, last_line: int) -> Block:
    """*block*, whose last line is *last_line*, without its records up to line *done*; a CSV header stays."""
    if done < block.first_line:
        return block
    lines = last_line - block.first_line + (1 if block.body.endswith(b"\n") else 0)
    header_lines = block.body.count(b"\n") - lines
    parts = block.body.split(b"\n", header_lines + done - block.first_line + 1)
    return Block(b"\n".join([*parts[:header_lines], parts[-1]]), done + 1)


def _tell(refused: Refused, stored: Receipt | None = None) -> None:
    """Let *refused* say, in its message and in ``where``, what became of the body; *stored*: what counts of it."""
    if stored is not None and stored.accepted:
        said = NOTHING_STORED.sub("", refused.message)
        refused.message = f"{said}; {stored.accepted} events before it are stored"
        refused.where.update(accepted=stored.accepted, rejected=stored.rejected)
    elif not NOTHING_STORED.search(refused.message) and "accepted" not in refused.where:
        refused.message += "; nothing of this body was stored"


async def _only(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _pieces(chunks: AsyncIterator[bytes], decompressor: Decompressor) -> AsyncIterator[bytes]:
    """*chunks* decompressed, in pieces of at most a MiB."""
    async for chunk in chunks:
        made = decompressor.feed(chunk)
        while (
            piece := await asyncio.to_thread(next, made, None) if len(chunk) > INLINE_BYTES else next(made, None)
        ) is not None:
            yield piece
    decompressor.finish()


async def _portions(
    start: bytes, pieces: AsyncIterator[bytes], config: Callable[[], Config]
) -> AsyncGenerator[bytes, None]:
    """*start* and *pieces* in portions worth cutting: about FEED_BYTES, or what came within ``stream_linger_s``.

    Raises BodyTimeout if no record (no line end) comes for ``body_timeout_s``.
    """
    queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue(4)

    async def fill() -> None:
        try:
            async for piece in pieces:
                await queue.put(piece)
        except (Exception, asyncio.CancelledError) as e:
            await queue.put(e)
            raise
        await queue.put(None)

    filler = asyncio.create_task(fill())
    filler.add_done_callback(
        lambda task: task.cancelled() or task.exception()
    )  # it reached the queue: nobody needs to hear it again
    loop = asyncio.get_running_loop()
    try:
        held, size = ([start], len(start)) if start else ([], 0)
        record_by, portion_by = loop.time() + config().http.body_timeout_s, loop.time()
        while True:
            if size >= FEED_BYTES or (held and loop.time() >= portion_by):
                portion = b"".join(held)
                held, size = [], 0
                yield portion
                if b"\n" in portion or b"}" in portion:
                    record_by = loop.time() + config().http.body_timeout_s
            try:
                async with asyncio.timeout_at(portion_by if held else record_by):
                    piece = await queue.get()
            except TimeoutError:
                if held:
                    continue
                raise _no_record(config()) from None
            if piece is None:
                if held:
                    yield b"".join(held)
                return
            if isinstance(piece, BaseException):
                raise piece
            if not held:
                portion_by = loop.time() + config().ingest.stream_linger_s
            held.append(piece)
            size += len(piece)
            if loop.time() > record_by and b"\n" not in piece and b"}" not in piece:
                raise _no_record(config())
    finally:
        while not queue.empty():  # room for the last word of the filler: it would wait for ever to say it
            queue.get_nowait()
        filler.cancel()


def _no_record(config: Config) -> BodyTimeout:
    return BodyTimeout(
        f"no complete record came for {config.http.body_timeout_s:g} s",
        hint="http.body_timeout_s says how long one may take",
    )
