"""The ways that benchmarks/client.py compares send the same events, and each is measured against its own round."""
from __future__ import annotations

import json

from client import BODY_EVENTS, RAW, Measured, given, report
from common.events import Fleet
from offbeat.client.events import lines_of


def test_all_ways_send_the_same_events() -> None:
    fleet = Fleet(1)
    events = given(fleet.events(fleet.share(0, 1), 2 * BODY_EVENTS, 1_767_600_000_000), ("127.0.0.1", 1))
    prepared = b"".join(request.partition(b"\r\n\r\n")[2] for request in events.requests)
    sent = [json.loads(line) for line in prepared.splitlines()]
    assert len(sent) == 2 * BODY_EVENTS
    assert [json.loads(line) for line in lines_of(events.mappings)] == sent
    assert [json.loads(line) for line in lines_of(events.columns)] == sent


def test_a_way_is_compared_with_the_prepared_bodies_of_its_round() -> None:
    rounds = [(100.0, 50.0), (1_000.0, 900.0), (10.0, 1.0)]
    measured = [Measured(way, rate, 1.0) for pair in rounds for way, rate in zip((RAW, "other"), pair, strict=True)]
    row = next(line for line in report(measured).splitlines() if "other" in line)
    assert [cell.strip() for cell in row.split("|")][2:5] == ["50", "1–900", "0.500"]
