"""Files that grow: whole records, each once, however they are written and whatever happens to the file."""
from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from offbeat.clock import ManualClock
from tests.feeds.parts import START_S, House, csv, house, rows, uploaded

ROWS = rows(1, 3_000)


def source(path: Path, **more: Any) -> dict[str, Any]:
    return {"source": {"kind": "file", "path": str(path), **more}}


def json_lines() -> bytes:
    return b"".join(json.dumps({"time": t, "host": h, "value": v}).encode() + b"\n" for t, h, v in ROWS)


def json_array() -> bytes:
    objects = [{"time": t, "host": h, "value": v} for t, h, v in ROWS]
    return json.dumps(objects[:1000], indent=1).encode() + b"\n" + json.dumps(objects[1000:]).encode() + b"\n"


def quoted() -> bytes:
    lines = [f'{t},"a, ""quoted""\n{h}",{v}\n' for t, h, v in ROWS]
    return b"time,host,value\n" + "".join(lines).encode()


BODIES: dict[str, tuple[bytes, dict[str, Any]]] = {
    "delimited": (csv(ROWS), {"format": "delimited"}),
    "quoted": (quoted(), {"format": "delimited"}),
    "windows": (csv(ROWS).replace(b"\n", b"\r\n"), {"format": "delimited"}),
    "lines": (json_lines(), {"format": "json"}),
    "array": (json_array(), {"format": "json"}),
}


@pytest.mark.parametrize("form", BODIES)
async def test_a_file_that_grows_by_any_pieces_gives_what_one_upload_gives(form: str, tmp_path: Path) -> None:
    body, data = BODIES[form]
    path, dice = tmp_path / "log", random.Random(7)
    document = {**source(path), "data": data}
    expected = await uploaded(tmp_path / "whole", body, document)
    path.write_bytes(b"")
    async with house(tmp_path / "fed") as home:
        await home.fed(document)
        at = 0
        while at < len(body):
            size = dice.choice((1, 10, 1_000, 40_000))
            with path.open("ab") as stream:
                stream.write(body[at : at + size])
            at += size
            await home.waits.look()
        assert (await home.found()) == expected
        assert expected["counts"]["processed_record"] == len(ROWS)
        assert expected["result_record"], "nothing was found, so nothing was compared"


async def test_a_line_without_an_end_waits_for_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(csv(ROWS[:2]) + b"17000")
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path))
        await home.waits.look()
        assert home.at_work().report.record_count == 2
        with path.open("ab") as stream:
            stream.write(b"00099,h1,5\n")
        await home.waits.look()
        assert home.at_work().report.record_count == 3


async def test_a_daemon_that_starts_again_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log"
    expected = await uploaded(tmp_path / "whole", csv(ROWS), source(path))
    path.write_bytes(csv(ROWS[:1_000]))
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path))
        await home.waits.look()
    path.write_bytes(csv(ROWS))
    async with house(tmp_path / "fed") as home:  # nobody starts the feed: it was at work
        await home.waits.look()
        assert home.at_work().report.record_count == 2_000
        assert await home.found() == expected


async def test_a_log_that_is_rotated_is_read_to_its_end_then_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(csv(ROWS[:100]))
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path))
        await home.waits.look()
        with path.open("ab") as stream:
            stream.write(csv(ROWS[100:200], header=False)[:-1])  # its last line will have no end
        path.rename(tmp_path / "log.1")
        path.write_bytes(csv(ROWS[200:300]))
        await home.waits.look()
        report = home.at_work().report
        assert report.record_count == 300
        assert [message for _, message in report.told] == [f"{path} is another file now"]


async def test_a_log_that_was_rotated_while_nobody_looked_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(csv(ROWS[:100]))
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path))
        await home.waits.look()
    with path.open("ab") as stream:
        stream.write(csv(ROWS[100:200], header=False))
    path.rename(tmp_path / "log.1")
    path.write_bytes(csv(ROWS[200:300]))
    async with house(tmp_path / "fed") as home:
        await home.waits.look()
        assert home.at_work().report.record_count == 200
        assert (await home.found())["counts"]["processed_record"] == 300


@pytest.mark.parametrize("again", [ROWS[:50], ROWS[100:150], ROWS[100:400]])
async def test_a_file_that_was_written_anew_is_told_and_read_from_its_beginning(
    again: list[tuple[int, str, float]], tmp_path: Path
) -> None:
    """Whether it is smaller than before with the same beginning, or larger with another, below the same header."""
    path = tmp_path / "log"
    path.write_bytes(csv(ROWS[:100]))
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path))
        await home.waits.look()
        path.write_bytes(csv(again))  # the inode stays
        await home.waits.look()
        report = home.at_work().report
        assert report.record_count == 100 + len(again)
        assert [message for _, message in report.told] == [f"{path} was written anew: it is read from its beginning"]


