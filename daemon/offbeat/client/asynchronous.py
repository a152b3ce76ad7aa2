"""The client that awaits each answer: of programs with an event loop of asyncio."""
from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Unpack, cast

from offbeat.client.asking import BucketFilters, PointsAsked, RecordFilters, Steps, StreamFilters
from offbeat.client.async_sender import AsyncSender, answer_of
from offbeat.client.async_transport import AsyncConnections
from offbeat.client.calls import Address, Call, Time, asked, document_of, named
from offbeat.client.columns import Readings
from offbeat.client.documents import Bucket, Record, Source, SourceReadings
from offbeat.client.errors import ClientError
from offbeat.client.events import lines_of
from offbeat.client.following import Following, Happened
from offbeat.client.outbox import BATCH_BYTES, BATCH_EVENTS, Posting, SenderOptions, SendOptions, batches_of
from offbeat.client.pages import Pages, Spans
from offbeat.client.receipts import Receipt, Rejection, listed
from offbeat.client.retrying import CALL_RETRY, SENDER_RETRY, Attempts, Retry


class AsyncClient:
    """One daemon, for the tasks of one loop. Use as ``async with AsyncClient() as client``, or await ``close``.

    The arguments, and what each method does and raises, are those of ``Client``.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        timeout_s: float = 60.0,
        retry: Retry = CALL_RETRY,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._address = Address.of(url, token)
        self._retry = retry
        self._connections = AsyncConnections(self._address, timeout_s, tls)

    @property
    def url(self) -> str:
        """Where the daemon is."""
        return self._address.url

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    # Sending

    async def send(
        self,
        events: Any,
        *,
        columns: Sequence[str] | None = None,
        extra: Mapping[str, Any] | None = None,
        key: str | None = None,
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """Send *events* now, and return once all are durable or rejected: the receipt says which."""
        posting, receipt, first = Posting.of(options, key), Receipt(), 0
        sizes = options.get("batch_events", BATCH_EVENTS), options.get("batch_bytes", BATCH_BYTES)
        try:
            for batch in batches_of(lines_of(events, columns=columns, extra=extra), *sizes):
                call, attempts = await posting.call_aside(batch), Attempts(self._retry, safe=True)
                answer = await answer_of(self._ask(call, attempts))
                receipt.count(answer, listed(answer, first, batch.data))
                receipt.retries += attempts.count
                receipt.sent_bytes += len(call.body or b"")
                first += batch.count
        except ClientError as e:
            e.receipt = receipt
            raise
        return receipt

    def sender(
        self,
        *,
        retry: Retry = SENDER_RETRY,
        on_rejected: Callable[[Sequence[Rejection]], None] | None = None,
        **options: Unpack[SenderOptions],
    ) -> AsyncSender:
        """What collects events and sends them in batches, from a task of its own."""
        return AsyncSender(self._ask, retry, on_rejected, options)

    # Results

    def buckets(self, *, limit: int | None = None, **filters: Unpack[BucketFilters]) -> AsyncIterator[Bucket]:
        """How odd each source was, bucket by bucket: at most *limit*, None: all."""
        return self._rows(Pages("/buckets", "buckets", limit, **filters))

    def records(self, *, limit: int | None = None, **filters: Unpack[RecordFilters]) -> AsyncIterator[Record]:
        """The findings: at most *limit*, None: all."""
        return self._rows(Pages("/records", "records", limit, **filters))

    async def record(self, record: str) -> Record:
        """One finding by its id, with its history."""
        return cast(Record, await self.call("GET", f"/records/{named(record)}"))

    def sources(self, *, prefix: str | None = None, limit: int | None = None) -> AsyncIterator[Source]:
        """What sends, by name."""
        return self._rows(Pages("/sources", "sources", limit, prefix=prefix))

    async def source(self, source: str) -> Source:
        """One source with its series and metadata."""
        return cast(Source, await self.call("GET", f"/sources/{named(source)}"))

    async def points(self, source: str, **asking: Unpack[PointsAsked]) -> SourceReadings:
        """The series of a source as a chart wants them: at most ``width`` points each, down-sampled or rolled up."""
        return cast(SourceReadings, await self.call("GET", f"/sources/{named(source)}/readings", **asking))

    def readings(
        self,
        source: str,
        *,
        field: Sequence[str] | None = None,
        start: Time | None = None,
        end: Time | None = None,
        page_rows: int = 10_000,
    ) -> AsyncIterator[Readings]:
        """Every reading that is kept of a source, a part of a series at a time, each series in order of time."""
        return self._rows(Spans(source, field, start, end, page_rows))

    async def follow(
        self, *, last_id: str | None = None, retry: Retry | None = None, **filters: Unpack[StreamFilters]
    ) -> AsyncGenerator[Happened, None]:
        """What happens, from now or after *last_id*, without end; a lost connection is taken up again without a gap."""
        following = Following(retry or self._retry, retry or SENDER_RETRY, last_id, **filters)
        while True:
            problem: ClientError | None = None
            try:
                if (beginning := following.beginning()) is not None:
                    following.begin(document_of(await self._connections.exchange(beginning), self.url))
                async with self._connections.stream(following.call()) as chunks:
                    async for chunk in chunks:
                        for happened in following.heard(chunk):
                            yield happened
            except ClientError as e:
                problem = e
            await asyncio.sleep(following.broke(problem, time.monotonic()))

    # Jobs and checks

    async def jobs(self) -> list[dict[str, Any]]:
        """All jobs, by id."""
        return list((await self.call("GET", "/jobs"))["jobs"])

    async def job(self, job: str) -> dict[str, Any]:
        """One job, and what it has done."""
        return await self.call("GET", f"/jobs/{named(job)}")

    async def create_job(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Make a job of the document *job*; the job as it is then. Raises Conflict if there is one of its id."""
        return await self.call("POST", "/jobs", job)

    async def delete_job(self, job: str) -> None:
        """Delete a job with its results."""
        await self.call("DELETE", f"/jobs/{named(job)}")

    def checks(self, *, limit: int | None = None) -> AsyncIterator[dict[str, Any]]:
        """All checks, each with its worst status."""
        return self._rows(Pages("/checks", "checks", limit))

    async def check(self, check: str) -> dict[str, Any]:
        """One check."""
        return await self.call("GET", f"/checks/{named(check)}")

    async def create_check(self, check: Mapping[str, Any]) -> dict[str, Any]:
        """Make a check of the document *check*. Raises Conflict if there is one of its id."""
        return await self.call("POST", "/checks", check)

    async def delete_check(self, check: str) -> None:
        """Delete a check with all that it ever said."""
        await self.call("DELETE", f"/checks/{named(check)}")

    # Anything else

    async def call(self, method: str, path: str, document: object = None, **parameters: object) -> dict[str, Any]:
        """What *path* (below /api/v1) answers to a JSON *document*, if one is given; {} for 204."""
        call = asked(method, path, document, **parameters)
        return await self._ask(call, Attempts(self._retry, safe=call.safe))

    async def _ask(
        self, call: Call, attempts: Attempts, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> dict[str, Any]:
        while True:
            try:
                return document_of(await self._connections.exchange(call), self.url)
            except ClientError as e:
                wait_s = attempts.wait_s(e, time.monotonic())
            await sleep(wait_s)

    async def _rows(self, steps: Steps[Any]) -> AsyncIterator[Any]:
        while (call := steps.call()) is not None:
            for row in steps.rows(await self._ask(call, Attempts(self._retry, safe=True))):
                yield row
