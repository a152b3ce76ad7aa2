"""A new appliance in the log of a meter: found by a job whose model is clusters, and told as a cluster of its own."""
from __future__ import annotations

import json
from pathlib import Path

from tests.gateways.energy.meters import Client, Meter, line_of
from tests.system.daemon import daemon, settings

JOB = {"id": "kinds", "model": "clusters", "fields": ["power_*", "line_current_a", "line_voltage_v", "peak_[123]"]}
PLANTED, EVENTS, LOAD_W = 1000, 1060, 750.0


def moment(i: int) -> str:
    return f"2016-10-04T{i // 60:02}:{i % 60:02}:00Z"


def sent(client: Client) -> None:
    """An event a minute; from PLANTED on, each sixth is the new appliance."""
    meter = Meter(4, strays=0.0)
    for i in range(EVENTS):
        new = i >= PLANTED and (i - PLANTED) % 6 == 0
        assert client.store_line(line_of(meter.event(LOAD_W if new else None, moment(i)))).body == b"{}"



def test_a_planted_appliance_is_found_and_becomes_a_cluster_also_over_a_kill(tmp_path: Path) -> None:
    config = settings(tmp_path / "offbeat.toml", energy={"batch_events": 200})
    with daemon(tmp_path / "data", config) as first:
        client = Client(first.url)
        made = client.call("POST", "/api/v1/jobs", json.dumps(JOB).encode(), "application/json")
        assert made.status == 201, made.body
        sent(client)
        clusters = client.get("/api/v1/jobs/kinds/clusters?source=1&sequence=latest")
        records = client.get("/api/v1/records?job=kinds&min_score=40")["records"]
        watched = client.get("/api/v1/buckets?source=1&limit=5000")["buckets"]
        first.kill()
    found = [record for record in records if record["time"] == moment(PLANTED).replace("Z", ".000Z")]
    assert found and max(record["score"] for record in found) >= 50
    assert {record["field"] for record in found} <= {"power_active_w", "line_current_a", "peak_1", "peak_2", "peak_3"}
    assert len(watched) >= EVENTS - 1

    loads = [round(cluster["centre"]["power_active_w"]) for cluster in clusters["clusters"]]
    assert any(abs(load - LOAD_W) < 40 for load in loads)
    assert all(any(abs(load - level) < 60 for load in loads) for level in (270, 1228, 1718, 2296))
    new = next(c for c in clusters["clusters"] if abs(c["centre"]["power_active_w"] - LOAD_W) < 40)
    assert new["count"] == (EVENTS - PLANTED) // 6
    assert new["first"] == moment(PLANTED).replace("Z", ".000Z")
    assert clusters["event_count"] == EVENTS and set(new["centre"]) == {
        "power_active_w", "power_reactive_var", "power_apparent_va", "line_current_a", "line_voltage_v",
        "peak_1", "peak_2", "peak_3"}

    with daemon(tmp_path / "data", config) as second:
        client = Client(second.url)
        assert client.get("/api/v1/jobs/kinds/clusters?source=1&sequence=latest") == clusters
        assert client.get("/api/v1/records?job=kinds&min_score=40")["records"] == records
        explained = client.get(f"/api/v1/records/{found[0]['id'].replace('/', '%2F')}")
        assert "like nothing that they usually are" in json.dumps(explained)
        for path in ("/api/v1/jobs/watch/clusters?source=1", "/api/v1/jobs/kinds/clusters?source=none",
                     "/api/v1/jobs/none/clusters?source=1"):
            assert client.call("GET", path).status == 404
