"""The process that computes one analysis: it reads the store, says how far it is, and what came of it, and ends.

It is begun by the daemon as ``python -m offbeat.vibration.worker``; it ends when the daemon does.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
from pathlib import Path
from typing import BinaryIO

import orjson

from offbeat.errors import OffbeatError
from offbeat.store import mvg_analyses as store
from offbeat.store.mvg import Window
from offbeat.vibration import frames
from offbeat.vibration.task import Task

NICENESS = 10
"""An analysis may take minutes; those who send and ask do not wait for it."""


def main() -> None:
    """Compute what the first line of standard input says."""
    out, source = os.fdopen(os.dup(1), "wb"), sys.stdin.buffer
    os.dup2(2, 1)  # whatever a library prints is no frame
    head = source.readline()
    if not head:
        return
    os.nice(NICENESS)
    bytes_max = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (bytes_max, bytes_max))
    threading.Thread(target=_end_with_the_daemon, args=(source,), daemon=True).start()
    try:
        _compute(Task.of(head), out)
    except MemoryError:
        most = f"{bytes_max >> 20} MiB"
        _fail(out, f"it needs more than the {most} that mvg.analysis_bytes_max allows: narrow the window")
    except (ValueError, OffbeatError) as e:
        _fail(out, str(e))


def _compute(task: Task, out: BinaryIO) -> None:
    from offbeat.vibration import features  # after the limit: what it imports counts

    db = store.connected(Path(task.path))
    window, numbers = Window(task.start, task.end), [member.number for member in task.members]
    db.execute("BEGIN")
    used = store.used_now(db, numbers, window, task.model)
    given = [store.given(db, number, task.names, window) for number in numbers]
    db.execute("COMMIT")  # a long look at the store would keep its log from being moved; measurements never change
    times = [one.timestamps for one in given if one.timestamps.size]
    measured = {
        "count": sum(one.timestamps.size for one in given),
        "first_timestamp": min((int(one[0]) for one in times), default=None),
        "last_timestamp": max((int(one[-1]) for one in times), default=None),
    }
    frames.send(out, frames.MEASURED, orjson.dumps(measured))

    def tell(share: float) -> None:
        frames.send(out, frames.PROGRESS, orjson.dumps(round(min(max(share, 0.0), 1.0), 3)))

    outcome = features.compute(task, features.Material(db, task, given, tell))
    if outcome.model is not None:
        frames.send(out, frames.MODEL, outcome.model)
    inputs = features.inputs_of(task, given, outcome.parameters)
    done = {"used": used, "inputs": inputs, "results": outcome.results}
    frames.send(out, frames.DONE, orjson.dumps(done, option=orjson.OPT_SERIALIZE_NUMPY))


def _fail(out: BinaryIO, reason: str) -> None:
    frames.send(out, frames.FAILED, reason.encode())


def _end_with_the_daemon(source: BinaryIO) -> None:
    source.read()
    os._exit(0)


if __name__ == "__main__":
    main()
