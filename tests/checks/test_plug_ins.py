"""A plug-in may loop, raise, crash, print or read what is not its own: it is RED for itself, and the others go on."""
from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from offbeat.errors import BadRequest
from tests.checks.world import RANGE, World, replace, world

BAD = replace(RANGE, id="bad", kind="bad", parameters=(), time_limit_s=0.5)


async def both(w: World) -> dict[str, tuple[str, str, str]]:
    """Status, reason and message of the check that a plug-in is bad for, and of a good one, after a minute."""
    await w.send("a", 5)
    await w.minute()
    return {o.check: (o.status, o.reason, o.message) for o in await w.outcomes()}


@pytest.mark.parametrize(("body", "message"), [
    ("raise ValueError('no such thing')", "ValueError: no such thing"),
    ("raise SystemExit(3)", "SystemExit: 3"),
    ("return 'fine'", "TypeError"),
    ("while True: pass", "it did not end within 0.5 s and was killed"),
    ("import os; os._exit(7)", "its process ended with status 7"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "its process was ended by signal 11"),
    ("return bytearray(1 << 40)", "MemoryError"),
    ("import threading; threading.Event().wait()", "it did not end within 0.5 s and was killed"),
])
async def test_what_a_plug_in_does_is_its_own_fault_alone(state_dir: Path, body: str, message: str) -> None:
    async with world(state_dir) as w:
        w.plug_in("bad", f"def bad(data, parameters):\n    {body}\n")
        await w.checks.set(BAD, new=True)
        await w.checks.set(RANGE, new=True)
        for _ in range(2):
            said = await both(w)
            assert said["warm"][0] == "GREEN"
            status, reason, words = said["bad"]
            assert (status, reason) == ("RED", "error")
            assert message in words
        (one,) = await w.outcomes(check="bad")
        assert (one.duration_ms >= 500) == ("did not end" in message)


@pytest.mark.parametrize("body", [
    "import sys; print('noise', flush=True); sys.stdout.write('x' * 100_000); return Status.GREEN",
    "import sys; return Status.GREEN if sys.stdin.read() == '' else Status.RED",
    "import os; os.write(1, b'x' * 100); return Status.GREEN",
    "import os; os.close(0); os.close(1); return Status.GREEN",
    "import os; os.read(0, 1); return Status.GREEN",
])
async def test_a_plug_in_that_prints_and_reads_disturbs_no_message(state_dir: Path, body: str) -> None:
    async with world(state_dir) as w:
        w.plug_in("bad", f"def bad(data, parameters):\n    {body}\n")
        await w.checks.set(BAD, new=True)
        await w.checks.set(RANGE, new=True)
        said = await both(w)
        assert {status for status, _, _ in said.values()} == {"GREEN"}


@pytest.mark.parametrize("body", [
    "for fd in range(3, 64): os.close(fd)", "[os.write(fd, b'x' * 64) for fd in range(3, 64)]"])
async def test_a_plug_in_that_eats_messages_is_ended(state_dir: Path, body: str) -> None:
    async with world(state_dir) as w:
        w.plug_in("bad", f"""
            import os
            def bad(data, parameters):
                try:
                    {body}
                except OSError:
                    pass
                for fd in range(3, 64):
                    try:
                        os.write(fd, b'x' * 64)
                    except OSError:
                        pass
                for fd in range(3, 64):
                    try:
                        os.close(fd)
                    except OSError:
                        pass
                return Status.GREEN
        """)
        await w.checks.set(BAD, new=True)
        await w.checks.set(RANGE, new=True)
        said = await both(w)
        assert said["warm"][0] == "GREEN"
        assert said["bad"][:2] == ("RED", "error")


async def test_one_run_that_is_ended_costs_the_others_of_its_check_nothing(state_dir: Path) -> None:
    async with world(state_dir) as w:
        w.plug_in("bad", """
            def bad(data, parameters):
                while data.source == "b":
                    pass
                return Status.GREEN
        """)
        for source in "abc":
            await w.send(source, 5)
        await w.checks.set(BAD, new=True)
        await w.minute()
        assert await w.statuses() == {"b.heat": "RED", "a.heat": "GREEN", "c.heat": "GREEN"}
        ended = w.service.metrics.check_workers_ended_total._value.get()
        assert ended == 1


