"""Real receivers on this machine: an HTTP server that answers as told, a mail server that keeps what it is sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import orjson
import trustme
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Receiver:
    """What came, as (path, headers, document); *status* answers it, *hangs* answers nothing until it is let go."""

    url: str = ""
    status: int = 200
    says: str = ""
    hangs: bool = False
    came: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    some: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def documents(self) -> list[Any]:
        return [document for _, _, document in self.came]

    async def answer(self, request: web.Request) -> web.Response:
        self.came.append((request.path, dict(request.headers), orjson.loads(await request.read())))
        self.some.set()
        if self.hangs:
            await self.let_go.wait()
        headers = {"Location": "/elsewhere"} if 300 <= self.status < 400 else None
        return web.Response(status=self.status, text=self.says, headers=headers)


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """An HTTP server on a free port."""
    made = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = "http://{}:{}".format(*runner.addresses[0][:2])
        yield made
    finally:
        made.let_go.set()
        await runner.cleanup()


@dataclass
class Post:
    """A mail server's port, the certificate of its authority, and the mails that came."""

    port: int
    ca_file: Path
    mails: list[EmailMessage] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        mail["X-Was-Encrypted"] = "yes" if session.ssl is not None or server.transport.get_extra_info("ssl_object") \
            else "no"  # fmt: skip
        self.mails.append(mail)
        return "250 taken"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, how: str, data: Any) -> AuthResult:
        if isinstance(data, LoginPassword) and data == LoginPassword(b"ada", b"secret"):
            self.logins.append("ada")
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False)


@asynccontextmanager
async def post(directory: Path, security: str) -> AsyncIterator[Post]:
    """A mail server; with STARTTLS it takes nothing before that and a login."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    made = Post(0, directory / "ca.pem")
    secured = security != "none"

    def connected() -> SMTP:
        return SMTP(
            made,
            hostname="localhost",
            loop=loop,
            tls_context=context if security == "starttls" else None,
            require_starttls=security == "starttls",
            auth_required=security == "starttls",  # of TLS from the first byte it does not know
            auth_require_tls=security == "starttls",
            authenticator=made.authenticate if secured else None,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connected, "localhost", 0, ssl=context if security == "tls" else None)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()
