"""Measurements of waveforms and spectra. Source: MVG wire protocol, sections 5 and 12."""
from __future__ import annotations

import random
import struct

import pytest

from tests.gateways.mvg.client import FIRST_MS, Client, waveform

EDGES = [0.1, -0.0, 5e-324, 1.7976931348623157e308, -2.2250738585072014e-308, 1 / 3, 123456789.123456789]


def test_samples_come_back_bit_for_bit(mvg: Client) -> None:
    mvg.create("exact", names=("b", "a"))
    rng = random.Random(1)
    bits = [struct.unpack("<d", rng.randbytes(8))[0] for _ in range(2_000)]
    samples = EDGES + [x for x in bits if x == x and abs(x) != float("inf")]
    data = {"b": samples, "a": samples[::-1]}
    mvg.done("POST", "/sources/exact/measurements",
             [{"timestamp": FIRST_MS, "duration": 1.5, "data": data, "meta": {"n": 1}}])
    found = mvg.get(f"/sources/exact/measurements/{FIRST_MS}")
    assert set(found) == {"timestamp", "duration", "data", "meta"}
    assert (found["timestamp"], found["duration"], found["meta"]) == (FIRST_MS, 1.5, {"n": 1})
    assert list(found["data"]) == ["b", "a"]
    for name in data:
        assert struct.pack(f"<{len(samples)}d", *found["data"][name]) == struct.pack(f"<{len(samples)}d", *data[name])


def test_spectra_come_back_as_they_were(mvg: Client) -> None:
    mvg.create("spectra", "spectrum")
    spectrum = {"timestamp": 7, "freq_range": [0, 1000.5], "data": {"acc": EDGES}, "meta": {}}
    mvg.done("POST", "/sources/spectra/measurements/spectrum", [spectrum])
    assert mvg.get("/sources/spectra/measurements/7") == spectrum
    (item,) = mvg.get("/sources/spectra/measurements")["items"]
    assert item == {"timestamp": 7, "freq_range": [0, 1000.5], "meta": {}}


def test_lists_are_pages_in_the_order_of_time(mvg: Client) -> None:
    mvg.create("paged")
    times = [5, 3, 1, 4, 2, 0]
    mvg.done("POST", "/sources/paged/measurements", [waveform(t, [float(t)]) for t in times])
    items = [{"timestamp": t, "duration": 1.0, "meta": {}} for t in range(6)]
    path = "/sources/paged/measurements"
    assert mvg.get(path) == {"items": items, "total": 6, "limit": 1000, "offset": 0}
    assert mvg.get(f"{path}?offset=4&limit=5") == {"items": items[4:], "total": 6, "limit": 5, "offset": 4}
    assert mvg.get(f"{path}?limit=5000") == {"items": items, "total": 6, "limit": 1000, "offset": 0}
    assert mvg.get(f"{path}?offset=60&limit=2") == {"items": [], "total": 6, "limit": 2, "offset": 60}
    for limit in (0, -5):
        assert mvg.get(f"{path}?limit={limit}") == {"items": [], "total": 6, "limit": 1, "offset": 0}
    path = "/sources/paged/timestamps"
    assert mvg.get(path) == {"items": [0, 1, 2, 3, 4, 5], "total": 6, "limit": 1000, "offset": 0}
    assert mvg.get(f"{path}?order=desc&limit=2&offset=1")["items"] == [4, 3]
    assert mvg.get(f"{path}?order=asc&limit=2&offset=1")["items"] == [1, 2]


@pytest.mark.parametrize(("query", "name", "type"), [
    ("offset=-1", "offset", "value_error.number.not_ge"), ("offset=x", "offset", "type_error.integer"),
    ("limit=1.5", "limit", "type_error.integer"),
])
def test_a_page_that_cannot_be_is_refused(mvg: Client, query: str, name: str, type: str) -> None:
    for path in ("measurements", "timestamps", "measurements/tabular"):
        assert mvg.call("GET", f"/sources/nobody/{path}?{query}").offences == [(["query", name], type)]
    assert mvg.call("GET", "/sources/nobody/timestamps?order=up").offences == [(["query", "order"], "value_error")]


