"""The commands that ask: each filter reaches the API, lists are followed to the end, nothing is cut off in silence."""
from __future__ import annotations

import io
import json
import re

import pytest
from aiohttp import web

from offbeat.cli.output import column, number, print_table, text

RECORD = {
    "id": "watch:0:AAL:responsetime:1449677640000",
    "job": "watch",
    "detector": 0,
    "function": "value",
    "source": "AAL",
    "field": "responsetime",
    "bucket_start": "2015-12-09T16:14:00.000Z",
    "bucket_span_s": 60,
    "time": "2015-12-09T16:14:02.000Z",
    "actual": 302.9,
    "typical": 100.25,
    "lower": None,
    "upper": 140.3,
    "novelty": 19.5,
    "probability": 1e-12,
    "score": 100.0,
    "explain": {"model": "ewma", "sentence": "responsetime of AAL was 302.9, typical is 100.2"},
}
BUCKET = {
    "job": "watch",
    "source": "AAL",
    "start": "2015-12-09T16:14:00.000Z",
    "bucket_span_s": 60,
    "event_count": 54,
    "record_count": 1,
    "novelty": 19.5,
    "score": 100.0,
    "interim": False,
}
SOURCE = {
    "source": "AAL",
    "series_count": 1,
    "event_count": 8720,
    "late_count": 0,
    "first_event": "2015-12-09T00:00:00.000Z",
    "last_event": "2015-12-10T00:00:00.000Z",
    "last_arrival": "2015-12-10T00:00:01.000Z",
}
DIAGNOSIS = {
    "daemon": {
        "version": "0.1.0",
        "started": "2015-12-09T00:00:00.000Z",
        "applied_sequence": 17,
        "writable": True,
        "rejected": {"bad_time": 1},
        "limits": [{"name": "engine.series_max", "used": 19, "limit": 1000000}],
    },
    "sources": [
        {
            "source": "AAL",
            "last_event": "2015-12-10T00:00:00.000Z",
            "lag_s": 0.2,
            "silent_for_s": 3.1,
            "live": True,
            "event_count": 8720,
            "late_count": 0,
            "suppressed": [{"job": "watch", "held": 17, "damped": 2, "silence": 1, "adjusted": 0}],
            "series": [
                {"job": "watch", "field": "a", "state": "ready", "warmup_left": 0, "says": "ready"},
                {"job": "watch", "field": "b", "state": "warming_up", "warmup_left": 9, "says": "warming up"},
            ],
        }
    ],
    "next_cursor": None,
}
REJECTED = {
    "id": 5,
    "arrived": "2015-12-09T16:14:00.000Z",
    "format": "ndjson",
    "line": 3,
    "code": "bad_time",
    "reason": "no time",
    "start": '{"time":\t"yest',
}


def test_records_are_lines_with_tabs_where_no_terminal_is(offbeat, server):
    server.answers({"records": [RECORD], "next_cursor": None})
    ran = offbeat("records", "--url", server.url)
    assert ran == type(ran)(
        0,
        (
            "time\tsource\tfield\tscore\tactual\ttypical\tlower\tupper\texplanation\n"
            "2015-12-09T16:14:02.000Z\tAAL\tresponsetime\t100\t302.9\t100.25\t\t140.3\t"
            "responsetime of AAL was 302.9, typical is 100.2\n"
        ),
        "",
    )


def test_json_is_the_document_of_the_api_one_a_line(offbeat, server):
    server.answers({"records": [RECORD, RECORD], "next_cursor": None})
    assert [json.loads(line) for line in offbeat("records", "--json", "--url", server.url).out.splitlines()] == [
        RECORD,
        RECORD,
    ]


@pytest.mark.parametrize("command", ["records", "buckets"])
def test_the_filters_of_findings_reach_the_api(offbeat, server, command):
    server.answers({command: [], "next_cursor": None})
    ran = offbeat(
        command,
        "--job",
        "boilers",
        "--source",
        "a b",
        "--source",
        "ü/&",
        "--start",
        "2015-12-09T16:14Z",
        "--end",
        "1449677640",
        "--min-score",
        "50",
        "--order",
        "-score",
        "--limit",
        "7",
        "--url",
        server.url,
    )
    assert (ran.status, ran.err) == (0, f"no {command[:-1]} fits\n")
    asked = server.seen[0]
    assert asked.path == f"/api/v1/{command}"
    assert asked.parameters("source") == ["a b", "ü/&"]
    expected = {
        "job": "boilers",
        "start": "2015-12-09T16:14Z",
        "end": "1449677640",
        "min_score": "50.0",
        "order": "-score",
        "limit": "7",
    }
    assert {name: asked.parameter(name) for name in expected} == expected


def test_records_may_be_asked_for_by_field_and_without_explanation(offbeat, server):
    server.answers({"records": [{**RECORD, "explain": None}], "next_cursor": None})
    ran = offbeat("records", "--field", "a", "--field", "b", "--no-explain", "--url", server.url)
    assert server.seen[0].parameters("field") == ["a", "b"]
    assert server.seen[0].parameter("explain") == "false"
    assert "explanation" not in ran.out


def test_a_filter_that_is_not_given_is_not_sent(offbeat, server):
    server.answers({"buckets": [BUCKET], "next_cursor": None})
    ran = offbeat("buckets", "--url", server.url)
    assert server.seen[0].query == (("limit", "100"),)
    assert ran.out.splitlines()[1] == "2015-12-09T16:14:00.000Z\twatch\tAAL\t100\t19.5\t54\t1\t60\tno"


