"""What the example scripts of the Prelert Engine do, done to the daemon; and the paths of older versions.

Source: Prelert Engine API, sections 18 and 19. The clients here are written from that description.
"""
from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.gateways.prelert.engine import FIRST_S, METRIC, Engine, csv, engine, steady

SPAN_S = 3600


def by_date(daemon: Engine, id: str, start: str | None) -> list[dict[str, Any]]:
    """What ``getBucketsByDate`` gives with no end: pages of a hundred."""
    found: list[dict[str, Any]] = []
    while True:
        page = daemon.get(
            f"/results/{id}/buckets?skip={len(found)}&take=100&expand=False&start={quote(str(start))}&end="
        )
        assert page.status == 200
        found += page.document["documents"]
        if not page.document["nextPage"]:
            return found


def lines(buckets: list[dict[str, Any]]) -> list[str]:
    """What the scripts print of buckets."""
    return [f"{one['timestamp']},{one['anomalyScore']},{one['maxNormalizedProbability']}" for one in buckets]


def test_the_simple_example_creates_uploads_closes_and_reads_all_buckets(daemon: Engine) -> None:
    created = daemon.json("POST", "/jobs", {
        "analysisConfig": {"bucketSpan": 3600, "detectors": [METRIC]},
        "dataDescription": {"fieldDelimiter": ",", "timeField": "time", "timeFormat": "yyyy-MM-dd HH:mm:ssX"}})
    assert created.status == 201
    id = created.document["id"]
    body = b"time,airline,responsetime,sourcetype\n" + b"".join(
        b"2014-06-23 %02d:%02d:00Z,AAL,132.2,farequote\n" % (hour, minute) for hour in range(24) for minute in (0, 30))
    assert daemon.upload(id, body).status == 202
    assert daemon.post(f"/data/{id}/close").status == 202
    assert lines(daemon.buckets(id))[0].startswith("2014-06-23T00:00:00.000+0000,0.0,0.0")
    assert len(daemon.buckets(id)) == 23


def replayed(count: int) -> Iterator[bytes]:
    """Rows with new times, forwards and backwards in turn, with the header again at each turn."""
    columns = ("In Discards", "In Octets", "Out Discards", "Out Octets")
    rows = [(f"host{i % 3}", *(j * i % 7 for j in range(4))) for i in range(40)]
    header = ",".join(("time", "host", *columns)).encode()
    sent = made = 0
    yield header
    while sent < count:
        for host, *values in rows if made % 2 == 0 else reversed(rows):
            at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(1_400_371_200 + 300 * sent))
            yield ",".join([at, host, *map(str, values)]).encode()
            sent += 1
        made += 1
        yield header


def test_the_streaming_example_sends_a_hundred_rows_at_a_time_and_prints_what_is_new(daemon: Engine) -> None:
    fields = ("In Discards", "In Octets", "Out Discards", "Out Octets")
    detectors = [{"fieldName": field, "byFieldName": "host"} for field in fields]
    created = daemon.json("POST", "/jobs", {
        "analysisConfig": {"bucketSpan": SPAN_S, "detectors": detectors},
        "dataDescription": {"fieldDelimiter": ",", "timeField": "time", "timeFormat": "yyyy-MM-dd'T'HH:mm:ssXXX"}})
    assert created.status == 201
    id = created.document["id"]
    rows, printed, start, bad = replayed(400), list[str](), "1", 0
    header, batch = next(rows), list[bytes]()
    for row in rows:
        batch.append(row)
        if len(batch) == 100:
            taken = daemon.upload(id, b"\n".join([header, *batch]) + b"\n")
            bad += taken.summary["invalidDateCount"]
            new = by_date(daemon, id, start)
            printed += lines(new)
            start = str(int(new[-1]["id"]) + 1) if new else start
            batch = []
    assert daemon.post(f"/data/{id}/close").status == 202
    assert bad == 9  # each time the header comes as a row
    assert len(printed) == len(set(printed)) == len(daemon.buckets(id)) == 32
    assert {d["function"] for d in daemon.job(id)["analysisConfig"]["detectors"]} == {"metric"}


def test_the_streaming_example_that_never_sends_anything_closes_all_the_same(daemon: Engine) -> None:
    id = daemon.create()
    assert by_date(daemon, id, "1") == []
    assert daemon.post(f"/data/{id}/close").status == 202


