"""Tokens in the store and in memory: who is known, from when on nobody is, and what wrong ones cost."""
from __future__ import annotations

import hmac
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from offbeat import tokens
from offbeat.clock import ManualClock
from offbeat.errors import BadRequest, Conflict, Forbidden, NotFound, TooManyAttempts, Unauthorized
from offbeat.metrics import Metrics
from offbeat.store import tokens as rows
from offbeat.store.database import FILE_NAME, Database, prepare
from offbeat.tokens import ANYONE, Tokens

PEER = "192.0.2.7"


@dataclass
class Held:
    """Tokens over a real store, and what a test moves or looks at."""

    tokens: Tokens
    clock: ManualClock
    metrics: Metrics
    state_dir: Path

    def refused(self, reason: str) -> float:
        """How many calls were counted for *reason*."""
        return self.metrics.registry.get_sample_value("offbeat_tokens_refused_total", {"reason": reason}) or 0.0

    def beside(self, name: str) -> str:
        """Make a token as a command in another process does."""
        with rows.beside(self.state_dir) as db:
            _, secret, statements = rows.made(
                rows.kept(db.execute(rows.SELECT)), name, ["read"], None, self.clock.now_ms())
            rows.write(db, statements)
        return secret


@asynccontextmanager
async def held(state_dir: Path, *, anonymous: bool = True, clock: ManualClock | None = None) -> AsyncIterator[Held]:
    prepare(state_dir / FILE_NAME)
    clock, metrics = clock or ManualClock(), Metrics()
    async with Database(state_dir / FILE_NAME) as database:
        mine = Tokens(database, clock, metrics, anonymous=anonymous)
        await mine.begin()
        yield Held(mine, clock, metrics, state_dir)


async def test_everything_is_open_until_there_is_a_token_and_never_again(tmp_path: Path) -> None:
    async with held(tmp_path) as mine:
        assert await mine.tokens.who(None, "admin", PEER) is ANYONE
        assert await mine.tokens.who("what a client sends anyhow", "ingest", PEER) is ANYONE
        token, _ = await mine.tokens.create("one", ["read"], None)
        with pytest.raises(Unauthorized):
            await mine.tokens.who(None, "read", PEER)
        await mine.tokens.revoke(token.id)
        with pytest.raises(Unauthorized):
            await mine.tokens.who(None, "read", PEER)
        assert mine.refused("missing") == 2


async def test_where_strangers_may_reach_it_nothing_is_open_without_a_token(tmp_path: Path) -> None:
    async with held(tmp_path, anonymous=False) as mine:
        with pytest.raises(Unauthorized):
            await mine.tokens.who(None, "read", PEER)


@pytest.mark.parametrize("scope", rows.SCOPES)
async def test_a_token_is_good_for_its_scopes_alone(tmp_path: Path, scope: rows.Scope) -> None:
    async with held(tmp_path) as mine:
        _, secret = await mine.tokens.create("one", [scope], None)
        for other in rows.SCOPES:
            if other == scope:
                assert (await mine.tokens.who(secret, other, PEER)).name == "one"
            else:
                with pytest.raises(Forbidden, match=f"the token one has not the scope {other}"):
                    await mine.tokens.who(secret, other, PEER)
        assert mine.refused("scope") == 2


async def test_of_a_secret_only_a_salted_hash_is_kept(tmp_path: Path) -> None:
    async with held(tmp_path) as mine:
        token, secret = await mine.tokens.create("one", ["read"], None)
        id, _, rest = secret.partition(".")
        assert (id, len(id)) == (token.id, 8)
        assert len(rest) == 43  # 256 bits
        other, _ = await mine.tokens.create("two", ["read"], None)
        assert token.salt != other.salt and token.digest != rows.digest_of(rest, other.salt)
    assert rest.encode() not in everything_in(tmp_path)


def everything_in(state_dir: Path) -> bytes:
    return b"".join(file.read_bytes() for file in state_dir.iterdir())


async def test_secrets_are_compared_in_constant_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bytes, bytes]] = []

    def compare(a: bytes, b: bytes) -> bool:
        seen.append((a, b))
        return hmac.compare_digest(a, b)

    class Hmac:
        compare_digest = staticmethod(compare)

    async with held(tmp_path) as mine:
        token, secret = await mine.tokens.create("one", ["read"], None)
        monkeypatch.setattr(tokens, "hmac", Hmac)
        assert await mine.tokens.who(secret, "read", PEER)
        with pytest.raises(Unauthorized):
            await mine.tokens.who(f"{token.id}.wrong", "read", PEER)
        good, wrong, again = seen  # again: after the store was looked at
        assert good[0] == good[1] == token.digest
        assert wrong == again == (rows.digest_of("wrong", token.salt), token.digest)


@pytest.mark.parametrize(
    "shown", ["", ".", "no-token", "session.", "session.x", "abcdefgh.x", "\udcff.\udcff", "x" * 8000])
