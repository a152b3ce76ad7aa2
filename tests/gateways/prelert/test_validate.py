"""Detectors and transforms checked by themselves: section 13."""
from __future__ import annotations

import json
from typing import Any

import pytest

from offbeat.gateways.prelert.validate import validate_detector, validate_transform, validate_transforms
from tests.gateways.prelert.jobs import refusal

TRIM = {"transform": "trim", "inputs": "a"}


def body(document: Any) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(("code", "document"), [
    (10116, []), (10116, "count"), (10116, {"function": 1}), (10116, {"function": "count", "useNull": "no"}),
    (10117, {"function": "count", "field": "x"}), (10105, {"function": "counts"}), (10106, {}),
    (10106, {"function": "mean"}),
    (10113, {"function": "count", "byFieldName": '"'}), (10119, {"function": "count", "excludeFrequent": "x"}),
    (10106, {"function": "count", "excludeFrequent": "by"})])
def test_a_detector_that_is_wrong_is_refused(code: int, document: Any) -> None:
    with refusal(code):
        validate_detector(body(document))


def test_a_detector_is_checked_alone() -> None:
    assert validate_detector(b'{"function":"count","byFieldName":"prelertcategory"}').by_field_name == "prelertcategory"
    assert validate_detector(b'{"fieldName":"x"}').function == "metric"


ONE_BY_ONE = [
    (10215, [5]), (10215, {"transform": 5}), (10215, {**TRIM, "condition": "x"}), (10215, {**TRIM, "inputs": {"a": 1}}),
    (10216, {**TRIM, "x": 1}), (10216, {**TRIM, "condition": {"x": 1}}), (10201, {}), (10202, {"transform": "trim"}),
    (10206, {**TRIM, "arguments": "x"}), (10208, {"transform": "exclude", "inputs": "a"}),
    (10209, {"transform": "exclude", "inputs": "a", "condition": {"operator": ""}}),
    (10210, {"transform": "exclude", "inputs": "a", "condition": {"operator": "lt", "value": "x"}}),
    (10211, {**TRIM, "outputs": ["x", "y"]}), (10212, {**TRIM, "inputs": [""]}), (10213, {**TRIM, "outputs": [""]}),
    (10214, {"transform": "extract", "inputs": "a", "arguments": "x"})]


@pytest.mark.parametrize(("code", "document"), ONE_BY_ONE)
def test_a_transform_that_is_wrong_is_refused_alone_and_among_others(code: int, document: Any) -> None:
    with refusal(code):
        validate_transform(body(document))
    with refusal(code):
        validate_transforms(body([{**TRIM, "inputs": "z", "outputs": "other"}, document]))


@pytest.mark.parametrize(("code", "documents"), [
    (10215, {}), (10215, TRIM), (10205, [TRIM, TRIM]), (10204, [{**TRIM, "outputs": "a"}]),
    (10204, [{**TRIM, "outputs": "b"}, {**TRIM, "inputs": "b", "outputs": "a"}])])
def test_transforms_that_do_not_go_together_are_refused(code: int, documents: Any) -> None:
    with refusal(code):
        validate_transforms(body(documents))


@pytest.mark.parametrize(("validate", "code"), [
    (validate_detector, 10116), (validate_transform, 10215), (validate_transforms, 10215)])
def test_what_is_no_json_is_refused(validate: Any, code: int) -> None:
    for broken in (b"", b"{", b"\xff"):
        with refusal(code):
            validate(broken)


def test_an_output_that_nothing_uses_is_allowed() -> None:
    assert validate_transform(body(TRIM)).made == ("trim",)
    assert len(validate_transforms(body([TRIM, {"transform": "concat", "inputs": ["trim", "b"]}]))) == 2
    assert validate_transforms(b"[]") == []
