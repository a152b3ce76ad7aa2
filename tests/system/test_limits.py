"""Limits on names: what would go beyond is rejected, counted and shown; what is known goes on as before."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from tests.system.client import Answer, diagnosis, event_counts, get, metric, post
from tests.system.daemon import Daemon, daemon, settings

MIB = 1024 * 1024
ADDRESS_SPACE_BYTES = 4096 * MIB
FIELDS_MAX, SERIES_MAX, SOURCES_MAX = 2_000, 2_500, 50
START_S = 1_577_836_800
KNOWN = ("steady", "names", "known", "kept")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon with small limits, which knows the sources of the tests here."""
    directory = tmp_path_factory.mktemp("limits")
    limits = {"fields_max": FIELDS_MAX, "series_max": SERIES_MAX, "sources_max": SOURCES_MAX}
    with daemon(directory / "data", settings(directory / "offbeat.toml", engine=limits)) as started:
        # Should a limit not hold, this daemon fails, and not the machine.
        resource.prlimit(started.process.pid, resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
        known = "".join(f'{{"time":{START_S},"source":"{source}","v":1}}\n' for source in KNOWN)
        assert post(started.url, known.encode()).document["accepted"] == len(KNOWN)
        yield started
        assert "Traceback" not in started.said()


def limited(answer: Answer) -> tuple[int, int]:
    """What was accepted and rejected, if all that was rejected met a limit."""
    assert {error["code"] for error in answer.document["errors"]} <= {"series_limit"}, answer.document
    return answer.document["accepted"], answer.document["rejected"]


def test_a_million_field_names_fill_no_table_and_known_series_go_on_to_be_scored(running: Daemon) -> None:
    def names(first: int) -> bytes:  # a quarter of a million
        return b"".join(b'{"time":%d,"source":"names"' % START_S
                        + b"".join(b',"n%d":1' % (first + 500 * line + i) for i in range(500)) + b"}\n"
                        for line in range(500))

    url = running.url
    steady = b"".join(b'{"time":%d,"source":"steady","v":%d}\n' % (START_S + i, i % 7) for i in range(3_000))
    assert post(url, steady).status == 202
    running.forget_peak()
    before = running.memory_bytes
    rejected_before = diagnosis(url)["rejected"].get("series_limit", 0)
    total = [0, 0]
    for body in (names(0), iter([names(250_000), names(500_000), names(750_000)])):
        accepted, rejected = limited(post(url, body))
        total = [total[0] + accepted, total[1] + rejected]
    assert sum(total) == 2_000
    assert total[0] <= FIELDS_MAX / 500
    assert running.peak_bytes - before < 250 * MIB
    print(f"a million names: peak +{(running.peak_bytes - before) / MIB:.0f} MiB")

    said = diagnosis(url)
    limits = {limit["name"]: (limit["used"], limit["limit"]) for limit in said["limits"]}
    assert limits["engine.fields_max"][0] <= FIELDS_MAX == limits["engine.fields_max"][1]
    assert limits["engine.series_max"][0] <= SERIES_MAX == limits["engine.series_max"][1]
    assert said["rejected"]["series_limit"] == rejected_before + total[1]
    assert metric(url, 'offbeat_lines_rejected_total{code="series_limit"}') == said["rejected"]["series_limit"]

    odd = b'{"time":%d,"source":"steady","v":5000}\n' % (START_S + 3_000)
    taken = post(url, odd + b'{"source":"steady","another":1}\n').document
    records = get(url, "/api/v1/records", source="steady", sequence=taken["sequence"]).document["records"]
    assert any(record["actual"] == 5000 and record["score"] > 50 for record in records)


def test_sources_beyond_the_limit_are_rejected_one_by_one_and_the_known_ones_are_taken(running: Daemon) -> None:
    body = b"".join(b'{"source":"many-%d","v":1}\n{"source":"known","v":%d}\n' % (i, i) for i in range(100))
    accepted, rejected = limited(post(running.url, body))
    assert (accepted + rejected, accepted >= 100, rejected > 0) == (200, True, True)
    assert len(event_counts(running.url)) == SOURCES_MAX
    assert event_counts(running.url, "known") == {"known": 101}
    refused = post(running.url, b'{"source":"one more","v":1}')
    assert (refused.status, refused.document["errors"][0]["code"]) == (400, "series_limit")
    assert f"engine.sources_max ({SOURCES_MAX}) is reached" in refused.error["message"]
    (newest,) = get(running.url, "/api/v1/quarantine", code="series_limit", limit="1").document["rejected"]
    assert newest["start"] == '{"source":"one more","v":1}'


def test_series_beyond_the_limit_are_rejected_and_a_known_one_is_taken(running: Daemon) -> None:
    url = running.url
    assert limited(post(url, b'{"source":"kept","v":1}\n')) == (1, 0)
    limits = {limit["name"]: limit for limit in diagnosis(url)["limits"]}
    left = limits["engine.fields_max"]["limit"] - limits["engine.fields_max"]["used"]
    body = b"".join(b'{"source":"kept","s%d":1}\n' % i for i in range(left + 5))
    assert limited(post(url, body)) == (left, 5)
    assert limited(post(url, b'{"source":"kept","v":2}\n')) == (1, 0)
