"""Work shared out over processes: all of it is done, in order; whatever ends it, no process is left."""

from __future__ import annotations

import os

import psutil
import pytest

from offbeat.backtest.workers import WorkerFailed, share_out
from offbeat.errors import BadRequest
from tests.backtest.work import broken, doubled, endless, killed, refused


def test_each_job_is_done_once_and_results_come_in_the_order_of_the_jobs():
    told: list[tuple[int, int]] = []
    done = share_out(doubled, [3, 1, 2, 5, 4], 2, lambda events, part: told.append((events, part)))
    assert [value for value, _ in done] == [6, 2, 4, 10, 8]
    processes = {process for _, process in done}
    assert os.getpid() not in processes and len(processes) <= 2
    assert sorted(told) == [(n, 1) for n in range(1, 6)]
    assert not any(psutil.pid_exists(process) for process in processes)


def test_no_work_needs_no_process():
    assert share_out(doubled, [], 4, lambda *_: None) == []


def test_a_refusal_in_a_worker_is_a_refusal_here_with_its_hint_and_place():
    with pytest.raises(BadRequest, match="7 is odd") as raised:
        share_out(refused, [7], 1, lambda *_: None)
    assert (raised.value.hint, raised.value.where) == ("take an even one", {"field": "job"})


@pytest.mark.parametrize(
    ("work", "message"), [(broken, "ZeroDivisionError"), (killed, "ended by itself \\(status 9\\)")]
)
def test_a_worker_that_breaks_is_told_as_what_it_is(work, message):
    with pytest.raises(WorkerFailed, match=message):
        share_out(work, [1], 1, lambda *_: None)


def test_an_interruption_ends_the_workers_at_once():
    children: list[psutil.Process] = []

    def interrupt(events: int, part: int) -> None:
        children.extend(psutil.Process().children())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        share_out(endless, [1, 2], 2, interrupt)
    mine = [one for one in children if one.is_running() and "spawn_main" in " ".join(one.cmdline())]
    assert children and mine == []


