"""Bytes of a stream of server-sent events to messages. Pure: no socket.

Source: WHATWG HTML, 9.2 "Server-sent events". Left out: ``retry``, for the follower has a back-off of its own.
"""
from __future__ import annotations

from dataclasses import dataclass

MESSAGE_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """One event: its kind, its data, and the newest id seen up to it ("" if none was)."""

    kind: str
    data: str
    id: str


class Parser:
    """Cut a stream of server-sent events into messages, wherever the bytes are cut."""

    def __init__(self) -> None:
        self._rest = b""
        self._kind = ""
        self._data: list[str] = []
        self._data_bytes = 0
        self.last_id = ""

    def feed(self, chunk: bytes) -> list[Message]:
        """The messages that *chunk* completes. Raises ValueError for one of more than 16 MiB."""
        lines = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) + self._data_bytes > MESSAGE_BYTES_MAX:
            raise ValueError(f"an event of the stream is longer than {MESSAGE_BYTES_MAX} bytes")
        messages = []
        for line in lines:
            if not line:
                if self._data:
                    messages.append(Message(self._kind or "message", "\n".join(self._data), self.last_id))
                self._kind, self._data, self._data_bytes = "", [], 0
                continue
            name, _, value = line.decode(errors="replace").partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                self._data.append(value)
                self._data_bytes += len(line)
            elif name == "event":
                self._kind = value
            elif name == "id" and "\0" not in value:
                self.last_id = value
        return messages