@pytest.mark.parametrize("order", ["name", "mtime"])
async def test_the_files_of_a_directory_are_read_in_order(order: str, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    names = ["c.csv", "a.csv", "b.csv"] if order == "mtime" else ["a.csv", "b.csv", "c.csv"]
    for i, name in enumerate(names):
        (logs / name).write_bytes(csv(ROWS[100 * i : 100 * (i + 1)]))
        os.utime(logs / name, (START_S + i, START_S + i))
    (logs / "notes.txt").write_text("none of them")
    async with house(tmp_path / "fed") as home:
        await home.fed(source(logs, pattern="*.csv", order=order))
        await home.waits.look()
        (logs / "d.csv").write_bytes(csv(ROWS[300:400]))
        await home.waits.look()
        counts = (await home.found())["counts"]
        assert (counts["processed_record"], counts["out_of_order"]) == (400, 0)


async def test_a_last_line_without_an_end_is_taken_once_its_file_is_quiet_and_another_follows(tmp_path: Path) -> None:
    logs, clock = tmp_path / "logs", ManualClock(START_S * 1000)
    logs.mkdir()
    (logs / "a.csv").write_bytes(csv(ROWS[:100])[:-1])
    os.utime(logs / "a.csv", (START_S, START_S))
    async with house(tmp_path / "fed", clock) as home:
        await home.fed(source(logs, pattern="*.csv"))
        await home.waits.look()
        assert home.at_work().report.record_count == 99
        (logs / "b.csv").write_bytes(csv(ROWS[100:101]))
        os.utime(logs / "b.csv", (START_S, START_S))
        clock.move(60_001)
        await home.waits.look()
        assert (await home.found())["counts"]["processed_record"] == 101


async def trouble(home: House) -> str:
    found = home.at_work().report.trouble
    assert found is not None
    return found.message


async def test_what_cannot_be_read_is_told_and_tried_again_ever_more_rarely(tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path))
        for _ in range(10):
            await home.waits.look()
        report = home.at_work().report
        assert home.waits.seconds[:3] == [1.0, 2.0, 4.0]
        assert max(home.waits.seconds) == 300.0
        assert report.trouble is not None
        assert "No such file" in report.trouble.message
        assert (report.trouble.tries, report.trouble_count) == (11, 11)
        assert report.trouble.again_ms == home.clock.now_ms() + 300_000
        path.write_bytes(csv(ROWS[:100]))
        await home.waits.look()
        assert (report.trouble, report.record_count) == (None, 100)
        assert home.waits.seconds[-1] == 1.0, "it looks as often as before"


async def test_a_header_that_lacks_a_field_is_told(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"time,host\n1700000040,h1\n")
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path))
        await home.waits.asleep()
        assert "no field 'value'" in await trouble(home)


async def test_bad_records_are_counted_and_stop_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(json_lines()[:0] + b'{"time": 1700000040, "host": "h", "value": 1}\n' + b"garbage {\n" * 200
                     + b'{"time": 1700000041, "host": "h", "value": 1}\n')
    async with house(tmp_path / "fed") as home:
        await home.fed({**source(path), "data": {"format": "json"}})
        await home.waits.look()
        counts = (await home.found())["counts"]
        assert (counts["processed_record"], counts["invalid_date"], counts["input_record"]) == (2, 200, 202)
        assert counts["input_bytes"] == path.stat().st_size


async def test_a_file_that_is_not_followed_is_read_and_the_job_closed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(csv(ROWS)[:-1])
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path, tail=False))
        await home.ended()
        assert (await home.found())["counts"]["processed_record"] == len(ROWS)
        assert (home.feeds.state("shop"), home.analyses.get("shop").status) == ("STOPPED", "CLOSED")


async def test_a_feed_with_an_end_takes_what_is_before_it_and_stops(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(csv(ROWS))
    async with house(tmp_path / "fed") as home:
        await home.fed(source(path), start_ms=(START_S + 10) * 1000, end_ms=(START_S + 20) * 1000)
        await home.ended()
        report = home.at_work().report
        assert (report.record_count, report.outside_count) == (30, len(ROWS) - 30)
        assert home.analyses.get("shop").status == "CLOSED"
