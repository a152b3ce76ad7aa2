"""What is sent is followed: a bearing that wears is found in the records by its key figures."""
from __future__ import annotations

import json
import urllib.request
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import numpy as np

from tests.gateways.mvg.client import FIRST_MS, HOUR_MS, Client, waveform
from tests.gateways.mvg.machines import worn

HEALTHY, WORN = 240, 24
FIGURES = {
    "rms", "peak", "peak2peak", "variance", "crest_factor", "utilization", "dc_component", "kurtosis",
    "envelope_kurtosis"}


def api(client: Client, path: str, **query: str) -> Any:
    """A document of the native API, with all that was sent before."""
    with urllib.request.urlopen(f"{client.url}/api/v1/{path}?{urlencode({'sequence': 'latest', **query})}") as answer:
        return json.load(answer)


def test_a_planted_bearing_fault_is_found_in_the_records(mvg: Client) -> None:
    rng = np.random.default_rng(17)
    for id in ("bearing-good", "bearing-bad"):
        mvg.create(id)
        for first in range(0, HEALTHY + WORN, 44):
            mvg.done("POST", f"/sources/{id}/measurements", [
                waveform(FIRST_MS + i * HOUR_MS,
                         worn(rng, 0.4 * max(0, i - HEALTHY) if id == "bearing-bad" else 0.0), 0.5)
                for i in range(first, first + 44)])
    sources = {one["source"]: one for one in api(mvg, "sources")["sources"]}
    assert sources["bearing-bad"]["event_count"] == HEALTHY + WORN
    series = {one["field"] for one in api(mvg, "sources/bearing-bad")["series"]}
    assert series == FIGURES
    records = {id: api(mvg, "records", source=id, order="-score", limit="100")["records"] for id in sources
               if id.startswith("bearing-")}
    strongest, calm = records["bearing-bad"][0], records["bearing-good"]
    assert strongest["score"] > max(record["score"] for record in calm)
    found_ms = int(np.datetime64(strongest["time"].removesuffix("Z"), "ms").astype(np.int64))
    assert 0 < (found_ms - FIRST_MS) // HOUR_MS - HEALTHY < WORN // 2
    together = {record["field"] for record in records["bearing-bad"] if record["time"] == strongest["time"]}
    assert {"kurtosis", "envelope_kurtosis", "crest_factor", "peak"} <= together
    by_time = Counter(record["time"] for record in calm)
    assert max(by_time.values()) <= 2 < len(together)


def test_rows_of_tables_are_followed_column_by_column(mvg: Client) -> None:
    mvg.create("followed", "tabular", ("timestamp", "time", "source", "flow (l/s)"))
    mvg.done("POST", "/sources/followed/measurements/tabular", {"data": {
        "timestamp": [FIRST_MS, FIRST_MS + 1], "time": [1, 2], "source": [3, 4], "flow (l/s)": [0.5, 1.5]}})
    api(mvg, "buckets", source="followed")
    assert {one["field"] for one in api(mvg, "sources/followed")["series"]} == {"time", "source", "flow (l/s)"}


def test_channels_are_told_apart_and_scalars_are_followed(mvg: Client) -> None:
    mvg.create("triaxial", names=("x", "y"))
    mvg.done("POST", "/sources/triaxial/measurements", [{
        "timestamp": FIRST_MS, "duration": 1.0, "data": {"x": [1.0, 2.0], "y": [1.0, 3.0]}, "meta": {},
        "scalars": {"temperature": 20.5}}])
    api(mvg, "buckets", source="triaxial")
    fields = {one["field"] for one in api(mvg, "sources/triaxial")["series"]}
    assert {"rms_x", "rms_y", "crest_factor_y", "temperature"} <= fields and "rms" not in fields
