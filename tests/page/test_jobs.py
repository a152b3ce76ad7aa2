"""Jobs on the page: listed, one of each kind, what was planted is found, a new one is tried before it is kept."""
from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from offbeat_detectors.buckets.functions import FUNCTIONS
from tests.page.asking import ask, demonstrating, send
from tests.page.reader import Reader, reading
from tests.system.daemon import Daemon

HOSTILE = "<img src=x onerror=alert(1)>\"'=cmd/שלום"
SPAN_S = 300
BUCKETS = 288
PLANTED, SLIGHT = 250, 2.6
"""The bucket in which the shop north took six times as long as ever."""


def planted(begin_s: int) -> Iterator[dict[str, Any]]:
    """A day of three shops, two records of each a bucket, and once one of them is slow, once another a little."""
    for i in range(BUCKETS):
        for half in range(2):
            for at, shop in enumerate(("north", "south", HOSTILE)):
                took = 70 + (i * 7919 + at * 31 + half * 17) % 13 / 4
                if i == PLANTED and shop == "north":
                    took += 400
                elif i == PLANTED - 40 and shop == "south":
                    took += SLIGHT
                yield {"time": begin_s + i * SPAN_S + half * 100, "shop": shop, "till": f"till-{half}", "took": took,
                       "message": f"sale {i} at {shop} done" if half else "door opened"}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon of its own with the data of ``offbeat demo``: the jobs of these tests are nobody else's."""
    with demonstrating(tmp_path_factory.mktemp("jobs") / "state") as one:
        yield one


@pytest.fixture(scope="module")
def begin_s(daemon: Daemon) -> int:
    """When the day of the job ``shops`` begins; the job is there, closed, with what it found."""
    begin = (int(time.time()) - BUCKETS * SPAN_S) // 3600 * 3600
    shared = {"bucket_span_s": SPAN_S, "influencers": ["shop", "till"]}
    ask(daemon.url, "POST", "/jobs", shared | {
        "id": "shops", "description": "how long a sale takes", "model_plot": {},
        "detectors": [{"function": "mean", "field": "took", "by": "shop"}, {"function": "count"}]})
    ask(daemon.url, "POST", "/jobs", shared | {
        "id": "talk", "categorization_field": "message", "detectors": [{"function": "count", "by": "prelertcategory"}]})
    for job in ("shops", "talk"):
        send(daemon.url, f"/jobs/{job}/records", planted(begin))
        ask(daemon.url, "POST", f"/jobs/{job}/close")
    return begin


async def fits(reader: Reader) -> bool:
    """Whether nothing lies beside the screen."""
    scrolls = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    return not await reader.page.evaluate(scrolls)


async def test_the_list_says_what_each_job_asks_and_how_it_is(reader: Reader, begin_s: int) -> None:
    await reader.open("jobs")
    shops = reader.main("tbody tr", ).filter(has_text="how long a sale takes")
    await expect(shops).to_contain_text("mean took by shop; count")
    await expect(shops).to_contain_text("closed")
    await expect(shops.locator(".badge").nth(1)).to_contain_text("critical")
    watch = reader.main("tbody tr").filter(has_text="every numeric field of every source")
    await expect(watch).to_contain_text("follows")
    await expect(watch.get_by_role("button", name="Delete")).to_have_count(0)
    await reader.page.get_by_role("button", name="Memory").click()
    await reader.page.reload()
    await reader.settled()
    await expect(reader.main("th[aria-sort]")).to_have_text("Memory")
    assert await reader.violations() == []
    await reader.shot("jobs")


