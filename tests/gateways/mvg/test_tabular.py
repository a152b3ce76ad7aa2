"""Rows of tables. Source: MVG wire protocol, section 6."""
from __future__ import annotations

import random

import pytest

from tests.gateways.mvg.client import FIRST_MS, Client

TIMES = [FIRST_MS + i * 60_000 for i in range(10)]
VALUES = [round(20.0 + i * 0.1, 1) for i in range(10)]


@pytest.fixture(scope="module")
def table(running: object) -> Client:
    """A client of a daemon with one table, whose rows came in two bodies and no order."""
    client = Client(running.url)  # type: ignore[attr-defined]
    client.create("rows", "tabular", ("timestamp", "temp", "flow (l/s)"))
    for some in ((7, 1, 3, 9, 5), (0, 2, 4, 6, 8)):
        client.done("POST", "/sources/rows/measurements/tabular", {
            "data": {"timestamp": [TIMES[i] for i in some], "temp": [VALUES[i] for i in some],
                     "flow (l/s)": list(some)},
            "meta": {str(TIMES[2]): {"note": "x"}} if 2 in some else {}})
    return client


PATH = "/sources/rows/measurements/tabular"


def test_rows_are_listed_column_by_column_in_the_order_of_time(table: Client) -> None:
    page = table.get(PATH)
    metas = [{"note": "x"} if i == 2 else {} for i in range(10)]
    assert page == {
        "items": {"timestamp": TIMES, "temp": VALUES, "flow (l/s)": list(range(10)), "meta": metas},
        "total": 10, "limit": 1000, "offset": 0}
    assert list(page["items"]) == ["timestamp", "temp", "flow (l/s)", "meta"]


def test_both_bounds_of_a_range_belong_to_it(table: Client) -> None:
    page = table.get(f"{PATH}?start_timestamp={TIMES[2]}&end_timestamp={TIMES[5]}&offset=1&limit=2")
    assert (page["items"]["timestamp"], page["total"], page["limit"], page["offset"]) == (TIMES[3:5], 4, 2, 1)


@pytest.mark.parametrize("query", ["start_timestamp=9999999999999", "offset=60", "limit=0", "limit=-1000", "limit=-1"])
def test_a_page_without_rows_has_every_column(table: Client, query: str) -> None:
    page = table.get(f"{PATH}?{query}")
    assert page["items"] == {"timestamp": [], "temp": [], "flow (l/s)": [], "meta": []}
    assert page["limit"] >= 1


@pytest.mark.parametrize("name", ["start_timestamp", "end_timestamp"])
def test_a_negative_bound_is_refused(table: Client, name: str) -> None:
    for path in (PATH, f"{PATH}/downsample"):
        assert table.call("GET", f"{path}?{name}=-1").offences == [(["query", name], "value_error.number.not_ge")]


def test_a_row_is_read_as_a_measurement(table: Client) -> None:
    assert table.get(f"/sources/rows/measurements/{TIMES[2]}") == {
        "timestamp": TIMES[2], "data": [VALUES[2], 2], "columns": ["temp", "flow (l/s)"], "meta": {"note": "x"}}
    assert table.get("/sources/rows/measurements?limit=1")["items"] == [{"timestamp": TIMES[0], "meta": {}}]


