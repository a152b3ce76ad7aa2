"""Disks that fail for real: a limit on the size of files, a full file system, files that may not be changed."""

from __future__ import annotations

import os
import resource
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

FILE_SYSTEM_BYTES = 24 * 1024 * 1024


class Disk(ABC):
    """A place for a state directory that can be broken and mended under a running daemon."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state_dir = directory / "data"

    def __enter__(self) -> Disk:
        return self

    def __exit__(self, *_: object) -> None:
        return

    @abstractmethod
    def fail(self, process: int) -> None:
        """From now on *process* cannot write."""

    @abstractmethod
    def mend(self, process: int) -> None:
        """It can again."""


class SizeLimit(Disk):
    """Files may not grow: a write beyond gives EFBIG. Needs no rights."""

    def fail(self, process: int) -> None:
        wal = self.state_dir / "offbeat.sqlite-wal"
        _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (wal.stat().st_size if wal.exists() else 0, hard))

    def mend(self, process: int) -> None:
        _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (hard, hard))


class FullDisk(Disk):
    """A small file system of its own, filled up: ENOSPC. Needs root."""

    def __enter__(self) -> Disk:
        size = f"size={FILE_SYSTEM_BYTES}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(self.directory)], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", str(self.directory)], check=True)

    def fail(self, process: int) -> None:
        with open(self.directory / "filler", "wb", buffering=0) as filler:
            try:
                while filler.write(b"\0" * 65536):
                    pass
            except OSError:
                return

    def mend(self, process: int) -> None:
        (self.directory / "filler").unlink()


class Immutable(Disk):
    """The file and its log may not be changed by anyone, root included: EPERM. Needs root, and ext4 or the like.

    The file of shared memory beside them is left alone: it is no part of the store, and mapped.
    """

    def fail(self, process: int) -> None:
        subprocess.run(["chattr", "+i", *self._files()], check=True)

    def mend(self, process: int) -> None:
        subprocess.run(["chattr", "-i", *self._files()], check=True)

    def __exit__(self, *_: object) -> None:
        self.mend(0)

    def _files(self) -> list[str]:
        return [str(path) for path in self.state_dir.glob("offbeat.sqlite*") if not path.name.endswith("-shm")]


def possible(directory: Path) -> list[type[Disk]]:
    """The ways that work here; the first always does."""
    ways: list[type[Disk]] = [SizeLimit]
    if os.geteuid() == 0:
        try:
            with FullDisk(directory):
                ways.append(FullDisk)
        except (OSError, subprocess.CalledProcessError):
            pass
        probe = directory / "probe"
        probe.touch()
        if subprocess.run(["chattr", "+i", str(probe)], capture_output=True).returncode == 0:
            subprocess.run(["chattr", "-i", str(probe)], check=True)
            ways.append(Immutable)
        probe.unlink()
    return ways
