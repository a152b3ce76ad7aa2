"""Checks run after new readings, as often as they may; what they say is kept at each change."""
from __future__ import annotations

from pathlib import Path

from tests.checks.world import RANGE, world


async def test_a_check_says_of_each_series_how_it_is_and_keeps_each_change(state_dir: Path) -> None:
    async with world(state_dir) as w:
        await w.send("a", 5)
        await w.send("b", 50)
        await w.checks.set(RANGE, new=True)
        await w.minute()
        assert await w.statuses() == {"b.heat": "RED", "a.heat": "GREEN"}
        await w.send("a", 6)
        await w.minute()
        await w.send("a", 60)
        await w.minute()
        assert [(o.columns[0][0], o.status) for o in await w.history()] == [
            ("a", "GREEN"), ("b", "RED"), ("a", "RED")]
