"""Every call of the Python client that is about jobs, data and results, and the checklist of them.

Source: Prelert Engine API, sections 16.4 and 21, with what sections 3 to 14 say of each.
"""
from __future__ import annotations

import json
import re

import pytest

from tests.gateways.prelert.engine import FIRST_S, METRIC, ODD_BUCKET, Engine, csv, eventful, steady

ACKNOWLEDGED = {"acknowledgement": True}
BUCKET = {"id", "timestamp", "bucketSpan", "anomalyScore", "initialAnomalyScore", "maxNormalizedProbability",
          "recordCount", "eventCount", "isInterim", "bucketInfluencers", "influencers", "records"}
RECORD = {"timestamp", "bucketSpan", "detectorIndex", "probability", "normalizedProbability",
          "initialNormalizedProbability", "anomalyScore", "function", "functionDescription", "fieldName",
          "byFieldName", "byFieldValue", "typical", "actual", "influencers", "isInterim"}
MESSAGES = ["disk sda1 is full", "connection to host alpha refused", "disk sdb2 is full"]


# ── jobs ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_create_job_answers_201_with_nothing_but_the_id_and_where_it_is(daemon: Engine) -> None:
    answer = daemon.json("POST", "/jobs", {"analysisConfig": {"detectors": [METRIC]}})
    (id,) = answer.document.values()
    assert (answer.status, list(answer.document)) == (201, ["id"])
    assert answer.body.decode().split('"')[3] == id  # as awk takes it
    assert b"\n" not in answer.body
    assert answer.headers["Location"] == f"http://{daemon.host}:{daemon.port}/engine/v2/jobs/{id}"
    stamp, sequence = id.split("-")
    assert (stamp, len(sequence), sequence.isdigit()) == (re.sub(r"\D", "", daemon.now[:19]), 5, True)


def test_get_job_gives_the_document_in_its_envelope_and_404_where_there_is_none(daemon: Engine, found: str) -> None:
    answer = daemon.get(f"/jobs/{found}")
    assert (answer.status, list(answer.document)) == (200, ["exists", "type", "document"])
    document = answer.document["document"]
    assert set(document) == {
        "id", "description", "status", "createTime", "finishedTime", "lastDataTime", "timeout", "analysisConfig",
        "dataDescription", "modelSizeStats", "counts", "location", "endpoints"}
    assert (document["id"], document["status"], document["timeout"]) == ("found", "CLOSED", 600)
    assert document["counts"]["bucketCount"] == 39
    assert document["dataDescription"] == {"format": "DELIMITED", "timeField": "time", "timeFormat": "epoch",
                                           "fieldDelimiter": ",", "quoteCharacter": '"'}
    assert set(document["modelSizeStats"]) == {
        "modelBytes", "totalByFieldCount", "totalOverFieldCount", "totalPartitionFieldCount",
        "bucketAllocationFailuresCount", "memoryStatus", "timestamp", "logTime"}
    base = f"http://{daemon.host}:{daemon.port}/engine/v2"
    assert document["endpoints"] == {
        "data": f"{base}/data/found", "buckets": f"{base}/results/found/buckets",
        "records": f"{base}/results/found/records",
        "categoryDefinitions": f"{base}/results/found/categorydefinitions",
        "alertsLongPoll": f"{base}/alerts_longpoll/found", "logs": f"{base}/logs/found",
        "modelSnapshots": f"{base}/modelsnapshots/found"}
    absent = daemon.get("/jobs/nobody")
    assert (absent.status, absent.document) == (404, {"exists": False, "type": "job"})


def test_get_jobs_pages_through_them_in_the_order_of_their_creation(daemon: Engine) -> None:
    daemon.clock.move(1)
    made = [daemon.create(id) for id in ("jobs-a", "jobs-b", "jobs-c")]
    page = daemon.get("/jobs?skip=0&take=100").document
    ids = [job["id"] for job in page["documents"]]
    assert ids[-3:] == made
    assert page["hitCount"] == len(ids)
    assert [job["id"] for job in daemon.get(f"/jobs?skip={len(ids) - 2}&take=1").document["documents"]] == [made[1]]


def test_what_a_creator_says_of_a_job_is_given_back_as_it_was(daemon: Engine) -> None:
    settings = {"a": [1, 2.5, None, {"b": "ü \u2028"}], "": {}, "n": 1e-300}
    id = daemon.create(customSettings=settings, timeout="60", renormalizationWindowDays=3, ignoreDowntime=" once ")
    document = daemon.job(id)
    assert document["customSettings"] == settings
    assert list(document["customSettings"]) == list(settings)
    assert (document["timeout"], document["renormalizationWindowDays"], document["ignoreDowntime"]) == (60, 3, "ONCE")


