"""Job configurations: every check of section 4 with its code, what is absent, and the document of the job."""
from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat.gateways.prelert import detectors, errors
from offbeat.gateways.prelert.configuration import (
    AnalysisConfig,
    as_document,
    configuration_of,
    links,
    parse_configuration,
)
from offbeat.gateways.prelert.errors import PrelertError
from offbeat.wire.records import DataDescription
from offbeat.wire.records.errors import (
    FieldsMissing,
    MalformedJson,
    TooManyBadDates,
    TooManyBadRecords,
    UploadRefused,
)
from offbeat_detectors.buckets.functions import BY_NAME as FUNCTIONS
from tests.gateways.prelert.jobs import DETECTOR, ELASTICSEARCH, configured, job, of_detectors, refusal, scheduled

FILE = {"filePath": "/data/a.csv"}
COUNT = {"function": "count"}
RARE = {"function": "rare", "byFieldName": "b"}
TRIM = {"transform": "trim", "inputs": ["x"], "outputs": ["airline"]}


def with_transforms(*transforms: Any) -> dict[str, Any]:
    return job(transforms=list(transforms))


def exclude(condition: Any) -> dict[str, Any]:
    return with_transforms({"transform": "exclude", "inputs": ["x"], "condition": condition})


REFUSED: list[tuple[int, Any]] = [
    # 4.1
    (10101, []), (10101, "job"), (10101, 5), (10101, None),
    (10102, job(name="x")), (10102, job(status="CLOSED")), (10102, job(name=None)), (10102, job({"detector": []})),
    (10102, of_detectors({**DETECTOR, "field": "x"})), (10102, job(analysisLimits={"memory": 1})),
    (10102, job(dataDescription={"delimiter": ","})), (10102, job(modelDebugConfig={"x": 1})),
    (10102, with_transforms({**TRIM, "x": 1})), (10102, exclude({"op": "eq"})), (10102, scheduled(FILE, x=1)),
    (10101, job(id=5)), (10101, job(description=["x"])), (10101, job(timeout="soon")), (10101, job(timeout=True)),
    (10101, job(timeout=1.5)), (10101, job(customSettings=[])), (10101, job({"bucketSpan": "5m"})),
    (10101, job({"overlappingBuckets": "true"})), (10101, job({"influencers": [1]})), (10101, {"analysisConfig": []}),
    (10101, of_detectors("count")), (10101, job({"detectors": "count"})),
    (10101, job(transforms="trim")),  # type: ignore[arg-type]
    (10101, of_detectors({**DETECTOR, "useNull": 1})), (10101, job(modelDebugConfig=[])),
    (10101, job(analysisLimits=5)),
    (10101, with_transforms({**TRIM, "inputs": [1]})), (10101, exclude("eq 1")), (10101, job(dataDescription="json")),
    (10104, job(timeout=-1)), (10104, job(renormalizationWindowDays=-1)), (10104, job(backgroundPersistInterval=3599)),
    (10104, job(modelSnapshotRetentionDays=-1)), (10104, job(resultsRetentionDays=-1)),
    (10104, job(ignoreDowntime="x")),
    (10104, job(timeout=10**19)), (10104, job(timeout="-1")),
    # 4.2
    (10107, {}), (10107, {"analysisConfig": None}), (10107, {"analysisConfig": {}}), (10107, job({"detectors": []})),
    (10107, {"id": "x"}),
    (10104, job({"bucketSpan": 0})), (10104, job({"batchSpan": -1})), (10104, job({"period": -1})),
    (10104, job({"latency": -1})), (10104, job({"resultFinalizationWindow": -1})),
    (10104, job({"categorizationFilters": "("})), (10104, job({"categorizationFilters": ["(?=a)"]})),
    *[(10113, of_detectors({**DETECTOR, key: name})) for name in ('a"', "a\\b")
      for key in ("fieldName", "byFieldName", "overFieldName", "partitionFieldName")],
    (10113, job({"summaryCountFieldName": 'a"'})), (10113, job({"categorizationFieldName": "\\"})),
    (10105, of_detectors({"function": "men", "fieldName": "x"})), (10105, of_detectors({"function": "Count"})),
    (10105, of_detectors({"function": "high_median", "fieldName": "x"})),
    (10106, of_detectors({})), (10106, of_detectors({"function": "", "fieldName": ""})),
    (10106, of_detectors({"partitionFieldName": "x"})), (10106, of_detectors({"byFieldName": "x"})),
    (10106, of_detectors({"overFieldName": "x"})), (10106, of_detectors(DETECTOR, {})),
    (10114, of_detectors({"fieldName": "x"}, summaryCountFieldName="n")),
    (10114, of_detectors({"function": "metric", "fieldName": "x"}, summaryCountFieldName="n")),
    (10114, of_detectors(RARE, overlappingBuckets=True)),
    (10114, of_detectors({**RARE, "function": "freq_rare", "overFieldName": "o"}, overlappingBuckets=True)),
    (10119, of_detectors({**DETECTOR, "excludeFrequent": "sometimes"})),
    (10101, of_detectors({**DETECTOR, "excludeFrequent": 1})),
    (10106, of_detectors({**COUNT, "excludeFrequent": "by"})),
    (10106, of_detectors({**DETECTOR, "excludeFrequent": "over"})),
    (10106, of_detectors({**COUNT, "byFieldName": "prelertcategory"})),
    (10106, job({"influencers": "prelertcategory"})),
    # 4.3 to 4.5
    (10104, job(analysisLimits={"categorizationExamplesLimit": -1})),
    (10101, job(analysisLimits={"modelMemoryLimit": "much"})),
    (10101, job(dataDescription={"format": "xml"})), (10101, job(dataDescription={"format": 1})),
    (10108, job(dataDescription={"timeFormat": "yyyy-MM-dd Q"})), (10108, job(dataDescription={"timeFormat": "yyyy'"})),
    (10104, job(dataDescription={"fieldDelimiter": "||"})), (10104, job(dataDescription={"fieldDelimiter": ""})),
    (10104, job(dataDescription={"fieldDelimiter": "\n"})), (10104, job(dataDescription={"quoteCharacter": "''"})),
    (10104, job(dataDescription={"quoteCharacter": ",", "fieldDelimiter": ","})),
    (10207, job(dataDescription={"format": "single_line"})),
    (10207, job(dataDescription={"format": "SINGLE_LINE"}, transforms=[])),
    (10104, job(modelDebugConfig={"boundsPercentile": 101})),
    (10104, job(modelDebugConfig={"boundsPercentile": "-0.1"})),
    (10101, job(modelDebugConfig={"boundsPercentile": "x"})), (10104, job(modelDebugConfig={"writeTo": "SCREEN"})),
    # 4.6
    (10301, scheduled(FILE, dataSource="KAFKA")), (10302, scheduled(FILE, baseUrl="http://x")),
    (10302, scheduled(FILE, password="x")), (10302, scheduled(ELASTICSEARCH, filePath="x")),
    (10302, scheduled(ELASTICSEARCH, tailFile=True)),
    (10302, scheduled(ELASTICSEARCH, {"summaryCountFieldName": "n"}, aggs={}, aggregations={})),
    (10303, scheduled({})), (10303, scheduled({"filePath": ""})), (10303, scheduled(ELASTICSEARCH, scrollSize=-1)),
    (10303, scheduled(ELASTICSEARCH, queryDelay=-1)), (10303, scheduled(ELASTICSEARCH, frequency=0)),
    (10303, scheduled(ELASTICSEARCH, dataSourceCompatibility="5.x")),
    (10303, scheduled(ELASTICSEARCH, baseUrl="es:9200")),
    (10303, scheduled(ELASTICSEARCH, baseUrl=None)), (10303, scheduled(ELASTICSEARCH, baseUrl="http://[x")),
    (10303, scheduled(ELASTICSEARCH, indexes=[])), (10303, scheduled(ELASTICSEARCH, types=[""])),
    (10101, scheduled(ELASTICSEARCH, query="*")), (10101, scheduled(ELASTICSEARCH, scrollSize="many")),
    (10304, scheduled(FILE, {"bucketSpan": None})), (10305, scheduled(ELASTICSEARCH, {"latency": 5})),
    (10306, scheduled(ELASTICSEARCH, aggs={"a": {}})), (10307, scheduled(ELASTICSEARCH, format="json")),
    (10307, job({"bucketSpan": 60}, schedulerConfig=ELASTICSEARCH)),
    (10308, scheduled(ELASTICSEARCH, username="u")), (10308, scheduled(ELASTICSEARCH, password="p")),
    (10308, scheduled(ELASTICSEARCH, encryptedPassword="p")),
    (10309, scheduled(ELASTICSEARCH, username="u", password="p", encryptedPassword="q")),
    # 4.7
    *[(10111, job(id=id)) for id in ("A", "a/b", "a\\b", "a*", "a?", 'a"', "a<", "a>", "a|", "a b", "a,b", "É", "a\n",
                                    "elasticsearch", "engine_api", "..")],
    (10112, job(id="a" * 65)),
    # 6
    (10201, with_transforms({"transform": "x"})), (10201, with_transforms({})),
    (10202, with_transforms({"transform": "trim"})),
    (10203, with_transforms({"transform": "trim", "inputs": "x"})),
    (10204, with_transforms({**TRIM, "inputs": "airline"})),
    (10205, with_transforms(TRIM, TRIM)), (10206, with_transforms({**TRIM, "arguments": "x"})), (10208, exclude(None)),
    (10208, exclude({"value": "1"})), (10208, exclude({"operator": "none", "value": "1"})),
    (10209, exclude({"operator": "like", "value": "1"})), (10210, exclude({"operator": "gt", "value": "x"})),
    (10211, with_transforms({**TRIM, "outputs": ["airline", "x"]})), (10212, with_transforms({**TRIM, "inputs": ""})),
    (10213, with_transforms({**TRIM, "outputs": ""})),
    (10214, with_transforms({"transform": "split", "inputs": "x", "arguments": "("})),
]


