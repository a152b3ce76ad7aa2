"""Notifications over the wire: real receivers, what they get, what is said when they do not take it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offbeat.alerts import payload
from offbeat.alerts.alertmanager import Alertmanager
from offbeat.alerts.deliveries import sink_of
from offbeat.alerts.machine import Alert
from offbeat.alerts.rules import Rule, Seen, Turn
from offbeat.alerts.sinks import Note, SendFailed, Sink
from offbeat.clock import ManualClock
from offbeat.config import from_mapping, sinks_of
from tests.alerts.receivers import post, receiver

START = 1_700_000_000_000
RULE = Rule("hot", "too hot", sinks=("it",))
SEEN = Seen(17, 3, START, START, "watch:0:pump:flow:1", "watch", "pump", "flow", 87.25, "flow of pump was 9")
OF_PUMP = (None, "pump", None, None)
ALERT = Alert(7, "hot", OF_PUMP, START, START, START, 1, 1, 87.25, SEEN.record, SEEN.sentence, ("it",))
CLEARED = replace(ALERT, cleared_ms=START + 5000, cleared_by="time")


def note(kind: str = "raised", alert: Alert = ALERT) -> Note:
    return Note("ab12-5", payload.notification(kind, RULE, alert, SEEN, "http://here/"))


TURN = Turn(9, START, "warm", 4, (("pump", "flow"), ("fan", "flow")), "RED", "GREEN", message="9 is above 5")
OF_CHECK = replace(
    ALERT, group=(None, "pump", "flow, flow", "warm"), status="RED", score=0.0, record="", sentence=TURN.sentence
)


def check_note(kind: str = "raised", alert: Alert = OF_CHECK, turn: Turn | None = TURN) -> Note:
    return Note("ab12-6", payload.notification(kind, RULE, alert, turn, ""))


def sink(clock: ManualClock | None = None, **settings: Any) -> Sink:
    config = from_mapping({"alerts": {"sinks": {"it": settings}}})
    return sink_of("it", sinks_of(config.alerts)["it"], clock or ManualClock(START))


async def send(one: Sink, *notes: Note) -> None:
    try:
        for each in notes or (note(),):
            await one.send(each)
    finally:
        await one.close()


async def test_a_webhook_gets_one_document_with_its_id() -> None:
    async with receiver() as there:
        await send(sink(type="webhook", url=f"{there.url}/in?a=1", headers={"X-Team": "plant"}, token="t0"))
        ((path, headers, document),) = there.came
    assert path == "/in"
    assert (headers["Idempotency-Key"], headers["Authorization"], headers["X-Team"], headers["Content-Type"]) == (
        "ab12-5", "Bearer t0", "plant", "application/json")  # fmt: skip
    assert document == {"id": "ab12-5", **note().document}
    assert (document["kind"], document["version"], document["rule"]) == (
        "raised", 1, {"id": "hot", "description": "too hot"})  # fmt: skip
    assert document["link"] == "http://here/api/v1/alerts/7"
    assert document["alert"]["raised"] == "2023-11-14T22:13:20.000Z"
    assert document["finding"]["record"] == SEEN.record


@pytest.mark.parametrize("status", [302, 400, 404, 500, 503])
async def test_an_answer_that_is_not_2xx_is_a_failure_with_what_was_said(status: int) -> None:
    async with receiver() as there:
        there.status, there.says = status, "no room"
        with pytest.raises(SendFailed, match=f"it answered {status}: no room"):
            await send(sink(type="webhook", url=there.url))
        assert len(there.came) == 1, "a redirection is not followed"


async def test_a_receiver_that_hangs_or_is_not_there_is_a_failure() -> None:
    async with receiver() as there:
        there.hangs = True
        with pytest.raises(SendFailed, match=r"did not answer within 0\.1 s"):
            await send(sink(type="webhook", url=there.url, timeout_s=0.1))
        gone = there.url
    with pytest.raises(SendFailed, match="cannot be reached"):
        await send(sink(type="webhook", url=gone))


async def test_a_secret_is_read_anew_from_its_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    async with receiver() as there:
        by_file = sink(type="webhook", url=there.url, token_file=str(file))
        with pytest.raises(SendFailed, match="secret cannot be read"):
            await send(by_file)
        for token in ("first", "second"):
            file.write_text(f"{token}\n")
            await send(by_file)
        by_variable = sink(type="webhook", url=there.url, token_env="OFFBEAT_TEST_TOKEN")
        with pytest.raises(SendFailed, match="no environment variable OFFBEAT_TEST_TOKEN"):
            await send(by_variable)
        monkeypatch.setenv("OFFBEAT_TEST_TOKEN", "third")
        await send(by_variable)
        assert [headers["Authorization"] for _, headers, _ in there.came] == [
            "Bearer first", "Bearer second", "Bearer third"]  # fmt: skip


async def test_an_alertmanager_knows_an_alert_by_its_labels_from_beginning_to_end() -> None:
    async with receiver() as there:
        one = sink(type="alertmanager", url=f"{there.url}/", labels={"severity": "page"}, resend_s=10)
        await send(one, note(), note("cleared", CLEARED))
        assert [path for path, _, _ in there.came] == ["/api/v2/alerts"] * 2
        (raised,), (cleared,) = there.documents
    assert raised["labels"] == cleared["labels"] == {
        "alertname": "hot", "rule": "hot", "source": "pump", "severity": "page"}  # fmt: skip
    assert raised["startsAt"] == cleared["startsAt"] == "2023-11-14T22:13:20.000Z"
    assert raised["endsAt"] == "2023-11-14T22:14:00.000Z"
    assert cleared["endsAt"] == "2023-11-14T22:13:25.000Z"
    assert raised["generatorURL"] == "http://here/api/v1/alerts/7"
    assert raised["annotations"] == {
        "summary": "flow of pump was 9", "description": "too hot", "score": "87.25", "record": SEEN.record,
        "notification": "ab12-5"}  # fmt: skip


async def test_every_sink_names_the_check_its_series_status_and_message(tmp_path: Path) -> None:
    better = replace(TURN, number=10, status="YELLOW", was="RED", message="5 is near to 5")
    ended = check_note("cleared", replace(OF_CHECK, cleared_ms=START + 5000, cleared_by="check"), better)
    async with receiver() as there:
        await send(sink(type="webhook", url=there.url), check_note())
        one = sink(type="alertmanager", url=there.url)
        await send(one, check_note(), ended)
        document, (raised,), (cleared,) = there.documents
    assert document["finding"] is None
    assert {name: document["alert"][name] for name in ("check", "status", "score", "record")} == {
        "check": "warm", "status": "RED", "score": None, "record": None}  # fmt: skip
    assert document["outcome"] == {
        "outcome": 9, "check": "warm", "subject": 4, "source": "pump", "fields": ["flow", "flow"],
        "columns": [{"source": "pump", "field": "flow"}, {"source": "fan", "field": "flow"}], "status": "RED",
        "was": "GREEN", "reason": "judged", "message": "9 is above 5", "ran": "2023-11-14T22:13:20.000Z"}  # fmt: skip
    assert raised["labels"] == cleared["labels"] == {
        "alertname": "hot", "rule": "hot", "source": "pump", "field": "flow, flow", "check": "warm"}  # fmt: skip
    assert raised["annotations"] == {
        "summary": "check warm is RED for flow of pump, flow of fan: 9 is above 5", "description": "too hot",
        "status": "RED", "check": "warm", "series": "flow of pump, flow of fan", "message": "9 is above 5",
        "notification": "ab12-6"}  # fmt: skip
    assert cleared["annotations"]["message"] == "5 is near to 5"
    async with post(tmp_path, "none") as there:
        mailer = sink(type="email", host="localhost", port=there.port, security="none", sender="o@p", to=["a@p"])
        await send(mailer, check_note(), check_note("cleared", OF_CHECK, replace(TURN, status="", was="RED")))
        first, second = there.mails
    assert first["Subject"] == "[raised] hot: source pump field flow, flow check warm (RED)"
    texts = [mail.get_body().get_content() for mail in (first, second)]  # type: ignore[union-attr]
    series = "series     flow of pump, flow of fan"
    for words in ("check      warm", series, "RED, was GREEN", "message    9 is above 5"):
        assert words in texts[0]
    assert "status     none any more, was RED" in texts[1]


async def test_what_an_older_daemon_queued_is_sent(tmp_path: Path) -> None:
    """It knew of no checks."""
    old = {**note().document, "alert": {**note().document["alert"]}}
    del old["outcome"], old["alert"]["status"], old["alert"]["check"]
    async with receiver() as there:
        await send(sink(type="alertmanager", url=there.url), Note("ab12-4", old))
        ((sent,),) = there.documents
    assert sent["annotations"]["score"] == "87.25"
    async with post(tmp_path, "none") as there:
        await send(sink(type="email", host="localhost", port=there.port, security="none", sender="o@p", to=["a@p"]),
                   Note("ab12-4", old))  # fmt: skip
        (mail,) = there.mails
    assert mail["Subject"] == "[raised] hot: source pump (score 87.2)"


async def test_active_alerts_are_sent_to_an_alertmanager_again_some_at_a_time() -> None:
    async with receiver() as there:
        one = sink(type="alertmanager", url=there.url)
        assert isinstance(one, Alertmanager)
        try:
            await one.resend([note()] * 450)
        finally:
            await one.close()
        assert [len(document) for document in there.documents] == [200, 200, 50]


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
async def test_a_mail_says_it_in_words_and_brings_the_document(tmp_path: Path, security: str) -> None:
    async with post(tmp_path, security) as there:
        login = {} if security == "none" else {"user": "ada", "password": "secret"}
        one = sink(type="email", host="localhost", port=there.port, security=security, ca_file=str(there.ca_file),
                   sender="offbeat@plant", to=["a@plant", "b@plant"], **login)  # fmt: skip
        await send(one)
        (mail,) = there.mails
    assert mail["X-Was-Encrypted"] == ("no" if security == "none" else "yes")
    assert there.logins == ([] if security == "none" else ["ada"])
    assert mail["Subject"] == "[raised] hot: source pump (score 87.2)"
    assert (mail["From"], mail["To"]) == ("offbeat@plant", "a@plant, b@plant")
    assert (mail["Message-ID"], mail["Idempotency-Key"]) == ("<ab12-5@offbeat>", "ab12-5")
    assert mail["Date"].startswith("Tue, 14 Nov 2023 22:13:20")
    body = mail.get_body()
    assert body is not None
    text = body.get_content()
    for words in ("flow of pump was 9", "too hot", "http://here/api/v1/alerts/7", "no, it is active"):
        assert words in text
    (attached,) = mail.iter_attachments()
    assert json.loads(attached.get_content()) == {"id": "ab12-5", **note().document}


async def test_a_name_cannot_add_a_header_to_a_mail(tmp_path: Path) -> None:
    async with post(tmp_path, "none") as there:
        one = sink(type="email", host="localhost", port=there.port, security="none", sender="o@plant", to=["a@plant"])
        evil = replace(ALERT, group=(None, "pump\r\nBcc: everyone@plant", None, None))
        await send(one, note(alert=evil))
        (mail,) = there.mails
    assert mail["Bcc"] is None
    assert mail["Subject"] == "[raised] hot: source pump  Bcc: everyone@plant (score 87.2)"


@pytest.mark.parametrize(("change", "words"), [
    ({"password": "wrong"}, "did not take it: .*535"), ({"ca_file": ""}, "certificate verify failed"),
    ({"port": 1}, "did not take it"), ({"security": "none"}, "did not take it: .*530"),
    ({"ca_file": "/nowhere.pem"}, "No such file"),
])  # fmt: skip
async def test_a_mail_that_is_not_taken_says_why(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    async with post(tmp_path, "starttls") as there:
        whole = {"host": "localhost", "port": there.port, "user": "ada", "password": "secret", "sender": "o@plant",
                 "ca_file": str(there.ca_file), "to": ["a@plant"]} | change  # fmt: skip
        if change.get("security") == "none":
            whole |= {"user": "", "password": ""}
        with pytest.raises(SendFailed, match=words):
            await send(sink(type="email", timeout_s=5, **whole))
        assert there.mails == []


def command(script: str, *arguments: str, **more: Any) -> Sink:
    return sink(type="command", argv=[sys.executable, "-c", script, *arguments], **more)


async def test_a_command_gets_the_document_on_its_input_and_no_shell_sees_its_arguments(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = "import sys, json; open(sys.argv[1], 'w').write(json.dumps([sys.argv[2], json.load(sys.stdin)]))"
    await send(command(script, str(out), "$(touch x); *"))
    assert json.loads(out.read_text()) == ["$(touch x); *", {"id": "ab12-5", **note().document}]


async def test_a_command_that_fails_says_its_last_line_and_the_log_has_more(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SendFailed, match="ended with 3: it broke"):
        await send(command("import sys; print('x' * 9000); print('it broke', file=sys.stderr); sys.exit(3)"))
    assert "xxx" in caplog.text
    assert len(caplog.text) < 6000
    with pytest.raises(SendFailed, match="was ended by signal 9"):
        await send(command("import os; os.kill(os.getpid(), 9)"))
    with pytest.raises(SendFailed, match="cannot be run"):
        await send(sink(type="command", argv=["/nowhere/at/all"]))


async def test_a_command_that_takes_too_long_is_killed_with_what_it_started(tmp_path: Path) -> None:
    """Both would hold the pipe open for an hour; that it is closed shows that both are gone."""
    script = "import subprocess, sys; print('begun', flush=True); subprocess.run([sys.executable, '-c', {!r}])"
    with pytest.raises(SendFailed, match=r"did not end within 1 s and was killed"):
        await send(command(script.format("import time; time.sleep(3600)"), timeout_s=1))


async def test_a_command_need_not_read_its_input() -> None:
    await send(command("pass"), note(alert=replace(ALERT, sentence="x" * 1_000_000)))


NOTHING: Sequence[Note] = ()


async def test_only_an_alertmanager_is_told_again() -> None:
    for settings in ({"type": "webhook", "url": "http://x"}, {"type": "command", "argv": ["x"]},
                     {"type": "email", "host": "h", "sender": "s", "to": ["t"]}):  # fmt: skip
        one = sink(**settings)
        assert one.resend_s == 0
        await one.resend(NOTHING)
        await one.close()