def test_update_job_changes_the_document_at_once_all_or_nothing(daemon: Engine) -> None:
    id = daemon.create()
    change = {"description": "new", "detectors": [{"index": 0, "description": "calls"}], "customSettings": {"x": 1},
              "analysisLimits": {"modelMemoryLimit": 2048}, "resultsRetentionDays": 9, "ignoreDowntime": "ALWAYS"}
    answer = daemon.json("PUT", f"/jobs/{id}/update", change)
    assert (answer.status, answer.document) == (200, ACKNOWLEDGED)
    document = daemon.job(id)
    assert document["analysisConfig"]["detectors"][0]["detectorDescription"] == "calls"
    for name in ("description", "customSettings", "analysisLimits", "resultsRetentionDays", "ignoreDowntime"):
        assert document[name] == change[name]
    assert daemon.json("PUT", f"/jobs/{id}/update", {"description": "newer", "nonsense": 1}).refusal == (400, 10115)
    assert daemon.job(id)["description"] == "new"


def test_pause_takes_data_and_analyses_none_and_resume_goes_on_after_the_gap(daemon: Engine) -> None:
    id, rows = daemon.create(), steady(20)
    daemon.upload(id, csv(rows[:80]))
    assert (daemon.post(f"/jobs/{id}/pause").status, daemon.job(id)["status"]) == (200, "PAUSED")
    assert set(daemon.upload(id, csv(rows[80:120])).summary.values()) == {0}
    assert (daemon.post(f"/jobs/{id}/resume").document, daemon.job(id)["status"]) == (ACKNOWLEDGED, "CLOSED")
    daemon.upload(id, csv(rows[120:]))
    assert daemon.job(id)["status"] == "RUNNING"
    seconds = [int(bucket["id"]) for bucket in daemon.buckets(id)]
    # Bucket 9 was open when it paused; 15 is the first after it, whose beginning was not watched.
    assert seconds == [FIRST_S + 3600 * i for i in [*range(9), *range(16, 19)]]


def test_delete_removes_the_job_and_all_that_it_has(daemon: Engine) -> None:
    id = daemon.create("gone")
    daemon.upload(id, csv(eventful()))
    daemon.close(id)
    answer = daemon.call("DELETE", "/jobs/gone")
    assert (answer.status, answer.document) == (200, ACKNOWLEDGED)
    assert "gone" not in [job["id"] for job in daemon.get("/jobs?take=1000").document["documents"]]
    daemon.create("gone")
    assert daemon.buckets("gone") == []
    assert daemon.get("/modelsnapshots/gone").document["hitCount"] == 0


def test_overwrite_begins_a_job_anew(daemon: Engine) -> None:
    daemon.create("again")
    daemon.upload("again", csv(steady(4)))
    again = {"id": "again", "analysisConfig": {"detectors": [METRIC]}}
    assert daemon.json("POST", "/jobs", again).refusal == (400, 10110)
    assert daemon.json("POST", "/jobs?overwrite=true", again).status == 201
    assert daemon.job("again")["counts"]["inputRecordCount"] == 0


# ── data ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_upload_counts_what_became_of_the_records(daemon: Engine) -> None:
    id = daemon.create()
    body = (b"time,airline,responsetime,extra\n"
            b"1400000400,AAL,1,x\n1400000500,,2,x\nnever,AAL,3,x\n\n1400000300,AAL,4,x\n1400000600,AAL\n"
            b"1400000700,AAL,\"5\",x,more\n")
    assert daemon.upload(id, body).summary == {
        "processedRecordCount": 4, "processedFieldCount": 6, "inputBytes": len(body), "inputRecordCount": 6,
        "inputFieldCount": daemon.job(id)["counts"]["inputFieldCount"], "invalidDateCount": 1, "missingFieldCount": 2,
        "outOfOrderTimeStampCount": 1, "failedTransformCount": 0, "excludedRecordCount": 0,
        "latestRecordTimeStamp": "2014-05-13T17:05:00.000+0000"}
    assert daemon.job(id)["counts"]["bucketCount"] == 0


@pytest.mark.parametrize(("format", "body"), [
    ("DELIMITED", b""), ("DELIMITED", b"time,airline,responsetime\n"), ("DELIMITED", b"time,airline,responsetime"),
    ("JSON", b""), ("JSON", b"[]"), ("JSON", b" []\n[]"),
])
def test_an_upload_of_no_records_is_a_success(daemon: Engine, format: str, body: bytes) -> None:
    id = daemon.create(dataDescription={"format": format, "fieldDelimiter": ","})
    summary = daemon.upload(id, body).summary
    assert {number for name, number in summary.items() if name != "inputBytes"} == {0}
    assert (summary["inputBytes"], daemon.job(id)["status"]) == (len(body), "RUNNING")


