"""Checks run after new readings, as often as they may; what they say is kept at each change."""
from __future__ import annotations

from pathlib import Path

import pytest

from offbeat.errors import BadRequest, Conflict, NotFound
from tests.checks.world import RANGE, START_MS, Columns, EachSeries, EachSource, Event, replace, world
from tests.store.process import copied

HOT = replace(RANGE, kind="hot", parameters=())
COUNTS = """
    def hot(data, parameters):
        return Result(Status.RED if data.value() > 10 else Status.GREEN, f"{len(data.new)} of {len(data)}")
"""


async def test_a_check_says_of_each_series_how_it_is_and_keeps_each_change(state_dir: Path) -> None:
    async with world(state_dir) as w:
        await w.send("a", 5)
        await w.send("b", 50)
        await w.send("c", 1, name="flow")
        await w.checks.set(RANGE, new=True)
        await w.minute()
        assert await w.statuses() == {"b.heat": "RED", "a.heat": "GREEN"}
        for value in (6, 60, 61):
            await w.send("a", value)
            await w.minute()
        assert [(o.columns[0][0], o.status) for o in await w.history()] == [
            ("a", "GREEN"), ("b", "RED"), ("a", "RED")]
        worst, other = await w.outcomes()
        assert worst.columns == (("a", "heat"),)
        assert (worst.ran_ms, worst.since_ms) == (START_MS + 246_000, START_MS + 185_000)
        assert other.columns == (("b", "heat"),)
        assert [one["outcome"]["source"] for one in w.said if "outcome" in one] == ["a", "b", "a"]


async def test_it_is_handed_what_is_new_and_runs_once_an_interval_and_not_without_anything_new(state_dir: Path) -> None:
    async with world(state_dir) as w:
        w.plug_in("hot", COUNTS)
        await w.send("a", 1, 2, 3)
        await w.checks.set(replace(HOT, interval_s=2), new=True)
        await w.checks.look()
        assert [(o.message, o.ran_ms) for o in await w.outcomes()] == [("2 of 2", START_MS + 3000)]
        await w.send("a", 4)
        await w.checks.look()
        assert (await w.outcomes())[0].message == "2 of 2", "its interval is not over"
        await w.send("a", 5)
        await w.checks.look()
        assert (await w.outcomes())[0].message == "2 of 2", "two that are new: 4 and 5"
        assert (await w.outcomes())[0].ran_ms == START_MS + 5000
        await w.minute()
        assert (await w.outcomes())[0].ran_ms == START_MS + 5000, "nothing came"


@pytest.mark.parametrize("packed", [False, True])
async def test_history_is_as_long_as_the_check_needs_from_memory_and_store(state_dir: Path, packed: bool) -> None:
    async with world(state_dir) as w:
        w.plug_in("hot", COUNTS + "    hot.needs = Needs(history_s=10, readings=30)\n")
        (w.folder / "hot.py").write_text(
            "from offbeat_detectors.checks.contract import Needs\n" + (w.folder / "hot.py").read_text())
        await w.send("a", *range(60))
        if packed:
            await w.packed()
        await w.checks.set(replace(HOT, interval_s=2), new=True)
        await w.send("a", 1, 2, 3)
        await w.checks.look()
        (one,) = await w.outcomes()
        assert one.message == "2 of 32", "30 readings before are more than those of 10 s"
        assert (one.data_from_ms, one.data_ms) == (START_MS + 62_000, START_MS + 63_000)


async def test_a_check_with_a_clock_runs_though_nothing_comes(state_dir: Path) -> None:
    async with world(state_dir) as w:
        await w.send("a", 5)
        gap = replace(RANGE, id="alive", kind="gap", parameters=(("max_age", 120),))
        missing = replace(gap, id="missing", series=(Columns((("never", "seen"),)),))
        await w.checks.set(gap, new=True)
        await w.checks.set(missing, new=True)
        await w.minute()
        assert await w.statuses() == {"never.seen": "YELLOW", "a.heat": "GREEN"}
        (never,) = await w.outcomes(check="missing")
        assert (never.reason, never.data_ms) == ("no_data", None)
        await w.minute()
        await w.minute()
        assert (await w.statuses())["a.heat"] == "RED"
        await w.send("a", 5)
        await w.minute()
        assert (await w.statuses())["a.heat"] == "GREEN"


