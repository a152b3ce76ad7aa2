"""What a job with detectors may be asked beside its detectors: rules, a model plot, overlapping buckets, pairs."""
from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from offbeat.http.schemas import SCHEMAS, named
from tests.http.buckets import SPAN_S, SPEC, START_MS, Client, daemon, ndjson, rows
from tests.http.conformity import misfits

MEAN = {"function": "mean", "field": "took", "by": "shop"}
ODD = 80
ROWS = rows(6_000, odd=(ODD,))
SKIP_HIGH = {"actions": ["skip_result"], "conditions": [{"applies_to": "actual", "operator": "gt", "value": 200}]}
PLOT = "/jobs/shops/results/plot?sequence=latest"


def ruled(*rules: Any, **others: Any) -> dict[str, Any]:
    """What is asked by one detector that has these rules."""
    return SPEC | {"detectors": [MEAN | {"rules": list(rules)}]} | others


async def analysed(client: Client, spec: dict[str, Any]) -> dict[str, Any]:
    """The job, once all rows are analysed."""
    await client.post("/jobs", spec, 201)
    await client.post("/jobs/shops/records", ndjson(ROWS))
    return await client.get("/jobs/shops")  # type: ignore[no-any-return]


async def test_what_is_asked_is_told_in_the_form_in_which_it_was_asked_for(state_dir: Path) -> None:
    rule = {
        "actions": ["skip_model_update", "skip_result"],
        "conditions": [{"applies_to": "diff_from_typical", "operator": "lte", "value": 1.5}],
        "windows": [{"start_s": 79_200, "end_s": 21_600, "days": [5, 6]}],
        "zone": "Europe/Berlin",
        "scope": [{"dimension": "by", "patterns": ["n*", "west"], "among": False}],
    }
    options = {
        "renormalization_days": 7,
        "model_plot": {"percentile": 99.0, "terms": ["west"], "days": 2.5},
        "overlapping_buckets": True,
        "finalization_spans": 3,
        "multivariate_by_fields": True,
        "season_s": 18_000,
    }
    spec = ruled(rule, **options)
    assert misfits(spec, named("AnalysisSpec")) == []
    async with daemon(state_dir) as client:
        made = await client.post("/jobs", spec, 201)
        assert misfits(made, named("Analysis")) == []
        assert made["detectors"][0]["rules"] == [rule]
        assert {name: made[name] for name in options} == options
        again = {name: made[name] for name in made if name in SCHEMAS["AnalysisSpec"]["properties"]}
        copy = await client.post("/jobs", again | {"id": "copy"}, 201)
        assert {name: copy[name] for name in again} == again | {"id": "copy"}
    async with daemon(state_dir) as client:
        assert await client.get("/jobs/shops") == made