def test_the_same_data_go_to_each_of_several_jobs_and_the_first_error_is_the_status(daemon: Engine) -> None:
    one, two, body = daemon.create(), daemon.create(), csv(steady(3))
    answer = daemon.upload(f"{one},{two}", body)
    assert [response["jobId"] for response in answer.document["responses"]] == [one, two]
    assert len({json.dumps(response["uploadSummary"]) for response in answer.document["responses"]}) == 1
    later = csv(steady(3, first_s=FIRST_S + 36_000))
    answer = daemon.upload(f"{one},absent,{two}", later)
    first, absent, last = answer.document["responses"]
    assert (answer.status, absent["error"]) == (404, {"message": "No known job with id 'absent'", "errorCode": 20101})
    assert first["uploadSummary"] == last["uploadSummary"]
    assert first["uploadSummary"]["processedRecordCount"] == 24
    spoilt = daemon.upload(f"{one},{two}", b"x" * 100, gzipped=True)
    assert [response["error"]["errorCode"] for response in spoilt.document["responses"]] == [30102, 30102]


def test_flush_shows_the_open_bucket_if_asked_and_a_final_result_replaces_it(daemon: Engine) -> None:
    id = daemon.create()
    daemon.upload(id, csv(steady(5)))
    answer = daemon.post(f"/data/{id}/flush?calcInterim=false")
    assert (answer.status, answer.document) == (200, ACKNOWLEDGED)
    assert len(daemon.buckets(id, "&includeInterim=true")) == 4
    daemon.post(f"/data/{id}/flush?calcInterim=true&start=&end=")
    assert len(daemon.buckets(id)) == 4
    *_, open_bucket = daemon.buckets(id, "&includeInterim=true")
    last = FIRST_S + 4 * 3600
    assert (open_bucket["id"], open_bucket["isInterim"], open_bucket["eventCount"]) == (str(last), True, 8)
    assert daemon.get(f"/results/{id}/{last}").document == {"exists": False, "type": "bucket"}
    assert daemon.get(f"/results/{id}/{last}?includeInterim=true").status == 200
    daemon.post(f"/data/{id}/flush?calcInterim=false&advanceTime={last + 3600}")
    assert [bucket["isInterim"] for bucket in daemon.buckets(id, "&includeInterim=true")] == [False] * 5
    late = daemon.upload(id, csv([(last + 3599, "AAL", 1), (last + 3600, "AAL", 1)])).summary
    assert (late["outOfOrderTimeStampCount"], late["processedRecordCount"]) == (1, 1)


def test_close_never_makes_a_result_of_the_last_bucket_which_is_not_complete(daemon: Engine) -> None:
    id = daemon.create()
    daemon.upload(id, csv(steady(5)))
    daemon.close(id)
    assert [bucket["id"] for bucket in daemon.buckets(id, "&includeInterim=true")] == [
        str(FIRST_S + 3600 * i) for i in range(4)]
    daemon.close(id)  # again, and of one that never got anything
    daemon.close(daemon.create())
    assert daemon.post(f"/data/{id}/flush").status == 200
    assert daemon.job(id)["status"] == "CLOSED"


def test_preview_shows_what_would_be_analysed_as_csv_and_changes_nothing(daemon: Engine) -> None:
    id = daemon.create()
    answer = daemon.call("POST", f"/preview/{id}", b'time,extra,responsetime,airline\n1400000400,x,1.5,"A,B"\n')
    assert (answer.status, answer.headers["Content-Type"]) == (202, "text/plain; charset=utf-8")
    header, row = answer.body.decode().splitlines()
    assert (header.split(",")[0], row.split(",")[0]) == ("time", "1400000400")
    assert '"A,B"' in row and "extra" not in header
    assert daemon.job(id)["counts"]["inputRecordCount"] == 0
    assert daemon.job(id)["status"] == "CLOSED"


# ── results ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_get_bucket_is_found_by_its_start_alone_and_expanded_if_asked(daemon: Engine, found: str) -> None:
    odd = FIRST_S + ODD_BUCKET * 3600
    plain = daemon.get(f"/results/{found}/{odd}").document
    assert (plain["exists"], plain["type"]) == (True, "bucket")
    bucket = plain["document"]
    assert set(bucket) == BUCKET
    assert (bucket["records"], bucket["influencers"], bucket["eventCount"]) == ([], [], 8)
    expanded = daemon.get(f"/results/{found}/buckets/{odd}?expand=true").document["document"]
    assert len(expanded["records"]) == expanded["recordCount"] > 0
    assert {record["anomalyScore"] for record in expanded["records"]} == {bucket["anomalyScore"]}
    assert [part["influencerFieldName"] for part in bucket["bucketInfluencers"]] == ["bucketTime", "airline"]
    assert [one["influencerFieldValue"] for one in expanded["influencers"]] == ["AAL"]
    for other in (odd + 1, odd - 7200 * 1000):
        answer = daemon.get(f"/results/{found}/{other}")
        assert (answer.status, answer.document) == (404, {"exists": False, "type": "bucket"})


