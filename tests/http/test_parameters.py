"""Query parameters: what is understood, and what is refused with which words."""
from __future__ import annotations

import pytest
from multidict import MultiDict

from offbeat.config import Config, HttpConfig
from offbeat.errors import BadRequest
from offbeat.http.parameters import (
    FIELDS,
    LIMIT,
    MIN_SCORE,
    SEQUENCE,
    Parameters,
    choice,
    flag,
    text,
    texts,
    time,
)

ALL = Parameters.of(
    LIMIT, MIN_SCORE, SEQUENCE, FIELDS, time("start", ""), choice("order", "", ("time", "-time", "-score")),
    flag("explain", "", default=True), text("cursor", ""), texts("types", "", into="kinds", separated=True))
AT = 1_449_677_642_500


def read(query: str, config: Config | None = None) -> dict[str, object]:
    """What *query* asks for, without the defaults that it leaves alone."""
    pairs = MultiDict((name, value) for name, _, value in (one.partition("=") for one in query.split("&")))
    asked = ALL.read(pairs, config or Config())
    return {name: value for name, value in asked.items() if (name, value) not in (("limit", 100), ("explain", True))}


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("limit=1", {"limit": 1}),
        ("limit=10000", {"limit": 10_000}),
        ("min_score=99.5", {"min_score": 99.5}),
        ("order=-score", {"order": "-score"}),
        ("explain=false", {"explain": False}),
        ("cursor=a b", {"cursor": "a b"}),
        ("field=a&field=b,c", {"fields": ("a", "b,c")}),
        ("types=a,b&types=c", {"kinds": ("a", "b", "c")}),
        ("start=2015-12-09T16:14:02.5Z", {"start_ms": AT}),
        ("start=2015-12-09T16:14:02.5", {"start_ms": AT}),
        ("start=2015-12-09 17:14:02.500+01:00", {"start_ms": AT}),
        ("start=2015-12-09T17:14:02.500 01:00", {"start_ms": AT}),
        ("start=1449677642.5", {"start_ms": AT}),
        ("start=1449677642500", {"start_ms": AT}),
        ("start=1449677642500000", {"start_ms": AT}),
        ("start=1449677642500000000", {"start_ms": AT}),
        ("start=0", {"start_ms": 0}),
    ],
)
def test_what_is_asked_is_understood(query: str, asked: dict[str, object]) -> None:
    assert read(query) == asked


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit is 0: expected 1 to 10000"),
        ("limit=ten", 'limit is "ten": expected 1 to 10000'),
        ("limit=10001", "limit is 10001: expected 1 to 10000"),
        ("limit=1e3", "limit is 1e3: expected 1 to 10000"),
        ("limit=1&limit=2", "limit is given 2 times: expected once"),
        ("limit=", 'limit is "": expected 1 to 10000'),
        ("min_score=nan", 'min_score is "nan": expected 0 to 100'),
        ("min_score=101", "min_score is 101: expected 0 to 100"),
        ("order=score", 'order is "score": expected time, -time or -score'),
        ("explain=1", "explain is 1: expected true or false"),
        ("start=yesterday", 'start is "yesterday": expected a time, ISO 8601 or an epoch number'),
        ("start=NaN", 'start is "NaN": expected a time, ISO 8601 or an epoch number'),
        ("field=", 'field is "": expected a text'),
        ("sequence=-1", "sequence is -1: expected the number of a journal entry, or latest"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_was_expected(query: str, message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(query)
    assert refused.value.message == message
    assert refused.value.where == {"parameter": query.partition("=")[0]}


def test_a_long_value_is_not_sent_back_whole() -> None:
    with pytest.raises(BadRequest) as refused:
        read(f"order={'x' * 10_000}")
    assert len(refused.value.message) < 200


@pytest.mark.parametrize(("name", "hint"), [("ordr", "did you mean order?"), ("zzz", "known here: limit, min_score")])
def test_an_unknown_parameter_is_refused_with_the_nearest_known_one(name: str, hint: str) -> None:
    with pytest.raises(BadRequest, match="is not a parameter of this call") as refused:
        read(f"{name}=1")
    assert refused.value.hint.startswith(hint)


def test_the_config_bounds_the_limit_and_its_default() -> None:
    config = Config(http=HttpConfig(page_rows_max=10))
    assert read("order=time", config) == {"order": "time", "limit": 10}
    with pytest.raises(BadRequest, match=r"expected 1 to 10$"):
        read("limit=11", config)
