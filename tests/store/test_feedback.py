"""Feedback is weighed against what is stored, acts on what comes later, is listed, and can be taken back."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offbeat.assembly import assembled
from offbeat.clock import ManualClock
from offbeat.config import Config
from offbeat.engine.entries import Adjustment
from offbeat.errors import BadRequest, Conflict, NotFound, OffbeatError
from offbeat.intake.committer import Control
from offbeat.records import JobSpec
from offbeat.service import Service, running
from offbeat.store import adjustments
from offbeat.store.adjustments import Given
from offbeat.store.queries import Record, RecordQuery
from offbeat.verification import verify
from offbeat.weighing import OF_SERIES_MAX, Said
from tests.engine.run import Event
from tests.store.process import START_MS, applied, config, copied, round_made, send

STEP_MS = 10_000
SPIKE_EVERY = 300


def settled(state: Path) -> Config:
    """What the scores below are those of."""
    return config(state, watch={"model": "ewma"})


def calm(count: int, first: int = 0, *, spike: float = 9.0, source: str = "pump") -> list[Event]:
    """*count* readings from the *first* of a calm source: ``flow`` has a spike every SPIKE_EVERY, ``heat`` none."""
    made = []
    for i in range(first, first + count):
        rng = random.Random(i)
        flow = 10.0 + rng.randrange(9) / 8 + (spike if i % SPIKE_EVERY == SPIKE_EVERY - 1 else 0.0)
        made.append(Event(source, START_MS + i * STEP_MS, {"flow": flow, "heat": 20.0 + rng.randrange(9) / 8}))
    return made


def spike_ms(number: int) -> int:
    return START_MS + (SPIKE_EVERY * (number + 1) - 1) * STEP_MS


async def flow(service: Service) -> list[Record]:
    await applied(service)
    return list((await service.results.records(RecordQuery(fields=("flow",)))).rows)


async def scores(service: Service) -> dict[int, float]:
    return {record.time_ms: record.score for record in await flow(service)}


async def started(service: Service, count: int = 1200) -> None:
    await send(service, calm(count))
    await applied(service)


def around(verdict: Any, time_ms: int, **more: Any) -> Said:
    return Said(verdict, None, "watch", "pump", "flow", time_ms, time_ms + 1, **more)


async def test_the_preview_is_what_a_daemon_that_had_it_from_the_start_says(tmp_path: Path) -> None:
    async with running(settled(tmp_path / "one"), clock=ManualClock(START_MS)) as service:
        await send(service, calm(1200, spike=3.0))
        before = await flow(service)
        strongest = max(before, key=lambda record: record.score)
        weighed = await service.feedback.weigh(Said("normal", strongest.id, below=40.0))
        assert (await flow(service), (await service.feedback.list((), 9, None)).rows) == (before, ()), "nothing changed"
        assert (weighed.name, weighed.record_count, weighed.total_now) == (None, len(before), 1.0)
        assert weighed.hidden_count > 0 and weighed.changed_count > 0 and len(before) >= 4
    async with running(settled(tmp_path / "other"), clock=ManualClock(START_MS)) as service:
        await send(service, calm(2))
        (number,) = (await service.database.read("SELECT series.id FROM series JOIN field ON field.id = field "
                                                 "WHERE field.name = 'flow'"))[0]
        given = Given(Adjustment(1, 1, number, weighed.factor), "normal", "", 0, 1)
        await service.intake.submit(Control("adjustment_added", given=given))
        await send(service, calm(1198, 2, spike=3.0))
        said = await scores(service)
    told = {effect.time_ms: effect.score_then for effect in weighed.effects}
    assert strongest.time_ms in told
    assert {ms: said.get(ms, 0.0) for ms in told} == {
        ms: pytest.approx(score if score >= 10.0 else 0.0, abs=1e-9) for ms, score in told.items()
    }
    assert weighed.hidden_count == sum(1 for record in before if record.time_ms not in said)


@pytest.mark.parametrize("below", [25.0, 50.0])
async def test_what_was_normal_would_have_scored_just_below_what_was_asked(tmp_path: Path, below: float) -> None:
    async with running(settled(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await send(service, calm(600, spike=3.0))
        records = await flow(service)
        strongest = max(records, key=lambda record: record.score)
        weighed = await service.feedback.weigh(Said("normal", strongest.id, below=below))
        assert below - 1.0 < weighed.reached < below and weighed.factor < 8.0
        assert all(effect.score_then < below for effect in weighed.effects)
        assert f"would have scored below {below:g}" in weighed.sentence


async def test_later_findings_score_as_the_preview_told_and_after_undo_as_if_it_had_never_been(tmp_path: Path) -> None:
    async with running(settled(tmp_path / "calm"), clock=ManualClock(START_MS)) as service:
        await send(service, calm(2400))
        plain = await scores(service)
    async with running(settled(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await started(service)
        weighed = await service.feedback.accept(around("normal", spike_ms(3)))
        assert weighed.name == "calmer-1"
        await send(service, calm(600, 1200))
        found = await scores(service)
        now = {ms: score for ms, score in plain.items() if ms < spike_ms(5) + 1}
        for ms, score in now.items():
            if ms < spike_ms(4):
                assert found[ms] == score, "what was said stays said"
            else:
                assert found.get(ms, 0.0) < score
        (info,) = (await service.feedback.list((), 9, None)).rows
        hidden = sum(1 for ms in now if ms not in found)
        assert (info.kept.name, info.kept.ended_ms, info.kept.hidden_count) == ("calmer-1", None, hidden)
        await service.feedback.undo("calmer-1")
        assert (await service.feedback.get("calmer-1")).kept.hidden_count == hidden
        await send(service, calm(600, 1800))
        later = await scores(service)
        assert {ms: s for ms, s in later.items() if ms > spike_ms(5)} == {
            ms: s for ms, s in plain.items() if ms > spike_ms(5)
        } != {}
        assert service.metrics.adjustments._value.get() == 0.0


async def test_what_was_missed_is_found_the_next_time(tmp_path: Path) -> None:
    async with running(settled(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await send(service, calm(900, spike=1.3))
        assert not [record for record in await flow(service) if record.score >= 50]
        missed = around("missed", spike_ms(2))
        weighed = await service.feedback.weigh(missed)
        assert 0.125 <= weighed.factor <= 0.9 and weighed.bucket_count > 100
        assert "stronger from here on" in weighed.sentence
        assert (await service.feedback.accept(missed)).name == "keener-1"
        before = {record.time_ms for record in await flow(service)}
        await send(service, calm(600, 900, spike=1.3))
        found = {ms: score for ms, score in (await scores(service)).items() if ms not in before}
        assert max(found.values()) > 25


async def test_several_multiply_within_bounds_and_the_past_is_weighed_by_what_held_then(tmp_path: Path) -> None:
    async with running(settled(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await started(service)
        first = await service.feedback.accept(around("normal", spike_ms(0), below=80.0))
        with pytest.raises(Conflict, match="already"):
            await service.feedback.weigh(around("normal", spike_ms(0), below=80.0))
        second = await service.feedback.accept(around("normal", spike_ms(0), below=60.0))
        assert second.total_now == first.factor and second.total_then == pytest.approx(first.factor * second.factor)
        await send(service, calm(300, 1200))
        told = {record.time_ms: record.score for record in await flow(service)}
        third = await service.feedback.weigh(around("normal", spike_ms(0), below=12.0))
        effects = {effect.time_ms: effect for effect in third.effects}
        assert effects[spike_ms(0)].score == told[spike_ms(0)] > effects[spike_ms(0)].score_now
        if spike_ms(4) in effects:
            assert effects[spike_ms(4)].score == effects[spike_ms(4)].score_now


async def refusal(service: Service, said: Said) -> OffbeatError:
    with pytest.raises(OffbeatError) as refused:
        await service.feedback.weigh(said)
    assert refused.value.hint or "end" in refused.value.message or refused.value.where
    return refused.value


async def test_what_cannot_be_weighed_is_refused_with_a_hint(tmp_path: Path) -> None:
    async with running(settled(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await started(service)
        await service.jobs.create(JobSpec("others", sources=("x*",)))
        record = max(await flow(service), key=lambda one: one.score)
        for said, kind, words in (
            (Said("normal", "nonsense"), BadRequest, "the id of a record"),
            (Said("normal", "nobody:0:pump:flow:0"), NotFound, "no job nobody"),
            (Said("normal", "watch:0:pump:flow:0"), NotFound, "no record"),
            (Said("normal", "watch:0:nothing:flow:0"), NotFound, "no record"),
            (around("normal", spike_ms(0), below=0.5), BadRequest, "below is 0.5"),
            (around("normal", spike_ms(3), note="n" * 1001), BadRequest, "note"),
            (Said("normal", None, "watch", "pump", "flow", 5, 5), BadRequest, "start is not before end"),
            (Said("normal", None, "watch", "pump", "flaw", 5, 6), NotFound, "no flaw of pump"),
            (Said("normal", None, "others", "pump", "flow", 5, 6), NotFound, "does not follow"),
            (Said("normal", None, "watch", "pump", "flow", 5, 6), Conflict, "nothing was found"),
            (Said("missed", record.id), Conflict, "it was found"),
            (Said("missed", None, "watch", "pump", "heat", 5, 6), Conflict, "nothing unusual"),
        ):
            error = await refusal(service, said)
            assert isinstance(error, kind) and words in error.message, (said, error.message)
        with pytest.raises(NotFound):
            await service.feedback.undo("calmer-1")
        for name in ("", "calmer", "calmer-0", "calmer-9999999999999999999", "bolder-1"):
            with pytest.raises(NotFound):
                await service.feedback.get(name)


async def test_there_is_a_bound_on_how_many_one_series_has(tmp_path: Path) -> None:
    async with running(settled(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await started(service)
        for number in range(OF_SERIES_MAX):
            assert (await service.feedback.accept(around("normal", spike_ms(0), below=88.0 - 9 * number))).name
        with pytest.raises(Conflict, match="in force already"):
            await service.feedback.accept(around("normal", spike_ms(0), below=1.0))
        await service.feedback.undo("calmer-2")
        with pytest.raises(Conflict, match="taken back already"):
            await service.feedback.undo("calmer-2")
        page = await service.feedback.list(("pump",), 5, None)
        rest = await service.feedback.list(("pump",), 5, page.next_cursor)
        names = [info.kept.name for info in (*page.rows, *rest.rows)]
        assert names == [f"calmer-{n}" for n in range(OF_SERIES_MAX, 0, -1)]
        assert (await service.feedback.list(("nobody",), 5, None)).rows == ()


async def test_a_name_with_colons_is_still_found_by_its_record(tmp_path: Path) -> None:
    async with running(settled(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        events = [Event("a:b", e.time_ms, {"c:d": e.values["flow"]}) for e in calm(600)]
        await send(service, [*events, Event("a", START_MS, {"b:c:d": 1.0})])
        await applied(service)
        record = (await service.results.records(RecordQuery(order="-score"))).rows[0]
        weighed = await service.feedback.weigh(Said("normal", record.id))
        assert (weighed.source, weighed.field) == ("a:b", "c:d")


async def test_adjustments_of_a_job_go_with_it_and_its_number_to_nobody_else(tmp_path: Path) -> None:
    async with running(settled(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await service.jobs.create(JobSpec("mine", model="ewma", parameters=(("warmup_readings", 5),)))
        await started(service)
        said = Said("normal", None, "mine", "pump", "flow", spike_ms(3), spike_ms(3) + 1)
        assert (await service.feedback.accept(said)).name == "calmer-1"
        await service.jobs.delete("mine")
        assert (await service.feedback.list((), 9, None)).rows == ()
        with pytest.raises(NotFound):
            await service.feedback.get("calmer-1")
    async with running(settled(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        assert (await service.feedback.accept(around("normal", spike_ms(3)))).name == "calmer-2"


async def test_a_caller_that_goes_away_leaves_a_whole_adjustment(tmp_path: Path) -> None:
    async with running(settled(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await started(service)
        gone = asyncio.create_task(service.feedback.accept(around("normal", spike_ms(0), below=80.0)))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        assert gone.cancelled()
        assert (await service.feedback.accept(around("normal", spike_ms(0), below=50.0))).name == "calmer-2"
        names = {info.kept.name for info in (await service.feedback.list((), 9, None)).rows}
        assert names == {"calmer-1", "calmer-2"}


async def verified(state: Path) -> None:
    """A replay of what the journal still holds gives what is stored."""
    report = await verify(state, lambda database: assembled(database, settled(state)))
    assert report.differences == () and report.entries > 0


async def lived(state: Path, *, rounds: tuple[int, ...] = (), crash_after: int | None = None) -> dict[str, Any]:
    """A life with an adjustment that comes, a second one, and the first undone; checkpoints after *rounds* parts."""
    clock = ManualClock(START_MS)
    answers: dict[str, Any] = {}

    async def part(service: Service, number: int) -> None:
        await send(service, calm(600, 600 * number))
        await applied(service)
        if number == 1:
            await service.feedback.accept(around("normal", spike_ms(0), below=50.0))
        elif number == 2:
            await service.feedback.accept(around("normal", spike_ms(0), below=12.0))
        elif number == 3:
            await service.feedback.undo("calmer-1")
        if number in rounds:
            await round_made(service)

    at = 0
    while True:
        async with running(settled(state), clock=clock) as service:
            while at < 5:
                await part(service, at)
                at += 1
                if at - 1 == crash_after:
                    break
            else:
                await applied(service)
                infos = (await service.feedback.list((), 9, None)).rows
                answers["scores"] = await scores(service)
                answers["did"] = [(i.kept.name, i.kept.hidden_count, i.kept.ended_seq is None) for i in infos]
                answers["hidden"] = await service.applier.ask(
                    lambda engine: engine.jobs[1].hidden(np.arange(2, dtype=np.int32)).tolist()
                )
                await verified(await copied(service, state.parent / f"{state.name}-end"))
                return answers
            crash_after = None
            state = await copied(service, state.parent / f"{state.name}-crashed")


async def test_an_adjustment_survives_a_power_cut_at_any_place_and_acts_once(tmp_path: Path) -> None:
    expected = await lived(tmp_path / "calm")
    assert [name for name, _, _ in expected["did"]] == ["calmer-2", "calmer-1"]
    assert expected["hidden"][0] > 0 == expected["hidden"][1] and all(count for _, count, _ in expected["did"])
    for number, (rounds, crash_after) in enumerate(
        [((), 1), ((), 3), ((0, 1), 1), ((1, 2), 2), ((1, 2, 3), 3), ((2,), 3), ((0, 1, 2, 3, 4), None), ((1, 3), 4)]
    ):
        found = await lived(tmp_path / f"life-{number}", rounds=rounds, crash_after=crash_after)
        assert found == expected, (rounds, crash_after)


async def test_the_list_of_what_was_taken_back_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adjustments, "HISTORY_MAX", 2)
    async with running(settled(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await started(service)
        await service.feedback.accept(around("normal", spike_ms(0), below=80.0))
        for number in range(2, 6):
            await service.feedback.accept(around("normal", spike_ms(0), below=60.0))
            await service.feedback.undo(f"calmer-{number}")
        names = [info.kept.name for info in (await service.feedback.list((), 99, None)).rows]
        assert names == [f"calmer-{n}" for n in (5, 4, 3, 2, 1)], "what the journal still needs stays"
        for _ in range(2):
            await send(service, calm(1, 1200))
            await applied(service)
            await round_made(service)
        await service.feedback.accept(around("normal", spike_ms(0), below=60.0))
        await service.feedback.undo("calmer-6")
        names = [info.kept.name for info in (await service.feedback.list((), 99, None)).rows]
        assert names == ["calmer-6", "calmer-5", "calmer-1"], "one in force is never forgotten"
