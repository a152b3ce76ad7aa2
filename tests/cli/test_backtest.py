"""``offbeat backtest``: what it prints, its exit statuses for pipelines, its refusals, and how it ends."""
from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from offbeat.cli.backtest import status
from offbeat.cli.exits import Status

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000
AGAINST = ("--model", "ewma", "--against-model", "ewma")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of three pumps, a reading each 30 s, with faults of all sizes."""
    rng = random.Random(2)
    lines = ["source,time,flow"]
    for step in range(2880):
        for pump in range(3):
            fault = rng.choice([5, 7, 10, 20]) if rng.random() < 0.003 else 0
            lines.append(f"pump-{pump},{START_MS + 30_000 * step},{rng.gauss(40, 1) + fault:.3f}")
    path = tmp_path_factory.mktemp("file") / "pumps.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_same_model_over_a_file_keeps_everything(offbeat, file):
    ran = offbeat("backtest", file, *AGAINST, "--workers", 2, "--exit-code", "--max-new", 0)
    assert (ran.status, ran.err) == (0, "")
    first, rates, run, note = ran.out.splitlines()
    assert " kept (all exactly), 0 moved, 0 gone, 0 new: " in first
    assert rates.startswith("findings per series and week: ") and rates.endswith("(score 10 and more)")
    assert run.startswith("8,640 readings of 3 series, 2023-11-14T22:13:20.000Z to 2023-11-15T22:12:50.000Z, in ")
    assert note == "note: the lines are run in their order, as if they were sent; silence is not looked at"


def test_what_differs_is_a_table_with_a_reason_a_line_and_the_status_says_so(offbeat, file):
    change = ("--parameter", "warmup_readings=1500")
    ran = offbeat("backtest", file, *AGAINST, *change, "--workers", 1, "--fail-on", "gone")
    assert ran.status == Status.DIFFERENT
    heading, *lines = ran.out.splitlines()
    assert heading.split("\t") == ["change", "time", "source", "field", "was", "is", "reason"]
    rows = [line.split("\t") for line in lines if "\t" in line]
    gone = [row for row in rows if row[0] == "gone"]
    assert gone and all(row[6] == "the candidate has no opinion there yet: it is warming up" for row in gone[:3])
    assert all(row[4] and not row[5] for row in gone)


def test_json_is_one_document_and_jsonl_a_line_a_difference_with_the_sums_last(offbeat, file):
    change = ("--parameter", "half_life_readings=5", "--show", "kept,moved,gone,new")
    arguments = ("backtest", file, *AGAINST, *change, "--workers", 1)
    whole = json.loads(offbeat(*arguments, "--json").out)
    *rows, last = map(json.loads, offbeat(*arguments, "--jsonl").out.splitlines())
    assert whole["differences"] == rows
    for name in ("counts", "baseline", "candidate", "readings", "findings_per_series_and_week", "score_min"):
        assert whole[name] == last["summary"][name]
    assert whole["candidate"] == {"model": "ewma", "parameters": {"half_life_readings": 5}, "bucket_span_s": 60}
    assert whole["baseline"] == {"model": "ewma", "parameters": {}, "bucket_span_s": 60, "findings": "rerun"}
    assert {kind: sum(row["change"] == kind for row in rows) for kind in ("kept", "moved", "gone", "new")} == {
        kind: count for kind, count in whole["counts"].items() if kind != "kept_unchanged"
    }
    row = next(row for row in rows if row["change"] == "kept")
    assert row["baseline"]["time"] == row["candidate"]["time"] == row["time"]
    assert row["candidate"].keys() == {
        "time", "bucket_start", "score", "novelty", "actual", "typical", "lower", "upper",
    }


@pytest.mark.parametrize(
    ("counts", "options", "expected"),
    [
        ((5, 0, 0, 0), (True, ("moved", "gone", "new"), 0, 0), Status.GOOD),
        ((5, 2, 1, 1), (False, (), None, None), Status.GOOD),
        ((5, 1, 0, 0), (True, (), None, None), Status.DIFFERENT),
        ((5, 1, 0, 0), (False, ("gone", "new"), None, None), Status.GOOD),
        ((5, 0, 0, 1), (False, ("gone", "new"), None, None), Status.DIFFERENT),
        ((5, 0, 0, 1), (False, ("kept",), None, None), Status.DIFFERENT),
        ((5, 0, 2, 3), (False, (), 3, 2), Status.GOOD),
        ((5, 0, 2, 3), (False, (), 2, None), Status.DIFFERENT),
        ((5, 0, 2, 3), (False, (), None, 1), Status.DIFFERENT),
    ],
)
def test_a_pipeline_chooses_what_makes_the_status_7(counts, options, expected):
    assert status(dict(zip(("kept", "moved", "gone", "new"), counts, strict=True)), *options) == expected


@pytest.mark.parametrize(
    ("arguments", "expected", "said"),
    [
        (["--parameter", "half_life=5"], 2, "parameters do not fit ewma"),
        (["--parameter", "half_life_readings"], 2, "'half_life_readings' is no parameter: expected NAME=VALUE"),
        (["--parameter", "half_life_readings=soon"], 2, "parameters do not fit ewma"),
        (["--model", "nothing"], 2, "there is no model 'nothing'"),
        (["--bucket-span", "0"], 2, "bucket_span_s is 0"),
        (["--start", "yesterday"], 2, "--start is 'yesterday': expected ISO 8601"),
        (["--start", "2026-01-02", "--end", "2026-01-01"], 2, "the end is not after the start"),
        (["--fail-on", "gone,lost"], 2, "'lost' is none of kept, moved, gone, new"),
        (["--against", "stored"], 2, "--against stored is of stored readings, not of a file"),
        (["--job", "watch"], 2, "--job is of stored readings, not of a file"),
        (["--delimiter", "long"], 2, "delimiter"),
        (["--config", "/none.toml"], 2, "cannot read the config file /none.toml"),
        (["--source", "nobody", "--workers", "1"], 2, "no reading in "),
    ],
)
def test_a_wrong_argument_is_told_with_status_2(offbeat, file, arguments, expected, said):
    ran = offbeat("backtest", file, *(() if "--against" in arguments else AGAINST), *arguments)
    assert (ran.status, ran.out) == (expected, "")
    assert said in ran.err


@pytest.mark.parametrize(
    ("arguments", "expected", "said"),
    [
        (["--state-dir", "{tmp}"], 4, "holds no offbeat.sqlite"),
        (["{tmp}/none.csv"], 2, "none.csv is not there"),
        (["{tmp}/odd.bin"], 2, "the format of "),
        (["--state-dir", "{tmp}", "--format", "csv"], 2, "--format is of a file, and none is named"),
        (["--state-dir", "{tmp}", "--time-field", "t"], 2, "--time-field is of a file, and none is named"),
        (["--state-dir", "{tmp}", "--against", "stored", "--against-model", "ewma"], 2, "another model must be run"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_usual_status(offbeat, tmp_path, arguments, expected, said):
    (tmp_path / "odd.bin").write_bytes(b"\0\1\2")
    ran = offbeat("backtest", *(argument.replace("{tmp}", str(tmp_path)) for argument in arguments))
    assert (ran.status, ran.out) == (expected, "")
    assert said in ran.err


def test_the_settings_of_a_daemon_are_the_baseline_of_a_file(offbeat, file, tmp_path):
    config = tmp_path / "offbeat.toml"
    config.write_text('[watch]\nmodel = "ewma"\nparameters = { warmup_readings = 1500 }\n')
    arguments = ("backtest", file, "--workers", 1, "--json", "--config", config)
    document = json.loads(offbeat(*arguments, "--model", "ewma", "--parameter", "warmup_readings=30").out)
    assert document["baseline"]["parameters"] == {"warmup_readings": 1500}
    assert document["counts"]["new"] > 0
    reasons = {row["reason"] for row in document["differences"] if row["change"] == "new"}
    assert "the baseline has no opinion there yet: it is warming up" in reasons


def test_ctrl_c_ends_it_with_status_130_and_leaves_no_process(file, tmp_path):
    begun, never = tmp_path / "begun", tmp_path / "never"
    os.mkfifo(begun)
    os.mkfifo(never)
    command = [
        sys.executable, "-m", "offbeat", "backtest", str(file), "--workers", "1",
        "--model", "tests.backtest.work:Waiting", "--parameter", f"begun={begun}", "--parameter", f"never={never}",
    ]
    top = Path(__file__).parents[2]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=top,
        env={**os.environ, "PYTHONPATH": str(top)},
    ) as process:
        worker = psutil.Process(int(begun.read_text()))  # waits until it is at work
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "offbeat: interrupted\n")
    assert not worker.is_running()
