"""One Chromium and one daemon for all tests of the page. Each test has a browser context of its own."""
from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.page.asking import demonstrating
from tests.page.reader import Reader, reading
from tests.system.daemon import Daemon

CHROMIUM = shutil.which("chromium")
SWITCHES = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--font-render-hinting=none",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these share one event loop, for the browser lives on it; without a browser they are skipped, but in CI."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            if CHROMIUM is None and not os.environ.get("CI"):
                item.add_marker(pytest.mark.skip(reason="there is no chromium: apt install chromium"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium without a window."""
    assert CHROMIUM is not None, "chromium is not installed: `make browser` does it"
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        yield launched
        await launched.close()


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with the data of ``offbeat demo``."""
    with demonstrating(tmp_path_factory.mktemp("page") / "state") as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def reader(browser: Browser, daemon: Daemon) -> AsyncIterator[Reader]:
    """Somebody who looks at the daemon's page on a desk."""
    async with reading(browser, daemon.url) as one:
        yield one
