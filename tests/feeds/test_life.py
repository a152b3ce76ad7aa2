"""What a feed goes through: given, started, stopped; what its job may do meanwhile; what is kept and what is shown."""
from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from offbeat.analyses.refusals import CannotResume, Fed
from offbeat.engine.analysis.entries import Upload
from offbeat.errors import BadRequest, NotFound
from offbeat.feeds.errors import CannotChangeFeed, CannotStartFeed, CannotStopFeed, NoFeed
from offbeat.feeds.spec import SearchSource, kept, shown, spec_of
from tests.feeds.parts import JOB, START_S, House, csv, house, rows

ROWS = rows(4, 600)


def source(path: Path) -> dict[str, Any]:
    return {"source": {"kind": "file", "path": str(path)}}


async def nothing() -> AsyncIterator[Upload]:
    for none in ():
        yield none


async def test_while_a_feed_is_at_work_the_job_is_its_own(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(csv(ROWS))
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path))
        await home.waits.asleep()
        assert (home.feeds.state(JOB.id), home.analyses.get(JOB.id).status) == ("STARTED", "RUNNING")
        flush: dict[str, Any] = {"interim": False, "start_ms": None, "end_ms": None, "advance_ms": None}
        for refused in (home.analyses.upload(JOB.id, nothing()), home.analyses.flush(JOB.id, **flush),
                        home.analyses.close(JOB.id), home.analyses.pause(JOB.id), home.analyses.resume(JOB.id)):
            with pytest.raises(Fed):
                await refused
        for unchanged in (home.feeds.put(JOB.id, spec_of(source(path))), home.feeds.drop(JOB.id)):
            with pytest.raises(CannotChangeFeed):
                await unchanged
        with pytest.raises(CannotStartFeed):
            await home.feeds.start(JOB.id)
        await home.feeds.stop(JOB.id)
        assert (home.feeds.state(JOB.id), home.analyses.get(JOB.id).status) == ("STOPPED", "CLOSED")
        with pytest.raises(CannotStopFeed):
            await home.feeds.stop(JOB.id)
        await home.analyses.upload(JOB.id, nothing())


async def test_a_feed_that_was_stopped_stays_so_and_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(csv(ROWS[:300]))
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path))
        await home.waits.asleep()
        await home.feeds.stop(JOB.id)
    path.write_bytes(csv(ROWS))
    async with house(tmp_path / "fed") as home:
        assert home.feeds.state(JOB.id) == "STOPPED"
        await home.feeds.start(JOB.id, start_ms=0)  # before the newest record: as if it were not given
        await home.waits.asleep()
        assert home.at_work().report.record_count == 300
        assert (await home.found())["counts"]["processed_record"] == 600


async def test_what_was_sent_before_the_first_start_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(csv(ROWS))
    async with house(tmp_path / "fed") as home:
        job = await home.analyses.create(JOB, {})
        from offbeat.feeds.batch import Form
        spec = spec_of(source(path))
        records, counts = Form(spec.data, (), JOB.columns).records_of(csv(ROWS[:300]))

        async def some() -> AsyncIterator[Upload]:
            yield Upload(job.number, records, counts)

        await home.analyses.upload(JOB.id, some())
        await home.feeds.put(JOB.id, spec)
        await home.feeds.start(JOB.id)
        await home.waits.asleep()
        report = home.at_work().report
        assert (report.record_count, report.outside_count) == (300, 300)
        assert (await home.found())["counts"]["out_of_order"] == 0


async def test_a_job_that_is_deleted_stops_its_feed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(csv(ROWS))
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path))
        await home.waits.asleep()
        await home.analyses.delete(JOB.id)
        with pytest.raises(NotFound):
            home.feeds.show(JOB.id)
        assert home.feeds.all() == []


async def test_a_feed_that_cannot_be_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path / "fed") as home:
        await home.analyses.create(JOB, {})
        with pytest.raises(NoFeed):
            await home.feeds.start(JOB.id)
        await home.feeds.put(JOB.id, spec_of(source(tmp_path / "log")))
        with pytest.raises(BadRequest):
            await home.feeds.start(JOB.id, start_ms=5, end_ms=5)
        await home.analyses.pause(JOB.id)
        with pytest.raises(CannotResume):
            await home.feeds.start(JOB.id)
        assert home.feeds.state(JOB.id) == "STOPPED"


async def revert(home: House, *, forget_results: bool) -> int:
    """How many records the feed reads again after its job went back to its first snapshot."""
    number = home.analyses.get(JOB.id).number
    every = await home.analyses.snapshots.all_of(number)
    first = min(every, key=lambda one: one.taken_ms)
    await home.analyses.snapshots.revert(number, first, forget_results=forget_results)
    await home.feeds.start(JOB.id)
    await home.waits.asleep()
    return home.at_work().report.record_count