async def test_what_is_not_said_is_as_usual(state_dir: Path) -> None:
    rule = {"actions": ["skip_result"], "scope": [{"dimension": "by", "patterns": ["west"]}], "windows": [{}]}
    spec = ruled(rule, model_plot={})
    assert misfits(spec, named("AnalysisSpec")) == []
    async with daemon(state_dir) as client:
        made = await client.post("/jobs", spec, 201)
        assert made["detectors"][0]["rules"] == [
            {
                "actions": ["skip_result"],
                "conditions": [],
                "windows": [{"start_s": 0, "end_s": 86_400, "days": []}],
                "zone": "UTC",
                "scope": [{"dimension": "by", "patterns": ["west"], "among": True}],
            }
        ]
        assert made["model_plot"] == {"percentile": 95.0, "terms": [], "days": 30.0}
        plain = await client.post("/jobs", SPEC | {"id": "plain"}, 201)
        assert (plain["model_plot"], plain["detectors"][0]["rules"], plain["withheld"]) == (None, [], [])
        assert plain["multivariate_by_fields"] is False
        assert (plain["renormalization_days"], plain["overlapping_buckets"], plain["finalization_spans"]) == (
            -1, False, 2
        )


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"rules": {}}, "rules"),
        ({"rules": ["skip_result"]}, "rules[0]"),
        ({"rules": [{}]}, "rules[0].actions"),
        ({"rules": [{"actions": []}]}, "rules[0].actions"),
        ({"rules": [SKIP_HIGH, {"actions": ["skip_result"]}]}, "rules[1]"),
        ({"rules": [SKIP_HIGH | {"actions": ["skip_result", "skip"]}]}, "rules[0].actions[1]"),
        ({"rules": [SKIP_HIGH | {"action": "x"}]}, "rules[0].action"),
        ({"rules": [SKIP_HIGH | {"zone": "Mars/Base"}]}, "rules[0].zone"),
        ({"rules": [SKIP_HIGH | {"windows": [{}, {"start_s": -1}]}]}, "rules[0].windows[1].start_s"),
        ({"rules": [SKIP_HIGH | {"windows": [{"end_s": 86_401}]}]}, "rules[0].windows[0].end_s"),
        ({"rules": [SKIP_HIGH | {"windows": [{"days": [0, 7]}]}]}, "rules[0].windows[0].days[1]"),
        ({"rules": [SKIP_HIGH | {"windows": [{"days": ["sun"]}]}]}, "rules[0].windows[0].days[0]"),
        ({"rules": [SKIP_HIGH | {"scope": [{"dimension": "by"}]}]}, "rules[0].scope[0].patterns"),
        ({"rules": [SKIP_HIGH | {"scope": [{"dimension": "by", "patterns": []}]}]}, "rules[0].scope[0].patterns"),
        ({"rules": [SKIP_HIGH | {"scope": [{"dimension": "by", "patterns": [""]}]}]}, "rules[0].scope[0].patterns[0]"),
        ({"rules": [SKIP_HIGH | {"scope": [{"dimension": "x", "patterns": ["a"]}]}]}, "rules[0].scope[0].dimension"),
        ({"rules": [SKIP_HIGH | {"scope": [{"dimension": "over", "patterns": ["a"]}]}]}, "rules[0].scope[0].dimension"),
        ({"rules": [SKIP_HIGH], "function": "rare", "field": ""}, "rules[0].conditions"),
        ({"rules": [SKIP_HIGH], "function": "maen"}, "function"),
        ({"rules": [SKIP_HIGH] * 101}, "rules"),
        ({"rules": [SKIP_HIGH | {"windows": [{}] * 101}]}, "rules[0].windows"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused_with_its_place(
    change: dict[str, Any], place: str, state_dir: Path
) -> None:
    async with daemon(state_dir) as client:
        refused = (await client.post("/jobs", SPEC | {"detectors": [MEAN, MEAN | change]}, 400))["error"]
        assert refused["where"] == {"field": f"detectors[1].{place}"}
        assert refused["message"].startswith(f"detectors[1].{place}")
        assert refused["code"] == ("unknown_function" if place == "function" else "bad_request")


@pytest.mark.parametrize(
    ("member", "wrong"),
    [
        ("applies_to", "mean"),
        ("applies_to", None),
        ("operator", "is"),
        ("operator", 1),
        ("value", "1"),
        ("value", True),
        ("value", None),
        ("unit", "s"),
    ],
)
async def test_a_condition_that_cannot_be_is_refused_with_its_place(
    member: str, wrong: object, state_dir: Path
) -> None:
    (fine,) = SKIP_HIGH["conditions"]
    rule = SKIP_HIGH | {"conditions": [fine, fine | {member: wrong}]}  # type: ignore[operator]
    async with daemon(state_dir) as client:
        refused = (await client.post("/jobs", ruled(SKIP_HIGH, rule), 400))["error"]
        assert refused["where"] == {"field": f"detectors[0].rules[1].conditions[1].{member}"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"detectors": None}, "detectors"),
        ({"renormalization_days": -2}, "renormalization_days"),
        ({"renormalization_days": 1.5}, "renormalization_days"),
        ({"finalization_spans": -1}, "finalization_spans"),
        ({"finalization_spans": 10_001}, "finalization_spans"),
        ({"season_s": -1}, "season_s"),
        ({"season_s": 119, "bucket_span_s": 60}, "season_s"),
        ({"season_s": 6_000_001, "bucket_span_s": 60}, "season_s"),
        ({"season_s": 3600.5}, "season_s"),
        ({"overlapping_buckets": 1}, "overlapping_buckets"),
        ({"multivariate_by_fields": "true"}, "multivariate_by_fields"),
        ({"overlapping_buckets": True, "detectors": [{"function": "rare", "by": "shop"}]}, "detectors[0].function"),
        ({"model_plot": True}, "model_plot"),
        ({"model_plot": {"percentile": 101}}, "model_plot.percentile"),
        ({"model_plot": {"percentile": "95"}}, "model_plot.percentile"),
        ({"model_plot": {"days": 0}}, "model_plot.days"),
        ({"model_plot": {"terms": "a"}}, "model_plot.terms"),
        ({"model_plot": {"terms": ["a", ""]}}, "model_plot.terms[1]"),
        ({"model_plot": {"bounds": 95}}, "model_plot.bounds"),
    ],
)
async def test_an_option_that_cannot_be_is_refused_with_its_place(
    change: dict[str, Any], field: str, state_dir: Path
) -> None:
    async with daemon(state_dir) as client:
        refused = (await client.post("/jobs", SPEC | change, 400))["error"]
        assert refused["where"] == {"field": field}


