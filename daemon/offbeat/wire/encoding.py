"""Content-Encoding undone, piece by piece: a body of any size passes through, a bomb never stands in memory."""
from __future__ import annotations

import zlib
from collections.abc import Callable, Generator, Iterator
from enum import Enum, auto
from typing import Protocol

import zstandard

from offbeat.errors import BadBody, BodyTooLarge, UnsupportedMedia

PIECE_BYTES_MAX = 1024 * 1024
ENCODINGS_MAX = 2
ZSTD_WINDOW_BYTES_MAX = 8 * 1024 * 1024
"""What RFC 9659 lets a sender of HTTP ask for; a frame that wants more would have us allocate it."""
ZSTD_BLOCK_BYTES_MAX = 128 * 1024
ZSTD_MAGIC = 0xFD2FB528
ZSTD_SKIPPABLE_MAGIC = 0x184D2A50


class Damaged(Exception):
    """The stage cannot go on; the message says why."""


class Stage(Protocol):
    """One encoding being undone."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What *data* decompresses to, in pieces of at most PIECE_BYTES_MAX."""
        ...

    def finish(self) -> None:
        """Raise Damaged if the data may not end here."""
        ...


class Identity:
    """Nothing to undo."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), PIECE_BYTES_MAX):
            yield data[start : start + PIECE_BYTES_MAX]

    def finish(self) -> None:
        return


class Gzip:
    """gzip, RFC 1952: one member or several; zeros after the last are padding."""

    def __init__(self) -> None:
        self._member: zlib._Decompress | None = None
        self._members = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._member is None:
                if self._members:
                    data = data.lstrip(b"\0")
                    if not data:
                        return
                self._member = zlib.decompressobj(wbits=31)
                self._members += 1
            yield from inflated(self._member, data)
            data = self._member.unused_data
            if self._member.eof:
                self._member = None

    def finish(self) -> None:
        if self._member is not None:
            raise Damaged("the gzip data ends early")


class Deflate:
    """deflate: zlib's format, RFC 1950, as HTTP wants it, or raw, RFC 1951, as some send it."""

    def __init__(self) -> None:
        self._head = b""
        self._stream: zlib._Decompress | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            self._head += data
            if len(self._head) < 2:
                return
            data, self._head = self._head, b""
            is_zlib = data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
            self._stream = zlib.decompressobj(wbits=15 if is_zlib else -15)
        if self._stream.eof:
            raise Damaged("something follows the end of the deflate data")
        yield from inflated(self._stream, data)
        if self._stream.unused_data:
            raise Damaged("something follows the end of the deflate data")

    def finish(self) -> None:
        if self._head or (self._stream is not None and not self._stream.eof):
            raise Damaged("the deflate data ends early")


