"""The sources: the list of them; one with its charts, from a year down to the single reading; what happens, at once."""
from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Response, expect

from tests.page.asking import ask as call
from tests.page.reader import Reader, reading
from tests.system.daemon import Daemon

HOSTILE = "<img src=x onerror=alert(1)>\"'`=cmd|/etc\u202egnp.exe"
LEGIBLE = HOSTILE.replace("\u202e", "⟨U+202E⟩")
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
MARKS = ".points path.point"
YEAR_MINUTES = 365 * 24 * 60


def post(url: str, body: bytes, media: str) -> None:
    """Send *body*; return once all of it is scored."""
    sent = urllib.request.Request(f"{url}/api/v1/events", body, {"Content-Type": media})
    with urllib.request.urlopen(sent) as response:
        answer = json.load(response)
        assert answer["rejected"] == 0
    for _ in range(6):  # each waits for ten seconds at most
        try:
            ask(url, "/sources", limit=1, sequence=answer["sequence"])
            return
        except urllib.error.HTTPError as late:
            assert late.code == 503
            late.close()
    raise AssertionError("not scored within a minute")


def post_events(url: str, events: Iterable[dict[str, Any]]) -> None:
    """Send *events* as NDJSON; return once they are scored."""
    post(url, "".join(json.dumps(event) + "\n" for event in events).encode(), "application/x-ndjson")


def ask(url: str, path: str, **parameters: Any) -> Any:
    """What the daemon answers."""
    with urllib.request.urlopen(f"{url}/api/v1{path}?{urllib.parse.urlencode(parameters)}") as response:
        return json.load(response)


def steady(source: str, end_s: float, *, minutes: int = 600, field: str = "level") -> list[dict[str, Any]]:
    """A reading a minute up to and without *end_s*, all alike."""
    return [{"source": source, "time": end_s - 60 * (minutes - i), field: 20 + (i * 7919 % 13) / 10}
            for i in range(minutes)]