@pytest.mark.parametrize(("code", "document"), REFUSED)
def test_a_configuration_that_is_wrong_is_refused_with_its_code(code: int, document: Any) -> None:
    with refusal(code):
        parse_configuration(json.dumps(document).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"{'a':1}", b"\xff", b'{"timeout":NaN}'])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with refusal(10101):
        parse_configuration(body)


def test_every_code_of_sections_4_and_6_is_reached() -> None:
    withdrawn_or_elsewhere = {10103, 10109, 10110, 10115, 10116, 10117, 10118, 10215, 10216}
    wanted = {code for code in errors.STATUS if 10000 < code < 20000} - withdrawn_or_elsewhere
    assert {code for code, _ in REFUSED} == wanted


def test_the_message_that_people_search_for() -> None:
    for document in ({}, job({"detectors": []})):
        with pytest.raises(PrelertError, match=r"^No detectors configured$"):
            configuration_of(document)


@pytest.mark.parametrize(("code", "document"), [
    (10113, of_detectors({"function": "nothing", "fieldName": '"'})),
    (10105, of_detectors({"function": "nothing"}, summaryCountFieldName="n", overlappingBuckets=True)),
    (10106, of_detectors({"function": "rare", "excludeFrequent": "x"}, overlappingBuckets=True)),
    (10114, of_detectors({"fieldName": "x", "excludeFrequent": "x"}, summaryCountFieldName="n")),
    (10119, of_detectors({**COUNT, "byFieldName": "prelertcategory", "excludeFrequent": "x"})),
])
def test_of_several_faults_of_a_detector_the_first_check_speaks(code: int, document: Any) -> None:
    with refusal(code):
        configuration_of(document)


