"""The jobs: what a job's document may say, and where it goes."""
from __future__ import annotations

import json

import numpy as np
import pytest

from offbeat.http import examples
from offbeat.http.schemas import named
from offbeat.records import JobSpec
from offbeat.store.queries import SourceClusters
from offbeat_detectors.contract import Found
from tests.http.conformity import misfits
from tests.http.parts import Door, serving


async def create(door: Door, document: object) -> tuple[int, dict[str, object]]:
    """Status and document of the answer to a new job."""
    status, answer, _ = await door.send(json.dumps(document).encode(), "/api/v1/jobs")
    return status, answer


async def test_a_job_is_created_read_and_deleted() -> None:
    async with serving() as door:
        status, created, headers = await door.send(json.dumps(examples.JOB_SPEC).encode(), "/api/v1/jobs")
        assert (status, headers["Location"]) == (201, "/api/v1/jobs/boilers")
        assert created.items() >= examples.JOB_SPEC.items()
        assert misfits(created, named("Job")) == []
        assert await door.get("/api/v1/jobs/boilers") == created
        assert (await door.send(path="/api/v1/jobs/boilers", method="DELETE"))[:2] == (204, b"")
        await door.get("/api/v1/jobs/boilers", 404)


async def test_only_the_id_is_needed() -> None:
    async with serving() as door:
        assert (await create(door, {"id": "a"}))[0] == 201
        assert door.behind.jobs.held["a"].spec == JobSpec("a")


async def test_jobs_are_listed_by_name_page_by_page() -> None:
    async with serving() as door:
        for name in ("b", "a"):
            await create(door, {"id": name})
        first = await door.get("/api/v1/jobs?limit=2")
        rest = await door.get(f"/api/v1/jobs?limit=2&cursor={first['next_cursor']}")
        assert [[job["id"] for job in page["jobs"]] for page in (first, rest)] == [["a", "b"], ["watch"]]
        assert rest["next_cursor"] is None
        assert misfits(first, named("Jobs")) == []


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "id"),
        ({"id": ""}, "id"),
        ({"id": "a b"}, "id"),
        ({"id": "a\n"}, "id"),
        ({"id": "a" * 65}, "id"),
        ({"id": 1}, "id"),
        ({"id": "a", "source": ["x"]}, "source"),
        ({"id": "a", "sources": "x"}, "sources"),
        ({"id": "a", "fields": []}, "fields"),
        ({"id": "a", "bucket_span_s": 0}, "bucket_span_s"),
        ({"id": "a", "bucket_span_s": True}, "bucket_span_s"),
        ({"id": "a", "latency_s": 1.5}, "latency_s"),
        ({"id": "a", "function": "mean"}, "function"),
        ({"id": "a", "model": 1}, "model"),
        ({"id": "a", "parameters": []}, "parameters"),
    ],
)
async def test_a_job_that_does_not_say_what_it_must_is_refused(document: dict[str, object], field: str) -> None:
    async with serving() as door:
        status, answer, _ = await door.send(json.dumps(document).encode(), "/api/v1/jobs")
        assert (status, answer["error"]["code"], answer["error"]["where"]) == (400, "bad_request", {"field": field})
        assert set(door.behind.jobs.held) == {"watch"}


async def test_who_says_detector_is_told_that_a_job_has_a_model() -> None:
    async with serving() as door:
        answer = await create(door, {"id": "a", "detector": "ewma"})
        assert (answer[0], answer[1]["error"]["hint"]) == (400, "did you mean model?")


async def test_what_the_jobs_refuse_is_answered_so() -> None:
    async with serving() as door:
        assert (await create(door, {"id": "watch"}))[0] == 409
        assert (await create(door, {"id": "a", "model": "none"}))[0] == 400
        assert (await door.send(path="/api/v1/jobs/watch", method="DELETE"))[0] == 409


async def test_the_clusters_of_a_source_are_told_by_field_without_those_they_are_not_made_by() -> None:
    async with serving() as door:
        found = Found(7, 1, 4, 0.5, *(np.array(n) for n in ([2], [6], [0], [1000], [[1.5, np.nan]], [[0.1, np.nan]])))
        door.behind.results.rows["clusters"] = SourceClusters("kinds", "m", ("a", "b"), found)
        told = await door.get("/api/v1/jobs/kinds/clusters?source=m&sequence=3")
        assert door.behind.results.asked == [("reached", 3, 10.0), ("clusters", "kinds", "m")]
        assert misfits(told, named("SourceClusters")) == []
        assert told == {
            "job": "kinds", "source": "m", "event_count": 7, "far_count": 1, "latest": 4, "width": 0.5,
            "clusters": [{"cluster": 2, "count": 6, "first": "1970-01-01T00:00:00.000Z",
                          "last": "1970-01-01T00:00:01.000Z", "centre": {"a": 1.5}, "spread": {"a": 0.1}}],
        }
        await door.get("/api/v1/jobs/kinds/clusters", 400)
