"""Alerts on the page: a rule is written, an event raises one, somebody knows of it, nobody is told of the next."""
from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.page.asking import ask, send
from tests.page.reader import Reader, reading
from tests.system.daemon import Daemon

HOSTILE = "press <img src=x onerror=alert(1)>\"'=cmd/שלום"
SENT = 600
PRESSES = {"id": "presses", "sources": ["press*"], "raise_at": 20, "sinks": ["horn"]}


def steady(source: str, now_s: float) -> list[dict[str, Any]]:
    """Readings a minute up to *now_s*, all much alike."""
    return [
        {"source": source, "time": now_s - 60 * (SENT - i), "force": 180 + (i * 7919 % 97) / 97} for i in range(SENT)]


def struck(source: str, now_s: float, force: float = 400.0) -> list[dict[str, Any]]:
    """One reading that is like none before."""
    return [{"source": source, "time": now_s, "force": force}]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a sink that fails at once, steady presses, and a rule for them."""
    path = tmp_path_factory.mktemp("alerts")
    config = path / "offbeat.toml"
    config.write_text('[alerts.sinks.horn]\ntype = "command"\nargv = ["/bin/false"]\nattempts_max = 1\n')
    one = Daemon(path / "state", config).wait_ready()
    try:
        now = time.time()
        for source in ("press-1", "press-2", "press-3", "press-4", HOSTILE):
            send(one.url, "/events", steady(source, now - 60))
        ask(one.url, "POST", "/alert-rules", PRESSES)
        yield one
    finally:
        one.kill()


async def fits(reader: Reader) -> bool:
    """Whether nothing lies beside the screen."""
    scrolls = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    return not await reader.page.evaluate(scrolls)


async def test_an_alert_shows_by_itself_and_is_acknowledged(browser: Browser, plant: Daemon) -> None:
    async with reading(browser, plant.url) as reader:
        page = await reader.open("alerts")
        await expect(reader.main(".note.empty")).to_contain_text("No alert is active")
        await expect(page.locator(".live")).to_have_text("Live")
        send(plant.url, "/events", struck("press-1", time.time()))
        card = reader.main(".alert").filter(has_text="press-1")
        await expect(card).to_contain_text("force of press-1 was 400")
        await expect(card.get_by_role("link", name="See why")).to_have_attribute(
            "href", re.compile(r"^#/sources/press-1\?finding=watch"))
        await card.get_by_role("button", name="Acknowledge alert 1").click()
        await page.get_by_label("Your name").fill("ada")
        await page.get_by_label("Comment").fill("on my <b>way</b>")
        send(plant.url, "/events", struck("press-4", time.time()))
        await expect(reader.main(".alert")).to_have_count(2)
        await expect(page.get_by_label("Comment")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(card.locator(".known")).to_contain_text("by ada")
        await expect(card.locator(".known")).to_contain_text("on my <b>way</b>")
        assert ask(plant.url, "GET", "/alerts/1")["acknowledged_by"] == "ada"
        assert await reader.violations() == []
        await reader.shot("alerts")
        await page.get_by_role("link", name="Alert 1", exact=True).click()
        await expect(reader.main("section").nth(1)).to_contain_text("press-1")
        await reader.settled()
        assert await reader.violations() == []
        await reader.shot("alert")


async def test_what_is_silenced_is_listed_with_who_did_it(browser: Browser, plant: Daemon) -> None:
    async with reading(browser, plant.url) as reader:
        page = await reader.open("alerts/silences")
        await page.get_by_label("Sources").fill("press-2")
        await page.get_by_role("button", name="Silence", exact=True).click()
        await expect(page.locator(".field .wrong")).to_contain_text("Reason has 0 characters")
        await expect(page.get_by_label("Why")).to_be_focused()
        reader.wrong = [one for one in reader.wrong if "400" not in one]
        await page.get_by_label("Why").fill("new tool")
        await page.get_by_label("Your name").fill("ada")
        await page.get_by_role("button", name="8 h").click()
        await page.get_by_role("button", name="Silence", exact=True).click()
        row = reader.main("tbody tr").first
        await expect(row).to_contain_text("sources press-2")
        await expect(row).to_contain_text("active")
        (silence,) = ask(plant.url, "GET", "/silences")["silences"]
        assert silence["sources"] == ["press-2"] and silence["reason"] == "new tool"
        assert await reader.violations() == []
        await reader.shot("alerts-silences")
        send(plant.url, "/events", struck("press-2", time.time()))
        await page.get_by_role("link", name="Not told").click()
        hidden = reader.main("tbody tr").filter(has_text="press-2")
        await expect(hidden).to_contain_text("a silence")
        await expect(hidden).to_contain_text("silence 1, by ada")
        await page.get_by_label("Reason").select_option("silence")
        await expect(reader.main("tbody tr")).to_have_count(1)
        await page.reload()
        await reader.settled()
        await expect(page.get_by_label("Reason")).to_have_value("silence")
        assert await reader.violations() == []
        await page.get_by_role("link", name="Silences").click()
        await page.get_by_role("button", name="End silence 1 now").click()
        await expect(row).to_contain_text("over")


async def test_a_rule_is_written_changed_and_taken_away(browser: Browser, plant: Daemon) -> None:
    async with reading(browser, plant.url) as reader:
        page = await reader.open("alerts/rules/new")
        create = page.get_by_role("button", name="Create the rule")
        await page.get_by_label("Id").fill("not a name")
        await create.click()
        await expect(page.get_by_label("Id")).to_have_attribute("aria-invalid", "true")
        await page.get_by_label("Id").fill("boilers")
        await page.get_by_label("Raise at a score of").fill("170")
        await create.click()
        await expect(page.get_by_label("Raise at a score of")).to_be_focused()
        assert await reader.violations() == []
        reader.wrong = [one for one in reader.wrong if "400" not in one]
        await page.get_by_label("Raise at a score of").fill("60")
        await page.get_by_label("Sources").fill("boiler-*, kettle-*")
        await page.get_by_label("field", exact=True).check()
        await create.click()
        row = reader.main("tbody tr").filter(has_text="boilers")
        await expect(row).to_contain_text("sources boiler-*, kettle-*")
        await reader.shot("alerts-rules")
        assert await reader.violations() == []
        made = ask(plant.url, "GET", "/alert-rules/boilers")
        assert (made["raise_at"], made["clear_below"], made["group_by"]) == (60, 25, ["source", "field"])
        await row.get_by_role("link", name="boilers").click()
        await expect(page.get_by_label("Sources")).to_have_value("boiler-*, kettle-*")
        await page.get_by_label("Description").fill("steam")
        await page.get_by_role("button", name="Replace the rule").click()
        await expect(row).to_contain_text("steam")
        assert ask(plant.url, "GET", "/alert-rules/boilers")["description"] == "steam"
        await row.get_by_role("button", name="Delete").click()
        await page.get_by_role("dialog").get_by_role("button", name="Delete the rule").click()
        await expect(row).to_have_count(0)
        assert [rule["id"] for rule in ask(plant.url, "GET", "/alert-rules")["rules"]] == ["presses"]


async def test_a_rule_of_checks_is_written_and_tells_of_one_at_once(browser: Browser, plant: Daemon) -> None:
    send(plant.url, "/events", steady("tank-1", time.time()))
    ask(plant.url, "POST", "/checks", {
        "id": "full", "kind": "range", "parameters": {"max": 300}, "series": [{"source": "tank-*", "field": "force"}],
        "interval_s": 86400})
    async with reading(browser, plant.url) as reader:
        page = await reader.open("alerts/rules/new")
        await expect(page.get_by_label("A check raises it when it is")).to_be_disabled()
        await page.get_by_label("Id").fill("tanks")
        await page.get_by_label("Checks", exact=True).fill("fu*")
        await expect(page.get_by_label("Raise at a score of")).to_be_disabled()
        await expect(page.get_by_label("check", exact=True)).to_be_checked()
        await page.get_by_label("A check raises it when it is").select_option("YELLOW")
        assert await reader.violations() == []
        await reader.shot("alerts-rule-checks")
        await page.get_by_role("button", name="Create the rule").click()
        row = reader.main("tbody tr").filter(has_text="tanks")
        await expect(row).to_contain_text("checks fu*")
        await expect(row).to_contain_text("YELLOW")
        made = ask(plant.url, "GET", "/alert-rules/tanks")
        assert (made["checks"], made["status_at"], made["group_by"], made["raise_at"]) == (
            ["fu*"], "YELLOW", ["source", "field", "check"], None)
        await row.get_by_role("link", name="tanks").click()
        await expect(page.get_by_label("A check raises it when it is")).to_have_value("YELLOW")
        await page.get_by_role("link", name="Active").click()
        await reader.settled()
        send(plant.url, "/events", struck("tank-1", time.time()))
        ask(plant.url, "POST", "/checks/full/run", {})
        card = reader.main(".alert").filter(has_text="check full")
        await expect(card).to_contain_text("force of tank-1 was 400", timeout=2_000)
        await expect(card.locator(".badge")).to_contain_text("RED")
        await expect(card.get_by_role("link", name="See the check")).to_have_attribute("href", "#/checks/full")
        assert await reader.violations() == []
        await reader.shot("alerts-checks")
        await card.get_by_role("link", name=re.compile("^Alert ")).click()
        await expect(reader.main("tbody tr").first).to_contain_text("above max 300")
        await reader.settled()
        assert await reader.violations() == []
        await reader.shot("alert-check")
    ask(plant.url, "DELETE", "/checks/full")
    ask(plant.url, "DELETE", "/alert-rules/tanks")


async def test_what_was_given_up_is_sent_again(browser: Browser, plant: Daemon) -> None:
    async with reading(browser, plant.url) as reader:
        page = await reader.open("alerts/undelivered")
        send(plant.url, "/events", struck("press-3", time.time()))
        row = reader.main("tbody tr").filter(has_text="horn").first
        await expect(row).to_contain_text("raised", timeout=10_000)
        assert await reader.violations() == []
        await row.get_by_role("button", name=re.compile("Send delivery .* again")).click()
        await expect(page.locator("#announcer")).to_have_text(re.compile("is sent again"))


async def test_what_has_ended_is_history(browser: Browser, plant: Daemon) -> None:
    send(plant.url, "/events", struck(HOSTILE, time.time()))
    async with reading(browser, plant.url) as reader:
        await reader.open("alerts")
        await expect(reader.main(".alert h2").filter(has_text="onerror")).to_have_text(HOSTILE)
        link = reader.main(".alert").filter(has_text="onerror").get_by_role("link", name="See why")
        assert "finding=watch" in (await link.get_attribute("href") or "")
        assert await reader.page.locator("img[src=x]").count() == 0
        ask(plant.url, "PUT", "/alert-rules/presses", {**PRESSES, "group_by": []})
        await reader.page.get_by_role("link", name="History").click()
        await expect(reader.main("tbody tr").filter(has_text="onerror").first).to_contain_text("with its rule")
        assert await reader.violations() == []
        async with reader.page.expect_download() as download:
            await reader.page.get_by_role("button", name="CSV").click()
        text = (await (await download.value).path()).read_text()
        assert text.startswith("number,state,rule,") and '"press <img src=x' in text


async def test_calendars_are_listed_in_words(browser: Browser, plant: Daemon) -> None:
    ask(plant.url, "POST", "/calendars", {"id": "nights", "description": "the nightly batch", "windows": [
        {"from": "22:00", "to": "06:00", "days": ["mon", "fri"], "time_zone": "Europe/Berlin", "title": "Batch"},
        {"start": "2026-12-24T00:00:00Z", "end": "2026-12-27T00:00:00Z", "title": "Christmas"}]})
    async with reading(browser, plant.url) as reader:
        page = await reader.open("alerts/calendars")
        await expect(reader.main("tbody")).to_contain_text("Batch: Mon, Fri from 22:00 Europe/Berlin, for 8 h")
        await expect(reader.main("tbody")).to_contain_text("Christmas: 2026-12-24 00:00 UTC, for 3 d")
        assert await reader.violations() == []
        await page.get_by_role("button", name="Delete calendar nights").click()
        await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(reader.main(".note.empty")).to_contain_text("There is no calendar")


@pytest.mark.parametrize("view", ["", "/history", "/suppressed", "/silences", "/rules", "/rules/new", "/1"])
async def test_it_is_readable_on_a_phone_in_the_dark(browser: Browser, plant: Daemon, view: str) -> None:
    async with reading(browser, plant.url, width=390, height=844, dark=True) as reader:
        await reader.open(f"alerts{view}")
        assert await fits(reader)
        assert await reader.violations() == []
        await reader.shot(f"phone-alerts{view.replace('/', '-')}")
