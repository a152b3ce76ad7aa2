"""What stands behind a finding: kept in a few bytes and given back, told in bits that add up, and in a sentence."""
from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors import explain
from offbeat_detectors.contract import NOTE_NEW_LEVEL, NOTE_PRIOR, NOTES, Evidence
from offbeat_detectors.explain import MEANINGS, BadReason, Finding, Piece, Reason, pack, tell, unpack
from offbeat_detectors.scores import novelty_of_probability

NOON_MS = 1_795_176_000_000  # 2026-11-20 12:00 UTC
SHARE = st.floats(2.0**-20, 1e6, width=32)
REASONS = st.builds(
    Reason,
    st.dictionaries(st.one_of(st.sampled_from(list(MEANINGS)), st.text(min_size=1, max_size=8)), SHARE, max_size=9)
    .map(lambda shares: tuple(sorted(shares.items(), key=lambda piece: -piece[1]))),
    st.lists(st.integers(1, 2**31 - 1), max_size=2).map(tuple),
    st.integers(0, 255),
    st.floats(0.0, 1.0, width=32),
    st.floats(0.0, 4.0, width=32),
)
HOT = Finding("temperature of pump-7", NOON_MS, 93.1, 72.4, 70.0, 75.0, 3.0, math.nan)
SILENT = replace(HOT, actual=math.nan, typical=float(NOON_MS - 600_000), lower=math.nan, upper=math.nan)
ODD = Reason((("pattern", 3.0),))


def sentence(
    finding: Finding, reason: Reason, similar_ms: tuple[int | None, ...] = (), last_ms: int | None = None
) -> str:
    return tell(finding, reason, similar_ms, last_ms).sentence


@given(REASONS)
def test_a_reason_comes_back_as_it_was_packed(reason: Reason) -> None:
    assert unpack(pack(reason)) == reason


def test_where_there_is_nothing_to_tell_nothing_is_kept() -> None:
    assert pack(Reason()) == b""
    assert unpack(b"") == Reason()


def test_a_reason_of_known_pieces_takes_64_bytes_at_most_and_keeps_the_strongest() -> None:
    many = tuple((name, 100.0 - i) for i, name in enumerate(MEANINGS))
    packed = pack(Reason(many, (17, 4000), 255, 0.5, 0.25))
    assert len(packed) <= 64
    assert unpack(packed).pieces == many[:9]
    assert len(pack(replace(ODD, damping=0.5))) == 24


def test_the_name_of_a_plug_ins_piece_is_kept_up_to_a_bound() -> None:
    assert unpack(pack(Reason((("é" * 100, 1.0),)))).pieces == (("é" * 16, 1.0),)


def test_the_code_of_a_piece_never_changes() -> None:
    first = "jump", "shape", "pattern", "long pattern", "drift", "stuck", "rate", "silence", "peers", "joint", "outside"
    assert tuple(MEANINGS)[: len(first)] == first
    assert pack(Reason((("peers", 1.0),)))[-5:] == b"\x08\x00\x00\x80\x3f"


@given(REASONS.filter(lambda reason: reason != Reason()), st.data())
def test_bytes_that_were_never_packed_are_refused(reason: Reason, data: st.DataObject) -> None:
    packed = pack(reason)
    cut = data.draw(st.integers(1, len(packed) - 1))
    for wrong in (packed[:cut], packed + b"\0", b"\x07" + packed[1:]):
        with pytest.raises(BadReason):
            unpack(wrong)


def test_a_piece_of_a_code_that_nobody_gave_is_refused() -> None:
    packed = bytearray(pack(ODD))
    packed[-5] = 200
    with pytest.raises(BadReason):
        unpack(bytes(packed))


def test_of_a_points_evidence_only_what_says_something_counts() -> None:
    share = np.array([[9.0, 9.0, 9.0, 9.0], [0.0, 1.0, np.nan, 2.5]], np.float32)
    evidence = Evidence(share, np.array([[1, 2], [40, 0]], np.int32), np.array([7, 1], np.uint8))
    reason = explain.reason_of(evidence, 1, ("jump", "shape", "drift", "mine"), damping=0.5)
    assert reason == Reason((("mine", 2.5), ("shape", 1.0)), (40,), NOTE_PRIOR, 0.5, 1.0)
    assert explain.reason_of(None, 1, (), damping=1.0) == Reason()