@pytest.mark.parametrize("together", [512, 2])
async def test_a_check_that_is_ended_again_and_again_does_not_starve_its_subjects(
    state_dir: Path, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offbeat.checks.rounds.GROUP_MAX", together)
    async with world(state_dir) as w:
        w.plug_in("bad", "import os\ndef bad(data, parameters):\n    os._exit(1) if data.source < 's5' else None\n"
                         "    return Status.GREEN\n")
        for i in range(9):
            await w.send(f"s{i}", 5)
        await w.checks.set(BAD, new=True)
        await w.minute()
        assert len(await w.statuses()) == 3
        for i in range(9):
            await w.send(f"s{i}", 5)
        await w.minute()
        assert sorted((await w.statuses()).values()) == ["GREEN"] * 4 + ["RED"] * 5


async def test_a_looping_check_leaves_no_process_and_its_change_does_not_wait_for_it(state_dir: Path) -> None:
    async with world(state_dir) as w:
        w.plug_in("bad", "def bad(data, parameters):\n    while True: pass\n")
        await w.send("a", 5)
        await w.checks.set(replace(BAD, time_limit_s=30), new=True)
        began = asyncio.Event()
        run = w.checks.crew.run

        async def noted(*given: Any) -> Any:
            began.set()
            return await run(*given)

        w.checks.crew.run = noted  # type: ignore[method-assign]
        (task,) = w.checks.rounds.look()
        await asyncio.wait_for(began.wait(), 20)
        await w.checks.set(replace(BAD, enabled=False), new=False)
        assert task.done()
        await w.checks.set(RANGE, new=True)
        await w.minute()
        assert await w.statuses() == {"a.heat": "GREEN"}
    assert not any("offbeat.checks.worker" in " ".join(p.cmdline()) for p in psutil.Process().children())


async def test_no_process_is_started_before_the_first_check(state_dir: Path) -> None:
    before = set(psutil.Process().children())  # other tests may have left some that are no worker
    async with world(state_dir) as w:
        await w.send("a", 5)
        await w.minute()
        assert set(psutil.Process().children()) <= before


async def test_a_new_check_is_one_file_and_one_that_is_changed_is_read_again(state_dir: Path) -> None:
    async with world(state_dir) as w:
        await w.send("a", 5)
        with pytest.raises(BadRequest, match="there is no check 'bad'"):
            await w.checks.set(BAD, new=True)
        w.plug_in("bad", "def bad(data, parameters):\n    return Status.RED, 'first'\n")
        await w.checks.set(BAD, new=True)
        await w.minute()
        assert [o.message for o in await w.outcomes()] == ["first"]
        w.plug_in("bad", "def bad(data, parameters):\n    return Status.RED, 'the second'\n")
        await w.send("a", 5)
        await w.minute()
        assert [o.message for o in await w.outcomes()] == ["the second"]
        w.plug_in("bad", "def bad(data, parameters:\n")
        await w.send("a", 5)
        await w.minute()
        (one,) = await w.outcomes()
        assert (one.reason, "bad.py, line 2" in one.message) == ("error", True), one.message
        (broken,) = (await w.checks.kinds())["broken"]
        assert (broken["line"], broken["where"].endswith("bad.py")) == (2, True)


async def test_a_plug_in_that_does_not_end_when_it_is_read_is_refused(state_dir: Path) -> None:
    async with world(state_dir) as w:
        w.plug_in("bad", "while True: pass\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("offbeat.checks.crew.DESCRIBE_S", 0.5)
            with pytest.raises(BadRequest, match="did not end within"):
                await w.checks.set(BAD, new=True)
        await w.checks.set(RANGE, new=True)
        await w.send("a", 5)
        await w.minute()
        assert await w.statuses() == {"a.heat": "GREEN"}


def test_the_process_that_judges_ends_with_its_daemon_whatever_it_is_in(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = """
import asyncio, os, sys
from offbeat.checks.crew import Process
async def main():
    process = Process(0)
    await process.start(sys.argv[1], 0, ())
    await process.tell(__import__("offbeat.checks.frames").checks.frames.framed(
        {"ask": "describe", "kind": "bad", "parameters": {}}))
    print(process._process.pid, flush=True)
    await process.hear(60)
asyncio.run(main())
"""
    (tmp_path / "bad.py").write_text("while True: pass\n")
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        worker = psutil.Process(int(daemon.stdout.readline()))
        daemon.kill()
        daemon.wait()
    gone, _ = psutil.wait_procs([worker], timeout=20)
    assert gone or worker.status() == psutil.STATUS_ZOMBIE
    assert os.getpid() != worker.pid
