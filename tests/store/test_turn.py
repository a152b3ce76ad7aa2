"""Whose turn it is: in order of arrival, but for the one that is next; and it is never lost."""

from __future__ import annotations

import asyncio

import pytest

from offbeat.store.turn import Turn, Turns


class Writers:
    """Some that each take one turn; *had* says who, in order."""

    def __init__(self) -> None:
        self.turn = Turn()
        self.had: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, *, next: bool = False) -> None:
        """Let *name* wait for a turn, or have it."""

        async def write() -> None:
            async with self.turn.taken(next=next):
                self.had.append(name)
                await asyncio.sleep(0)

        self.tasks[name] = asyncio.create_task(write())
        for _ in range(3):
            await asyncio.sleep(0)

    async def all(self) -> list[str]:
        """Who had a turn, once everyone has come to an end."""
        async with asyncio.timeout(10):
            await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        return self.had


async def test_they_have_it_in_the_order_in_which_they_came_but_for_the_one_that_is_next() -> None:
    writers = Writers()
    async with writers.turn.taken():
        await writers.come("a")
        await writers.come("b")
        await writers.come("journal", next=True)
        await writers.come("c")
        assert writers.had == []
    assert await writers.all() == ["journal", "a", "b", "c"]


async def test_who_is_next_over_and_over_has_every_other_turn() -> None:
    writers = Writers()

    async def journal() -> None:
        for _ in range(3):
            async with writers.turn.taken(next=True):
                writers.had.append("journal")

    async with writers.turn.taken():
        await writers.come("a")
        await writers.come("b")
        writers.tasks["journal"] = asyncio.create_task(journal())
        await asyncio.sleep(0)
    assert await writers.all() == ["journal", "a", "journal", "b", "journal"]


@pytest.mark.parametrize("given", [False, True])
async def test_who_leaves_passes_it_on(given: bool) -> None:
    writers = Writers()
    async with writers.turn.taken():
        await writers.come("a")
        await writers.come("b")
        if not given:
            writers.tasks["a"].cancel()
    if given:
        writers.tasks["a"].cancel()  # it is its turn, but it does not know yet
    assert await writers.all() == ["b"]
    async with asyncio.timeout(10), writers.turn.taken():
        pass


async def test_a_fault_passes_it_on() -> None:
    turn = Turn()
    with pytest.raises(ValueError, match="mine"):
        async with turn.taken():
            raise ValueError("mine")
    async with asyncio.timeout(10), turn.taken():
        pass


async def test_who_has_the_turn_of_a_name_has_it_alone_and_other_names_go_on() -> None:
    turns, order = Turns(), []
    gone = asyncio.Event()

    async def first() -> None:
        async with turns.alone("a"):
            order.append("first")
            await gone.wait()
            order.append("first is done")

    async def second() -> None:
        async with turns.alone("a"):
            order.append("second")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(first())
        tasks.create_task(second())
        await asyncio.sleep(0)
        async with turns.alone("b"):
            order.append("b")
        gone.set()
    assert order == ["first", "b", "first is done", "second"]
    assert turns._held == {}


async def test_a_turn_of_a_name_is_given_back_by_who_fails_or_is_cancelled() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError):
        async with turns.alone("a"):
            _ = 1 / 0
    async with turns.alone("a"):
        waiting = asyncio.create_task(turns.alone("a").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    assert turns._held == {}
