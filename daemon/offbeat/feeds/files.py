"""A file that grows, and the files of a directory: what was appended since the cursor, in whole records.

The cursor knows each file by its inode, so one that is renamed, as log rotation does, is gone on with where it was.
"""
from __future__ import annotations

import asyncio
import os
import stat
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, BinaryIO

from offbeat.clock import Clock
from offbeat.feeds.batch import Batch, Bounds, Cursor, Form
from offbeat.feeds.boundaries import Place, as_body, whole
from offbeat.feeds.errors import FeedTrouble
from offbeat.feeds.spec import FileSource
from offbeat.wire.records.errors import UploadRefused

BLOCK_BYTES = 256 * 1024
"""What is read at once, and becomes an entry of the journal."""
RECORD_BYTES_MAX = 16 * 1024 * 1024
HEAD_BYTES = 256
"""By its first bytes a file is known again: its inode may be another's by then, its content too."""
FILES_MAX = 1_000
QUIET_MS = 60_000
"""A last line without an end is taken once its file did not change for so long and another follows it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the cursor holds of one file: bytes read, of the header, of its head with their checksum, its form."""

    name: str
    at: int = 0
    header: int = 0
    head: int = 0
    sum: int = 0
    way: str = ""

    @classmethod
    def of(cls, given: list[Any]) -> Known:
        """What ``as_list`` gave."""
        return cls(*given)

    def as_list(self) -> list[Any]:
        """For JSON."""
        return [self.name, self.at, self.header, self.head, self.sum, self.way]


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it is now. *gone*: it no longer stands where files are read; nothing will be appended."""

    inode: int
    path: str
    size: int
    mtime_ns: int
    gone: bool = False


class FileReading:
    """Reads on in the files of *source*."""

    complete_ms: int | None = None

    def __init__(self, source: FileSource, form: Form, clock: Clock) -> None:
        self._source, self._form, self._clock = source, form, clock
        self._held: tuple[Found, BinaryIO] | None = None  # the file last read from: it may be moved away, or deleted

    async def read(self, cursor: Cursor, bounds: Bounds) -> Batch | None:
        """The next whole records of the first file that has some. Raises FeedTrouble."""
        try:
            return await asyncio.to_thread(self._read, cursor, bounds)
        except OSError as e:
            raise FeedTrouble(f"{e.filename or self._source.path}: {e.strerror or e}") from e

    async def close(self) -> None:
        """Close the file that is held."""
        self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            self._held[1].close()
            self._held = None

    # ── which files there are ─────────────────────────────────────────────────────────────────────────────────

    def _files(self, known: Mapping[int, Known]) -> list[Found]:
        """Those to read, in their order; first what was moved away and is not read to its end."""
        source = self._source
        if source.pattern:
            found = [one for one in _directory(source.path) if fnmatchcase(os.path.basename(one.path), source.pattern)]
            if len(found) > FILES_MAX:
                raise FeedTrouble(f"{source.path} has {len(found)} files like {source.pattern}, more than {FILES_MAX}: "
                                  "move away those that have been read")
            found.sort(key=lambda one: (one.mtime_ns if source.order == "mtime" else 0, one.path))
        else:
            found = [_found(source.path, os.stat(source.path))]
        return [*self._moved(found, known), *found]

    def _moved(self, found: list[Found], known: Mapping[int, Known]) -> list[Found]:
        here = {one.inode for one in found}
        missing = {inode for inode, one in known.items() if inode not in here}
        moved = []
        if self._held is not None and self._held[0].inode in missing:
            now = os.fstat(self._held[1].fileno())
            moved.append(Found(now.st_ino, self._held[0].path, now.st_size, now.st_mtime_ns, gone=True))
        elif missing and not self._source.pattern:  # renamed while the daemon was not there to see it
            around = _directory(os.path.dirname(self._source.path) or ".")
            moved += [replace(one, gone=True) for one in around if one.inode in missing]
        return [one for one in moved if one.size > known[one.inode].at]

    # ── what is in them ───────────────────────────────────────────────────────────────────────────────────────

    def _read(self, cursor: Cursor, bounds: Bounds) -> Batch | None:
        known = {int(inode): Known.of(one) for inode, one in cursor.get("files", {}).items()}
        files = self._files(known)
        told: list[str] = []
        for i, file in enumerate(files):
            if not file.gone and file.inode not in known and known and not self._source.pattern:
                told.append(f"{file.path} is another file now")
            one = known.get(file.inode, Known(os.path.basename(file.path)))
            if file.size == one.at:
                continue
            stream = self._opened(file)
            if file.size < one.at or zlib.crc32(os.pread(stream.fileno(), one.head, 0)) != one.sum:
                told.append(f"{file.path} was written anew: it is read from its beginning")
                one = Known(one.name)
            final = file.gone or not self._source.tail or (
                i < len(files) - 1 and file.mtime_ns // 1_000_000 < self._clock.now_ms() - QUIET_MS)
            read = self._records(file, stream, one, final)
            if read is None:
                continue
            after, records, counts = read
            listed = {other.inode for other in files}
            entries = {inode: one for inode, one in known.items() if inode in listed} | {file.inode: after}
            now = {"files": {str(inode): one.as_list() for inode, one in entries.items()}}
            return bounds.batch(records, counts, now, tuple(told))
        return None

    def _opened(self, file: Found) -> BinaryIO:
        if self._held is not None and self._held[0].inode == file.inode:
            return self._held[1]
        self._let_go()
        stream = open(file.path, "rb")  # noqa: SIM115  # it is held until another is read
        if os.fstat(stream.fileno()).st_ino != file.inode:
            stream.close()
            raise FeedTrouble(f"{file.path} was replaced while it was opened")
        self._held = file, stream
        return stream

    def _records(self, file: Found, stream: BinaryIO, known: Known, final: bool) -> tuple[Known, Any, Any] | None:
        """The file after some records more, those, and what is counted of them; None if there is no whole one."""
        description, fd = self._form.description, stream.fileno()
        place = Place(os.pread(fd, known.header, 0), known.way == "lines", known.way == "array")
        size = BLOCK_BYTES
        while True:
            block = os.pread(fd, size, known.at)
            ends = known.at + len(block) >= file.size
            end, after = whole(description, place, block)
            if end == 0 and final and ends and block.strip():
                _, after = whole(description, place, block + b"\n")
                end = len(block)
            if end or ends:
                break
            if size >= RECORD_BYTES_MAX:
                raise FeedTrouble(f"{file.path}: at byte {known.at} begins a record of more than {size} bytes")
            size *= 2
        if not end:
            return None
        head = min(HEAD_BYTES, known.at + end)  # the header alone may stand in another file as well
        way = "lines" if after.lines else "array" if after.in_array else ""
        now = Known(known.name, known.at + end, known.header or len(after.header), head,
                    zlib.crc32(os.pread(fd, head, 0)), way)
        body = as_body(description, place, block[:end], after)
        try:
            records, counts = self._form.lines_of(body) if after.lines else self._form.records_of(body)
        except UploadRefused as e:
            raise FeedTrouble(f"{file.path}, from byte {known.at} on: {e}") from e
        return now, records, counts | {"input_bytes": end}


def _directory(path: str) -> list[Found]:
    with os.scandir(path) as entries:
        every = [(entry.path, entry.stat()) for entry in entries if entry.is_file()]
    return [_found(path, status) for path, status in every]


def _found(path: str, status: os.stat_result) -> Found:
    if not stat.S_ISREG(status.st_mode):
        raise FeedTrouble(f"{path} is no file")
    return Found(status.st_ino, path, status.st_size, status.st_mtime_ns)
