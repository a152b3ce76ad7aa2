"""Searches: every filter, host names, the times, and what a search never is."""
from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from offbeat.gateways.esmond import search
from tests.gateways.esmond.archive import METADATA, Archive, summaries


@pytest.fixture(scope="module")
def archive(open_archive: Archive) -> Archive:
    """Three records: one over version 4, one over version 6, one of an element."""
    six = {"source": "2001:db8::10", "destination": "2001:db8::20", "measurement_agent": "2001:db8::10"}
    open_archive.register("throughput", tool_name="four", bw_ignore=1)
    open_archive.register(
        summaries("packet-rtt", ("average", 300)), tool_name="six", input_source="six.example.org", **six)
    element = {**METADATA, "subject-type": "network-element", "tool-name": "element", "x_y": "Z"}
    assert open_archive.send("POST", "", element).status == 201
    return open_archive


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A name service of its own: the addresses of each host."""
    hosts = {"both.example.org": ["192.0.2.10", "2001:db8::10"], "four.example.org": ["192.0.2.10", "192.0.2.99"],
             "six.example.org": ["2001:db8::10"]}

    async def getaddrinfo(self: Any, host: str, port: None, *, family: int, type: int) -> list[Any]:
        found = [one for one in hosts.get(host, []) if (":" in one) == (family == socket.AF_INET6)]
        if not found:
            raise socket.gaierror("unknown")
        return [(family, type, 6, "", (one, 0)) for one in found]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return hosts


def found(archive: Archive, query: str) -> list[str]:
    return sorted(one["tool-name"] for one in archive.get(f"?{query}"))


@pytest.mark.parametrize(("query", "tools"), [
    ("", ["element", "four", "six"]),
    ("format=json", ["element", "four", "six"]),
    ("subject-type=point-to-point", ["four", "six"]), ("subject-type=network-element", ["element"]),
    ("subject-type=Point-To-Point", []),
    ("source=192.0.2.10", ["element", "four"]), ("measurement-agent=192.0.2.10", ["element", "four"]),
    ("destination=192.0.2.20", ["four"]), ("destination=2001:DB8:0:0::20", ["six"]), ("source=192.0.2.20", []),
    ("tool-name=four", ["four"]), ("tool-name=Four", []), ("tool-name=", []),
    ("tool-name=four&tool-name=six", ["six"]), ("tool-name=four&source=2001:db8::10", []),
    ("input-source=a.example.org", ["element", "four"]), ("input-destination=b.example.org", ["four", "six"]),
    ("bw-ignore=1", ["four"]), ("bw_ignore=1", ["four"]), ("x_y=Z", ["element"]), ("x-y=Z", ["element"]),
    ("x-y=z", []), ("tool-nam=four", []), ("bw-ignore=01", []), ("x=%00", []), ("x=%FF", []), ("%27=1", []),
    ("event-type=throughput", ["element", "four"]), ("event-type=nonsense", []), ("event-type=iostat", []),
    ("summary-type=average&summary-window=300", ["six"]), ("summary-type=averages", []), ("summary-window=60", []),
    ("metadata-key=0", []), ("source=2001:db8::10&dns-match-rule=only-v6", ["six"]),
    ("limit=1&offset=1&tool-name=six", []), ("time-range=9", []), ("time-start=0", []),
])
def test_all_that_is_given_holds(archive: Archive, query: str, tools: list[str]) -> None:
    assert found(archive, query) == tools


@pytest.mark.parametrize("query", [
    "summary-window=x", "summary-window=1.5", "time=now", "time-start=2&time-end=1", "dns-match-rule=best&source=::1",
    "source=192.0.2.10&dns-match-rule=only-v6", "source=2001:db8::10&dns-match-rule=only-v4", "source=",
    "source=nowhere.example.org", "&".join(f"x{n}=" for n in range(201)), "destination=a%00b", "source=" + "x" * 300,
])
def test_what_makes_no_sense_is_400(archive: Archive, names: None, query: str) -> None:
    assert archive.refused(archive.call("GET", f"?{query}")) == 400


@pytest.mark.parametrize(("host", "rule", "tools"), [
    ("both", None, ["element", "four", "six"]), ("both", "v4v6", ["element", "four", "six"]),
    ("both", "only-v4", ["element", "four"]), ("both", "only-v6", ["six"]),
    ("both", "prefer-v4", ["element", "four"]), ("both", "prefer-v6", ["six"]),
    ("six", None, ["six"]), ("six", "prefer-v4", ["six"]), ("four", "prefer-v6", ["element", "four"]),
    ("six", "only-v4", None), ("four", "only-v6", None),
])
def test_a_host_name_stands_for_its_addresses_by_the_rule(
    archive: Archive, names: None, host: str, rule: str | None, tools: list[str] | None
) -> None:
    query = f"source={host}.example.org" + (f"&dns-match-rule={rule}" if rule else "")
    if tools is None:
        assert archive.refused(archive.call("GET", f"?{query}")) == 400
    else:
        assert found(archive, query) == tools


def test_only_the_first_address_of_a_family_counts(archive: Archive, names: dict[str, list[str]]) -> None:
    names["four.example.org"].reverse()
    assert found(archive, "source=four.example.org") == []


def test_a_record_that_does_not_meet_a_filter_is_not_at_its_address(archive: Archive) -> None:
    (one,) = archive.get(tool_name="four")
    assert archive.get(f"{one['metadata-key']}?tool-name=four&format=json")["tool-name"] == "four"
    assert archive.refused(archive.call("GET", f"{one['metadata-key']}/?tool-name=six")) == 404
    assert archive.refused(archive.call("GET", f"{'0' * 32}/")) == 404


def test_a_search_of_many_pages_is_one_list_and_a_head_of_it_has_no_body(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "PAGE", 2)
    keys = sorted(archive.register(tool_name="streamed", n=i) for i in range(5))
    found = archive.get("?tool-name=streamed")
    assert [one["metadata-key"] for one in found] == keys
    assert [one.get("metadata-count-total") for one in found] == [5, None, None, None, None]
    assert [one["metadata-key"] for one in archive.get("?tool-name=streamed&limit=3&offset=1")] == keys[1:4]
    with archive.daemon.connect() as connection:
        asked = f"{archive.root}?tool-name=streamed HTTP/1.1\r\nHost: x\r\n"
        connection.sendall(f"HEAD {asked}\r\nGET {asked}Connection: close\r\n\r\n".encode())
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    heads = [part for part in said.split(b"\r\n\r\n") if part.startswith(b"HTTP/1.1 200")]
    assert len(heads) == 2, said[:2000]


def test_a_client_that_joins_pages_has_all(archive: Archive) -> None:
    keys = {archive.register(tool_name="page", n=i) for i in range(5)}
    page = archive.get("?tool-name=page&limit=2")
    joined, size = page, len(page)
    while len(joined) < page[0]["metadata-count-total"]:
        joined = joined + archive.get(f"?tool-name=page&limit=2&offset={size}")
        size += len(page)
    assert {one["metadata-key"] for one in joined} == keys
