"""Who may do what: tokens checked in memory, made and revoked in the store, wrong ones limited. Knows no HTTP."""
from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import secrets
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from offbeat.clock import Clock
from offbeat.errors import BadRequest, Conflict, Forbidden, TooManyAttempts, Unauthorized
from offbeat.metrics import Metrics
from offbeat.store import tokens as rows
from offbeat.store.database import Database, Statements
from offbeat.store.tokens import SCOPES, KeptToken, Scope

LOOK_EVERY_S = 0.5
"""So soon the daemon sees what a command beside it has changed."""
ATTEMPTS_MAX = 10
ATTEMPTS_S = 60
PEERS_MAX = 1_024
"""Addresses whose wrong tokens are counted; the one that began first is forgotten first."""
SESSION_MS = 30 * 86_400_000
SESSION = "session"
"""What stands before the secret of a session: no id of a token has as few letters."""
NEVER_MS = 1 << 62
Reason = Literal["missing", "unknown", "revoked", "expired"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Token:
    """Who calls. *id* and *name* are empty while everything is open; *until_ms*: from then on it is not taken."""

    id: str
    name: str
    scopes: frozenset[Scope]
    until_ms: int = NEVER_MS


ANYONE = Token("", "", frozenset(SCOPES))


class Pass:
    """What let a call in: it says whether that would still be so, for calls that last and heads that are repeated."""

    __slots__ = ("_epoch", "_scope", "_secret", "_tokens", "_until_ms")

    def __init__(self, tokens: Tokens, secret: str | None, scope: Scope, token: Token) -> None:
        self._tokens, self._secret, self._scope = tokens, secret, scope
        self._epoch, self._until_ms = tokens.epoch, token.until_ms

    def holds(self) -> bool:
        """Would the same call be let in now?"""
        tokens = self._tokens
        if self._epoch == tokens.epoch and tokens.now_ms() < self._until_ms:
            return True
        found = tokens.found(self._secret)
        if isinstance(found, str) or self._scope not in found.scopes:
            return False
        self._epoch, self._until_ms = tokens.epoch, found.until_ms
        return True


class Attempts:
    """Wrong tokens by address: so many in a time, then no more are looked at until it is over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of: dict[str, tuple[int, int]] = {}  # network → since when, how many; in the order of their beginning

    def free(self, peer: str) -> bool:
        """May another one come from *peer*?"""
        began_ms, count = self._of.get(network_of(peer), (0, 0))
        return count < ATTEMPTS_MAX or not 0 <= self._clock.now_ms() - began_ms < ATTEMPTS_S * 1000

    def failed(self, peer: str) -> None:
        """Count one from *peer*."""
        network, now_ms = network_of(peer), self._clock.now_ms()
        began_ms, count = self._of.get(network, (0, 0))
        if network in self._of and 0 <= now_ms - began_ms < ATTEMPTS_S * 1000:
            self._of[network] = began_ms, count + 1
            return
        self._of.pop(network, None)
        if len(self._of) >= PEERS_MAX:
            del self._of[next(iter(self._of))]
        self._of[network] = now_ms, 1


def network_of(peer: str) -> str:
    """What *peer* is counted as: its address, or of IPv6 the /64 that one household or host has all of."""
    if ":" not in peer:
        return peer
    try:
        address = ipaddress.IPv6Address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


class Tokens:
    """All tokens of one daemon, held in memory as the store has them.

    anonymous  whether everything is open to everyone while there has never been a token
    epoch      another number after each change: whoever remembers what was let in remembers it as well
    """

    def __init__(self, database: Database, clock: Clock, metrics: Metrics, *, anonymous: bool = False) -> None:
        self._database, self._clock = database, clock
        self.anonymous, self.epoch = anonymous, 0
        self.now_ms = clock.now_ms
        self._refused = metrics.tokens_refused_total
        self._attempts = Attempts(clock)
        self._stored_epoch = -1
        self._kept: dict[str, KeptToken] = {}
        self._sessions: dict[bytes, tuple[str, int]] = {}  # digest → id of the token, until when
        self._turn = asyncio.Lock()

    async def begin(self) -> None:
        """Read what the store has."""
        await self._read()
        self._sessions = {d: (token, until_ms) for d, token, until_ms in await self._database.glance(
            rows.SELECT_SESSIONS)}

    async def attend(self) -> None:
        """See what others change in the store, for as long as the daemon runs."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except sqlite3.Error as e:  # what was read last goes on to count
                log.warning("the tokens cannot be read anew: %s", e)

    async def look(self) -> None:
        """Read the tokens again if another process has changed them."""
        if (await self._database.glance(rows.SELECT_EPOCH))[0][0] != self._stored_epoch:
            await self._read()

    async def _read(self) -> None:
        # First the number: what changes between the two reads is read again by the next look.
        epoch = (await self._database.glance(rows.SELECT_EPOCH))[0][0]
        self._kept = {one.id: one for one in rows.kept(await self._database.glance(rows.SELECT))}
        self._stored_epoch = epoch
        self.epoch += 1

    # ── who calls ─────────────────────────────────────────────────────────────────────────────────────────────

    def found(self, secret: str | None) -> Token | Reason:
        """Whose *secret* is, or why it is nobody's."""
        if not self._kept and self.anonymous:
            return ANYONE
        if secret is None:
            return "missing"
        id, _, rest = secret.partition(".")
        until_ms, in_session = NEVER_MS, id == SESSION
        if in_session:
            id, until_ms = self._sessions.get(_session_digest(rest), ("", 0))
            if until_ms <= self.now_ms():
                return "unknown"
        one = self._kept.get(id)
        if one is None or not (in_session or hmac.compare_digest(rows.digest_of(rest, one.salt), one.digest)):
            return "unknown"
        state = one.state(self.now_ms())
        if state != "active":
            return state
        return Token(one.id, one.name, frozenset(one.scopes), min(until_ms, one.expires_ms or NEVER_MS))

    def pass_of(self, secret: str | None, scope: Scope) -> Pass | None:
        """What lets a call of *scope* in, or None: who asks ``admit`` instead is told why, and counted."""
        found = self.found(secret)
        return None if isinstance(found, str) or scope not in found.scopes else Pass(self, secret, scope, found)

    async def admit(self, secret: str | None, scope: Scope, peer: str) -> Pass:
        """Let a call of *scope* in. Raises as ``who``."""
        return Pass(self, secret, scope, await self.who(secret, scope, peer))

    async def who(self, secret: str | None, scope: Scope | None, peer: str) -> Token:
        """The token whose *secret* came from *peer*, if it has the *scope*; without one any token will do.

        Raises Unauthorized, Forbidden, TooManyAttempts: after ten wrong ones in a minute from an address nothing is
        looked up for it any more, but a good token is taken all the same, for several may share the address.
        """
        found = self.found(secret)
        if found == "unknown" and self._attempts.free(peer):
            with suppress(sqlite3.Error):  # a store that cannot be read has no say
                await self.look()  # another process may have made it just now
            found = self.found(secret)
        if isinstance(found, str):
            raise self._refusal(found, secret, peer)
        if scope is not None and scope not in found.scopes:
            self._refused.labels("scope").inc()
            raise Forbidden(
                f"the token {found.name} has not the scope {scope}, which this call needs",
                hint=f"it has {', '.join(one for one in SCOPES if one in found.scopes)}", where={"scope": scope})
        return found

    def _refusal(self, reason: Reason, secret: str | None, peer: str) -> Unauthorized | TooManyAttempts:
        if reason != "missing":
            if not self._attempts.free(peer):
                self._refused.labels("limited").inc()
                return TooManyAttempts(
                    f"more than {ATTEMPTS_MAX} wrong tokens came from your address within {ATTEMPTS_S} seconds")
            self._attempts.failed(peer)
            id = (secret or "").partition(".")[0]
            log.warning("a call from %s is refused: its token is %s (%s)", peer or "a local socket", reason,
                        f"key id {id}" if id in self._kept else "no key id of ours")
        self._refused.labels(reason).inc()
        return Unauthorized(MESSAGES[reason], hint=HINTS[reason])

    # ── made and revoked ──────────────────────────────────────────────────────────────────────────────────────

    def list(self) -> tuple[KeptToken, ...]:
        """All tokens that are kept, the oldest first."""
        return tuple(self._kept.values())

    async def create(self, name: str, scopes: Iterable[str], expires_ms: int | None) -> tuple[KeptToken, str]:
        """A new token, and the text that its holder is given. A caller that is cancelled does not undo it.

        Raises BadRequest, Conflict, StoreUnavailable.
        """
        return await asyncio.shield(self._create(name, scopes, expires_ms))

    async def _create(self, name: str, scopes: Iterable[str], expires_ms: int | None) -> tuple[KeptToken, str]:
        async with self._turn:
            await self.look()
            token, secret, statements = rows.made(self.list(), name, scopes, expires_ms, self.now_ms())
            try:
                await self._write(statements)
            except sqlite3.IntegrityError:  # a command took the name in this moment
                raise Conflict(f"there is a token {name} already", where={"token": name}) from None
        return token, secret

    async def revoke(self, word: str) -> KeptToken:
        """Take the token with this id or name from its holder, at once. Raises NotFound, Conflict, StoreUnavailable."""
        return await asyncio.shield(self._revoke(word))

    async def _revoke(self, word: str) -> KeptToken:
        async with self._turn:
            await self.look()
            token, statements = rows.revoked(self.list(), word, self.now_ms())
            await self._write(statements)
        return token

    async def _write(self, statements: Statements) -> None:
        await self._database.write(statements)
        await self._read()

    # ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────

    async def begin_session(self, secret: str, peer: str) -> tuple[str, Token]:
        """What stands for the token of *secret* for thirty days, at most as long as that lasts, and the token.

        Raises as ``who``; Conflict while no token is needed; BadRequest for what is a session itself; StoreUnavailable.
        """
        token = await self.who(secret, None, peer)
        if token is ANYONE:
            raise Conflict("nobody needs a token: there is none", hint="`offbeat token create` makes one")
        if secret.startswith(f"{SESSION}."):
            raise BadRequest("this is a session: expected a token")
        mine, now_ms = secrets.token_urlsafe(rows.SECRET_BYTES), self.now_ms()
        until_ms, digest = min(now_ms + SESSION_MS, token.until_ms), _session_digest(mine)
        live = [d for d, (_, until) in self._sessions.items() if until > now_ms]
        stay = set(live[max(0, len(live) + 1 - rows.SESSIONS_MAX) :])
        over = [d for d in self._sessions if d not in stay]
        await self._database.write((
            (rows.DELETE_SESSION, [(d,) for d in over]),
            (rows.INSERT_SESSION, [(digest, token.id, now_ms, until_ms)]),
        ))
        for d in over:
            self._sessions.pop(d, None)
        self._sessions[digest] = token.id, until_ms
        self.epoch += bool(over)
        return f"{SESSION}.{mine}", Token(token.id, token.name, token.scopes, until_ms)

    async def end_session(self, secret: str) -> None:
        """The session *secret* is over; nothing happens if it was already. Raises StoreUnavailable."""
        digest = _session_digest(secret.removeprefix(f"{SESSION}."))
        if digest in self._sessions:
            await self._database.write(((rows.DELETE_SESSION, [(digest,)]),))
            self._sessions.pop(digest, None)
            self.epoch += 1


def _session_digest(secret: str) -> bytes:
    """What is kept of a session. It is looked up by this, so there is no salt; chance needs none."""
    return hashlib.blake2b(secret.encode(errors="surrogateescape"), digest_size=32).digest()


MESSAGES: dict[Reason, str] = {
    "missing": "this daemon takes calls with a token only",
    "unknown": "the token is none of this daemon's",
    "revoked": "the token was revoked",
    "expired": "the token has expired",
}
HINTS: dict[Reason, str] = {
    "missing": "send Authorization: Bearer TOKEN; `offbeat token create` makes one",
    "unknown": "is it whole, and of this daemon? `offbeat token list` lists them",
    "revoked": "`offbeat token create` makes a new one",
    "expired": "`offbeat token create` makes a new one",
}
