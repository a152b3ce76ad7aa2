"""Feedback: what its document may say, what is answered, and where an adjustment is found again."""
from __future__ import annotations

import json
from typing import Any

import pytest

from offbeat.errors import Conflict, NotFound
from offbeat.http import examples
from offbeat.http.schemas import named
from offbeat.weighing import Said
from tests.http import rows
from tests.http.conformity import misfits
from tests.http.parts import Door, serving

RECORD = "watch:0:AAL:responsetime:1449677640000"
SPAN = {"source": "AAL", "field": "responsetime", "start": "2015-12-09T16:14:00Z", "end": 1449677700}


async def give(door: Door, document: object, query: str = "") -> tuple[int, Any, Any]:
    return await door.send(json.dumps(document).encode(), f"/api/v1/feedback{query}")


async def test_feedback_is_weighed_accepted_read_and_taken_back() -> None:
    async with serving() as door:
        status, preview, _ = await give(door, examples.FEEDBACK_GIVEN, "?preview=true")
        assert (status, preview) == (200, examples.FEEDBACK_PREVIEW)
        assert door.behind.feedback.held == {}, "a preview changes nothing"
        status, accepted, headers = await give(door, examples.FEEDBACK_GIVEN)
        assert (status, accepted) == (201, examples.FEEDBACK_ACCEPTED)
        assert headers["Location"] == "/api/v1/feedback/calmer-17"
        assert misfits(accepted, named("FeedbackWeighed")) == []
        assert await door.get("/api/v1/feedback/calmer-17") == examples.ADJUSTMENT
        assert await door.get("/api/v1/feedback") == examples.FEEDBACK
        assert (await door.send(path="/api/v1/feedback/calmer-17", method="DELETE"))[:2] == (204, b"")
        await door.get("/api/v1/feedback/calmer-17", 404)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"verdict": "normal", "record": RECORD}, Said("normal", RECORD)),
        (
            {"verdict": "normal", "record": RECORD, "below": 40, "note": "batch"},
            Said("normal", RECORD, note="batch", below=40.0),
        ),
        (
            {"verdict": "missed", **SPAN},
            Said("missed", None, "watch", "AAL", "responsetime", rows.START, rows.START + 60_000),
        ),
        (
            {"verdict": "missed", "job": "mine", **SPAN, "start": 1449677640.5},
            Said("missed", None, "mine", "AAL", "responsetime", rows.START + 500, rows.START + 60_000),
        ),
    ],
)
async def test_what_is_said_reaches_the_feedback(document: dict[str, Any], said: Said) -> None:
    async with serving() as door:
        assert (await give(door, document, "?preview=true"))[0] == 200
        assert door.behind.feedback.asked == [said]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "verdict"),
        ({"verdict": "odd", "record": RECORD}, "verdict"),
        ({"verdict": ["normal"], "record": RECORD}, "verdict"),
        ({"verdict": "normal"}, "source"),
        ({"verdict": "normal", "record": ""}, "record"),
        ({"verdict": "normal", "record": 1}, "record"),
        ({"verdict": "normal", "record": RECORD, "source": "AAL"}, "source"),
        ({"verdict": "normal", **SPAN, "start": "yesterday"}, "start"),
        ({"verdict": "normal", **SPAN, "end": True}, "end"),
        ({"verdict": "normal", **{k: v for k, v in SPAN.items() if k != "end"}}, "end"),
        ({"verdict": "normal", "record": RECORD, "below": "25"}, "below"),
        ({"verdict": "normal", "record": RECORD, "below": True}, "below"),
        ({"verdict": "missed", "record": RECORD, "below": 25}, "below"),
        ({"verdict": "normal", "record": RECORD, "note": 1}, "note"),
        ({"verdict": "normal", "recrod": RECORD}, "recrod"),
    ],
)
async def test_feedback_that_does_not_say_what_it_must_is_refused(document: dict[str, Any], field: str) -> None:
    async with serving() as door:
        status, answer, _ = await give(door, document)
        error = answer["error"]
        assert (status, error["code"], error["where"]) == (400, "bad_request", {"field": field})
        assert error["message"].endswith("nothing was changed")
        assert door.behind.feedback.asked == []


async def test_what_the_feedback_refuses_is_answered_so() -> None:
    async with serving() as door:
        for refusal, status in ((NotFound("no such record"), 404), (Conflict("it was found"), 409)):
            door.behind.feedback.raises = refusal
            assert (await give(door, examples.FEEDBACK_GIVEN))[0] == status
        door.behind.feedback.raises = None
        assert (await door.send(path="/api/v1/feedback/calmer-3", method="DELETE"))[0] == 404


async def test_the_list_is_asked_for_by_source_and_page() -> None:
    async with serving() as door:
        await door.get("/api/v1/feedback?source=a&source=b&limit=7&cursor=c&sequence=3")
        assert door.behind.feedback.asked == [(("a", "b"), 7, "c")]
        await give(door, examples.FEEDBACK_GIVEN, "?sequence=latest&preview=true")
        assert [one[0] for one in door.behind.results.asked] == ["reached", "reached"]
