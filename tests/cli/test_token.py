"""``offbeat token`` to the letter, and how every command that talks to a daemon shows one."""
from __future__ import annotations

import json
import re

import pytest

from offbeat.store import tokens

SECRET = r"[a-z2-7]{8}\.[A-Za-z0-9_-]{43}\n"


def create(offbeat, state, name="one", scope="read", *more):
    return offbeat("token", "create", "--scope", scope, "--name", name, "--state-dir", state, *more)


def test_a_new_token_is_all_that_is_printed_and_the_rest_is_said_beside_it(offbeat, tmp_path):
    ran = create(offbeat, tmp_path, "boiler-room", "read,ingest", "--expires", "2999-01-01")
    assert ran.status == 0
    assert re.fullmatch(SECRET, ran.out)
    assert ran.err == ("the token boiler-room (ingest, read) until 2999-01-01T00:00:00.000Z; it is shown this once\n")
    assert create(offbeat, tmp_path).err == "the token one (read) for good; it is shown this once\n"


def test_tokens_are_listed_and_revoked_by_name_or_id(offbeat, tmp_path):
    id = create(offbeat, tmp_path).out[:8]
    create(offbeat, tmp_path, "two", "admin,read,ingest")
    rows = offbeat("token", "list", "--state-dir", tmp_path).out.splitlines()
    assert rows[0] == "id\tname\tscopes\tstate\tcreated\texpires"
    assert re.fullmatch(rf"{id}\tone\tread\tactive\t[^\t]+Z\t", rows[1])
    assert rows[2].split("\t")[1:4] == ["two", "ingest,read,admin", "active"]
    ran = offbeat("token", "revoke", "one", "--state-dir", tmp_path)
    assert (ran.status, ran.out) == (0, f"the token one ({id}) is revoked\n")
    ran = offbeat("token", "revoke", id, "--state-dir", tmp_path)
    assert (ran.status, ran.err) == (1, f"offbeat: the token {id} was revoked already\n")
    documents = [json.loads(line) for line in offbeat(
        "token", "list", "--json", "--state-dir", tmp_path).out.splitlines()]
    assert [(one["name"], one["state"]) for one in documents] == [("one", "revoked"), ("two", "active")]
    assert set(documents[0]) == {"id", "name", "scopes", "state", "created", "expires", "revoked"}


def test_all_are_forgotten_only_if_that_is_said(offbeat, tmp_path):
    create(offbeat, tmp_path)
    assert offbeat("token", "forget", "--state-dir", tmp_path).err == (
        "offbeat: all tokens would be forgotten\n  hint: say --all if that is meant\n")
    assert tokens.any_token(tmp_path)
    assert offbeat("token", "forget", "--all", "--state-dir", tmp_path).out == (
        "1 token is forgotten; there is none now\n")
    assert not tokens.any_token(tmp_path)
    ran = offbeat("token", "list", "--state-dir", tmp_path)
    assert ran.err == "there is no token: everything is open on loopback\n"


@pytest.mark.parametrize(("arguments", "status", "said"), [
    (("--scope", "write", "--name", "x"), 2,
     "offbeat: the scopes are write: expected some of ingest, read, admin\n"),
    (("--scope", "", "--name", "x"), 2, "offbeat: the scopes are none: expected some of ingest, read, admin\n"),
    (("--scope", "read", "--name", "a b"), 2,
     "offbeat: the name is 'a b': expected 1 to 64 letters, digits, '.', '_' or '-'\n"),
    (("--scope", "read", "--name", "x", "--expires", "soon"), 2,
     "offbeat: --expires is 'soon': expected a duration as 90d, or a time: ISO 8601, or an epoch number\n"),
    (("--scope", "read", "--name", "x", "--expires", "1999-12-31"), 2,
     "offbeat: the token would have expired already\n"),
])
def test_what_no_token_can_be_is_wrong_usage(offbeat, tmp_path, arguments, status, said):
    ran = offbeat("token", "create", *arguments, "--state-dir", tmp_path)
    assert (ran.status, ran.out, ran.err) == (status, "", said)
    assert not tokens.any_token(tmp_path)


def test_a_name_that_is_taken_and_a_token_that_is_none_are_told(offbeat, tmp_path):
    create(offbeat, tmp_path)
    assert create(offbeat, tmp_path).err == (
        "offbeat: there is a token one already\n  hint: revoke it first, or choose another name\n")
    ran = offbeat("token", "revoke", "two", "--state-dir", tmp_path)
    assert (ran.status, ran.err) == (
        1, "offbeat: there is no token two\n  hint: `offbeat token list` lists them\n")