async def test_a_status_lasts_until_enough_results_in_a_row_are_otherwise(state_dir: Path) -> None:
    async with world(state_dir) as w:
        await w.checks.set(replace(RANGE, raise_after=2, clear_after=3), new=True)
        seen = []
        for value in (1, 50, 1, 50, 51, 1, 1, 50, 1, 1, 1):
            await w.send("a", value)
            await w.minute()
            (one,) = await w.outcomes()
            seen.append(one.status[0])
            assert ("50" in one.message or "51" in one.message) == (one.status == "RED"), "it keeps its own message"
        assert "".join(seen) == "GGGGRRRRRRG"
        assert [o.status for o in await w.history()] == ["GREEN", "RED", "GREEN"]


async def test_a_check_that_does_not_apply_now_has_no_outcome(state_dir: Path) -> None:
    async with world(state_dir) as w:
        w.plug_in("hot", """
            def hot(data, parameters):
                if data.value() == 0:
                    raise NotNow
                return Status.RED
        """)
        await w.checks.set(HOT, new=True)
        for value, statuses in ((1, {"a.heat": "RED"}), (0, {}), (2, {"a.heat": "RED"})):
            await w.send("a", value)
            await w.minute()
            assert await w.statuses() == statuses
        assert len(await w.history()) == 2


async def test_series_join_as_they_come_and_those_beyond_the_bound_are_told(state_dir: Path) -> None:
    async with world(state_dir, checks={"subjects_max": 3}) as w:
        await w.checks.set(replace(RANGE, series=(EachSeries("p*", "h*"), EachSeries("*", "heat"))), new=True)
        await w.minute()
        assert await w.statuses() == {}
        await w.send("p1", 1)
        await w.minute()
        await w.send("q", 1)
        await w.send("p2", 1, name="hum")
        await w.minute()
        assert sorted(await w.statuses()) == ["p1.heat", "p2.hum", "q.heat"]
        assert w.checks.get("warm").full is False
        await w.send("p3", 1)
        await w.minute()
        assert len(await w.statuses()) == 3
        assert w.checks.get("warm").full
        assert [(one.used, one.limit) for one in w.checks.limits()] == [(1, 1000), (3, 3)]


async def test_columns_of_a_source_and_of_several_are_handed_in_their_order(state_dir: Path) -> None:
    async with world(state_dir) as w:
        w.plug_in("hot", """
            def hot(data, parameters):
                return Status.GREEN, f"{data.columns} {[[r.value(i) for i in range(3)] for r in data.new]}"
        """)
        (w.folder / "hot.py").write_text(
            "from offbeat_detectors.checks.contract import Needs\n" + (w.folder / "hot.py").read_text()
            + "hot.needs = Needs(columns_min=3, columns_max=3)\n")
        both = (EachSource("*", ("c", "a", "x")), Columns((("q", "a"), ("p", "a"), ("p", "x")), 2.0))
        await w.events(Event("p", START_MS, {"a": 1.0, "c": 2.0, "b": 3.0}), Event("q", START_MS + 1000, {"a": 7.0}))
        await w.checks.set(replace(HOT, series=both), new=True)
        await w.checks.look()
        said = {o.columns: o.message for o in await w.outcomes()}
        assert said == {
            (("p", "c"), ("p", "a"), ("p", "x")): "('c', 'a', 'x') [[2.0, 1.0, None]]",
            (("q", "c"), ("q", "a"), ("q", "x")): "('c', 'a', 'x') [[None, 7.0, None]]",
            (("q", "a"), ("p", "a"), ("p", "x")): "('q a', 'p a', 'p x') [[None, 1.0, None], [7.0, 1.0, None]]",
        }


