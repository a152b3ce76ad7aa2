"""An energy meter with a few appliances, seeded, and its clients: one call a connection, with the headers they send."""
from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LEVELS_W = (270.0, 1228.0, 1718.0, 2296.0, 3590.0)
SHARES = (0.36, 0.17, 0.3, 0.14, 0.03)
START_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Meter:
    """Events as the public sample has them: constant but for active power, current, peaks and harmonics."""

    seed: int = 0
    device: int = 1
    levels_w: tuple[float, ...] = LEVELS_W
    shares: tuple[float, ...] = SHARES
    spread_w: float = 60.0
    strays: float = 0.08
    peaks: int = 10
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rng", np.random.default_rng(self.seed))

    def event(self, active_w: float | None = None, when: str = "Tue, 04 Oct 2016 16:47:50 GMT") -> dict[str, Any]:
        """The next event as an object; of a load that is none of its appliances, if one is given."""
        rng = self.rng
        if active_w is None:
            active_w = float(rng.choice(self.levels_w, p=np.array(self.shares) / sum(self.shares)))
            if rng.random() < self.strays:  # a load that comes or goes while it is measured
                active_w = float(rng.uniform(80.0, 3797.0))
        active_w = round(active_w + float(rng.normal(0.0, self.spread_w)), 3)
        current = round(active_w / 230.08 + 0.2 + float(rng.normal(0.0, 0.02)), 4)
        return {
            "Device": {"ID": self.device, "Fw": 100, "Evt": int(rng.integers(1, 4))},
            "Alarms": {"CoilRevesed": False},
            "Power": {"Active": active_w, "Reactive": 279, "Appearent": 403},
            "Line": {"Current": current, "Voltage": 230.08, "Phase": -43.841},
            "Peaks": [round(current * 1.4 + float(rng.normal(0.0, 0.1)), 4) for _ in range(self.peaks)],
            "FFT Re": [round(float(x), 3) for x in rng.normal(0.0, 1.0, 9)],
            "FFT Img": [round(float(x), 3) for x in rng.normal(0.0, 1.0, 9)],
            "UTC Time": [when], "hz": [49.87], "WiFi Strength": [-62], "Dummy": [1],
        }


def line_of(event: Mapping[str, Any]) -> str:
    """The event as its meter writes it, with a line feed."""
    units = {"Active": "W", "Reactive": "var", "Appearent": "VA", "Voltage": "V", "Phase": "rad"}

    def text(key: str, value: Any) -> str:
        return f"{key}={'OFF' if value is False else value}{units.get(key, '')}"

    sections = [
        f"{name}: " + (
            "; ".join(text(key, value) for key, value in content.items()) if isinstance(content, dict)
            else ";".join(str(value) for value in content))
        for name, content in event.items()
    ]
    return "; ".join(sections) + "\n"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    content_type: str | None
    body: bytes
    headers: Mapping[str, str]

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """Calls of a daemon at *url*, each on a new connection, with no header but those named."""

    url: str

    def call(self, method: str, path: str, body: bytes | None = None, content_type: str | None = None,
             **headers: str) -> Answer:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            if content_type is not None:
                connection.putheader("Content-Type", content_type)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, response.headers["Content-Type"], response.read(), dict(response.headers))
        finally:
            connection.close()

    def store_line(self, line: str) -> Answer:
        """As the plain sender does."""
        return self.call("POST", "/log/store", line.encode(), "text/plain")

    def store_text(self, text: str) -> Answer:
        """As the distributed sender does with what the parser answered: JSON in JSON."""
        return self.call("POST", "/log/store", json.dumps(text).encode(), "application/json")

    def parse(self, line: str) -> Answer:
        return self.call("POST", "/log/parse", line.encode())

    def summary(self) -> list[dict[str, Any]]:
        answer = self.call("GET", "/clusters/summary")
        assert (answer.status, answer.content_type) == (200, "application/json")
        clusters: list[dict[str, Any]] = answer.document["clusters"]
        return clusters

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status == 200, answer.body
        return answer.document