async def test_what_was_planted_is_found_and_told_in_full(reader: Reader, begin_s: int) -> None:
    await reader.open("jobs/shops")
    first = reader.main("[data-record]").first
    await expect(first).to_have_text("mean took of shop north")
    await expect(reader.main(".ranking li").filter(has_text="shop north")).to_contain_text("critical")
    await first.click()
    finding = reader.main(".finding")
    await expect(finding).to_contain_text("was 47")
    await expect(finding).to_contain_text("Within this job")
    await expect(finding.locator("h3")).to_be_focused()
    await expect(reader.main("option:checked").filter(has_text="mean took of shop north")).to_have_count(1)
    assert await reader.violations() == []
    await reader.shot("job-results")
    await reader.page.reload()
    await reader.settled()
    await expect(finding).to_contain_text("mean took of shop north")
    await reader.page.go_back()
    await reader.settled()
    await expect(finding).to_have_count(0)


async def test_a_bar_leads_to_the_findings_of_its_bucket(reader: Reader, begin_s: int) -> None:
    await reader.open("jobs/shops")
    bars = reader.main(".strip .bars .point path")
    await expect(bars.first).to_be_visible()
    box = "[box.height, box.x + box.width / 2, box.y + box.height / 2]"
    highest = await bars.evaluate_all(f"paths => paths.map(path => path.getBoundingClientRect()).map(box => {box})")
    _, x, y = max(highest)
    await reader.page.mouse.click(x, y)
    await expect(reader.main(".chip")).to_contain_text("Bucket of")
    await expect(reader.page).to_have_url(re.compile("bucket="))
    await expect(reader.main("[data-record]").first).to_have_text("mean took of shop north")
    await expect(reader.main(".worst [aria-pressed=true]")).to_have_count(1)
    await reader.main(".chip").click()
    await expect(reader.main(".chip")).to_have_count(0)


async def test_a_part_of_the_time_is_chosen_in_the_chart(reader: Reader, begin_s: int) -> None:
    await reader.open("jobs/shops")
    words = reader.main(".card .about").first
    await expect(words).to_contain_text("287 buckets")
    box = await reader.main(".strip .nsewdrag").bounding_box()
    assert box is not None
    mouse, y = reader.page.mouse, box["y"] + box["height"] / 2
    await mouse.move(box["x"] + 0.4 * box["width"], y)
    await mouse.down()
    await mouse.move(box["x"] + 0.6 * box["width"], y, steps=4)
    await mouse.up()
    await expect(words).to_contain_text(re.compile(r"^5\d buckets|^6\d buckets"))
    await expect(reader.page).to_have_url(re.compile("start=.*end="))
    await reader.page.reload()
    await reader.settled()
    await expect(words).to_contain_text(re.compile(r"^5\d buckets|^6\d buckets"))


async def test_findings_are_narrowed_by_score_value_and_influencer(reader: Reader, begin_s: int) -> None:
    await reader.open("jobs/shops")
    every = await reader.main("[data-record]").count()
    await reader.page.get_by_label("Least score").select_option("75")
    await expect(reader.main("[data-record]")).to_have_count(1)
    assert every > 1
    await reader.page.get_by_label("Least score").select_option("")
    await reader.page.get_by_label("Of the value").fill("SOUTH")
    await reader.page.get_by_label("Of the value").press("Enter")
    await expect(reader.main("[data-record]").filter(has_text="north")).to_have_count(0)
    await reader.page.get_by_label("Of the value").fill("")
    await reader.page.get_by_label("Of the value").press("Enter")
    await reader.main(".ranking button").filter(has_text="shop north").click()
    await expect(reader.main(".chip")).to_have_text("shop north ✕")
    async with reader.page.expect_download() as download:
        await reader.main(".filters").get_by_role("button", name="CSV").click()
    rows = (await (await download.value).path()).read_text().splitlines()
    assert rows[0].startswith("time,score,") and all("shop=north" in row for row in rows[1:]) and len(rows) > 1


async def test_what_was_expected_is_drawn_and_saved(reader: Reader, begin_s: int) -> None:
    await reader.open("jobs/shops")
    await expect(reader.main("section .plot:not(.strip) .scatterlayer .trace")).to_have_count(4)
    expected = reader.page.get_by_role("region", name="Expected and actual")
    async with reader.page.expect_download() as download:
        await expected.get_by_role("button", name="PNG").click()
    assert (await (await download.value).path()).read_bytes().startswith(b"\x89PNG")