async def test_what_a_check_is_asked_otherwise_begins_anew_and_its_subjects_keep_their_numbers(state_dir: Path) -> None:
    async with world(state_dir) as w:
        await w.send("a", 5)
        await w.checks.set(RANGE, new=True)
        await w.minute()
        (before,) = await w.outcomes()
        await w.checks.set(replace(RANGE, parameters=(("max", 4.0),)), new=False)
        await w.minute()
        (after,) = await w.outcomes()
        assert (before.status, after.status, after.subject) == ("GREEN", "RED", before.subject)
        await w.checks.set(replace(RANGE, series=(EachSeries("b", "*"),)), new=False)
        await w.minute()
        assert await w.statuses() == {}
        await w.checks.set(RANGE, new=False)
        await w.minute()
        (again,) = await w.outcomes()
        assert (again.status, again.subject) == ("GREEN", before.subject)
        assert [o.status for o in await w.history(subject=before.subject)] == ["GREEN", "RED", "GREEN"]
        await w.checks.set(replace(RANGE, enabled=False), new=False)
        assert await w.statuses() == {}


async def test_a_check_that_is_taken_away_leaves_nothing(state_dir: Path) -> None:
    async with world(state_dir) as w:
        await w.send("a", 50)
        await w.checks.set(RANGE, new=True)
        await w.minute()
        (one,) = await w.outcomes()
        await w.checks.acknowledge(one.subject or 0, "ada", "")
        with pytest.raises(Conflict):
            await w.checks.set(RANGE, new=True)
        await w.checks.delete("warm")
        with pytest.raises(NotFound):
            await w.checks.delete("warm")
        with pytest.raises(NotFound):
            await w.checks.set(RANGE, new=False)
        for table in ("rule", "subject", "column", "outcome", "acknowledgement"):
            assert await w.service.database.read(f"SELECT * FROM check_{table}") == []


async def test_all_is_there_again_after_a_power_cut(state_dir: Path, tmp_path: Path) -> None:
    async with world(state_dir) as w:
        await w.send("a", 50)
        await w.send("b", 5)
        await w.checks.set(replace(RANGE, clear_after=2), new=True)
        await w.minute()
        worst, _ = before = await w.outcomes()
        await w.checks.acknowledge(worst.subject or 0, "ada", "seen")
        before = await w.outcomes()
        await w.send("a", 4)
        await w.minute()
        state, clock = await copied(w.service, tmp_path / "cut"), w.clock
    async with world(state, clock) as w:
        (worst, other) = await w.outcomes()
        assert (worst.subject, worst.status, worst.acknowledged) == (
            before[0].subject, "RED", before[0].acknowledged)
        assert replace(worst, ran_ms=0, data_ms=0, data_from_ms=0, duration_ms=0, stale=False) == replace(
            before[0], ran_ms=0, data_ms=0, data_from_ms=0, duration_ms=0)
        assert other.status == "GREEN"
        await w.minute()
        assert (await w.outcomes())[0].ran_ms == worst.ran_ms, "nothing is judged twice"
        await w.send("a", 3)
        await w.minute()
        assert [o.status for o in await w.outcomes()] == ["GREEN", "GREEN"], "one of two had come before"
        assert all(o.acknowledged is None for o in await w.outcomes()), "it ends with GREEN"
        assert [o.outcome for o in await w.history()] == [1, 2, 3]


async def test_a_run_as_of_then_says_what_was_said_then_and_stores_nothing(state_dir: Path) -> None:
    async with world(state_dir) as w:
        curve = replace(RANGE, parameters=(("max", 10.0),), interval_s=1)
        await w.checks.set(curve, new=True)
        live = []
        for value in (5, 50, 6, 7, 70):
            await w.send("a", value)
            await w.checks.look()
            (one,) = await w.outcomes()
            live.append((one.status, one.message, one.data_ms, one.data_from_ms))
        await w.packed()
        kept = await w.history()
        past = []
        for second in range(1, 6):
            (one,) = await w.checks.run_now("warm", START_MS + second * 1000)
            assert (one.outcome, one.ran_ms) == (None, START_MS + second * 1000)
            past.append((one.status, one.message, one.data_ms, one.data_from_ms))
        assert past == live
        assert await w.history() == kept
        (none,) = await w.checks.run_now("warm", START_MS - 1)
        assert (none.reason, none.data_ms) == ("no_data", None)
        with pytest.raises(BadRequest, match="as_of is a time to come"):
            await w.checks.run_now("warm", w.clock.now_ms() + 1)


