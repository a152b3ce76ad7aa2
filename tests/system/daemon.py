"""The real daemon as a process of its own, and what it answers as plain data."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil

START_TIMEOUT_S = 60


class Daemon:
    """One process of ``offbeat serve`` on a free port."""

    def __init__(
        self, state_dir: Path, config: Path | None = None, *options: str, environment: Mapping[str, str] | None = None
    ) -> None:
        command = [sys.executable, "-m", "offbeat", "serve", "--port", "0", "--state-dir", str(state_dir), *options]
        self.log = state_dir.parent / f"{state_dir.name}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command + (["--config", str(config)] if config else []),
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )
        self.url = ""

    def wait_ready(self) -> Daemon:
        """Return once the ready line has come; it names the address."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        found = re.search(r"http://[^ ]+", line)
        assert found, f"no ready line but {line!r}; the log says:\n{self.log.read_text()}"
        self.url = found.group()
        return self

    @property
    def memory_bytes(self) -> int:
        """What the process holds in memory now."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    @property
    def peak_bytes(self) -> int:
        """The most that it held since ``forget_peak``."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found
        return int(found.group(1)) * 1024

    def forget_peak(self) -> None:
        """Count the peak from now on."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text()

    def kill(self) -> None:
        """SIGKILL, and the process is gone."""
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def _reap(self) -> int:
        status = self.process.wait(timeout=START_TIMEOUT_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status


def settings(path: Path, **sections: Mapping[str, float | str]) -> Path:
    """The config file *path*, with these settings in it."""
    lines = [f"[{section}]\n" + "".join(f"{name} = {value!r}\n" for name, value in values.items())
             for section, values in sections.items()]
    path.write_text("".join(lines))
    return path


@contextmanager
def daemon(
    state_dir: Path, config: Path | None = None, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[Daemon]:
    """A daemon that is ready; stopped at the end."""
    started = Daemon(state_dir, config, *options, environment=environment)
    try:
        yield started.wait_ready()
    finally:
        if started.process.poll() is None:
            started.stop()
        else:
            started._reap()


async def pages(session: aiohttp.ClientSession, url: str, name: str, **parameters: str) -> list[dict[str, Any]]:
    """All rows of a list of the API, by its cursors."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "1000", **parameters} | ({"cursor": cursor} if cursor else {})
        async with session.get(url, params=query) as answer:
            document = await answer.json()
            assert answer.status == 200, document
        rows += document[name]
        cursor = document["next_cursor"]
    return rows


async def everything(url: str) -> dict[str, Any]:
    """Every bucket, record, reading, rollup and counter that the API can show, by names, in a fixed order."""
    async with aiohttp.ClientSession() as session:
        api = f"{url}/api/v1"
        async with session.get(f"{api}/diagnosis") as answer:
            upto = str((await answer.json())["daemon"]["journal_sequence"])
        found: dict[str, Any] = {
            "buckets": sorted(
                await pages(session, f"{api}/buckets", "buckets", sequence=upto),
                key=lambda b: (b["start"], b["source"]),
            ),
            "findings": sorted(
                await pages(session, f"{api}/buckets", "buckets", order="-score"),
                key=lambda b: (b["start"], b["source"]),
            ),
            "job": await pages(session, f"{api}/buckets", "buckets", scope="job"),
            "records": sorted(await pages(session, f"{api}/records", "records"), key=lambda r: r["id"]),
            "sources": [
                {k: v for k, v in s.items() if k != "last_arrival"}
                for s in await pages(session, f"{api}/sources", "sources")
            ],
            "readings": {},
        }
        for source in found["sources"]:
            for level in ("raw", "1m", "1h", "1d"):
                query = {"level": level, "width": "10000"}
                async with session.get(f"{api}/sources/{source['source']}/readings", params=query) as answer:
                    found["readings"][source["source"], level] = await answer.json()
        async with session.get(f"{api}/diagnosis") as answer:
            found["rejected"] = (await answer.json())["daemon"]["rejected"]
        return found