async def test_what_is_no_token_is_refused_whatever_it_is(tmp_path: Path, shown: str) -> None:
    async with held(tmp_path) as mine:
        await mine.tokens.create("one", ["read"], None)
        with pytest.raises(Unauthorized, match="the token is none of this daemon's"):
            await mine.tokens.who(shown, "read", PEER)
        assert mine.refused("unknown") == 1


async def test_a_token_that_expires_is_good_until_that_moment(tmp_path: Path) -> None:
    async with held(tmp_path) as mine:
        _, secret = await mine.tokens.create("one", ["read"], mine.clock.now_ms() + 1_000)
        mine.clock.move(999)
        admitted = await mine.tokens.admit(secret, "read", PEER)
        assert admitted.holds()
        mine.clock.move(1)
        assert not admitted.holds()
        with pytest.raises(Unauthorized, match="the token has expired"):
            await mine.tokens.who(secret, "read", PEER)
        assert mine.refused("expired") == 1


async def test_a_token_that_is_revoked_is_good_no_more_and_its_name_is_free(tmp_path: Path) -> None:
    async with held(tmp_path) as mine:
        token, secret = await mine.tokens.create("one", ["read"], None)
        _, other = await mine.tokens.create("two", ["read"], None)
        mine_, others = [await mine.tokens.admit(each, "read", PEER) for each in (secret, other)]
        assert await mine.tokens.revoke("one") == token
        assert (mine_.holds(), others.holds()) == (False, True)
        with pytest.raises(Unauthorized, match="the token was revoked"):
            await mine.tokens.who(secret, "read", PEER)
        with pytest.raises(Conflict, match="was revoked already"):
            await mine.tokens.revoke(token.id)
        with pytest.raises(NotFound):
            await mine.tokens.revoke("three")
        again, _ = await mine.tokens.create("one", ["read"], None)
        assert (await mine.tokens.revoke("one")).id == again.id


async def test_an_open_call_that_lasts_ends_with_the_first_token(tmp_path: Path) -> None:
    async with held(tmp_path) as mine:
        admitted = await mine.tokens.admit(None, "read", PEER)
        assert admitted.holds()
        await mine.tokens.create("one", ["read"], None)
        assert not admitted.holds()


async def test_what_another_process_makes_is_taken_at_once_and_what_it_revokes_after_a_look(tmp_path: Path) -> None:
    async with held(tmp_path) as mine:
        mine.beside("first")
        assert await mine.tokens.who(None, "read", PEER) is ANYONE
        await mine.tokens.look()
        with pytest.raises(Unauthorized):
            await mine.tokens.who(None, "read", PEER)
        secret = mine.beside("second")
        admitted = await mine.tokens.admit(secret, "read", PEER)
        with rows.beside(tmp_path) as db:
            rows.write(db, rows.revoked(rows.kept(db.execute(rows.SELECT)), "second", mine.clock.now_ms())[1])
        await mine.tokens.look()
        assert not admitted.holds()


async def test_a_look_that_finds_nothing_new_changes_nothing(tmp_path: Path) -> None:
    async with held(tmp_path) as mine:
        await mine.tokens.create("one", ["read"], None)
        epoch = mine.tokens.epoch
        await mine.tokens.look()
        assert mine.tokens.epoch == epoch


async def test_tokens_and_sessions_outlive_a_restart(tmp_path: Path) -> None:
    clock = ManualClock()
    async with held(tmp_path, clock=clock) as mine:
        _, secret = await mine.tokens.create("one", ["read"], None)
        session, token = await mine.tokens.begin_session(secret, PEER)
    async with held(tmp_path, clock=clock) as mine:
        assert await mine.tokens.who(session, "read", PEER) == token
        assert (await mine.tokens.who(secret, "read", PEER)).id == token.id


async def test_a_session_ends_by_itself_with_its_token_or_when_it_is_told_to(tmp_path: Path) -> None:
    async with held(tmp_path) as mine:
        _, secret = await mine.tokens.create("one", ["read"], None)
        first, second, third = [(await mine.tokens.begin_session(secret, PEER))[0] for _ in range(3)]
        passes = [await mine.tokens.admit(each, "read", PEER) for each in (first, second, third)]
        await mine.tokens.end_session(first)
        await mine.tokens.end_session(first)
        assert [one.holds() for one in passes] == [False, True, True]
        mine.clock.move(tokens.SESSION_MS)
        assert [one.holds() for one in passes] == [False, False, False]
        fourth, _ = await mine.tokens.begin_session(secret, PEER)
        assert await mine.tokens.who(fourth, "read", PEER)
        await mine.tokens.revoke("one")
        with pytest.raises(Unauthorized):
            await mine.tokens.who(fourth, "read", PEER)


async def test_a_session_is_begun_by_a_token_alone(tmp_path: Path) -> None:
    async with held(tmp_path) as mine:
        with pytest.raises(Conflict):
            await mine.tokens.begin_session("anything", PEER)
        _, secret = await mine.tokens.create("one", ["ingest"], None)
        session, _ = await mine.tokens.begin_session(secret, PEER)
        with pytest.raises(BadRequest):
            await mine.tokens.begin_session(session, PEER)
        with pytest.raises(Unauthorized):
            await mine.tokens.begin_session("nonsense", PEER)


