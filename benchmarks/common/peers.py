"""What others would take instead, as processes under measurement: two databases, a bare handler. Measures nothing."""
from __future__ import annotations

import http.client
import re
import socket
import sys
import time
import urllib.parse
from abc import abstractmethod
from pathlib import Path

import orjson

from common import packages
from common.process import Process

READY_WITHIN_S = 30.0
ANSWER_TIMEOUT_S = 120.0
HELD_WITHIN_S = 30.0


class Database(Process):
    """A database that takes line protocol by HTTP on loopback, with fresh data. Use as a context.

    version     of the package    write_path  where bodies go
    """

    announces = False
    package: str
    program: str
    write_path: str

    def __init__(self, directory: Path, cache: Path) -> None:
        executable = packages.program(self.package, self.program, cache)
        self.version = packages.version(self.package, cache)
        directory.mkdir()
        self.address = ("127.0.0.1", free_port())
        super().__init__(directory, [str(executable), *self._options(directory)])

    @abstractmethod
    def _options(self, directory: Path) -> list[str]:
        """What the program is started with."""

    @abstractmethod
    def held(self) -> int:
        """Events that a query finds now."""

    def _await_ready(self) -> None:
        until_s = time.perf_counter() + READY_WITHIN_S
        while time.perf_counter() < until_s and self._process.poll() is None:
            try:
                self._ask("GET", "/ping")
                return self._prepare()
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.name} did not start: {self.log_path.read_text(errors='replace')[-2000:]}")

    def _prepare(self) -> None:
        """What it needs once before the first event."""

    def check_holds(self, count: int) -> None:
        """Return once a query finds just *count* events. Raises RuntimeError when it does not in time."""
        until_s = time.perf_counter() + HELD_WITHIN_S
        while (found := self.held()) != count:
            if found > count or time.perf_counter() > until_s:
                raise RuntimeError(f"{self.name} acknowledged {count} events and holds {found}")
            time.sleep(0.2)

    def _ask(self, method: str, path: str) -> bytes:
        connection = http.client.HTTPConnection(*self.address, timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status not in (200, 204):
            raise RuntimeError(f"{self.name}: {method} {path}: {answer.status} {body[:500]!r}")
        return body


class VictoriaMetrics(Database):
    """The single-node server; it acknowledges from memory, and syncs to disk later."""

    name, package, program = "VictoriaMetrics", "victoria-metrics", "usr/bin/victoria-metrics"
    write_path = "/write"

    def _options(self, directory: Path) -> list[str]:
        return [f"-httpListenAddr={self.host}", f"-storageDataPath={directory}", "-retentionPeriod=10y",
                "-loggerLevel=WARN"]

    def held(self) -> int:
        self._ask("GET", "/internal/force_flush")
        query = "sum(count_over_time(weather_temperature[400d]))"
        asked = urllib.parse.urlencode({"query": query, "time": int(time.time()) + 3600, "nocache": 1})
        found = orjson.loads(self._ask("GET", f"/api/v1/query?{asked}"))["data"]["result"]
        return int(found[0]["value"][1]) if found else 0


class Influx(Database):
    """InfluxDB 1.x; it syncs its log before it acknowledges."""

    name, package, program = "InfluxDB", "influxdb", "usr/bin/influxd"
    write_path = "/write?db=bench"

    def _options(self, directory: Path) -> list[str]:
        file = directory / "influxdb.conf"
        file.write_text("\n".join([
            "reporting-disabled = true", f'bind-address = "127.0.0.1:{free_port()}"',
            "[meta]", f'dir = "{directory}/meta"',
            "[data]", f'dir = "{directory}/data"', f'wal-dir = "{directory}/wal"',
            "query-log-enabled = false",
            "[http]", f'bind-address = "{self.host}"', "log-enabled = false",
            "[monitor]", "store-enabled = false",
            "[logging]", 'level = "warn"', ""]))
        return ["run", "-config", str(file)]

    def _prepare(self) -> None:
        self._ask("POST", "/query?" + urllib.parse.urlencode({"q": "CREATE DATABASE bench"}))

    def held(self) -> int:
        query = "SELECT count(temperature) FROM weather"
        found = orjson.loads(self._ask("GET", "/query?" + urllib.parse.urlencode({"db": "bench", "q": query})))
        series = found["results"][0].get("series")
        return int(series[0]["values"][0][1]) if series else 0


class Bare(Process):
    """An aiohttp server whose one handler reads the body and answers 202: what HTTP itself costs."""

    name = "the bare handler"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, [sys.executable, str(Path(__file__).with_name("bare.py"))])

    def _await_ready(self) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        found = re.fullmatch(r"(\S+):(\d+)\n", line)
        if found is None:
            raise RuntimeError(f"the bare handler did not start: {line!r} {self.log_path.read_text()}")
        self.address = (found[1], int(found[2]))


def free_port() -> int:
    """A port of loopback that nobody listens at now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
