"""What the tests of the gateway share: one daemon, and a client of it."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateways.mvg.client import Client
from tests.system.daemon import Daemon, daemon, settings


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that keeps an analysis queued for a moment only."""
    home = tmp_path_factory.mktemp("mvg")
    with daemon(home / "offbeat-data", settings(home / "offbeat.toml", mvg={"queued_s": 0.0})) as started:
        yield started


@pytest.fixture
def mvg(running: Daemon) -> Client:
    """A client of the newest version."""
    return Client(running.url)