async def test_what_a_rule_holds_back_is_no_record_and_is_counted(state_dir: Path, tmp_path: Path) -> None:
    start = START_MS + ODD * SPAN_S * 1000
    records = f"/jobs/shops/results/records?start={start}&end={start + 1}&min_score=50&sequence=latest"
    async with daemon(state_dir) as client, daemon(tmp_path / "other") as other:
        await analysed(other, ruled())
        assert [one["by"]["value"] for one in (await other.get(records))["records"]] == ["west"]
        job = await analysed(client, ruled(SKIP_HIGH))
        assert (await client.get(records))["records"] == []
        assert misfits(job, named("Analysis")) == []
        assert job["withheld"] == [{"detector": 0, "cause": "rule 0", "values": 1, "records": 1, "unlearned": 0}]
    async with daemon(state_dir) as client:
        assert (await client.get("/jobs/shops"))["withheld"] == job["withheld"]


async def test_a_job_tells_with_how_many_its_members_are_compared(state_dir: Path) -> None:
    over = {"function": "max", "field": "took", "over": "shop"}
    async with daemon(state_dir) as client:
        job = await analysed(client, SPEC | {"detectors": [MEAN, over, {"function": "rare", "by": "shop"}]})
        assert misfits(job, named("Analysis")) == []
        shops = len({row["shop"] for row in ROWS})
        (peers,) = job["peers"]
        assert (peers["detector"], peers["populations"]) == (1, 1)
        assert shops - 0.5 < peers["members"] <= shops
        assert job["categorization"] is None


async def test_the_plot_tells_what_was_expected_and_what_came(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        await analysed(client, SPEC | {"model_plot": {"percentile": 99}})
        start = START_MS + ODD * SPAN_S * 1000
        found = await client.get(f"{PLOT}&start={start}&end={start + 1}")
        assert misfits(found, named("ModelPlotPoints")) == []
        assert (found["next_cursor"], found["left_out"]) == (None, 0)
        of = {(one["detector"], one["by"] and one["by"]["value"]): one for one in found["plot"]}
        assert set(of) == {(0, "north"), (0, "south"), (0, "west"), (1, None)}
        west, north = of[0, "west"], of[0, "north"]
        assert west["lower"] < west["typical"] < west["upper"] < west["actual"]
        assert north["lower"] < north["actual"] < north["upper"]
        assert (west["function"], west["measure"], west["field"], of[1, None]["actual"]) == ("mean", "mean", "took", 60)


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        ("", lambda one: True),
        ("&detector=1", lambda one: one["detector"] == 1),
        ("&by=west", lambda one: one["by"] == {"field": "shop", "value": "west"}),
        ("&by=nobody", lambda one: False),
        ("&over=west", lambda one: False),
        ("&partition=west", lambda one: False),
        ("&measure=count", lambda one: one["measure"] == "count"),
        ("&detector=0&by=north", lambda one: one["by"] == {"field": "shop", "value": "north"}),
    ],
)
async def test_points_are_chosen_and_their_pages_follow_one_another(
    chosen: str, wanted: Any, state_dir: Path
) -> None:
    async with daemon(state_dir) as client:
        await analysed(client, SPEC | {"model_plot": {}})
        every = (await client.get(f"{PLOT}&limit=10000"))["plot"]
        assert len(every) > 300
        expected = [one for one in every if wanted(one)]
        found: list[dict[str, Any]] = []
        cursor = ""
        while cursor is not None:
            page = await client.get(f"{PLOT}{chosen}&limit=61{cursor and f'&cursor={cursor}'}")
            found += page["plot"]
            cursor = page["next_cursor"]
        assert found == expected
        starts = [one["bucket_start"] for one in (await client.get(f"{PLOT}{chosen}&order=-time&limit=10000"))["plot"]]
        assert starts == sorted((one["bucket_start"] for one in expected), reverse=True)