def test_rows_are_thinned_to_exactly_so_many_real_points(mvg: Client) -> None:
    mvg.create("thinned", "tabular", ("a", "b"))
    rng = random.Random(3)
    times = [FIRST_MS + i * 1000 for i in range(5_000)]
    columns = {"a": [rng.gauss(0.0, 1.0) for _ in times], "b": [float(i == 2_500) for i in range(5_000)]}
    mvg.done("POST", "/sources/thinned/measurements/tabular", {"data": {"timestamp": times, **columns}})
    path = "/sources/thinned/measurements/tabular/downsample"
    for threshold in (1, 2, 3, 7, 100, 4_999):
        found = mvg.get(f"{path}?threshold={threshold}")["data"]
        for name, values in columns.items():
            kept = found[name]["timestamps"]
            assert len(kept) == len(set(kept)) == threshold
            assert kept == sorted(kept) and kept[0] == times[0]
            assert threshold == 1 or kept[-1] == times[-1]
            assert found[name]["values"] == [values[(t - FIRST_MS) // 1000] for t in kept]
    assert 1.0 in mvg.get(f"{path}?threshold=50")["data"]["b"]["values"]  # what stands out stays
    for query, rows in (("threshold=0", 5_000), ("", 1_000), (f"threshold=0&end_timestamp={times[9]}", 10)):
        assert len(mvg.get(f"{path}?{query}")["data"]["a"]["values"]) == rows
    assert mvg.call("GET", f"{path}?threshold=-1").offences == [(["query", "threshold"], "value_error.number.not_ge")]


@pytest.mark.parametrize(("data", "place"), [
    ({"timestamp": [1, 2], "a": [1.0, 2.0]}, ["b"]),
    ({"timestamp": [1, 2], "a": [1.0, 2.0], "b": [1.0, 2.0], "c": [1.0, 2.0]}, ["c"]),
    ({"timestamp": [1, 2], "a": [1.0, 2.0], "b": [1.0]}, ["b"]),
    ({"timestamp": [1, 2], "a": [1.0, 2.0], "b": [1.0, None]}, ["b", 1]),
    ({"timestamp": [1, 2], "a": [1.0, 2.0], "b": [1.0, "x"]}, ["b", 1]),
    ({"timestamp": [1, 2.5], "a": [1.0, 2.0], "b": [1.0, 2.0]}, ["timestamp", 1]),
    ({"timestamp": [1, "2"], "a": [1.0, 2.0], "b": [1.0, 2.0]}, ["timestamp", 1]),
    ({"timestamp": [1, -2], "a": [1.0, 2.0], "b": [1.0, 2.0]}, ["timestamp", 1]),
    ({"timestamp": [1, 1], "a": [1.0, 2.0], "b": [1.0, 2.0]}, ["timestamp"]),
    ({"timestamp": [], "a": [], "b": []}, ["timestamp"]),
    ({"a": [1.0, 2.0], "b": [1.0, 2.0]}, ["timestamp"]),
    ({"timestamp": 1, "a": 1.0, "b": 1.0}, ["timestamp"]),
])
def test_rows_that_are_none_are_refused_whole(mvg: Client, data: dict[str, object], place: list[object]) -> None:
    if mvg.call("GET", "/sources/refused-rows").status == 404:
        mvg.create("refused-rows", "tabular", ("a", "b"))
    path = "/sources/refused-rows/measurements/tabular"
    answer = mvg.call("POST", path, {"data": data})
    assert answer.offences[0][0] == ["body", "data", *place]
    assert mvg.get(path)["total"] == 0


def test_a_whole_number_with_a_fraction_of_zero_is_a_timestamp(mvg: Client) -> None:
    mvg.create("float-times", "tabular", ("a",))
    path = "/sources/float-times/measurements/tabular"
    assert mvg.call("POST", path, body=b'{"data": {"timestamp": [1.0, 2.0], "a": [1, 2]}}').status == 200
    assert mvg.get(path)["items"]["timestamp"] == [1, 2]


def test_a_row_that_is_there_keeps_all_of_a_body_out(table: Client) -> None:
    answer = table.call("POST", PATH, {"data": {"timestamp": [1, TIMES[0]], "temp": [0, 0], "flow (l/s)": [0, 0]}})
    assert answer.status == 409
    assert table.get(PATH)["items"]["timestamp"] == TIMES


def test_a_meta_of_no_row_is_refused(mvg: Client) -> None:
    for meta, place in (({"7": {}}, "7"), ({"1": 5}, "1")):
        answer = mvg.call("POST", "/sources/x/measurements/tabular", {
            "data": {"timestamp": [1], "a": [1.0]}, "meta": meta})
        assert answer.offences[0][0] == ["body", "meta", place]
