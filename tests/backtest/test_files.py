"""A back-test over a file finds what a daemon finds to which the file is sent, late lines and all."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from offbeat.backtest.comparison import Comparison, over_file
from offbeat.backtest.question import Change, FileReadings, Scope
from offbeat.clock import ManualClock
from offbeat.config import IngestConfig
from offbeat.errors import BadBody, BadRequest
from offbeat.records import JobSpec
from offbeat.service import running
from offbeat.store.queries import RecordQuery
from offbeat.wire import Format, Options
from tests.backtest.work import at_home, quietly
from tests.engine.run import Event, random_steps
from tests.store.process import START_MS, applied, config, ndjson, pages, send

WATCH = JobSpec("watch", model="ewma", parameters=(("warmup_readings", 5),))
LIMITS = (1000, 1000, 4000, 64)
EVENTS = [step for step in random_steps(8, 6000, absurd=0.02) if isinstance(step, Event)]


def options(format: Format) -> Options:
    plain = Options.of(IngestConfig(), format, precision="ms")
    return replace(plain, time_required=True, max_future_ms=1 << 50)


def over(path: Path, *, format: Format = "ndjson", encoding: str = "identity", workers: int = 1,
         change: Change | None = None, scope: Scope | None = None) -> Comparison:
    asked = FileReadings(path, encoding, options(format), WATCH, Change(), LIMITS, 10.0)
    return over_file(asked, change or Change(), scope or Scope(), workers, quietly, at_home)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_bytes(ndjson(EVENTS))
    return path


async def test_a_file_gives_the_findings_of_a_daemon_to_which_it_is_sent(file, tmp_path):
    async with running(config(tmp_path / "state", watch={"model": "ewma"}), clock=ManualClock(START_MS)) as service:
        for first in range(0, len(EVENTS), 500):
            await send(service, EVENTS[first : first + 500])
        await applied(service)
        records = await pages(service.results.records, RecordQuery(job="watch"))
        late = (await service.jobs.get("watch")).late_count
    c = over(file)
    assert late > 100 and c.ran.late_count == late
    assert any("too late for their bucket" in note for note in c.notes)
    assert len(records) > 20 and c.unchanged_count == len(c.differences) == len(records)
    assert sorted((d.found.source, d.found.field, d.found.time_ms, d.found.score) for d in c.differences) == sorted(
        (r.source, r.field, r.time_ms, r.score) for r in records
    )


def test_the_answer_does_not_depend_on_how_many_share_the_file(file):
    change = Change(parameters={"half_life_readings": 6.0, "warmup_readings": 150})
    one, *others = (over(file, workers=workers, change=change) for workers in (1, 2, 5))
    assert one.counts["kept"] and one.counts["new"] + one.counts["gone"]
    for other in others:
        assert other.differences == one.differences
        assert (other.ran.reading_count, other.ran.series_count, other.ran.late_count) == (
            one.ran.reading_count, one.ran.series_count, one.ran.late_count,
        )


def test_every_format_and_encoding_says_the_same(tmp_path):
    events = [replace(e, values={"x": e.values["x"]}) for e in EVENTS if "x" in e.values]
    rows = [{"source": e.source, "time": e.time_ms, **e.values} for e in events]
    bodies: dict[tuple[Format, str], bytes] = {
        ("ndjson", "identity"): ndjson(events),
        ("ndjson", "gzip"): gzip.compress(ndjson(events)),
        ("json", "identity"): json.dumps(rows).encode(),
        ("csv", "identity"): b"source,time,x\n" + b"".join(
            f"{r['source']},{r['time']},{r['x']}\n".encode() for r in rows
        ),
        ("influx", "identity"): b"".join(
            f"m,source={r['source']} x={r['x']} {r['time']}\n".encode() for r in rows
        ),
    }
    answers = []
    for (format, encoding), body in bodies.items():
        path = tmp_path / f"{format}-{encoding}"
        path.write_bytes(body)
        c = over(path, format=format, encoding=encoding, change=Change(parameters={"half_life_readings": 6.0}))
        answers.append([(d.kind, d.found.source, d.found.time_ms, d.found.score) for d in c.differences])
    assert len(answers[0]) > 5
    assert all(answer == answers[0] for answer in answers)


def test_lines_that_are_no_event_are_counted_once(tmp_path):
    path = tmp_path / "some.ndjson"
    path.write_bytes(b'{"source": "a", "x": 1}\nnothing\n' + ndjson(EVENTS[:500]))
    c = over(path, workers=3)
    assert c.ran.rejected_count == 2
    assert "2 lines rejected; `offbeat send` would list them" in c.notes


def test_patterns_and_times_choose(file):
    times = sorted(e.time_ms for e in EVENTS)
    from_ms, to_ms = times[1000], times[4000]
    c = over(file, scope=Scope(("a*",), ("x",), end_ms=to_ms, read_from_ms=from_ms))
    mine = [e for e in EVENTS if e.source.startswith("a") and "x" in e.values and from_ms <= e.time_ms < to_ms]
    assert c.ran.reading_count == len(mine)
    assert {d.found.field for d in c.differences} == {"x"}
    with pytest.raises(BadRequest, match=r"no reading in .* fits"):
        over(file, scope=Scope(("nobody",)))


def test_what_is_no_file_or_damaged_is_refused_with_its_name(tmp_path):
    with pytest.raises(BadRequest, match=r"none\.csv is not there"):
        over(tmp_path / "none.csv")
    with pytest.raises(BadRequest, match="is a directory"):
        over(tmp_path)
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(ndjson(EVENTS))[:-20])
    with pytest.raises(BadBody, match=r"cut\.gz cannot be read further"):
        over(cut, encoding="gzip")
