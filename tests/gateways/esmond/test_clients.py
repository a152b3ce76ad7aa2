"""What the programs of the protocol do, sections 15, 16 and 18, from their first request to their last."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.gateways.esmond.archive import CLIENT, METADATA, ROOT, TS, Archive, summaries


@pytest.fixture
def archive(open_archive: Archive) -> Archive:
    return open_archive


@pytest.fixture
def loader(open_archive: Archive) -> Archive:
    """A loading program: it has no alias unless it is told one."""
    return replace(open_archive, root="/perfsonar/archive/")


def fetched(archive: Archive, address: str, **filters: int) -> list[tuple[int, Any]]:
    """All data as ``get_data`` fetches them: a thousand at a time, each page from the second after the one before."""
    found: list[tuple[int, Any]] = []
    while True:
        page = archive.get(address, limit=1000, **filters)
        found += [(point["ts"], point["val"]) for point in page]
        if len(page) < 1000:
            return found
        filters["time_start"] = page[-1]["ts"] + 1
        if filters.get("time_end", filters["time_start"] + 1) <= filters["time_start"]:
            return found


def test_the_reading_library_gets_every_point_of_a_search(archive: Archive) -> None:
    key = archive.register(summaries("throughput", ("average", 60)), tool_name="library")
    archive.put_good(key, *(("throughput", TS + i, i) for i in range(2_500)))
    now_s = archive.daemon.clock.now_ms() // 1000
    (found,) = archive.get(tool_name="library", event_type="throughput", time_start=TS - 86400, time_end=now_s)
    assert found["metadata-count-total"] == 1
    (event,) = found["event-types"]
    everything = [(TS + i, i) for i in range(2_500)]
    assert fetched(archive, event["base-uri"], time_start=TS - 86400, time_end=now_s) == everything
    assert fetched(archive, event["base-uri"]) == everything
    assert fetched(archive, event["base-uri"], time_range=now_s - TS) == everything
    (average,) = [one for one in event["summaries"] if one["summary-window"] == str(60)]
    assert fetched(archive, average["uri"])[:2] == [(TS, 29.5), (TS + 60, 89.5)]


def test_the_posting_library_names_an_event_type_twice(archive: Archive) -> None:
    """``add_event_type`` and ``add_summary_type`` each append an element."""
    events = [{"event-type": "throughput", "summaries": []}, {"event-type": "throughput", "summaries": []},
              summaries("throughput", ("average", 60))]
    key = archive.register(*events, tool_name="poster")
    assert key == archive.register(summaries("throughput", ("average", 60)), tool_name="poster")
    archive.put_good(key, ("throughput", TS, 1))
    assert archive.data(key, "throughput", "averages/60") == [(TS, 1.0)]


def test_a_client_of_version_1_posts_its_bulk_with_user_and_key(archive: Archive, keys: None) -> None:
    key = archive.register(tool_name="first generation")
    old = replace(archive, key="")
    headers = {"Authorization": f"ApiKey mesh:{archive.key}", "Content-Type": "application/json"}
    body = b'{"data": [{"ts": %d, "val": [{"event-type": "throughput", "val": 7}]}]}' % TS
    assert old.call("POST", f"{key}/", body, headers).status == 201
    assert old.data(key, "throughput") == [(TS, 7)]


def test_the_loader_of_gridftp_logs(loader: Archive) -> None:
    members = {
        "tool-name": "gridftp", "bw-parallel-streams": 4, "bw-stripes": None, "gridftp-program": "globus",
        "gridftp-block-size": 262144, "tcp-window-size": None, "gridftp-bytes-transferred": 1_000_000,
        "event-types": [{"event-type": name, "summaries": []}
                        for name in ("throughput", "streams-packet-retransmits", "failures")]}
    answer = loader.send("POST", "", {**METADATA, **members})
    key = answer.document["metadata-key"]
    assert answer.status == 201
    assert answer.document["gridftp-block-size"] == "262144" and "bw-stripes" not in answer.document
    values = [("throughput", TS, 5331692.4), ("streams-packet-retransmits", TS, [])]
    undeclared = [(name, TS, {"a": 1}) for name in ("iostat", "mpstat", "rusage", "streams-tcpinfo")]
    loader.put_good(key, *values, *undeclared)
    assert loader.data(key, "throughput") == [(TS, 5331692)]
    assert loader.data(key, "streams-packet-retransmits") == [(TS, [])]
    assert loader.post(key, "failures", TS + 1, {"error": "530 Login incorrect"}).status == 201
    assert loader.refused(loader.put(key, *values)) == 409  # the log is read again
    larger = loader.send("POST", "", {**METADATA, **members, "gridftp-bytes-transferred": 2}).document
    assert larger["metadata-key"] != key


def test_the_pipe_of_iperf3(loader: Archive) -> None:
    names = ("throughput", "throughput-subintervals", "packet-retransmits-subintervals", "packet-count-lost",
             "packet-count-sent", "packet-loss-rate", "streams-throughput", "streams-throughput-subintervals")
    answer = loader.send("POST", "", {
        **METADATA, "ip-transport-protocol": "UDP", "time-duration": 30, "bw-parallel-streams": 2,
        "bw_ignore_first_seconds": 0, "event-types": [{"event-type": name, "summaries": []} for name in names]})
    key = answer.document["metadata-key"]
    assert answer.document["bw-ignore-first-seconds"] == "0"
    cuts = [{"start": 0.0, "duration": 1.000065, "val": 9e8}, {"start": 1.000065, "duration": 1, "val": None}]
    streams = [[{"start": 0, "duration": 1, "throughput": 1.5}], [{"start": 0, "duration": 1, "throughput": 2}]]
    values = [("throughput", 912345678.9), ("throughput-subintervals", cuts), ("packet-count-lost", 0),
              ("packet-retransmits-subintervals", cuts), ("packet-count-sent", 1000),
              ("packet-loss-rate", {"numerator": 0, "denominator": 1000}), ("streams-throughput", [1.5, 2]),
              ("streams-throughput-subintervals", streams)]
    loader.put_good(key, *((name, TS, value) for name, value in values))
    read = {name: loader.data(key, name)[0][1] for name in names}
    assert read == {**dict(values), "throughput": 912345678, "packet-loss-rate": 0.0}
    alias = replace(loader, root=ROOT)
    assert [one["metadata-key"] for one in alias.get(bw_ignore_first_seconds=0)] == [key]


def test_the_archiver_of_the_task_scheduler(archive: Archive) -> None:
    """It repeats event-type in summaries, and takes 409 for success."""
    def of(name: str, *pairs: tuple[str, int]) -> dict[str, Any]:
        document = summaries(name, *pairs)
        return {**document, "summaries": [{**one, "event-type": name} for one in document["summaries"]]}
    windows = (300, 3600, 86400)
    key = archive.register(
        of("throughput", ("average", 86400)), of("packet-loss-rate", *(("aggregation", w) for w in windows)),
        of("packet-count-sent", *(("aggregation", w) for w in windows)),
        of("histogram-owdelay", ("statistics", 0), *(("aggregation", w) for w in windows),
           *(("statistics", w) for w in windows)),
        "pscheduler-run-href", tool_name="powstream")
    values = [("packet-loss-rate", TS, {"numerator": 2, "denominator": 600}), ("packet-count-sent", TS, 600),
              ("histogram-owdelay", TS, {"28": 598}), ("pscheduler-run-href", TS, {"href": "https://x/run/1"})]
    assert (archive.put(key, *values).status, archive.put(key, *values).status) == (201, 409)
    for window in windows:
        start = TS // window * window
        assert archive.data(key, "packet-loss-rate", f"aggregations/{window}") == [(start, 2 / 600)]
        assert archive.data(key, "packet-count-sent", f"aggregations/{window}") == [(start, 600)]
        ((_, found),) = archive.data(key, "histogram-owdelay", f"statistics/{window}")
        assert (found["median"], found["standard-deviation"], found["mode"]) == (28.0, 0.0, [28.0])
    element = {**METADATA, "subject-type": "network-element", "event-types": [{"event-type": "pscheduler-raw"}]}
    raw = archive.send("POST", "", element).document["metadata-key"]
    archive.put_good(raw, ("pscheduler-raw", TS, {"any": ["thing", None, 1.5]}))
    assert archive.data(raw, "pscheduler-raw") == [(TS, {"any": ["thing", None, 1.5]})]


def test_the_perl_client_leaves_the_slash_out_and_escapes_nothing(archive: Archive) -> None:
    key = archive.register(summaries("throughput", ("average", 60)), tool_name="bwctl/perl")
    archive.put_good(key, ("throughput", TS, 1))
    headers = {"Content-Type": "application/json", **CLIENT}
    query = "tool-name=bwctl/perl&event-type=throughput&format=json"
    answer = archive.call("GET", f"{ROOT.rstrip('/')}?{query}", None, headers)
    assert [one["metadata-key"] for one in answer.document] == [key]
    assert archive.call("GET", f"{key}/throughput/base", None, headers).document == [{"ts": TS, "val": 1.0}]
    assert archive.call("GET", f"{key}/throughput/averages?time-range=1", None, headers).status == 200
    assert archive.call("GET", f"{key}/nonsense/base", None, headers).document["error"]
