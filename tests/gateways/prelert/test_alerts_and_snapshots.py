"""Every call of the Python client that is about alerts, model snapshots, logs and validation.

Source: Prelert Engine API, sections 10, 11, 13, 14, 16.4 and 21.
"""
from __future__ import annotations

import io
import re
import threading
import time
import zipfile
from typing import Any

import pytest

from tests.gateways.prelert.engine import FIRST_S, METRIC, ODD_BUCKET, Answer, Engine, csv, eventful, steady

ACKNOWLEDGED = {"acknowledgement": True}
ALERT = {"jobId", "timestamp", "timeout", "alertType", "isInterim", "anomalyScore", "maxNormalizedProbability", "uri"}
TIMED_OUT = {"timeout": True, "alertType": "bucket", "isInterim": False, "anomalyScore": 0.0,
             "maxNormalizedProbability": 0.0}


# ── alerts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def polled(daemon: Engine, id: str, query: str, body: bytes) -> Answer:
    """The answer to a long poll during which *body* is sent."""
    got: list[Answer] = []
    follower = threading.Thread(target=lambda: got.append(daemon.get(f"/alerts_longpoll/{id}/?{query}")))
    hub = daemon.service.hub
    number = daemon.service.analyses.get(id).number
    follower.start()
    while number not in hub._queues:  # until it waits
        time.sleep(0)
    daemon.upload(id, body)
    follower.join()
    return got[0]


@pytest.mark.parametrize(("query", "kind", "brings"), [
    ("score=80.0&timeout=60", "bucket", "bucket"), ("probability=80.0&timeout=60", "bucket", "records"),
    ("probability=80.0&score=80.0", "bucket", "bucket"), ("score=80&alertOn=influencer", "influencer", "bucket"),
    ("score=80&alertOn=bucketinfluencer,influencer", "influencer", "bucket"),
    ("score=80&alertOn=bucketinfluencer", "bucketinfluencer", "bucket"),
])
def test_an_alert_comes_as_soon_as_a_result_crosses_a_threshold(
    daemon: Engine, query: str, kind: str, brings: str
) -> None:
    rows = eventful()
    first = ODD_BUCKET * 8
    id = daemon.create(analysis={"influencers": ["airline"]})
    daemon.upload(id, csv(rows[:first]))
    answer = polled(daemon, id, query, csv(rows[first:]))
    alert, odd = answer.document, FIRST_S + ODD_BUCKET * 3600
    assert answer.status == 200
    assert set(alert) == ALERT | {brings}
    assert (alert["jobId"], alert["timeout"], alert["alertType"]) == (id, False, kind)
    assert alert["timestamp"] == daemon.now
    assert alert["uri"] == f"http://{daemon.host}:{daemon.port}/engine/v2/results/{id}/buckets/{odd}?expand=true"
    assert alert["anomalyScore"] >= 80
    if brings == "bucket":
        assert (alert["bucket"]["id"], alert["bucket"]["records"][0]["byFieldValue"]) == (str(odd), "AAL")
    else:
        assert all(record["initialNormalizedProbability"] >= 80 for record in alert["records"])


def test_a_poll_without_an_alert_ends_when_its_time_is_up_and_not_before(daemon: Engine) -> None:
    id = daemon.create()
    daemon.upload(id, csv(steady(2)))
    began = time.monotonic()
    answer = daemon.get(f"/alerts_longpoll/{id}/?probability=80.0&score=90.0&timeout=0.3")
    assert time.monotonic() - began >= 0.3
    assert (answer.status, answer.document) == (200, {"jobId": id, **TIMED_OUT})


@pytest.mark.parametrize("ending", ["close", "delete"])
def test_who_waits_for_a_job_that_ends_is_told_so_at_once(daemon: Engine, ending: str) -> None:
    id = daemon.create()
    daemon.upload(id, csv(steady(2)))
    got: list[Answer] = []
    follower = threading.Thread(target=lambda: got.append(daemon.get(f"/alerts_longpoll/{id}/?score=1&timeout=50")))
    number = daemon.service.analyses.get(id).number
    follower.start()
    while number not in daemon.service.hub._queues:
        time.sleep(0)
    if ending == "close":
        daemon.close(id)
    else:
        daemon.call("DELETE", f"/jobs/{id}")
    follower.join(30)
    assert got[0].document == {"jobId": id, **TIMED_OUT}


# ── snapshots, logs, validation ───────────────────────────────────────────────────────────────────────────────────


