"""Numbers at speed: exactly what float() says."""
from __future__ import annotations

import struct

from hypothesis import example, given, settings
from hypothesis import strategies as st

from offbeat.wire import decode
from tests.wire.bodies import NOW_MS, events, options

DOUBLES = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d",
    struct.pack("<Q", bits))[0]).filter(lambda x: abs(x) < 1e300)


@st.composite
def halfway(draw: st.DrawFn) -> str:
    """A decimal that lies exactly between two doubles, or next to it."""
    odd = 2 * draw(st.integers(2**52, 2**53 - 1)) + 1
    return str(odd * 2 ** draw(st.integers(0, 9)) + draw(st.sampled_from([-1, 0, 0, 1])))


@settings(max_examples=500)
@given(texts=st.lists(st.one_of(DOUBLES.map(repr), DOUBLES.map("{:.3e}".format), halfway(), st.builds(
    "{}.{}e{}".format, st.integers(0, 10**9), st.integers(0, 10**10), st.integers(-70, 70))), min_size=1, max_size=30))
@example(texts=["9007199254740993", "0.1", "123456789.123456789", "1e23", "8.5e22", "6.5e-22"])
def test_every_number_is_rounded_as_float_rounds_it(texts: list[str]) -> None:
    body = "\n".join(f'{{"a":{text}}}' for text in texts).encode()
    found = [e[2]["a"].hex() for e in events(decode([body], options("ndjson"), [NOW_MS]))]
    assert found == [float(text).hex() for text in texts]
