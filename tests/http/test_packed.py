"""Answers of some size are compressed for who reads gzip, and for nobody else."""
from __future__ import annotations

import gzip
import json
from typing import Any

import aiohttp
import pytest

from offbeat.http.packed import PACKED_MIN_BYTES, reads_gzip
from offbeat.store.queries import Page
from tests.http import rows
from tests.http.parts import Behind, Door, MemoryResults, serving

BUCKETS = "/api/v1/buckets"


def behind(count: int) -> Behind:
    return Behind(results=MemoryResults({"buckets": Page((rows.BUCKET,) * count, None)}))


async def answered(door: Door, accepts: str | None, path: str = BUCKETS) -> tuple[bytes, Any]:
    """The bytes and headers of an answer to who *accepts* that."""
    headers = {} if accepts is None else {"Accept-Encoding": accepts}
    async with (
        aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=["Accept-Encoding"]) as client,
        client.get(f"{door.url}{path}", headers=headers) as response,
    ):
        return await response.read(), response.headers


@pytest.mark.parametrize("count", [100, 1_000])
async def test_a_large_answer_is_compressed_for_who_says_that_he_reads_it(count: int) -> None:
    async with serving(behind(count)) as door:
        plain, headers = await answered(door, None)
        assert ("Content-Encoding" in headers, headers["Vary"]) == (False, "Accept-Encoding")
        assert len(json.loads(plain)["buckets"]) == count
        packed, headers = await answered(door, "gzip, deflate")
        assert (headers["Content-Encoding"], headers["Vary"]) == ("gzip", "Accept-Encoding")
        assert int(headers["Content-Length"]) == len(packed) < len(plain) / 5
        assert headers["Content-Type"] == "application/json"
        assert gzip.decompress(packed) == plain
        assert (await answered(door, "gzip"))[0] == packed


async def test_a_small_answer_a_refusal_and_what_no_doors_of_ours_say_stay_as_they_are() -> None:
    async with serving(behind(5)) as door:
        for path in (BUCKETS, "/api/v1/nothing", "/healthz", "/ping"):
            body, headers = await answered(door, "gzip", path)
            assert len(body) <= PACKED_MIN_BYTES
            assert not {"Content-Encoding", "Vary"} & set(headers)


async def test_a_stream_and_a_file_are_sent_as_they_are() -> None:
    async with serving() as door:
        door.behind.stream.events.put_nowait(None)
        assert "Content-Encoding" not in (await answered(door, "gzip", "/api/v1/stream"))[1]
        body, headers = await answered(door, "gzip", "/docs/swagger-ui.css")
        assert ("Content-Encoding" in headers, len(body) > PACKED_MIN_BYTES) == (False, True)


@pytest.mark.parametrize(("said", "reads"), [
    ("gzip", True), ("GZIP", True), ("deflate, gzip;q=0.5", True), ("x-gzip", True), ("*", True),
    ("br;q=1.0, *;q=0.1", True),
    ("", False), ("identity", False), ("gzip;q=0", False), ("gzip; q=0.000", False), ("gzip;q=0, *", False),
    ("*;q=0", False), ("br", False), (";;,", False),
])
def test_weights_are_read(said: str, reads: bool) -> None:
    assert reads_gzip(said) == reads
