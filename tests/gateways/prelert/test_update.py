"""Updates of a job: what each key may hold, and that a wrong one changes nothing."""
from __future__ import annotations

import json
from typing import Any

import pytest

from offbeat.gateways.prelert.configuration import as_document
from offbeat.gateways.prelert.update import State, updated
from tests.gateways.prelert.jobs import DETECTOR, ELASTICSEARCH, configured, job, refusal, scheduled

CLOSED = State(is_closed=True, scheduler_is_stopped=True, model_memory_mb=4096)
OPEN = State(is_closed=False, scheduler_is_stopped=False, model_memory_mb=4096)
JOB = configured(job({"detectors": [DETECTOR, {"function": "count"}]}, id="j", description="old", ignoreDowntime="once",
                     analysisLimits={"modelMemoryLimit": 100}, modelDebugConfig={"boundsPercentile": 5}))
FILE_JOB = configured(scheduled({"filePath": "a"}, format="json"))
ES_JOB = configured(scheduled(ELASTICSEARCH))


def changed(update: Any, of: Any = JOB, state: State = CLOSED) -> dict[str, Any]:
    """The parts of the job document that *update* changed."""
    before = as_document(of)
    after = as_document(updated(of, json.dumps(update).encode(), state))
    return {key: after.get(key) for key in {*before, *after} if before.get(key) != after.get(key)}


@pytest.mark.parametrize(("update", "document"), [
    ({}, {}), ({"description": "new"}, {"description": "new"}), ({"description": ""}, {"description": None}),
    ({"analysisLimits": {"modelMemoryLimit": 101}}, {"analysisLimits": {"modelMemoryLimit": 101}}),
    ({"analysisLimits": {"modelMemoryLimit": -1}}, {"analysisLimits": {"modelMemoryLimit": -1}}),
    ({"analysisLimits": {"categorizationExamplesLimit": 3}}, {"analysisLimits": {"categorizationExamplesLimit": 3}}),
    ({"backgroundPersistInterval": "7200"}, {"backgroundPersistInterval": 7200}),
    ({"backgroundPersistInterval": None}, {}),
    ({"renormalizationWindowDays": 0}, {"renormalizationWindowDays": 0}),
    ({"modelSnapshotRetentionDays": 3, "resultsRetentionDays": 4},
     {"modelSnapshotRetentionDays": 3, "resultsRetentionDays": 4}),
    ({"ignoreDowntime": "Always"}, {"ignoreDowntime": "ALWAYS"}),
    ({"modelDebugConfig": None}, {"modelDebugConfig": None}),
    ({"modelDebugConfig": {"boundsPercentile": 6}}, {"modelDebugConfig": {"writeTo": "FILE", "boundsPercentile": 6.0}}),
    ({"customSettings": {"a": None}}, {"customSettings": {"a": None}}), ({"customSettings": None}, {}),
])
def test_an_update_changes_what_it_names(update: Any, document: Any) -> None:
    assert changed(update) == document


def test_descriptions_of_detectors_change_by_their_index() -> None:
    update = {"detectors": [{"index": 1, "description": "how many"}, {"detectorIndex": "0",
    "detectorDescription": "slow"}]}
    detectors = updated(JOB, json.dumps(update).encode(), OPEN).analysis.detectors
    assert [detector.description for detector in detectors] == ["slow", "how many"]
    assert [detector.function for detector in detectors] == ["mean", "count"]


def test_filters_and_scheduler_change() -> None:
    assert updated(JOB, b'{"categorizationFilters": ["a+", "b"]}', OPEN).analysis.categorization_filters == ("a+", "b")
    assert changed({"schedulerConfig": {"filePath": "b"}}, FILE_JOB) == {
        "schedulerConfig": {"dataSource": "FILE", "filePath": "b", "tailFile": False}}


@pytest.mark.parametrize(("code", "update"), [
    (10115, {"timeout": 5}), (10115, {"id": "x"}), (10104, []), (10104, "x"), (10104, None),
    (10104, {"description": None}), (10104, {"description": 5}),
    (10104, {"detectors": {"index": 0}}), (10104, {"detectors": [0]}), (10104, {"detectors": [{"index": 0}]}),
    (10104, {"detectors": [{"description": "x"}]}), (10104, {"detectors": [{"index": 2, "description": "x"}]}),
    (10104, {"detectors": [{"index": -1, "description": "x"}]}),
    (10104, {"detectors": [{"index": "a", "description": "x"}]}),
    (10104, {"detectors": [{"index": 0, "description": 5}]}),
    (10104, {"detectors": [{"index": 0, "description": None}]}),
    (10104, {"analysisLimits": None}), (10104, {"analysisLimits": {"modelMemoryLimit": 99}}),
    (10104, {"backgroundPersistInterval": 3599}), (10104, {"renormalizationWindowDays": -1}),
    (10104, {"modelSnapshotRetentionDays": -1}), (10104, {"resultsRetentionDays": "x"}),
    (10104, {"ignoreDowntime": "x"}), (10104, {"ignoreDowntime": None}),
    (10104, {"modelDebugConfig": {"boundsPercentile": -1}}),
    (10104, {"customSettings": []}), (10104, {"schedulerConfig": None}),
    (10104, {"schedulerConfig": {"filePath": "x"}}),
    (10104, {"categorizationFilters": ["("]}), (10104, {"categorizationFilters": [1]}),
])
def test_an_update_that_is_wrong_is_refused_with_its_code_and_changes_nothing(code: int, update: Any) -> None:
    with refusal(code):
        changed(update)
    if isinstance(update, dict):
        with refusal(code):
            changed({"description": "new", **update})


def test_what_is_no_json_is_refused() -> None:
    with refusal(10101):
        updated(JOB, b"{", CLOSED)


def test_some_changes_need_a_job_at_rest() -> None:
    with refusal(60120):
        changed({"analysisLimits": {"modelMemoryLimit": 200}}, state=OPEN)
    with refusal(60126):
        changed({"schedulerConfig": {"filePath": "b"}}, FILE_JOB, OPEN)


def test_a_scheduler_keeps_its_source_and_its_rules() -> None:
    with refusal(10104):
        changed({"schedulerConfig": ELASTICSEARCH}, FILE_JOB)
    with refusal(10303):
        changed({"schedulerConfig": {}}, FILE_JOB)
    with refusal(10306):
        changed({"schedulerConfig": {**ELASTICSEARCH, "aggs": {}}}, ES_JOB)


def test_the_memory_of_a_job_that_names_none_is_what_the_server_gives() -> None:
    plain = configured(job())
    with refusal(10104):
        changed({"analysisLimits": {"modelMemoryLimit": 4095}}, plain)
    assert changed({"analysisLimits": {"modelMemoryLimit": 4096}}, plain)
    unlimited = configured(job(analysisLimits={"modelMemoryLimit": -1}))
    for shrunk in (5000, 0, None):
        with refusal(10104):
            changed({"analysisLimits": {"modelMemoryLimit": shrunk}}, unlimited)
