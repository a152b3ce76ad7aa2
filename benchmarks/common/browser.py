"""How long somebody with a browser waits: Chromium without a window, an empty profile each time."""
from __future__ import annotations

import shutil
import time

from playwright.sync_api import sync_playwright

SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
WITHIN_MS = 60_000.0


def seconds_until(url: str, shown: str, times: int) -> list[float]:
    """How many seconds pass from asking for *url* until *shown*, a selector, is there and a key press moves the focus.

    Each time nothing is in any cache. Empty if the system has no Chromium.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        return []
    took = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(SWITCHES))
        for _ in range(times):
            context = browser.new_context(viewport={"width": 1360, "height": 900})
            page = context.new_page()
            began = time.perf_counter()
            page.goto(url)
            page.locator(shown).first.wait_for(timeout=WITHIN_MS)
            page.keyboard.press("Tab")
            page.locator(":focus").wait_for(timeout=WITHIN_MS)
            took.append(time.perf_counter() - began)
            context.close()
        browser.close()
    return took
