"""Writes: all of a request or nothing, whoever else writes; and what is followed of them."""
from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offbeat.errors import StoreUnavailable
from offbeat.intake.intake import Intake
from offbeat.store.retention import retire
from tests.gateways.esmond.archive import METADATA, TS, Archive, archive, summaries


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive whose daemon takes blocks of 2 KiB."""
    sections: dict[str, dict[str, Any]] = {"ingest": {"block_bytes": 2048, "line_bytes_max": 1024}}
    with archive(tmp_path_factory.mktemp("small") / "offbeat-data", **sections) as started:
        yield started


def test_a_write_of_which_one_value_is_refused_stores_nothing(open_archive: Archive) -> None:
    key = open_archive.register(summaries("throughput", ("aggregation", 60)), "histogram-rtt", tool_name="nothing")
    open_archive.put_good(key, ("throughput", TS, 1))
    for values, status in (
        ([("throughput", TS + 1, 2), ("throughput", TS, 1)], 409),
        ([("throughput", TS + 1, 2), ("throughput", TS + 1, 3)], 409),
        ([("throughput", TS + 1, 2), ("histogram-rtt", TS, [1])], 400),
        ([("throughput", TS + 1, 2), ("nonsense", TS, 1)], 400),
    ):
        assert open_archive.refused(open_archive.put(key, *values)) == status
    assert open_archive.data(key, "throughput") == [(TS, 1)]
    assert open_archive.data(key, "throughput", "aggregations/60") == [(TS, 1)]
    assert open_archive.data(key, "histogram-rtt") == []
    assert open_archive.readings(key) == {"throughput": [("2026-03-01T11:00:00.000Z", 1.0)]}


def test_of_many_that_write_the_same_second_at_once_one_is_taken(open_archive: Archive) -> None:
    key = open_archive.register(summaries("throughput", ("aggregation", 60)), tool_name="race")
    taken: list[int] = []
    writers = [
        threading.Thread(target=lambda n=n: taken.append(open_archive.post(key, "throughput", TS, n).status))
        for n in range(12)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(taken) == [201] + [409] * 11
    assert open_archive.data(key, "throughput") == open_archive.data(key, "throughput", "aggregations/60")


def test_of_many_that_write_to_one_bin_at_once_all_are_counted(open_archive: Archive) -> None:
    key = open_archive.register(summaries("throughput", ("aggregation", 3600)), tool_name="crowd")
    writers = [
        threading.Thread(target=open_archive.post, args=(key, "throughput", TS + n, 10**n)) for n in range(12)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert open_archive.data(key, "throughput", "aggregations/3600") == [(TS, 111_111_111_111)]


def test_many_that_register_the_same_at_once_have_one_key(open_archive: Archive) -> None:
    found: list[str] = []
    writers = [
        threading.Thread(target=lambda: found.append(open_archive.register(tool_name="at once"))) for _ in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (len(found), len(set(found)), len(open_archive.get(tool_name="at once"))) == (8, 1, 1)


def test_numbers_are_followed_under_a_readable_name_by_event_type(open_archive: Archive) -> None:
    key = open_archive.register(
        "throughput", "ntp-offset", "packet-loss-rate", "histogram-owdelay", "histogram-ttl", "failures",
        "throughput-subintervals", tool_name="followed")
    open_archive.put_good(
        key, ("throughput", TS, 5), ("ntp-offset", TS, "0.5"), ("failures", TS, {"error": "7"}),
        ("packet-loss-rate", TS, {"numerator": 1, "denominator": 4}), ("histogram-owdelay", TS, {"1": 1, "2": 1}),
        ("histogram-ttl", TS, {"unknown": 3}), ("iostat", TS, 9),
        ("throughput-subintervals", TS, [{"start": 0, "duration": 1, "val": 3}]))
    assert f"a.example.org→b.example.org followed {key[:12]}" in open_archive.sources()
    at = "2026-03-01T11:00:00.000Z"
    assert open_archive.readings(key) == {
        "throughput": [(at, 5.0)], "ntp-offset": [(at, 0.5)], "packet-loss-rate": [(at, 0.25)],
        "histogram-owdelay.mean": [(at, 1.5)], "histogram-owdelay.p95": [(at, 2.0)]}


@pytest.mark.parametrize("name", ["ü" * 128, "世" * 128, "a/b c", 'a"b', "a\nb", "a:b%", "a,b=c"])
def test_any_name_of_an_end_gives_a_source(open_archive: Archive, name: str) -> None:
    key = open_archive.register("throughput", input_source=name, input_destination=name, tool_name=name)
    open_archive.put_good(key, ("throughput", TS, 5))
    assert [one for one in open_archive.sources() if one.endswith(key[:12]) and one.startswith(name[:20])]


def test_a_histogram_that_is_sent_again_as_it_was_is_no_new_reading(open_archive: Archive) -> None:
    key = open_archive.register("histogram-rtt", tool_name="again")
    for histogram in ({"5": 1}, {"5": 1}, {"7": 1}):
        open_archive.put_good(key, ("histogram-rtt", TS, histogram))
    assert [value for _, value in open_archive.readings(key)["histogram-rtt.mean"]] == [5.0, 7.0]


def test_a_network_element_keeps_a_destination_as_a_parameter(open_archive: Archive) -> None:
    document = {**METADATA, "subject-type": "network-element", "tool-name": "element", "destination": "anything"}
    key = open_archive.send("POST", "", document).document["metadata-key"]
    assert open_archive.get(f"{key}/")["destination"] == "anything"
    assert len(open_archive.get(tool_name="element", source="192.0.2.10")) == 1
    assert open_archive.get(tool_name="element", input_destination="b.example.org") == []
    open_archive.put_good(key, ("throughput", TS, 5))
    assert f"a.example.org element {key[:12]}" in open_archive.sources()


def test_the_numbers_of_a_write_are_judged_in_the_order_of_time(open_archive: Archive) -> None:
    key = open_archive.register("throughput", tool_name="backwards")
    open_archive.put_good(key, *many(600))
    assert open_archive.late(key) == 0
    open_archive.put_good(key, ("throughput", TS - 3_000, 1))
    assert open_archive.late(key) == 1


def many(count: int = 200) -> list[tuple[str, int, int]]:
    return [("throughput", TS - i, i) for i in range(count)]


def test_a_write_of_many_blocks_is_one(small: Archive) -> None:
    key = small.register(summaries("throughput", ("aggregation", 86400)), tool_name="blocks")
    small.put_good(key, *many())
    assert sorted(small.data(key, "throughput")) == sorted((ts, value) for _, ts, value in many())
    assert sum(value for _, value in small.data(key, "throughput", "aggregations/86400")) == sum(range(200))
    assert [value for _, value in small.readings(key)["throughput"]] == list(reversed(range(200)))


def test_a_write_that_was_cut_short_is_none_and_sent_again_it_counts_once(
    small: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = small.register(summaries("throughput", ("aggregation", 86400)), tool_name="cut")
    real, calls = Intake.keep, 0

    async def failing(self: Intake, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise StoreUnavailable("the disk is full; nothing was stored")
        return await real(self, *arguments)

    monkeypatch.setattr(Intake, "keep", failing)
    assert small.refused(small.put(key, *many())) == 503
    assert small.data(key, "throughput") == small.data(key, "throughput", "aggregations/86400") == []
    assert small.get(f"{key}/")["event-types"][0]["time-updated"] is None
    small.put_good(key, *many())
    assert len(small.data(key, "throughput")) == 200
    assert [value for _, value in small.readings(key)["throughput"]] == list(reversed(range(200)))
    assert small.refused(small.put(key, *many())) == 409


def test_what_was_forgotten_may_be_written_again(tmp_path: Path) -> None:
    with archive(tmp_path / "offbeat-data") as started:
        key = started.register(summaries("throughput", ("aggregation", 60)), tool_name="old")
        started.put_good(key, ("throughput", TS, 1))
        service = started.daemon.service
        for days, left in ((364, [(TS, 1)]), (2, [])):
            started.daemon.clock.move(days * 86_400_000)
            now_ms = started.daemon.clock.now_ms()
            started.daemon.run(retire(service.database, service.config.retention, service.config.ingest, now_ms))
            assert started.data(key, "throughput") == left
        assert started.data(key, "throughput", "aggregations/60") == [(TS, 1)]
        started.put_good(key, ("throughput", TS, 1))


def test_an_archive_that_is_full_takes_no_new_record_and_goes_on_with_the_others(tmp_path: Path) -> None:
    with archive(tmp_path / "offbeat-data", esmond={"records_max": 1}) as started:
        key = started.register(tool_name="only")
        assert started.refused(started.send("POST", "", METADATA)) == 503
        assert started.register(tool_name="only") == key
        started.put_good(key, ("throughput", TS, 1))
        assert len(started.get()) == 1
