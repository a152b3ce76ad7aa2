"""A file of events, or standard input, to bodies of whole records, in bounded memory. Nothing is sent here."""
from __future__ import annotations

import io
import os
import select
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from offbeat.cli.exits import CommandFailed, WrongUsage
from offbeat.cli.sender import Body
from offbeat.config import IngestConfig
from offbeat.errors import BadBody, OffbeatError
from offbeat.wire import Block, Cutter, Decompressor, Format, Options, delimited

CHUNK_BYTES = 256 * 1024
IDLE_S = 0.2
LINE_BYTES_MAX = 4 * 1024 * 1024
"""Of a longer record only so much is sent that the daemon can reject it: its own limit is 1 MiB unless configured."""

SUFFIXES: dict[str, Format] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "json",
    ".csv": "csv",
    ".lp": "influx",
    ".txt": "influx",
}
ENCODINGS = {".gz": "gzip", ".zst": "zstd"}
CONTENT_TYPES: dict[Format, str] = {
    "ndjson": "application/x-ndjson",
    "json": "application/json",
    "csv": "text/csv",
    "influx": "text/plain",
}
FORMATS: tuple[Format, ...] = get_args(Format)
Idle = Literal[""]
IDLE: Idle = ""
"""Stands between chunks where nothing came for a moment: what is complete may go."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some decompressed bytes, and how many bytes of the file had been read by then."""

    data: bytes
    position: int


def format_of(name: str) -> tuple[Format | None, str]:
    """The format and the encoding that the suffixes of *name* say: None and "identity" where they say nothing."""
    path = Path(name)
    encoding = ENCODINGS.get(path.suffix.lower(), "identity")
    if encoding != "identity":
        path = path.with_suffix("")
    return SUFFIXES.get(path.suffix.lower()), encoding


def open_input(name: str) -> tuple[io.FileIO, int | None]:
    """The file *name* (``-`` is standard input), and its size where it has one. Raises CommandFailed."""
    try:
        file = io.FileIO(0, closefd=False) if name == "-" else io.FileIO(name)
    except IsADirectoryError:
        raise WrongUsage(f"{name} is a directory", hint="send takes one file, or - for standard input") from None
    except OSError as e:
        raise CommandFailed(f"cannot read {name}: {e.strerror}") from e
    status = os.fstat(file.fileno())
    return file, status.st_size if stat.S_ISREG(status.st_mode) else None


def chunks(file: io.FileIO, encoding: str, *, regular: bool) -> Iterator[Chunk | Idle]:
    """*file* decompressed, chunk by chunk; a pipe gives what it has, and IDLE after 0.2 s of nothing.

    So whoever asks for the next one waits for 0.2 s at most. Raises BadBody if the compressed data is damaged.
    """
    decompressor = Decompressor(encoding, bytes_max=2**62)
    position = 0
    while True:
        if not regular and not select.select([file], [], [], IDLE_S)[0]:
            yield IDLE
            continue
        data = file.read(CHUNK_BYTES)
        if not data:
            decompressor.finish()
            return
        position += len(data)
        for piece in decompressor.feed(data):
            yield Chunk(piece, position)


def format_by_first_byte(data: bytes) -> Format | None:
    """The format of a body that begins with *data*, as the daemon guesses it: ``{`` NDJSON, ``[`` JSON, else None."""
    known: dict[bytes, Format] = {b"{": "ndjson", b"[": "json"}
    return known.get(data.lstrip()[:1])


def options_of(format: Format, delimiter: str | None) -> Options:
    """How the input is cut; what its fields mean is the daemon's to say. Raises WrongUsage for no *delimiter*."""
    comma = {None: ",", "tab": "\t"}.get(delimiter, delimiter or ",")
    config = IngestConfig(line_bytes_max=LINE_BYTES_MAX)
    options = Options.of(config, format, delimiter=comma)
    try:
        if format == "csv":
            delimited.delimiter_of(options)
    except OffbeatError as e:
        raise WrongUsage(e.message, hint=e.hint, where=e.where) from e
    return options


