"""``offbeat feedback``: shown before it is accepted, accepted only by who says so, listed, taken back by name."""
from __future__ import annotations

import io
import json

import pytest
from aiohttp import web

from offbeat.http import examples

RECORD = "watch:0:AAL:responsetime:1449677640000"
EFFECTS = (
    "time\tscore\tnow\tthen\trecord\n"
    f"2015-12-09T16:14:02.000Z\t73.2\t73.2\t24.9\t{RECORD}\n"
    "2015-12-08T16:14:02.000Z\t31\t31\t0\twatch:0:AAL:responsetime:1449591240000\n"
)
SHOWN = f"{examples.FEEDBACK_PREVIEW['sentence']}\n{EFFECTS}"
IN_FORCE = "calmer-17 is in force; `offbeat feedback undo calmer-17` takes it back\n"


@pytest.fixture
def answers(monkeypatch):
    """What whoever sits there types."""

    def type_in(text):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    type_in("")
    return type_in


def previews_then_accepts(server):
    server.answers(
        examples.FEEDBACK_PREVIEW, lambda: web.json_response(examples.FEEDBACK_ACCEPTED, status=201)
    )


def asked(server):
    """Of each request: was it a preview, and what did it say?"""
    return [(seen.parameter("preview"), json.loads(seen.body)) for seen in server.seen]


@pytest.mark.parametrize("typed", ["y\n", "YES\n"])
def test_it_is_accepted_after_what_it_would_do_was_shown_and_confirmed(offbeat, server, answers, typed):
    previews_then_accepts(server)
    answers(typed)
    ran = offbeat("feedback", "normal", RECORD, "--below", "40", "--note", "batch", "--url", server.url)
    assert (ran.status, ran.out) == (0, SHOWN + IN_FORCE)
    said = {"verdict": "normal", "record": RECORD, "note": "batch", "below": 40.0}
    assert asked(server) == [("true", said), (None, said)]
    assert [(seen.method, seen.path) for seen in server.seen] == [("POST", "/api/v1/feedback")] * 2


@pytest.mark.parametrize(("typed", "status", "words"), [
    ("n\n", 0, "nothing was changed\n"), ("\n", 0, "nothing was changed\n"), ("", 2, "nobody answered"),
])
def test_without_a_yes_nothing_is_changed(offbeat, server, answers, typed, status, words):
    previews_then_accepts(server)
    answers(typed)
    ran = offbeat("feedback", "normal", RECORD, "--url", server.url)
    assert (ran.status, ran.out) == (status, SHOWN)
    assert words in ran.err
    assert [preview for preview, _ in asked(server)] == ["true"]


def test_a_preview_asks_nothing_and_yes_asks_nobody(offbeat, server, answers):
    previews_then_accepts(server)
    ran = offbeat("feedback", "normal", RECORD, "--preview", "--url", server.url)
    assert ran == type(ran)(0, SHOWN, "")
    ran = offbeat("feedback", "normal", RECORD, "--yes", "--url", server.url)
    assert ran == type(ran)(0, SHOWN + IN_FORCE, "")
    assert [preview for preview, _ in asked(server)] == ["true", None]


def test_a_span_that_was_missed_is_named_by_its_series(offbeat, server, answers):
    previews_then_accepts(server)
    span = ["--job", "mine", "--source", "a b", "--field", "x", "--start", "2015-12-09T16:14Z", "--end", "1449677700"]
    assert offbeat("feedback", "missed", *span, "--preview", "--url", server.url).status == 0
    assert asked(server) == [
        ("true", {"verdict": "missed", "job": "mine", "source": "a b", "field": "x", "start": "2015-12-09T16:14Z",
                  "end": "1449677700"}),
    ]


def test_json_is_the_documents_of_the_api(offbeat, server, answers):
    previews_then_accepts(server)
    answers("y\n")
    ran = offbeat("feedback", "normal", RECORD, "--json", "--url", server.url)
    assert [json.loads(line) for line in ran.out.splitlines()] == [
        examples.FEEDBACK_PREVIEW, examples.FEEDBACK_ACCEPTED]
    server.answers(examples.FEEDBACK)
    assert json.loads(offbeat("feedback", "list", "--json", "--url", server.url).out) == examples.ADJUSTMENT


def test_what_was_accepted_is_listed(offbeat, server):
    server.answers(examples.FEEDBACK)
    ran = offbeat("feedback", "list", "--source", "AAL", "--url", server.url)
    assert ran.out == (
        "name\tsource\tfield\tjob\tfactor\thidden\trevealed\tcreated\tundone\tnote\n"
        "calmer-17\tAAL\tresponsetime\twatch\t4.02\t2\t0\t2015-12-09T16:14:02.000Z\t\tthe partner's nightly batch\n"
    )
    assert server.seen[0].parameters("source") == ["AAL"]
    server.answers({"feedback": [], "next_cursor": None})
    assert offbeat("feedback", "list", "--url", server.url).err == "there is no feedback\n"


def test_one_is_taken_back_by_its_name(offbeat, server):
    server.answers(lambda: web.Response(status=204), examples.ADJUSTMENT)
    ran = offbeat("feedback", "undo", "calmer-17", "--url", server.url)
    did = "2 findings of responsetime of AAL were hidden and 0 revealed"
    assert ran == type(ran)(0, f"calmer-17 is taken back; while it was in force, {did}\n", "")
    assert [(seen.method, seen.path) for seen in server.seen] == [
        ("DELETE", "/api/v1/feedback/calmer-17"), ("GET", "/api/v1/feedback/calmer-17")]


@pytest.mark.parametrize(("arguments", "words"), [
    (["normal"], "of what is it said?"),
    (["normal", RECORD, "--preview", "--yes"], "do not go together"),
    (["missed", RECORD, "--below", "3"], "--below"),
    (["normal", RECORD, "--below", "0"], "--below"),
    (["undo"], "NAME"),
    (["forget"], "forget"),
])
def test_what_does_not_fit_together_is_wrong_usage(offbeat, server, arguments, words):
    ran = offbeat("feedback", *arguments, *([] if arguments == ["forget"] else ["--url", server.url]))
    assert ran.status == 2
    assert words in ran.err
    assert server.seen == []


def test_a_refusal_of_the_daemon_is_a_sentence_with_a_hint(offbeat, server):
    refusal = {"error": {"code": "conflict", "message": "calmer-1 was taken back already", "hint": "look", "where": {}}}
    server.answers(refusal, status=409)
    ran = offbeat("feedback", "undo", "calmer-1", "--url", server.url)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "offbeat: calmer-1 was taken back already\n  hint: look\n"
