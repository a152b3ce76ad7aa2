"""Every code that the gateway can answer with, its status and the shape of its document.

Source: Prelert Engine API, section 15. What no call can bring about is named in NEVER.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offbeat.gateways.prelert.errors import STATUS
from tests.gateways.prelert.engine import FIRST_S, METRIC, Engine, csv, engine, steady
from tests.gateways.prelert.jobs import ELASTICSEARCH, job, of_detectors, scheduled

SPLIT = {"transform": "split", "inputs": "a", "arguments": ",", "outputs": ["responsetime"]}
FILE = {"dataSource": "FILE", "filePath": "/data/x.csv"}

CREATION: list[tuple[int, Any]] = [
    (10101, b"{"), (10101, []), (10101, job(timeout="soon")), (10101, job(dataDescription={"format": "XML"})),
    (10102, job(nonsense=1)), (10102, job({"nonsense": 1})), (10104, job(timeout=-1)), (10104, job({"latency": -1})),
    (10105, of_detectors({"function": "meen", "fieldName": "x"})), (10106, of_detectors({"function": "mean"})),
    (10106, of_detectors({"partitionFieldName": "x"})), (10106, of_detectors({"function": "rare"})),
    (10107, {}), (10107, {"analysisConfig": {"detectors": []}}),
    (10108, job(dataDescription={"timeFormat": "yyyy-bb"})),
    (10111, job(id="a/b")), (10111, job(id="A")), (10111, job(id="engine_api")), (10112, job(id="a" * 65)),
    (10113, of_detectors({"function": "mean", "fieldName": 'a"b'})),
    (10114, of_detectors(METRIC, summaryCountFieldName="n")),
    (10114, of_detectors({"function": "rare", "byFieldName": "b"}, overlappingBuckets=True)),
    (10119, of_detectors({**METRIC, "excludeFrequent": "often"})),
    (10201, job(transforms=[{"transform": "x", "inputs": "a"}])), (10202, job(transforms=[{**SPLIT, "inputs": []}])),
    (10203, job(transforms=[{**SPLIT, "outputs": "unused"}])),
    (10204, job(transforms=[{**SPLIT, "inputs": "responsetime"}])),
    (10205, job(transforms=[SPLIT, SPLIT])), (10206, job(transforms=[{**SPLIT, "arguments": []}])),
    (10207, job(dataDescription={"format": "single_line"})),
    (10208, job(transforms=[{"transform": "exclude", "inputs": "a"}])),
    (10209, job(transforms=[{"transform": "exclude", "inputs": "a", "condition": {"operator": "is", "value": "1"}}])),
    (10210, job(transforms=[{"transform": "exclude", "inputs": "a", "condition": {"operator": "gt", "value": "x"}}])),
    (10211, job(transforms=[{"transform": "trim", "inputs": "a", "outputs": ["responsetime", "b"]}])),
    (10212, job(transforms=[{**SPLIT, "inputs": ""}])),
    (10213, job(transforms=[{**SPLIT, "outputs": ["responsetime", ""]}])),
    (10214, job(transforms=[{**SPLIT, "arguments": "("}])),
    (10301, scheduled(FILE, dataSource="KAFKA")), (10302, scheduled(FILE, baseUrl="http://es")),
    (10303, scheduled(ELASTICSEARCH, baseUrl="x")), (10304, job(schedulerConfig=FILE)),
    (10305, scheduled(ELASTICSEARCH, {"latency": 60})), (10306, scheduled(ELASTICSEARCH, aggregations={"a": {}})),
    (10307, scheduled(ELASTICSEARCH, format="json")), (10308, scheduled(ELASTICSEARCH, username="me")),
    (10309, scheduled(ELASTICSEARCH, username="me", password="p", encryptedPassword="e")),
]

VALIDATION = [
    (10116, "detector", b"{"), (10117, "detector", {"nonsense": 1}), (10105, "detector", {"function": "x"}),
    (10215, "transform", b"{"), (10215, "transforms", {}), (10216, "transform", {"transform": "trim", "x": 1}),
    (10201, "transform", {"transform": "x", "inputs": "a"}), (10205, "transforms", [SPLIT, SPLIT]),
]

UPDATES = [
    (10101, b"{"), (10104, []), (10104, {"description": 1}), (10104, {"detectors": [{"index": 9, "description": "x"}]}),
    (10104, {"analysisLimits": {"modelMemoryLimit": 1}}), (10104, {"schedulerConfig": FILE}),
    (10104, {"backgroundPersistInterval": 3599}), (10115, {"nonsense": 1}),
]

BAD_DATES = csv([("never", "AAL", 1)] * 100)
GOOD = csv(steady(1))
LATE = csv([*steady(2), *steady(30, first_s=FIRST_S - 90_000, span_s=60)])
UPLOADS = [
    (30101, {}, b"time,airline\n1,2\n"), (30101, {}, b"airline,responsetime\n1,2\n"), (30103, {}, BAD_DATES),
    (30104, {"format": "JSON"}, b"[" + b"1," * 99 + b"1]"), (30105, {}, LATE),
    (30107, {"format": "JSON"}, b'{"time": 1'), (30107, {"format": "JSON"}, b"[1,"),
]

CALLS = [
    (60101, "GET", "/results/{id}/buckets?start=soon"), (60101, "GET", "/results/{id}/soon"),
    (60101, "POST", "/data/{id}/flush?advanceTime=soon"), (60101, "POST", "/modelsnapshots/{id}/revert?time=soon"),
    (60102, "GET", "/results/{id}/records?sort=beauty"), (60102, "GET", "/results/{id}/influencers?sort=byFieldValue"),
    (60102, "GET", "/modelsnapshots/{id}?sort=size"), (60103, "GET", "/alerts_longpoll/{id}/?score=1"),
    (60104, "GET", "/alerts_longpoll/{id}/"), (60104, "GET", "/alerts_longpoll/{id}/?score=101"),
    (60104, "GET", "/alerts_longpoll/{id}/?probability=high"), (60104, "GET", "/alerts_longpoll/{id}/?score=nan"),
    (60105, "GET", "/alerts_longpoll/{id}/?score=1&timeout=0"),
    (60105, "GET", "/alerts_longpoll/{id}/?score=1&timeout=x"),
    (60106, "POST", "/data/{id}/flush?start=1"), (60106, "POST", "/data/{id}/flush?calcInterim=true&end=1"),
    (60107, "GET", "/results/{id}/buckets?start=2&end=1"), (60110, "GET", "/jobs?skip=-1"),
    (60110, "GET", "/results/{id}/records?skip=x"), (60111, "GET", "/results/{id}/buckets?take=-1"),
    (60112, "GET", "/alerts_longpoll/{id}/?score=1&alertOn=moon"),
    (60113, "GET", "/alerts_longpoll/{id}/?probability=1&alertOn=influencer"),
    (60115, "POST", "/schedulers/{scheduled}/stop"), (60116, "POST", "/schedulers/{id}/start"),
    (60116, "POST", "/schedulers/{id}/stop"), (60118, "POST", "/modelsnapshots/{id}/revert?false"),
    (60119, "POST", "/modelsnapshots/{id}/revert?snapshotId=1"), (60119, "DELETE", "/modelsnapshots/{id}/1"),
    (60124, "POST", "/jobs/{id}/resume"), (50102, "GET", "/logs/{id}/other"), (50103, "GET", "/logs/{id}/..%2Fx"),
    (50103, "GET", "/logs/{id}/a%5Cb/tail"), (50103, "GET", "/logs/{id}/.."),
]

NOBODY = [
    ("POST", "/jobs/nobody/pause"), ("POST", "/jobs/nobody/resume"), ("DELETE", "/jobs/nobody"),
    ("PUT", "/jobs/nobody/update"), ("PUT", "/jobs/nobody/description"), ("POST", "/data/nobody/flush?calcInterim=x"),
    ("POST", "/data/nobody/close"), ("POST", "/preview/nobody"), ("GET", "/results/nobody"),
    ("GET", "/results/nobody/buckets?skip=-1"), ("GET", "/results/nobody/buckets/1"), ("GET", "/results/nobody/x"),
    ("GET", "/results/nobody/1/records"), ("GET", "/results/nobody/buckets/1/records"),
    ("GET", "/results/nobody/records"), ("GET", "/results/nobody/influencers"),
    ("GET", "/results/nobody/categorydefinitions"), ("GET", "/results/nobody/categorydefinitions/1"),
    ("GET", "/alerts_longpoll/nobody/"), ("GET", "/modelsnapshots/nobody"), ("POST", "/modelsnapshots/nobody/revert"),
    ("PUT", "/modelsnapshots/nobody/1/description"), ("DELETE", "/modelsnapshots/nobody/1"),
    ("POST", "/schedulers/nobody/start"), ("POST", "/schedulers/nobody/stop"), ("GET", "/logs/nobody"),
    ("GET", "/logs/nobody/x"), ("GET", "/logs/nobody/tail"), ("GET", "/logs/nobody/x/tail"),
    ("GET", "/detectors/nobody"),
]

NEVER = {
    10103,  # withdrawn
    10118,  # an encrypted password is kept as it is
    40101, 40102, 40104,  # there is no process of its own for an analysis
    50101,  # every job has logs
    60114, 60117, 60126,  # of schedulers
    70101,  # the bundle is made of what is in memory
}
ELSEWHERE = {0, 10109, 10110, 20001, 20101, 30001, 30102, 30106, 40001, 40103, 60108, 60109, 60120, 60121, 60122, 60123,
             60125}
"""In a test of their own, here or in another module."""


def refused(daemon: Engine, code: int, *call: Any) -> None:
    assert daemon.json(*call).refusal == (STATUS[code], code)


@pytest.mark.parametrize(("code", "document"), CREATION)
def test_a_configuration_is_refused(daemon: Engine, code: int, document: Any) -> None:
    refused(daemon, code, "POST", "/jobs", document)


def test_a_job_without_detectors_is_refused_with_the_message_that_people_search_for(daemon: Engine) -> None:
    answer = daemon.json("POST", "/jobs", {"id": "none", "analysisConfig": {"bucketSpan": 60}})
    assert (answer.status, answer.document) == (400, {"message": "No detectors configured", "errorCode": 10107})


@pytest.mark.parametrize(("code", "path", "document"), VALIDATION)
def test_a_part_of_a_configuration_is_not_valid(daemon: Engine, code: int, path: str, document: Any) -> None:
    refused(daemon, code, "POST", f"/validate/{path}", document)


@pytest.mark.parametrize(("code", "document"), UPDATES)
def test_an_update_is_refused(daemon: Engine, code: int, document: Any) -> None:
    refused(daemon, code, "PUT", f"/jobs/{daemon.create()}/update", document)


@pytest.mark.parametrize(("code", "description", "body"), UPLOADS)
def test_an_upload_is_refused(daemon: Engine, code: int, description: dict[str, str], body: bytes) -> None:
    id = daemon.create(dataDescription={"fieldDelimiter": ",", **description})
    assert daemon.upload(id, body).upload_refusal == (STATUS[code], code)


@pytest.mark.parametrize(("code", "method", "path"), CALLS)
def test_a_call_is_refused(daemon: Engine, waiting: str, code: int, method: str, path: str) -> None:
    answer = daemon.call(method, path.format(id=daemon.create(), scheduled=waiting))
    assert answer.refusal == (STATUS[code], code)


@pytest.fixture(scope="module")
def waiting(daemon: Engine) -> str:
    """A job with a scheduler that is not started."""
    answer = daemon.json("POST", "/jobs", scheduled(ELASTICSEARCH))
    return str(answer.document["id"])


@pytest.mark.parametrize(("method", "path"), NOBODY)
def test_a_job_that_there_is_not_is_missing_on_every_path(daemon: Engine, method: str, path: str) -> None:
    answer = daemon.call(method, path, b"{}" if method in ("PUT", "POST") else None)
    assert answer.refusal == (404, 20101)
    assert answer.document["message"] == "No known job with id 'nobody'"


@pytest.mark.parametrize("path", ["data", "dataload"])
def test_an_upload_to_a_job_that_there_is_not_has_the_shape_of_uploads(daemon: Engine, path: str) -> None:
    answer = daemon.call("POST", f"/{path}/nobody?resetStart=1&resetEnd=2", GOOD)
    assert answer.upload_refusal == (404, 20101)


@pytest.mark.parametrize(("latency", "query", "code"), [
    (0, "resetStart=1&resetEnd=2", 60109), (60, "resetStart=1", 60108), (60, "resetEnd=1", 60108),
    (60, "resetStart=2&resetEnd=1", 60108), (60, "resetStart=x&resetEnd=2", 60101),
])
def test_buckets_cannot_be_reset(daemon: Engine, latency: int, query: str, code: int) -> None:
    id = daemon.create(analysis={"latency": latency})
    assert daemon.upload(id, GOOD, query=f"?{query}").upload_refusal == (400, code)


def test_fewer_than_a_hundred_bad_records_refuse_nothing(daemon: Engine) -> None:
    id = daemon.create()
    footer = csv([("never", "AAL", 1)] * 99)
    assert daemon.upload(id, footer).summary["invalidDateCount"] == 99
    daemon.upload(id, csv(steady(2)))
    late = csv(steady(12, first_s=FIRST_S - 90_000, span_s=60))
    assert daemon.upload(id, late).summary["outOfOrderTimeStampCount"] == 96


def test_records_before_a_refusal_stay_analysed(daemon: Engine) -> None:
    id = daemon.create()
    assert daemon.upload(id, LATE).upload_refusal == (400, 30105)
    counts = daemon.job(id)["counts"]
    assert (counts["processedRecordCount"], counts["outOfOrderTimeStampCount"]) == (16, 240)
    assert len(daemon.buckets(id)) == 1


def test_the_state_of_a_job_refuses_what_does_not_go_with_it(daemon: Engine) -> None:
    id = daemon.create()
    daemon.upload(id, GOOD)
    daemon.close(id)
    (snapshot,) = daemon.get(f"/modelsnapshots/{id}").document["documents"]
    daemon.clock.move(2_000)
    daemon.upload(id, csv(steady(2)))
    daemon.close(id)
    newest = daemon.get(f"/modelsnapshots/{id}").document["documents"][0]
    path = f"/modelsnapshots/{id}/{snapshot['snapshotId']}"
    for body in (b"{", {}, {"description": ""}, {"description": 1}, []):
        refused(daemon, 60121, "PUT", f"{path}/description", body)
    refused(daemon, 60122, "PUT", f"{path}/description", {"description": newest["description"]})
    refused(daemon, 60119, "PUT", f"/modelsnapshots/{id}/1/description", {"description": "x"})
    assert daemon.call("DELETE", f"/modelsnapshots/{id}/{newest['snapshotId']}").refusal == (409, 60125)
    daemon.upload(id, b"")
    assert daemon.post(f"/modelsnapshots/{id}/revert?snapshotId={snapshot['snapshotId']}").refusal == (409, 60120)
    refused(daemon, 60120, "PUT", f"/jobs/{id}/update", {"analysisLimits": {"modelMemoryLimit": 4096}})
    daemon.post(f"/jobs/{id}/pause")
    assert daemon.post(f"/jobs/{id}/pause").refusal == (409, 60123)


def test_a_job_that_is_being_sent_to_is_in_use(daemon: Engine) -> None:
    id = daemon.create()
    with daemon.connect() as connection:
        connection.sendall(f"POST /engine/v2/data/{id} HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n".encode())
        while not daemon.service.analyses.get(id).sending:
            continue
        assert daemon.upload(id, GOOD).upload_refusal == (409, 40103)
        for method, path in (("DELETE", f"/jobs/{id}"), ("POST", f"/data/{id}/close"), ("POST", f"/jobs/{id}/pause")):
            assert daemon.call(method, path).refusal == (409, 40103)


def test_a_sample_that_is_too_large_is_not_previewed_in_part(daemon: Engine) -> None:
    sample = GOOD + b"1400000000,AAL,1\n" * 1_000_000
    assert daemon.call("POST", f"/preview/{daemon.create()}", sample).refusal == (400, 30001)


def test_a_store_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with engine(tmp_path / "state") as daemon:
        id, large = daemon.create(), csv([(FIRST_S + i, f"airline {i}", i) for i in range(20_000)])
        writer = daemon.service.database._writer
        daemon.run(writer.execute_fetchall("PRAGMA max_page_count=1"))  # as large as it is, and no larger: it is full
        assert daemon.json("POST", "/jobs", job(description="x" * 100_000)).refusal == (500, 20001)
        assert daemon.upload(id, large).upload_refusal == (500, 20001)
        daemon.run(writer.execute_fetchall("PRAGMA max_page_count=1000000"))
        assert daemon.upload(id, large).summary["processedRecordCount"] == 20_000


def test_no_more_jobs_are_open_than_may_be(tmp_path: Path) -> None:
    with engine(tmp_path / "state", engine={"jobs_open_max": 1}) as daemon:
        one, two = daemon.create(), daemon.create()
        daemon.upload(one, GOOD)
        assert daemon.upload(two, GOOD).upload_refusal == (429, 30106)
        assert daemon.job(two)["status"] == "CLOSED"
        daemon.close(one)
        assert daemon.upload(two, GOOD).status == 202


def test_there_are_no_more_jobs_than_may_be(daemon: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offbeat.analyses.life.ANALYSES_MAX", len(daemon.service.analyses.all()))
    refused(daemon, 10109, "POST", "/jobs", job())


def coded() -> Iterator[int]:
    for cases in (CREATION, VALIDATION, UPDATES, UPLOADS, CALLS):
        yield from (case[0] for case in cases)  # type: ignore[attr-defined]


def test_every_code_has_a_test_or_a_reason() -> None:
    assert {*coded(), *ELSEWHERE} | NEVER == set(STATUS)
    assert not {*coded(), *ELSEWHERE} & NEVER