async def test_sessions_are_bounded_and_the_oldest_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "SESSIONS_MAX", 2)
    async with held(tmp_path) as mine:
        _, secret = await mine.tokens.create("one", ["read"], None)
        sessions = []
        for _ in range(3):
            mine.clock.move(1)
            sessions.append((await mine.tokens.begin_session(secret, PEER))[0])
        known = [not isinstance(mine.tokens.found(each), str) for each in sessions]
        assert known == [False, True, True]
        with sqlite3.connect(tmp_path / FILE_NAME) as db:
            assert db.execute("SELECT count(*) FROM token_session").fetchone() == (2,)
        db.close()


async def test_wrong_tokens_from_one_address_are_looked_at_ten_times_a_minute(
        tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with held(tmp_path) as mine:
        token, secret = await mine.tokens.create("one", ["read"], None)
        with caplog.at_level(logging.WARNING):
            for _ in range(tokens.ATTEMPTS_MAX):
                with pytest.raises(Unauthorized):
                    await mine.tokens.who(f"{token.id}.hush", "read", PEER)
            for _ in range(3):
                with pytest.raises(TooManyAttempts):
                    await mine.tokens.who("other.hush", "read", PEER)
        assert len(caplog.records) == tokens.ATTEMPTS_MAX
        assert token.id in caplog.text and PEER in caplog.text
        assert "hush" not in caplog.text
        assert (mine.refused("unknown"), mine.refused("limited")) == (10, 3)
        assert await mine.tokens.who(secret, "read", PEER), "a good one is taken all the same"
        with pytest.raises(Unauthorized):
            await mine.tokens.who("other.hush", "read", "192.0.2.8")
        with pytest.raises(Unauthorized):
            await mine.tokens.who(None, "read", PEER)
        mine.clock.move(tokens.ATTEMPTS_S * 1000)
        with pytest.raises(Unauthorized):
            await mine.tokens.who("other.hush", "read", PEER)


async def test_a_secret_that_stands_where_an_id_is_expected_is_not_logged(
        tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with held(tmp_path) as mine:
        await mine.tokens.create("one", ["read"], None)
        with caplog.at_level(logging.WARNING), pytest.raises(Unauthorized):
            await mine.tokens.who("my-other-password.x", "read", PEER)
        assert "no key id of ours" in caplog.text and "password" not in caplog.text


def test_addresses_that_are_counted_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "PEERS_MAX", 2)
    attempts = tokens.Attempts(ManualClock())
    for peer in ("a", "b", "c"):
        for _ in range(tokens.ATTEMPTS_MAX):
            attempts.failed(peer)
    assert [attempts.free(peer) for peer in ("a", "b", "c")] == [True, False, False]


@pytest.mark.parametrize(("peer", "network"), [
    ("192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::/64"), ("2001:db8::ffff:1", "2001:db8::/64"),
    ("::ffff:192.0.2.7", "192.0.2.7"), ("fe80::1%eth0", "fe80::/64"), ("", ""), ("no:address", "no:address"),
])
def test_an_address_is_counted_as_its_network(peer: str, network: str) -> None:
    assert tokens.network_of(peer) == network


@pytest.mark.parametrize(("name", "scopes", "in_ms", "part"), [
    ("", ["read"], None, "the name is ''"), ("a b", ["read"], None, "the name is 'a b'"),
    ("x" * 65, ["read"], None, "the name is 'xxx"), ("a", [], None, "the scopes are none"),
    ("a", ["write"], None, "the scopes are write: expected some of ingest, read, admin"),
    ("a", ["read"], 0, "would have expired already"),
])
async def test_what_no_token_can_be_is_refused(
        tmp_path: Path, name: str, scopes: list[str], in_ms: int | None, part: str) -> None:
    async with held(tmp_path) as mine:
        with pytest.raises(BadRequest, match=part):
            await mine.tokens.create(name, scopes, None if in_ms is None else mine.clock.now_ms() + in_ms)
        assert mine.tokens.list() == ()


async def test_a_name_is_one_token_s_and_no_other_s_id(tmp_path: Path) -> None:
    async with held(tmp_path) as mine:
        token, _ = await mine.tokens.create("one", ["read"], None)
        for name in ("one", token.id):
            with pytest.raises(Conflict):
                await mine.tokens.create(name, ["read"], None)


async def test_rows_are_bounded_and_what_is_good_no_more_goes_first(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "TOKENS_MAX", 2)
    async with held(tmp_path) as mine:
        await mine.tokens.create("one", ["read"], None)
        await mine.tokens.create("two", ["read"], mine.clock.now_ms() + 10)
        with pytest.raises(Conflict, match="there are 2 tokens already"):
            await mine.tokens.create("three", ["read"], None)
        mine.clock.move(10)
        await mine.tokens.create("three", ["read"], None)
        assert [one.name for one in mine.tokens.list()] == ["one", "three"]
