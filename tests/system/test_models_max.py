"""More series than models: the daemon forgets who is silent for longest, says so, and takes him back by his peers."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.system.client import get, metric, post
from tests.system.daemon import daemon, settings

MODELS_MAX = 70
START_S = 1_577_836_800


def body(rng: random.Random, names: list[str], first: int, count: int) -> bytes:
    """Readings around 10 of sources of one kind, a minute apart."""
    return b"".join(
        b'{"time":%d,"source":"%s","x":%.3f}\n' % (START_S + 60 * (first + i), name.encode(), rng.gauss(10.0, 0.5))
        for i in range(count)
        for name in names
    )


def said_of(url: str, source: str) -> dict[str, Any]:
    """The diagnosis of the one series of a source."""
    (one,) = get(url, "/api/v1/diagnosis", source=source).document["sources"]
    return one["series"][0]  # type: ignore[no-any-return]


def test_an_evicted_series_is_judged_by_its_peers_from_its_first_reading_also_after_a_crash(tmp_path: Path) -> None:
    rng = random.Random(1)
    config = settings(
        tmp_path / "offbeat.toml",
        engine={"models_max": MODELS_MAX, "series_max": 1_000, "shard_series": 64},
        store={"checkpoint_s": 0.5},
    )
    staying = [f"stays-{i}" for i in range(MODELS_MAX - 1)]
    with daemon(tmp_path / "data", config) as running:
        post(running.url, body(rng, [*staying, "mine"], 0, 260))
        taken = post(running.url, body(rng, staying, 260, 8)).document
        post(running.url, body(rng, ["new"], 268, 1))
        get(running.url, "/api/v1/records", sequence=taken["sequence"])
        running.kill()
    with daemon(tmp_path / "data", config) as running:
        url = running.url
        lost = said_of(url, "mine")
        assert lost["state"] == "no_model" and "its model was evicted at the limit at " in lost["says"]
        job = get(url, "/api/v1/jobs/watch").document
        assert (job["series_count"], job["model_count"], job["models_max"]) == (MODELS_MAX + 1, MODELS_MAX, MODELS_MAX)
        assert (job["evicted_count"], job["unjudged_count"]) == (1, 0)
        limits = {one["name"]: one for one in get(url, "/api/v1/diagnosis").document["daemon"]["limits"]}
        assert (limits["engine.models_max"]["used"], limits["engine.models_max"]["limit"]) == (MODELS_MAX, MODELS_MAX)

        post(url, body(rng, staying, 269, 8))
        odd = b'{"time":%d,"source":"mine","x":40.0}\n' % (START_S + 60 * 280)
        taken = post(url, odd).document
        (record,) = get(url, "/api/v1/records", source="mine", order="-time", limit=1, sequence=taken["sequence"]
                        ).document["records"]
        assert record["actual"] == 40.0 and record["score"] > 25.0
        assert "prior" in str(record)
        back = said_of(url, "mine")
        assert back["state"] == "warming_up"
        assert ": it begins from what its peers have taught" in back["says"]
        assert metric(url, "offbeat_models_evicted_total") == 1
        assert said_of(url, "new")["state"] == "no_model"
