"""Bodies to one table at speed: scanners read what is regular, the careful path the lines that they stop at."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from offbeat.records import Decoded
from offbeat.wire import delimited, jsonarray, scan
from offbeat.wire.build import KEYS, ROWS, Builder
from offbeat.wire.careful import Rejects, is_skipped, read_event
from offbeat.wire.fast_delimited import scan_delimited
from offbeat.wire.fast_lineprotocol import scan_lineprotocol
from offbeat.wire.fast_ndjson import scan_ndjson
from offbeat.wire.fields import BOM, BodyRefused, LineRefused, kept_bytes
from offbeat.wire.numbers import words_of
from offbeat.wire.options import Options

ODD_MAX = 256
"""Lines read with care at once where no regular one came between: going to and fro costs more than it saves, and keeps
the interpreter lock from other threads."""
SCANNERS = {"ndjson": scan_ndjson, "json": scan_ndjson, "csv": scan_delimited, "influx": scan_lineprotocol}


class NeedsCare(Exception):
    """More lines had to be read with care than whoever asked wants to wait for."""


def decode(
    bodies: Sequence[bytes], options: Options, arrival_ms: Sequence[int], first_line: Sequence[int] | None = None,
    careful_max: int | None = None,
) -> Decoded:
    """One table of all events in *bodies*, each of whole records, and what was rejected: as ``decode_carefully`` says.

    arrival_ms  when each body came, milliseconds since 1970 UTC
    first_line  the number of each body's first line (default 1); for CSV, where the header always stands first, the
                number of the line behind the header (default: counted from the header as line 1). A JSON body always
                begins at element 1
    careful_max  about how many lines may be read with care, which takes some ten microseconds each and holds the
                 interpreter lock; for more it raises NeedsCare. Default: all

    Threads may call it at once; nearly all of its time it does not hold the interpreter lock. Raises BadRequest for a
    delimiter that cannot be one.
    """
    reader = _Reader(bodies, options, arrival_ms, first_line)
    reader.careful_left = careful_max
    reader.read()
    rejects = reader.rejects
    return Decoded(
        table=reader.builder.table(), body_end=reader.bodies[:, scan.ROWS_END].copy(),
        row_line=reader.builder.lines(), rejected=tuple(rejects.lines),
        rejected_count=np.array(rejects.counts, np.int64), rejected_codes=dict(rejects.codes), failed=reader.failed)


class _Reader:
    """One call of ``decode``."""

    def __init__(
        self, bodies: Sequence[bytes], options: Options, arrival_ms: Sequence[int], first_line: Sequence[int] | None,
    ) -> None:
        self.options = options
        self.own_bodies = bodies
        self.careful_left: int | None = None
        self.failed: dict[int, str] = {}
        self.rejects = Rejects(options.rejects_kept)
        if options.format == "json":
            bodies = [self._elements(i, body) for i, body in enumerate(bodies)]
            first_line = None
        # Behind each body stands a newline, and behind all what a scanner may read ahead.
        # (A bytearray, for its arrays are writable, as the arena is: one type, one compilation.)
        self.whole = bytearray(b"\n").join([*bodies, options.source_default.encode(), bytes(16)])
        self.bodies = np.zeros((len(bodies), scan.BODY_COLUMNS), np.int64)
        sizes = np.array([len(body) for body in bodies], np.int64)
        self.bodies[:, scan.BODY_STOP] = np.cumsum(sizes + 1) - 1
        self.bodies[:, scan.BODY_START] = self.bodies[:, scan.BODY_STOP] - sizes
        unknown = 0 if options.format == "csv" else 1  # of CSV: what the header says
        self.bodies[:, scan.FIRST_LINE] = unknown if first_line is None else first_line
        self.bodies[:, scan.ARRIVAL] = arrival_ms
        for i, body in enumerate(bodies if options.format != "csv" else ()):
            if body.startswith(BOM) and self.bodies[i, scan.FIRST_LINE] == 1:
                self.bodies[i, scan.BODY_START] += len(BOM)
        self.builder = Builder(len(self.whole), scan.roles_of(options))
        self.columns: tuple[str, ...] = ()
        self.data = np.frombuffer(self.whole, np.uint8)
        self.words = words_of(self.data)
        default_stop = self.data.size - 17
        self.rules = scan.rules_of(options, default_stop - len(options.source_default.encode()), default_stop,
                                   scan.fields_in(options, len(self.whole)))

    def _elements(self, i: int, body: bytes) -> bytes:
        try:
            return jsonarray.lines_of(body, kept_bytes(self.options))
        except BodyRefused as e:
            self.failed[i] = str(e)
            return b""

    def read(self) -> None:
        """Read all bodies into the table."""
        if self.options.format == "csv":
            for i in range(len(self.bodies)):
                self.rejects.begin_body()
                self._read_rows(i)
        elif len(self.bodies):
            place = np.array([0, self.bodies[0, scan.BODY_START], self.bodies[0, scan.FIRST_LINE]], np.int64)
            self._scan(place, scan.nothing_found(int(self.rules[scan.FIELDS_MAX])))

    def _read_rows(self, i: int) -> None:
        """Read body *i*, of CSV, which has a header of its own."""
        try:
            header = delimited.read_header(self.own_bodies[i], self.options)
        except BodyRefused as e:
            self.failed[i] = str(e)
            self.bodies[i, scan.ROWS_END] = self.builder.arrays.counts[ROWS]
            return
        self.columns, at, line = header
        found = np.full((len(self.columns), scan.FOUND_COLUMNS), -1, np.int64)
        for k, name in enumerate(self.columns):
            key = self.builder.name(KEYS, name)  # first: it may grow the arrays
            scan.note_key(found, k, key, self.builder.arrays.names)
        place = i, int(self.bodies[i, scan.BODY_START]) + at, int(self.bodies[i, scan.FIRST_LINE]) or line
        self._scan(np.array(place, np.int64), found)

    def _scan(self, place: NDArray[np.int64], found: NDArray[np.int64]) -> None:
        """Read from *place* to the last body, or to the end of the body in CSV."""
        scanner = SCANNERS[self.options.format]
        said = scan.ODD
        odd, read_to = 1, -1
        while said != scan.DONE:
            said = scanner(self.data, self.words, self.bodies, place, found, self.rules, *self.builder.arrays)
            while len(self.rejects.counts) <= place[scan.BODY]:
                self.rejects.begin_body()
            if said == scan.FULL:
                self.builder.grow()
            elif said == scan.ODD:
                odd = min(2 * odd, ODD_MAX) if place[scan.AT] == read_to else 1
                if self.careful_left is not None:
                    self.careful_left -= odd
                    if self.careful_left < 0:
                        raise NeedsCare
                self._read_lines(place, odd)
                read_to = int(place[scan.AT])

    def _read_lines(self, place: NDArray[np.int64], count: int) -> None:
        """Read up to *count* lines of the body at *place* with care, and move *place* behind them."""
        stop = int(self.bodies[place[scan.BODY], scan.BODY_STOP])
        for _ in range(count):
            self._read_line(place)
            if place[scan.AT] >= stop:
                return

    def _read_line(self, place: NDArray[np.int64]) -> None:
        """Read the line at *place* with care, and move *place* behind it."""
        body, at, line = place.tolist()
        stop = int(self.bodies[body, scan.BODY_STOP])
        if self.options.format == "csv":
            end = min(delimited.record_end(self.whole, at, delimited.delimiter_of(self.options)), stop)
        else:
            end = self.whole.find(b"\n", at, stop)
            end = stop if end < 0 else end
        content = bytes(self.whole[at : min(end, at + kept_bytes(self.options) + 1)])
        try:
            if len(content) > self.options.line_bytes_max or not is_skipped(content, self.options):
                arrival_ms = int(self.bodies[body, scan.ARRIVAL])
                self.builder.add(read_event(content, self.columns, self.options, arrival_ms), line)
        except LineRefused as e:
            self.rejects.add(line, e, content)
        place[scan.AT] = end + 1
        place[scan.LINE] = line + 1 + self.whole.count(b"\n", at, end)