async def test_the_job_that_follows_series_has_results_of_the_same_form(reader: Reader) -> None:
    await reader.open("jobs/watch?last=7d")
    await expect(reader.main("[data-record]").first).to_contain_text("of demo-")
    await reader.main("[data-record]").first.click()
    await expect(reader.main(".finding")).to_contain_text("Evidence")
    link = reader.main(".finding").get_by_role("link", name="See it in its series")
    await expect(link).to_have_attribute("href", re.compile(r"^#/sources/demo-[^?]*\?finding=watch"))


async def test_names_of_anybody_are_shown_letter_by_letter(reader: Reader, begin_s: int) -> None:
    await reader.open("jobs/shops")
    await reader.page.get_by_label("Of the value").fill("onerror")
    await reader.page.get_by_label("Of the value").press("Enter")
    await expect(reader.page.get_by_label("Of the value")).to_have_value("onerror")
    await expect(reader.main("option").filter(has_text=f"mean took of shop {HOSTILE}")).to_have_count(1)
    await reader.page.get_by_label("Of", exact=True).select_option(label=f"mean took of shop {HOSTILE}")
    await expect(reader.main(".plot .g-ytitle text, .plot .ytitle")).to_contain_text("<img src=x")
    assert await reader.page.locator("img[src=x]").count() == 0


async def test_categories_snapshots_and_settings(reader: Reader, daemon: Daemon, begin_s: int) -> None:
    await reader.open("jobs/talk/categories")
    await expect(reader.main("tbody tr")).to_have_count(3)
    await expect(reader.main("tbody")).to_contain_text("door opened")
    await reader.open("jobs/talk/settings")
    await expect(reader.main("pre")).to_contain_text('"categorization_field": "message"')
    late = {"time": begin_s + 90_000, "shop": "north", "till": "t", "message": "door opened"}
    send(daemon.url, "/jobs/talk/records", [late])
    ask(daemon.url, "POST", "/jobs/talk/close")
    await reader.open("jobs/talk/snapshots")
    await expect(reader.main("tbody tr")).to_have_count(2)
    assert await reader.violations() == []
    words = reader.main("tbody tr").nth(1).get_by_role("textbox")
    await words.fill("before the sale")
    await words.press("Enter")
    await expect(reader.page.locator("#announcer")).to_have_text("The description is kept")
    await reader.main("tbody tr").nth(1).get_by_role("button", name="Go on from").click()
    await reader.page.get_by_role("dialog").get_by_role("button", name="Go on from it").click()
    await expect(reader.main("tbody tr").first.get_by_role("textbox")).to_have_value("before the sale")
    await reader.main("tbody tr").nth(1).get_by_role("button", name="Delete").click()
    await reader.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(reader.main("tbody tr")).to_have_count(1)
    assert len(ask(daemon.url, "GET", "/jobs/talk/snapshots")["snapshots"]) == 1
    await reader.shot("job-snapshots")


async def test_a_job_is_paused_resumed_and_deleted_once_that_is_confirmed(reader: Reader, daemon: Daemon) -> None:
    ask(daemon.url, "POST", "/jobs", {"id": "short", "sources": ["none-*"], "detectors": [{"function": "count"}]})
    await reader.open("jobs/short")
    await expect(reader.main(".heading .badge")).to_contain_text("running")
    await reader.page.get_by_role("button", name="Pause job short").click()
    await expect(reader.main(".heading .badge")).to_contain_text("paused")
    await reader.page.get_by_role("button", name="Resume job short").click()
    await expect(reader.main(".heading .badge")).to_contain_text("running")
    await reader.page.get_by_role("button", name="Delete job short").click()
    await reader.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert ask(daemon.url, "GET", "/jobs/short")["id"] == "short"
    await reader.page.get_by_role("button", name="Delete job short").click()
    await reader.page.get_by_role("dialog").get_by_role("button", name="Delete the job").click()
    await expect(reader.page).to_have_url(re.compile("#/jobs$"))
    assert "short" not in [job["id"] for job in ask(daemon.url, "GET", "/jobs")["jobs"]]


