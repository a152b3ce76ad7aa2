"""A search server as far as feeds ask one: search, sort, ranges, scroll, date histograms, basic authentication."""
from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

INDEX, TYPE = "logs", "request"


class SearchServer:
    """Holds documents, each with ``time`` in milliseconds. failing: it answers everything with that status."""

    def __init__(self, old: bool = False, user: str = "", password: str = "") -> None:
        self.documents: list[tuple[str, dict[str, Any]]] = []
        self.failing = 0
        self.searches: list[dict[str, Any]] = []
        self.scrolls: dict[str, list[dict[str, Any]]] = {}
        self._old, self._wanted, self._size = old, (user, password), 0
        self._pages: dict[str, int] = {}
        self._next = 0
        self.url = ""

    def add(self, *documents: dict[str, Any]) -> None:
        """Index these."""
        for one in documents:
            self.documents.append((f"d{len(self.documents)}", one))

    def _refused(self, request: web.Request) -> web.Response | None:
        if self.failing:
            return web.json_response({"error": "it is not well"}, status=self.failing)
        if self._wanted[0]:
            given = request.headers.get("Authorization", "").removeprefix("Basic ")
            if b64decode(given).decode() != ":".join(self._wanted):
                return web.json_response({"error": "who are you?"}, status=401)
        return None

    async def search(self, request: web.Request) -> web.Response:
        """``POST /logs/request/_search``."""
        if (refused := self._refused(request)) is not None:
            return refused
        assert (request.match_info["index"], request.match_info["type"]) == (INDEX, TYPE)
        body = await request.json()
        self.searches.append(body)
        if self._old:
            assert set(body["query"]) == {"filtered"}, "1.7 knows no bool with a filter"
            asked, span = body["query"]["filtered"]["query"], body["query"]["filtered"]["filter"]["range"]["time"]
            assert "format" not in span
        else:
            (asked,), span = body["query"]["bool"]["must"], body["query"]["bool"]["filter"]["range"]["time"]
        found = [(id, one) for id, one in self.documents if one["time"] < span["lt"]
                 and one["time"] >= span.get("gte", -(1 << 62)) and _matches(asked, one)]
        if "aggregations" in body:
            return web.json_response({"hits": {"hits": []}, "aggregations": _aggregated(body["aggregations"], found)})
        assert body["sort"] == [{"time": {"order": "asc"}}]
        hits = [_hit(id, one, body) for id, one in sorted(found, key=lambda pair: pair[1]["time"])]
        answer: dict[str, Any] = {"_shards": {"total": 1, "failed": 0}, "hits": {"hits": hits[: body["size"]]}}
        if "scroll" in request.query:
            self._next += 1
            id = f"s{self._next}"
            self.scrolls[id], self._pages[id] = hits[body["size"] :], body["size"]
            answer["_scroll_id"] = id
        return web.json_response(answer)

    async def scroll(self, request: web.Request) -> web.Response:
        """``POST /_search/scroll``."""
        if (refused := self._refused(request)) is not None:
            return refused
        raw = await request.text()
        id = raw if self._old else json.loads(raw)["scroll_id"]
        if id not in self.scrolls:
            return web.json_response({"error": "no search context found"}, status=404)
        hits, size = self.scrolls[id], self._pages[id]
        self.scrolls[id] = hits[size:]
        return web.json_response({"_scroll_id": id, "hits": {"hits": hits[:size]}})

    async def clear(self, request: web.Request) -> web.Response:
        """``DELETE /_search/scroll``."""
        raw = await request.text()
        for id in [raw] if self._old else json.loads(raw)["scroll_id"]:
            self.scrolls.pop(id, None)
        return web.json_response({})


def _matches(query: dict[str, Any], document: dict[str, Any]) -> bool:
    if "term" in query:
        (name, value), = query["term"].items()
        return bool(document.get(name) == value)
    assert query == {"match_all": {}}, query
    return True


def _hit(id: str, document: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    wanted = body.get("_source")
    source = {name: value for name, value in document.items() if wanted is None or name in wanted}
    hit = {"_index": INDEX, "_type": TYPE, "_id": id, "_source": source, "sort": [document["time"]]}
    if "script_fields" in body:
        hit["fields"] = {name: [2 * document["value"]] for name in body["script_fields"]}
    return hit


def _aggregated(asked: dict[str, Any], found: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """A date histogram named time, in it the mean of value."""
    step = int(asked["time"]["date_histogram"]["interval"].rstrip("s")) * 1000
    by: dict[int, list[float]] = {}
    for _, one in found:
        by.setdefault(one["time"] // step * step, []).append(one["value"])
    return {"time": {"buckets": [{"key": key, "doc_count": len(some), "value": {"value": sum(some) / len(some)}}
                                 for key, some in sorted(by.items())]}}


@asynccontextmanager
async def serving(server: SearchServer) -> AsyncIterator[SearchServer]:
    """*server* at a free port."""
    app = web.Application()
    app.router.add_post("/_search/scroll", server.scroll)
    app.router.add_delete("/_search/scroll", server.clear)
    app.router.add_post("/{index}/{type}/_search", server.search)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()
