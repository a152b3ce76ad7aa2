"""``offbeat explain``: one finding by its id or by what the filters leave, for a person and for a program."""
from __future__ import annotations

import json
from copy import deepcopy

import pytest
from aiohttp import web

from offbeat.http import examples

ID = examples.RECORD["id"]


def listed(**record: object) -> dict[str, object]:
    return {"records": [{**examples.RECORD, **record}], "next_cursor": None}


def test_a_finding_is_told_for_a_person(offbeat, server):
    server.answers(examples.RECORD_IN_FULL)
    ran = offbeat("explain", ID, "--url", server.url)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        examples.RECORD_IN_FULL["explain"]["sentence"],
        "",
        f"{ID}: score 100, novelty 19.5, 22.02 bits, by rhythm",
        "piece\tbits\tshare\tmeaning",
        "pattern\t16.52\t75 %\tno pattern like that of the last 16 readings in the recent past",
        "jump\t5.51\t25 %\tone reading far from those just before it",
        "acted\tfactor\twhat it did",
        "damping\t0.5\tmade weaker, to 50 %, for this series is often novel by itself",
        "readings ago\tsimilar moment",
        "812\t2015-12-09T07:02:10.000Z",
        "The series has scored this much once, watched since 2015-12-02T21:57:00.000Z (8,720 readings).",
    ]


def test_what_is_not_known_is_not_shown(offbeat, server):
    bare = deepcopy(examples.RECORD)
    bare["explain"] |= {"acted": [], "similar": []}
    server.answers(bare)
    out = offbeat("explain", ID, "--url", server.url).out
    assert "what it did" not in out
    assert "similar moment\n" not in out
    assert "watched since" not in out


def test_with_json_it_is_the_document_of_the_api(offbeat, server):
    server.answers(examples.RECORD_IN_FULL)
    assert json.loads(offbeat("explain", ID, "--json", "--url", server.url).out) == examples.RECORD_IN_FULL


@pytest.mark.parametrize(("id", "path"), [
    (ID, "watch%3A0%3AAAL%3Aresponsetime%3A1449677640000"),
    ("watch:0:plant/ü:a%3Ab:0", "watch%3A0%3Aplant%2F%C3%BC%3Aa%253Ab%3A0"),
])
def test_a_finding_is_asked_for_by_its_id_whatever_that_holds(offbeat, server, id, path):
    server.answers(examples.RECORD_IN_FULL)
    offbeat("explain", id, "--url", server.url)
    assert server.seen[0].path == f"/api/v1/records/{path}"


def test_the_last_finding_is_the_newest_that_the_filters_leave(offbeat, server):
    server.answers(listed(id="x:0:a:b:5"), examples.RECORD_IN_FULL)
    filters = ("--source", "a", "--source", "b", "--field", "t", "--job", "j", "--min-score", 50)
    ran = offbeat("explain", "--last", *filters, "--url", server.url)
    assert ran.status == 0
    asked = server.seen[0]
    assert (asked.path, asked.parameters("source")) == ("/api/v1/records", ["a", "b"])
    expected = {"field": "t", "job": "j", "min_score": "50.0", "order": "-time", "limit": "1", "explain": "false"}
    assert {name: asked.parameter(name) for name in expected} == expected
    assert server.seen[1].path == "/api/v1/records/x%3A0%3Aa%3Ab%3A5"


@pytest.mark.parametrize("at", ["2015-12-09T16:14Z", "2015-12-09 17:14+01:00", "1449677640"])
def test_a_finding_is_asked_for_by_its_source_and_time(offbeat, server, at):
    server.answers(listed(), examples.RECORD_IN_FULL)
    assert offbeat("explain", "--source", "AAL", "--at", at, "--url", server.url).status == 0
    assert server.seen[0].parameter("end") == "2015-12-09T16:14:00.001Z"


def test_where_no_finding_fits_the_command_fails_and_says_so(offbeat, server):
    server.answers({"records": [], "next_cursor": None})
    ran = offbeat("explain", "--last", "--url", server.url)
    assert (ran.status, ran.out, ran.err.splitlines()[0]) == (1, "", "offbeat: no record fits")


def test_a_finding_that_is_not_there_is_the_daemons_refusal(offbeat, server):
    server.answers(lambda: web.json_response(
        {"error": {"code": "not_found", "message": "there is no record x", "hint": "", "where": {}}}, status=404))
    ran = offbeat("explain", "x", "--url", server.url)
    assert (ran.status, ran.err) == (1, "offbeat: there is no record x\n")


@pytest.mark.parametrize("arguments", [(), (ID, "--last"), (ID, "--source", "a"), ("--source", "a", "--at", "noon")])
def test_it_must_be_clear_which_finding(offbeat, server, arguments):
    assert offbeat("explain", *arguments, "--url", server.url).status == 2
    assert server.seen == []
