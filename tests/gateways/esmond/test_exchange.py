"""The annotated exchange of the protocol, section 19, as it stands there."""
from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from offbeat.clock import ManualClock
from tests.gateways.esmond.archive import Archive
from tests.gateways.prelert.engine import engine

REGISTERED = b"""\
{"subject-type":"point-to-point","source":"192.0.2.10","destination":"192.0.2.20",
 "tool-name":"probe/7","measurement-agent":"192.0.2.10","input-source":"a.example.org",
 "input-destination":"b.example.org","time-duration":15,
 "event-types":[{"event-type":"packet-loss-rate",
                 "summaries":[{"summary-type":"aggregation","summary-window":300}]},
                {"event-type":"packet-trace","summaries":[]}]}"""
SHOWN = """\
{"url":"http://archive.example.org/esmond/perfsonar/archive/5d0c…/",
 "uri":"/esmond/perfsonar/archive/5d0c…/","metadata-key":"5d0c…",
 "subject-type":"point-to-point","source":"192.0.2.10","destination":"192.0.2.20",
 "tool-name":"probe/7","measurement-agent":"192.0.2.10","input-source":"a.example.org",
 "input-destination":"b.example.org","time-duration":"15",
 "event-types":[
  {"event-type":"packet-loss-rate","time-updated":null,
   "base-uri":"/esmond/perfsonar/archive/5d0c…/packet-loss-rate/base",
   "summaries":[{"summary-type":"aggregation","summary-window":"300","time-updated":null,
     "uri":"/esmond/perfsonar/archive/5d0c…/packet-loss-rate/aggregations/300"}]},
  {"event-type":"packet-trace","time-updated":null,
   "base-uri":"/esmond/perfsonar/archive/5d0c…/packet-trace/base","summaries":[]}]}"""
"""The members stand in the order that the first of the two event types has in the protocol, where they stand in two."""
WRITTEN = b"""\
{"data":[{"ts":1700000000,"val":[{"event-type":"packet-loss-rate","val":{"numerator":1,"denominator":10}}]},
         {"ts":1700000060,"val":[{"event-type":"packet-loss-rate","val":{"numerator":0,"denominator":90}}]}]}"""
NOW_S = 1_700_000_100


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive whose clock stands just after the exchange."""
    with engine(tmp_path_factory.mktemp("exchange") / "offbeat-data", ManualClock(NOW_S * 1000)) as daemon:
        yield Archive(daemon, key="0123")


def compact(text: str, key: str) -> bytes:
    """The JSON of the protocol as it goes over the wire: without its line breaks, with the whole key."""
    return json.dumps(json.loads(text.replace("5d0c…", key)), separators=(",", ":")).encode()


def test_the_annotated_exchange_byte_for_byte(archive: Archive) -> None:
    host = {"Host": "archive.example.org"}
    said = {**host, "Content-Type": "application/json"}
    registered = archive.call("POST", "", REGISTERED, said)
    key = registered.document["metadata-key"]
    assert (registered.status, registered.headers["Content-Type"]) == (201, "application/json")
    assert registered.headers["Location"] == f"http://archive.example.org/esmond/perfsonar/archive/{key}/"
    assert registered.body == compact(SHOWN, key)

    written = archive.call("PUT", f"{key}/", WRITTEN, said)
    assert (written.status, written.body) == (201, b'""')
    read = archive.call("GET", f"{key}/packet-loss-rate/base?limit=1000")
    assert (read.status, read.body) == (200, b'[{"ts":1700000000,"val":0.1},{"ts":1700000060,"val":0.0}]')
    read = archive.call("GET", f"{key}/packet-loss-rate/aggregations/300?limit=1000")
    assert (read.status, read.body) == (200, b'[{"ts":1699999800,"val":0.01}]')

    again = archive.call("PUT", f"{key}/", WRITTEN, said)
    assert (again.status, list(again.document)) == (409, ["detail", "error"])

    found = archive.call("GET", "?tool-name=probe%2F7&event-type=packet-loss-rate&time-range=3600", headers=host)
    first, second = compact(SHOWN, key).split(b'{"event-type":"packet-trace"')
    filled = b'{"event-type":"packet-trace"'.join(
        (first.replace(b'"time-updated":null', b'"time-updated":%d' % NOW_S), second))
    count = b',"metadata-count-total":1,"metadata-next-page":null,"metadata-previous-page":null}'
    assert (found.status, found.body) == (200, b"[" + filled.removesuffix(b"}") + count + b"]")