def test_a_job_goes_back_to_a_snapshot_by_time_although_the_client_sends_a_stray_parameter(daemon: Engine) -> None:
    id, rows = daemon.create(), eventful()
    daemon.upload(id, csv(rows[:160]))
    daemon.close(id)
    first = daemon.get(f"/modelsnapshots/{id}?skip=0&take=100").document["documents"][0]
    assert {"snapshotId", "timestamp", "description", "restorePriority", "snapshotDocCount"} <= set(first)
    daemon.clock.move(60_000)
    daemon.upload(id, csv([*rows[160:], (rows[-1][0], "NEW", 100)]))  # the snapshot does not know that airline
    daemon.close(id)
    newest, older = daemon.get(f"/modelsnapshots/{id}").document["documents"]
    assert older == first
    top = f"/modelsnapshots/{id}/{newest['snapshotId']}"
    assert daemon.call("DELETE", top).refusal == (409, 60125)
    at = first["timestamp"].replace(":", "%3A").replace("+", "%2B")
    answer = daemon.post(f"/modelsnapshots/{id}/revert?false&time={at}")
    assert (answer.status, answer.document["type"]) == (200, "modelSnapshot")
    back = answer.document["document"]
    assert (back["snapshotId"], back["restorePriority"]) == (first["snapshotId"], newest["restorePriority"] + 1)
    assert len(daemon.buckets(id)) == 39
    assert daemon.upload(id, csv(rows[:240])).upload_refusal == (400, 30105)  # what has passed does not come again
    daemon.close(id)
    answer = daemon.post(f"/modelsnapshots/{id}/revert?deleteInterveningResults=true&snapshotId={first['snapshotId']}")
    assert answer.status == 200
    assert len(daemon.buckets(id)) == 19
    assert daemon.upload(id, csv(rows[160:])).summary["outOfOrderTimeStampCount"] == 0
    assert len(daemon.buckets(id)) == 39
    assert daemon.call("DELETE", top).document == ACKNOWLEDGED


def test_a_snapshot_is_described_and_found_by_that(daemon: Engine, found: str) -> None:
    one = daemon.get(f"/modelsnapshots/{found}").document["documents"][0]
    path = f"/modelsnapshots/{found}/{one['snapshotId']}/description"
    answer = daemon.json("PUT", path, {"description": "before the release"})
    assert (answer.status, answer.document["document"]) == (200, one | {"description": "before the release"})
    page = daemon.get(f"/modelsnapshots/{found}?description=before%20the%20release").document
    assert page["hitCount"] == 1
    answer = daemon.post(f"/modelsnapshots/{found}/revert?deleteInterveningResults=true&description=before+the+release")
    assert answer.document["document"]["snapshotId"] == one["snapshotId"]


def test_logs_are_archives_and_texts_and_every_failure_has_a_body(daemon: Engine, found: str) -> None:
    for path in (f"/logs/{found}", "/logs/elasticsearch", "/logs/engine_api", "/support"):
        answer = daemon.get(path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/octet-stream")
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            assert archive.testzip() is None
            assert archive.namelist()
    for name in (found, "engine_api"):
        assert daemon.get(f"/logs/{found}/{name}").headers["Content-Type"].startswith("text/plain")
    whole = daemon.get(f"/logs/{found}/{found}").body.splitlines()
    assert daemon.get(f"/logs/{found}/tail?lines=2").body.splitlines() == whole[-2:]
    assert daemon.get(f"/logs/{found}/{found}/tail").body.splitlines() == whole[-10:]
    missing = daemon.get(f"/logs/{found}/other")
    assert missing.refusal == (404, 50102)
    assert isinstance(missing.document, dict)


@pytest.mark.parametrize(("period", "told"), [(5, False), (1, True)])
def test_the_log_says_that_a_season_is_not_used(daemon: Engine, period: int, told: bool) -> None:
    id = daemon.create(f"season{period}", {"bucketSpan": 3600, "batchSpan": 3600, "period": period})
    (shown,) = [daemon.get(f"/jobs/{id}").document["document"]["analysisConfig"]]
    assert (shown["period"], shown["batchSpan"]) == (period, 3600)
    said = "a season of 3600 s is not used: period x batchSpan is to be 2 to 100000 bucket spans"
    assert (said in daemon.get(f"/logs/{id}/{id}").body.decode()) is told


def test_the_log_says_what_categories_and_populations_there_are(daemon: Engine) -> None:
    detectors = [{"function": "count", "byFieldName": "prelertcategory"},
                 {"function": "max", "fieldName": "responsetime", "overFieldName": "airline"}]
    id = daemon.create("known", {"detectors": detectors, "categorizationFieldName": "airline", "bucketSpan": 3600})
    daemon.upload(id, csv(eventful()))
    log = daemon.get(f"/logs/{id}/{id}").body.decode()
    assert re.search(r" 2 categories of \d+ messages, status ok\n", log)
    assert re.search(r" detector 1 compares \d(\.\d+)? members a bucket in 1 populations\n", log)


@pytest.mark.parametrize(("path", "document"), [
    ("detector", METRIC), ("transform", {"transform": "trim", "inputs": "a"}),
    ("transforms", [{"transform": "trim", "inputs": "a"}, {"transform": "concat", "inputs": ["trim", "b"]}]),
])
def test_what_is_valid_is_acknowledged(daemon: Engine, path: str, document: Any) -> None:
    answer = daemon.json("POST", f"/validate/{path}", document)
    assert (answer.status, answer.document) == (200, ACKNOWLEDGED)
