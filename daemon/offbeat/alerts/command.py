"""The sink that runs a command. No shell: the arguments are those of the settings, the notification is on its input."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

import orjson

from offbeat.alerts.sinks import Note, SendFailed
from offbeat.config import CommandConfig

OUTPUT_MAX = 4_096
"""So much of what a command says last is kept, in bytes."""

log = logging.getLogger(__name__)


class Command:
    """One program."""

    resend_s = 0.0

    def __init__(self, name: str, config: CommandConfig) -> None:
        self._name, self._config = name, config

    async def send(self, note: Note) -> None:
        """Run the command with *note* as JSON on its input; it must end with 0 in time.

        Raises SendFailed, with the last line that it said; the log has more of it. Beyond its time it is killed with
        all that it started.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *self._config.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as e:
            raise SendFailed(f"{self._config.argv[0]} cannot be run: {e}") from e
        said, document = bytearray(), orjson.dumps({"id": note.id, **note.document})
        try:
            async with asyncio.timeout(self._config.timeout_s):
                await asyncio.gather(_feed(process, document), _hear(process, said))
                status = await process.wait()
        except BaseException as e:
            _kill(process)
            await process.wait()
            if not isinstance(e, TimeoutError):
                raise
            raise self._failed(said, f"did not end within {self._config.timeout_s:g} s and was killed") from None
        if status:
            raise self._failed(said, f"ended with {status}" if status > 0 else f"was ended by signal {-status}")

    def _failed(self, said: bytearray, how: str) -> SendFailed:
        words = said.decode(errors="replace").strip()
        if words:
            log.warning("sink %s: %s %s and said: %s", self._name, self._config.argv[0], how, words)
        last = words.splitlines()[-1][:200] if words else ""
        return SendFailed(f"{self._config.argv[0]} {how}{': ' if last else ''}{last}")

    async def resend(self, notes: Sequence[Note]) -> None:
        """Nothing: a command is run once for each notification."""

    async def close(self) -> None:
        """Nothing is held open."""


async def _feed(process: asyncio.subprocess.Process, document: bytes) -> None:
    assert process.stdin is not None
    with suppress(ConnectionError):  # it need not read what it is given
        process.stdin.write(document)
        await process.stdin.drain()
    process.stdin.close()


async def _hear(process: asyncio.subprocess.Process, said: bytearray) -> None:
    assert process.stdout is not None
    while some := await process.stdout.read(OUTPUT_MAX):
        said += some
        del said[:-OUTPUT_MAX]


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill all that runs yet in the command's own session; one of them holds its output open, or it is not over."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
