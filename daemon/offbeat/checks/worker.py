"""The process that judges: checks run here, and nothing of the daemon does. ``python -m offbeat.checks.worker``.

A plug-in may loop for ever, crash, print or read what is not its own. So messages go over handles that it does not
know, what it prints goes to the log, what it reads is empty, and whoever started this process ends it when a run takes
long.
"""
from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections import OrderedDict
from pathlib import Path
from time import perf_counter
from typing import Any, BinaryIO

import orjson

from offbeat.checks.frames import HEAD, Job, framed, jobs_of, needs_document
from offbeat_detectors.checks import outcomes, registry
from offbeat_detectors.checks.contract import Check, Needs
from offbeat_detectors.checks.parameters import UnknownCheck

HELD_MAX = 1_024
"""Checks that are kept made, with their parameters."""
PR_SET_PDEATHSIG = 1
HISTORY_MAX_S = 100 * 366 * 86_400


class Worker:
    """Answers messages, one after the other."""

    def __init__(self, folder: Path | None, modules: tuple[str, ...]) -> None:
        self._folder, self._modules = folder, modules
        self._held: OrderedDict[tuple[str, bytes], Check] = OrderedDict()

    def check(self, kind: str, parameters: dict[str, Any]) -> Check:
        """The check of this kind and these parameters. Raises what making it raises."""
        key = kind, orjson.dumps(parameters)
        made = self._held.pop(key, None)
        if made is None:
            made = registry.create(kind, parameters, self._folder, modules=self._modules)
        self._held[key] = made
        while len(self._held) > HELD_MAX:
            self._held.popitem(last=False)
        return made

    def answers(self, document: dict[str, Any], arrays: bytes) -> Any:
        """What is said to a message, a piece at a time."""
        match document["ask"]:
            case "run":
                for job in jobs_of(document, arrays):
                    yield self._run(job)
            case "describe":
                yield self._describe(document["kind"], document["parameters"])
            case "kinds":
                broken = [{"where": one.where, "line": one.line, "message": one.message}
                          for one in registry.broken(self._folder)]
                yield {"kinds": [_kind_document(one) for one in registry.kinds(self._folder)], "broken": broken}

    def _run(self, job: Job) -> dict[str, Any]:
        began = perf_counter()
        try:
            outcome = outcomes.run(self.check(job.kind, job.parameters), job.data)
            said = outcome and {
                "status": outcome.status.name, "reason": outcome.reason, "message": outcome.message,
                "details": dict(outcome.details),
            }
        except BaseException as e:  # one that ends the process would end the runs behind it too
            said = {"status": "RED", "reason": "error", "message": _words(e), "details": {}}
        return {"outcome": said, "seconds": perf_counter() - began}

    def _describe(self, kind: str, parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"needs": needs_document(sound(self.check(kind, parameters).needs))}
        except BaseException as e:
            return {"error": {"message": _words(e), "hint": str(getattr(e, "hint", "")),
                              "parameter": str(getattr(e, "parameter", "")),
                              "unknown": isinstance(e, UnknownCheck)}}


def sound(needs: Needs) -> Needs:
    """*needs* if they can be met. Raises ValueError for a number that is none, or makes no sense."""
    for name, low, high in (("history_s", 0, HISTORY_MAX_S), ("readings", 0, 1 << 31),
                            ("columns_min", 1, 1 << 31), ("columns_max", needs.columns_min, 1 << 31)):
        value = getattr(needs, name)
        whole = name == "history_s" or isinstance(value, int)
        if not isinstance(value, int | float) or not whole or not low <= value <= high:
            raise ValueError(f"its needs.{name} is {value!r}: expected {low} to {high}")
    return needs


def _words(error: BaseException) -> str:
    """What *error* says; of one that is not meant for people, its type as well."""
    message = getattr(error, "message", None)
    return message if isinstance(message, str) else f"{type(error).__name__}: {error}"[:1_000]


def _kind_document(kind: registry.KindInfo) -> dict[str, Any]:
    parameters = [
        {"name": p.name, "kind": p.kind, "about": p.about, "default": p.default, "required": p.required,
         "choices": list(p.choices), "unit": p.unit}
        for p in kind.parameters or ()
    ]
    return {"kind": kind.kind, "about": kind.about, "from": kind.origin, "columns_min": kind.columns_min,
            "columns_max": kind.columns_max, "parameters": parameters}


def _private_handles() -> tuple[BinaryIO, BinaryIO]:
    """The pipes as handles that no plug-in knows; input is empty from now on, and output goes to the log."""
    came, goes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return came, goes


def _end_with(parent: int) -> None:
    """End when the process *parent* does, in whatever a plug-in is just then."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def main(arguments: list[str]) -> int:
    """Answer until the messages end.

    arguments  the parent's number, bytes of memory, a folder of plug-ins or "", modules that may be named by their path
    """
    parent, memory_bytes, folder = int(arguments[0]), int(arguments[1]), arguments[2]
    came, goes = _private_handles()
    _end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the daemon ends this process itself
    if memory_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    worker = Worker(Path(folder) if folder else None, tuple(arguments[3:]))
    goes.write(framed({"ready": True}))
    goes.flush()
    while len(head := came.read(HEAD.size)) == HEAD.size:
        length, more = HEAD.unpack(head)
        body, arrays = came.read(length), came.read(more)
        for said in worker.answers(orjson.loads(body), arrays):
            goes.write(framed(said))
            goes.flush()
    return 0


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # not the usual end: a thread of a plug-in may never come to its own
