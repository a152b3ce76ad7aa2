"""A seeded load: bodies in every format, with late, out-of-order and bad lines, and faults worth a finding."""
from __future__ import annotations

import random
from dataclasses import dataclass

import orjson

START_MS = 1_577_836_800_000  # 2020: a history, so that no clock has a say in the results


@dataclass(frozen=True, slots=True)
class Body:
    """One request."""

    path: str
    content_type: str
    data: bytes
    key: str


def bodies(seed: int, count: int, events: int, sources: list[str]) -> list[Body]:
    """*count* bodies of *events* events each from *sources*, each source in the order of its time but for some."""
    rng = random.Random(seed)
    now = {source: START_MS + rng.randrange(60_000) for source in sources}
    level = {source: rng.uniform(10, 1000) for source in sources}
    made = []
    for number in range(count):
        rows = []
        for _ in range(events):
            source = rng.choice(sources)
            now[source] += rng.randrange(500, 9_000)
            time_ms = now[source] - (rng.randrange(200_000) if rng.random() < 0.03 else 0)
            value = rng.gauss(level[source], level[source] / 50) * (3.0 if rng.random() < 0.002 else 1.0)
            rows.append((source, time_ms, round(value, 4), rng.randrange(5)))
        form = ("ndjson", "csv", "influx")[number % 3]
        made.append(Body(*_rendered(form, rows, rng), f"{seed}-{number}"))
    return made


def _rendered(form: str, rows: list[tuple[str, int, float, int]], rng: random.Random) -> tuple[str, str, bytes]:
    if form == "ndjson":
        lines = [orjson.dumps({"ts": t, "sensor": s, "level": v, "state": k, "on": k > 2}) for s, t, v, k in rows]
        if rng.random() < 0.3:
            lines.insert(rng.randrange(len(lines)), b'{"ts": "yesterday", "sensor": "x", "level": 1}')
        return "/api/v1/events", "application/x-ndjson", b"\n".join(lines)
    if form == "csv":
        text = "time,device,level,state\n" + "".join(f"{t / 1000:.3f},{s},{v},{k}\n" for s, t, v, k in rows)
        return "/api/v1/events", "text/csv", text.encode()
    text = "".join(f"level,host={s} value={v},state={k}i {t}\n" for s, t, v, k in rows)
    return "/api/v2/write?precision=ms&bucket=b&org=o", "text/plain", text.encode()