@pytest.mark.parametrize("probability", [1e-3, 1e-5, 1e-9])
def test_the_bits_of_a_finding_are_those_of_its_probability(probability: float) -> None:
    finding = replace(HOT, novelty=novelty_of_probability(probability), probability=probability)
    (piece,) = explain.evidence(finding, Reason())
    assert (piece.name, piece.share) == ("probability", 1.0)
    assert piece.bits == pytest.approx(-math.log2(probability))


@given(st.floats(0.35, 1e6), REASONS)
def test_the_bits_of_the_pieces_add_up_to_those_of_the_novelty_in_proportion_to_their_shares(
    novelty: float, reason: Reason
) -> None:
    told = explain.evidence(replace(HOT, novelty=novelty), reason)
    assert math.fsum(piece.bits for piece in told) == pytest.approx(explain.bits_of(novelty))
    assert math.fsum(piece.share for piece in told) == pytest.approx(1.0)
    for (name, share), piece in zip(reason.pieces, told, strict=False):
        assert piece.name == name
        assert piece.bits * reason.pieces[0][1] == pytest.approx(told[0].bits * share)


def test_what_has_neither_pieces_nor_a_probability_is_its_novelty_alone() -> None:
    assert explain.evidence(HOT, Reason()) == (
        Piece("novelty", explain.bits_of(3.0), 1.0, "unlike anything lately, by what its detector has learned"),
    )


def test_the_sentence_says_what_was_seen_and_expected_why_it_is_odd_and_what_would_not_have_been() -> None:
    similar_ms = NOON_MS - 123 * 60_000
    assert sentence(HOT, replace(ODD, similar=(812, 900), damping=0.5), (similar_ms, None)) == (
        "temperature of pump-7 was 93.1, expected 70 to 75 (typical 72.4): no pattern like that of the last 16 "
        "readings in the recent past; a value between 70 and 75 would have been normal. The most similar moment was "
        "2026-11-20 09:57 UTC. It was made weaker, to 50 %, for this series is often novel by itself."
    )


def test_bounds_are_told_to_a_twentieth_of_their_distance() -> None:
    finding = replace(HOT, typical=72.1887, lower=70.2903, upper=74.0871)
    assert "expected 70.3 to 74.1 (typical 72.2): " in sentence(finding, ODD)
    assert tell(replace(finding, lower=-0.004, upper=1_234_567.8), ODD).normal == "between 0 and 1230000"


@pytest.mark.parametrize(("actual", "told"), [(74.09, "was 74.09, expected 70.2903 to 74.0871 (typical 72.4)"),
                                              (70.295, "was 70.295, a value as expected (70.2903 to 74.0871,"),
                                              (70.29, "was 70.29, expected 70.3 to 74.1 (typical 72.4)")])
def test_rounding_never_puts_a_reading_on_the_other_side_of_a_bound(actual: float, told: str) -> None:
    assert told in sentence(replace(HOT, actual=actual, lower=70.2903, upper=74.0871), ODD)


ANY = st.floats() | st.sampled_from([1.7976931348623157e308, -1.7976931348623157e308, 5e-324, 0.0])


@given(ANY.filter(lambda x: not math.isnan(x)), ANY, ANY, ANY, REASONS)
def test_any_finding_has_a_sentence(actual: float, typical: float, lower: float, upper: float, reason: Reason) -> None:
    finding = replace(HOT, actual=actual, typical=typical, lower=lower, upper=upper)
    said = sentence(finding, reason)
    assert said.startswith("temperature of pump-7 was ")
    assert said.endswith(".")


def test_a_value_within_its_bounds_is_not_blamed() -> None:
    said = sentence(replace(HOT, actual=74.0), Reason((("stuck", 2.0), ("rate", 1.0), ("drift", 0.5))))
    assert said == (
        "temperature of pump-7 was 74, a value as expected (70 to 75, typical 72.4): the same value for longer than "
        "this series ever holds one; besides, readings come at another rate than they do else."
    )


def test_a_similar_moment_of_which_the_time_is_not_known_is_told_in_readings() -> None:
    assert "The most similar moment lies 1,812 readings back." in sentence(HOT, replace(ODD, similar=(1812,)))
    assert "The most similar moment lies 1 reading back." in sentence(HOT, replace(ODD, similar=(1,)), (None,))