@pytest.mark.parametrize(("forget_results", "again"), [(True, 300), (False, 0)])
async def test_a_job_that_goes_back_takes_its_feed_with_it_if_its_results_go(
    forget_results: bool, again: int, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    path.write_bytes(csv(ROWS[:300]))
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path))
        await home.waits.asleep()
        await home.feeds.stop(JOB.id)
        path.write_bytes(csv(ROWS))
        home.clock.move(1_000)
        await home.feeds.start(JOB.id)
        await home.waits.asleep()
        await home.feeds.stop(JOB.id)
        assert await revert(home, forget_results=forget_results) == again


SEARCH = {"kind": "search", "base_url": "http://ann:secret@es:9200/", "indexes": ["i"], "types": ["t"]}
DOCUMENTS: list[dict[str, Any]] = [
    {"source": {"kind": "file", "path": "/a", "pattern": "*.csv", "order": "mtime", "tail": False},
     "data": {"format": "json", "time_field": "at", "time_format": "epoch_ms"}, "frequency_s": 5.0,
     "transforms": [{"name": "concat", "inputs": ["a", "b"], "arguments": [""], "outputs": ["c"]},
                    {"name": "exclude", "inputs": ["a"], "condition": {"operator": "match", "value": "x"}}]},
    {"source": {"kind": "sqlite", "path": "/a", "query": "SELECT 1", "cursor": "id"}},
    {"source": {"kind": "postgres", "url": "postgresql://ann:secret@h/d", "query": "SELECT 1", "cursor": "id"}},
    {"source": SEARCH, "query_delay_s": 5},
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_feed_is_kept_whole_and_shown_without_its_password(document: dict[str, Any]) -> None:
    spec = spec_of(document)
    assert spec_of(kept(spec)) == spec
    assert "secret" not in str(shown(spec))
    assert "secret" not in repr(spec)
    if "secret" in str(document):
        assert "secret" in str(kept(spec))


async def test_a_password_stays_where_none_is_given_for_the_same_server(tmp_path: Path) -> None:
    async with house(tmp_path / "fed") as home:
        await home.analyses.create(JOB, {})
        await home.feeds.put(JOB.id, spec_of({"source": SEARCH}))
        again = {"kind": "search", "base_url": "http://es:9200", "indexes": ["j"], "username": "ann"}
        await home.feeds.put(JOB.id, spec_of({"source": again}))
    async with house(tmp_path / "fed") as home:
        kept_source = home.feeds.spec(JOB.id).source
        assert isinstance(kept_source, SearchSource)
        assert (kept_source.password, kept_source.indexes) == ("secret", ("j",))
        await home.feeds.put(JOB.id, spec_of({"source": again | {"base_url": "http://other:9200"}}))
        elsewhere = home.feeds.spec(JOB.id).source
        assert isinstance(elsewhere, SearchSource)
        assert elsewhere.password == "", "nobody else is told it"


@pytest.mark.parametrize("document", [
    [], {}, {"source": {"kind": "tape"}}, {"source": {"kind": "file"}}, {"source": {"kind": "file", "path": 7}},
    {"source": {"kind": "file", "path": "/a", "pattern": "b/*"}}, {"source": {"kind": "file", "path": "/a", "x": 1}},
    {"source": {"kind": "file", "path": "/a"}, "data": {"time_format": "QQ"}},
    {"source": {"kind": "file", "path": "/a"}, "data": {"delimiter": ",,"}},
    {"source": {"kind": "file", "path": "/a"}, "frequency_s": 0}, {"source": {"kind": "file", "path": "/a"}, "y": 1},
    {"source": {"kind": "file", "path": "/a"}, "transforms": [{"name": "none"}]},
    {"source": {"kind": "file", "path": "/a"}, "transforms": 5},
    {"source": {"kind": "sqlite", "path": "/a", "query": "SELECT 1"}},
    {"source": {"kind": "sqlite", "path": "/a", "query": "SELECT 1", "cursor": "id", "rows": 0}},
    {"source": {"kind": "postgres", "url": "http://h/d", "query": "SELECT 1", "cursor": "id"}},
    {"source": {"kind": "search", "base_url": "ftp://es", "indexes": ["i"]}},
    {"source": {"kind": "search", "base_url": "http://es", "indexes": []}},
])
def test_a_document_that_is_no_feed_is_refused(document: object) -> None:
    with pytest.raises(BadRequest):
        spec_of(document)


def test_how_often_a_feed_looks_suits_the_bucket_span() -> None:
    of_file, of_search = spec_of(DOCUMENTS[1] | {"source": {"kind": "file", "path": "/a"}}), spec_of({"source": SEARCH})
    assert of_file.looks_every_s(3600) == 1.0
    assert [of_search.looks_every_s(span) for span in (10, 60, 120, 300, 3600, 86_400)] == [10, 60, 60, 150, 600, 600]
    assert spec_of({"source": SEARCH, "frequency_s": 7}).looks_every_s(300) == 7
    assert START_S % 60 == 0
