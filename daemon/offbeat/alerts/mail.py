"""The sink that sends mail over SMTP."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib
import orjson

from offbeat.alerts.payload import name_of, series_of
from offbeat.alerts.sinks import SAID_MAX, Note, SendFailed, secret
from offbeat.clock import Clock
from offbeat.config import EmailConfig


class Mail:
    """One mail server, and those who are written to."""

    resend_s = 0.0

    def __init__(self, config: EmailConfig, clock: Clock) -> None:
        self._config, self._clock = config, clock

    async def send(self, note: Note) -> None:
        """Send *note* as one mail to all; its id is that of the mail. Raises SendFailed."""
        c = self._config
        password = secret(c.password, c.password_file, c.password_env)
        try:
            await aiosmtplib.send(
                self.message(note),
                hostname=c.host,
                port=c.port,
                username=c.user or None,
                password=password or None,
                use_tls=c.security == "tls",
                start_tls=c.security == "starttls",
                timeout=c.timeout_s,
                tls_context=None if c.security == "none" else ssl.create_default_context(cafile=c.ca_file or None),
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as e:
            raise SendFailed(f"the mail server did not take it: {str(e) or type(e).__name__}"[:SAID_MAX]) from e

    def message(self, note: Note) -> EmailMessage:
        """The mail: what it is about, the sentence, the facts, and the document itself for programs."""
        document, alert = note.document, note.document["alert"]
        mail = EmailMessage()
        mail["From"], mail["To"] = self._config.sender, ", ".join(self._config.to)
        outcome, status = document.get("outcome"), alert.get("status")  # neither in what an older daemon queued
        bad = f"score {alert['score']:.3g}" if status is None else status
        about = f"[{document['kind']}] {name_of(document)} ({bad})"
        mail["Subject"] = "".join(c if c.isprintable() else " " for c in about)[:200]
        mail["Date"] = format_datetime(datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC))
        mail["Message-ID"] = f"<{note.id}@offbeat>"
        mail["Idempotency-Key"] = note.id
        lines = [
            alert["sentence"], "", f"rule       {alert['rule']}", f"raised     {alert['raised']}",
            f"cleared    {alert['cleared'] or 'no, it is active'}",
            f"{'findings' if status is None else 'outcomes'}   {alert['finding_count']}",
        ]  # fmt: skip
        if status is None:
            lines.append(f"record     {alert['record']}")
        elif outcome is not None:
            now = outcome["status"] or "none any more"
            lines += [
                f"check      {outcome['check']}", f"series     {series_of(outcome)}",
                f"status     {now}, was {outcome['was'] or 'none'}", f"message    {outcome['message']}",
            ]  # fmt: skip
        if document["rule"]["description"]:
            lines.insert(3, f"           {document['rule']['description']}")
        if document["link"]:
            lines += ["", document["link"]]
        mail.set_content("\n".join(lines) + "\n")
        mail.add_attachment(
            orjson.dumps({"id": note.id, **document}), maintype="application", subtype="json", filename="alert.json"
        )
        return mail

    async def resend(self, notes: Sequence[Note]) -> None:
        """Nothing: a mail is sent once for each notification."""

    async def close(self) -> None:
        """Nothing is held open."""
