"""Sources. Source: MVG wire protocol, sections 4, 11 and 12."""
from __future__ import annotations

import pytest

from tests.gateways.mvg.client import FIRST_MS, Client, waveform

KINDS = [("", "waveform", "channels"), ("spectrum", "spectrum", "channels"), ("tabular", "tabular", "columns")]


@pytest.mark.parametrize(("kind", "data_class", "names"), KINDS)
def test_a_source_is_read_as_it_was_created(mvg: Client, kind: str, data_class: str, names: str) -> None:
    id = f"created-{data_class}"
    given = {"source_id": id, "meta": {"location": "hall 1", "n": [1, {"x": None}]}, names: ["b", "a (cm)"]}
    source = mvg.done("POST", f"/sources/{kind}", given)
    assert source == {
        "source_id": id, "meta": given["meta"], "properties": {"data_class": data_class, names: ["b", "a (cm)"]}}
    assert mvg.get(f"/sources/{id}") == source
    assert source in mvg.get("/sources/")


@pytest.mark.parametrize(("kind", "data_class", "names"), KINDS)
def test_an_id_that_is_taken_changes_nothing(mvg: Client, kind: str, data_class: str, names: str) -> None:
    id = f"taken-{data_class}"
    mvg.create(id, kind, ("a",))
    answer = mvg.call("POST", f"/sources/{kind}", {"source_id": id, "meta": {"x": 1}, names: ["b"]})
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert mvg.get(f"/sources/{id}")["properties"][names] == ["a"]


def test_the_timestamp_is_no_column(mvg: Client) -> None:
    source = mvg.create("without-timestamp", "tabular", ("timestamp", "b", "a"))
    assert source["properties"] == {"data_class": "tabular", "columns": ["b", "a"]}


@pytest.mark.parametrize("id", ["", "a b", "a/b", "ü!", "a.b", "a\n"])
def test_an_id_of_other_characters_is_refused(mvg: Client, id: str) -> None:
    answer = mvg.call("POST", "/sources/", {"source_id": id, "meta": {}, "channels": ["acc"]})
    assert answer.offences == [(["body", "source_id"], "value_error.str.regex")]
    assert answer.detail[0]["msg"] == r'string does not match regex "^[\w-]+$"'
    assert answer.detail[0]["ctx"] == {"pattern": r"^[\w-]+$"}


def test_an_id_has_at_most_255_characters(mvg: Client) -> None:
    mvg.create("x" * 255)
    answer = mvg.call("POST", "/sources/", {"source_id": "x" * 256, "meta": {}, "channels": ["acc"]})
    assert answer.offences == [(["body", "source_id"], "value_error.any_str.max_length")]


@pytest.mark.parametrize("names", [[], ["a", "a"], [""], ["a", 1], "acc", {"a": 1}])
@pytest.mark.parametrize(("kind", "which"), [("", "channels"), ("spectrum", "channels"), ("tabular", "columns")])
def test_channels_and_columns_are_unique_texts(mvg: Client, kind: str, which: str, names: object) -> None:
    offences = mvg.call("POST", f"/sources/{kind}", {"source_id": "names", "meta": {}, which: names}).offences
    assert offences[0][0][:2] == ["body", which]
    assert mvg.call("GET", "/sources/names").status == 404


@pytest.mark.parametrize("meta", [7, "text", []])
def test_a_meta_is_an_object(mvg: Client, meta: object) -> None:
    answer = mvg.call("POST", "/sources/", {"source_id": "meta", "meta": meta, "channels": ["acc"]})
    assert answer.offences == [(["body", "meta"], "type_error.dict")]


def test_an_update_replaces_the_meta_as_a_whole(mvg: Client) -> None:
    mvg.done("POST", "/sources/", {"source_id": "updated", "meta": {"a": 1}, "channels": ["acc"]})
    assert mvg.done("PUT", "/sources/updated", {"b": 2})["meta"] == {"b": 2}
    assert mvg.done("PUT", "/sources/updated", {"meta": {"c": 3}})["meta"] == {"c": 3}
    assert mvg.get("/sources/updated")["meta"] == {"c": 3}
    assert mvg.call("PUT", "/sources/nobody", {"b": 2}).status == 404
    assert mvg.call("PUT", "/sources/updated", [1]).offences


def test_a_source_that_is_created_again_begins_empty(mvg: Client) -> None:
    for _ in range(2):
        mvg.create("again")
        assert mvg.get("/sources/again/measurements")["total"] == 0
        assert mvg.get("/sources/again/labels")["timestamp"] == []
        assert mvg.get("/analyses/source/again/feature/KPIDemo") == []
        mvg.done("POST", "/sources/again/measurements", [waveform(FIRST_MS, [1.0, -1.0])])
        mvg.done("POST", f"/sources/again/labels/{FIRST_MS}", {"label": "ok", "severity": 0, "notes": ""})
        id = mvg.ask("KPIDemo", "again")
        mvg.wait(id)
        assert mvg.done("DELETE", "/sources/again") is not None
        assert mvg.call("GET", "/sources/again").status == 404
        assert mvg.call("GET", f"/analyses/requests/{id}").detail == f"Request with ID {id} does not exist"


def test_a_source_may_have_the_name_of_a_kind(mvg: Client) -> None:
    mvg.create("tabular")
    assert mvg.get("/sources/tabular")["source_id"] == "tabular"


def test_a_source_without_channels_has_one_and_plain_samples(mvg: Client) -> None:
    source = mvg.done("POST", "/sources/", {"source_id": "plain", "meta": {}})
    assert source["properties"]["channels"] == ["acc"]
    mvg.done("POST", "/sources/plain/measurements",
             {"source_id": "plain", "timestamp": FIRST_MS, "duration": 1.0, "data": [0.5, 1.5]})
    assert mvg.get(f"/sources/plain/measurements/{FIRST_MS}")["data"] == [0.5, 1.5]


def test_a_newer_client_calls_a_source_by_an_id_of_its_own(mvg: Client) -> None:
    given = {"external_id": "ext/1 a", "sensor_id": "s", "sensor_stream_id": "t", "meta": {}, "channels": ["acc"]}
    source = mvg.done("POST", "/sources/", given)
    assert mvg.get(f"/sources/{source['source_id']}") == source
    assert mvg.get("/sources/external_id/ext%2F1%20a") == source
    assert mvg.call("POST", "/sources/", given).status == 409
    assert mvg.call("GET", "/sources/external_id/nobody").status == 404
    assert mvg.done("PUT", f"/pipeline/triggers/sources/{source['source_id']}/new_measurement") is not None
