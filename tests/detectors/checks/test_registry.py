"""Checks by name."""
from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from offbeat_detectors.checks import outcomes, registry
from offbeat_detectors.checks.contract import Check, Status
from offbeat_detectors.checks.gap import Gap
from offbeat_detectors.checks.parameters import BadParameters, UnknownCheck
from offbeat_detectors.checks.range import Range
from offbeat_detectors.checks.trying import readings
from tests.detectors.checks.said import minutes

PLUGINS = "tests.detectors.checks.plugins"


def test_a_plain_name_is_a_built_in_check() -> None:
    assert isinstance(registry.create("range", {"max": 3}), Range)
    assert isinstance(registry.create("range", {"max": 3}), Check)


def test_other_words_lead_to_the_same_checks() -> None:
    assert isinstance(registry.create("stale", {"max_age": 3}), Gap)
    assert [(info.kind, info.also) for info in registry.kinds() if info.also] == [
        ("disagreement", ("agreement",)), ("gap", ("stale",)), ("stuck", ("flat",))]


def test_kinds_tell_what_a_form_needs() -> None:
    kinds = {info.kind: info for info in registry.kinds()}
    assert set(registry.BUILT_IN) <= set(kinds)
    assert (kinds["disagreement"].columns_min, kinds["disagreement"].columns_max) == (2, 64)
    assert kinds["range"].origin == "built-in"
    for info in kinds.values():
        assert info.about.endswith(".")
        assert info.parameters is not None
        assert all(each.about for each in info.parameters)


def test_a_built_in_check_is_listed_as_an_entry_point_like_those_of_others() -> None:
    points = metadata.distribution("offbeat").entry_points.select(group="offbeat.checks")
    assert {point.name: point.load() for point in points} == {"range": Range}
    assert registry.broken() == ()


def test_any_check_is_named_by_its_path() -> None:
    data = readings(minutes(3), [1.0, 2.0, 30.0])
    even = registry.create(f"{PLUGINS}:Even", {})
    warm = registry.create(f"{PLUGINS}:warm", {"max": 25})
    assert [outcomes.run(even, data), outcomes.run(warm, data)] == [
        outcomes.Outcome(Status.RED, "judged"), outcomes.Outcome(Status.RED, "judged", "hot")]
    assert even.needs == warm.needs == registry.Needs()


def test_a_function_says_what_it_needs_by_attributes() -> None:
    assert registry.create(f"{PLUGINS}:pair", {}).needs.columns_min == 2
    with pytest.raises(BadParameters, match="there is no parameter 'max'"):
        registry.create(f"{PLUGINS}:pair", {"max": 1})


def test_only_modules_that_may_be_named_are_imported() -> None:
    registry.create(f"{PLUGINS}:Even", {}, modules=[PLUGINS])
    with pytest.raises(UnknownCheck, match="antigravity may not be named"):
        registry.create("antigravity:fly", {}, modules=[PLUGINS])
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("kind", [
    "nothing", "", ":", "no.such.module:Class", f"{PLUGINS}:Nothing", "subprocess:Popen", f"{PLUGINS}:not_a_check",
    f"{PLUGINS}:Status", f"{PLUGINS}:Misdeclared",
])
def test_what_is_no_check_is_refused_with_a_hint_and_never_called(kind: str) -> None:
    with pytest.raises(UnknownCheck) as refused:
        registry.create(kind, {})
    assert refused.value.message
    assert refused.value.hint


def test_a_name_that_is_nearly_one_is_told_which() -> None:
    with pytest.raises(UnknownCheck) as refused:
        registry.create("rangs", {})
    assert refused.value.hint == "did you mean range?"


def test_parameters_are_checked_by_their_declaration_and_by_the_check_itself() -> None:
    for parameters, said in (({"maxi": 3}, "range: there is no parameter 'maxi'"),
                             ({"max": 3, "yellow_max": 4}, "range: yellow_max is 4")):
        with pytest.raises(BadParameters, match=said) as refused:
            registry.create("range", parameters)
        assert refused.value.parameter in parameters


def test_a_check_whose_constructor_fails_is_refused() -> None:
    with pytest.raises(BadParameters, match="Refusing: KeyError: 'depth'"):
        registry.create(f"{PLUGINS}:Refusing", {})


def test_a_check_of_an_installed_distribution_has_the_name_of_its_entry_point_and_a_broken_one_is_told(
    tmp_path: Path,
) -> None:
    (tmp_path / "tides.py").write_text(
        "from offbeat_detectors.checks.contract import Status\n"
        "def high(data, parameters):\n    'The tide is high.'\n    return Status.YELLOW\n")
    info = tmp_path / "tides-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tides\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[offbeat.checks]\ntide = tides:high\nebb = tides:low\nrange = tides:high\nstale = tides:high\n")
    code = ("from offbeat_detectors.checks import registry\n"
            "print(*[(i.kind, i.about) for i in registry.kinds() if i.origin == 'plug-in'])\n"
            "print(registry.create('tide', {}).run(None).name)\n"
            "print(*sorted(b.where for b in registry.broken()), sep='; ')")
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, text=True,
                         capture_output=True, timeout=100)
    assert run.stderr == ""
    assert run.stdout.splitlines() == [
        "('tide', 'The tide is high.')", "YELLOW",
        "entry point ebb = tides:low; entry point range = tides:high; entry point stale = tides:high"]


def test_checks_are_made_without_a_compiler() -> None:
    code = "import sys; from offbeat_detectors.checks import registry, outcomes; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=100).returncode == 0
