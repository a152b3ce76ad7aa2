"""What the tests of the library share: a real HTTP server that answers as told."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from offbeat.client import Retry
from tests.cli.conftest import WireServer

QUICK = Retry(patience_s=30.0, first_s=0.001, longest_s=0.01, jitter=lambda: 0.0)
"""Waits that nobody notices."""


@pytest.fixture
def server() -> Iterator[WireServer]:
    with WireServer() as running:
        yield running


@pytest.fixture(autouse=True)
def without_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No address and no token but those that a test gives."""
    monkeypatch.delenv("OFFBEAT_URL", raising=False)
    monkeypatch.delenv("OFFBEAT_TOKEN", raising=False)