@pytest.mark.parametrize(("change", "place", "type"), [
    ({"duration": 0}, ["duration"], "value_error.number.not_gt"),
    ({"duration": -1.5}, ["duration"], "value_error.number.not_gt"),
    ({"duration": "1"}, ["duration"], "type_error.float"),
    ({"duration": None}, ["duration"], "type_error.float"),
    ({"timestamp": -1}, ["timestamp"], "value_error.number.not_ge"),
    ({"timestamp": 1.5}, ["timestamp"], "type_error.integer"),
    ({"timestamp": "1"}, ["timestamp"], "type_error.integer"),
    ({"timestamp": True}, ["timestamp"], "type_error.integer"),
    ({"timestamp": None}, ["timestamp"], "type_error.integer"),
    ({"timestamp": 2**63}, ["timestamp"], "value_error.number.not_le"),
    ({"meta": 7}, ["meta"], "type_error.dict"),
    ({"data": {}}, ["data", "acc"], "value_error.missing"),
    ({"data": {"acc": [1.0], "x": [1.0]}}, ["data", "x"], "value_error"),
    ({"data": {"acc": []}}, ["data", "acc"], "value_error.list.min_items"),
    ({"data": {"acc": [1.0, None]}}, ["data", "acc", 1], "type_error.float"),
    ({"data": {"acc": [1.0, "2"]}}, ["data", "acc", 1], "type_error.float"),
    ({"data": {"acc": [1.0, True]}}, ["data", "acc", 1], "type_error.float"),
    ({"data": {"acc": [[1.0]]}}, ["data", "acc", 0], "type_error.float"),
    ({"data": {"acc": 7}}, ["data", "acc"], "type_error.list"),
    ({"data": 7}, ["data"], "type_error.dict"),
])
def test_a_measurement_that_is_none_is_refused_and_so_are_those_beside_it(
    mvg: Client, change: dict[str, object], place: list[object], type: str,
) -> None:
    if mvg.call("GET", "/sources/refused").status == 404:
        mvg.create("refused")
    good = waveform(FIRST_MS, [1.0, 2.0])
    answer = mvg.call("POST", "/sources/refused/measurements", [good, {**waveform(FIRST_MS + 1, [1.0, 2.0]), **change}])
    assert answer.offences == [(["body", 1, *place], type)]
    assert mvg.get("/sources/refused/measurements")["total"] == 0


def test_the_limits_of_offences_are_told(mvg: Client) -> None:
    (duration,) = mvg.call("POST", "/sources/x/measurements", [waveform(1, [1.0], 0.0)]).detail
    assert (duration["msg"], duration["ctx"]) == ("ensure this value is greater than 0.0", {"limit_value": 0.0})
    (time,) = mvg.call("POST", "/sources/x/measurements", [waveform(-1, [1.0])]).detail
    assert (time["msg"], time["ctx"]) == ("ensure this value is greater than or equal to 0", {"limit_value": 0})
    (missing,) = mvg.call("POST", "/sources/x/measurements", [{"duration": 1.0, "data": {"acc": [1.0]}}]).detail
    assert missing == {"loc": ["body", 0, "timestamp"], "msg": "field required", "type": "value_error.missing"}


def test_a_number_too_large_for_a_double_is_refused(mvg: Client) -> None:
    mvg.create("large")
    for number in (b"1e999", b"1" + b"0" * 400):
        body = b'[{"timestamp": 1, "duration": 1.0, "data": {"acc": [0.5, ' + number + b"]}}]"
        assert mvg.call("POST", "/sources/large/measurements", body=body).status == 422
    assert mvg.get("/sources/large/measurements")["total"] == 0


def test_channels_are_of_equal_length(mvg: Client) -> None:
    mvg.create("lengths", names=("a", "b"))
    answer = mvg.call("POST", "/sources/lengths/measurements",
                      [{"timestamp": 1, "duration": 1.0, "data": {"a": [1.0], "b": [1.0, 2.0]}}])
    assert answer.offences == [(["body", 0, "data"], "value_error")]


def test_each_class_has_its_own_path(mvg: Client) -> None:
    mvg.create("of-waves")
    mvg.create("of-spectra", "spectrum")
    mvg.create("of-rows", "tabular", ("acc",))
    wave, rows = [waveform(1, [1.0])], {"data": {"timestamp": [1], "acc": [1.0]}}
    spectrum = [{"timestamp": 1, "freq_range": [0, 10], "data": {"acc": [1.0]}, "meta": {}}]
    forms = [("/measurements", wave, "of-waves"), ("/measurements/spectrum", spectrum, "of-spectra"),
             ("/measurements/tabular", rows, "of-rows")]
    for path, document, own in forms:
        for id in ("of-waves", "of-spectra", "of-rows"):
            assert mvg.call("POST", f"/sources/{id}{path}", document).status == (200 if id == own else 422)
    assert mvg.call("GET", "/sources/of-waves/measurements/tabular").status == 422