async def test_the_feed_of_a_job_is_started_and_stopped(reader: Reader, daemon: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "till.csv"
    file.write_text("time,took\n1772366400,51.5\n1772366401,49.25\n")
    ask(daemon.url, "POST", "/jobs", {"id": "fed", "bucket_span_s": 60, "detectors": [{"function": "count"}]})
    ask(daemon.url, "PUT", "/jobs/fed/feed", {"source": {"kind": "file", "path": str(file)}})
    await reader.open("jobs/fed/feed")
    await expect(reader.main("section .badge")).to_have_text("○ stopped")
    await reader.page.get_by_role("button", name="Start").click()
    await expect(reader.main("section .badge")).to_have_text("● started")
    await reader.page.get_by_role("button", name="Stop").click()
    await expect(reader.main("section .badge")).to_have_text("○ stopped")
    assert await reader.violations() == []
    ask(daemon.url, "DELETE", "/jobs/fed/feed")
    ask(daemon.url, "DELETE", "/jobs/fed")


async def test_a_finding_shows_by_itself(reader: Reader, daemon: Daemon) -> None:
    now = time.time()
    send(daemon.url, "/events", [
        {"source": "jobs-live", "time": now - 60 * (600 - i), "level": 20 + (i * 7919 % 13) / 10} for i in range(600)])
    await reader.open("jobs/watch?last=7d&order=-time")
    await expect(reader.page.locator(".live")).to_have_text("Live")
    one = reader.main("[data-record]").nth(1)
    await one.focus()
    key = await one.get_attribute("data-record")
    send(daemon.url, "/events", [{"source": "jobs-live", "time": now, "level": 900.0}])
    await expect(reader.main("[data-record]").first).to_have_text("level of jobs-live")
    await expect(reader.page.locator(":focus")).to_have_attribute("data-record", key or "")


async def written(page: Page, **inputs: str) -> None:
    """Write into the form."""
    for label, text in inputs.items():
        await page.get_by_label(label.replace("_", " "), exact=True).fill(text)


async def test_a_new_job_is_tried_on_what_is_stored_and_then_kept(reader: Reader, daemon: Daemon) -> None:
    page = await reader.open("jobs/new")
    await written(page, Id="tried", Sources="demo-*", Description="all sensors")
    await expect(reader.main("fieldset .about")).to_contain_text("8 sources")
    await page.get_by_label("Function").select_option("high_count")
    await expect(page.get_by_label("Field", exact=True)).to_be_disabled()
    await written(page, By="source")
    await expect(reader.main(".detector legend")).to_have_text("Detector 0: high_count by source")
    await page.get_by_role("button", name="Try it").click()
    await expect(reader.main(".strip .bars .point").first).to_be_visible(timeout=30_000)
    await expect(reader.main(".job-new > .card .facts")).to_contain_text("Memory of its models")
    assert await reader.violations() == []
    await reader.shot("job-new")
    assert "tried" not in [job["id"] for job in ask(daemon.url, "GET", "/jobs")["jobs"]]
    await page.reload()
    await reader.settled()
    await expect(page.get_by_label("Id", exact=True)).to_have_value("tried")
    await page.get_by_role("button", name="Create the job").click()
    await expect(page).to_have_url(re.compile("#/jobs/tried/results"))
    await expect(page.get_by_role("heading", level=1)).to_contain_text("tried")
    made = ask(daemon.url, "GET", "/jobs/tried")
    assert made["sources"] == ["demo-*"]
    assert [(one["function"], one["field"], one["by"]) for one in made["detectors"]] == [("high_count", "", "source")]
    await reader.open("jobs/new")
    await expect(page.get_by_label("Id", exact=True)).to_have_value("")
    ask(daemon.url, "DELETE", "/jobs/tried")


async def test_a_job_that_follows_readings_is_tried_as_well(reader: Reader, daemon: Daemon) -> None:
    page = await reader.open("jobs/new")
    await page.get_by_label("Follow readings").check()
    await written(page, Id="levels", Sources="demo-*", Model="ewma")
    await page.get_by_role("button", name="Try it").click()
    await expect(reader.main(".job-new > .card tbody tr").first).to_contain_text("of demo-", timeout=30_000)
    await page.get_by_role("button", name="Create the job").click()
    await expect(page).to_have_url(re.compile("#/jobs/levels/results"))
    assert ask(daemon.url, "GET", "/jobs/levels")["model"] == "ewma"
    ask(daemon.url, "DELETE", "/jobs/levels")


async def test_what_the_daemon_refuses_is_said_beside_the_input(reader: Reader) -> None:
    page = await reader.open("jobs/new")
    await written(page, Id="no such name!")
    await written(page, Field="took")
    create = page.get_by_role("button", name="Create the job")
    await create.click()
    await expect(page.get_by_label("Id", exact=True)).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_label("Id", exact=True)).to_be_focused()
    await expect(page.locator(".field .wrong")).to_contain_text("expected 1 to 64 letters")
    await written(page, Id="refused", Field="")
    await expect(page.locator(".wrong")).to_have_count(0)
    await create.click()
    await expect(page.get_by_label("Field", exact=True)).to_be_focused()
    await expect(page.locator(".field .wrong")).to_contain_text("mean needs one")
    await written(page, Field="took")
    await page.get_by_text("Advanced", exact=True).click()
    await page.get_by_label("More members, as JSON").fill('{"memory_max_mb": ')
    await create.click()
    await expect(page.locator(".field .wrong")).to_contain_text("no JSON")
    await page.get_by_label("More members, as JSON").fill('{"memory_max_mb": -7}')
    await create.click()
    await expect(page.locator(".field .wrong")).to_contain_text("memory_max_mb is -7")
    await page.get_by_label("Bucket span, seconds").fill("an hour")
    await create.click()
    await expect(page.get_by_label("Bucket span, seconds")).to_be_focused()
    assert await reader.violations() == []
    await reader.shot("job-refused")
    reader.wrong = [one for one in reader.wrong if "400" not in one]


