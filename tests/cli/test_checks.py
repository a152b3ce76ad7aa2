"""``offbeat checks``, ``status``, ``maintenance``: what they ask the daemon, what they print, how they end."""
from __future__ import annotations

import json

import pytest
from aiohttp import web

from offbeat.http import check_examples as examples


def asked(server):
    """Method, path and document of each request."""
    return [(s.method, s.path.removeprefix("/api/v1"), json.loads(s.body) if s.body else None) for s in server.seen]


@pytest.fixture(autouse=True)
def ada(monkeypatch):
    """Whoever sits there."""
    monkeypatch.setattr("getpass.getuser", lambda: "ada")


def test_checks_are_listed_with_how_they_are(offbeat, server):
    server.answers(examples.CHECKS)
    ran = offbeat("checks", "list", "--source", "AAL", "--url", server.url)
    assert ran.out == (
        "id\tkind\tstatus\tGREEN\tYELLOW\tRED\tevery s\tenabled\tseries\tdescription\n"
        "slow\trange\tRED\t2\t0\t1\t60\tyes\tA*.responsetime\tan airline answers slowly\n"
    )
    assert server.seen[0].parameter("source") == "AAL"
    columns = [{"source": "a", "field": "x"}, {"source": "b", "field": "y"}]
    series = [{"source": "p*", "fields": ["t1", "t2"]}, {"columns": columns, "tolerance_s": 0}]
    server.answers({"checks": [{**examples.CHECK, "series": series}], "next_cursor": None})
    assert "\tp*.t1+t2, a.x+b.y\t" in offbeat("checks", "list", "--url", server.url).out


def test_a_check_is_made_and_replaced_from_a_file_and_taken_away(offbeat, server, tmp_path):
    path = tmp_path / "slow.json"
    path.write_text(json.dumps(examples.CHECK_GIVEN))
    server.answers(lambda: web.json_response(examples.CHECK, status=201))
    assert offbeat("checks", "create", path, "--url", server.url).out == "check slow is in force\n"
    server.answers(examples.CHECK)
    assert offbeat("checks", "update", path, "--url", server.url).out == "check slow is replaced\n"
    assert json.loads(offbeat("checks", "show", "slow", "--url", server.url).out) == examples.CHECK
    server.answers(lambda: web.Response(status=204))
    assert offbeat("checks", "delete", "slow", "--url", server.url).out == "check slow is gone\n"
    assert asked(server) == [
        ("POST", "/checks", examples.CHECK_GIVEN), ("PUT", "/checks/slow", examples.CHECK_GIVEN),
        ("GET", "/checks/slow", None), ("DELETE", "/checks/slow", None),
    ]


@pytest.mark.parametrize(("text", "message"), [
    ("{", "is not JSON"), ("[]", "is not an object of JSON"), ("{}", "has no id")])
def test_a_file_that_is_no_check_is_refused_before_anything_is_sent(offbeat, server, tmp_path, text, message):
    path = tmp_path / "x.json"
    path.write_text(text)
    ran = offbeat("checks", "update", path, "--url", server.url)
    assert (ran.status, message in ran.err) == (2, True)
    assert server.seen == []


def test_kinds_are_listed_and_what_is_broken_is_said(offbeat, server):
    server.answers(examples.KINDS)
    ran = offbeat("checks", "kinds", "--url", server.url)
    assert ran.out.splitlines()[1] == "range\tbuilt-in\tmax\tThe value lies between limits."
    assert ran.err == "broken: /etc/offbeat/checks/wet.py, line 3: SyntaxError: invalid syntax\n"


def test_a_check_is_run_as_of_then(offbeat, server):
    server.answers(examples.SAID)
    ran = offbeat("checks", "run", "slow", "--as-of", "2015-12-09", "--url", server.url)
    assert ran.out.splitlines()[1].split("\t")[2:8] == ["slow", "4", "AAL", "responsetime", "RED", "judged"]
    offbeat("checks", "run", "slow", "--url", server.url)
    assert asked(server) == [
        ("POST", "/checks/slow/run", {"as_of": "2015-12-09"}), ("POST", "/checks/slow/run", {})]


def test_the_history_is_asked_for_by_its_filters(offbeat, server):
    server.answers(examples.OUTCOMES)
    ran = offbeat("checks", "history", "--check", "slow", "--subject", 4, "--status", "YELLOW", "--start", "2015-12-09",
                  "--url", server.url)
    assert ran.out.splitlines()[1].startswith(f"17\t{examples.RAN}\tslow\t4\tAAL\t")
    seen = server.seen[0]
    assert [seen.parameter(name) for name in ("check", "subject", "status", "start", "end")] == [
        "slow", "4", "YELLOW", "2015-12-09", None]