def part(name: str) -> str:
    """*name* as a part of the page's address."""
    return urllib.parse.quote(name, safe="")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a year of one source, a reading a minute, and whatever the tests send."""
    one = Daemon(tmp_path_factory.mktemp("sources") / "state").wait_ready()
    try:
        first = int(time.time()) // 60 * 60 - YEAR_MINUTES * 60
        rows = (f"{first + 60 * i},year,{20 + 5 * (i % 1440) / 1440 + (i * 7919 % 97) / 97:.2f}\n"
                for i in range(YEAR_MINUTES))
        post(one.url, ("time,source,level\n" + "".join(rows)).encode(), "text/csv")
        yield one
    finally:
        one.kill()


@pytest_asyncio.fixture(loop_scope="session")
async def guest(browser: Browser, own: Daemon) -> AsyncIterator[Reader]:
    """Somebody who looks at that daemon."""
    async with reading(browser, own.url) as one:
        yield one


def plain(daemon: Daemon) -> str:
    """A source of the demo with findings of weight."""
    found = ask(daemon.url, "/records", order="-score", limit=1, explain="false")
    return str(found["records"][0]["source"])


async def dragged(page: Page, chart: Locator, low: float, high: float) -> None:
    """Drag in *chart* from one share of its width to another."""
    box = await chart.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    await page.mouse.move(box["x"] + low * box["width"], y)
    await page.mouse.down()
    await page.mouse.move(box["x"] + (low + high) / 2 * box["width"], y, steps=3)
    await page.mouse.move(box["x"] + high * box["width"], y, steps=3)
    await page.mouse.up()


def range_in(url: str) -> tuple[str, str]:
    """The range that an address asks for."""
    query = urllib.parse.parse_qs(url.split("?", 1)[1])
    return query["start"][0], query["end"][0]


async def test_the_list_says_how_each_source_is(reader: Reader, daemon: Daemon) -> None:
    await reader.open("sources")
    rows = reader.main("tbody tr")
    await expect(rows).to_have_count(8)
    states = await reader.main("td .state").all_inner_texts()
    assert {words.split(maxsplit=1)[1] for words in states} <= {"live", "silent", "warming up"}
    heads = await reader.main("thead th").all_inner_texts()
    await reader.main("thead button:has-text('Worst')").click()
    at = heads.index("Worst, last 24 h")
    scores = [float(words.split()[1]) for words in await reader.main(f"tbody td:nth-child({at + 1})").all_inner_texts()
              if any(sign in words for sign in "▲◆■·")]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) > 1
    await expect(reader.page).to_have_url(re.compile("sort="))
    await reader.shot("list")


async def test_the_list_is_searched_by_the_daemon_as_somebody_types(guest: Reader, own: Daemon) -> None:
    post_events(own.url, ({"source": f"rack-{i:04}", "time": time.time(), "level": 1.0} for i in range(120)))
    await guest.open("sources?limit=50")
    await expect(guest.main("tbody tr")).to_have_count(50)
    search = guest.main("input[type=search]")
    await search.focus()
    await guest.page.keyboard.type("rack-010")
    await expect(guest.main("tbody tr")).to_have_count(10)
    await expect(search).to_be_focused()
    await expect(guest.page).to_have_url(re.compile("prefix=rack-010"))
    await search.fill("rack-")
    await expect(guest.main("tbody tr")).to_have_count(50)
    await guest.main("button:has-text('Next')").click()
    await expect(guest.main("tbody tr").first).to_contain_text("rack-0050")
    await guest.main("button:has-text('Next')").click()
    await expect(guest.main("tbody tr")).to_have_count(20)
    await guest.page.go_back()
    await expect(guest.main("tbody tr").first).to_contain_text("rack-0050")
    await search.fill("nobody")
    await expect(guest.main(".note")).to_contain_text("No source begins with nobody")


async def test_a_year_is_less_than_300_kilobytes_and_ends_at_the_single_reading(guest: Reader) -> None:
    sizes: dict[str, int] = {}

    async def weighed(response: Response) -> None:
        if "/api/v1/" in response.url and "/stream" not in response.url:
            sizes[response.url] = sizes.get(response.url, 0) + len(await response.body())

    guest.page.on("response", weighed)
    await guest.open("sources/year?last=1y")
    await expect(guest.main(".level")).to_contain_text("525,")
    await expect(guest.main(".level")).to_contain_text("of each")
    assert len(sizes) >= 4
    assert sum(sizes.values()) < 300_000, sizes
    guest.page.remove_listener("response", weighed)
    await guest.shot("year")

    chart = guest.main(".source-plot")
    for _ in range(4):  # 365 d, 36 d, 3.6 d, 9 h, 53 min
        before = guest.page.url
        await dragged(guest.page, chart, 0.4, 0.5)
        await expect(guest.page).not_to_have_url(before)
        await guest.settled()
    await expect(guest.main(".level")).to_contain_text("each as it came")
    await guest.main("summary:has-text('Readings as a table')").click()
    first = guest.main("details tbody tr").first
    start, end = range_in(guest.page.url)
    stored = ask(guest.url, "/sources/year/readings", start=start, end=end)["series"][0]
    assert stored["level"] == "raw"
    assert len(stored["value"]) < 100
    await expect(guest.main("details tbody tr")).to_have_count(len(stored["value"]))
    await expect(first.locator("td").nth(1)).to_have_text(f"{stored['value'][-1]:g}")
    box = await chart.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    await guest.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await expect(chart.locator(".hoverlayer")).to_contain_text("reading 2")
    await guest.shot("readings")


async def test_a_zoom_is_of_all_charts_and_the_way_back_leads_out(guest: Reader, own: Daemon) -> None:
    now = time.time()
    post_events(own.url, [{**one, "flow": one["level"] / 2} for one in steady("twin", now)])
    await guest.open("sources/twin?last=24h")
    await expect(guest.main(".source-card")).to_have_count(2)
    wide = await guest.main(".xtick text").all_text_contents()
    await dragged(guest.page, guest.main(".source-plot").nth(1), 0.8, 0.9)
    await expect(guest.page).to_have_url(re.compile("start="))
    await guest.settled()
    shown = [await guest.main(".source-plot").nth(at).locator(".xtick text").all_text_contents() for at in (0, 1)]
    assert shown[0] == shown[1] != wide
    await guest.page.go_back()
    await expect(guest.page).to_have_url(re.compile("last=24h"))
    await guest.page.go_forward()
    await guest.settled()
    box = await guest.main(".source-plot .nsewdrag").first.bounding_box()
    assert box is not None
    await guest.page.mouse.dblclick(box["x"] + 200, box["y"] + 60)
    await expect(guest.page).to_have_url(re.compile("last=24h"))
    await guest.main("button:has-text('Zoom in')").focus()
    await guest.page.keyboard.press("Enter")
    await expect(guest.page).to_have_url(re.compile("start="))
    await expect(guest.main("button:has-text('Zoom in')")).to_be_focused()


async def test_what_a_sensor_sends_shows_by_itself_and_nothing_moves(guest: Reader, own: Daemon) -> None:
    now = time.time()
    post_events(own.url, steady("kettle", now))
    await guest.open("sources/kettle?last=6h")
    await expect(guest.page.locator(".live")).to_have_text("Live")
    before = await guest.main(".source-findings li").count()
    button = guest.main("button:has-text('Zoom out')")
    await button.focus()
    await guest.page.evaluate("() => { window.drawn = document.querySelector('main .source-plot') }")
    post_events(own.url, [{"source": "kettle", "time": time.time(), "level": 900.0}])
    await expect(guest.main(".source-findings li")).to_have_count(before + 1)
    await expect(guest.main(".source-findings li").first).to_contain_text("900")
    await expect(guest.main(".latest")).to_contain_text("900")
    await expect(button).to_be_focused()
    assert await guest.page.evaluate("window.drawn === document.querySelector('main .source-plot')")
    await expect(guest.page.locator("#announcer")).to_contain_text("New finding in level")


async def test_the_list_follows_what_happens(guest: Reader, own: Daemon) -> None:
    post_events(own.url, steady("fan", time.time()))
    await guest.open("sources?prefix=fan")
    await expect(guest.page.locator(".live")).to_have_text("Live")
    link = guest.main("tbody a")
    await link.focus()
    post_events(own.url, [{"source": "fan", "time": time.time(), "level": 900.0}])
    await expect(guest.main("tbody td.numeric").nth(1)).to_have_text("601")
    await expect(guest.main("tbody .badge")).to_be_visible()
    await expect(link).to_be_focused()


async def test_readings_without_a_finding_come_by_themselves(guest: Reader, own: Daemon) -> None:
    post_events(own.url, steady("tank", time.time()))
    await guest.open("sources/tank?last=1h")
    await expect(guest.main(".facts-line")).to_contain_text("600 events")
    post_events(own.url, [{"source": "tank", "time": time.time(), "level": 20.5}])
    await expect(guest.main(".facts-line")).to_contain_text("601 events", timeout=12_000)  # it is asked for every 5 s
    await expect(guest.main(".latest")).to_contain_text("20.5")


async def test_of_many_series_some_are_shown_and_more_if_asked_for(guest: Reader, own: Daemon) -> None:
    now = time.time()
    post_events(own.url, [{"source": "many", "time": now, **{f"field-{i:02}": i for i in range(20)}}])
    await guest.open("sources/many?last=1h")
    await expect(guest.main(".source-card")).to_have_count(8)
    await guest.main("button:has-text('Show 8 more of 20')").click()
    await expect(guest.main(".source-card")).to_have_count(16)
    await guest.main("input[aria-label='Only series whose name has']").fill("-1")
    await guest.page.keyboard.press("Enter")
    await expect(guest.main(".source-card h2")).to_have_text([f"field-{i}" for i in range(10, 18)])
    await expect(guest.page).to_have_url(re.compile("series=-1"))
    post_events(own.url, [{"source": "many", "time": now + 1, "field-1a": 1.0}])
    await expect(guest.main(".source-card h2").first).to_have_text("field-10")
    await expect(guest.main("button:has-text('more of 11')")).to_be_visible(timeout=12_000)


async def test_metadata_is_read_and_written(guest: Reader, own: Daemon) -> None:
    post_events(own.url, steady("pump", time.time(), minutes=50))
    await guest.open("sources/pump")
    await guest.main("button:has-text('Add metadata')").click()
    await guest.page.keyboard.type("place")
    await guest.page.keyboard.press("Tab")
    await guest.page.keyboard.type("<b>hall 3</b>")
    await guest.page.keyboard.press("Enter")
    await expect(guest.main(".chips")).to_contain_text("<b>hall 3</b>")
    await guest.main("button:has-text('Edit')").click()
    await guest.main("button:has-text('One more')").click()
    await guest.page.keyboard.type("floor")
    await guest.page.keyboard.press("Tab")
    await guest.page.keyboard.type("2")
    await guest.main("button:has-text('Save')").click()
    await expect(guest.main(".chips")).to_contain_text("floor")
    assert ask(own.url, "/sources/pump")["metadata"] == {"place": "<b>hall 3</b>", "floor": 2}


async def test_names_are_shown_letter_by_letter(guest: Reader, own: Daemon) -> None:
    now = time.time()
    field = "<b onclick=alert(2)>v&amp;</b>%{x}"
    long = "é" * 128
    post_events(own.url, [*steady(HOSTILE, now, field=field), {"source": HOSTILE, "time": now, field: 900.0},
                          *steady(long, now, minutes=40)])
    guest.page.on("dialog", lambda dialog: guest.wrong.append(f"a script ran: {dialog.message}"))
    await guest.open("sources?limit=500")
    await expect(guest.main("td a").get_by_text(LEGIBLE, exact=True)).to_be_visible()
    await expect(guest.main("td a").get_by_text(long, exact=True)).to_be_visible()
    await guest.main("td a").get_by_text(LEGIBLE, exact=True).click()
    await expect(guest.main("h1")).to_have_text(LEGIBLE)
    await guest.settled()
    await expect(guest.main(".source-card h2")).to_have_text(field)
    await guest.main(".source-findings a").first.click()
    await expect(guest.main("aside .sentence").first).to_contain_text(f"{field} of {LEGIBLE} was 900")
    await expect(guest.main("aside .waiting")).to_have_count(0)
    tip = guest.main(".source-plot .hoverlayer")
    for left in reversed(range(10)):  # the chart may still make room for what was opened beside it
        box = await guest.main(f".source-plot {MARKS}").last.bounding_box()
        assert box is not None
        for aside in (40, 5):
            await guest.page.mouse.move(box["x"] + aside, box["y"] + 5)
        try:
            await expect(tip).to_contain_text("900", timeout=1_500 if left else 15_000)
            break
        except AssertionError:
            if not left:
                raise
    assert await guest.main("img, b[onclick], .source-plot a").count() == 0
    await guest.shot("hostile")


async def test_a_source_that_never_spoke_is_said_to_be_none(reader: Reader) -> None:
    await reader.page.goto(f"{reader.url}/#/sources/nobody")
    await expect(reader.main(".note")).to_contain_text("No source of this name")
    assert any("404" in one for one in reader.wrong)
    reader.wrong.clear()


async def saved(reader: Reader, button: str) -> bytes:
    """The file that the first *button* saves."""
    async with reader.page.expect_download() as waiting:
        await reader.main(f"button:has-text('{button}')").first.click()
    return await asyncio.to_thread(Path(await (await waiting.value).path()).read_bytes)


async def test_what_is_shown_is_saved_as_files(reader: Reader, daemon: Daemon) -> None:
    name = plain(daemon)
    await reader.open(f"sources/{name}?last=7d")
    rows = (await saved(reader, "CSV")).decode().splitlines()
    assert rows[0] == "time,value,typical,lower,upper,score,finding"
    assert len(rows) > 500
    found = ask(daemon.url, "/records", source=name, explain="false")["records"]
    assert sum("watch:0:" in row for row in rows) == len(found)
    assert (await saved(reader, "PNG")).startswith(b"\x89PNG")
    await reader.open("sources")
    assert len((await saved(reader, "CSV")).splitlines()) == 9


async def test_what_checks_say_is_a_strip_under_the_chart_at_once(guest: Reader, own: Daemon) -> None:
    name = f"press {HOSTILE}"
    post_events(own.url, steady(name, time.time()))
    call(own.url, "POST", "/checks", {
        "id": "high", "kind": "range", "parameters": {"max": 100}, "series": [{"source": "press*", "field": "level"}],
        "interval_s": 86400})
    call(own.url, "POST", "/checks/high/run", {})
    await guest.open(f"sources/{part(name)}?last=1h")
    await expect(guest.page.locator(".live")).to_have_text("Live")
    line, strip = guest.main(".checks-line"), guest.main(".source-plot .textpoint text")
    await expect(line).to_have_text("Checks:✓ GREENhigh")
    await expect(strip.filter(has_text="✓")).to_have_count(1)
    await guest.page.evaluate("() => { window.drawn = document.querySelector('main .source-plot') }")
    zoom = guest.main("button:has-text('Zoom out')")
    await zoom.focus()
    post_events(own.url, [{"source": name, "time": time.time(), "level": 900.0}])
    call(own.url, "POST", "/checks/high/run", {})
    await expect(line).to_have_text("Checks:✕ REDhigh", timeout=2_000)
    await expect(strip.filter(has_text="✕")).to_have_count(1)
    await expect(guest.main(".source-plot")).to_have_attribute("aria-label", re.compile("check high is RED$"))
    await expect(zoom).to_be_focused()
    assert await guest.page.evaluate("window.drawn === document.querySelector('main .source-plot')")
    assert await guest.violations() == []
    await guest.shot("checks")
    # It became so before this range, and is so in all of it: the strip has a piece that says so.
    now = time.time()
    start, end = (datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z") for at in (now, now + 600))
    later = urllib.parse.urlencode({"start": start, "end": end})
    await guest.open(f"sources/{part(name)}?{later}")
    await expect(line).to_have_text("Checks:✕ REDhigh")
    call(own.url, "DELETE", "/checks/high")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_nobody_is_kept_out(browser: Browser, daemon: Daemon, dark: bool) -> None:
    async with reading(browser, daemon.url, dark=dark) as reader:
        await reader.open("sources")
        assert await reader.violations() == []
        await reader.open(f"sources/{plain(daemon)}?last=1h")
        await reader.main("summary").first.click()
        await reader.main("summary").last.click()
        await reader.main("button:has-text('Add metadata')").click()
        await expect(reader.main(".source-more h3")).to_have_text("Was something missed?")
        assert await reader.violations() == []
        await reader.shot(f"source-{'dark' if dark else 'light'}")


async def test_it_can_be_read_on_a_phone(browser: Browser, daemon: Daemon) -> None:
    async with reading(browser, daemon.url, width=390, height=800) as reader:
        for name, view in (("list", "sources"), ("one", f"sources/{plain(daemon)}?last=7d")):
            await reader.open(view)
            assert await reader.page.evaluate(OVERFLOW) <= 0
            await reader.shot(f"{name}-phone")
