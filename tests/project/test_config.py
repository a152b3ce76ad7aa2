"""Settings: what a file may say, and what is said of one that is wrong."""
from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from offbeat import config
from offbeat.config import SECTIONS, Config, from_mapping, reloaded
from offbeat.errors import BadConfig

SETTINGS = [(section, f) for section, holder in SECTIONS.items() for f in fields(holder)]
NAMES = [f"{section}.{f.name}" for section, f in SETTINGS]


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "offbeat.toml"
    path.write_text(text)
    return config.load(path)


def refusal(tmp_path: Path, text: str) -> BadConfig:
    with pytest.raises(BadConfig) as refused:
        load(tmp_path, text)
    return refused.value


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "") == Config()


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    changed = load(tmp_path, "[http]\nport = 0\n[watch]\nbucket_span_s = 300\n")
    assert (changed.http.port, changed.watch.bucket_span_s) == (0, 300)
    assert changed.http.host == Config().http.host
    assert (changed.ingest, changed.engine, changed.store, changed.retention) == (
        Config().ingest, Config().engine, Config().store, Config().retention)


def test_sections_says_every_section_of_the_config() -> None:
    assert list(SECTIONS) == [f.name for f in fields(Config)]


@pytest.mark.parametrize(("section", "f"), SETTINGS, ids=NAMES)
def test_every_setting_says_why_it_is_there(section: str, f: object) -> None:
    assert f.metadata["why"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("section", "f"), SETTINGS, ids=NAMES)
def test_every_number_says_its_unit_or_is_a_port(section: str, f: object) -> None:
    is_number = f.type in ("int", "float")  # type: ignore[attr-defined]
    assert f.metadata["unit"] or not is_number or f.name == "port"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("text", "hint"), [
    ("[http]\nprot = 1\n", "did you mean http.port?"),
    ("[ingest]\nblock_byte = 1024\n", "did you mean ingest.block_bytes?"),
    ("[retention]\nreading_days = 1\n", "did you mean retention.readings_days?"),
    ("[htpp]\nport = 1\n", "did you mean http?"),
    ('[watch]\ndetector = "ewma"\n', "did you mean watch.model?"),
    ("[engine]\ndetector_modules = []\n", "did you mean engine.model_modules?"),
])
def test_an_unknown_setting_is_answered_with_the_one_that_was_meant(tmp_path: Path, text: str, hint: str) -> None:
    assert refusal(tmp_path, text).hint == hint


def test_a_setting_like_no_other_is_answered_with_the_list(tmp_path: Path) -> None:
    refused = refusal(tmp_path, "[watch]\nzzz = 1\n")
    assert refused.message == "watch.zzz is not a setting"
    assert refused.hint == "known here: bucket_span_s, latency_s, model, parameters, peer_groups"
    assert refused.where == {"setting": "watch.zzz"}


WRONG_TYPES = {
    "float": '"soon"', "int": "1.5", "bool": "1", "str": "7", "tuple[str, ...]": '"time"', "dict[str, Any]": "3"}


@pytest.mark.parametrize(("section", "f"), SETTINGS, ids=NAMES)
def test_every_setting_refuses_another_type_and_says_which_it_takes(tmp_path: Path, section: str, f: object) -> None:
    kind, name = str(f.type), f.name  # type: ignore[attr-defined]
    refused = refusal(tmp_path, f"[{section}]\n{name} = {WRONG_TYPES[kind]}\n")
    assert refused.message.startswith(f"{section}.{name} is ")
    assert refused.message.endswith(f": expected {config.KINDS[kind]}")
    assert refused.where == {"setting": f"{section}.{name}"}


@pytest.mark.parametrize("value", ["true", "false"])
def test_a_truth_value_is_no_number(tmp_path: Path, value: str) -> None:
    assert refusal(tmp_path, f"[http]\nport = {value}\n").message.endswith(": expected a whole number")
    assert refusal(tmp_path, f"[engine]\ntick_s = {value}\n").message.endswith(": expected a number")


def test_a_list_of_texts_holds_texts(tmp_path: Path) -> None:
    assert refusal(tmp_path, '[ingest]\ntime_fields = ["a", 1]\n').message.endswith(": expected a list of texts")


@pytest.mark.parametrize("name", ["time_fields", "source_fields"])
def test_events_need_some_name_for_their_time_and_source(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path, f"[ingest]\n{name} = []\n").message.endswith("is empty: expected at least one name")


def test_a_reload_changes_what_it_may_and_names_the_rest_whatever_the_command_line_said() -> None:
    before, after = from_mapping({}), from_mapping({"http": {"body_timeout_s": 5}, "ingest": {"block_bytes": 2048}})
    running = replace(before, http=replace(before.http, port=1))
    after_reload, waiting = reloaded(running, before, after)
    assert (after_reload.http.body_timeout_s, after_reload.http.port) == (5.0, 1)
    assert (after_reload.ingest, waiting) == (running.ingest, ("ingest.block_bytes",))


def test_a_whole_number_may_stand_for_a_number(tmp_path: Path) -> None:
    tick_s = load(tmp_path, "[engine]\ntick_s = 2\n").engine.tick_s
    assert (tick_s, type(tick_s)) == (2.0, float)


