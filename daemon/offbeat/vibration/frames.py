"""What a process that computes says to the daemon: frames of a kind and a payload. Pure."""

from __future__ import annotations

import struct
from typing import BinaryIO, Protocol

HEAD = struct.Struct("<cQ")
PROGRESS, MEASURED, MODEL, DONE, FAILED = b"P", b"I", b"M", b"D", b"F"
"""A share from 0 to 1 as JSON; JSON that says what is analysed; bytes of a model; JSON of what came of it; why not."""
FRAME_BYTES_MAX = 1 << 31


class Reader(Protocol):
    """What frames are read from."""

    async def readexactly(self, n: int) -> bytes:
        """So many bytes, or IncompleteReadError."""
        ...


def send(out: BinaryIO, kind: bytes, payload: bytes) -> None:
    """Write one frame."""
    out.write(HEAD.pack(kind, len(payload)))
    out.write(payload)
    out.flush()


async def receive(reader: Reader) -> tuple[bytes, bytes]:
    """The next frame: its kind and its payload. Raises IncompleteReadError at the end, ValueError for no frame."""
    kind, size = HEAD.unpack(await reader.readexactly(HEAD.size))
    if size > FRAME_BYTES_MAX:
        raise ValueError(f"a frame of {size} bytes")
    return kind, await reader.readexactly(size)
