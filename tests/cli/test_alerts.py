"""``offbeat alerts``, ``alert-rules``, ``silence``, ``calendar``: what they ask the daemon, and what they print."""
from __future__ import annotations

import json

import pytest
from aiohttp import web

from offbeat.http import alert_examples as examples


def asked(server):
    """Method, path and document of each request."""
    return [(s.method, s.path.removeprefix("/api/v1"), json.loads(s.body) if s.body else None) for s in server.seen]


@pytest.fixture(autouse=True)
def ada(monkeypatch):
    """Whoever sits there."""
    monkeypatch.setattr("getpass.getuser", lambda: "ada")


def test_alerts_are_listed(offbeat, server):
    server.answers(examples.ALERTS)
    ran = offbeat("alerts", "list", "--state", "active", "--rule", "r", "--source", "a", "--source", "b",
                  "--start", "2015-12-09", "--url", server.url)
    assert ran.out == (
        "number\trule\tsource\tcheck\tstate\tscore\tfindings\traised\tcleared\tacknowledged by\tsentence\n"
        f"7\tairlines\tAAL\t\tactive\t68.6\t1\t{examples.ARRIVED}\t\t\t{examples.SENTENCE}\n"
    )
    seen = server.seen[0]
    assert [seen.parameter(name) for name in ("state", "rule", "start", "end")] == ["active", "r", "2015-12-09", None]
    assert seen.parameters("source") == ["a", "b"]
    server.answers({"alerts": [], "next_cursor": None})
    assert offbeat("alerts", "list", "--url", server.url).err == "there is no alert\n"


def test_one_alert_is_shown_with_its_findings_and_deliveries(offbeat, server):
    server.answers(examples.ALERT_IN_FULL)
    ran = offbeat("alerts", "show", 7, "--url", server.url)
    assert ran.out.startswith(f"{examples.SENTENCE}\n\nalert 7 of rule airlines is active, raised {examples.ARRIVED}\n")
    assert f"{examples.ARRIVED}\t68.6\tresponsetime\tAAL\t{examples.RECORD}\n" in ran.out
    assert "12\traised\tpager\tdelivered\t1\t\n" in ran.out
    assert json.loads(offbeat("alerts", "show", 7, "--json", "--url", server.url).out) == examples.ALERT_IN_FULL


def test_an_alert_is_acknowledged_by_whoever_runs_the_command(offbeat, server):
    server.answers(examples.ACKNOWLEDGED)
    ran = offbeat("alerts", "ack", 7, "--comment", "seen", "--url", server.url)
    assert (ran.status, ran.out) == (0, "alert 7 is acknowledged by ada\n")
    offbeat("alerts", "ack", 7, "--name", "eve", "--url", server.url)
    assert asked(server) == [
        ("POST", "/alerts/7/acknowledge", {"name": "ada", "comment": "seen"}),
        ("POST", "/alerts/7/acknowledge", {"name": "eve", "comment": ""}),
    ]


def test_what_nobody_was_told_is_listed_with_the_reason(offbeat, server):
    server.answers(examples.SUPPRESSED)
    ran = offbeat("alerts", "suppressed", "--reason", "silence", "--url", server.url)
    assert ran.out.splitlines()[1].split("\t")[1:3] == ["silence", "1"]
    assert "by ada, until 2015-12-09T18:00:00.000Z: new line" in ran.out
    assert server.seen[0].parameter("reason") == "silence"


def test_dead_letters_are_listed_and_sent_again(offbeat, server):
    server.answers(examples.DEAD_LETTERS)
    assert "it answered 500: no room" in offbeat("alerts", "dead-letters", "--url", server.url).out
    server.answers(examples.RETRIED)
    assert offbeat("alerts", "retry", 12, "--url", server.url).out == "delivery 12 waits for pager again\n"
    assert asked(server)[-1] == ("POST", "/alerts/dead-letters/12/retry", {})


def test_a_rule_is_made_of_what_was_given_and_nothing_else(offbeat, server):
    server.answers(lambda: web.json_response(examples.RULE, status=201))
    ran = offbeat("alert-rules", "add", "airlines", "--sink", "pager", "--url", server.url)
    assert ran.out == "rule airlines is in force: from a score of 50 it tells pager\n"
    offbeat("alert-rules", "add", "a b", "--replace", "--sink", "x", "--sink", "y", "--job", "watch", "--source", "A*",
            "--field", "t", "--raise-at", 70, "--clear-below", 30, "--clear-after", "15m", "--repeat", "1.5h",
            "--group-by", "source", "--group-by", "field", "--calendar", "c", "--description", "d", "--url", server.url)
    offbeat("alert-rules", "add", "quiet", "--together", "--url", server.url)
    assert asked(server) == [
        ("POST", "/alert-rules", {"id": "airlines", "sinks": ["pager"]}),
        ("PUT", "/alert-rules/a%20b", {
            "id": "a b", "sinks": ["x", "y"], "jobs": ["watch"], "sources": ["A*"], "fields": ["t"], "raise_at": 70,
            "clear_below": 30, "clear_after_s": 900, "repeat_s": 5400, "group_by": ["source", "field"],
            "calendars": ["c"], "description": "d"}),
        ("POST", "/alert-rules", {"id": "quiet", "sinks": [], "group_by": []}),
    ]


def test_a_rule_of_checks_says_from_which_status_on(offbeat, server):
    made = {**examples.RULE, "checks": ["tank-*"], "status_at": "YELLOW", "raise_at": None}
    server.answers(lambda: web.json_response(made, status=201))
    ran = offbeat("alert-rules", "add", "tanks", "--check", "tank-*", "--status-at", "YELLOW", "--group-by", "check",
                  "--url", server.url)
    assert ran.out == "rule tanks is in force: of a check that is YELLOW it tells pager\n"
    assert asked(server) == [("POST", "/alert-rules", {
        "id": "tanks", "sinks": [], "checks": ["tank-*"], "status_at": "YELLOW", "group_by": ["check"]})]


