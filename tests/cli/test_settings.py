"""Settings on the command line and as text: what serve runs with, what check-config says, the sample file."""
from __future__ import annotations

import tomllib
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat.cli.sample import sample_toml, settings_table, toml_value
from offbeat.cli.serve import place_compiled_code, settings
from offbeat.config import SECTIONS, Config, from_mapping, load

NAMES = [f"{section}.{f.name}" for section, holder in SECTIONS.items() for f in fields(holder)]


def test_options_override_the_file_and_the_file_the_defaults(tmp_path):
    file = tmp_path / "offbeat.toml"
    file.write_text('[http]\nhost = "0.0.0.0"\nport = 8000\n[engine]\nseries_max = 5\n')
    config = settings(file, host=None, port=9000, state_dir="/tmp/x")
    assert (config.http.host, config.http.port, config.store.state_dir, config.engine.series_max) == (
        "0.0.0.0",
        9000,
        "/tmp/x",
        5,
    )
    assert settings(None, host=None, port=None, state_dir=None) == Config()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "70000"], "http.port is 70000: it must be at most 65535"),
        (["--port", "many"], "Invalid value for '--port'"),
        (
            ["--config", "/none/offbeat.toml"],
            "cannot read the config file /none/offbeat.toml: No such file or directory",
        ),
    ],
)
def test_a_setting_that_is_wrong_stops_serve_with_status_2(offbeat, arguments, said):
    ran = offbeat("serve", *arguments)
    assert ran.status == 2
    assert said in ran.err


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"CACHE_DIRECTORY": "/var/cache/offbeat"}, "/var/cache/offbeat"),
        ({"CACHE_DIRECTORY": "/var/cache/offbeat:/var/cache/other"}, "/var/cache/offbeat"),
        ({"CACHE_DIRECTORY": "/var/cache/offbeat", "NUMBA_CACHE_DIR": "/mine"}, "/mine"),
        ({}, None),
    ],
)
def test_compiled_code_goes_where_the_service_manager_says_unless_it_is_told_already(environment, expected):
    place_compiled_code(environment)
    assert environment.get("NUMBA_CACHE_DIR") == expected


def test_check_config_says_that_a_file_is_good(offbeat, tmp_path):
    file = tmp_path / "offbeat.toml"
    file.write_text("[http]\nport = 1\n")
    ran = offbeat("check-config", file)
    assert (ran.status, ran.out) == (0, f"{file} is good\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[http]\nporty = 1\n", "offbeat: http.porty is not a setting\n  hint: did you mean http.port?\n"),
        ("[http]\nport = -1\n", "offbeat: http.port is -1: it must be at least 0\n"),
        ("[http]\nport = true\n", "offbeat: http.port is True: expected a whole number\n"),
        ("[http\n", "offbeat: {file} is not TOML: "),
    ],
)
def test_check_config_says_what_is_wrong(offbeat, tmp_path, text, said):
    file = tmp_path / "offbeat.toml"
    file.write_text(text)
    ran = offbeat("check-config", file)
    assert ran.status == 2
    assert ran.err.startswith(said.format(file=file))


def test_the_settings_in_force_are_a_file_that_gives_them_again(offbeat, tmp_path):
    file = tmp_path / "offbeat.toml"
    file.write_text(
        '[watch]\nbucket_span_s = 300\nparameters = { alpha = 0.1, "odd name" = "x" }\n'
        '[ingest]\ntime_fields = ["wann"]\n'
    )
    printed = tmp_path / "printed.toml"
    printed.write_text(offbeat("check-config", file, "--print").out)
    assert load(printed) == load(file)
    assert load(printed).watch.parameters == {"alpha": 0.1, "odd name": "x"}


def test_the_sample_names_every_setting_at_its_default_commented_out():
    sample = sample_toml()
    assert from_mapping(tomllib.loads(sample)) == Config()
    uncommented = "\n".join(
        line.removeprefix("#") if line.startswith("#") and line[1:2].isalpha() else line for line in sample.splitlines()
    )
    document = tomllib.loads(uncommented)
    assert [f"{section}.{name}" for section, values in document.items() for name in values] == NAMES
    assert from_mapping(document) == Config()
    assert max(map(len, sample.splitlines())) <= 140


def test_the_sample_says_unit_reason_and_range():
    joined = " ".join(line.removeprefix("# ") for line in sample_toml().splitlines())
    assert "how often silence is looked at (seconds; at least 0.05)" in joined
    assert "0 takes any free port; the ready line names it (a whole number; 0 to 65535)" in joined


def test_the_table_has_a_row_for_every_setting():
    table = settings_table()
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| `")]
    assert rows == [f"`{name}`" for name in NAMES]
    assert all(line.count(" | ") == 5 for line in table.splitlines() if line.startswith("| `"))


@given(
    st.recursive(
        st.text(st.characters(exclude_categories=["Cs"]))
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
        ),
    )
)
def test_any_value_survives_toml(value):
    assert tomllib.loads(f"v = {toml_value(value)}\n")["v"] == value
