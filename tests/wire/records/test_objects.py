"""JSON as rows: the two ways of reading agree, names are dotted, numbers keep their text."""
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from offbeat.wire.records import jsonstream
from offbeat.wire.records.errors import MalformedJson
from offbeat.wire.records.objects import DEPTH_MAX, flattened
from tests.wire.records.test_reader import json_bodies
from tests.wire.records.uploads import Told, read


def carefully(body: str, monkeypatch: pytest.MonkeyPatch) -> Told:
    """*body* read value by value alone."""
    with monkeypatch.context() as patch:
        patch.setattr(jsonstream, "_lines", lambda text: None)
        patch.setattr(jsonstream, "_elements", lambda text: None)
        return read(body, ("a", "b", "a.b"), format="JSON")


@given(body=json_bodies())
def test_lines_read_together_are_what_they_are_one_by_one(body: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert read(body, ("a", "b", "a.b"), format="JSON") == carefully(body, monkeypatch)


@settings(max_examples=400)
@example(lines=['{"a":[{}', "{}]},1,{}"])
@given(lines=st.lists(st.sampled_from([
    '{"a":1}', '{"a":[{}', '{}]},{}', '{}]},1,{}', '{"a":1', '"b":2}', '{}]},NaN,{}', '{"a":NaN}', '{"a":"NaN"}',
    "{},{}", "[{}]",
    "", " ", '{"a":"\\u004eaN"}', "]", "["]), max_size=5))
def test_lines_that_are_whole_only_together_are_not_taken_for_whole(lines: list[str]) -> None:
    body = "\n".join(lines) + "\n"
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert read(body, ("a", "b", "a.b"), format="JSON") == carefully(body, monkeypatch)


@given(objects=st.lists(st.dictionaries(st.sampled_from("ab"), st.text() | st.integers() | st.booleans() | st.none())))
def test_what_the_reader_makes_of_lines_is_what_json_says(objects: list[dict[str, Any]]) -> None:
    body = "".join(json.dumps({**some, "time": 1}) + "\n" for some in objects)
    said = [{name: value if isinstance(value, str) else json.dumps(value) for name, value in some.items()
             if value is not None} for some in objects]
    expected = [(1000, tuple(some.get(name) or None for name in "ab")) for some in said]
    found = read(body, format="JSON")
    if "\\ud" not in body:  # half of a pair is told elsewhere
        assert found.rows == expected
    assert len(found.rows) == len(expected)


@pytest.mark.parametrize(("value", "texts"), [
    ("1.10", ("1.10", None, None)), ("-0", ("-0", None, None)), ("1E5", ("1E5", None, None)),
    ("123456789012345678901234567890", ("123456789012345678901234567890", None, None)),
    ("true", ("true", None, None)), ("null", (None, None, None)), ('""', (None, None, None)),
    ("[1,\"x\",false,null]", ("1,x,false", None, None)), ("[]", (None, None, None)), ("[[1]]", (None, None, None)),
    ('{"b":2,"c":{"d":3}}', (None, None, "2")), ('[{"b":1}]', (None, None, None))])
def test_a_value_becomes_its_json_text_and_what_is_nested_a_dotted_name(
    value: str, texts: tuple[str | None, ...], monkeypatch: pytest.MonkeyPatch,
) -> None:
    for body in (f'{{"time":1,"a":{value}}}\n', f'[{{"time":1,"a":{value}}}]', f'{{"time":\n1,"a":{value}}}'):
        assert read(body, ("a", "b", "a.b"), format="JSON").rows == [(1000, texts)]
        assert carefully(body, monkeypatch).rows == [(1000, texts)]


def test_a_quote_in_a_text_may_be_cut_from_its_backslash() -> None:
    body = '{"time":1}{"time":2,"a":"x\\"}{\\\\"} '
    for cut in range(len(body)):
        assert read(body, cuts=[cut], format="JSON").rows == [(1000, (None, None)), (2000, ('x"}{\\', None))]


def test_the_last_of_two_values_of_one_name_counts() -> None:
    assert read('{"time":1,"a":1,"a":2}', format="JSON").rows == [(1000, ("2", None))]
    assert flattened({"a": {"b": "1"}, "a.b": "2"}) == {"a.b": "2"}


@pytest.mark.parametrize("body", [
    "1", '"x"', "null", "{} 1", "[", "[{}", "[{},]", "[,{}]", "[{} {}]", "]", "{},{}", '{"a":tru}', '{"a":1', "{'a':1}",
    '{"a":NaN}', '{"a":-Infinity}', '[{"a":1}}', '{"a":"\n"}', '{"a":01}', "<html>", "[12abc]", "[1 2]", '{"a":"x'])
def test_what_is_no_stream_of_objects_is_refused_after_the_objects_before(
    body: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    for before in ("", '{"time":1,"a":"x"}\n'):
        found = read(before + body, format="JSON")
        assert found.refusal is MalformedJson, body
        assert found.rows[: len(before)] == ([(1000, ("x", None))] if before else [])
        assert carefully(before + body, monkeypatch).refusal is MalformedJson


@pytest.mark.parametrize("depth", [DEPTH_MAX, DEPTH_MAX + 1, 500, 5000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
def test_an_object_that_is_nested_too_deeply_is_a_bad_record(depth: int, opening: str, closing: str) -> None:
    nested = opening * (depth - 1) + "1" + closing * (depth - 1)
    found = read(f'{{"time":1,"b":{nested}}}\n{{"time":2}}\n', format="JSON")
    assert found.refusal is None
    assert found.counts["bad_record_count"] == (depth > DEPTH_MAX)
    assert found.rows[-1][0] == 2000


RESPONSE = {"took": 3, "hits": {"total": 2, "hits": [
    {"_id": "1", "_source": {"time": 1, "a": {"x": 5}}}, {"_id": "2", "fields": {"time": [2], "a": ["u", "v"]}},
    {"_id": "3"}]}}
BUCKETS = {"time": {"buckets": [
    {"key": 1000, "key_as_string": "1970", "doc_count": 9, "air": {"sum_other_doc_count": 0, "buckets": [
        {"key": "AAL", "doc_count": 7, "mean": {"value": 1.5}},
        {"key": "JZA", "doc_count": 2, "mean": {"value": None}}]}},
    {"key": 2000, "doc_count": 1, "air": {"buckets": {"KLM": {"doc_count": 1, "mean": {"value": 4}}}}},
    {"key": 3000, "doc_count": 0, "air": {"buckets": []}}]}}


def test_hits_of_a_search_become_records() -> None:
    body = json.dumps(RESPONSE)
    found = read(body * 2, ("a", "a.x"), format="ELASTICSEARCH")
    assert found.rows == [(1000, (None, "5")), (2000, ("u,v", None))] * 2
    assert found.counts["bad_record_count"] == 2
    assert read('{"error": "no such index"}', format="ELASTICSEARCH").counts["bad_record_count"] == 1


@pytest.mark.parametrize("name", ["aggregations", "aggs"])
def test_a_tree_of_aggregations_becomes_a_record_for_each_leaf(name: str) -> None:
    body = json.dumps({"hits": {"hits": []}, name: BUCKETS})
    found = read(body, ("air", "mean", "doc_count"), format="ELASTICSEARCH", time_format="epoch_ms")
    assert found.rows == [
        (1000, ("AAL", "1.5", "7")), (1000, ("JZA", None, "2")), (2000, ("KLM", "4", "1"))]


def test_aggregations_side_by_side_are_followed_one_after_the_other() -> None:
    tree = {"time": {"buckets": [{"key": 1, "doc_count": 3, "all": {"value": 8}, "only": {
        "doc_count": 2, "mean": {"value": 7}}, "air": {"buckets": [{"key": "AAL", "doc_count": 1}]}}]}}
    found = read(json.dumps({"aggs": tree}), ("all", "mean", "air", "doc_count"), format="ELASTICSEARCH")
    assert found.rows == [(1000, ("8", "7", None, "2")), (1000, ("8", None, "AAL", "1"))]