@pytest.mark.parametrize("command", [("list",), ("revoke", "x"), ("forget", "--all")])
def test_where_there_is_no_store_none_is_made_to_look_into(offbeat, tmp_path, command):
    ran = offbeat("token", *command, "--state-dir", tmp_path / "none")
    assert ran.status == 1
    assert ran.err == (f"offbeat: there is no store in {tmp_path / 'none'}\n"
                       "  hint: --state-dir says where the daemon has its own\n")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("text", "ms"), [("90d", 90 * 86_400_000), ("1.5h", 5_400_000), ("2s", 2_000)])
def test_a_token_lasts_as_long_as_is_said(text, ms):
    from offbeat.cli.token import when_ms

    assert when_ms(text, 1_000) == 1_000 + ms
    assert when_ms("2020-01-01T00:00:01Z", 1_000) == when_ms("1577836801", 1_000) == 1_577_836_801_000


def test_a_file_that_is_no_store_is_named_and_left(offbeat, tmp_path):
    (tmp_path / "offbeat.sqlite").write_text("no database, but some text that somebody put here\n" * 100)
    ran = create(offbeat, tmp_path)
    assert ran.status == 4
    assert "is damaged or no database" in ran.err
    assert (tmp_path / "offbeat.sqlite").read_text().startswith("no database")


# ── shown to a daemon ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def asked(offbeat, server, monkeypatch):
    """What ``offbeat sources`` shows as Authorization, given these arguments and variables."""
    def ask(*arguments, **variables):
        for name in ("OFFBEAT_TOKEN", "OFFBEAT_TOKEN_FILE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        server.answers({"sources": [], "next_cursor": None})
        ran = offbeat("sources", "--url", server.url, *arguments)
        assert ran.status == 0, ran.err
        return server.seen[-1].headers.get("Authorization")
    return ask


def test_a_token_is_shown_from_the_option_a_file_or_the_environment(asked, tmp_path):
    file = tmp_path / "token"
    file.write_text("of.file\n")
    assert asked() is None
    assert asked("--token", "of.option") == "Bearer of.option"
    assert asked("--token-file", file) == "Bearer of.file"
    assert asked(OFFBEAT_TOKEN="of.variable") == "Bearer of.variable"
    assert asked(OFFBEAT_TOKEN_FILE=file) == "Bearer of.file"
    assert asked("--token", "of.option", "--token-file", file, OFFBEAT_TOKEN="of.variable") == "Bearer of.option"


def test_a_body_is_sent_with_the_token_too(offbeat, server, tmp_path):
    events = tmp_path / "events.ndjson"
    events.write_text('{"v": 1}\n')
    server.answers({"accepted": 1, "rejected": 0, "errors": [], "errors_omitted": 0, "sequence": 1,
                    "daemon": {"applied_sequence": 1}})
    assert offbeat("send", events, "--url", server.url, "--token", "of.option").status == 0
    assert {seen.headers.get("Authorization") for seen in server.seen} == {"Bearer of.option"}


@pytest.mark.parametrize(("arguments", "said"), [
    (("--token", "two words"), "offbeat: the token is none: it has spaces, or characters beyond ASCII\n"),
    (("--token", "a\nb"), "offbeat: the token is none: it has spaces, or characters beyond ASCII\n"),
    (("--token-file", "/none"), "offbeat: cannot read the token file /none: No such file or directory\n"),
    (("--token-file", "/dev/null"), "offbeat: the token file /dev/null is empty\n"),
])
def test_what_can_be_no_token_is_wrong_usage(offbeat, server, arguments, said):
    ran = offbeat("sources", "--url", server.url, *arguments)
    assert (ran.status, ran.err) == (2, said)
    assert server.seen == []


def test_who_shows_none_is_told_how(offbeat, server):
    error = {"code": "unauthorized", "message": "no", "hint": "as a program", "where": {}}
    server.answers({"error": error}, status=401)
    ran = offbeat("sources", "--url", server.url)
    assert ran.status == 1
    hint = "show one with --token-file, OFFBEAT_TOKEN or --token; `offbeat token create` makes one"
    assert ran.err == f"offbeat: no\n  hint: {hint}\n"
    assert offbeat("sources", "--url", server.url, "--token", "x").err == "offbeat: no\n  hint: as a program\n"


def test_who_follows_without_a_token_is_not_kept_waiting(offbeat, server):
    server.answers({"error": {"code": "unauthorized", "message": "no", "hint": "", "where": {}}}, status=401)
    assert offbeat("watch", "--url", server.url).status == 1
    assert len(server.seen) == 1
