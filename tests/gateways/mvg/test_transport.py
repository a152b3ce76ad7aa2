"""Paths, headers, bodies and errors, whatever they are about. Source: MVG wire protocol, sections 1 to 3."""
from __future__ import annotations

import re

import pytest

from tests.gateways.mvg.client import Client

MODES = {
    -2: "gray", -1: "white", 0: "blue", 1: "fuchsia", 2: "orange", 3: "aqua", 4: "pink", 5: "steelblue", 6: "olive",
    7: "purple", 8: "darkgoldenrod", 9: "mediumseagreen", 10: "indigo", 11: "lightcoral", 12: "black"}
LABELS = {
    -1: "white", 0: "orangered", 1: "coral", 2: "darksalmon", 3: "darkviolet", 4: "mediumorchid", 5: "mediumpurple",
    6: "thistle", 7: "slategrey", 8: "silver", 9: "sienna", 10: "tan", 11: "moccasin", 12: "khaki"}


@pytest.mark.parametrize("path", ["", "/"])
def test_the_root_says_hello_to_anybody_with_its_version_and_the_colours(mvg: Client, path: str) -> None:
    answer = mvg.call("GET", path, headers={})
    assert answer.status == 200
    message = answer.document["message"]
    assert message["api"]["name"] == "MultiViz Engine API"
    assert message["api"]["version"] == "v0.11.5"
    assert message["api"]["swagger"] == f"{mvg.url}/docs"
    scheme = message["content"]["color_scheme"]
    assert scheme["modes"] == {str(mode): colour for mode, colour in MODES.items()}
    assert scheme["labels"] == {str(label): colour for label, colour in LABELS.items()}


@pytest.mark.parametrize("path", ["/sources", "/analyses"])
def test_a_slash_at_the_end_does_not_count(mvg: Client, path: str) -> None:
    assert mvg.get(path) == mvg.get(f"{path}/")


@pytest.mark.parametrize("path", ["/analyses/requests", "/analyses/requests/population"])
def test_nor_does_it_for_a_post(mvg: Client, path: str) -> None:
    for form in (path, f"{path}/"):
        assert mvg.call("POST", form, {}).offences


@pytest.mark.parametrize(("method", "path"), [
    ("POST", "/sources//measurements"), ("GET", "//sources/"), ("GET", "/sources//"), ("GET", "/nothing"),
    ("GET", "/sources/a/measurements/1/2/3"), ("GET", "/v1/sources"),
])
def test_an_unknown_path_is_not_found_nor_is_one_with_an_empty_segment(mvg: Client, method: str, path: str) -> None:
    answer = mvg.call(method, path)
    assert (answer.status, answer.reason, answer.detail) == (404, "Not Found", "Not Found")


@pytest.mark.parametrize(("method", "path"), [("PATCH", "/sources/"), ("DELETE", "/analyses/"), ("POST", "")])
def test_another_method_is_not_allowed(mvg: Client, method: str, path: str) -> None:
    assert (mvg.call(method, path).status, mvg.call(method, path).detail) == (405, "Method Not Allowed")


@pytest.mark.parametrize("headers", [
    {"X-Vibium-Api-Key": "12345678.secret"}, {"Authorization": "Bearer 12345678.secret"}, {},
])
def test_while_there_is_no_token_every_form_of_one_is_taken(mvg: Client, headers: dict[str, str]) -> None:
    assert mvg.call("GET", "/sources/", headers=headers).status == 200


def test_a_body_is_json_whatever_its_header_says(mvg: Client) -> None:
    mvg.create("typeless")
    for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        answer = mvg.call("PUT", "/sources/typeless", body=b'{"a": 1}', headers=headers)
        assert (answer.status, answer.document["meta"]) == (200, {"a": 1})


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": NaN}', b"\xff", b'{"a": Infinity}', b"[1,]"])
def test_what_is_no_json_is_refused_in_the_form_of_all_refusals(mvg: Client, body: bytes) -> None:
    for path in ("/sources/", "/sources/x/measurements", "/analyses/requests/"):
        ((where, _),) = mvg.call("POST", path, body=body).offences
        assert where[0] == "body"


@pytest.mark.parametrize("document", [7, "text", None, [], [7], [None]])
def test_json_of_another_form_is_refused(mvg: Client, document: object) -> None:
    body = repr(document).replace("'", '"').replace("None", "null").encode()
    for path in ("/sources/", "/sources/tabular", "/sources/x/measurements/tabular", "/analyses/requests/",
                 "/sources/x/measurements", "/sources/x/labels/1"):
        assert mvg.call("POST", path, body=body).offences


def test_what_is_wrong_is_told_before_what_is_missing(mvg: Client) -> None:
    assert mvg.call("POST", "/sources/nobody/measurements", [{"timestamp": -1}]).offences
    answer = mvg.call("POST", "/sources/nobody/labels/1", {"label": "a", "severity": 1})
    assert (answer.status, answer.detail) == (404, "Source ID: nobody does not exist!")


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/sources/nobody"), ("DELETE", "/sources/nobody"), ("GET", "/sources/nobody/measurements"),
    ("GET", "/sources/nobody/timestamps"), ("GET", "/sources/nobody/measurements/1"),
    ("DELETE", "/sources/nobody/measurements/1"), ("GET", "/sources/nobody/measurements/tabular"),
    ("GET", "/sources/nobody/measurements/tabular/downsample"), ("GET", "/sources/nobody/labels"),
    ("GET", "/sources/nobody/labels/1"), ("DELETE", "/sources/nobody/labels/1"),
    ("GET", "/analyses/source/nobody/feature/ModeId"),
])
def test_below_an_unknown_source_nothing_exists(mvg: Client, method: str, path: str) -> None:
    answer = mvg.call(method, path)
    assert (answer.status, answer.detail) == (404, "Source ID: nobody does not exist!")


def test_a_body_that_is_larger_than_the_setting_is_refused(mvg: Client) -> None:
    answer = mvg.call("POST", "/sources/", body=b" " * (5 << 20))
    assert (answer.status, answer.reason) == (413, "Request Entity Too Large")
    assert re.search(r"larger than \d+ bytes", answer.detail)


def test_a_compressed_body_is_refused(mvg: Client) -> None:
    assert mvg.call("POST", "/sources/", body=b"{}", headers={"Content-Encoding": "gzip"}).status == 415
