"""A whole daemon and a client of its archive, which says what the Python client of esmond says, over real sockets."""
from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.gateways.prelert.engine import Answer, Engine, engine

ROOT = "/esmond/perfsonar/archive/"
KEY = "0123456789abcdef0123456789abcdef01234567"
CLIENT = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "python-requests/2.31.0"}
"""What the library below the client sends with every request."""
TS = 1_772_362_800
"""A whole hour, an hour before the daemon's clock."""
METADATA: Mapping[str, Any] = {
    "subject-type": "point-to-point", "source": "192.0.2.10", "destination": "192.0.2.20", "tool-name": "bwctl/iperf3",
    "measurement-agent": "192.0.2.10", "input-source": "a.example.org", "input-destination": "b.example.org",
    "event-types": [{"event-type": "throughput", "summaries": []}],
}


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive under *root*, asked with *key*, if it is not empty."""

    daemon: Engine
    root: str = ROOT
    key: str = KEY

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One call of *path* below the root, or of a path that begins with a slash; with just what a client sends."""
        token = {"Authorization": f"Token {self.key}"} if self.key else {}
        where = path if path.startswith("/") else self.root + path
        said = {**CLIENT, **token, **(headers or {})}
        connection = http.client.HTTPConnection(self.daemon.host, self.daemon.port, timeout=60)
        try:
            connection.putrequest(method, where, skip_host="Host" in said, skip_accept_encoding=True)
            for name, value in said.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def send(self, method: str, path: str, document: Any) -> Answer:
        """A call with a document: JSON, or bytes as they are."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.call(method, path, body, {"Content-Type": "application/json"})

    def get(self, path: str = "", **query: Any) -> Any:
        """What is read at *path*; parameters are spelt with underscores."""
        named = {name.replace("_", "-"): value for name, value in query.items()}
        answer = self.call("GET", f"{path}?{urlencode(named)}" if named else path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json"), answer.body
        return answer.document

    def register(self, *event_types: str | Mapping[str, Any], **members: Any) -> str:
        """The key of a record of these event types, a name or an object each."""
        events = [{"event-type": one, "summaries": []} if isinstance(one, str) else one for one in event_types]
        named = {name.replace("_", "-"): value for name, value in members.items()}
        answer = self.send("POST", "", {**METADATA, **({"event-types": events} if events else {}), **named})
        assert answer.status == 201, answer.body
        return str(answer.document["metadata-key"])

    def post(self, key: str, event_type: str, ts: Any, val: Any) -> Answer:
        """Write one value as the client does: without a slash at the end."""
        return self.send("POST", f"{key}/{event_type}/base", {"ts": ts, "val": val})

    def put(self, key: str, *values: tuple[str, int, Any]) -> Answer:
        """Write many as the client does: grouped by second in the order of appearance, with a slash at the end."""
        at: dict[int, list[dict[str, Any]]] = {}
        for event_type, ts, val in values:
            at.setdefault(ts, []).append({"event-type": event_type, "val": val})
        return self.send("PUT", f"{key}/", {"data": [{"ts": ts, "val": val} for ts, val in at.items()]})

    def put_good(self, key: str, *values: tuple[str, int, Any]) -> None:
        """The same, of what is taken."""
        answer = self.put(key, *values)
        assert (answer.status, answer.document) == (201, ""), answer.body

    def data(self, key: str, event_type: str, what: str = "base", **query: Any) -> list[tuple[int, Any]]:
        """What is read of an event type, as pairs."""
        return [(point["ts"], point["val"]) for point in self.get(f"{key}/{event_type}/{what}", **query)]

    def refused(self, answer: Answer) -> int:
        """The status of an error document of the right shape."""
        assert answer.headers["Content-Type"] == "application/json"
        document = answer.document
        assert set(document) == {"detail", "error"} and document["detail"] == document["error"] != "", document
        return answer.status

    def readings(self, key: str) -> dict[str, list[tuple[str, float]]]:
        """What the daemon follows of a record: by field the times and values."""
        (source,) = [one["source"] for one in self._api("sources")["sources"] if one["source"].endswith(key[:12])]
        found = self._api(f"sources/{urlencode({'': source})[1:].replace('+', '%20')}/readings", level="raw")
        return {one["field"]: list(zip(one["time"], one["value"], strict=True)) for one in found["series"]}

    def sources(self) -> list[str]:
        """The sources that the daemon follows."""
        return [one["source"] for one in self._api("sources")["sources"]]

    def late(self, key: str) -> int:
        """How many readings of a record came too late to be judged."""
        (found,) = [one for one in self._api("sources")["sources"] if one["source"].endswith(key[:12])]
        return int(found["late_count"])

    def _api(self, path: str, **query: str) -> Any:
        query = {"sequence": "latest", **query}
        return self.daemon.call("GET", f"/api/v1/{path}?{urlencode(query)}", base="").document


def summaries(event_type: str, *of: tuple[str, int]) -> dict[str, Any]:
    """An event type with summaries, as ``add_summary_type`` says it."""
    return {
        "event-type": event_type,
        "summaries": [{"summary-type": kind, "summary-window": window} for kind, window in of],
    }


@contextmanager
def archive(state_dir: Path, **sections: dict[str, Any]) -> Iterator[Archive]:
    """A daemon with an archive; *sections* of its settings."""
    with engine(state_dir, **sections) as daemon:
        yield Archive(daemon)
