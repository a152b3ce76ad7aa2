"""The daemon as a process: killed, it has what it acknowledged, once; a link that collapses is found by itself."""
from __future__ import annotations

import json
import random
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.gateways.esmond.archive import CLIENT, METADATA, ROOT, TS, summaries
from tests.system.daemon import Daemon, daemon

STEP_S = 600
POINTS = 12 * 24 * 6
"""Twelve days of a value every ten minutes."""
ODD = 11 * 24 * 6 + 40
"""The point at which throughput collapses, for half an hour."""


def call(url: str, method: str, path: str, document: Any = None) -> tuple[int, Any]:
    """Status and document of one call of the archive, or of a path that begins with a slash."""
    body = None if document is None else json.dumps(document).encode()
    headers = {**CLIENT, "Accept-Encoding": "identity", "Content-Type": "application/json"}
    request = urllib.request.Request(
        url + (path if path.startswith("/") else ROOT + path), body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def registered(url: str, **members: Any) -> str:
    status, document = call(url, "POST", "", {**METADATA, **members})
    assert status == 201, document
    return str(document["metadata-key"])


def bulk(values: dict[int, Any], event_type: str = "throughput") -> dict[str, Any]:
    return {"data": [{"ts": ts, "val": [{"event-type": event_type, "val": val}]} for ts, val in values.items()]}


@pytest.mark.timeout(240)
def test_what_was_acknowledged_is_there_after_a_kill_and_once(tmp_path: Path) -> None:
    events = {"event-types": [summaries("throughput", ("aggregation", 3600))]}
    first = Daemon(tmp_path / "offbeat-data").wait_ready()
    try:
        key = registered(first.url, **events)
        assert call(first.url, "PUT", f"{key}/", bulk({TS + i: i for i in range(50)})) == (201, "")
    finally:
        first.kill()
    with daemon(tmp_path / "offbeat-data") as again:
        assert registered(again.url, **events) == key
        assert call(again.url, "PUT", f"{key}/", bulk({TS + 49: 1, TS + 50: 1}))[0] == 409
        _, data = call(again.url, "GET", f"{key}/throughput/base?limit=1000")
        assert [(point["ts"], point["val"]) for point in data] == [(TS + i, i) for i in range(50)]
        assert call(again.url, "GET", f"{key}/throughput/aggregations/3600")[1] == [{"ts": TS, "val": sum(range(50))}]
        _, sources = call(again.url, "GET", "/api/v1/sources?sequence=latest")
        assert [one["event_count"] for one in sources["sources"]] == [50]


@pytest.mark.timeout(240)
def test_throughput_that_collapses_is_found_where_and_when_it_does(tmp_path: Path) -> None:
    rng = random.Random(11)
    with daemon(tmp_path / "offbeat-data") as started:
        keys = {}
        for end in ("b", "c", "d"):
            key = keys[end] = registered(started.url, **{"input-destination": f"{end}.example.org"})
            values = {TS + i * STEP_S: int(rng.gauss(9.4e9, 8e7)) for i in range(POINTS)}
            if end == "c":
                values |= {TS + i * STEP_S: int(rng.gauss(6e8, 3e7)) for i in range(ODD, ODD + 3)}
            assert call(started.url, "PUT", f"{key}/", bulk(values)) == (201, "")
        _, found = call(started.url, "GET", "/api/v1/records?order=-score&sequence=latest")
        strongest, *others = found["records"]
        assert strongest["source"] == f"a.example.org→c.example.org bwctl/iperf3 {keys['c'][:12]}"
        assert strongest["field"] == "throughput"
        _, readings = call(started.url, "GET", f"{keys['c']}/throughput/base?time={TS + ODD * STEP_S}")
        assert strongest["actual"] == readings[0]["val"] < 1e9
        assert strongest["score"] >= 80
        assert max((one["score"] for one in others), default=0.0) <= 40, others[:3]
