"""One analysis: its time, its open buckets, what each gives when it closes. A pure function of its entries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.columns import Columns
from offbeat.engine.analysis.completeness import Completeness
from offbeat.engine.analysis.entries import Upload
from offbeat.engine.analysis.feed import Feed
from offbeat.engine.analysis.kinds import question_of, values_max
from offbeat.engine.analysis.measured import Measured
from offbeat.engine.analysis.names import Names
from offbeat.engine.analysis.nested import part, under
from offbeat.engine.analysis.overlapping import Overlapping
from offbeat.engine.analysis.question import Question, Waiting
from offbeat.engine.analysis.results import BucketResult, Outcome, Peers, Plot, Size, Taken, Withheld
from offbeat.engine.analysis.scoring import Scoring
from offbeat.engine.analysis.spec import CATEGORY_FIELD, AnalysisSpec
from offbeat.engine.catalog import Catalog
from offbeat.engine.entries import Block
from offbeat.records import Strings
from offbeat.uploads import Records
from offbeat_detectors.buckets.categories import Categorizer
from offbeat_detectors.contract import State

GAP_MAX = 10_000
"""More buckets without a record than that, one after the other: nothing was watched, and none is a result."""
NEVER = -(1 << 62)
DAY_MS = 86_400_000


class Analysis:
    """The state of one job. Entries are applied in their order; how they were cut into uploads changes nothing."""

    def __init__(self, spec: AnalysisSpec) -> None:
        self.spec = spec
        self._span_ms, self._latency_ms = 1000 * spec.bucket_span_s, 1000 * spec.latency_s
        most = values_max(spec)
        self._names: defaultdict[str, Names] = defaultdict(lambda: Names(most))
        self._scoring = Scoring(spec)
        self._questions = [question_of(i, spec, self._names) for i in range(len(spec.detectors))]
        self._overlapping = Overlapping(spec, self._names) if spec.overlapping_buckets else None
        self._categorizer = (
            Categorizer(examples_max=spec.categorization_examples, filters=spec.categorization_filters)
            if spec.categorization_field
            else None
        )
        self.feed = Feed(spec) if spec.listens else None
        self._completeness = Completeness(spec.bucket_span_s, spec.season_s)
        self.totals = Taken()
        self._latest_ms = NEVER  # of all records processed, or what was said to be so
        self._frontier: int | None = None  # the first bucket that is not closed
        self._first: int | None = None  # the first bucket that has had a record
        self._last = NEVER  # the newest that has
        self._events: dict[int, float] = {}  # of open buckets
        self._muted = NEVER  # a bucket of which only a part was watched
        self._skipping = False  # up to the next record nothing was watched
        self.cursor = ""  # of a feed: how far its source has been read

    # ── what comes in ─────────────────────────────────────────────────────────────────────────────────────────

    def take(self, upload: Upload) -> Outcome:
        """Apply records: those too late are counted and dropped; buckets that they pass are closed."""
        outcome = Outcome()
        outcome.taken.count(**upload.counts)
        self.cursor = upload.cursor or self.cursor
        records = upload.records
        before = np.maximum.accumulate(np.concatenate([[self._latest_ms], records.time_ms]))[:-1]
        late = records.time_ms < before - self._latency_ms
        if self._frontier is not None:
            late |= records.time_ms < self._frontier * self._span_ms
        kept = records.keep(~late)
        outcome.taken.count(out_of_order=int(late.sum()), processed_record=kept.size)
        if kept.size:
            self._process(kept, outcome)
        self.totals.add(outcome.taken)
        return outcome

    def _process(self, records: Records, outcome: Outcome) -> None:
        columns = Columns(records, self._names)
        self._categorize(columns)
        outcome.taken.count(missing_field=sum(int(columns.missing(field).sum()) for field in self.spec.columns))
        weight = self._weights(columns)
        time_ms = records.time_ms
        bucket = time_ms // self._span_ms
        latest = np.maximum(np.maximum.accumulate(time_ms), self._latest_ms)
        complete = (latest - self._latency_ms) // self._span_ms  # all before it are, once the record has been seen
        if self._skipping:
            self._skipping = False
            self._frontier = self._first = self._muted = int(bucket[0])
        if self._frontier is None:
            self._frontier = int(complete[0])
        # A record that completes a bucket lies beyond it: the bucket closes first.
        passed = np.maximum.accumulate(np.maximum(complete, self._frontier))
        cuts = np.flatnonzero(np.diff(passed, prepend=self._frontier) > 0)
        for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), records.size], strict=True):
            if passed[start] > self._frontier:
                self._close_until(int(passed[start]), outcome)
            if start < stop:
                self._add(columns, slice(start, stop), bucket[start:stop], weight[start:stop])
        self._latest_ms = int(latest[-1])
        outcome.taken.latest_ms = int(time_ms.max())

    def _add(self, columns: Columns, rows: slice, bucket: NDArray[np.int64], weight: NDArray[np.float64]) -> None:
        first, last = int(bucket.min()), int(bucket.max())
        self._first = first if self._first is None else min(self._first, first)
        self._last = max(self._last, last)
        if first == last:
            numbers, where = [first], np.zeros(bucket.size, np.intp)
        else:
            distinct, where = np.unique(bucket, return_inverse=True)
            numbers, where = distinct.tolist(), where.ravel()
        for number, events in zip(numbers, np.bincount(where, weight).tolist(), strict=True):
            self._events[number] = self._events.get(number, 0.0) + events
        columns.reach(rows.stop)
        for question in self._questions:
            question.add(columns, rows, bucket, weight)
        if self._overlapping is not None:
            self._overlapping.add(columns, rows, weight)
        columns.saw(rows, bucket)

    def _weights(self, columns: Columns) -> NDArray[np.float64]:
        """(n,) how many events each record stands for; one that does not say so stands for none."""
        if not self.spec.summary_count_field:
            return np.ones(columns.size)
        said = columns.values(self.spec.summary_count_field)
        return np.where(said > 0.0, said, 0.0)

    def _categorize(self, columns: Columns) -> None:
        if self._categorizer is None:
            return
        texts, codes = columns.texts(self.spec.categorization_field)
        messages = list(texts)
        has = codes >= 0
        found = np.full(columns.size, 0, np.int32)
        found[has] = self._categorizer.add([messages[code] for code in codes[has].tolist()])
        distinct, where = np.unique(found[has], return_index=True)
        order = np.argsort(where)
        place = {int(number): i for i, number in enumerate(distinct[order].tolist())}
        made = np.full(columns.size, -1, np.int32)
        made[has] = [place[number] for number in found[has].tolist()]
        columns.put(CATEGORY_FIELD, Strings.of(str(number) for number in place), made)

    def advance(self, time_ms: int) -> Outcome:
        """No record before *time_ms* will come: all buckets that end by then are final."""
        outcome = Outcome()
        target = time_ms // self._span_ms
        if self._frontier is None:
            self._frontier = target
        elif target > self._frontier:
            self._close_until(target, outcome)
        if self._overlapping is not None:
            for one in self._overlapping.due(None):
                self._finish(one, outcome)
        self._latest_ms = max(self._latest_ms, time_ms + self._latency_ms)
        self.totals.add(outcome.taken)
        return outcome

    def hear(self, block: Block, at_ms: int, catalog: Catalog) -> Outcome | None:
        """Apply the events of *block*, which arrived then, that are records of it; None if none is."""
        assert self.feed is not None
        records = None if self.feed.resting else self.feed.records(block, catalog)
        if records is None or not records.size:
            return None
        due = records.time_ms[records.time_ms >= self._latest_ms - self._latency_ms]  # the others are dropped
        if due.size:
            self.feed.arrived(at_ms, int(due.min()))
        return self.take(Upload(0, records, {"input_record": records.size}))

    def tick(self, now_ms: int) -> Outcome | None:
        """Close the buckets that are complete by the clock, if events come near their own time; None if there is none.

        What comes for those that stay open counts as before. After GAP_MAX buckets without a record it waits for one.
        """
        assert self.feed is not None
        reached_ms = self.feed.reached(now_ms)
        if reached_ms is None or self._frontier is None or self._first is None or self._skipping:
            return None
        target = min((reached_ms - self._latency_ms) // self._span_ms, self._last + 1 + GAP_MAX)
        if target <= self._frontier:
            return None
        outcome = Outcome()
        self._close_until(target, outcome)
        self.totals.add(outcome.taken)
        return outcome

    def rest(self) -> None:
        """Take no events until ``resume``."""
        if self.feed is not None:
            self.feed.resting = True

    def resume(self) -> None:
        """Take events again; the time up to the next record is downtime."""
        if self.feed is not None:
            self.feed.resting = False
        self.skip()

    def skip(self) -> None:
        """Nothing is watched up to the next record: the buckets on both sides, which are not whole, are no results."""
        self._drop_open()
        self._skipping = self._first is not None

    def reset(self, start_ms: int, end_ms: int) -> None:
        """What open buckets that overlap [start_ms, end_ms) hold is forgotten: it is about to be sent anew."""
        first, beyond = start_ms // self._span_ms, -(-end_ms // self._span_ms)
        for bucket in [number for number in self._events if first <= number < beyond]:
            self._drop_bucket(bucket)

    def _drop_open(self) -> None:
        self._events.clear()
        for question in self._questions:
            question.drop_open()
        if self._overlapping is not None:
            self._overlapping.drop_open()

    # ── what comes out ────────────────────────────────────────────────────────────────────────────────────────

    def _close_until(self, target: int, outcome: Outcome) -> None:
        """Close every bucket before *target*."""
        assert self._frontier is not None
        for bucket in self._due(self._frontier, target):
            if bucket == self._muted:
                self._drop_bucket(bucket)
                continue
            events = self._events.pop(bucket, 0.0)
            closed = Waiting(bucket, events, [question.close(bucket) for question in self._questions])
            if self._overlapping is None:
                self._finish(closed, outcome)
            else:
                self._overlapping.close(closed)
                for one in self._overlapping.due(bucket):
                    self._finish(one, outcome)
            outcome.taken.count(bucket=1)
            self._completeness.learn(bucket, events)
            self._make_room(bucket)
        self._frontier = target

    def _finish(self, closed: Waiting, outcome: Outcome) -> None:
        outcome.buckets.append(self._result(closed, interim=False))
        if rescore := self._scoring.moved():
            outcome.buckets.append(rescore)

    def _make_room(self, bucket: int) -> None:
        """Once *bucket* is final: forget entities, then values, that nobody needs, if there are too many."""
        for question in self._questions:
            question.make_room(bucket)
        if self._overlapping is not None:
            self._overlapping.make_room(bucket)
        for field, names in self._names.items():
            if names.crowded:
                names.forget_unused(bucket, [used for question in self._every for used in question.used(field)])

    @property
    def _every(self) -> list[Question]:
        return [*self._questions, *(self._overlapping.questions if self._overlapping is not None else ())]

    def _drop_bucket(self, bucket: int) -> None:
        self._events.pop(bucket, None)
        for question in self._questions:
            question.drop(bucket)
        if self._overlapping is not None:
            self._overlapping.drop(bucket)

    def _due(self, frontier: int, target: int) -> Iterator[int]:
        if self._first is None:
            return
        first = max(frontier, self._first)
        with_records = min(target, max(self._last + 1, first))
        yield from range(first, with_records)
        if target - with_records <= GAP_MAX:
            yield from range(with_records, target)

    def _result(self, closed: Waiting, *, interim: bool) -> BucketResult:
        start_ms, answers = closed.bucket * self._span_ms, closed.answers
        result = self._scoring.result(start_ms, round(closed.events), answers, closed.shifted, interim=interim)
        asked = self.spec.model_plot
        if asked is None or interim:
            return result
        points = tuple(point for answer in answers for point in answer.plot)
        oldest_ms = start_ms - int(asked.days * DAY_MS)
        return replace(result, plot=Plot(points, sum(answer.left_out for answer in answers), oldest_ms))

    def interim(self, start_ms: int | None, end_ms: int | None) -> list[BucketResult]:
        """The open buckets as they are, those in [start, end), and those that wait for others: said now."""
        if self._frontier is None or self._first is None:
            return []
        first = max(self._frontier, self._first)
        last = max(self._last, first)
        if start_ms is not None:
            first = max(first, start_ms // self._span_ms)
            last = min(last, first if end_ms is None else -(-end_ms // self._span_ms) - 1)
        found = []
        for one in self._overlapping.waiting if self._overlapping is not None else ():
            at_ms = one.bucket * self._span_ms
            if (start_ms is None or at_ms >= start_ms) and (end_ms is None or at_ms < end_ms):
                found.append(self._result(one, interim=True))
        for bucket in range(first, last + 1):
            share = self._complete(bucket)
            answers = [question.look(bucket, share) for question in self._questions]
            found.append(self._result(Waiting(bucket, self._events.get(bucket, 0.0), answers), interim=True))
        return found

    def _complete(self, bucket: int) -> float:
        """How much of an open bucket is there by now, above 0 up to 1."""
        passed = (self._latest_ms - bucket * self._span_ms) / self._span_ms
        passed = min(1.0, max(1.0 / self._span_ms, passed))
        return self._completeness.share(bucket, self._events.get(bucket, 0.0), passed)

    @property
    def categories(self) -> Categorizer | None:
        """The categories of the messages so far."""
        return self._categorizer

    @property
    def scoring(self) -> Scoring:
        """What makes scores of probabilities."""
        return self._scoring

    @property
    def latest_ms(self) -> int | None:
        """The newest time that records have reached."""
        return None if self._latest_ms == NEVER else self._latest_ms

    @property
    def latest_result_ms(self) -> int | None:
        """The start of the newest bucket that is final."""
        return (
            None if self._frontier is None or not self.totals.counts["bucket"] else (self._frontier - 1) * self._span_ms
        )

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """What was left out of results or of learning, by detector and cause: since it was created, or reverted."""
        return tuple(one for question in self._questions for one in question.withheld)

    @property
    def peers(self) -> tuple[Peers, ...]:
        """With whom members of populations are compared, by detector that has any."""
        return tuple(one for question in self._questions if isinstance(question, Measured) for one in question.peers)

    def size(self) -> Size:
        """What the models take."""
        sizes = [question.size() for question in self._questions]
        shifted = [] if self._overlapping is None else [question.size() for question in self._overlapping.questions]
        return Size(
            sum(size.model_bytes for size in [*sizes, *shifted])
            + sum(names.bytes_held for names in self._names.values()),
            sum(size.by_count for size in sizes),
            sum(size.over_count for size in sizes),
            sum(size.partition_count for size in sizes),
            sum(size.refused for size in sizes),
            max((size.status for size in sizes), key=("OK", "SOFT_LIMIT", "HARD_LIMIT").index),
            sum(size.pruned for size in sizes),
        )

    # ── checkpoints ───────────────────────────────────────────────────────────────────────────────────────────

    def save(self) -> State:
        """All of it, as arrays; ``restore`` goes on bit for bit."""
        none = NEVER
        state: State = {
            "clock": np.array(
                [
                    self._latest_ms,
                    none if self._frontier is None else self._frontier,
                    none if self._first is None else self._first,
                    self._last,
                    none if self.totals.latest_ms is None else self.totals.latest_ms,
                    self._muted,
                    int(self._skipping),
                ],
                np.int64,
            ),
            "counts": np.array(list(self.totals.counts.values()), np.int64),
            "open": np.array(list(self._events), np.int64),
            "open_events": np.array(list(self._events.values()), np.float64),
        }
        if self.cursor:
            state["cursor"] = np.frombuffer(self.cursor.encode(), np.uint8)
        for i, (field, names) in enumerate(self._names.items()):
            state[f"name{i}"] = np.frombuffer(field.encode(), np.uint8)
            state |= under(f"names{i}", names.save())
        for i, question in enumerate(self._questions):
            state |= under(f"question{i}", question.save())
        state |= under("scoring", self._scoring.save()) | under("completeness", self._completeness.save())
        if self._overlapping is not None:
            state |= under("overlapping", self._overlapping.save())
        if self._categorizer is not None:
            state |= under("categories", self._categorizer.save())
        if self.feed is not None:
            state |= under("feed", self.feed.save())
        return state

    def reverted(self, state: State | None, *, keep_time: bool) -> Analysis:
        """What goes on from the models of *state*, or from none; what was counted stays.

        keep_time: what has passed does not come again. It is another analysis: a state is restored to an empty one.
        """
        anew = Analysis(self.spec)
        if state is not None:
            anew.restore(state)
        if self.feed is not None and anew.feed is not None:
            anew.feed.restore(self.feed.save())
        if keep_time:
            anew.cursor = self.cursor
            anew._drop_open()
            if anew._overlapping is not None:
                anew._overlapping.drop_waiting()
            anew._latest_ms = max(anew._latest_ms, self._latest_ms)
            if self._frontier is not None:
                anew._frontier = self._frontier if anew._frontier is None else max(anew._frontier, self._frontier)
        latest_ms = self.totals.latest_ms if keep_time else anew.totals.latest_ms
        anew.totals = Taken(dict(self.totals.counts), latest_ms)
        return anew

    def restore(self, state: State) -> None:
        """As ``save`` gave it, of a job that is asked the same."""
        latest, frontier, first, self._last, counted, self._muted, skipping = (int(x) for x in state["clock"])
        self._latest_ms, self._skipping = latest, bool(skipping)
        self._frontier = None if frontier == NEVER else frontier
        self._first = None if first == NEVER else first
        self.totals = Taken(
            dict(zip(self.totals.counts, (int(x) for x in state["counts"]), strict=True)),
            None if counted == NEVER else counted,
        )
        self.cursor = state["cursor"].tobytes().decode() if "cursor" in state else ""
        self._events = dict(zip(state["open"].tolist(), state["open_events"].tolist(), strict=True))
        self._names.clear()
        i = 0
        while f"name{i}" in state:
            self._names[state[f"name{i}"].tobytes().decode()].restore(part(state, f"names{i}"))
            i += 1
        for i, question in enumerate(self._questions):
            question.restore(part(state, f"question{i}"))
        self._scoring.restore(part(state, "scoring"))
        self._completeness.restore(part(state, "completeness"))
        if self._overlapping is not None:
            self._overlapping.restore(part(state, "overlapping"))
        if self._categorizer is not None:
            self._categorizer.restore(part(state, "categories"))
        if self.feed is not None:
            self.feed.restore(part(state, "feed"))
