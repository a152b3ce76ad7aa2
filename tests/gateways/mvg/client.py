"""A client as the Python client of the vendor is one: the same paths, headers and bodies, over sockets."""
from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.system.client import until as until_true

BASE = "/mvg"
TOKEN = "12345678.secret"
AGENT = "mvg/0.15.0"
FIRST_MS = 1_577_833_200_000
HOUR_MS = 3_600_000
WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def detail(self) -> Any:
        """The detail of an error document of the right shape."""
        assert self.status >= 400
        assert self.headers["Content-Type"].startswith("application/json")
        document = self.document
        assert set(document) == {"detail"}
        return document["detail"]

    @property
    def offences(self) -> list[tuple[list[Any], str]]:
        """Where and of which type the offences of a request are that is refused for them."""
        assert (self.status, self.reason) == (422, "Unprocessable Entity"), (self.status, self.body)
        for one in self.detail:
            assert {"loc", "msg", "type"} <= set(one) <= {"loc", "msg", "type", "ctx"}
        return [(one["loc"], one["type"]) for one in self.detail]


class Client:
    """Calls of one daemon below one base path; each connects anew."""

    def __init__(self, url: str, base: str = BASE, headers: Mapping[str, str] | None = None) -> None:
        self.url, self.base = url, base
        self.address = urlsplit(url).netloc
        self.headers = {"X-Vibium-Api-Key": TOKEN, "User-Agent": AGENT} if headers is None else headers

    def call(self, method: str, path: str, document: object = None, *, body: bytes | None = None,
             headers: Mapping[str, str] | None = None) -> Answer:
        """One call. A document goes as the client sends it: as JSON that says so."""
        sent = dict(self.headers if headers is None else headers)
        if document is not None:
            body = json.dumps(document, allow_nan=True).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(self.address, timeout=120)
        try:
            connection.request(method, f"{self.base}{path}", body, sent)
            response = connection.getresponse()
            return Answer(response.status, response.reason, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """The document at *path*, which must be there."""
        return self.done("GET", path)

    def done(self, method: str, path: str, document: object = None) -> Any:
        """The document that a call is answered with, which must work."""
        answer = self.call(method, path, document)
        assert answer.status == 200, (method, path, answer.status, answer.body)
        return answer.document

    def create(self, id: str, kind: str = "", names: tuple[str, ...] = ("acc",)) -> Any:
        """A new source: of waveforms, or of the *kind* ``spectrum`` or ``tabular``."""
        which = "columns" if kind == "tabular" else "channels"
        return self.done("POST", f"/sources/{kind}", {"source_id": id, "meta": {}, which: list(names)})

    def ask(self, feature: str, ids: str | list[str], params: Mapping[str, object] | None = None, *,
            start: int | None = None, end: int | None = None, force: bool = False, query: str = "") -> str:
        """The id of an analysis that was asked for."""
        population = isinstance(ids, list)
        path = "/analyses/requests/population/" if population else "/analyses/requests/"
        request = {
            "source_ids" if population else "source_id": ids, "feature": feature, "params": dict(params or {}),
            "start_timestamp": start, "end_timestamp": end, "force": force}
        document = self.done("POST", f"{path}{query}", request)
        assert set(document) == {"request_id", "request_status"}
        id = document["request_id"]
        assert isinstance(id, str) and len(id) == 32
        return id

    def wait(self, id: str, until: tuple[str, ...] = ("successful", "failed")) -> Any:
        """What came of an analysis, once it is in one of those states."""
        until_true(lambda: self.get(f"/analyses/requests/{id}")["request_status"] in until, WITHIN_S)
        return self.get(f"/analyses/requests/{id}/results")

    def results(self, feature: str, ids: str | list[str], params: Mapping[str, object] | None = None,
                **more: Any) -> Any:
        """The results of an analysis that must work."""
        found = self.wait(self.ask(feature, ids, params, **more))
        assert found["status"] == "successful", found["error_info"]
        return found["results"]

    def failure(self, feature: str, ids: str | list[str], params: Mapping[str, object] | None = None,
                **more: Any) -> str:
        """Why an analysis failed."""
        found = self.wait(self.ask(feature, ids, params, **more))
        assert (found["status"], found["results"], len(found)) == ("failed", {}, 7)
        assert found["error_info"]
        return str(found["error_info"])


def waveform(timestamp: int, samples: list[float], duration: float = 1.0, channel: str = "acc") -> dict[str, object]:
    """A measurement of one channel."""
    return {"timestamp": timestamp, "duration": duration, "data": {channel: samples}, "meta": {}}
