"""The checklist of the protocol, section 20, line by line."""
from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from offbeat.gateways.esmond.catalogue import EVENT_TYPES
from tests.gateways.esmond.archive import METADATA, ROOT, TS, Archive, summaries


@pytest.fixture
def archive(open_archive: Archive) -> Archive:
    return open_archive


def test_1_both_mounts_are_one_archive_and_addresses_have_the_alias_of_the_request(archive: Archive) -> None:
    key = archive.register(summaries("throughput", ("average", 3600)), tool_name="one")
    for root in ("/esmond/perfsonar/archive/", "/perfsonar/archive/"):
        shown = replace(archive, root=root).get(f"{key}/")
        assert shown["uri"] == f"{root}{key}/"
        assert shown["url"] == f"http://127.0.0.1:{archive.daemon.port}{root}{key}/"
        (event,) = shown["event-types"]
        assert event["base-uri"] == f"{root}{key}/throughput/base"
        assert event["summaries"][0]["uri"] == f"{root}{key}/throughput/averages/3600"
    assert archive.get(f"/esmond//perfsonar/archive/{key}/")["uri"] == f"{ROOT}{key}/"
    assert archive.refused(archive.call("GET", f"/other/perfsonar/archive/{key}/")) == 404


def test_1_every_address_works_with_and_without_its_last_slash(archive: Archive) -> None:
    key = archive.register(summaries("throughput", ("average", 3600)), tool_name="slashes")
    for path in (ROOT, f"{ROOT}{key}/", f"{ROOT}{key}/throughput/", f"{ROOT}{key}/throughput/base/",
                 f"{ROOT}{key}/throughput/averages/", f"{ROOT}{key}/throughput/averages/3600/"):
        assert archive.get(path) == archive.get(path.rstrip("/"))
    bare = {**METADATA, "tool-name": "slashes", "event-types": [summaries("throughput", ("average", 3600))]}
    assert archive.send("POST", ROOT.rstrip("/"), bare).document["metadata-key"] == key
    assert archive.send("PUT", f"{ROOT}{key}", {"data": []}).status == 201
    assert archive.send("POST", f"{ROOT}{key}/throughput/base/", {"ts": TS, "val": 1}).status == 201


