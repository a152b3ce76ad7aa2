"""What the tests of the gateway share: a daemon for all tests of a module, and one that knows keys."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from offbeat.errors import Refused
from offbeat.tokens import SCOPES, Token, Tokens
from tests.gateways.esmond.archive import KEY, Archive, archive


@pytest.fixture(scope="module")
def open_archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive without keys: everybody may write."""
    with archive(tmp_path_factory.mktemp("esmond") / "offbeat-data") as started:
        yield started


class Unknown(Refused):
    """Nobody's key."""

    status = 401


class NotMeant(Refused):
    """The key of somebody who may not do this."""

    status = 403


@dataclass(frozen=True)
class Keys:
    """Keys that are known, each with whose it is and what it is meant for."""

    known: Mapping[str, tuple[str, str]] = field(
        default_factory=lambda: {KEY: ("mesh", "ingest"), "r" * 40: ("reader", "read")})

    async def who(self, secret: str | None, scope: str | None, peer: str) -> Token:
        """Whose *secret* is."""
        if secret not in self.known:
            raise Unknown("this key is not known")
        name, meant_for = self.known[secret]
        if scope not in (None, meant_for):
            raise NotMeant(f"this key is not meant for {scope}")
        return Token(name, name, frozenset(SCOPES))


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon knows keys: that of the archive's client may write, another may read."""
    monkeypatch.setattr(Tokens, "who", lambda self, secret, scope, peer: Keys().who(secret, scope, peer))
