"""Labels. Source: MVG wire protocol, section 7."""
from __future__ import annotations

from datetime import datetime

import pytest

from tests.gateways.mvg.client import Client, waveform


@pytest.fixture(scope="module")
def labelled(running: object) -> Client:
    """A client of a daemon with a source of three measurements."""
    client = Client(running.url)  # type: ignore[attr-defined]
    client.create("labelled")
    client.done("POST", "/sources/labelled/measurements", [waveform(t, [1.0]) for t in (3, 1, 2)])
    return client


def test_a_label_is_given_read_changed_and_taken_away(labelled: Client) -> None:
    path = "/sources/labelled/labels/2"
    given = labelled.done("POST", path, {"label": "Worn", "severity": 3, "notes": "left side"})
    assert set(given) == {"label", "severity", "notes", "label_timestamp"}
    assert (given["label"], given["severity"], given["notes"]) == ("Worn", 3, "left side")
    datetime.strptime(given["label_timestamp"], "%Y-%m-%d %H:%M:%S%z")
    assert labelled.get(path) == given
    assert labelled.call("POST", path, {"label": "worn", "severity": 1, "notes": ""}).status == 409
    changed = labelled.done("PUT", path, {"label": "worn", "severity": 1})
    assert (changed["label"], changed["severity"], changed["notes"]) == ("worn", 1, "")
    assert labelled.get(path) == changed
    assert labelled.done("DELETE", path) is not None
    for method, document in (("GET", None), ("PUT", {"label": "a", "severity": 1}), ("DELETE", None)):
        assert labelled.call(method, path, document).status == 404


def test_labels_are_listed_as_parallel_lists_in_the_order_of_time(labelled: Client) -> None:
    empty = labelled.get("/sources/labelled/labels")
    assert empty == {"timestamp": [], "label": [], "severity": [], "notes": [], "label_timestamp": []}
    for timestamp, label in ((3, "b"), (1, "a")):
        document = {"label": label, "severity": timestamp, "notes": ""}
        labelled.done("POST", f"/sources/labelled/labels/{timestamp}", document)
    found = labelled.get("/sources/labelled/labels")
    assert (found["timestamp"], found["label"], found["severity"]) == ([1, 3], ["a", "b"], [1, 3])
    assert len(found["notes"]) == len(found["label_timestamp"]) == 2


@pytest.mark.parametrize(("document", "place", "type"), [
    ({"label": "a", "severity": -1}, "severity", "value_error.number.not_ge"),
    ({"label": "a", "severity": 1.5}, "severity", "type_error.integer"),
    ({"label": "a"}, "severity", "value_error.missing"),
    ({"severity": 1}, "label", "value_error.missing"),
    ({"label": 7, "severity": 1}, "label", "type_error.str"),
    ({"label": "a", "severity": 1, "notes": 7}, "notes", "type_error.str"),
])
def test_a_label_that_is_none_is_refused(
    labelled: Client, document: dict[str, object], place: str, type: str,
) -> None:
    for method in ("POST", "PUT"):
        assert labelled.call(method, "/sources/labelled/labels/2", document).offences == [(["body", place], type)]


def test_what_is_not_measured_has_no_label(labelled: Client) -> None:
    assert labelled.call("POST", "/sources/labelled/labels/9", {"label": "a", "severity": 1}).status == 404
    assert labelled.call("POST", "/sources/labelled/labels/-9", {"label": "a", "severity": 1}).offences == [
        (["path", "timestamp"], "value_error.number.not_ge")]