def test_rules_are_listed_and_taken_away(offbeat, server):
    server.answers(examples.RULES)
    ran = offbeat("alert-rules", "list", "--url", server.url)
    assert ran.out.splitlines()[1] == (
        "airlines\tA*\tresponsetime\t\t\t50\t20\t900\tsource\t3600\tpager\tnights\tan airline answers slowly")
    server.answers(lambda: web.Response(status=204))
    assert offbeat("alert-rules", "remove", "airlines", "--url", server.url).out == "rule airlines is gone\n"
    assert asked(server)[-1] == ("DELETE", "/alert-rules/airlines", None)


def test_a_sink_is_tried_and_its_failure_is_said(offbeat, server):
    server.answers(examples.SINK_TESTED)
    ran = offbeat("alert-rules", "test-sink", "pager", "--url", server.url)
    assert ran.out == f"the sink pager took a test, {examples.SINK_TESTED['id']}\n"
    refusal = {"error": {"code": "sink_failed", "message": "pager is away", "hint": "", "where": {}}}
    server.answers(refusal, status=502)
    ran = offbeat("alert-rules", "test-sink", "pager", "--url", server.url)
    assert (ran.status, ran.err) == (1, "offbeat: pager is away\n")


def test_a_silence_is_given_for_a_while_or_until_a_time(offbeat, server):
    server.answers(lambda: web.json_response(examples.SILENCE, status=201))
    ran = offbeat("silence", "add", "--source", "AAL", "--for", "2h", "--reason", "new line", "--url", server.url)
    assert ran.out == "silence 1 until 2015-12-09T18:00:00.000Z; `offbeat silence remove 1` ends it\n"
    offbeat("silence", "add", "--until", "2030-01-01", "--from", "2029-01-01", "--rule", "r*", "--who", "eve",
            "--reason", "x", "--url", server.url)
    assert asked(server) == [
        ("POST", "/silences", {"reason": "new line", "who": "ada", "sources": ["AAL"], "duration_s": 7200}),
        ("POST", "/silences", {"reason": "x", "who": "eve", "rules": ["r*"], "until": "2030-01-01",
                               "from": "2029-01-01"}),
    ]


def test_silences_are_listed_and_ended(offbeat, server):
    server.answers(examples.SILENCES)
    ran = offbeat("silence", "list", "--url", server.url)
    assert ran.out.splitlines()[1].split("\t")[:2] == ["1", "active"]
    server.answers(lambda: web.Response(status=204))
    assert offbeat("silence", "remove", 1, "--url", server.url).out == "silence 1 is over\n"
    assert asked(server)[-1] == ("DELETE", "/silences/1", None)


def test_a_calendar_is_imported_under_the_name_of_its_file(offbeat, server, tmp_path):
    server.answers(lambda: web.json_response(examples.CALENDAR, status=201))
    file = tmp_path / "nights.ics"
    file.write_bytes(examples.ICS.encode())
    ran = offbeat("calendar", "import", file, "--url", server.url)
    assert ran.out == "calendar nights has 2 windows\n"
    seen = server.seen[0]
    assert (seen.path, seen.parameter("id"), seen.headers["Content-Type"]) == (
        "/api/v1/calendars", "nights", "text/calendar")
    assert seen.body == examples.ICS.encode()
    document = tmp_path / "any.json"
    document.write_text(json.dumps(examples.CALENDAR_GIVEN))
    offbeat("calendar", "import", document, "--description", "d", "--url", server.url)
    seen = server.seen[1]
    assert (seen.parameter("id"), seen.parameter("description"), seen.headers["Content-Type"]) == (
        None, "d", "application/json")
    assert json.loads(seen.body) == examples.CALENDAR_GIVEN


def test_calendars_are_listed_by_window_and_taken_away(offbeat, server):
    server.answers(examples.CALENDARS)
    ran = offbeat("calendar", "list", "--url", server.url)
    assert ran.out.splitlines()[1:] == [
        "nights\t2024-01-01T22:00:00\tEurope/Berlin\t28800\tFREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR\t",
        "nights\t2015-12-24T00:00:00\tUTC\t259200\t\tChristmas",
    ]
    assert json.loads(offbeat("calendar", "list", "--json", "--url", server.url).out) == examples.CALENDAR
    server.answers(lambda: web.Response(status=204))
    assert offbeat("calendar", "remove", "nights", "--url", server.url).out == "calendar nights is gone\n"


@pytest.mark.parametrize(("arguments", "words"), [
    (["silence", "add", "--for", "2h"], "--reason"), (["silence", "add", "--reason", "x"], "how long?"),
    (["silence", "add", "--reason", "x", "--for", "2h", "--until", "2030"], "how long?"),
    (["silence", "add", "--reason", "x", "--for", "soon"], "expected seconds, or 90s, 15m, 2h, 1d"),
    (["alert-rules", "add", "a", "--raise-at", "101"], "--raise-at"),
    (["alert-rules", "add", "a", "--group-by", "host"], "--group-by"),
    (["calendar", "import", "-"], "needs a name"), (["calendar", "import", "/nowhere.ics"], "/nowhere.ics"),
    (["alerts", "ack", "0"], "NUMBER"),
])
def test_what_does_not_fit_together_is_wrong_usage(offbeat, server, arguments, words):
    ran = offbeat(*arguments, "--url", server.url)
    assert ran.status == 2
    assert words in ran.err
    assert server.seen == []
