"""The processes that judge, as the daemon has them: started when they are needed, ended when a run takes too long."""
from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, TypeVar

import orjson

from offbeat.checks.frames import ANSWER_BYTES_MAX, HEAD, Job, batch, framed, needs_of
from offbeat.checks.spec import bad
from offbeat.errors import BadRequest, NoWorker
from offbeat_detectors.checks.contract import Needs

log = logging.getLogger(__name__)
START_S = 60.0
"""Longest time until a process can judge: it imports numpy, on a machine that may be busy."""
DESCRIBE_S = 10.0
GRACE_S = 0.25
"""What a message takes on its way, besides the run."""
Reason = Literal["judged", "no_data", "error"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said:
    """What a run said. *status*, reason, message and details are those of an outcome; *status* "": no outcome at all.

    killed  its process was ended, or ended itself
    """

    status: str
    reason: Reason
    message: str
    details: dict[str, Any]
    seconds: float
    killed: bool = False


class Gone(Exception):
    """A process is no more. Its text says how it ended."""


class Process:
    """One process that judges. *generation*: which form of the plug-ins it has read."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.alive = True
        self._process: asyncio.subprocess.Process | None = None

    @property
    def runs(self) -> bool:
        """It has not ended, as far as is known."""
        return self.alive and self._process is not None and self._process.returncode is None

    async def start(self, folder: str, memory_bytes: int, modules: Sequence[str]) -> None:
        """It is ready. Raises Gone."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "offbeat.checks.worker", str(os.getpid()), str(memory_bytes), folder,
            *modules,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # a thread a core reserves memory that counts
        )  # fmt: skip
        await self.hear(START_S)

    async def tell(self, message: bytes) -> None:
        """Send a message. Raises Gone."""
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(message)
            async with asyncio.timeout(START_S):
                await self._process.stdin.drain()
        except (ConnectionError, TimeoutError):
            raise await self._gone() from None

    async def hear(self, within_s: float) -> dict[str, Any]:
        """The next answer. Raises Gone, and TimeoutError if it does not come in time."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(within_s):
                length, more = HEAD.unpack(await self._process.stdout.readexactly(HEAD.size))
                if length > ANSWER_BYTES_MAX or more:
                    raise await self._gone("said what makes no sense")
                heard: dict[str, Any] = orjson.loads(await self._process.stdout.readexactly(length))
                return heard
        except (asyncio.IncompleteReadError, ConnectionError):
            raise await self._gone() from None
        except orjson.JSONDecodeError:
            raise await self._gone("said what makes no sense") from None

    async def _gone(self, how: str = "") -> Gone:
        if how:
            await self.kill()
            return Gone(how)
        assert self._process is not None
        status = None
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                status = await self._process.wait()
        await self.kill()
        if status is None:
            return Gone("closed its handles")
        return Gone(f"ended with status {status}" if status >= 0 else f"was ended by signal {-status}")

    async def kill(self) -> None:
        """It is no more, and neither is what it started."""
        self.alive = False
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


@dataclass
class Crew:
    """So many processes as there are *workers*, none before the first run.

    folder  plug-ins as files; when one of them changes, the processes begin anew
    """

    workers: int
    folder: str
    memory_bytes: int
    modules: tuple[str, ...]
    restarted: Callable[[], None]
    _idle: list[Process] = field(default_factory=list)
    _all: set[Process] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.workers)
        self.generation = 0
        self._files = _files(self.folder)

    def look(self) -> bool:
        """Whether files of the folder have changed since this was asked last."""
        files = _files(self.folder)
        if files == self._files:
            return False
        self._files = files
        self.generation += 1
        return True

    async def run(self, jobs: Sequence[Job], limit_s: float, kills_max: int) -> list[Said]:
        """What the runs say, in their order, each within *limit_s*.

        A run that takes longer, or ends its process, is RED for itself, and those behind it go on in another process,
        after whoever waits for one. Once *kills_max* have, the rest is not run: the list is shorter.
        """
        said: list[Said] = []
        kills = 0
        while len(said) < len(jobs) and kills < kills_max:
            some = await self._with_one(partial(_judged, jobs=jobs[len(said) :], limit_s=limit_s))
            said += some
            if some[-1].killed:
                kills += 1
        return said

    async def describe(self, kind: str, parameters: dict[str, Any]) -> Needs:
        """What a check of these needs. Raises BadRequest, naming kind or the parameter, if there can be none."""
        asked = framed({"ask": "describe", "kind": kind, "parameters": parameters})
        answer = await self._asked(asked, bad("kind", f"{kind} cannot be made"))
        if "needs" in answer:
            return needs_of(answer["needs"])
        error = answer["error"]
        if error["unknown"]:
            raise BadRequest(f"kind: {error['message']}; nothing was changed", hint=error["hint"],
                             where={"field": "kind"})
        name = f"parameters.{error['parameter']}" if error["parameter"] else "parameters"
        raise BadRequest(f"{name}: {error['message']}; nothing was changed", hint=error["hint"], where={"field": name})

    async def kinds(self) -> dict[str, Any]:
        """The kinds that there are, and which plug-ins are broken. Raises BadRequest if one does not end."""
        return await self._asked(framed({"ask": "kinds"}), bad("folder", f"{self.folder} cannot be read"))

    async def _asked(self, message: bytes, refusal: BadRequest) -> dict[str, Any]:
        async def ask(process: Process) -> dict[str, Any] | str:
            try:
                await process.tell(message)
                return await process.hear(DESCRIBE_S)
            except TimeoutError:
                await process.kill()
                return f"its code did not end within {DESCRIBE_S:g} s"
            except Gone as e:
                return f"its process {e}"

        answer = await self._with_one(ask)
        if isinstance(answer, str):
            raise BadRequest(f"{refusal.message.removesuffix('; nothing was changed')}: {answer}; nothing was changed",
                             where=refusal.where)
        return answer

    async def _with_one(self, use: Callable[[Process], Awaitable[T]]) -> T:
        async with self._free:
            process = await self._one()
            try:
                result = await use(process)
            except BaseException:  # cancelled in the middle of its answers: they would be taken for others'
                self._all.discard(process)
                await asyncio.shield(process.kill())
                raise
            if process.alive:
                self._idle.append(process)
            else:
                self._all.discard(process)
                self.restarted()
            return result

    async def _one(self) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.generation == self.generation and process.runs:
                return process
            self._all.discard(process)
            await process.kill()
        process = Process(self.generation)
        self._all.add(process)
        try:
            await process.start(self.folder, self.memory_bytes, self.modules)
        except BaseException as e:
            self._all.discard(process)
            await asyncio.shield(process.kill())
            if isinstance(e, Gone | TimeoutError | OSError):
                raise NoWorker(f"a process that judges could not be started: {str(e) or 'it took too long'}") from e
            raise
        return process

    async def close(self) -> None:
        """All of them are gone."""
        for process in list(self._all):
            await process.kill()
        self._all.clear()
        self._idle.clear()


async def _judged(process: Process, jobs: Sequence[Job], limit_s: float) -> list[Said]:
    """What the runs say, up to the first that its process did not outlive."""
    said: list[Said] = []
    began = perf_counter()
    try:
        await process.tell(batch(jobs))
        for _ in jobs:
            began = perf_counter()
            answer = await process.hear(limit_s + GRACE_S)
            said.append(_said(answer))
    except TimeoutError:
        await process.kill()
        seconds = perf_counter() - began
        said.append(_killed(f"it did not end within {limit_s:g} s and was killed", seconds))
    except Gone as e:
        said.append(_killed(f"its process {e}", perf_counter() - began))
    return said


def _said(answer: dict[str, Any]) -> Said:
    outcome, seconds = answer["outcome"], float(answer["seconds"])
    if outcome is None:
        return Said("", "judged", "", {}, seconds)
    return Said(outcome["status"], outcome["reason"], outcome["message"], outcome["details"], seconds)


def _killed(message: str, seconds: float) -> Said:
    return Said("RED", "error", message, {}, seconds, killed=True)


def _files(folder: str) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of each plug-in in *folder*."""
    found = []
    with suppress(OSError):
        for path in sorted(Path(folder).glob("*.py")) if folder else ():
            stat = path.stat()
            found.append((path.name, stat.st_mtime_ns, stat.st_size))
    return tuple(found)
