"""Records kept as they came, for an operator to read back: files of gzip, a directory a job."""

from __future__ import annotations

import asyncio
import gzip
import logging
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from pathlib import Path

log = logging.getLogger(__name__)
FILE_BYTES = 64 << 20
"""A longer body goes on in another file, so that the oldest of them can go alone."""
LEVEL = 1


class RawRecords:
    """The files of all jobs below *directory*: ``<name of the job>/<number>.gz``, the oldest first."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def tidy(self, names: Collection[str]) -> None:
        """Delete what is kept of other jobs than *names*: a crash in the middle of a deletion leaves it."""
        if self._directory.is_dir():
            for path in self._directory.iterdir():
                if path.name not in names:
                    shutil.rmtree(path, ignore_errors=True)

    def of(self, name: str) -> list[Path]:
        """The files of a job, the oldest first."""
        return sorted((self._directory / name).glob("*.gz"))

    async def keep(self, name: str, body: AsyncIterator[bytes], bytes_max: int) -> AsyncGenerator[bytes]:
        """*body*, each piece once it is written. Of a job's files the oldest go, until *bytes_max* are left.

        What cannot be written is told in the log, and the body goes on.
        """
        file: gzip.GzipFile | None = None
        size, broken = 0, False
        try:
            async for piece in body:
                try:
                    if not broken:
                        if file is None:
                            file, size = await asyncio.to_thread(self._next, name), 0
                        await asyncio.to_thread(file.write, piece)
                        size += len(piece)
                        if size >= FILE_BYTES:
                            await asyncio.to_thread(self._end, name, file, bytes_max)
                            file = None
                except OSError as e:
                    log.warning("records sent to /dataload are analysed and not kept: %s", e)
                    broken = True
                yield piece
        finally:
            if file is not None:
                try:
                    self._end(name, file, bytes_max)
                except OSError as e:
                    log.warning("records sent to /dataload are not all kept: %s", e)

    def _next(self, name: str) -> gzip.GzipFile:
        directory = self._directory / name
        directory.mkdir(parents=True, exist_ok=True)
        newest = max((int(path.stem) for path in directory.glob("*.gz")), default=0)
        return gzip.GzipFile(directory / f"{newest + 1:08d}.gz", "wb", LEVEL)

    def _end(self, name: str, file: gzip.GzipFile, bytes_max: int) -> None:
        file.close()
        files = self.of(name)
        sizes = [path.stat().st_size for path in files]
        while files and sum(sizes) > bytes_max:
            files.pop(0).unlink()
            sizes.pop(0)

    async def forget(self, name: str) -> None:
        """Delete what is kept of a job."""
        await asyncio.to_thread(shutil.rmtree, self._directory / name, ignore_errors=True)