def test_2_the_content_type_is_that_and_nothing_more(archive: Archive) -> None:
    key = archive.register(tool_name="types")
    for path in ("", f"{key}/", f"{key}/throughput/base", f"{key}/throughput/averages/1", f"{key}/throughput/"):
        answer = archive.call("GET", path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_3_every_write_that_succeeds_is_201_also_of_a_record_that_is_known(archive: Archive) -> None:
    document = {**METADATA, "tool-name": "written"}
    first, again = archive.send("POST", "", document), archive.send("POST", "", document)
    assert (first.status, again.status) == (201, 201)
    assert first.document == again.document
    assert first.headers["Location"] == first.document["url"]
    key = first.document["metadata-key"]
    for answer in (archive.post(key, "throughput", TS, 1), archive.put(key, ("throughput", TS + 1, 2)),
                   archive.send("POST", f"{key}/", {"data": []})):
        assert (answer.status, answer.document) == (201, "")


def test_4_the_count_is_in_the_first_element_and_pages_are_the_same_each_time(archive: Archive) -> None:
    keys = {archive.register(tool_name="paged", n=i) for i in range(7)}
    pages = [archive.get(tool_name="paged", limit=3, offset=offset) for offset in (0, 3, 6)]
    assert [[one.get("metadata-count-total") for one in page] for page in pages] == [[7, None, None]] * 2 + [[7]]
    found = [one["metadata-key"] for page in pages for one in page]
    assert (set(found), found) == (keys, sorted(found))
    assert archive.get(tool_name="paged", limit=3, offset=7) == []
    origin = f"http://127.0.0.1:{archive.daemon.port}{ROOT}?tool-name=paged&limit=3&offset="
    assert [(page[0]["metadata-previous-page"], page[0]["metadata-next-page"]) for page in pages] == [
        (None, f"{origin}3"), (f"{origin}0", f"{origin}6"), (f"{origin}3", None)]
    link = archive.call("GET", "?tool-name=paged&limit=3&offset=3").headers["Link"]
    assert link == f'<{origin}6>; rel="next", <{origin}0>; rel="prev"'
    for words in ("limit=0", "limit=-1", "limit=x", "limit=", "offset=-1", "offset=x"):
        assert len(archive.get(f"?tool-name=paged&{words}")) == 7


def test_4_a_page_holds_1500_unless_it_is_said_otherwise(archive: Archive) -> None:
    key = archive.register("throughput", tool_name="many")
    archive.put_good(key, *(("throughput", TS + i, i) for i in range(1_600)))
    assert [len(archive.data(key, "throughput", limit=n)) for n in (1000, 0, 1550, 5000)] == [1000, 1500, 1550, 1600]
    answer = archive.call("GET", f"{key}/throughput/base?limit=1000")
    assert re.fullmatch(r'<http://.*limit=1000&offset=1000>; rel="next"', answer.headers["Link"])
    assert archive.data(key, "throughput", limit=1000, offset=1000) == [(TS + i, i) for i in range(1000, 1600)]
    assert "Link" not in archive.call("GET", f"{key}/throughput/base?limit=1600").headers
    assert archive.call("HEAD", f"{key}/throughput/base?limit=1600").status == 200
    assert len(archive.get(f"{key}/throughput/base?limit=1&limit=7&verbose=1")) == 7


def test_5_windows_are_text_and_types_plural_only_in_addresses(archive: Archive) -> None:
    key = archive.register(
        summaries("histogram-rtt", ("statistics", 0), ("aggregation", "300"), ("aggregation", 60)), tool_name="five")
    (event,) = archive.get(f"{key}/")["event-types"]
    shown = [(one["summary-type"], one["summary-window"], one["uri"].rpartition("histogram-rtt")[2])
             for one in event["summaries"]]
    assert shown == [("aggregation", "60", "/aggregations/60"), ("aggregation", "300", "/aggregations/300"),
                     ("statistics", "0", "/statistics/0")]
    assert archive.get(f"{key}/histogram-rtt/aggregations") == event["summaries"][:2]
    assert archive.get(f"{key}/histogram-rtt/") == [event]
    assert archive.refused(archive.call("GET", f"{key}/histogram-rtt/averages")) == 404
    for path in ("aggregation/60", "aggregation", "average", "sums", "aggregations/x", "base/x"):
        assert archive.refused(archive.call("GET", f"{key}/histogram-rtt/{path}")) == 400
    assert (archive.get(f"{key}/histogram-rtt/base/0"), archive.get(f"{key}/histogram-rtt/base/60")) == ([], [])


def test_6_parameters_are_text_null_is_none_and_underscores_are_dashes(archive: Archive) -> None:
    answer = archive.send("POST", "", {
        **METADATA, "bw_ignore": 1, "time-duration": 7200, "rate": 0.0001, "nothing": None, "yes": True,
        "list": [1, "a"], "object": {"a": None}, "under_score": 0, "uri": "mine", "event_types": "mine",
        "metadata-count-total": 5, "tool_name": "other"})
    key, shown = answer.document["metadata-key"], archive.get(f"{answer.document['metadata-key']}/")
    assert answer.document == shown
    assert {name: value for name, value in shown.items() if name not in {*METADATA, "url", "uri", "metadata-key"}} == {
        "bw-ignore": "1", "time-duration": "7200", "rate": "0.0001", "yes": "True", "list": '[1,"a"]',
        "object": '{"a":null}', "under-score": "0"}
    assert (shown["uri"], shown["tool-name"], len(shown["event-types"])) == (f"{ROOT}{key}/", METADATA["tool-name"], 1)


def test_7_equal_metadata_have_an_equal_key(archive: Archive) -> None:
    events = [summaries("throughput", ("average", 86400)), {"event-type": "packet-trace"}]
    document = {**METADATA, "tool-name": "seven", "source": "2001:db8::1", "event-types": events, "x": "Up"}
    def key(**changed: Any) -> str:
        answer = archive.send("POST", "", {**document, **{n.replace("_", "-"): v for n, v in changed.items()}})
        assert answer.status == 201
        return str(answer.document["metadata-key"])
    same = key()
    assert re.fullmatch("[0-9a-f]{32}", same)
    assert same == archive.send("POST", "", dict(reversed(document.items()))).document["metadata-key"]
    assert same == key(tool_name="SEVEN", source="2001:DB8:0::1", x="uP")
    assert same == key(event_types=[*reversed(events), summaries("throughput", ("average", "86400"), ("base", 0))])
    others = {key(x="down"), key(y=1), key(event_types=events[:1]), key(source="2001:db8::2"),
              key(event_types=[summaries("throughput", ("average", 60)), events[1]]), key(event_types=[])}
    assert len(others | {same}) == 7


def test_8_event_type_summary_and_time_of_the_update_hold_of_one_row(archive: Archive) -> None:
    both = archive.register(
        summaries("throughput", ("aggregation", 60)), summaries("packet-rtt", ("average", 300)), tool_name="eight")
    def found(**query: Any) -> bool:
        return [one["metadata-key"] for one in archive.get(tool_name="eight", **query)] == [both]
    assert found(event_type="throughput", summary_type="aggregation", summary_window=60)
    assert found(event_type="packet-rtt") and found(summary_type="average", summary_window=300)
    assert not found(event_type="throughput", summary_type="average") and not found(summary_window=86400)
    assert found(summary_type="base", summary_window=0)
    assert not found(time_range=3600)  # nothing was written
    now_s = archive.daemon.clock.now_ms() // 1000
    archive.put_good(both, ("throughput", TS - 86400 * 30, 1))
    assert found(time_range=3600) and found(time=now_s) and found(time_start=now_s - 9, time_end=now_s)
    assert found(event_type="throughput", time_end=now_s) and not found(event_type="packet-rtt", time_end=now_s)
    assert not found(time_start=TS - 86400 * 30, time_end=TS)
    assert len(archive.get(tool_name="eight")[0]["event-types"]) == 2
    (point,) = archive.data(both, "throughput", time=TS - 86400 * 30)
    assert point == (TS - 86400 * 30, 1)


def test_9_data_ascend_with_both_ends(archive: Archive) -> None:
    key = archive.register("throughput", tool_name="nine")
    now_s = archive.daemon.clock.now_ms() // 1000
    seconds = [TS + 60, TS, TS + 120, now_s + 1, now_s, now_s + 3601, -5]
    archive.put_good(key, *(("throughput", ts, 1) for ts in seconds))
    def read(**query: Any) -> list[int]:
        return [ts for ts, _ in archive.data(key, "throughput", **query)]
    assert read() == [TS, TS + 60, TS + 120, now_s]
    assert read(time_start=TS, time_end=TS + 60) == read(time_start=TS, time_range=60) == [TS, TS + 60]
    assert read(time_end=TS + 120, time_range=60) == [TS + 60, TS + 120]
    assert read(time_end=TS, time_start=TS, time_range=9999) == read(time=TS, time_start=0, time_end=9) == [TS]
    assert read(time_start=TS + 61) == read(time_range=now_s - TS - 61) == [TS + 120, now_s, now_s + 1]
    assert read(time_start=-9, time_end=0) == [-5]
    assert type(archive.get(f"{key}/throughput/base", limit=1)[0]["ts"]) is int
    for words in ("time=x", "time-start=1.5", "time-range=", "time-start=9&time-end=8", "time-range=-1&time-start=0"):
        assert archive.refused(archive.call("GET", f"{key}/throughput/base?{words}")) == 400
        assert archive.refused(archive.call("GET", f"?{words}")) == 400


@pytest.mark.parametrize(("event_type", "first", "second", "status"), [
    ("throughput", 1, 1, 409), ("ntp-offset", 1.5, 2, 409),
    ("packet-loss-rate", {"numerator": 1, "denominator": 2}, {"numerator": 0, "denominator": 2}, 409),
    ("histogram-rtt", {"1": 1}, {"2": 2}, 201), ("failures", {"error": "a"}, {"error": "b"}, 201),
    ("throughput-subintervals", [{"start": 0, "duration": 1, "val": 1}], [{"start": "0", "duration": 1, "val": 0}],
     201),
])
def test_10_numbers_stand_other_values_are_replaced(
    archive: Archive, event_type: str, first: Any, second: Any, status: int
) -> None:
    key = archive.register(event_type, tool_name="ten")
    assert archive.post(key, event_type, TS, first).status == 201
    before = archive.data(key, event_type)
    assert (archive.post(key, event_type, TS, second).status,
            archive.put(key, (event_type, TS, second)).status) == (status, status)
    assert archive.data(key, event_type) == (before if status == 409 else [(TS, second)])


def test_11_what_is_known_but_not_declared_is_201_and_not_stored(archive: Archive) -> None:
    key = archive.register(tool_name="eleven")
    assert archive.post(key, "iostat", TS, {}).status == 201
    archive.put_good(key, ("rusage", TS, 1), ("throughput", TS, 5))
    assert (archive.data(key, "iostat"), archive.data(key, "rusage")) == ([], [])
    assert archive.data(key, "throughput") == [(TS, 5)]
    for answer in (archive.post(key, "nonsense", TS, 1), archive.put(key, ("nonsense", TS, 1)),
                   archive.call("GET", f"{key}/nonsense/base")):
        assert archive.refused(answer) == 400
    assert archive.get(f"{key}/nonsense/") == []
    assert archive.data("0" * 32, "throughput") == archive.data(key, "throughput", "averages/60") == []


def test_12_percentages_are_pairs_read_as_floats_and_summed_as_pairs(archive: Archive) -> None:
    key = archive.register(summaries("packet-loss-rate", ("aggregation", 300), ("aggregation", 0)), tool_name="twelve")
    pairs = {0: (1, 10), 60: ("0", "90"), 300: (3, 2), 600: (0.5, 2)}
    archive.put_good(key, *(("packet-loss-rate", TS + at, {"numerator": n, "denominator": d})
                            for at, (n, d) in pairs.items()))
    each = [(TS, 0.1), (TS + 60, 0.0), (TS + 300, 1.5), (TS + 600, 0.25)]
    assert archive.data(key, "packet-loss-rate") == archive.data(key, "packet-loss-rate", "aggregations/0") == each
    assert archive.data(key, "packet-loss-rate", "aggregations/300") == [(TS, 0.01), (TS + 300, 1.5), (TS + 600, 0.25)]


def test_13_histograms_are_merged_by_bucket_and_described_by_ten_members_or_none(archive: Archive) -> None:
    key = archive.register(summaries(
        "histogram-owdelay", ("aggregation", 300), ("statistics", 300), ("statistics", 0)), tool_name="thirteen")
    archive.put_good(
        key, ("histogram-owdelay", TS, {"41.00": 98, "41.10": 98}), ("histogram-owdelay", TS + 1, {"41.20": "3"}),
        ("histogram-owdelay", TS + 2, {"50.0": 1, "41.20": 0}), ("histogram-owdelay", TS + 300, {}),
        ("histogram-owdelay", TS + 600, {"fast": 2}), ("histogram-owdelay", TS + 601, {"1": 2}))
    merged = {"41.00": 98, "41.10": 98, "41.20": 3, "50.0": 1}
    assert archive.data(key, "histogram-owdelay", "aggregations/300") == [
        (TS, merged), (TS + 300, {}), (TS + 600, {"1": 2, "fast": 2})]
    (_, first), *rest = archive.data(key, "histogram-owdelay", "statistics/300")
    assert set(first) == {"minimum", "maximum", "mean", "mode", "median", "percentile-25", "percentile-75",
                          "percentile-95", "variance", "standard-deviation"}
    assert (first["mean"], first["variance"], first["mode"]) == (41.097, 0.401091, [41.0, 41.1])
    assert rest == [(TS + 300, {}), (TS + 600, {})]
    each = dict(archive.data(key, "histogram-owdelay", "statistics/0"))
    assert (each[TS + 1]["mean"], each[TS + 300], each[TS + 600], each[TS + 601]["mode"]) == (41.2, {}, {}, [1.0])


def test_14_everybody_reads_and_a_token_writes(archive: Archive, keys: None) -> None:
    nobody = replace(archive, key="")
    key = archive.register(tool_name="fourteen")
    assert nobody.get(f"{key}/") == archive.get(f"{key}/")
    for answer in (nobody.send("POST", "", METADATA), nobody.send("POST", "", b"{"), nobody.put(key),
                   nobody.post(key, "throughput", TS, 1), replace(archive, key="wrong").call("GET", "")):
        assert nobody.refused(answer) == 401
        assert answer.headers["WWW-Authenticate"] == "Token"
    assert archive.data(key, "throughput") == []


def test_15_time_updated_is_a_whole_second_and_seen_at_once(archive: Archive) -> None:
    key = archive.register(summaries("throughput", ("average", 60)), "packet-rtt", tool_name="fifteen")
    archive.daemon.clock.move(1_234)
    archive.put_good(key, ("throughput", TS, 1))
    now_s = archive.daemon.clock.now_ms() // 1000
    updated = {one["event-type"]: one for one in archive.get(f"{key}/")["event-types"]}
    assert updated["throughput"]["time-updated"] == updated["throughput"]["summaries"][0]["time-updated"] == now_s
    assert updated["packet-rtt"]["time-updated"] is None
    assert len(archive.get(tool_name="fifteen", time_end=now_s, time_start=now_s - 1)) == 1


def test_every_event_type_is_taken_and_returned(archive: Archive) -> None:
    samples: dict[str, tuple[Any, Any]] = {
        "integer": ("6000", 6000.0), "float": (1.23456789, 1.23456789),
        "percentage": ({"numerator": 1, "denominator": 3}, 1 / 3), "histogram": ({"28": 33}, {"28": 33}),
        "subinterval": ([{"start": 0, "duration": "1.5", "val": None}],) * 2, "json": ([[{"a": None}], 1.5, "x"],) * 2}
    key = archive.register(*EVENT_TYPES, tool_name="all")
    archive.put_good(key, *((name, TS, samples[kind][0]) for name, kind in EVENT_TYPES.items()))
    for name, kind in EVENT_TYPES.items():
        assert archive.data(key, name) == [(TS, samples[kind][1])], name
    assert [one["event-type"] for one in archive.get(f"{key}/")["event-types"]] == sorted(EVENT_TYPES)
    assert b'"val":6000.0' in archive.call("GET", f"{key}/throughput/base").body