@pytest.mark.parametrize("freq_range", [None, [1], [0, 1, 2], [5, 5], [5, 1], ["0", 1], 7, [-1, 5]])
def test_a_range_of_frequencies_is_two_numbers(mvg: Client, freq_range: object) -> None:
    spectrum = {"timestamp": 1, "freq_range": freq_range, "data": {"acc": [1.0]}}
    ((place, _),) = mvg.call("POST", "/sources/x/measurements/spectrum", [spectrum]).offences
    assert place == ["body", 0, "freq_range"]


def test_a_timestamp_that_is_taken_keeps_all_of_a_body_out(mvg: Client) -> None:
    mvg.create("conflict")
    path = "/sources/conflict/measurements"
    mvg.done("POST", path, [waveform(2, [1.0])])
    answer = mvg.call("POST", path, [waveform(1, [2.0]), waveform(2, [3.0])])
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert mvg.get("/sources/conflict/timestamps")["items"] == [2]
    assert mvg.get(f"{path}/2")["data"] == {"acc": [1.0]}
    assert mvg.call("POST", path, [waveform(3, [2.0]), waveform(3, [3.0])]).offences == [
        (["body", 1, "timestamp"], "value_error")]


def test_the_meta_is_replaced_and_the_data_never(mvg: Client) -> None:
    mvg.create("changed")
    path = "/sources/changed/measurements/1"
    mvg.done("POST", "/sources/changed/measurements", [waveform(1, [1.0])])
    mvg.done("PUT", path, {"meta": {"a": [1]}})
    assert mvg.get(path) == {"timestamp": 1, "duration": 1.0, "data": {"acc": [1.0]}, "meta": {"a": [1]}}
    mvg.done("PUT", path, {"b": 2})
    assert mvg.get(path)["meta"] == {"b": 2}
    for method, document in (("PUT", {"meta": {}}), ("GET", None), ("DELETE", None)):
        assert mvg.call(method, "/sources/changed/measurements/2", document).status == 404
        assert mvg.call(method, "/sources/changed/measurements/-2", document).offences == [
            (["path", "timestamp"], "value_error.number.not_ge")]
        assert mvg.call(method, "/sources/changed/measurements/now", document).offences == [
            (["path", "timestamp"], "type_error.integer")]


def test_a_deleted_measurement_takes_its_label_along(mvg: Client) -> None:
    mvg.create("deleted")
    mvg.done("POST", "/sources/deleted/measurements", [waveform(1, [1.0]), waveform(2, [1.0])])
    mvg.done("POST", "/sources/deleted/labels/1", {"label": "a", "severity": 1, "notes": ""})
    assert mvg.done("DELETE", "/sources/deleted/measurements/1") is not None
    assert mvg.get("/sources/deleted/timestamps")["items"] == [2]
    mvg.done("POST", "/sources/deleted/measurements", [waveform(1, [2.0])])
    assert mvg.get("/sources/deleted/labels")["timestamp"] == []


def test_scalars_stand_beside_the_samples(mvg: Client) -> None:
    mvg.create("scalars")
    mvg.done("POST", "/sources/scalars/measurements", [{**waveform(1, [1.0]), "scalars": {"temperature": 21.5}}])
    assert mvg.get("/sources/scalars/measurements/1")["scalars"] == {"temperature": 21.5}
    mvg.done("PUT", "/sources/scalars/measurements/1/scalars", {"speed": 3})
    assert mvg.get("/sources/scalars/measurements/1")["scalars"] == {"speed": 3}
    assert mvg.call("PUT", "/sources/scalars/measurements/1/scalars", {"speed": "3"}).offences


def test_a_body_of_sixteen_mebibytes_is_taken(mvg: Client) -> None:
    mvg.create("big")
    rng = random.Random(2)
    samples = [rng.gauss(0.0, 1.0) for _ in range(400_000)]
    text = ",".join(map(repr, samples))
    body = f'[{{"timestamp": 1, "duration": 10.0, "data": {{"acc": [{text}]}}}}, '
    body += f'{{"timestamp": 2, "duration": 10.0, "data": {{"acc": [{text}]}}, "meta": {{"pad": "'
    body += "x" * ((16 << 20) - len(body) - 4) + '"}}]'
    assert len(body) == 16 << 20
    assert mvg.call("POST", "/sources/big/measurements", body=body.encode()).status == 200
    assert mvg.get("/sources/big/measurements/2")["data"]["acc"] == samples