async def test_a_job_is_copied_with_all_that_it_asks(reader: Reader, daemon: Daemon, begin_s: int) -> None:
    page = await reader.open("jobs/shops")
    await page.get_by_role("link", name="Copy as new").click()
    await expect(page.get_by_label("Id", exact=True)).to_have_value("shops-2")
    await expect(page.get_by_label("Records that are sent to it")).to_be_checked()
    await page.get_by_role("button", name="Create the job").click()
    await expect(page).to_have_url(re.compile("#/jobs/shops-2/results"))
    one, two = (ask(daemon.url, "GET", f"/jobs/{id}") for id in ("shops", "shops-2"))
    asked = {"bucket_span_s", "detectors", "influencers", "model_plot", "description", "sources", "memory_max_mb"}
    assert {name: one[name] for name in asked} == {name: two[name] for name in asked}
    ask(daemon.url, "DELETE", "/jobs/shops-2")


@pytest.mark.parametrize("view", ["jobs", "jobs/shops", "jobs/new"])
async def test_it_is_readable_on_a_phone_in_the_dark(browser: Browser, daemon: Daemon, begin_s: int, view: str) -> None:
    async with reading(browser, daemon.url, width=390, height=844, dark=True) as reader:
        await reader.open(view)
        assert await fits(reader)
        assert await reader.violations() == []
        await reader.shot(f"phone-{view.replace('/', '-')}")


async def test_the_functions_of_the_form_are_those_of_the_daemon(reader: Reader) -> None:
    page = await reader.open("jobs/new")
    known = await page.evaluate("import('/page/views/jobs-functions.js').then(module => module.FUNCTIONS)")
    assert {one["name"]: (one["field"], one["by"], one["over"]) for one in known} == {
        one.name: (one.field, one.by, one.over) for one in FUNCTIONS}
