"""Alive, ready, and in figures."""
from __future__ import annotations

import re
from pathlib import Path

from offbeat.metrics import Metrics
from tests.http.parts import Behind, serving

TABLE = Path(__file__).parents[2] / "docs" / "metrics.md"


async def test_a_daemon_that_takes_nothing_lives_and_says_why_it_is_not_ready() -> None:
    behind = Behind()
    async with serving(behind) as door:
        assert await door.get("/readyz") == {"status": "ready"}
        behind.not_ready = "the disk is full"
        assert await door.get("/healthz") == {"status": "alive"}
        error = (await door.get("/readyz", 503))["error"]
        assert (error["code"], error["message"]) == ("not_ready", "the disk is full")


async def test_the_metrics_are_served_as_prometheus_reads_them() -> None:
    async with serving() as door:
        door.behind.metrics.lines_rejected_total.labels("bad_time").inc(3)
        async with door.client.get(f"{door.url}/metrics") as response:
            assert response.headers["Content-Type"].startswith("text/plain; version=")
            assert 'offbeat_lines_rejected_total{code="bad_time"} 3.0' in await response.text()


def test_each_metric_is_in_the_guide_with_its_kind_and_labels() -> None:
    metrics = Metrics()
    for held in vars(metrics).values():
        if getattr(held, "_labelnames", ()):
            held.labels(*held._labelnames)  # a metric with labels shows itself once it has one
    there = {}
    for family in metrics.registry.collect():
        if family.name.startswith("offbeat_"):
            labels = {name for sample in family.samples for name in sample.labels} - {"le"}
            there[family.name + "_total" * (family.type == "counter")] = (family.type, labels)
    rows = re.findall(r"^\| `(offbeat_\w+)` \| (\w+) \| (.*?) \|", TABLE.read_text(), re.MULTILINE)
    assert {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows} == there
