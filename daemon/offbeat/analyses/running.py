"""One analysis at work: an entry of the journal becomes a change of its state. Knows no store and no event loop."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.entries import Command, Upload
from offbeat.engine.analysis.results import Outcome, Peers, Size, Taken, Withheld
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.engine.catalog import Catalog
from offbeat.engine.entries import Block, Entry
from offbeat.errors import OffbeatError, Refused
from offbeat.store import analyses as kept
from offbeat_detectors.buckets.categories import CategorizerStatus
from offbeat_detectors.contract import State

log = logging.getLogger(__name__)
TAKEN_MAX = 64
"""Entries of which it is known what became of their records, until somebody asks; more are not under way at once."""


class AnalysisFailed(Refused):
    """The analysis of a job has met with a fault of ours, and stands still until the job is closed."""

    code = "analysis_failed"
    status = 500


@dataclass(frozen=True, slots=True)
class About:
    """What is told of an analysis without its models."""

    totals: Taken
    size: Size
    cursor: str
    latest_ms: int | None
    latest_result_ms: int | None
    withheld: tuple[Withheld, ...]
    peers: tuple[Peers, ...]
    categorization: CategorizerStatus | None

    @classmethod
    def of(cls, one: Analysis) -> About:
        """As *one* is now."""
        return cls(
            one.totals.copy(),
            one.size(),
            one.cursor,
            one.latest_ms,
            one.latest_result_ms,
            one.withheld,
            one.peers,
            None if one.categories is None else one.categories.status(),
        )


@dataclass(slots=True)
class Running:
    """One analysis and what of it is not in the store.

    seq      the entry that its checkpoint stands for    changed  the first entry after it, and when it came
    again    while a checkpoint is written: the first entry after that
    records  since the last checkpoint
    away     of one whose models are in the store alone: *state* is as at its beginning, and nobody's
    asked    how many are asking its models
    failed   what went wrong, at entry *failed_seq*; from there on nothing is applied, until it is reverted
    """

    number: int
    spec: AnalysisSpec
    state: Analysis
    seq: int
    changed: tuple[int, int] | None = None
    again: tuple[int, int] | None = None
    records: int = 0
    failed: str = ""
    failed_seq: int = 0
    model_bytes: int = 0
    away: About | None = None
    asked: int = 0
    taken: dict[int, Taken] = field(default_factory=dict)

    def put_away(self, about: About) -> None:
        """Forget the models, which the checkpoint has."""
        self.state, self.away, self.model_bytes = Analysis(self.spec), about, 0

    def come_back(self, state: State) -> None:
        """Have the models of the checkpoint again."""
        self.state.restore(state)
        self.away, self.model_bytes = None, self.state.size().model_bytes

    def touch(self, entry: Entry) -> None:
        """What the checkpoint stands for ends before *entry*."""
        self.changed = self.changed or (entry.seq, entry.at_ms)
        self.again = self.again or (entry.seq, entry.at_ms)

    def fail(self, error: Exception, seq: int = 0) -> None:
        """Stand still from entry *seq* on."""
        said = error.message if isinstance(error, OffbeatError) else f"{type(error).__name__}: {error}"
        log.error("the analysis of job %s has failed at entry %d: %s", self.spec.id, seq, said, exc_info=error)
        self.failed, self.failed_seq, self.away = said, seq, None

    def apply(self, entry: Entry, body: Upload | Command) -> Outcome | None:
        """Apply one entry that is no revert."""
        self.touch(entry)
        if isinstance(body, Upload):
            self.records += body.records.size
            outcome = self.state.take(body)
            self.taken[entry.seq] = outcome.taken
            if len(self.taken) > TAKEN_MAX:
                del self.taken[next(iter(self.taken))]
            if outcome.buckets:
                self.model_bytes = self.state.size().model_bytes
            return outcome
        if body.order == "advance":
            return self.state.advance(body.time_ms)
        if body.order == "skip":
            self.state.skip()
        if body.order == "rest":
            self.state.rest()
        if body.order == "resume":
            self.state.resume()
        if body.order == "changed":
            self.spec = kept.spec_of(body.spec)
            anew = Analysis(self.spec)
            anew.restore(self.state.save())
            self.state = anew
        if body.order == "reset":
            self.state.reset(body.time_ms, body.end_ms)
        return None

    def hear(self, entry: Entry, catalog: Catalog | None) -> Outcome | None:
        """Apply events, of which *catalog* has the names, or a tick; None if they change nothing."""
        if isinstance(entry.body, Block):
            assert catalog is not None
            outcome = self.state.hear(entry.body, entry.at_ms, catalog)
        else:
            outcome = self.state.tick(entry.at_ms)
        if outcome is not None:
            self.touch(entry)
            self.records += outcome.taken.counts["input_record"]
            if outcome.buckets:
                self.model_bytes = self.state.size().model_bytes
        return outcome

    def revert(self, state: State | None, keep_time: bool) -> None:
        """Go on from a saved *state*, or from the beginning, as ``Analysis.reverted`` does; it works again."""
        self.state = self.state.reverted(state, keep_time=keep_time)
        self.failed, self.failed_seq = "", 0