def test_a_silence_is_told_by_when_the_reading_was_due() -> None:
    silence = Reason((("silence", 3.0),))
    assert sentence(SILENT, silence) == (
        "nothing has come of temperature of pump-7 by 2026-11-20 12:00 UTC; the next reading was due by 2026-11-20 "
        "11:50 UTC at the latest: no reading for longer than this series is ever silent."
    )
    assert "pump-7 since 2026-11-20 11:45:10 UTC;" in sentence(SILENT, silence, (), NOON_MS - 890_000)
    assert explain.due_ms(SILENT) == NOON_MS - 600_000
    assert explain.due_ms(HOT) is None
    assert tell(SILENT, silence).normal == ""


@pytest.mark.parametrize(
    ("lower", "upper", "typical", "begins", "ends"),
    [
        (5.0, 5.0, 5.0, ", expected 5: ", "; a value of 5 would have been normal."),
        (-math.inf, 75.0, 72.0, ", expected at most 75 (typical 72): ", "; a value at most 75 would have been normal."),
        (100.0, math.inf, math.nan, ", expected at least 100: ", "; a value at least 100 would have been normal."),
        (math.nan, math.nan, 72.4, ", typical 72.4: ", "recent past."),
        (-math.inf, math.inf, math.nan, ": ", "recent past."),
        (math.nan, math.nan, math.nan, ": ", "recent past."),
    ],
)
def test_what_a_detector_does_not_know_is_left_out(
    lower: float, upper: float, typical: float, begins: str, ends: str
) -> None:
    said = sentence(replace(HOT, lower=lower, upper=upper, typical=typical), ODD)
    assert said.startswith(f"temperature of pump-7 was 93.1{begins}")
    assert said.endswith(ends)


def test_every_note_of_the_contract_is_told_in_the_sentence() -> None:
    for bit, text in NOTES.items():
        assert text[1:] in sentence(HOT, replace(ODD, notes=bit))
    assert sentence(HOT, replace(ODD, notes=NOTE_NEW_LEVEL)).endswith(" The new level has been accepted as normal.")
    acts = explain.acted(replace(ODD, notes=255))
    assert [act.name for act in acts] == ["prior", "repeats", "new_level", "settling"]


@pytest.mark.parametrize(("factor", "told"), [(0.25, "weaker, to 25 %"), (2.0, "stronger, to 200 %"),
                                              (0.001, "weaker, to 0.1 %")])
def test_what_feedback_made_of_a_finding_is_told(factor: float, told: str) -> None:
    reason = replace(ODD, adjustment=factor)
    assert f"It was made {told}, by what was said of findings like it." in sentence(HOT, reason)
    assert [(act.name, act.factor) for act in explain.acted(reason)] == [("adjustment", factor)]


def test_a_factor_that_rounds_to_all_is_not_told() -> None:
    assert explain.acted(replace(ODD, damping=0.9999, adjustment=1.001)) == ()


def test_a_piece_that_only_its_detector_knows_is_called_by_its_name() -> None:
    assert "what its detector calls “wobble”" in sentence(HOT, Reason((("wobble", 1.0),)))


@pytest.mark.parametrize(("probability", "told"), [
    (1e-5, "about one reading in 100,000 is as unlikely"), (3.21e-4, "about one reading in 3,100 is as unlikely"),
    (1e-300, "fewer than one reading in a billion is as unlikely"),
])
def test_a_probability_is_told_as_one_in_so_many(probability: float, told: str) -> None:
    assert told in sentence(replace(HOT, probability=probability), Reason())


@pytest.mark.parametrize(("x", "told"), [(1111119.0, "1111119"), (268.1869, "268.187"), (1e18, "1e+18"), (-0.5, "-0.5"),
                                         (0.0, "0")])
def test_a_number_is_told_to_six_digits_and_whole_before_the_point(x: float, told: str) -> None:
    assert explain.number(x) == told


@pytest.mark.parametrize(("ms", "told"), [
    (NOON_MS, "2026-11-20 12:00 UTC"), (NOON_MS + 61_999, "2026-11-20 12:01:01 UTC"), (-1, "1969-12-31 23:59:59 UTC"),
])
def test_a_moment_is_told_to_the_minute_if_that_is_all(ms: int, told: str) -> None:
    assert explain.moment(ms) == told
