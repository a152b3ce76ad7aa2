"""What is said of measurements: medians, ratios by round, what is reached, one table joined from several commands."""
from __future__ import annotations

import math
from pathlib import Path

import pytest

import ingest
import peers
import speed
from common import verdict
from common.verdict import LEAST, MOST, Row


def row(*values: float, bound: str = LEAST, target: float = 1.0) -> Row:
    return Row("what", "against", values, "×", bound, target, "told")


def test_the_median_of_the_rounds_counts_not_the_best_of_them() -> None:
    assert not row(0.9, 5.0, 0.8).reached
    assert row(1.0, 0.2, 1.1).reached
    assert row(0.9, 5.0, 0.8).value == 0.9


def test_a_target_that_is_just_met_is_reached_in_both_directions() -> None:
    assert row(1.0).reached and row(1.0, bound=MOST).reached
    assert not row(1.01, bound=MOST).reached


@pytest.mark.parametrize("bound", [LEAST, MOST])
def test_what_is_not_a_number_reaches_nothing(bound: str) -> None:
    assert not row(math.nan, bound=bound).reached


def test_a_ratio_is_of_one_round_and_rounds_must_match() -> None:
    assert verdict.ratios([2.0, 9.0], [1.0, 3.0]) == (2.0, 3.0)
    with pytest.raises(ValueError, match="shorter"):
        verdict.ratios([2.0, 9.0], [1.0])


def test_the_table_says_median_spread_target_and_whether_it_is_reached() -> None:
    lines = verdict.rows_table([row(0.5, 0.4, 0.75), row(3.0, bound=MOST, target=20.0)]).splitlines()
    first, second = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:])
    assert first == ["what", "against", "0.500 ×", "0.400–0.750", "≥ 1 ×", "**no**", "3", "told"]
    assert second[2:7] == ["3.00 ×", "3.00–3.00", "≤ 20 ×", "yes", "1"]


def test_rows_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    rows = [row(1.0, 2.0), row(3.5, bound=MOST)]
    verdict.keep(tmp_path / "a.json", rows, {"date": "today"})
    assert verdict.kept(tmp_path / "a.json") == (rows, {"date": "today"})


def test_commands_are_joined_in_order_under_the_machine_of_the_first(tmp_path: Path) -> None:
    verdict.keep(tmp_path / "a.json", [row(1.0)], {"date": "noon", "peers": "two"})
    verdict.keep(tmp_path / "b.json", [row(2.0)], {"date": "later", "rate by series": "flat"})
    rows, facts = speed.joined([tmp_path / "a.json", tmp_path / "b.json"])
    assert [one.value for one in rows] == [1.0, 2.0]
    assert list(facts.items()) == [("date", "noon"), ("peers", "two"), ("rate by series", "flat")]


def test_every_command_takes_the_options_that_are_passed_on(tmp_path: Path) -> None:
    given = speed.passed_on(speed.arguments(["--quick", "--rounds", "3", "--seed", "7"]), tmp_path / "rows.json")
    options = speed.command.parser("", ["a"]).parse_args(given)
    assert (options.quick, options.rounds, options.seed, options.json) == (True, 3, 7, tmp_path / "rows.json")
    assert "--rounds" not in speed.passed_on(speed.arguments([]), tmp_path / "rows.json")


def test_a_command_that_fails_ends_the_whole_and_leaves_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "peers.py").write_text("raise SystemExit(3)")
    monkeypatch.setattr(speed.command, "HERE", tmp_path)
    with pytest.raises(SystemExit) as ended:
        speed.main(["--only", "peers", "--markdown", str(tmp_path / "speed.md")])
    assert ended.value.code == 3
    assert not (tmp_path / "speed.md").exists()


def measured(form: str, body_events: int, rate: float, baseline: float, number: int) -> ingest.Measured:
    cell = ingest.Cell(form, body_events, 4)
    return ingest.Measured(cell, number, 0, 0.0, rate, rate, baseline, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0)


def test_decoding_is_compared_with_the_loop_beside_it_and_small_bodies_with_large_ones_of_their_round() -> None:
    large = [measured("ndjson", 5_000, 4e5, 1e6, 0), measured("csv", 5_000, 6e5, 5e5, 0),
             measured("ndjson", 5_000, 9e5, 1e6, 1), measured("csv", 5_000, 6e5, 6e5, 1)]
    small = [measured("ndjson", 100, 1e5, 1e6, 0), measured("ndjson", 5_000, 4e5, 1e6, 0),
             measured("ndjson", 100, 3e5, 1e6, 1), measured("ndjson", 5_000, 4e5, 1e6, 1)]
    ndjson, csv, bodies = peers.decoding_rows(large, small)
    assert ndjson.values == (0.4, 0.9) and csv.values == (1.2, 1.0) and bodies.values == (0.25, 0.75)
    assert (ndjson.target, csv.target, bodies.target) == (0.8, 1.2, 0.5)


def test_a_database_stands_beside_the_daemon_in_the_same_round() -> None:
    found = peers.database_row("VictoriaMetrics", [1e6, 3e6, 2e6], [2e6, 2e6, 2e6], 1.0)
    assert found.values == (0.5, 1.5, 1.0) and found.reached
    assert found.told == "2 M against 2 M events/s"
