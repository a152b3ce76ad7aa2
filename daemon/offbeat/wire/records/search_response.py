"""Answers of an Elasticsearch search to rows: the documents that were hit, or the leaves of the aggregations."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from offbeat.wire.records.jsonstream import JsonStream
from offbeat.wire.records.objects import rows_of
from offbeat.wire.records.rows import ROWS_MAX, Rows

RESPONSE_CHARACTERS_MAX = 16 * 1024 * 1024
"""A longer response is refused: it is read as one value, which takes several times as much memory."""
AGGREGATIONS = ("aggregations", "aggs")
COUNT = "doc_count"
LEVELS_MAX = 32


class SearchResponses:
    """Rows of a stream of search responses; a response without hits and aggregations is a bad row."""

    def __init__(self, needed: Sequence[str]) -> None:
        self._needed = tuple(needed)
        self._stream = JsonStream(RESPONSE_CHARACTERS_MAX)

    def feed(self, text: str, last: bool) -> Iterator[Rows]:
        """The rows that *text* completes."""
        for responses in self._stream.feed(text, last):
            for response in responses:
                some: list[object] = []
                for document in documents(response):
                    some.append(document)
                    if len(some) == ROWS_MAX:
                        yield rows_of(some, self._needed)
                        some = []
                if some:
                    yield rows_of(some, self._needed)


def documents(response: object) -> Iterator[object]:
    """The records of one response: of its aggregations or else of its hits; None for what is no response."""
    if not isinstance(response, dict):
        yield None
        return
    for name in AGGREGATIONS:
        if isinstance(aggregations := response.get(name), dict):
            yield from leaves(aggregations, {}, 1)
            return
    hits = response.get("hits")
    found = hits.get("hits") if isinstance(hits, dict) else None
    if not isinstance(found, list):
        yield None
        return
    for hit in found:
        yield hit.get("_source", hit.get("fields")) if isinstance(hit, dict) else None


def leaves(aggregations: Mapping[str, object], above: Mapping[str, object], level: int) -> Iterator[object]:
    """The records of a tree of aggregations.

    A record has, of each bucket on the way to it, the key under the name of its aggregation, and the ``value`` of each
    metric; ``doc_count`` is that of the last bucket. A level without further buckets gives one record. None stands for
    a tree that is deeper than LEVELS_MAX.
    """
    if level > LEVELS_MAX:
        yield None
        return
    record: dict[str, object] = dict(above)
    split: list[tuple[str, list[Mapping[str, object]]]] = []
    for name, part in aggregations.items():
        if not isinstance(part, dict):
            continue
        buckets = part.get("buckets")
        if isinstance(buckets, dict):  # the keyed form
            keyed: list[Mapping[str, object]] = [{"key": key, **bucket} for key, bucket in buckets.items()
                                                 if isinstance(bucket, dict)]
            split.append((name, keyed))
        elif isinstance(buckets, list):
            split.append((name, [bucket for bucket in buckets if isinstance(bucket, dict)]))
        elif "value" in part:
            record[name] = part["value"]
        elif COUNT in part:  # a bucket of its own: filter, nested, global
            split.append((name, [part]))
    if not split:
        if record:
            yield record
        return
    for name, buckets_of_name in split:
        for bucket in buckets_of_name:
            here: dict[str, object] = {**record, COUNT: bucket.get(COUNT)}
            if "key" in bucket:
                here[name] = bucket["key"]
            yield from leaves(bucket, here, level + 1)