def test_two_hundred_and_fifty_buckets_come_in_three_pages_over_one_connection(daemon: Engine) -> None:
    id = daemon.create()
    daemon.upload(id, csv(steady(251, each=2)))
    buckets = daemon.buckets(id)
    assert [int(bucket["id"]) for bucket in buckets] == [FIRST_S + 3600 * i for i in range(250)]
    assert all(set(bucket) == BUCKET for bucket in buckets)
    assert daemon.get(f"/results/{id}/buckets?take=1000000").document["documents"] == buckets


def test_get_buckets_by_date_of_a_job_without_any_is_an_empty_list(daemon: Engine) -> None:
    page = daemon.get(f"/results/{daemon.create()}/buckets?skip=0&take=100&expand=False&start=1").document
    assert (page["documents"], page["nextPage"], page["hitCount"]) == ([], None, 0)


def test_buckets_are_filtered_by_either_name_of_the_score_of_their_records(daemon: Engine, found: str) -> None:
    odd = str(FIRST_S + ODD_BUCKET * 3600)
    for query in ("anomalyScore=80.0", "normalizedProbability=80.0", "maxNormalizedProbability=80",
                  "anomalyScore=80&normalizedProbability=80"):
        page = daemon.get(f"/results/{found}/buckets?{query}").document
        assert [bucket["id"] for bucket in page["documents"]] == [odd]


def test_get_records_has_the_most_unusual_first_and_sorts_downwards_unless_told(daemon: Engine, found: str) -> None:
    records = daemon.records(found)
    assert all(set(record) == RECORD for record in records)
    scores = [record["normalizedProbability"] for record in records]
    assert scores == sorted(scores, reverse=True)
    top = records[0]
    assert (top["byFieldValue"], top["function"], top["actual"]) == ("AAL", "metric", 900.0)
    assert top["functionDescription"] in ("mean", "min", "max")
    assert top["influencers"] == [{"influencerFieldName": "airline", "influencerFieldValues": ["AAL"]}]
    assert daemon.records(found, "&sort=normalizedProbability") == records
    upwards = daemon.records(found, "&sort=timestamp&desc=false")
    assert [record["timestamp"] for record in upwards] == sorted(record["timestamp"] for record in records)
    for name in sorted(RECORD - {"influencers"}):
        assert len(daemon.records(found, f"&sort={name}&desc=true")) == len(records), name


def test_records_come_whole_and_once_in_pages(daemon: Engine, found: str) -> None:
    whole, paged = daemon.records(found), []
    while True:
        page = daemon.get(f"/results/{found}/records?skip={len(paged)}&take=2").document
        paged += page["documents"]
        if page["skip"] + page["take"] >= page["hitCount"]:
            break
    assert paged == whole
    assert len(daemon.records(found, "&normalizedProbability=50")) < len(whole)


def test_get_influencers_blames_the_airline(daemon: Engine, found: str) -> None:
    page = daemon.get(f"/results/{found}/influencers?skip=0&take=100&sort=anomalyScore&desc=true").document
    first = page["documents"][0]
    assert set(first) == {"timestamp", "influencerFieldName", "influencerFieldValue", "probability", "anomalyScore",
                          "isInterim"}
    assert (first["influencerFieldName"], first["influencerFieldValue"]) == ("airline", "AAL")


def test_category_definitions_are_numbered_from_one(daemon: Engine) -> None:
    id = daemon.create(analysis={"categorizationFieldName": "message",
                                 "detectors": [{"function": "count", "byFieldName": "prelertcategory"}]})
    daemon.upload(id, csv([(FIRST_S + 60 * i, MESSAGES[i % 3]) for i in range(90)], ("time", "message")))
    page = daemon.get(f"/results/{id}/categorydefinitions").document
    assert [one["categoryId"] for one in page["documents"]] == [1, 2]
    assert page["documents"][0]["examples"] == ["disk sda1 is full", "disk sdb2 is full"]
    one = daemon.get(f"/results/{id}/categorydefinitions/2")
    assert (one.document["type"], one.document["document"]) == ("categoryDefinition", page["documents"][1])
    absent = daemon.get(f"/results/{id}/categorydefinitions/3")
    assert (absent.status, absent.document) == (404, {"exists": False, "type": "categoryDefinition"})