async def test_there_is_no_plot_of_a_job_that_asks_for_none(state_dir: Path) -> None:
    async with daemon(state_dir) as client:
        await analysed(client, SPEC)
        assert await client.get(PLOT) == {"plot": [], "next_cursor": None, "left_out": 0}
        assert (await client.get("/jobs/watch/results/plot", 409))["error"]["code"] == "job_has_no_detectors"
        refused = await client.get("/jobs/shops/results/plot?detector=x", 400)
        assert refused["error"]["where"] == {"parameter": "detector"}


async def test_a_job_that_moves_takes_its_plot_along(state_dir: Path, tmp_path: Path) -> None:
    spec = ruled(SKIP_HIGH, model_plot={}, overlapping_buckets=True)
    async with daemon(state_dir) as client, daemon(tmp_path / "other") as other:
        job = await analysed(client, spec)
        made = await other.post("/jobs/import", await client.get("/jobs/shops/export"), 201)
        assert made["withheld"] == job["withheld"]
        for one in (client, other):
            await one.post("/jobs/shops/records", ndjson(rows(9_000)[6_000:]))
        found = await client.get(f"{PLOT}&limit=10000")
        assert len(found["plot"]) > 300
        assert await other.get(f"{PLOT}&limit=10000") == found
        await other.post("/jobs/import?as=bare", await client.get("/jobs/shops/export?results=false"), 201)
        assert (await other.get("/jobs/bare/results/plot"))["plot"] == []


@pytest.mark.parametrize("spans", [0, 1, 3])
async def test_what_waits_for_overlapping_buckets_is_final_once_the_job_is_closed(spans: int, state_dir: Path) -> None:
    spec = SPEC | {"overlapping_buckets": True, "finalization_spans": spans}
    async with daemon(state_dir) as client:
        await client.post("/jobs", spec, 201)
        await client.post("/jobs/shops/close")  # nothing has come
        await client.post("/jobs/shops/records", ndjson(ROWS[:1_230]))  # twenty spans and a half
        assert len((await client.results())["buckets"]) == 20 - spans
        await client.post("/jobs/shops/flush?interim=true")
        closed = await client.post("/jobs/shops/close")
        final = (await client.results())["buckets"]
        assert [one["event_count"] for one in final] == [60] * 20  # not the last, which is not complete
        assert closed["latest_bucket"] == final[-1]["start"]
        every = (await client.get("/jobs/shops/results/buckets?interim=true"))["buckets"]
        assert [one["interim"] for one in every] == [False] * 20 + [True]
        await client.post("/jobs/shops/records", ndjson(ROWS[1_230:2_400]))
        later = (await client.results())["buckets"]
        probabilities = [one["probability"] for one in later[:20]]
        assert probabilities == [one["probability"] for one in final]
        assert [one["event_count"] for one in later] == [60] * (39 - spans)


async def test_a_record_names_the_by_value_that_it_followed_until_then(state_dir: Path) -> None:
    rng = random.Random(2)
    pair, spec = [], SPEC | {"detectors": [MEAN], "multivariate_by_fields": True}
    for bucket in range(100):
        level = 45.0 if bucket == 90 else rng.gauss(50.0, 5.0)
        for shop, took in (("north", level), ("south", 55.0 if bucket == 90 else 110.0 - level), ("west", 70.0)):
            noise = rng.gauss(0.0, 5.0 if shop == "west" else 0.2)
            pair.append({"time": START_MS // 1000 + SPAN_S * bucket, "shop": shop, "took": f"{took + noise:.3f}"})
    async with daemon(state_dir) as client:
        await client.post("/jobs", spec, 201)
        async with client.http.get("/api/v1/stream?job=shops&types=record&min_score=50") as stream:
            await stream.content.readuntil(b"\n\n")
            await client.post("/jobs/shops/records", ndjson(pair))
            live = (await stream.content.readuntil(b"\n\n")).decode().splitlines()[1]
        start = START_MS + 90 * SPAN_S * 1000
        page = await client.get(f"/jobs/shops/results/records?sequence=latest&start={start}&end={start + 1}")
        assert misfits(page, named("AnalysisRecords")) == []
        told = {one["by"]["value"]: one["correlated_by"] for one in page["records"] if one["probability"] < 1e-3}
        assert told == {
            "north": {"field": "shop", "value": "south"},
            "south": {"field": "shop", "value": "north"},
        }
        assert json.loads(live.removeprefix("data: "))["correlated_by"]["value"] in told
        every = (await client.get("/jobs/shops/results/records?sequence=latest&limit=1000"))["records"]
        assert None in [one["correlated_by"] for one in every]