NEEDS = {"required": {True}, "optional": {True, False}, "forbidden": {False}}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_the_fields_that_it_needs_and_no_others(function: str) -> None:
    fields = FUNCTIONS[function]
    for has_field in (True, False):
        for has_by in (True, False):
            for has_over in (True, False):
                detector = {"function": function, "fieldName": "f" * has_field, "byFieldName": "b" * has_by,
                            "overFieldName": "o" * has_over, "partitionFieldName": "p"}
                if (has_field in NEEDS[fields.field] and has_by in NEEDS[fields.by] and has_over in NEEDS[fields.over]):
                    assert detectors.detector_of(detector).function == function
                else:
                    with refusal(10106):
                        detectors.detector_of(detector)


def test_the_functions_are_those_of_the_protocol() -> None:
    sided = ("count", "non_zero_count", "nzc", "distinct_count", "dc", "info_content", "mean", "avg", "sum",
             "non_null_sum", "varp")
    both = {"rare", "freq_rare", "metric", "median", "min", "max", "time_of_day", "time_of_week", "lat_long"}
    assert set(FUNCTIONS) == both | {side + name for side in ("", "high_", "low_") for name in sided}


def test_a_detector_without_a_function_is_a_metric() -> None:
    found = configured(of_detectors({"fieldName": "In Octets", "byFieldName": "host"}))
    assert (found.analysis.detectors[0].function, found.analysis.fields) == ("metric", ("host", "In Octets"))


