"""Health: what comes in, what waits, what was refused and why, what is near its limit."""
from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from playwright.async_api import Browser, expect

from tests.page.reader import Reader, reading
from tests.system.daemon import Daemon

BAD = '{"source": "s", "time": "yesterday", "v": 1}\n{"source": "<script>alert(3)</script>", "v": \n'


def post_bad(url: str) -> None:
    """Two lines that are rejected."""
    request = urllib.request.Request(f"{url}/api/v1/events", BAD.encode(), {"Content-Type": "application/x-ndjson"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 400
    refused.value.close()


async def test_it_says_what_to_know(reader: Reader, daemon: Daemon) -> None:
    post_bad(daemon.url)
    await reader.open("health")
    await expect(reader.main(".says li").first).not_to_be_empty()
    await expect(reader.main(".tile").first).to_contain_text("takes events")
    await expect(reader.main("td code", ).filter(has_text="engine.series_max")).to_be_visible()
    await expect(reader.main(".js-plotly-plot")).to_have_count(2)
    await reader.shot("health")
    async with reader.page.expect_download() as waiting:
        await reader.main("button:has-text('PNG')").first.click()
    assert (await waiting.value).suggested_filename == "events-a-second.png"


async def test_rejected_lines_are_shown_with_their_reasons(reader: Reader, daemon: Daemon) -> None:
    post_bad(daemon.url)
    await reader.open("health?code=bad_time")
    lines = reader.main("section:has(h2:has-text('Rejected')) tbody tr")
    await expect(lines.first).to_contain_text("yesterday")
    await expect(lines.filter(has_text="bad_time").first).to_be_visible()
    await reader.main("select[aria-label='Reason']").select_option("")
    await expect(lines.filter(has_text="<script>alert(3)</script>").first).to_be_visible()
    assert await reader.main("script").count() == 0


async def test_sources_that_have_something_to_say(reader: Reader) -> None:
    await reader.open("health?only=all")
    sources = reader.main("section:has(h2:has-text('Sources')) tbody tr")
    await expect(sources.first).to_contain_text("demo-")
    await reader.main("section:has(h2:has-text('Sources')) .sort:has-text('Events')").click()
    await expect(reader.main("th[aria-sort='descending'] .sort:has-text('Events')")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_nobody_is_kept_out(browser: Browser, daemon: Daemon, dark: bool) -> None:
    async with reading(browser, daemon.url, dark=dark) as reader:
        await reader.open("health")
        await expect(reader.main(".js-plotly-plot")).to_have_count(2)
        assert await reader.violations() == []


async def test_it_can_be_read_on_a_phone(browser: Browser, daemon: Daemon) -> None:
    async with reading(browser, daemon.url, width=390, height=800) as reader:
        await reader.open("health")
        wide, window = await reader.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= window
        await reader.shot("health-phone")
