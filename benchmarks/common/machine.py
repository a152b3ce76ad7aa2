"""What a figure was measured on, and who else was busy there."""
from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil  # type: ignore[import-untyped]

SYNCS = 60
SYNC_BYTES = 4096
PACKAGES = ("offbeat", "aiohttp", "aiosqlite", "numba", "numpy", "orjson", "zstandard")


def facts(directory: Path) -> dict[str, str]:
    """The machine, the disk under *directory* and the versions, each a short text."""
    p50_ms, p99_ms = sync_latency_ms(directory)
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 1024**3:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "disk": f"{_filesystem(directory)}; {SYNC_BYTES} bytes are durable in {p50_ms:.2f} ms, 99 %: {p99_ms:.2f} ms",
        "load before": f"{load} (1, 5, 15 minutes)",
        "versions": ", ".join([f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}",
                               *(f"{package} {version(package)}" for package in PACKAGES)]),
    }


def sync_latency_ms(directory: Path) -> tuple[float, float]:
    """Median and 99th percentile of what a small durable append costs in *directory*."""
    took = []
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        for _ in range(SYNCS):
            began_s = time.perf_counter()
            file.write(b"\1" * SYNC_BYTES)
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began_s) * 1000)
    return statistics.median(took), sorted(took)[int(0.99 * SYNCS)]


class Others:
    """How busy the machine's cores were with anything but the processes under measurement."""

    def __init__(self) -> None:
        self._began_s, self._busy_s = time.perf_counter(), _busy_s()

    def cores(self, own_cpu_s: float) -> float:
        """Cores in use since the beginning but for *own_cpu_s*: other programs, the kernel's threads, stolen time."""
        took_s = time.perf_counter() - self._began_s
        return max(0.0, _busy_s() - self._busy_s - own_cpu_s) / took_s


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)
                 - getattr(times, "guest_nice", 0.0))


def _processor() -> str:
    try:
        names = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                 if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _filesystem(directory: Path) -> str:
    path = directory.absolute()
    mounted = [p for p in psutil.disk_partitions(all=True) if path.is_relative_to(p.mountpoint)]
    return max(mounted, key=lambda p: len(p.mountpoint)).fstype if mounted else "unknown filesystem"
