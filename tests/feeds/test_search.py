"""Search servers: every document once, in pages, across restarts and failures; aggregations; who asks."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offbeat.clock import ManualClock
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec
from tests.feeds.parts import JOB, SPAN_S, START_S, csv, house, rows, uploaded
from tests.feeds.server import INDEX, TYPE, SearchServer, serving

ROWS = rows(2, 1_000)
LAST_MS = ROWS[-1][0] * 1000
CSV = {"source": {"kind": "file", "path": "-"}}
DELAY_S = 60


def documents(some: list[tuple[int, str, float]]) -> list[dict[str, Any]]:
    return [{"time": time * 1000, "host": host, "value": value, "beside": "x"} for time, host, value in some]


def source(server: SearchServer, **more: Any) -> dict[str, Any]:
    return {"source": {"kind": "search", "base_url": server.url, "indexes": [INDEX], "types": [TYPE], "page": 70,
                       **more},
            "data": {"time_format": "epoch_ms"}, "query_delay_s": DELAY_S}


@pytest.mark.parametrize("old", [False, True])
async def test_every_document_is_read_once_page_by_page(old: bool, tmp_path: Path) -> None:
    expected = await uploaded(tmp_path / "whole", csv(ROWS), CSV)
    async with serving(SearchServer(old)) as server, house(tmp_path / "fed", ManualClock(1 << 41)) as home:
        server.add(*documents(ROWS))
        more = {"compatibility": "1.7.x"} if old else {}
        await home.fed(source(server, **more), end_ms=LAST_MS + 1)
        await home.ended()
        found = await home.found()
        del expected["counts"]["input_bytes"], found["counts"]["input_bytes"]  # a document is longer than a line
        assert home.at_work().report.record_count == len(ROWS)
        assert [found[name] for name in ("result_bucket", "result_record", "counts")] == [
            expected[name] for name in ("result_bucket", "result_record", "counts")]
        assert server.scrolls == {}, "scrolls are ended"
        assert server.searches[0]["_source"] == ["time", "value", "host"], "only what is needed is asked for"


async def test_what_is_new_is_asked_for_behind_the_delay_and_closes_buckets(tmp_path: Path) -> None:
    clock = ManualClock((START_S + 30) * 1000 + DELAY_S * 1000)
    async with serving(SearchServer()) as server, house(tmp_path / "fed", clock) as home:
        server.add(*documents(ROWS))
        await home.fed(source(server))
        await home.waits.asleep()
        report = home.at_work().report
        assert report.record_count == 90, "three a second, for 30 seconds"
        assert await home.service.database.read("SELECT * FROM result_bucket") == []
        clock.move(1000 * SPAN_S)
        await home.waits.look()
        assert report.record_count == 270
        server.documents.clear()
        clock.move(2000 * SPAN_S)
        await home.waits.look()
        rows = await home.service.database.read("SELECT start_ms, event_count FROM result_bucket ORDER BY start_ms")
        assert [count for _, count in rows] == [180, 90, 0], "nothing came in the third, which is over"
        assert home.waits.seconds[0] == SPAN_S


async def test_a_daemon_that_starts_again_reads_nothing_twice(tmp_path: Path) -> None:
    """All documents of a time are known by their ids, so the same time in two pages, or at a restart, is no trouble."""
    same = [(START_S + i // 200, "h", 1.0) for i in range(600)]
    clock = ManualClock(1 << 41)
    async with serving(SearchServer()) as server:
        server.add(*documents(same[:250]))
        async with house(tmp_path / "fed", clock) as home:
            await home.fed(source(server))
            await home.waits.asleep()
        server.add(*documents(same[250:]))
        async with house(tmp_path / "fed", clock) as home:
            await home.waits.asleep()
            assert home.at_work().report.record_count == 350
            counts = (await home.found())["counts"]
            assert counts["processed_record"] + counts["out_of_order"] == 600


async def test_a_scroll_that_is_lost_is_begun_again_where_it_was(tmp_path: Path) -> None:
    async with serving(SearchServer()) as server, house(tmp_path / "fed", ManualClock(1 << 41)) as home:
        server.add(*documents(ROWS))
        scroll = server.scroll

        async def forgetful(request: Any) -> Any:
            if len(server.searches) < 5:
                server.scrolls.clear()
            return await scroll(request)

        server.scroll = forgetful  # type: ignore[method-assign]
        async with serving(server):
            await home.fed(source(server))
            for _ in range(5):
                await home.waits.look()
        assert home.at_work().report.trouble_count == 4
        assert home.at_work().report.record_count == len(ROWS)
        assert (await home.found())["counts"]["out_of_order"] == 0


async def test_a_server_that_fails_or_is_away_is_told_and_tried_again(tmp_path: Path) -> None:
    async with serving(SearchServer()) as server, house(tmp_path / "fed", ManualClock(1 << 41)) as home:
        server.add(*documents(ROWS))
        server.failing = 503
        await home.fed(source(server))
        await home.waits.asleep()
        report = home.at_work().report
        assert report.trouble is not None
        assert "answered 503" in report.trouble.message
        server.failing = 0
        await home.waits.look()
        assert (report.trouble, report.record_count) == (None, len(ROWS))
    async with house(tmp_path / "fed", ManualClock(1 << 41)) as home:
        await home.waits.asleep()
        gone = home.at_work().report.trouble
        assert gone is not None
        assert server.url.removeprefix("http://").split(":")[0] in gone.message


async def test_the_query_of_the_feed_and_its_user_are_told_to_the_server(tmp_path: Path) -> None:
    server = SearchServer(user="ann", password="secret")
    async with serving(server), house(tmp_path / "fed", ManualClock(1 << 41)) as home:
        server.add(*documents(ROWS))
        query = {"term": {"host": "h1"}}
        await home.fed(source(server, query=query, username="ann", password="wrong"))
        await home.waits.asleep()
        found = home.at_work().report.trouble
        assert found is not None
        assert "401" in found.message
        assert "wrong" not in found.message
        await home.feeds.stop(JOB.id)
        from offbeat.feeds.spec import spec_of
        await home.feeds.put(JOB.id, spec_of(source(server, query=query, username="ann", password="secret")))
        await home.feeds.start(JOB.id)
        await home.waits.look()
        assert home.at_work().report.record_count == sum(host == "h1" for _, host, _ in ROWS)


async def test_what_scripts_make_are_fields(tmp_path: Path) -> None:
    spec = AnalysisSpec("shop", (DetectorSpec("mean", field="double"),), SPAN_S)
    async with serving(SearchServer()) as server, house(tmp_path / "fed", ManualClock(1 << 41)) as home:
        server.add(*documents(ROWS))
        await home.fed(source(server, script_fields={"double": {"script": "2 * value"}}), spec)
        await home.waits.asleep()
        counts = (await home.found())["counts"]
        assert (counts["processed_record"], counts["missing_field"]) == (len(ROWS), 0)


async def test_aggregations_are_asked_for_by_whole_buckets_and_each_is_read_once(tmp_path: Path) -> None:
    spec = AnalysisSpec("shop", (DetectorSpec("mean", field="value"),), SPAN_S, summary_count_field="doc_count")
    aggregations = {"time": {"date_histogram": {"field": "time", "interval": "30s"},
                             "aggregations": {"value": {"avg": {"field": "value"}}}}}
    clock = ManualClock((START_S + 130 + DELAY_S) * 1000)
    async with serving(SearchServer()) as server, house(tmp_path / "fed", clock) as home:
        server.add(*documents(ROWS))
        await home.fed(source(server, aggregations=aggregations), spec)
        await home.waits.asleep()
        assert home.at_work().report.record_count == 4, "two buckets are whole, of two steps each"
        clock.move(1000 * SPAN_S)
        await home.waits.look()
        assert home.at_work().report.record_count == 6
        rows = await home.service.database.read("SELECT event_count FROM result_bucket ORDER BY start_ms")
        assert [count for (count,) in rows] == [180, 180, 180]
