"""The client that waits for each answer: of threads, scripts, notebooks, workers that fork."""
from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, Unpack, cast

from offbeat.client.asking import BucketFilters, PointsAsked, RecordFilters, Steps, StreamFilters
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
from offbeat.client.sender import Sender, answer_of
from offbeat.client.transport import Connections


class Client:
    """One daemon, for any number of threads. Use as ``with Client() as client``, or call ``close``.

    url        where it listens; None: OFFBEAT_URL, else http://127.0.0.1:7373
    token      sent with each request; None: OFFBEAT_TOKEN, else none
    timeout_s  longest wait for the next bytes of an answer; a query may wait 10 s for its ``sequence``
    retry      how failures are repeated: whatever may be asked twice after a lost connection too, the rest only where
               nothing was sent or the daemon says that it did nothing
    tls        for https, None: the system's certificates
    Raises BadAddress. After a fork the child connects anew.
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
        self._connections = Connections(self._address, timeout_s, tls)

    @property
    def url(self) -> str:
        """Where the daemon is."""
        return self._address.url

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept."""
        self._connections.close()

    # Sending

    def send(
        self,
        events: Any,
        *,
        columns: Sequence[str] | None = None,
        extra: Mapping[str, Any] | None = None,
        key: str | None = None,
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """Send *events* now, and return once all are durable or rejected: the receipt says which.

        events   see ``offbeat.client.events.lines_of``: a mapping or several, rows with *columns*, arrays, a frame
        extra    members of each event that has none of that name
        key      begins each Idempotency-Key: the same events under the same key count once, also if the program was
                 started anew meanwhile
        Raises BadEvent, once those before it are sent, and whatever ends the patience; ``error.receipt`` is then what
        was counted before.
        """
        posting, receipt, first = Posting.of(options, key), Receipt(), 0
        sizes = options.get("batch_events", BATCH_EVENTS), options.get("batch_bytes", BATCH_BYTES)
        try:
            for batch in batches_of(lines_of(events, columns=columns, extra=extra), *sizes):
                call, attempts = posting.call(batch), Attempts(self._retry, safe=True)
                answer = answer_of(lambda call=call, attempts=attempts: self._ask(call, attempts))  # type: ignore[misc]
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
    ) -> Sender:
        """What collects events and sends them in batches, from a thread of its own.

        retry        of each batch; after its patience the sender gives up, and says what is not delivered
        on_rejected  hears, on that thread, what the daemon did not take; without it the log does
        """
        return Sender(self._ask, retry, on_rejected, options)

    # Results

    def buckets(self, *, limit: int | None = None, **filters: Unpack[BucketFilters]) -> Iterator[Bucket]:
        """How odd each source was, bucket by bucket: at most *limit*, None: all."""
        return self._rows(Pages("/buckets", "buckets", limit, **filters))

    def records(self, *, limit: int | None = None, **filters: Unpack[RecordFilters]) -> Iterator[Record]:
        """The findings: at most *limit*, None: all."""
        return self._rows(Pages("/records", "records", limit, **filters))

    def record(self, record: str) -> Record:
        """One finding by its id, with its history."""
        return cast(Record, self.call("GET", f"/records/{named(record)}"))

    def sources(self, *, prefix: str | None = None, limit: int | None = None) -> Iterator[Source]:
        """What sends, by name."""
        return self._rows(Pages("/sources", "sources", limit, prefix=prefix))

    def source(self, source: str) -> Source:
        """One source with its series and metadata."""
        return cast(Source, self.call("GET", f"/sources/{named(source)}"))

    def points(self, source: str, **asking: Unpack[PointsAsked]) -> SourceReadings:
        """The series of a source as a chart wants them: at most ``width`` points each, down-sampled or rolled up."""
        return cast(SourceReadings, self.call("GET", f"/sources/{named(source)}/readings", **asking))

    def readings(
        self,
        source: str,
        *,
        field: Sequence[str] | None = None,
        start: Time | None = None,
        end: Time | None = None,
        page_rows: int = 10_000,
    ) -> Iterator[Readings]:
        """Every reading that is kept of a source, a part of a series at a time, each series in order of time.

        field  only these    start, end  of event time, the end exclusive
        page_rows  most readings of an answer, at most the daemon's ``http.page_rows_max``
        """
        return self._rows(Spans(source, field, start, end, page_rows))

    def follow(
        self, *, last_id: str | None = None, retry: Retry | None = None, **filters: Unpack[StreamFilters]
    ) -> Generator[Happened, None, None]:
        """What happens, from now or after *last_id*, without end; a lost connection is taken up again without a gap.

        An event counts as heard once the next is asked for. Raises what outlasts the patience of *retry*: by
        default that of the client until the stream has been there, then five minutes a break.
        """
        following = Following(retry or self._retry, retry or SENDER_RETRY, last_id, **filters)
        while True:
            problem: ClientError | None = None
            try:
                if (beginning := following.beginning()) is not None:
                    following.begin(document_of(self._connections.exchange(beginning), self.url))
                with self._connections.stream(following.call()) as chunks:
                    for chunk in chunks:
                        yield from following.heard(chunk)
            except ClientError as e:
                problem = e
            time.sleep(following.broke(problem, time.monotonic()))

    # Jobs and checks

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs, by id."""
        return list(self.call("GET", "/jobs")["jobs"])

    def job(self, job: str) -> dict[str, Any]:
        """One job, and what it has done."""
        return self.call("GET", f"/jobs/{named(job)}")

    def create_job(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Make a job of the document *job*; the job as it is then. Raises Conflict if there is one of its id."""
        return self.call("POST", "/jobs", job)

    def delete_job(self, job: str) -> None:
        """Delete a job with its results."""
        self.call("DELETE", f"/jobs/{named(job)}")

    def checks(self, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """All checks, each with its worst status."""
        return self._rows(Pages("/checks", "checks", limit))

    def check(self, check: str) -> dict[str, Any]:
        """One check."""
        return self.call("GET", f"/checks/{named(check)}")

    def create_check(self, check: Mapping[str, Any]) -> dict[str, Any]:
        """Make a check of the document *check*. Raises Conflict if there is one of its id."""
        return self.call("POST", "/checks", check)

    def delete_check(self, check: str) -> None:
        """Delete a check with all that it ever said."""
        self.call("DELETE", f"/checks/{named(check)}")

    # Anything else

    def call(self, method: str, path: str, document: object = None, **parameters: object) -> dict[str, Any]:
        """What *path* (below /api/v1) answers to a JSON *document*, if one is given; {} for 204.

        *parameters* that are None are left out. Raises a Refusal for a status of 400 or more, NotReachable, NotOffbeat.
        """
        call = asked(method, path, document, **parameters)
        return self._ask(call, Attempts(self._retry, safe=call.safe))

    def _ask(
        self, call: Call, attempts: Attempts, sleep: Callable[[float], object] = time.sleep
    ) -> dict[str, Any]:
        while True:
            try:
                return document_of(self._connections.exchange(call), self.url)
            except ClientError as e:
                wait_s = attempts.wait_s(e, time.monotonic())
            sleep(wait_s)

    def _rows(self, steps: Steps[Any]) -> Iterator[Any]:
        while (call := steps.call()) is not None:
            yield from steps.rows(self._ask(call, Attempts(self._retry, safe=True)))
