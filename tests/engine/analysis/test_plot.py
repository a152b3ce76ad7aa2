"""The model plot: of each bucket and entity the band that was expected, and what came."""

from __future__ import annotations

from dataclasses import replace

import pytest

from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.plotting import POINTS_MAX
from offbeat.engine.analysis.results import PlotPoint
from offbeat.engine.analysis.spec import DetectorSpec, ModelPlot
from offbeat.store.analyses import spec_json
from offbeat.store.analyses import spec_of as read_spec
from tests.engine.analysis.logs import SPAN_S, START_MS, Row, analysed, calm, spec_of

MEAN = DetectorSpec("mean", "value", by="host")
ROWS = calm(4_000, 3)


def points(plot: ModelPlot, *detectors: DetectorSpec) -> list[PlotPoint]:
    """The points of all buckets."""
    found = analysed(Analysis(spec_of(*detectors, model_plot=plot)), ROWS)
    return [point for one in found if one.plot is not None for point in one.plot.points]


def test_the_plot_tells_of_every_entity_what_was_expected_and_what_came() -> None:
    analysis = Analysis(spec_of(replace(MEAN, partition="user"), model_plot=ModelPlot(98.0)))
    found = analysed(analysis, ROWS)
    assert [one.plot.points for one in found[:5] if one.plot is not None] == [()] * 5  # nothing is expected yet
    plot = found[-1].plot
    assert plot is not None
    assert {(one.partition, one.by, one.over) for one in plot.points} <= {
        (user, f"host-{host}", None) for user in ("ann", "bob", "eve") for host in "abcd"
    }
    assert len(plot.points) > 6
    for point in plot.points:
        assert (point.detector, point.feature) == (0, "mean")
        assert point.lower < point.typical < point.upper
    every = [point for one in found[20:] if one.plot is not None for point in one.plot.points]
    within = sum(one.lower <= one.actual <= one.upper for one in every) / len(every)
    assert 0.95 <= within <= 1.0


@pytest.mark.parametrize(("percentile", "expected"), [(50.0, 0.5), (80.0, 0.8), (98.0, 0.98), (100.0, 1.0)])
def test_so_many_percent_lie_within_the_band(percentile: float, expected: float) -> None:
    every = points(ModelPlot(percentile), MEAN, DetectorSpec("count", by="host"))[160:]
    within = sum(one.lower <= one.actual <= one.upper for one in every) / len(every)
    assert within == pytest.approx(expected, abs=0.1)
    assert all(one.lower >= 0.0 for one in every if one.detector == 1)


def test_terms_choose_the_entities() -> None:
    of_one = points(ModelPlot(terms=("host-b",)), replace(MEAN, partition="user"))
    of_both = points(ModelPlot(terms=("host-b", "eve")), replace(MEAN, partition="user"))
    assert {one.by for one in of_one} == {"host-b"}
    assert {one.by for one in of_both if one.partition != "eve"} == {"host-b"}
    assert {one.by for one in of_both if one.partition == "eve"} == {f"host-{host}" for host in "abcd"}


def test_members_of_a_population_and_all_measures_have_points_and_what_has_no_band_has_none() -> None:
    over = points(ModelPlot(), DetectorSpec("max", "value", over="user"))
    assert {one.over for one in over} == {"ann", "bob", "eve"}
    assert {one.feature for one in points(ModelPlot(), DetectorSpec("metric", "value"))} == {"mean", "min", "max"}
    assert points(ModelPlot(), DetectorSpec("rare", by="word"), DetectorSpec("time_of_day")) == []


def test_points_beyond_the_limit_are_counted() -> None:
    rows: list[tuple[int, Row]] = [
        (START_MS + bucket * 1000 * SPAN_S, {"host": f"host-{i}", "value": str(i % 7 + bucket % 3)})
        for bucket in range(8)
        for i in range(POINTS_MAX + 20)
    ]
    found = analysed(Analysis(spec_of(MEAN, model_plot=ModelPlot())), rows)
    assert [(len(one.plot.points), one.plot.left_out) for one in found[-2:] if one.plot] == [(POINTS_MAX, 20)] * 2


def test_interim_results_and_jobs_that_do_not_ask_have_no_plot() -> None:
    asked, plain = Analysis(spec_of(MEAN, model_plot=ModelPlot(days=2.0))), Analysis(spec_of(MEAN))
    (last, *_) = reversed(analysed(asked, ROWS))
    assert last.plot is not None
    assert last.plot.oldest_ms == last.start_ms - 2 * 86_400_000
    assert [one.plot for one in asked.interim(None, None)] == [None]
    assert {one.plot for one in analysed(plain, ROWS)} == {None}
    assert asked.save().keys() == plain.save().keys()  # it is no state


def test_a_plot_is_asked_for_as_it_was_written_and_refused_where_it_cannot_be() -> None:
    spec = spec_of(MEAN, model_plot=ModelPlot(75.5, ("a", "b"), 3.0))
    assert read_spec(spec_json(spec)) == spec
    for wrong in ({"percentile": 101.0}, {"percentile": float("nan")}, {"days": 0.0}):
        with pytest.raises(ValueError, match="expected"):
            ModelPlot(**wrong)