def test_printing_buckets_goes_on_from_the_last_one_or_from_none(daemon: Engine) -> None:
    id, rows = daemon.create(), steady(8)
    assert by_date(daemon, id, None) == []  # start=None
    daemon.upload(id, csv(rows[:32]))
    first = daemon.buckets(id)
    daemon.upload(id, csv(rows[32:]))
    more = by_date(daemon, id, str(int(first[-1]["id"]) + 1))
    assert [*first, *more] == daemon.buckets(id)
    assert more


def test_printing_records_pages_by_two_hundred_until_the_hits_are_reached(daemon: Engine) -> None:
    rows = [(t, f"A{i}", 900 if i % 2 and t >= FIRST_S + 60 * SPAN_S else 100 + (i + t // 900) % 5)
            for t in range(FIRST_S, FIRST_S + 64 * SPAN_S, 1800) for i in range(40)]
    id = daemon.create()
    daemon.upload(id, csv(rows))
    daemon.close(id)
    records: list[dict[str, Any]] = []
    skip, hits = 0, 1
    while skip < hits:
        page = daemon.get(f"/results/{id}/records?skip={skip}&take=200&includeInterim=false").document
        records += page["documents"]
        skip, hits = skip + 200, page["hitCount"]
    assert len(records) == hits > 0
    assert all(f"{one['timestamp']},{one['anomalyScore']},{one['normalizedProbability']}" for one in records)


def test_polling_for_alerts_goes_on_after_a_time_out_until_the_job_closes(daemon: Engine) -> None:
    id, rows = daemon.create(), steady(33)
    rows = [(t, airline, 900 if t // SPAN_S == FIRST_S // SPAN_S + 30 else value) for t, airline, value in rows]
    daemon.upload(id, csv(rows[:240]))
    number = daemon.service.analyses.get(id).number
    timed_out, alerts = threading.Event(), list[dict[str, Any]]()

    def poll() -> None:
        while True:
            timeout_s = 60 if timed_out.is_set() else 0.2
            answer = daemon.get(f"/alerts_longpoll/{id}/?score=50.0&timeout={timeout_s}")
            if answer.status != 200:
                return
            if answer.document["timeout"]:
                timed_out.set()
            else:
                alerts.append(answer.document)

    polling = threading.Thread(target=poll)
    polling.start()
    assert timed_out.wait(60)
    while number not in daemon.service.hub._queues:  # it polls again
        time.sleep(0)
    daemon.upload(id, csv(rows[240:]))
    daemon.close(id)  # ends the script: a job that does not run has no alerts
    polling.join(60)
    (alert,) = alerts
    assert alert["bucket"]["id"] == str(FIRST_S + 30 * SPAN_S)
    assert alert["bucket"]["records"] and alert["uri"].endswith("?expand=true")


def test_deleting_all_jobs_ends_with_an_empty_list(tmp_path: Path) -> None:
    with engine(tmp_path / "state") as daemon:
        for i in range(5):
            daemon.upload(daemon.create(), csv(steady(i)))
        dots = 0
        while documents := daemon.get("/jobs?skip=0&take=3").document["documents"]:
            for job in documents:
                assert daemon.call("DELETE", f"/jobs/{job['id']}").status == 200
                dots += 1
        assert dots == 5
        assert daemon.get("/jobs").document == {
            "hitCount": 0, "skip": 0, "take": 100, "nextPage": None, "previousPage": None, "documents": []}


@pytest.mark.parametrize("kind", ["records?take=10000&sort=normalizedProbability", "influencers?take=10000"])
def test_results_as_csv_have_the_same_columns_in_every_row(daemon: Engine, kind: str) -> None:
    id = daemon.create(analysis={"influencers": ["airline"]})
    empty = daemon.get(f"/results/{id}/{kind}").document
    assert empty["documents"] == []
    rows = [(t, airline, 900 if airline == "AAL" and t >= FIRST_S + 30 * SPAN_S else value)
            for t, airline, value in steady(33)]
    daemon.upload(id, csv(rows))
    documents = daemon.get(f"/results/{id}/{kind}").document["documents"]
    header = sorted(documents[0])
    assert all(sorted(one) == header for one in documents)


def test_the_elastic_connector_sends_arrays_some_of_them_empty(daemon: Engine) -> None:
    id = daemon.create(
        analysis={"bucketSpan": 600, "detectors": [{"function": "count", "byFieldName": "response"}]},
        dataDescription={"format": "JSON", "timeField": "@timestamp", "timeFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSX"})
    total = 0
    for day in range(3):
        hits = [{"@timestamp": f"2014-06-{23 + day}T{hour:02d}:00:00.000Z", "response": "200", "tags": ["a", "b"],
                 "geo": {"src": "DE"}} for hour in range(24)] if day != 1 else []
        taken = daemon.upload(id, json.dumps(hits).encode())
        total += taken.summary["processedRecordCount"]
    assert daemon.post(f"/data/{id}/close").status == 202
    assert total == 48
    assert daemon.buckets(id)[-1]["timestamp"] == "2014-06-25T22:50:00.000+0000"


def test_the_cloudwatch_connector_goes_on_with_a_job_and_may_send_the_same_range_again(daemon: Engine) -> None:
    assert daemon.get("/jobs/cloudwatch").status == 404
    metrics = [f"Metric{i}" for i in range(10)]
    daemon.create(
        "cloudwatch", {"bucketSpan": 300, "detectors": [
            {"function": "mean", "fieldName": metric, "byFieldName": "instance"} for metric in metrics]},
        dataDescription={"format": "JSON", "timeField": "timestamp", "timeFormat": "yyyy-MM-dd'T'HH:mm:ssX"})
    assert daemon.get("/jobs/cloudwatch").status == 200
    body = b"\n".join(json.dumps({"timestamp": f"2014-10-01T{hour:02d}:{minute:02d}:00+00:00", "instance": "i-1",
                                  metrics[hour % 10]: 1.5 * hour}).encode()
                      for hour in range(8) for minute in range(0, 60, 5))
    first = daemon.upload("cloudwatch", body).summary
    assert (first["processedRecordCount"], first["missingFieldCount"]) == (96, 96 * 9)
    assert daemon.upload("cloudwatch", b"").summary["inputRecordCount"] == 0
    again = daemon.upload("cloudwatch", body).summary
    assert (again["outOfOrderTimeStampCount"], again["processedRecordCount"]) == (95, 1)  # one is as late as the last
    assert daemon.post("/data/cloudwatch/close").status == 202


def test_the_shell_connectors_cut_the_id_out_and_feed_a_footer(daemon: Engine) -> None:
    document = {"analysisConfig": {"detectors": [{"function": "count"}]},
                "dataDescription": {"fieldDelimiter": ",", "timeFormat": "yyyy-MM-dd HH:mm:ssX"}}
    answer = daemon.call("POST", "/jobs", json.dumps(document).encode(), base="/engine/v1")
    id = answer.body.decode().split('"')[3]
    rows = b"time,x\n" + b"".join(b"2014-06-23 10:%02d:00+00,1\n" % minute for minute in range(5)) + b"(5 rows)\n"
    summary = daemon.call("POST", f"/data/{id}", rows, base="/engine/v1").summary
    assert (summary["processedRecordCount"], summary["invalidDateCount"]) == (5, 1)
    page = daemon.call("GET", f"/results/{id}/buckets?take=1000000", base="/engine/v1").document
    assert [(b["timestamp"], b["id"], b["anomalyScore"]) for b in page["documents"]] == []


# ── older versions ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", ["v0.3", "v1", "v2"])
def test_the_paths_of_older_versions_are_there_under_every_version(daemon: Engine, version: str) -> None:
    id, base = daemon.create(), f"/engine/{version}"
    rows = [(t, airline, 900 if t >= FIRST_S + 30 * SPAN_S else value) for t, airline, value in steady(32)]
    daemon.upload(id, csv(rows))
    odd = str(FIRST_S + 30 * SPAN_S)
    listed = daemon.call("GET", f"/results/{id}?take=1000", base=base).document
    assert listed["documents"] == daemon.buckets(id)
    expanded = daemon.get(f"/results/{id}/{odd}?expand=true").document["document"]["records"]
    for path in (f"/results/{id}/{odd}/records", f"/results/{id}/buckets/{odd}/records"):
        page = daemon.call("GET", path, base=base).document
        assert page["documents"] == expanded != []
        assert page["hitCount"] == len(expanded)
    answer = daemon.call("PUT", f"/jobs/{id}/description", 'a "plain" text\nü'.encode(), base=base)
    assert (answer.status, answer.document) == (200, {"acknowledgement": True})
    assert daemon.job(id)["description"] == 'a "plain" text\nü'
    daemon.json("PUT", f"/jobs/{id}/update", {"detectors": [{"index": 0, "description": "calls"}]})
    assert daemon.call("GET", f"/detectors/{id}", base=base).document["documents"] == [{"name": "calls"}]
