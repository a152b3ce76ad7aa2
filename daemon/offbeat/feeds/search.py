"""A search server as a source: its documents in the order of their time, or aggregations of them.

Documents are read by scrolling. The cursor is the time of the newest that was taken and the ids of those of that time:
everything before it has been taken, so a scroll that is lost is begun again there.

Source: Prelert Engine API, section 4.6; Elasticsearch 1.7 and 2.x, Search APIs.
"""
from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import numpy as np
import orjson
from aiohttp import hdrs

from offbeat.clock import Clock
from offbeat.feeds.batch import Batch, Bounds, Cursor, Form
from offbeat.feeds.errors import FeedTrouble
from offbeat.feeds.spec import SearchSource
from offbeat.wire.records.errors import UploadRefused
from offbeat.wire.records.search_response import documents

SCROLL = "5m"
TIMEOUT = aiohttp.ClientTimeout(total=60.0, sock_connect=10.0)
RESPONSE_BYTES_MAX = 256 * 1024 * 1024
SPANS_AT_ONCE = 1_000
"""Buckets that one search with aggregations is of."""
IDS_MAX = 20_000
"""Documents of one millisecond: the cursor names each."""


class SearchReading:
    """Reads on in the documents of *source*, up to *delay_s* before the clock. span_s: of the job's buckets."""

    def __init__(self, source: SearchSource, form: Form, clock: Clock, delay_s: int, span_s: int) -> None:
        self._source, self._form, self._clock = source, form, clock
        self._delay_ms, self._span_ms = 1000 * delay_s, 1000 * span_s
        self._session: aiohttp.ClientSession | None = None
        self._scroll: str | None = None  # under way; it goes on behind *_behind*
        self._behind: Cursor = {}
        self._until_ms = 0  # documents before it are those that the scroll gives
        self.complete_ms: int | None = None  # all before it has been read

    async def read(self, cursor: Cursor, bounds: Bounds) -> Batch | None:
        """The next page of documents, or the next aggregations. Raises FeedTrouble."""
        try:
            if self._source.aggregations is not None:
                return await self._aggregated(cursor, bounds)
            return await self._page(cursor, bounds)
        except (aiohttp.ClientError, TimeoutError, OSError) as e:
            self._scroll = None
            raise FeedTrouble(f"{self._source.base_url}: {str(e) or type(e).__name__}") from e
        except UploadRefused as e:
            raise FeedTrouble(f"{self._source.base_url}: {e}") from e
        except FeedTrouble:
            self._scroll = None
            raise

    async def close(self) -> None:
        """End the scroll and the session."""
        await self._end_scroll()
        if self._session is not None:
            await self._session.close()
            self._session = None

    # ── documents ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _page(self, cursor: Cursor, bounds: Bounds) -> Batch | None:
        if self._scroll is None or self._behind != cursor:
            await self._end_scroll()
            until_ms = self._until(bounds)
            since_ms = self._since(cursor, bounds)
            if since_ms is not None and since_ms >= until_ms:
                return None
            self._until_ms = until_ms
            response = await self._search(self._body(since_ms, until_ms), {"scroll": SCROLL})
        else:
            response = await self._ask("POST", "/_search/scroll", *self._scroll_body(self._scroll))
        while True:
            scroll = response.get("_scroll_id")
            hits = (response.get("hits") or {}).get("hits") or []
            if not hits or not isinstance(scroll, str):
                break
            self._scroll = scroll
            batch = await asyncio.to_thread(self._batch, hits, cursor, bounds)
            if batch is not None:
                self._behind = batch.cursor
                return batch
            response = await self._ask("POST", "/_search/scroll", *self._scroll_body(scroll))
        await self._end_scroll()
        self.complete_ms = self._until_ms
        return None

    def _scroll_body(self, scroll: str) -> tuple[Any, Mapping[str, str]]:
        if self._source.compatibility == "1.7.x":  # the bare id
            return scroll.encode(), {"scroll": SCROLL}
        return {"scroll": SCROLL, "scroll_id": scroll}, {}

    async def _end_scroll(self) -> None:
        scroll, self._scroll, self._behind = self._scroll, None, {}
        if scroll is None:
            return
        body = scroll.encode() if self._source.compatibility == "1.7.x" else {"scroll_id": [scroll]}
        try:
            await self._ask("DELETE", "/_search/scroll", body, {})
        except (aiohttp.ClientError, TimeoutError, OSError, FeedTrouble):
            return  # it ends by itself after SCROLL

    def _batch(self, hits: list[Any], cursor: Cursor, bounds: Bounds) -> Batch | None:
        time_ms, ids = cursor.get("time_ms"), list(cursor.get("ids", ()))
        bodies = []
        for hit in hits:
            id, at_ms = _identity(hit), _time_of(hit)
            if at_ms == time_ms and id in ids:
                continue
            if time_ms is None or at_ms > time_ms:
                time_ms, ids = at_ms, []
            ids.append(id)
            bodies.append(_document(hit))
        if not bodies:
            return None
        if len(ids) > IDS_MAX:
            raise FeedTrouble(f"more than {IDS_MAX} documents have the time {time_ms}")
        records, counts = self._records(bodies)
        return bounds.batch(records, counts, {"time_ms": time_ms, "ids": ids})

    def _records(self, bodies: list[Any]) -> Any:
        form = replace(self._form, description=replace(self._form.description, format="JSON"))
        return form.records_of(b"".join(orjson.dumps(one) + b"\n" for one in bodies))

    # ── aggregations ──────────────────────────────────────────────────────────────────────────────────────────

    async def _aggregated(self, cursor: Cursor, bounds: Bounds) -> Batch | None:
        until_ms = self._until(bounds)
        until_ms -= until_ms % self._span_ms
        since_ms = self._since(cursor, bounds)
        earliest_ms = await self._earliest(since_ms, until_ms)
        if earliest_ms is None:
            self.complete_ms = until_ms
            return None
        first = max(earliest_ms - earliest_ms % self._span_ms, -(1 << 62) if since_ms is None else since_ms)
        after = min(until_ms, first - first % self._span_ms + SPANS_AT_ONCE * self._span_ms)
        body: dict[str, Any] = self._body(first, after) | {"size": 0, "aggregations": self._source.aggregations}
        del body["sort"]
        response = await self._search(body, {})
        found = [one for one in documents(response) if one is not None]
        self.complete_ms = after
        records, counts = await asyncio.to_thread(self._records, found)
        order = np.argsort(records.time_ms, kind="stable")
        records = replace(records, time_ms=records.time_ms[order], codes=records.codes[:, order])
        return bounds.batch(records, counts, {"time_ms": after, "ids": []})

    async def _earliest(self, since_ms: int | None, until_ms: int) -> int | None:
        """The time of the first document there; None if there is none."""
        if since_ms is not None and since_ms >= until_ms:
            return None
        response = await self._search(self._body(since_ms, until_ms) | {"size": 1}, {})
        hits = (response.get("hits") or {}).get("hits") or []
        return _time_of(hits[0]) if hits else None

    # ── what is asked ─────────────────────────────────────────────────────────────────────────────────────────

    def _until(self, bounds: Bounds) -> int:
        now_ms = self._clock.now_ms() - self._delay_ms
        return now_ms if bounds.end_ms is None else min(now_ms, bounds.end_ms)

    @staticmethod
    def _since(cursor: Cursor, bounds: Bounds) -> int | None:
        times = [time for time in (cursor.get("time_ms"), bounds.start_ms) if time is not None]
        return max(times, default=None)

    def _body(self, since_ms: int | None, until_ms: int) -> dict[str, Any]:
        time_field, source = self._form.description.time_field, self._source
        span: dict[str, Any] = {"lt": until_ms, "format": "epoch_millis"}
        if source.compatibility == "1.7.x":
            del span["format"]  # a number is milliseconds there
        if since_ms is not None:
            span["gte"] = since_ms
        in_span = {"range": {time_field: span}}
        if source.compatibility == "1.7.x":
            query: dict[str, Any] = {"filtered": {"query": source.query, "filter": in_span}}
        else:
            query = {"bool": {"must": [source.query], "filter": in_span}}
        body: dict[str, Any] = {"query": query, "sort": [{time_field: {"order": "asc"}}], "size": source.page}
        if source.script_fields:
            body["script_fields"] = source.script_fields
        if not source.whole_source:
            body["_source"] = list(dict.fromkeys((time_field, *self._form.wanted, *self._inputs())))
        return body

    def _inputs(self) -> list[str]:
        return [name for one in self._form.transforms for name in one.inputs]

    async def _search(self, body: Mapping[str, Any], parameters: Mapping[str, str]) -> Mapping[str, Any]:
        path = "/" + ",".join(self._source.indexes)
        if self._source.types:
            path += "/" + ",".join(self._source.types)
        return await self._ask("POST", f"{path}/_search", body, parameters)

    async def _ask(self, method: str, path: str, body: Any, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        if self._session is None:
            headers = {hdrs.CONTENT_TYPE: "application/json"}
            if self._source.username:
                user = f"{self._source.username}:{self._source.password}".encode()
                headers[hdrs.AUTHORIZATION] = f"Basic {b64encode(user).decode()}"
            self._session = aiohttp.ClientSession(timeout=TIMEOUT, headers=headers)
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        async with self._session.request(method, f"{self._source.base_url}{path}", params=parameters, data=data,
                                         allow_redirects=False) as answer:
            raw = await _whole(answer)
            if answer.status >= 300:
                said = raw[:300].decode(errors="replace")
                raise FeedTrouble(f"{self._source.base_url}{path} answered {answer.status}: {said}")
        try:
            # Numbers keep the text that the server wrote.
            document = await asyncio.to_thread(json.loads, raw, parse_float=str, parse_int=str)
        except ValueError as e:
            raise FeedTrouble(f"{self._source.base_url}{path} answered what is no JSON: {e}") from e
        if not isinstance(document, dict) or document.get("timed_out") is True:
            raise FeedTrouble(f"{self._source.base_url}{path} gave no whole answer")
        failed = (document.get("_shards") or {}).get("failed", "0")
        if failed not in ("0", 0):
            raise FeedTrouble(f"{self._source.base_url}{path}: {failed} of its shards failed")
        return document


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > RESPONSE_BYTES_MAX:
            raise FeedTrouble(f"an answer is larger than {RESPONSE_BYTES_MAX} bytes: ask for fewer documents at once")
    return bytes(body)


def _identity(hit: Any) -> str:
    return "/".join(str(hit.get(name, "")) for name in ("_index", "_type", "_id"))


def _time_of(hit: Any) -> int:
    """When a document is: what the server sorted it by."""
    try:
        return int(hit["sort"][0])
    except (KeyError, IndexError, TypeError, ValueError):
        raise FeedTrouble("the server does not say by which time it sorted its documents: is the time field a date?"
                          ) from None


def _document(hit: Any) -> Any:
    """The fields of a document, with those that scripts made."""
    fields = hit.get("fields")
    return {**hit.get("_source", {}), **(fields if isinstance(fields, dict) else {})}
