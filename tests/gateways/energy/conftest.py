"""What the tests of the gateway share: a daemon of its own process, whose batches are small, for all tests of a module.
"""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateways.energy.meters import Client
from tests.system.daemon import daemon, settings


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a daemon with default settings."""
    with daemon(tmp_path_factory.mktemp("energy") / "offbeat-data") as started:
        yield Client(started.url)


@pytest.fixture
def own_client(tmp_path: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a daemon of this test alone, that clusters at every 100 events."""
    config = settings(tmp_path / "offbeat.toml", energy={"batch_events": 100})  # type: ignore[operator]
    with daemon(tmp_path / "offbeat-data", config) as started:  # type: ignore[operator]
        yield Client(started.url)