def test_what_is_not_given_is_the_default() -> None:
    found = configured(job())
    assert found.analysis == AnalysisConfig(found.analysis.detectors, bucket_span_s=300, latency_s=0)
    assert (found.id, found.timeout_s, found.data_description, found.data) == (None, 600, None, DataDescription())
    assert found.data == DataDescription("DELIMITED", "time", "epoch", "\t", '"')


@given(st.data())
def test_a_null_counts_as_absent(data: st.DataObject) -> None:
    known = ["id", "description", "timeout", "analysisLimits", "dataDescription", "transforms", "schedulerConfig",
             "modelDebugConfig", "backgroundPersistInterval", "ignoreDowntime", "customSettings"]
    nulls = dict.fromkeys(data.draw(st.lists(st.sampled_from(known))))
    assert configured(job({"bucketSpan": None, "influencers": None}, **nulls)) == configured(job())
    assert configured(of_detectors({**DETECTOR, "overFieldName": None, "excludeFrequent": None})) == configured(job())


def test_numbers_may_stand_in_quotes_and_single_values_for_arrays() -> None:
    plain = job({"bucketSpan": 60, "latency": 5, "influencers": ["airline"]}, timeout=7, transforms=[
        {"transform": "trim", "inputs": ["x"], "outputs": ["airline"]}],
        analysisLimits={"modelMemoryLimit": 50}, modelDebugConfig={"boundsPercentile": 95.5})
    loose = job({"bucketSpan": "60", "latency": "5", "influencers": "airline"}, timeout="7", transforms=[
        {"transform": "trim", "inputs": "x", "outputs": "airline"}],
        analysisLimits={"modelMemoryLimit": "50"}, modelDebugConfig={"boundsPercentile": "95.5"})
    assert configured(loose) == configured(plain)
    assert configured(job({"bucketSpan": 60.0})).analysis.bucket_span_s == 60


@pytest.mark.parametrize(("given_", "kept"), [
    ("json", "JSON"), ("Delineated", "DELIMITED"), (" DELIMITED ", "DELIMITED"), ("Json", "JSON"),
    ("elasticsearch", "ELASTICSEARCH")])
def test_a_format_is_echoed_in_upper_case_with_the_defaults_filled_in(given_: str, kept: str) -> None:
    document = as_document(configured(job(dataDescription={"format": given_})))
    assert document["dataDescription"] == {
        "format": kept, "timeField": "time", "timeFormat": "epoch", "fieldDelimiter": "\t", "quoteCharacter": '"'}


@pytest.mark.parametrize(("given_", "kept"), [
    ("All", "all"), (" by ", "by"), (True, "all"), (False, "none"), ("", None), (None, None)])
def test_exclude_frequent_is_taken_in_any_case_and_as_a_boolean(given_: Any, kept: str | None) -> None:
    found = configured(of_detectors({**DETECTOR, "excludeFrequent": given_}))
    assert found.analysis.detectors[0].exclude_frequent == kept


def test_what_the_java_client_writes_of_its_own_accord_is_ignored() -> None:
    found = configured(job(
        dataDescription={"transformTime": True, "epochMs": False}, modelDebugConfig={"enabled": False}))
    assert as_document(found)["modelDebugConfig"] == {"writeTo": "FILE"}


def test_the_analysis_fields_come_once_each_and_without_the_category() -> None:
    found = configured(of_detectors(
        {**DETECTOR, "partitionFieldName": "site"}, {"function": "count", "byFieldName": "prelertcategory"},
        {**DETECTOR, "overFieldName": "user"}, influencers=["user", "", "host", "host"], summaryCountFieldName="n",
        categorizationFieldName="message"))
    assert found.analysis.fields == ("airline", "site", "responsetime", "user", "host", "n", "message")