def bodies(
    stream: Iterator[Chunk | Idle], options: Options, *, lines_max: int, bytes_max: int
) -> Iterator[Body | Idle]:
    """The input as bodies of whole records: at most *lines_max* lines each, and *bytes_max* bytes or one record.

    An element of a JSON array counts as a line. IDLE goes through, after the body that waited. Raises CommandFailed
    with the place for data that has no records to cut: a damaged file, brackets that do not fit.
    """
    cutter = Cutter(options)
    gatherer = Gatherer(options, lines_max=lines_max, bytes_max=bytes_max)
    try:
        for piece in stream:
            if isinstance(piece, Chunk):
                for block in cutter.feed(piece.data):
                    yield from gatherer.add(block, piece.position)
            else:
                yield from gatherer.rest()
                yield IDLE
        for block in cutter.finish():
            yield from gatherer.add(block, gatherer.position)
    except BadBody as e:  # what came before is good, and goes
        yield from gatherer.rest()
        raise CommandFailed(f"the input cannot be read further: {e.message}", hint=e.hint, where=e.where) from e
    yield from gatherer.rest()


class Gatherer:
    """Joins the cutter's blocks to bodies, and parts those that are too large."""

    def __init__(self, options: Options, *, lines_max: int, bytes_max: int) -> None:
        self._csv = options.format == "csv"
        self._delimiter = delimited.delimiter_of(options) if self._csv else b""
        self._lines_max = lines_max
        self._bytes_max = bytes_max
        self._header: bytes | None = None
        self._parts: list[bytes] = []
        self._bytes = self._lines = self._index = 0
        self._first_line = 1
        self.position = 0

    def add(self, block: Block, position: int) -> Iterator[Body]:
        """The bodies that *block* completes."""
        self.position = position
        data, line = block.body, block.first_line
        if self._csv:
            if self._header is None:
                _, _, end = next(delimited.records(data, 0, 1, self._delimiter))
                self._header = data[: end + 1]
            data = data[len(self._header) :]
        if not data:  # a header, and no row yet
            return
        lines = data.count(b"\n") + (not data.endswith(b"\n"))
        if self._bytes + len(data) <= self._bytes_max and self._lines + lines <= self._lines_max:
            self._take(data, line, lines)
            return
        ends, counts = self._records(data)
        done = start = lines_before = 0
        while done < ends.size:
            fit_bytes = np.searchsorted(ends, start + self._bytes_max - self._bytes, "right")
            fit_lines = np.searchsorted(counts, lines_before + self._lines_max - self._lines, "right")
            until = int(min(fit_bytes, fit_lines))
            if until <= done:
                if self._parts:
                    yield from self.rest()
                    continue
                until = done + 1  # one record that is larger than a body should be goes alone
            end, lines_until = int(ends[until - 1]), int(counts[until - 1])
            self._take(data[start:end], line + lines_before, lines_until - lines_before)
            done, start, lines_before = until, end, lines_until

    def _take(self, data: bytes, line: int, lines: int) -> None:
        if not self._parts:
            self._first_line = line
        self._parts.append(data)
        self._bytes += len(data)
        self._lines += lines

    def rest(self) -> Iterator[Body]:
        """What waits, as a last body."""
        if self._parts:
            header = self._header or b""
            data = b"".join([header, *self._parts])
            repeated = header.count(b"\n")
            yield Body(self._index, data, self._first_line, repeated, self._lines, self.position)
            self._index += 1
            self._parts, self._bytes, self._lines = [], 0, 0

    def _records(self, data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where each record of *data* ends, in bytes, and how many lines there are up to there."""
        if self._csv and b'"' in data:  # a row may go over several lines
            found = [(end, line) for line, _, end in delimited.records(data, 0, 1, self._delimiter)]
            ends = np.minimum(np.array([end + 1 for end, _ in found], np.int64), len(data))
            first_lines = np.array([line for _, line in found] + [data.count(b"\n") + 1], np.int64)
            return ends, np.maximum(first_lines[1:] - 1, 1)
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10).astype(np.int64) + 1
        if not data.endswith(b"\n"):
            ends = np.append(ends, len(data))
        return ends, np.arange(1, ends.size + 1, dtype=np.int64)
