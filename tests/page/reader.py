"""Somebody who looks at the page: opens views, reads, waits, and notes whatever went wrong in the browser."""
from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

SHOTS = Path(os.environ.get("OFFBEAT_SCREENSHOTS", "")) if os.environ.get("OFFBEAT_SCREENSHOTS") else None
"""Where pictures of the views go, for people to look at; nowhere unless the variable names a directory."""
WITHIN_MS = 15_000
"""How long anything may take that is not itself measured: a browser on a busy machine is slow."""
expect.set_options(timeout=WITHIN_MS)


class Reader:
    """One tab. *wrong* is what the browser complained of: errors of scripts, refusals of its policy, lost files."""

    def __init__(self, context: BrowserContext, page: Page, url: str) -> None:
        self.context, self.page, self.url = context, page, url
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        page.on("console", self._heard)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "ERR_CONNECTION" not in message.text:
            self.wrong.append(f"{message.type}: {message.text}")

    async def open(self, view: str = "") -> Page:
        """The view at an address as ``sources/pump-1?last=7d``, once it is no longer busy."""
        await self.page.goto(f"{self.url}/#/{view}")
        await self.settled()
        return self.page

    async def settled(self) -> None:
        """Nothing on the page is still being fetched, drawn or measured."""
        await expect(self.page.locator("main h1").first).to_be_visible(timeout=WITHIN_MS)
        await expect(self.page.locator("main [aria-busy], main .waiting")).to_have_count(0, timeout=WITHIN_MS)

    def main(self, selector: str) -> Locator:
        """Something in the view."""
        return self.page.locator(f"main {selector}")

    async def violations(self) -> list[str]:
        """What axe-core finds of WCAG 2.1 A and AA and of best practice, one line each.

        It is evaluated by the test, not loaded by the page, whose policy would rightly refuse it.
        """
        await self.page.evaluate(AXE_SCRIPT)
        found: Any = await self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {one['help']}: {json.dumps([node['html'][:160] for node in one['nodes'][:3]])}"
            for one in found["violations"]
        ]

    async def shot(self, name: str, *, whole: bool = True) -> None:
        """A picture of the page, if somebody wants to look."""
        if SHOTS is not None:
            SHOTS.mkdir(parents=True, exist_ok=True)
            await self.page.screenshot(path=SHOTS / f"{name}.png", full_page=whole)


@asynccontextmanager
async def reading(
    browser: Browser, url: str, *, width: int = 1360, height: int = 900, dark: bool = False, zone: str = "Europe/Berlin"
) -> AsyncIterator[Reader]:
    """A reader with an empty profile; at the end nothing may have gone wrong unless the test took it out of *wrong*."""
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", timezone_id=zone,
        locale="en-GB", accept_downloads=True,
    )
    context.set_default_timeout(WITHIN_MS)
    try:
        reader = Reader(context, await context.new_page(), url)
        yield reader
        assert not reader.wrong, "\n".join(reader.wrong)
    finally:
        await context.close()