async def test_a_preview_says_what_live_runs_said(state_dir: Path) -> None:
    async with world(state_dir) as w:
        spec = replace(RANGE, interval_s=10, raise_after=2)
        await w.checks.set(spec, new=True)
        for value in (5, 50, 6, 7, 70, 71, 72, 1, 2):
            await w.send("a", value, step_ms=10_000)
            await w.checks.look()
        live = [(o.status, o.ran_ms, o.message) for o in await w.history()]
        found = await w.checks.preview(spec, START_MS, START_MS + 100_000)
        assert [(o.status, o.ran_ms, o.message) for o in found.outcomes] == live
        assert (found.runs, found.counts, found.cut) == (9, {"GREEN": 7, "YELLOW": 0, "RED": 2}, None)
        assert len(await w.history()) == len(live)


async def test_a_preview_is_cut_at_its_bound_and_says_so(state_dir: Path) -> None:
    async with world(state_dir, checks={"preview_runs_max": 3}) as w:
        await w.send("a", *range(20))
        found = await w.checks.preview(replace(RANGE, interval_s=1), START_MS, START_MS + 60_000)
        assert (found.runs, found.cut) == (3, "after 3 runs, as checks.preview_runs_max says")


async def test_old_outcomes_go_and_the_newest_of_each_subject_stays(state_dir: Path) -> None:
    async with world(state_dir, checks={"outcomes_max": 2}, retention={"outcomes_days": 1}) as w:
        await w.checks.set(RANGE, new=True)
        await w.send("quiet", 1)
        for value in (1, 50, 1, 50):
            await w.send("a", value)
            await w.minute()
        assert [o.outcome for o in await w.history()] == [1, 2, 3, 4, 5]
        assert await w.checks.retire() == 2
        assert [o.outcome for o in await w.history()] == [1, 4, 5], "2 may be kept, and the newest of quiet is"
        w.clock.move(2 * 86_400_000)
        assert await w.checks.retire() == 1
        assert [o.outcome for o in await w.history()] == [1, 5]
        assert all(o.stale for o in await w.outcomes())


async def test_what_does_not_fit_is_left_out_and_told(state_dir: Path) -> None:
    async with world(state_dir, checks={"readings_max": 10}) as w:
        await w.send("a", *range(30))
        await w.checks.set(RANGE, new=True)
        await w.minute()
        (one,) = await w.outcomes()
        assert one.details["readings_left_out"] == 20


async def test_a_check_that_cannot_work_is_refused_by_its_member(state_dir: Path) -> None:
    async with world(state_dir) as w:
        for changes, field in (
            ({"kind": "rnage"}, "kind"), ({"parameters": (("maxx", 1),)}, "parameters.maxx"),
            ({"parameters": (("max", "hot"),)}, "parameters.max"), ({"interval_s": 0.5}, "interval_s"),
            ({"time_limit_s": 99}, "time_limit_s"), ({"raise_after": 0}, "raise_after"), ({"series": ()}, "series"),
            ({"series": (EachSource("*", ("a", "b")),)}, "series[0].fields"), ({"id": "a b"}, "id"),
            ({"series": (Columns((("a", "b"), ("a", "b"))),)}, "series[0].columns"),
            ({"kind": "os:system"}, "kind"),
        ):
            with pytest.raises(BadRequest) as refused:
                await w.checks.set(replace(RANGE, **changes), new=True)
            assert refused.value.where == {"field": field}, changes
        assert w.checks.list() == ()