BOUNDS = [(section, f, end) for section, f in SETTINGS for end in ("low", "high") if f.metadata[end] is not None]


@pytest.mark.parametrize(("section", "f", "end"), BOUNDS, ids=[f"{s}.{f.name}-{e}" for s, f, e in BOUNDS])
def test_a_value_beyond_its_range_is_refused_and_the_bound_itself_is_taken(
    tmp_path: Path, section: str, f: object, end: str,
) -> None:
    bound, name = f.metadata[end], f.name  # type: ignore[attr-defined]
    beyond = bound - 1 if end == "low" else bound + 1
    assert getattr(getattr(load(tmp_path, f"[{section}]\n{name} = {bound}\n"), section), name) == bound
    refused = refusal(tmp_path, f"[{section}]\n{name} = {beyond}\n")
    assert f"it must be at {'least' if end == 'low' else 'most'} {bound}" in refused.message
    assert refused.where == {"setting": f"{section}.{name}"}


def test_a_section_must_be_a_table(tmp_path: Path) -> None:
    assert refusal(tmp_path, "http = 3\n").message == "http is 3: expected a table [http]"


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"cannot read the config file .*nowhere\.toml: No such file"):
        config.load(tmp_path / "nowhere.toml")


def test_a_file_that_is_no_toml_is_named_with_the_line(tmp_path: Path) -> None:
    assert "line 2" in refusal(tmp_path, "[http]\nport 7373\n").message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "offbeat.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadConfig, match="is not TOML"):
        config.load(tmp_path / "offbeat.toml")


def test_settings_cannot_change_while_the_daemon_runs() -> None:
    with pytest.raises(AttributeError):
        Config().http.port = 1  # type: ignore[misc]


SINK = '[alerts.sinks.it]\n'


@pytest.mark.parametrize(("text", "message"), [
    ('[alerts]\nsinks = { it = 3 }\n', "alerts.sinks.it is 3: expected a table [alerts.sinks.it]"),
    ('[alerts.sinks."a b"]\ntype = "command"\nargv = ["x"]\n',
     "alerts.sinks.a b is no name of a sink: expected 1 to 64 letters, digits, '_' or '-'"),
    (SINK, "alerts.sinks.it.type is None: expected webhook, alertmanager, email, command"),
    (f'{SINK}type = "pager"\n', "alerts.sinks.it.type is 'pager': expected webhook, alertmanager, email, command"),
    (f'{SINK}type = "webhook"\n', "alerts.sinks.it.url is missing"),
    (f'{SINK}type = "webhook"\nurl = "ftp://x"\n',
     "alerts.sinks.it.url is 'ftp://x': expected an address that begins with http:// or https://"),
    (f'{SINK}type = "webhook"\nurl = 3\n', "alerts.sinks.it.url is 3: expected a text"),
    (f'{SINK}type = "webhook"\nurl = "http://x"\ntimeout_s = 0\n',
     "alerts.sinks.it.timeout_s is 0.0: it must be at least 0.1"),
    (f'{SINK}type = "webhook"\nurl = "http://x"\nheaders = {{ a = 1 }}\n',
     "alerts.sinks.it.headers has a value that is no text"),
    (f'{SINK}type = "webhook"\nurl = "http://x"\ntoken = "a"\ntoken_env = "B"\n',
     "alerts.sinks.it.token is given twice"),
    (f'{SINK}type = "email"\nhost = "h"\nsender = "s"\n', "alerts.sinks.it.to is missing"),
    (f'{SINK}type = "email"\nhost = "h"\nsender = "s"\nto = ["t"]\nsecurity = "ssl"\n',
     "alerts.sinks.it.security is 'ssl': expected starttls, tls or none"),
    (f'{SINK}type = "command"\nargv = "x y"\n', "alerts.sinks.it.argv is 'x y': expected a list of texts"),
])
def test_a_sink_that_cannot_work_is_refused_by_its_setting(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text).message == message


def test_an_unknown_setting_of_a_sink_is_answered_with_the_one_that_was_meant(tmp_path: Path) -> None:
    refused = refusal(tmp_path, f'{SINK}type = "webhook"\nurll = "http://x"\n')
    assert (refused.message, refused.hint) == (
        "alerts.sinks.it.urll is not a setting", "did you mean alerts.sinks.it.url?")


def test_the_sinks_of_the_guide_are_good_and_every_setting_of_a_sink_is_in_the_docs(tmp_path: Path, top: Path) -> None:
    block = (top / "docs" / "alerts.md").read_text().split("```toml\n")[1].split("```")[0]
    found = config.sinks_of(load(tmp_path, block).alerts)
    assert [type(sink) for sink in found.values()] == list(config.SINKS.values())
    docs = (top / "docs" / "settings.md").read_text()
    for kind, holder in config.SINKS.items():
        table = docs.split(f'`[alerts.sinks.NAME]` with `type = "{kind}"`')[1].split("\n## ")[0]
        for f in fields(holder):
            assert f"| `{f.name}` |" in table
            assert f.metadata["why"]
