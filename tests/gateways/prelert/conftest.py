"""What the tests of the gateway share: a daemon for all tests of a module."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateways.prelert.engine import Engine, engine


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A daemon that listens."""
    with engine(tmp_path_factory.mktemp("prelert") / "offbeat-data") as started:
        yield started
