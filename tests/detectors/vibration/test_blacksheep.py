"""Planted members that are unlike the others are found, in their order; a population of alike ones has none."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat_detectors.vibration.blacksheep import population, rarest
from offbeat_detectors.vibration.measurements import (
    DoesNotFit,
    Series,
    Table,
    TooFew,
    Unsuitable,
    Waveforms,
    WrongParameter,
)
from tests.detectors.vibration import machines


def member(modes: list[int], seed: int) -> Waveforms:
    return Waveforms(machines.waveforms(modes, seed), np.ones(len(modes)), 1000 * np.arange(len(modes)))


def flock(count: int, modes: list[int] | None = None) -> dict[str, Series]:
    return {f"pump-{at}": member(modes or [0] * 15 + [1] * 10, at) for at in range(count)}


def test_the_member_that_behaves_as_no_other_is_found_with_the_time_when_it_does() -> None:
    sources = {**flock(6), "odd": member([0] * 15 + [1] * 4 + [2] * 6, 77)}
    found = population(sources, {})
    assert [one.source for one in found.atypical] == ["odd"]
    odd = found.atypical[0]
    assert odd.atypical.tolist() == [False] * 19 + [True] * 6
    assert odd.labels.tolist() == [0] * 15 + [1] * 4 + [2] * 6
    assert odd.timestamps.tolist() == [1000 * at for at in range(25)]
    assert odd.score[-1] > 0.9 > odd.score[-7]
    assert found.atypical_modes == (2,)
    np.testing.assert_allclose(found.shares, np.array([105, 64, 6]) / 175)
    assert [one.source for one in found.members] == list(sources)


def test_alike_members_are_no_black_sheep() -> None:
    assert population(flock(5), {}).atypical == ()
    assert population(flock(5, [0] * 25), {}).atypical == ()


def test_the_order_is_by_the_rarest_mode_then_by_how_often_then_as_asked() -> None:
    sources = {
        "few": member([0] * 22 + [2] * 3, 90),
        **flock(8),
        "more": member([0] * 18 + [2] * 7, 91),
        "rarest": member([0] * 20 + [3] * 5, 92),
        "as few": member([0] * 22 + [2] * 3, 93),
    }
    found = population(sources, {"atypical_threshold": 0.1})
    assert [one.source for one in found.atypical] == ["rarest", "more", "few", "as few"]


def test_the_threshold_is_how_much_of_the_population_may_be_atypical() -> None:
    sources = {**flock(6), "odd": member([0] * 15 + [1] * 4 + [2] * 6, 77)}
    assert population(sources, {"atypical_threshold": 0.03}).atypical == ()
    assert population(sources, {"atypical_threshold": 6 / 175}).atypical_modes == (2,)
    assert len(population(sources, {"atypical_threshold": 1.0}).atypical) == 7


def test_shares_are_summed_from_the_rarest_on() -> None:
    assert rarest(np.array([80, 11, 2, 7]), 0.1) == [2, 3]
    assert rarest(np.array([80, 11, 2, 7]), 0.08) == [2]
    assert rarest(np.array([100]), 0.05) == []


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 50))
def test_who_is_atypical_does_not_depend_on_the_order_of_the_members(seed: int) -> None:
    sources = {**flock(5), "odd": member([0] * 15 + [1] * 4 + [2] * 6, 77)}
    order = np.random.default_rng(seed).permutation(list(sources)).tolist()
    found = population({name: sources[name] for name in order}, {})
    assert [(one.source, int(one.atypical.sum())) for one in found.atypical] == [("odd", 6)]
    assert found.members[0].labels[0] == 0


def test_equal_populations_give_equal_answers() -> None:
    first, again = (population(flock(3), {"seed": 3}) for _ in range(2))
    for one, other in zip(first.members, again.members, strict=True):
        np.testing.assert_array_equal(one.labels, other.labels)
    assert first.parameters == {"atypical_threshold": 0.05, "n_trials": 10, "seed": 3}


def test_tables_have_black_sheep_too() -> None:
    sources: dict[str, Series] = {
        name: Table(machines.table(modes, seed), np.arange(25))
        for seed, (name, modes) in enumerate([("a", [0] * 25), ("b", [0] * 25), ("c", [0] * 20 + [1] * 5)])}
    found = population(sources, {"atypical_threshold": 0.07})
    assert [(one.source, one.atypical.tolist()) for one in found.atypical] == [("c", [False] * 20 + [True] * 5)]


def test_what_is_no_population_is_refused_in_words() -> None:
    with pytest.raises(TooFew, match="at least one source"):
        population({}, {})
    with pytest.raises(TooFew, match="short: expected at least 20 measurements in the window, not 19"):
        population({**flock(1), "short": member([0] * 19, 1)}, {})
    with pytest.raises(DoesNotFit, match="one kind of measurements, not tabular and waveform"):
        population({**flock(1), "t": Table(np.ones((20, 1)), np.arange(20))}, {})
    with pytest.raises(DoesNotFit, match="expected 1 columns, not 1 and 2"):
        population({"a": Table(np.ones((20, 1)), np.arange(20)), "b": Table(np.ones((20, 2)), np.arange(20))}, {})
    with pytest.raises(WrongParameter, match="atypical_threshold"):
        population(flock(1), {"atypical_threshold": 1.5})
    with pytest.raises(Unsuitable, match="of all sources"):
        population({name: Table(np.ones((60_000, 1)), np.arange(60_000)) for name in "ab"}, {})
