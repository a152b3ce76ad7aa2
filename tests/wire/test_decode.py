"""The two ways of decoding say the same, of one body or of many together."""
from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offbeat.wire import Format, NeedsCare, decode, decode_carefully
from tests.wire.bodies import NOW_MS, cases, events, options, told

FORMATS = get_args(Format)
THOROUGH = settings(max_examples=200, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("format", FORMATS)
@THOROUGH
@given(data=st.data())
def test_decoding_at_speed_says_what_decoding_with_care_says(format: Format, data: st.DataObject) -> None:
    bodies, how = data.draw(cases(format))
    arrival_ms = [NOW_MS + i for i in range(len(bodies))]
    assert told(decode(bodies, how, arrival_ms)) == told(decode_carefully(bodies, how, arrival_ms))


@pytest.mark.parametrize("format", FORMATS)
@THOROUGH
@given(data=st.data())
def test_bodies_decoded_together_give_what_each_gives_alone(format: Format, data: st.DataObject) -> None:
    bodies, how = data.draw(cases(format))
    together = decode(bodies, how, [NOW_MS] * len(bodies))
    alone = [decode([body], how, [NOW_MS]) for body in bodies]
    assert events(together) == [event for one in alone for event in events(one)]
    assert together.rejected_count.tolist() == [int(one.rejected_count[0]) for one in alone]
    assert [(r.line, r.code, r.reason, r.start) for r in together.rejected] == [
        (r.line, r.code, r.reason, r.start) for one in alone for r in one.rejected]
    assert sorted(together.failed) == [i for i, one in enumerate(alone) if one.failed]


HEADS = [
    "m,source=a", "m,source=ab", "m,source=a,x=1", "m,source=b", "n,source=a", "m,source=a\\ b", "m,source=\u00e9", "m"]


@THOROUGH
@given(order=st.lists(st.integers(0, len(HEADS) - 1), min_size=1, max_size=6), rounds=st.integers(1, 4),
       slips=st.lists(st.tuples(st.integers(0, 23), st.integers(0, len(HEADS) - 1)), max_size=4),
       cut=st.integers(0, 24))
def test_heads_of_line_protocol_that_come_in_turn_again_or_not_quite_are_read_as_if_they_were_new(
    order: list[int], rounds: int, slips: list[tuple[int, int]], cut: int,
) -> None:
    heads = order * rounds
    for at, head in slips:
        heads[at % len(heads)] = head
    lines = [f"{HEADS[head]} v={i}i {NOW_MS - i}000000" for i, head in enumerate(heads)]
    bodies = ["\n".join(some).encode() for some in (lines[:cut], lines[cut:])]
    how = options("influx")
    assert told(decode(bodies, how, [NOW_MS] * 2)) == told(decode_carefully(bodies, how, [NOW_MS] * 2))


def test_who_does_not_want_to_wait_for_lines_read_with_care_is_told() -> None:
    how = options("ndjson")
    plain, odd = b'{"source": "a", "v": 1}\n', b'{"source": "\\u0061", "v": 1}\n'
    few = [plain * 1000 + odd, plain]
    assert told(decode(few, how, [0, 0], careful_max=10)) == told(decode(few, how, [0, 0]))
    with pytest.raises(NeedsCare):
        decode([plain, odd * 50], how, [0, 0], careful_max=10)
