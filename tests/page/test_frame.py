"""What stands around every view: the address, the way between views, colours, zone, the policy of the browser."""
from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from offbeat.page.assets import FOLDERS, MEDIA, STATIC, asset
from tests.system.daemon import Daemon


def test_every_file_of_the_page_is_served_once_and_not_again(daemon: Daemon) -> None:
    files = [path for folder in ("", *FOLDERS) for path in (STATIC / folder).iterdir() if path.is_file()]
    assert len(files) > 10
    for path in files:
        assert path.suffix in MEDIA
        name = path.relative_to(STATIC).as_posix()
        with urllib.request.urlopen(f"{daemon.url}/page/{name}") as response:
            assert response.read() == path.read_bytes()
            tag = response.headers["ETag"]
            assert "script-src 'self';" in response.headers["Content-Security-Policy"]
        again = urllib.request.Request(f"{daemon.url}/page/{name}", headers={"If-None-Match": tag})
        with pytest.raises(urllib.error.HTTPError) as same:
            urllib.request.urlopen(again)
        assert same.value.code == 304
        same.value.close()


@pytest.mark.parametrize("name", ["../routes.py", "lib/../app.js", "lib/", "vendor/../plotly.min.js", "", "index.htm"])
def test_nothing_else_of_the_disk_is(name: str) -> None:
    assert asset(name) is None


def test_charts_come_from_the_installed_package() -> None:
    found = asset("vendor/plotly.min.js")
    assert found is not None
    assert b"plotly.js v" in found.plain[:200]
    assert len(found.packed) < len(found.plain) / 2
