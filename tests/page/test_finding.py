"""Why a finding is one: from its marker to the readings like it, and what people say of it."""
from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.page.reader import Reader, reading
from tests.page.test_sources import MARKS, OVERFLOW, ask, part, plain, post_events, steady
from tests.system.daemon import Daemon


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with what the tests send, and nothing else."""
    one = Daemon(tmp_path_factory.mktemp("finding") / "state").wait_ready()
    try:
        yield one
    finally:
        one.kill()


def strongest(daemon: Daemon, **parameters: Any) -> Any:
    """The strongest finding that there is, with all that is known of it."""
    found = ask(daemon.url, "/records", order="-score", limit=1, explain="false", **parameters)["records"][0]
    return ask(daemon.url, f"/records/{part(found['id'])}")


def add_job(url: str, job: dict[str, Any]) -> None:
    """The daemon has this job."""
    body, media = json.dumps(job).encode(), {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/api/v1/jobs", body, media)) as response:
        assert response.status == 201


async def test_a_marker_leads_to_why(reader: Reader, daemon: Daemon) -> None:
    name = plain(daemon)
    await reader.open(f"sources/{name}?last=7d")
    marks = reader.main(f".source-plot {MARKS}")
    count = await reader.main(".source-findings li").count()
    assert await marks.count() >= count > 0
    box = await marks.first.bounding_box()
    assert box is not None
    await reader.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await reader.page.mouse.down()
    await reader.page.mouse.up()
    await expect(reader.page).to_have_url(re.compile("finding=watch"))
    await expect(reader.main("aside h2")).to_be_focused()
    await reader.page.go_back()
    await expect(reader.main("aside")).to_be_hidden()
    await reader.page.go_forward()
    await expect(reader.main("aside h2")).to_contain_text("finding")


async def test_it_says_what_was_seen_and_what_would_have_been_normal(reader: Reader, daemon: Daemon) -> None:
    record = strongest(daemon)
    explain = record["explain"]
    await reader.open(f"sources/{record['source']}?last=7d")
    entry = reader.main(f'[data-finding="{record["id"]}"]')
    await entry.focus()
    await reader.page.keyboard.press("Enter")
    panel = reader.main("aside")
    await expect(panel.locator(".sentence").first).to_contain_text(explain["sentence"].split(" The most similar")[0])
    names, values = [await panel.locator(f".facts {one}").all_inner_texts() for one in ("dt", "dd")]
    facts = dict(zip(names, values, strict=True))
    assert facts["Observed"] == f"{record['actual']:g}"
    assert facts["Would be normal"] == explain["normal"]
    assert f"{explain['bits']:.3g} bits" in facts["How unlikely"]
    assert "critical" in facts["Score"]
    spoke = await panel.locator(".evidence strong").all_inner_texts()
    assert spoke == [one["piece"] for one in explain["evidence"] if one["share"] >= 0.005]
    for act in explain["acted"]:
        await expect(panel).to_contain_text(act["text"])
    await expect(panel).to_contain_text("Watched since")
    await expect(entry).to_have_attribute("aria-current", "true")
    await reader.shot("why")
    await reader.shot("readme-why", whole=False)
    await reader.page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await expect(entry).to_be_focused()


async def test_the_moments_like_it_are_laid_over_it_and_can_be_gone_to(reader: Reader, daemon: Daemon) -> None:
    record = strongest(daemon)
    await reader.open(f"sources/{record['source']}?last=7d&finding={part(record['id'])}")
    known = [one for one in record["explain"]["similar"] if one["time"]]
    assert known
    await expect(reader.main(".similar-plot .scatterlayer .trace")).to_have_count(1 + len(known))
    await reader.main("aside h3:has-text('similar') + div a").first.click()
    await expect(reader.page).to_have_url(re.compile("start="))
    query = dict(one.split("=") for one in reader.page.url.split("?")[1].split("&"))
    start, end = (re.sub("%3A", ":", query[name]) for name in ("start", "end"))
    assert start < known[0]["time"] < end
    assert query["finding"] == part(record["id"]).replace("%28", "(")
    await reader.settled()
    assert await reader.main(".level").inner_text() != "no readings in this range"


async def test_a_finding_of_long_ago_is_shown_with_what_was_around_it(reader: Reader, daemon: Daemon) -> None:
    old = min(ask(daemon.url, "/records", limit=1000, explain="false")["records"], key=lambda one: str(one["time"]))
    assert time.time() - time.mktime(time.strptime(old["time"][:16] + "UTC", "%Y-%m-%dT%H:%M%Z")) > 86_400
    await reader.open(f"sources/{old['source']}?finding={part(old['id'])}")
    await expect(reader.main(f'[data-finding="{old["id"]}"]')).to_be_visible()
    await expect(reader.main(".source-plot .shapelayer path")).to_have_count(1)


async def test_a_finding_that_is_gone_is_said_to_be(reader: Reader, daemon: Daemon) -> None:
    await reader.open(f"sources/{plain(daemon)}?finding=watch%3A0%3Anobody%3Anothing%3A1")
    await expect(reader.main("aside")).to_contain_text("no such finding")
    await expect(reader.main(".source-plot .main-svg").first).to_be_visible()
    assert any("404" in one for one in reader.wrong)
    reader.wrong.clear()


async def test_what_was_found_elsewhere_at_the_same_time_is_linked(browser: Browser, own: Daemon) -> None:
    now = time.time()
    for name in ("east", "west"):
        post_events(own.url, [*steady(f"twin-{name}", now), {"source": f"twin-{name}", "time": now, "level": 900.0}])
    record = strongest(own, source="twin-east")
    async with reading(browser, own.url) as one:
        await one.open(f"sources/twin-east?finding={part(record['id'])}")
        await one.main("aside a:has-text('twin-west level')").click()
        await expect(one.main("h1")).to_have_text("twin-west")
        await expect(one.main("aside .sentence").first).to_contain_text("level of twin-west was 900")


async def test_a_model_with_a_law_says_one_in_how_many(browser: Browser, own: Daemon) -> None:
    add_job(own.url, {"id": "law", "model": "ewma", "sources": ["lathe"]})
    now = time.time()
    post_events(own.url, [*steady("lathe", now), {"source": "lathe", "time": now, "level": 23.5}])
    record = strongest(own, source="lathe", job="law")
    assert 1e-9 < record["probability"] < 0.01
    async with reading(browser, own.url) as one:
        await one.open("sources/lathe?last=6h")
        await one.main("select[aria-label='Findings of job']").select_option("law")
        await expect(one.page).to_have_url(re.compile("job=law"))
        await one.main(f'[data-finding="{record["id"]}"]').click()
        await expect(one.main("aside .facts")).to_contain_text(re.compile(r"one in [\d,]+ readings, [\d.]+ bits"))
        await expect(one.main("aside")).to_contain_text("Its model compares no moments")


async def test_feedback_is_weighed_accepted_and_taken_back(browser: Browser, own: Daemon) -> None:
    now = time.time()
    post_events(own.url, [*steady("oven", now), {"source": "oven", "time": now, "level": 30.0}])
    record = strongest(own, source="oven", field="level")
    async with reading(browser, own.url) as one:
        await one.open(f"sources/oven?last=6h&finding={part(record['id'])}")
        form = one.main("aside form.feedback")
        await form.get_by_label("Why, for others").fill("<i>the door</i>")
        await form.get_by_text("This was normal").click()
        await expect(form).to_contain_text("times weaker from here on")
        assert ask(own.url, "/feedback", source="oven")["feedback"] == []  # it was only weighed
        await form.get_by_text("Accept").click()
        await expect(form.locator(".note")).to_contain_text("is in force")
        await expect(form.get_by_text("Undo")).to_be_focused()
        (kept,) = ask(own.url, "/feedback", source="oven")["feedback"]
        assert (kept["verdict"], kept["note"], kept["undone"]) == ("normal", "<i>the door</i>", None)
        await expect(one.main(".source-plot .annotation")).to_have_text(kept["name"])
        await one.main("summary:has-text('Feedback')").click()
        row = one.main(".source-more tr").filter(has_text=kept["name"])
        await expect(row).to_contain_text("<i>the door</i>")
        await row.get_by_text("Undo").click()
        await one.page.locator("dialog button:has-text('Take it back')").click()
        await expect(row).to_contain_text("taken back")
        await expect(one.main(".source-plot .annotation")).to_have_count(0)
        assert ask(own.url, "/feedback", source="oven")["feedback"][0]["undone"] is not None
        await one.main(".source-more form").get_by_text("What would change?").click()
        await expect(one.main(".source-more form .sentence")).to_contain_text("times stronger from here on")
        await one.shot("feedback")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_nobody_is_kept_out(browser: Browser, daemon: Daemon, dark: bool) -> None:
    record = strongest(daemon)
    async with reading(browser, daemon.url, dark=dark) as one:
        await one.open(f"sources/{record['source']}?last=7d&finding={part(record['id'])}")
        await expect(one.main(".similar-plot .main-svg").first).to_be_visible()
        assert await one.violations() == []
        await one.shot(f"why-{'dark' if dark else 'light'}")


async def test_it_can_be_read_on_a_phone(browser: Browser, daemon: Daemon) -> None:
    record = strongest(daemon)
    async with reading(browser, daemon.url, width=390, height=800) as one:
        await one.open(f"sources/{record['source']}?last=7d&finding={part(record['id'])}")
        await expect(one.main(".similar-plot .main-svg").first).to_be_visible()
        assert await one.page.evaluate(OVERFLOW) <= 0
        await one.shot("why-phone")