def test_buckets_of_a_job_show_how_many_sources_reported(offbeat, server):
    server.answers(
        {"buckets": [{**{k: v for k, v in BUCKET.items() if k != "source"}, "source_count": 12}], "next_cursor": None}
    )
    ran = offbeat("buckets", "--scope", "job", "--url", server.url)
    assert server.seen[0].parameter("scope") == "job"
    assert ran.out.splitlines()[0].split("\t")[2] == "sources"
    assert ran.out.splitlines()[1].split("\t")[2] == "12"


def pages_of(count: int):
    """A server of *count* rejected lines that honours limit and cursor."""

    async def handler(request: web.Request) -> web.StreamResponse:
        first, limit = int(request.query.get("cursor", 0)), int(request.query["limit"])
        rows = [{**REJECTED, "id": i} for i in range(first, min(count, first + limit))]
        return web.json_response(
            {"rejected": rows, "next_cursor": str(first + limit) if first + limit < count else None}
        )

    return handler


def test_all_follows_the_cursor_to_the_end(offbeat, server):
    server.handler = pages_of(2500)
    ran = offbeat("quarantine", "--all", "--json", "--url", server.url)
    assert [json.loads(line)["id"] for line in ran.out.splitlines()] == list(range(2500))
    assert (len(server.seen), ran.err) == (3, "")


def test_a_limit_is_kept_and_what_it_hides_is_said(offbeat, server):
    server.handler = pages_of(2500)
    ran = offbeat("quarantine", "--limit", 1200, "--url", server.url)
    assert len(ran.out.splitlines()) == 1 + 1200
    assert [seen.parameter("limit") for seen in server.seen] == ["1000", "200"]
    assert ran.err == "1200 shown, there are more: --limit 12000, or --all\n"


def test_a_list_that_just_fits_its_limit_hides_nothing(offbeat, server):
    server.handler = pages_of(1200)
    assert offbeat("quarantine", "--limit", 1200, "--url", server.url).err == ""


def test_a_limit_of_nothing_is_wrong_usage(offbeat):
    assert offbeat("records", "--limit", 0).status == 2


def test_a_rejected_line_is_shown_with_its_control_characters_visible(offbeat, server):
    server.answers({"rejected": [REJECTED], "next_cursor": None})
    ran = offbeat("quarantine", "--code", "bad_time", "--url", server.url)
    assert server.seen[0].parameter("code") == "bad_time"
    assert ran.out.splitlines()[1] == '2015-12-09T16:14:00.000Z\tndjson\t3\tbad_time\tno time\t{"time":\\t"yest'


def test_sources_are_listed_by_prefix(offbeat, server):
    server.answers({"sources": [SOURCE], "next_cursor": None})
    ran = offbeat("sources", "--prefix", "A", "--url", server.url)
    assert server.seen[0].parameter("prefix") == "A"
    assert ran.out.splitlines()[1].startswith("AAL\t1\t8720\t0\t2015-12-09")


def test_one_source_is_shown_with_its_series_and_metadata_whatever_its_name(offbeat, server):
    server.answers(
        {
            **SOURCE,
            "metadata": {"room": "boiler"},
            "series": [{"field": "responsetime", "reading_count": 8720, "last_value": 98.1, "last_time": "t"}],
        }
    )
    ran = offbeat("sources", "plant/ü 1?", "--url", server.url)
    assert server.seen[0].path == "/api/v1/sources/plant%2F%C3%BC%201%3F"
    assert "responsetime\t8720\t98.1\tt\n" in ran.out
    assert "room\tboiler\n" in ran.out
    assert offbeat("sources", "AAL", "--prefix", "A", "--url", server.url).status == 2


def test_diagnosis_shows_the_daemon_then_the_sources(offbeat, server):
    server.answers(DIAGNOSIS)
    ran = offbeat("diagnosis", "--url", server.url)
    assert "applied sequence\t17\n" in ran.out
    assert "writable\tyes\n" in ran.out
    assert "rejected: bad_time\t1\n" in ran.out
    assert "engine.series_max\t19 of 1000000\n" in ran.out
    assert ran.out.splitlines()[-1] == "AAL\t2015-12-10T00:00:00.000Z\t0.2\t3.1\tyes\t8720\t0\t1 ready; 1 warming up"
    raw = [json.loads(line) for line in offbeat("diagnosis", "--json", "--url", server.url).out.splitlines()]
    assert raw == [DIAGNOSIS["daemon"], *DIAGNOSIS["sources"]]


def test_diagnosis_of_one_source_shows_its_series_and_what_was_not_told(offbeat, server):
    server.answers(DIAGNOSIS)
    ran = offbeat("diagnosis", "--source", "AAL", "--url", server.url)
    assert ran.out.splitlines()[-5:] == [
        "job\tfield\tstate\tsays",
        "watch\ta\tready\tready",
        "watch\tb\twarming_up\twarming up",
        "not told by job\theld by an incident\tdamped by peaks\tsilence that was told\tby feedback",
        "watch\t17\t2\t1\t0",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_wide_cell_is_folded_never_cut(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    out, name = Terminal(), "boiler-" * 12
    print_table((column("source"), number("score")), [{"source": name, "score": 99.5}], file=out)
    assert "99.5" in out.getvalue()
    assert "…" not in out.getvalue()
    assert "".join(re.findall("[boiler-]{7,}", out.getvalue())) == name


def test_a_name_with_markup_is_shown_as_it_is(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = Terminal()
    print_table((column("source"),), [{"source": "[red]boiler[/red]"}], file=out)
    assert "[red]boiler[/red]" in out.getvalue()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "yes"),
        (100.0, "100"),
        (19.512345678, "19.5123"),
        (1e-12, "1e-12"),
        (123456789.0, "123456789"),
        (1e300, "1e+300"),
        (float("inf"), "inf"),
        (12, "12"),
        ("ü\x1b[31m", "ü\\x1b[31m"),
    ],
)
def test_values_are_shown_for_a_person(value, shown):
    assert text(value) == shown
