"""Logs with one thing planted: a population, a rare value and a new kind of message are found, and who is to blame."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.gateways.prelert.engine import FIRST_S, Engine, csv

SPAN_S = 600
BUCKETS = 150
ODD = 120
"""The bucket in which something is planted."""
FIELDS = ("time", "user", "host", "status", "bytes", "message")
PLAIN = (
    "session opened for user {user}",
    "request {number} of {user} served in {small} ms",
    "connection from 10.0.{small}.{small} closed",
    "cache refreshed with {number} entries",
)
PLANTED = "kernel panic not syncing: fatal exception in interrupt {number}"


def logs(seed: int) -> Iterator[tuple[object, ...]]:
    """Forty users on five hosts; mallory, on host h9, does in one bucket what nobody ever did."""
    rng = random.Random(seed)
    for bucket in range(BUCKETS):
        for _ in range(120):
            user, host = f"user{rng.randrange(40)}", f"h{rng.randrange(5)}"
            yield _line(rng, bucket, user, host, rng.choice(("200", "200", "304", "404")), rng.gauss(2_000, 300),
                        rng.choice(PLAIN))
        if bucket % 3 == 0:
            yield _line(rng, bucket, "mallory", "h9", "200", rng.gauss(2_000, 300), PLAIN[0])
        if bucket == ODD:
            for _ in range(8):
                yield _line(rng, bucket, "mallory", "h9", "507", rng.gauss(90_000, 300), PLANTED)


def _line(
    rng: random.Random, bucket: int, user: str, host: str, status: str, size: float, message: str
) -> tuple[object, ...]:
    said = message.format(user=user, number=rng.randrange(10**6), small=rng.randrange(250))
    return FIRST_S + bucket * SPAN_S + rng.randrange(SPAN_S), user, host, status, f"{size:.0f}", said


@pytest.fixture(scope="module")
def body() -> bytes:
    """The logs in the order of time."""
    return csv(sorted(logs(5), key=lambda row: int(str(row[0]))), FIELDS)


@pytest.mark.parametrize(
    ("detector", "entity"),
    [
        ({"function": "max", "fieldName": "bytes", "overFieldName": "user"}, {"overFieldValue": "mallory"}),
        ({"function": "high_sum", "fieldName": "bytes", "overFieldName": "user"}, {"overFieldValue": "mallory"}),
        ({"function": "rare", "byFieldName": "status"}, {"byFieldValue": "507"}),
        ({"function": "rare", "byFieldName": "status", "overFieldName": "user"}, {"overFieldValue": "mallory"}),
        ({"function": "freq_rare", "byFieldName": "status", "overFieldName": "user"}, {"overFieldValue": "mallory"}),
        ({"function": "rare", "byFieldName": "prelertcategory"}, {}),
    ],
    ids=lambda one: " ".join(str(value) for value in one.values()) if "function" in one else "",
)
def test_what_was_planted_is_the_strongest_record_and_who_did_it_the_first_influencer(
    daemon: Engine, body: bytes, detector: dict[str, str], entity: dict[str, str]
) -> None:
    analysis = {"bucketSpan": SPAN_S, "detectors": [detector], "influencers": ["user", "host"]}
    if detector.get("byFieldName") == "prelertcategory":
        analysis["categorizationFieldName"] = "message"
    id = daemon.create(analysis=analysis, dataDescription={"fieldDelimiter": ","})
    assert daemon.upload(id, body).summary["outOfOrderTimeStampCount"] == 0
    daemon.close(id)
    start_s = FIRST_S + ODD * SPAN_S
    first = daemon.records(id)[0]
    assert {name: first[name] for name in entity} == entity
    bucket = daemon.get(f"/results/{id}/{start_s}?expand=true").document["document"]
    assert first["timestamp"] == bucket["timestamp"]
    assert max(one["anomalyScore"] for one in daemon.buckets(id)) == bucket["anomalyScore"]
    # What was never seen in a hundred buckets is about as rare as one in a hundred: no more can be said of it.
    assert bucket["anomalyScore"] > (75 if detector["function"] in ("max", "high_sum", "freq_rare") else 15)
    blamed = daemon.get(f"/results/{id}/influencers?start={start_s}&end={start_s + 1}&take=2").document["documents"]
    assert {one["influencerFieldValue"] for one in blamed} == {"mallory", "h9"}
    if detector.get("byFieldName") == "prelertcategory":
        category = first["byFieldValue"]
        definition = daemon.get(f"/results/{id}/categorydefinitions/{category}").document["document"]
        assert "panic" in definition["terms"] and all("panic" in text for text in definition["examples"])