def test_a_subject_is_acknowledged_by_whoever_runs_the_command(offbeat, server):
    server.answers(examples.OUTCOME)
    ran = offbeat("checks", "acknowledge", 4, "--comment", "seen", "--url", server.url)
    assert ran.out == "slow of AAL is RED, which ada knows\n"
    server.answers(lambda: web.Response(status=204))
    offbeat("checks", "acknowledge", 4, "--undo", "--url", server.url)
    assert asked(server) == [
        ("PUT", "/status/4/acknowledgement", {"who": "ada", "comment": "seen"}),
        ("DELETE", "/status/4/acknowledgement", None),
    ]


def test_a_preview_says_what_would_have_been_and_that_it_was_cut(offbeat, server, tmp_path):
    path = tmp_path / "slow.json"
    path.write_text(json.dumps(examples.CHECK_GIVEN))
    server.answers({**examples.PREVIEW, "cut": "after 3 runs"})
    ran = offbeat("checks", "preview", path, "--start", "2015-12-09", "--end", "2015-12-10", "--url", server.url)
    assert "\tRED\t" in ran.out
    assert ran.err == "1440 runs: 1437 GREEN, 0 YELLOW, 3 RED\ncut: after 3 runs\n"
    assert asked(server) == [("POST", "/checks/preview", examples.PREVIEW_GIVEN)]


@pytest.mark.parametrize(("status", "counts", "known", "expected"), [
    ("GREEN", (3, 0, 0), 0, 0), ("YELLOW", (3, 1, 0), 0, 1), ("RED", (0, 0, 1), 0, 2), (None, (0, 0, 0), 0, 3),
    (None, (0, 0, 1), 1, 0),
])
def test_status_ends_as_a_monitoring_plug_in_does(offbeat, server, status, counts, known, expected):
    counts = dict(zip(("GREEN", "YELLOW", "RED"), counts, strict=True))
    server.answers({**examples.STATUS, "status": status, "counts": counts, "acknowledged": known, "outcomes": []})
    ran = offbeat("status", "--check", "slow", "--source", "AAL", "--url", server.url)
    assert ran.status == expected
    assert ran.out.startswith("UNKNOWN" if expected == 3 else f"{status or 'GREEN'}: ")
    assert [server.seen[0].parameter(name) for name in ("check", "source", "status")] == ["slow", "AAL", "YELLOW"]


def test_status_prints_a_line_a_problem(offbeat, server):
    server.answers({**examples.STATUS, "status": "RED", "next_cursor": "x"})
    ran = offbeat("status", "--limit", 1, "--url", server.url)
    assert ran.out == (
        "RED: 2 GREEN, 0 YELLOW, 1 RED, 1 acknowledged\n"
        f"RED slow AAL responsetime [4] since {examples.SINCE} (acknowledged): {examples.MESSAGE}\n"
        "there are more: --limit 10\n"
    )
    ran = offbeat("status", "--json", "--url", server.url)
    assert (ran.status, json.loads(ran.out)["status"]) == (2, "RED")


def test_status_is_unknown_where_no_daemon_answers(offbeat, server):
    ran = offbeat("status", "--url", "http://127.0.0.1:1")
    assert (ran.status, ran.out.startswith("UNKNOWN: no daemon answers")) == (3, True)
    server.answers({"error": {"code": "not_found", "message": "there is no check x", "hint": "", "where": {}}},
                   status=404)
    assert offbeat("status", "--check", "x", "--url", server.url).status == 3


def test_maintenance_is_given_listed_and_taken_away(offbeat, server):
    server.answers(lambda: web.json_response(examples.MAINTENANCE, status=201))
    ran = offbeat("maintenance", "add", "--source", "AAL", "--for", "2h", "--reason", "new line", "--url", server.url)
    assert ran.out == f"maintenance 3 until {examples.MAINTENANCE['until']}; `offbeat maintenance remove 3` ends it\n"
    offbeat("maintenance", "add", "--check", "s*", "--from", "2029-01-01", "--until", "2030-01-01", "--reason", "x",
            "--who", "eve", "--url", server.url)
    server.answers(examples.ALL_MAINTENANCE)
    ran = offbeat("maintenance", "list", "--url", server.url)
    assert ran.out.splitlines()[1].split("\t")[:2] == ["3", "active"]
    server.answers(lambda: web.Response(status=204))
    assert offbeat("maintenance", "remove", 3, "--url", server.url).out == "maintenance 3 is gone\n"
    assert asked(server) == [
        ("POST", "/maintenance", examples.MAINTENANCE_GIVEN),
        ("POST", "/maintenance", {"reason": "x", "who": "eve", "checks": ["s*"], "until": "2030-01-01",
                                  "from": "2029-01-01"}),
        ("GET", "/maintenance", None), ("DELETE", "/maintenance/3", None),
    ]
    assert offbeat("maintenance", "add", "--reason", "x", "--url", server.url).status == 2
