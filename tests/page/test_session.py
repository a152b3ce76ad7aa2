"""A daemon with tokens: who looks shows one, once; what is asked for and changed then is theirs; they leave again."""
from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.page.reader import Reader, reading
from tests.system.daemon import Daemon


def token_of(state_dir: Path, name: str, scope: str) -> str:
    """A new token of a store."""
    command = [sys.executable, "-m", "offbeat", "token", "create", "--scope", scope, "--name", name]
    made = subprocess.run([*command, "--state-dir", str(state_dir)], check=True, capture_output=True, text=True)
    return made.stdout.strip()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, dict[str, str]]]:
    """A daemon with two tokens: who may change, and who may only look."""
    state_dir = tmp_path_factory.mktemp("guarded") / "state"
    state_dir.mkdir()
    tokens = {"ada": token_of(state_dir, "ada", "read,admin"), "guest": token_of(state_dir, "guest", "read")}
    daemon = Daemon(state_dir).wait_ready()
    yield daemon, tokens
    daemon.kill()


async def signed_in(reader: Reader, token: str) -> None:
    """Show *token*; return once the view is drawn anew, for then the stream is live as well."""
    dialog = reader.page.get_by_role("dialog", name="Sign in")
    await dialog.get_by_label("Token").fill(token)
    await dialog.get_by_role("button", name="Sign in").click()
    await expect(dialog).to_have_count(0)
    await expect(reader.page.locator(".live")).to_have_text("Live")
    await reader.settled()


async def test_who_shows_a_token_looks_and_changes(guarded: tuple[Daemon, dict[str, str]], browser: Browser) -> None:
    daemon, tokens = guarded
    async with reading(browser, daemon.url) as reader:
        page = reader.page
        await page.goto(f"{daemon.url}/#/checks?tab=maintenance")
        dialog = page.get_by_role("dialog", name="Sign in")
        await expect(dialog).to_be_visible()
        assert await reader.violations() == []
        await dialog.get_by_label("Token").fill("nobody.knows")
        await dialog.get_by_role("button", name="Sign in").click()
        await expect(dialog.get_by_role("alert")).to_be_visible()
        await reader.shot("sign-in")
        await signed_in(reader, tokens["ada"])
        await page.get_by_label("Why").fill("a new pump")
        await page.get_by_label("Your name").fill("Ada")
        await reader.main("button.primary").click()
        await expect(reader.main("tbody tr")).to_contain_text("a new pump")
        await reader.main("tbody button:has-text('End')").click()
        await page.locator("dialog button.danger").click()
        await page.reload()
        await reader.settled()
        await page.get_by_role("button", name="Sign out").click()
        await expect(dialog).to_be_visible()
        await page.reload()
        await expect(dialog).to_be_visible()
        assert any("401" in one for one in reader.wrong)
        reader.wrong = [one for one in reader.wrong if "401" not in one]


async def test_who_may_only_look_is_told_so(guarded: tuple[Daemon, dict[str, str]], browser: Browser) -> None:
    daemon, tokens = guarded
    async with reading(browser, daemon.url) as reader:
        await reader.page.goto(f"{daemon.url}/#/checks?tab=maintenance")
        await signed_in(reader, tokens["guest"])
        await reader.page.get_by_label("Why").fill("for fun")
        await reader.page.get_by_label("Your name").fill("Guest")
        await reader.main("button.primary").click()
        await expect(reader.main("[role=alert]")).to_contain_text("admin")
        reader.wrong = [one for one in reader.wrong if "401" not in one and "403" not in one]
