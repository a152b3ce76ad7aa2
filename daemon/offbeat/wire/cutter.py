"""A stream to blocks of whole records, whatever the chunks that it comes in; nothing here looks into a record."""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from offbeat.errors import BadBody
from offbeat.wire import delimited, jsonarray
from offbeat.wire.fields import BOM, kept_bytes
from offbeat.wire.options import Options


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole records of a stream, as ``decode`` wants them together with ``Cutter.block_options``.

    body        the records; for CSV behind a copy of the header
    first_line  the number of the first (for CSV: of the first data row) in the stream
    """

    body: bytes
    first_line: int


class Cutter:
    """Cuts one stream at the ends of its records; its memory is one record of ``line_bytes_max`` and one chunk.

    Of a longer record just so much is kept that ``decode`` rejects it as too long: no other account of it is needed.
    Elements of a JSON array become lines, numbered by element; so *block_options* says NDJSON for them.
    """

    def __init__(self, options: Options) -> None:
        self.block_options = replace(options, format="ndjson") if options.format == "json" else options
        self._format = options.format
        self._kept_max = kept_bytes(options) + 1 + len(BOM)
        self._line = 1
        self._carry = bytearray()  # the beginning of the record that has not ended
        self._dropping = False  # some of that record is not kept
        # CSV:
        self._delimiter = delimited.delimiter_of(options)[0] if options.format == "csv" else 0
        self._place = np.zeros(1, np.int64)
        self._header: bytes | None = None
        self._lines_dropped = 0
        self._quote_open = False
        # JSON:
        self._state = jsonarray.fresh_state()
        self._head: bytes | None = b""  # up to three bytes that may be a byte order mark; None once that is known
        self._given = 0
        self._broken: BadBody | None = None

    @property
    def next_line(self) -> int:
        """The number of the first record that is in no block yet."""
        return self._line

    def feed(self, chunk: bytes) -> list[Block]:
        """The records that *chunk* completes. Raises BadBody if an earlier chunk broke a JSON document."""
        if self._format == "json":
            return self._feed_json(chunk)
        if self._format == "csv":
            return self._feed_csv(chunk)
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            self._keep(chunk)
            return []
        rest = chunk[chunk.index(b"\n") : cut] if self._dropping else chunk[:cut]
        block = self._block(bytes(self._carry) + rest)
        self._begin_record()
        self._keep(chunk[cut:])
        return [block]

    def finish(self) -> list[Block]:
        """The last records: the stream has ended. Raises BadBody if a JSON document is broken or not complete."""
        if self._format == "json":
            return self._finish_json()
        if not self._carry:
            return []
        if self._format == "csv":
            return self._csv_blocks(self._carried())
        return [self._block(bytes(self._carry))]

    def _block(self, body: bytes) -> Block:
        block = Block(body, self._line)
        self._line += body.count(b"\n")
        return block

    def _begin_record(self) -> None:
        self._carry.clear()
        self._dropping = self._quote_open = False
        self._lines_dropped = 0

    def _keep(self, data: bytes) -> None:
        room = self._kept_max - len(self._carry)
        self._carry += data[:room]
        self._dropping = self._dropping or len(data) > room

    # CSV

    def _feed_csv(self, chunk: bytes) -> list[Block]:
        room = self._kept_max - len(self._carry)
        place_before = self._place.copy()
        first, last = delimited.scan_records(np.frombuffer(chunk, np.uint8), self._place, self._delimiter)
        if not last:
            self._keep_csv(chunk, place_before, room)
            return []
        blocks: list[Block] = []
        start = 0
        if self._dropping or first > room:
            self._keep_csv(chunk[: first - 1], place_before, room)
            blocks += self._csv_blocks(self._carried() + b"\n")
            self._line += self._lines_dropped
            start = first
        else:
            chunk, last = bytes(self._carry) + chunk, last + len(self._carry)
        self._begin_record()
        if last > start:
            blocks += self._csv_blocks(chunk[start:last])
        self._keep_csv(chunk[last:], np.zeros(1, np.int64), self._kept_max)
        return blocks

    def _keep_csv(self, data: bytes, place: NDArray[np.int64], room: int) -> None:
        """Keep of a record that goes on with *data*, from *place*, what there is *room* for."""
        kept = data[: max(room, 0)]
        if len(data) > len(kept) and not self._dropping:
            delimited.scan_records(np.frombuffer(kept, np.uint8), place, self._delimiter)
            self._quote_open = bool(place[0] == delimited.QUOTED)
            self._dropping = True
        self._carry += kept
        self._lines_dropped += data.count(b"\n", len(kept))

    def _carried(self) -> bytes:
        """The record that was carried; one cut short in quotes is closed, so that it still is one record."""
        return bytes(self._carry) + (b'"' if self._quote_open else b"")

    def _csv_blocks(self, body: bytes) -> list[Block]:
        if self._header is not None:
            block = self._block(body)
            return [Block(self._header + block.body, block.first_line)]
        start = len(BOM) if self._line == 1 and body.startswith(BOM) else 0
        for _, begin, end in delimited.records(body, start, 0, bytes([self._delimiter])):
            if not delimited.is_blank(body[begin:end]):
                self._header = body[begin:end] + b"\n"
                self._line += body.count(b"\n", 0, end + 1)
                rest = self._block(body[end + 1 :])
                return [Block(self._header + rest.body, rest.first_line)]
        self._block(body)
        return []

    # JSON

    def _feed_json(self, chunk: bytes) -> list[Block]:
        if self._head is not None:
            chunk, self._head = self._head + chunk, None
            if len(chunk) < len(BOM) and BOM.startswith(chunk):
                self._head = chunk
                return []
            if chunk.startswith(BOM):
                self._given, chunk = len(BOM), chunk[len(BOM) :]
        return self._cut_json(chunk)

    def _cut_json(self, chunk: bytes) -> list[Block]:
        if self._broken is not None:
            raise self._broken
        data = np.frombuffer(chunk, np.uint8)
        out = np.empty(data.size + 1, np.uint8)
        element_bytes_max = kept_bytes(self.block_options)
        read, written = jsonarray.cut_elements(data, 0, self._state, out, element_bytes_max)
        self._given += read
        if read < data.size:
            self._broken = self._bad_body(jsonarray.refusal(self._state, self._given + 1), self._given + 1)
        whole = out[:written].tobytes()
        cut = whole.rfind(b"\n") + 1
        blocks = [self._block(bytes(self._carry) + whole[:cut])] if cut else []
        if cut:
            self._carry.clear()
        self._carry += whole[cut:]
        return blocks

    def _finish_json(self) -> list[Block]:
        if self._head:
            self._cut_json(self._head)
        reason = jsonarray.ends_early(self._state)
        if self._broken is not None or reason is not None:
            raise self._broken or self._bad_body(str(reason), self._given)
        return []

    def _bad_body(self, reason: str, byte: int) -> BadBody:
        return BadBody(reason, where={"line": int(self._state[jsonarray.ELEMENT]), "byte": byte})
