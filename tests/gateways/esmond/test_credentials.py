"""Who may write: the headers that clients send, and networks that need none."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from offbeat.config import from_mapping
from offbeat.errors import BadConfig
from tests.gateways.esmond.archive import KEY, METADATA, Archive, archive

READER = "r" * 40


def statuses(archive: Archive, header: str | None, **more: str) -> tuple[int, int]:
    """Of a read and of a write with this Authorization."""
    headers = {"Content-Type": "application/json", **({"Authorization": header} if header is not None else {}), **more}
    anonymous = replace(archive, key="")
    return (anonymous.call("GET", "", None, headers).status,
            anonymous.call("PUT", f"{archive.register()}/", b'{"data": []}', headers).status)


@pytest.mark.parametrize(("header", "read", "write"), [
    (None, 200, 401), (f"Token {KEY}", 200, 201), (f"token {KEY}", 200, 201), (f"TOKEN   {KEY} ", 200, 201),
    ("Token wrong", 401, 401), ("Token", 401, 401), ("Token ", 401, 401), (f"Token {KEY} more", 401, 401),
    (f"Token mesh {KEY}", 401, 401), (f"Token {READER}", 200, 403),
    (f"ApiKey mesh:{KEY}", 200, 201), (f"apikey mesh:{KEY}", 200, 201), (f"ApiKey other:{KEY}", 401, 401),
    ("ApiKey mesh:wrong", 401, 401), (f"ApiKey {KEY}", 401, 401), ("ApiKey", 401, 401), (f"ApiKey :{KEY}", 401, 401),
    ("Basic bWVzaDpr", 200, 401), ("", 200, 401), ("Bearer x", 200, 401),
])
def test_a_header_counts_as_the_protocol_says(
    open_archive: Archive, keys: None, header: str | None, read: int, write: int
) -> None:
    assert statuses(open_archive, header) == (read, write)


def test_credentials_come_before_the_body_and_the_record(open_archive: Archive, keys: None) -> None:
    nobody = replace(open_archive, key="")
    for method, path, body in (("POST", "", b"{"), ("PUT", "nokey/", b"x" * 300_000),
                               ("POST", "nokey/nothing/base", b""), ("POST", "nokey/throughput/averages/60", b"{}")):
        assert nobody.refused(nobody.send(method, path, body)) == 401


def test_while_there_are_no_keys_everybody_may_write(open_archive: Archive) -> None:
    assert replace(open_archive, key="").send("POST", "", METADATA).status == 201
    assert replace(open_archive, key="anything").send("POST", "", METADATA).status == 201
    assert statuses(open_archive, "ApiKey some:body") == (200, 201)
    assert statuses(open_archive, "Token a b") == (401, 401)


@pytest.fixture(scope="module")
def meshed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive to which hosts of a network write without keys, through a proxy on this machine."""
    settings = {"networks": ["198.51.100.0/24", "2001:db8::/32"], "proxies": ["127.0.0.1", "203.0.113.7"]}
    with archive(tmp_path_factory.mktemp("meshed") / "offbeat-data", esmond=settings) as started:
        yield started


@pytest.mark.parametrize(("forwarded", "write"), [
    ("198.51.100.9", 201), ("2001:db8::1", 201), ("192.0.2.1", 401), ("", 401), ("nonsense", 401),
    ("198.51.100.9, 192.0.2.1", 401), ("192.0.2.1, 198.51.100.9", 201), ("198.51.100.9, 203.0.113.7", 201),
])
def test_a_network_that_is_named_writes_without_a_key_also_behind_a_proxy_that_is_believed(
    meshed: Archive, keys: None, forwarded: str, write: int
) -> None:
    assert statuses(meshed, None, **{"X-Forwarded-For": forwarded}) == (200, write)
    assert statuses(meshed, "Token wrong", **{"X-Forwarded-For": forwarded}) == (401, 401)


def test_what_a_stranger_says_of_where_he_is_is_not_believed(open_archive: Archive, keys: None) -> None:
    assert statuses(open_archive, None, **{"X-Forwarded-For": "198.51.100.9"}) == (200, 401)


@pytest.mark.parametrize("name", ["networks", "proxies"])
def test_a_network_that_is_none_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(BadConfig, match=rf"esmond\.{name} has '10\.0\.0\.1/8': expected a network"):
        from_mapping({"esmond": {name: ["10.0.0.1/8"]}})
