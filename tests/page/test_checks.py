"""Checks: how all are, each one, the data behind an outcome; made, tried, changed, acknowledged in the browser."""
from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.page.asking import ask
from tests.page.reader import Reader, reading
from tests.system.daemon import Daemon

HOSTILE = "<img src=x onerror=alert(1)>"


def make(daemon: Daemon, id: str, **what: Any) -> dict[str, Any]:
    """A check of that name, bound to the pressures of the demo unless it says otherwise; run once."""
    pressures = [{"source": "demo-*", "field": "pressure"}]
    asked = {"id": id, "kind": "range", "parameters": {"min": 100.0}, "series": pressures}
    made: dict[str, Any] = ask(daemon.url, "POST", "/checks", {**asked, **what})
    ask(daemon.url, "POST", f"/checks/{id}/run", {})
    return made


@pytest.fixture
def limits(daemon: Daemon) -> Any:
    """A check that some pressures do not pass."""
    yield make(daemon, "too-low", description=f"What {HOSTILE} holds")
    ask(daemon.url, "DELETE", "/checks/too-low")


async def test_outcomes_lead_to_the_readings_that_offend(limits: Any, reader: Reader) -> None:
    await reader.open("checks?status=RED")
    row = reader.main("tbody tr", ).filter(has_text="too-low").first
    await expect(row).to_contain_text("✕ RED")
    await reader.shot("checks")
    await row.locator("td:nth-child(3) a").click()  # step one: the series
    await reader.settled()
    await expect(reader.main("h2:has-text('What is wrong')")).to_be_visible()
    await expect(reader.main(".js-plotly-plot")).to_be_visible()  # step two: the readings with the limits
    await expect(reader.main(".facts")).to_contain_text("min")
    await reader.shot("check-subject")
    await reader.main(".facts a").first.click()  # step three: the source
    await expect(reader.page).to_have_url(re.compile("#/sources/demo-"))


async def test_a_curve_is_drawn_with_what_it_leaves_free(reader: Reader, daemon: Daemon) -> None:
    vibrations = [{"source": "demo-*", "field": "vibration"}]
    make(daemon, "usual-day", kind="curve", parameters={"days": 3}, series=vibrations)
    try:
        subject = ask(daemon.url, "GET", "/status?check=usual-day")["outcomes"][0]["subject"]
        await reader.open(f"checks/usual-day/{subject}")
        await expect(reader.main(".js-plotly-plot .scatterlayer .trace")).to_have_count(4)
        await expect(reader.main(".legendtext").filter(has_text="expected")).to_be_visible()
        await reader.shot("check-curve")
    finally:
        ask(daemon.url, "DELETE", "/checks/usual-day")


async def test_an_outcome_is_acknowledged_and_that_is_taken_back(limits: Any, reader: Reader) -> None:
    await reader.open("checks?status=RED&check=too-low")
    row = reader.main("tbody tr").first
    await row.locator("button:has-text('Acknowledge')").click()
    dialog = reader.page.locator("dialog")
    await dialog.locator("input").fill("Ada")
    await dialog.locator("textarea").fill(f"the valve {HOSTILE}")
    await dialog.locator("button.primary").click()
    await expect(dialog).to_have_count(0)
    await expect(row).to_contain_text("Ada")
    await expect(row).to_contain_text(f"the valve {HOSTILE}")
    await row.locator("button:has-text('Take back')").click()
    await expect(row.locator("button:has-text('Acknowledge')")).to_be_visible()


async def test_a_check_is_made_in_a_form_after_a_preview(reader: Reader, daemon: Daemon) -> None:
    await reader.open("checks/new?source=demo-*&field=temperature")
    await reader.page.get_by_label("Name *").fill("warm")
    await reader.page.get_by_label("Kind").select_option("range")
    await reader.page.get_by_label("max", exact=True).fill("20.5")
    await reader.main("button:has-text('Preview')").click()
    await expect(reader.main("section:has(h2:has-text('would have said'))")).to_contain_text("runs")
    await expect(reader.main("section:has(h2:has-text('would have said')) tbody tr").first).to_be_visible()
    await reader.shot("check-form")
    await reader.main("button.primary:has-text('Save')").click()
    await expect(reader.page).to_have_url(re.compile("#/checks/warm$"))
    try:
        kept = ask(daemon.url, "GET", "/checks/warm")
        assert kept["parameters"]["max"] == 20.5
        assert kept["series"] == [{"source": "demo-*", "field": "temperature"}]
        await reader.settled()
        await reader.main("a.button:has-text('Edit')").click()
        await reader.page.get_by_label("What for").fill("never too warm")
        await reader.main("button.primary:has-text('Save')").click()
        await expect(reader.main(".about").first).to_have_text("never too warm")
        await reader.main("button:has-text('Switch off')").click()
        await expect(reader.main("button:has-text('Switch on')")).to_be_visible()
        await reader.shot("check")
    finally:
        await reader.main("button.danger").click()
        await reader.page.locator("dialog button.danger").click()
    await expect(reader.page).to_have_url(re.compile("#/checks$"))
    with pytest.raises(AssertionError, match="there is no check warm"):
        ask(daemon.url, "GET", "/checks/warm")