FULL = job(
    {"bucketSpan": 60, "batchSpan": 3600, "period": 24, "latency": 0, "influencers": ["airline"],
     "summaryCountFieldName": "n", "categorizationFieldName": "message", "overlappingBuckets": True,
     "resultFinalizationWindow": 3, "multivariateByFields": True, "categorizationFilters": ["x+"],
     "detectors": [{**DETECTOR, "detectorDescription": "slow", "useNull": True, "excludeFrequent": "by"}]},
    id="web-1_a.b", description="orders", timeout=30, analysisLimits={"modelMemoryLimit": -5},
    dataDescription={"format": "ELASTICSEARCH", "timeFormat": "epoch_ms", "timeField": "t"},
    transforms=[{"transform": "extract", "inputs": "x", "arguments": "(.)", "outputs": "n"},
                {"transform": "exclude", "inputs": "n", "condition": {"operator": "GT", "value": 5}},
                {"transform": "domain_split", "inputs": "host", "outputs": ["t"]}],
    schedulerConfig={**ELASTICSEARCH, "aggregations": {"a": {}}, "username": "u", "password": "secret", "frequency": 5},
    modelDebugConfig={"writeTo": "data_store", "boundsPercentile": 95, "terms": "a,b"},
    renormalizationWindowDays=1, backgroundPersistInterval=3600, modelSnapshotRetentionDays=0, resultsRetentionDays=9,
    ignoreDowntime=" once ", customSettings={"any": [1, {"thing": None}]})


def test_the_document_of_a_job_holds_what_was_given_but_no_password() -> None:
    document = as_document(configured(FULL))
    assert "secret" not in json.dumps(document)
    assert "secret" not in repr(configured(FULL))
    assert list(document) == [
        "id", "description", "timeout", "analysisConfig", "analysisLimits", "schedulerConfig", "dataDescription",
        "transforms",
        "modelDebugConfig", "ignoreDowntime", "renormalizationWindowDays", "backgroundPersistInterval",
        "modelSnapshotRetentionDays", "resultsRetentionDays", "customSettings"]
    for key in ("id", "description", "timeout", "analysisConfig", "resultsRetentionDays", "customSettings"):
        assert document[key] == FULL[key]
    assert document["analysisLimits"] == {"modelMemoryLimit": -1}
    assert document["ignoreDowntime"] == "ONCE"
    assert document["schedulerConfig"] == {
        "dataSource": "ELASTICSEARCH", "dataSourceCompatibility": "2.x.x", "queryDelay": 60, "frequency": 5,
        "baseUrl": "http://es:9200", "indexes": ["i"], "types": ["t"], "query": {"match_all": {}},
        "retrieveWholeSource": False, "scrollSize": 1000, "username": "u", "aggregations": {"a": {}}}
    assert document["transforms"] == [
        {"transform": "extract", "inputs": ["x"], "arguments": ["(.)"], "outputs": ["n"]},
        {"transform": "exclude", "inputs": ["n"], "condition": {"operator": "gt", "value": "5"}},
        {"transform": "domain_split", "inputs": ["host"], "outputs": ["t"]}]


def test_a_document_is_a_configuration_of_the_same_job() -> None:
    with_file = scheduled(FILE, tailFile=True)
    no_password = copy.deepcopy(FULL)
    no_password["schedulerConfig"].update(password=None, encryptedPassword="e")
    for document in (job(), with_file, no_password):
        found = configured(document)
        assert configured(as_document(found)) == found  # type: ignore[arg-type]


def test_the_links_of_a_job() -> None:
    base = "http://h:8080/engine/v2"
    assert links(base, "web1") == {"location": f"{base}/jobs/web1", "endpoints": {
        "data": f"{base}/data/web1", "buckets": f"{base}/results/web1/buckets",
        "records": f"{base}/results/web1/records", "categoryDefinitions": f"{base}/results/web1/categorydefinitions",
        "alertsLongPoll": f"{base}/alerts_longpoll/web1", "logs": f"{base}/logs/web1",
        "modelSnapshots": f"{base}/modelsnapshots/web1"}}


@pytest.mark.parametrize(("refused", "code"), [
    (FieldsMissing, 30101), (TooManyBadDates, 30103), (TooManyBadRecords, 30104), (MalformedJson, 30107),
    (UploadRefused, 30001)])
def test_a_refused_upload_has_its_code(refused: type[UploadRefused], code: int) -> None:
    error = errors.of_upload(refused("why"))
    assert (error.error_code, error.status, error.message) == (code, 400, "why")


def test_a_status_may_differ_from_that_of_the_code() -> None:
    assert PrelertError(0, "no such endpoint", 404).status == 404
    assert PrelertError(0, "broken").status == 500
