"""The Influx doors: what a client of InfluxDB sends, and what it expects to hear."""
from __future__ import annotations

import gzip

import pytest

from offbeat.config import IngestConfig
from offbeat.errors import BodyTooLarge, IntakeFull, NoGoodLine, Refused, StoreUnavailable
from offbeat.http.schemas import named
from offbeat.records import LineError, Receipt
from offbeat.wire.options import Options
from tests.http.conformity import misfits
from tests.http.parts import Behind, serving

LINE = b"weather,location=eu temperature=21.5 1449677642\n"
V1, V2 = "/write", "/api/v2/write"
PARTLY = Receipt(accepted=2, rejected=3, errors=(LineError(4, "bad_line", "no field"),), errors_omitted=2, sequence=17)


@pytest.mark.parametrize(
    ("path", "precision"),
    [
        (V2, "ns"),
        (f"{V2}?org=home&bucket=air&orgID=1", "ns"),
        (f"{V2}?precision=ns", "ns"),
        (f"{V2}?precision=us", "us"),
        (f"{V2}?precision=ms", "ms"),
        (f"{V2}?precision=s&org=home&bucket=air", "s"),
        (V1, "ns"),
        (f"{V1}?db=air&precision=", "ns"),
        (f"{V1}?db=air&rp=week&consistency=all&u=me&p=secret&precision=n", "ns"),
        (f"{V1}?precision=u", "us"),
        (f"{V1}?precision=ms", "ms"),
        (f"{V1}?db=air&precision=s", "s"),
        (f"{V1}?db=air&precision=m", "m"),
        (f"{V1}?db=air&precision=h", "h"),
    ],
)
async def test_lines_are_taken_and_answered_with_204_and_nothing_else(path: str, precision: str) -> None:
    async with serving() as door:
        assert (await door.send(LINE, path, Content_Type="application/x-www-form-urlencoded"))[:2] == (204, b"")
        body = door.behind.intake.body()
        assert body.data == LINE
        assert body.options == Options.of(IngestConfig(), "influx", precision=precision)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [V1, V2])
async def test_a_packed_body_is_handed_on_as_it_is(path: str) -> None:
    async with serving() as door:
        assert (await door.send(gzip.compress(LINE), path, Content_Encoding="gzip"))[0] == 204
        body = door.behind.intake.body()
        assert (gzip.decompress(body.data), body.encoding) == (LINE, "gzip")


async def test_a_partial_write_keeps_the_good_lines_and_says_what_became_of_the_others() -> None:
    async with serving() as door:
        door.behind.intake.receipt = PARTLY
        message = "partial write: line 4: no field dropped=3"
        assert (await door.send(LINE, V2))[:2] == (400, {"code": "invalid", "message": message})
        assert (await door.send(LINE, V1))[:2] == (400, {"error": message})


@pytest.mark.parametrize(("refusal", "status", "code", "retry"), [
    (IntakeFull("full"), 429, "too many requests", "1"), (StoreUnavailable("full"), 503, "unavailable", "5"),
    (BodyTooLarge("full"), 413, "request too large", None), (RuntimeError("full"), 500, "internal error", None),
    (NoGoodLine("none", receipt={**PARTLY.as_dict(), "accepted": 0}), 400, "invalid", None),
])
async def test_refusals_have_the_forms_of_influxdb(
    refusal: Exception, status: int, code: str, retry: str | None
) -> None:
    async with serving() as door:
        door.behind.intake.raises = refusal
        for path, schema in ((V2, "InfluxError"), (V1, "InfluxV1Error")):
            answered, document, headers = await door.send(LINE, path)
            assert (answered, headers.get("Retry-After")) == (status, retry)
            assert misfits(document, named(schema)) == []
            assert document.get("code") == (code if path == V2 else None)
            if isinstance(refusal, Refused) and not isinstance(refusal, NoGoodLine):
                assert "full" in document.values()


@pytest.mark.parametrize(
    ("path", "method", "schema"),
    [
        (f"{V2}?precision=m", "POST", "InfluxError"),
        (f"{V1}?precision=d", "POST", "InfluxV1Error"),
        (V2, "GET", "InfluxError"),
        (V1, "GET", "InfluxV1Error"),
    ],
)
async def test_a_request_that_is_none_is_refused_in_the_form_of_its_version(
    path: str, method: str, schema: str
) -> None:
    async with serving() as door:
        status, document, _ = await door.send(None, path, method)
        assert status == (400 if method == "POST" else 405)
        assert misfits(document, named(schema)) == []


@pytest.mark.parametrize(("method", "query", "status", "document"), [
    ("GET", "", 204, b""), ("HEAD", "", 204, b""), ("GET", "?verbose=false", 204, b""),
    ("GET", "?verbose=true", 200, {"version": "1.8.10"}), ("HEAD", "?verbose=true", 200, b""),
])
async def test_a_ping_is_answered_with_the_version(method: str, query: str, status: int, document: object) -> None:
    async with serving() as door:
        answered, answer, headers = await door.send(None, f"/ping{query}", method)
        assert (answered, answer) == (status, document)
        assert (headers["X-Influxdb-Version"], headers["X-Influxdb-Build"]) == ("1.8.10", "OSS")


async def test_the_health_document_passes_or_fails() -> None:
    behind = Behind()
    async with serving(behind) as door:
        assert (await door.get("/health"))["status"] == "pass"
        behind.not_ready = "the disk is full"
        document = await door.get("/health", 503)
        assert (document["status"], document["message"]) == ("fail", "the disk is full")
        assert misfits(document, named("InfluxHealth")) == []
