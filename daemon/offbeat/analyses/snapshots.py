"""Model snapshots of jobs: taken, described, gone back to, deleted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from offbeat.analyses.runner import Runner
from offbeat.clock import Clock
from offbeat.engine.analysis.entries import Command
from offbeat.errors import BadRequest, Conflict, NotFound
from offbeat.intake.committer import Control
from offbeat.store import snapshots as kept
from offbeat.store.database import Database
from offbeat.store.snapshots import Snapshot

DAY_MS = 86_400_000
RETENTION_DAYS = 1.0
"""Of a job that does not say."""


class NoSnapshot(NotFound):
    """No model snapshot is meant."""

    code = "no_such_model_snapshot"


class DescriptionTaken(Conflict):
    """Another snapshot of the job is described so."""

    code = "description_taken"


class IsNewest(Conflict):
    """The snapshot that the job goes on from cannot be deleted."""

    code = "model_snapshot_in_use"


class Snapshots:
    """The model snapshots of all jobs, by the number of a job. *submit* journals an entry."""

    def __init__(
        self, database: Database, clock: Clock, runner: Runner, submit: Callable[[Control], Awaitable[int]]
    ) -> None:
        self._database, self._clock, self._runner, self._submit = database, clock, runner, submit

    async def all_of(self, number: int) -> list[Snapshot]:
        """Those of a job, the one that it goes on from first."""
        return await kept.all_of(self._database, number)

    async def take(self, number: int, why: str, days: float = RETENTION_DAYS) -> Snapshot:
        """Keep the models as they are, and delete snapshots that are older than *days*. Raises StoreUnavailable."""
        frozen = await self._runner.freeze(number)
        now_ms = self._clock.now_ms()
        made = await kept.keep(self._database, number, now_ms, why, frozen)
        for old in (await self.all_of(number))[1:]:
            if old.taken_ms < now_ms - days * DAY_MS:
                await self._drop(number, old.id)
        return made

    async def _drop(self, number: int, id: str) -> None:
        await self._runner.checkpoint(number)  # a replay from there on does not go back to it
        await self._database.write(kept.drop(number, id))

    async def find(
        self, number: int, *, time_ms: int | None = None, id: str | None = None, description: str | None = None
    ) -> Snapshot:
        """The newest that was taken by *time_ms*, has this id, is described so. Raises BadRequest, NoSnapshot."""
        if time_ms is None and not id and not description:
            raise BadRequest("no snapshot is meant: expected a time, an id or a description")
        for one in sorted(await self.all_of(number), key=lambda one: (-one.taken_ms, -one.priority)):
            at, called, said = time_ms is None or one.taken_ms <= time_ms, not id or one.id == id, one.description
            if at and called and (not description or said == description):
                return one
        raise NoSnapshot("there is no model snapshot like that")

    async def revert(self, number: int, one: Snapshot, *, forget_results: bool) -> Snapshot:
        """Go on from *one*, which becomes the newest; the job must be at rest. Raises StoreUnavailable.

        forget_results  results after its last are deleted, and records after its last may come again
        """
        newest = max(other.priority for other in await self.all_of(number))
        chosen = replace(one, priority=newest + 1) if one.priority < newest else one
        await self._database.write(kept.row_of(number, chosen))
        order = Command(number, "revert", 1 if forget_results else -1, one.id)
        await self._runner.reached(await self._submit(Control("analysis", command=order)))
        await self._runner.checkpoint(number)
        return chosen

    async def describe(self, number: int, id: str, description: str) -> Snapshot:
        """Describe a snapshot. Raises NoSnapshot, DescriptionTaken."""
        every = await self.all_of(number)
        one = next((one for one in every if one.id == id), None)
        if one is None:
            raise NoSnapshot(f"there is no model snapshot {id}", where={"snapshot": id})
        if any(other.description == description for other in every if other.id != id):
            raise DescriptionTaken(f"another model snapshot is described as {description!r}")
        told = replace(one, description=description)
        await self._database.write(kept.row_of(number, told))
        return told

    async def delete(self, number: int, id: str) -> None:
        """Delete a snapshot. Raises NoSnapshot, IsNewest."""
        every = await self.all_of(number)
        if id not in (one.id for one in every):
            raise NoSnapshot(f"there is no model snapshot {id}", where={"snapshot": id})
        if every[0].id == id:
            raise IsNewest("the job goes on from this snapshot: revert to another first", where={"snapshot": id})
        await self._drop(number, id)