def inflated(stream: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """What *data* inflates to, up to the end of the stream; what lies behind is in its ``unused_data``."""
    while True:
        try:
            piece = stream.decompress(data, PIECE_BYTES_MAX)
        except zlib.error as e:
            raise Damaged(f"the compressed data is damaged ({e})") from None
        if piece:
            yield piece
        data = stream.unconsumed_tail
        # The tail can be empty while a full piece's worth is still inside: ask until nothing comes.
        if stream.eof or (not data and len(piece) < PIECE_BYTES_MAX):
            return


class Unit(Enum):
    """What comes next in zstd data."""

    HEADER = auto()
    CONTENT = auto()
    BLOCK = auto()
    FRAME_END = auto()


def zstd_units() -> Generator[tuple[Unit, int], bytes, None]:
    """The parts of zstd data with their sizes in bytes; each HEADER wants its bytes sent in."""
    while True:
        magic = int.from_bytes((yield Unit.HEADER, 4), "little")
        if magic & ~15 == ZSTD_SKIPPABLE_MAGIC:
            yield Unit.CONTENT, int.from_bytes((yield Unit.HEADER, 4), "little")
        elif magic == ZSTD_MAGIC:
            descriptor = (yield Unit.HEADER, 1)[0]
            single_segment = descriptor >> 5 & 1
            dictionary_id = (0, 1, 2, 4)[descriptor & 3]
            content_size = (single_segment, 2, 4, 8)[descriptor >> 6]
            yield Unit.CONTENT, 1 - single_segment + dictionary_id + content_size
            is_last = False
            while not is_last:
                block = int.from_bytes((yield Unit.HEADER, 3), "little")
                is_last = bool(block & 1)
                repeats_one_byte = block >> 1 & 3 == 1
                yield Unit.BLOCK, 1 if repeats_one_byte else block >> 3
            yield Unit.CONTENT, 4 * (descriptor >> 2 & 1)  # the checksum
        else:
            raise Damaged("the zstd data is damaged (no frame begins here)")
        yield Unit.FRAME_END, 0


class Zstd:
    """zstd, RFC 8878: one frame or several, skippable ones too.

    The library does not bound what one call gives, so it is fed a few blocks at a time: a block holds at most 128 KiB.
    """

    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES_MAX)
        self._frame = self._decompressor.decompressobj()
        self._units = zstd_units()
        self._unit, self._left = next(self._units)
        self._header = b""
        self._between_frames = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        at = fed = blocks = 0
        while at < len(data):
            step = min(self._left, len(data) - at)
            if self._unit is Unit.HEADER:
                self._header += data[at : at + step]
            at += step
            self._left -= step
            self._between_frames = False
            while not self._left:
                if self._unit is Unit.FRAME_END:
                    yield from self._decompressed(data[fed:at])
                    fed, blocks = at, 0
                    self._frame = self._decompressor.decompressobj()
                    self._between_frames = True
                elif self._unit is Unit.BLOCK and (blocks := blocks + 1) * ZSTD_BLOCK_BYTES_MAX >= PIECE_BYTES_MAX:
                    yield from self._decompressed(data[fed:at])
                    fed, blocks = at, 0
                is_header, header, self._header = self._unit is Unit.HEADER, self._header, b""
                self._unit, self._left = self._units.send(header) if is_header else next(self._units)
        yield from self._decompressed(data[fed:])

    def _decompressed(self, data: bytes) -> Iterator[bytes]:
        if data:
            try:
                whole = self._frame.decompress(data)
            except zstandard.ZstdError as e:
                raise Damaged(f"the compressed data is damaged ({e})") from None
            yield from Identity().feed(whole)

    def finish(self) -> None:
        if not self._between_frames:
            raise Damaged("the zstd data ends early")


STAGES: dict[str, Callable[[], Stage]] = {
    "identity": Identity, "gzip": Gzip, "x-gzip": Gzip, "deflate": Deflate, "zstd": Zstd,
}


class Decompressor:
    """A body that comes in under *encoding* (the value of Content-Encoding, in the order applied) and goes on without.

    Raises UnsupportedMedia for an encoding that is not known, or more than two.
    """

    def __init__(self, encoding: str, bytes_max: int) -> None:
        names = [name.strip().lower() for name in encoding.split(",") if name.strip()]
        known, where = "known are " + ", ".join(STAGES), {"header": "Content-Encoding"}
        for name in names:
            if name not in STAGES:
                raise UnsupportedMedia(f"the Content-Encoding {name} is not known", hint=known, where=where)
        if len(names) > ENCODINGS_MAX:
            raise UnsupportedMedia(
                f"{len(names)} encodings over one another: at most {ENCODINGS_MAX} are undone", hint=known, where=where)
        self._stages = [STAGES[name]() for name in reversed(names)] or [Identity()]
        self._bytes_max = bytes_max
        self._given = 0
        self._gone_out = [0] * len(self._stages)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What *data* decompresses to, in pieces of at most 1 MiB; the next piece is made when it is asked for.

        Exhaust it before the next call. Raises BodyTooLarge when more than *bytes_max* have come out, BadBody for
        damaged data, with the number of bytes that had come in as ``where["byte"]``.
        """
        self._given += len(data)
        try:
            yield from self._through(0, data)
        except Damaged as e:
            raise self._bad_body(e) from None

    def finish(self) -> None:
        """Raise BadBody if the data may not end here."""
        if self._given == 0:
            return  # an empty body is empty under every encoding
        try:
            for stage in self._stages:
                stage.finish()
        except Damaged as e:
            raise self._bad_body(e) from None

    def _through(self, i: int, data: bytes) -> Iterator[bytes]:
        if i == len(self._stages):
            yield data
            return
        for piece in self._stages[i].feed(data):
            self._gone_out[i] += len(piece)
            if self._gone_out[i] > self._bytes_max:
                raise BodyTooLarge(
                    f"the body is over {self._bytes_max} bytes when decompressed",
                    hint="send it in parts, or raise ingest.decompressed_bytes_max", where={"byte": self._given})
            yield from self._through(i + 1, piece)

    def _bad_body(self, damaged: Damaged) -> BadBody:
        return BadBody(f"{damaged} within the first {self._given} bytes", where={"byte": self._given})