async def test_what_the_daemon_refuses_is_said_beside_the_form(reader: Reader) -> None:
    await reader.open("checks/new")
    await reader.page.get_by_label("Name *").fill("odd")
    await reader.page.get_by_label("min", exact=True).fill("9")
    await reader.page.get_by_label("max", exact=True).fill("3")
    await reader.main("button.primary:has-text('Save')").click()
    await expect(reader.main("[role=alert]")).to_contain_text("min is 9.0: expected not more than max, 3")
    await expect(reader.page.get_by_label("min", exact=True)).to_have_attribute("aria-invalid", "true")
    await expect(reader.page.get_by_label("min", exact=True)).to_be_focused()
    await expect(reader.page).to_have_url(re.compile("#/checks/new"))
    reader.wrong = [one for one in reader.wrong if "400" not in one]  # the browser notes the refusal


async def test_a_change_of_status_shows_by_itself(reader: Reader, daemon: Daemon) -> None:
    await reader.open("checks")
    make(daemon, "sudden")
    try:
        await expect(reader.main("tbody tr").filter(has_text="sudden").first).to_be_visible()
    finally:
        ask(daemon.url, "DELETE", "/checks/sudden")


async def test_maintenance_begins_and_ends(limits: Any, reader: Reader) -> None:
    await reader.open("checks?tab=maintenance")
    await reader.page.get_by_label("Checks", exact=True).fill("too-low")
    await reader.page.get_by_label("Why").fill(f"new valve {HOSTILE}")
    await reader.page.get_by_label("Your name").fill("Ada")
    await reader.main("button.primary").click()
    await expect(reader.main("tbody tr").first).to_contain_text(f"new valve {HOSTILE}")
    await reader.shot("maintenance")
    await reader.main("tbody button:has-text('End')").first.click()
    await reader.page.locator("dialog button.danger").click()
    await expect(reader.page.locator("dialog")).to_have_count(0)


async def test_what_is_refused_where_no_view_tells_it_is_told_above(reader: Reader, daemon: Daemon) -> None:
    covers = {"sources": ["x"], "duration_s": 3600, "reason": "gone meanwhile", "who": "Ada"}
    number = ask(daemon.url, "POST", "/maintenance", covers)["number"]
    await reader.open("checks?tab=maintenance")
    row = reader.main("tbody tr").filter(has_text="gone meanwhile")
    await expect(row).to_be_visible()
    ask(daemon.url, "DELETE", f"/maintenance/{number}")
    await row.locator("button:has-text('End')").click()
    await reader.page.locator("dialog button.danger").click()
    await expect(reader.page.locator("#trouble [role=alert]")).to_contain_text(f"here is no maintenance {number}")
    await reader.open("health")
    await expect(reader.page.locator("#trouble")).to_be_empty()
    reader.wrong = [one for one in reader.wrong if "404" not in one]  # the browser notes the refusal


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_nobody_is_kept_out(limits: Any, browser: Browser, daemon: Daemon, dark: bool) -> None:
    subject = ask(daemon.url, "GET", "/status?check=too-low")["outcomes"][0]["subject"]
    async with reading(browser, daemon.url, dark=dark) as reader:
        for view in ("checks", "checks?tab=definitions", "checks?tab=maintenance", "checks/too-low", "checks/new",
                     f"checks/too-low/{subject}"):
            await reader.open(view)
            assert await reader.violations() == [], view


async def test_it_can_be_read_on_a_phone(limits: Any, browser: Browser, daemon: Daemon) -> None:
    async with reading(browser, daemon.url, width=390, height=800) as reader:
        for view in ("checks", "checks/too-low", "checks/new"):
            await reader.open(view)
            wide, window = await reader.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
            assert wide <= window, view
        await reader.shot("checks-phone")
