"""A daemon of one's own for a while: started on a free port in a directory that goes with it."""
from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from offbeat.cli.exits import CommandFailed

READY = re.compile(r"https?://\S+:\d+")
START_S_MAX = 180.0
STOP_S_MAX = 60.0


@dataclass(frozen=True, slots=True)
class OwnDaemon:
    """Where the daemon listens, its process, and the directory that holds its state and its log."""

    url: str
    pid: int
    directory: Path


@asynccontextmanager
async def own_daemon(*, keep: bool) -> AsyncIterator[OwnDaemon]:
    """Start a daemon; stop it and remove its directory at the end, unless *keep* and all went well.

    It has a session of its own, so Ctrl-C reaches it only through here. Raises CommandFailed, with its exit status and
    its last words, if it does not start within three minutes: the first start ever compiles the kernels.
    """
    directory = Path(tempfile.mkdtemp(prefix="offbeat-demo-"))
    log = directory / "daemon.log"
    command = [sys.executable, "-m", "offbeat", "serve", "--port", "0", "--state-dir", str(directory / "state")]
    kept = False
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 — to start it takes a millisecond, and it may outlive the event loop
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        url = await _ready_url(process, log)
        yield OwnDaemon(url, process.pid, directory)
        kept = keep
    finally:
        if not kept:
            _stop(process)
            shutil.rmtree(directory, ignore_errors=True)
        else:
            process.returncode = 0  # it outlives this process on purpose: nobody waits for it


async def _ready_url(process: subprocess.Popen[bytes], log: Path) -> str:
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + START_S_MAX
    while True:
        ended = process.poll()
        said = log.read_text(errors="replace")  # noqa: ASYNC240 — a few lines on the local disk
        if ended is not None:
            last = said.strip().splitlines()[-2:] or ["it said nothing"]
            failed = CommandFailed(
                f"the daemon did not start: {'; '.join(line.strip().removeprefix('offbeat: ') for line in last)}"
            )
            failed.exit_status = ended if ended > 0 else int(failed.exit_status)
            raise failed
        found = READY.search(said)
        if found:
            return found[0]
        if loop.time() > deadline_s:
            raise CommandFailed(
                f"the daemon was not ready within {START_S_MAX:.0f} s", hint="is the machine very busy?"
            )
        await asyncio.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
