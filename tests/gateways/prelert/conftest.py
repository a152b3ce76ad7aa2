"""What the tests of the gateway share: a daemon for all tests of a module."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateways.prelert.engine import Engine, csv, engine, eventful


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A daemon that listens."""
    with engine(tmp_path_factory.mktemp("prelert") / "offbeat-data") as started:
        yield started


@pytest.fixture(scope="module")
def found(daemon: Engine) -> str:
    """A closed job that has found something, with influencers."""
    id = daemon.create("found", {"influencers": ["airline"]}, description="response times")
    daemon.upload(id, csv(eventful()))
    daemon.close(id)
    return id
