"""What is in deploy/ works: the units, the container file, the install script."""
from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from offbeat.cli.serve import serve
from offbeat.config import Config

EXPOSURE_MAX = 2.0
"""Of 10, as `systemd-analyze security` counts; below 3 it says OK."""

needs_systemd_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [str(part) for part in command], **{"capture_output": True, "text": True, "timeout": 60, **options})


@pytest.fixture
def units(top: Path, tmp_path: Path) -> list[Path]:
    """The units, with a program that exists here in the place of the installed one."""
    copies = []
    for name in ("offbeat.service", "offbeat.socket"):
        text = (top / "deploy" / name).read_text()
        copies.append(tmp_path / name)
        copies[-1].write_text(text.replace("/opt/offbeat/bin/offbeat", os.path.realpath(sys.executable)))
    return copies


def setting(unit: str, name: str) -> str:
    return re.findall(rf"^{name}=(.*)$", unit, flags=re.MULTILINE)[-1]


@needs_systemd_analyze
def test_systemd_finds_nothing_wrong_with_the_units(units: list[Path]) -> None:
    verified = run("systemd-analyze", "verify", *units)
    assert (verified.returncode, verified.stderr) == (0, "")


@needs_systemd_analyze
def test_the_service_is_little_exposed(units: list[Path]) -> None:
    rated = run("systemd-analyze", "security", "--offline=true", "--no-pager", units[0])
    found = re.search(r"Overall exposure level for offbeat\.service: ([\d.]+)", rated.stdout)
    assert found, rated.stdout + rated.stderr
    assert float(found[1]) <= EXPOSURE_MAX


def test_compiled_code_may_run_under_the_service(top: Path) -> None:
    unit = (top / "deploy" / "offbeat.service").read_text()
    assert setting(unit, "MemoryDenyWriteExecute") == "no"
    assert "NUMBA_CACHE_DIR=%C/offbeat" in setting(unit, "Environment")


def test_every_hardening_line_says_why(top: Path) -> None:
    lines = (top / "deploy" / "offbeat.service").read_text().splitlines()
    in_service = lines[lines.index("[Service]") + 1 : lines.index("[Install]")]
    for paragraph in "\n".join(in_service).split("\n\n"):
        assert paragraph.lstrip().startswith("#") or paragraph.startswith("DynamicUser"), paragraph


def test_the_service_starts_with_options_that_the_program_has(top: Path) -> None:
    program, command, *options = shlex.split(setting((top / "deploy" / "offbeat.service").read_text(), "ExecStart"))
    assert (program, command) == ("/opt/offbeat/bin/offbeat", "serve")
    context = serve.make_context("serve", options)
    assert context.params["config_path"] == Path("/etc/offbeat/offbeat.toml")
    assert context.params["state_dir"] == "/var/lib/offbeat"


def test_the_socket_is_where_the_daemon_listens_by_default(top: Path) -> None:
    unit = (top / "deploy" / "offbeat.socket").read_text()
    assert setting(unit, "ListenStream") == f"{Config().http.host}:{Config().http.port}"


@pytest.fixture
def dockerfile(top: Path) -> str:
    return (top / "deploy" / "Dockerfile").read_text()


def test_the_container_runs_as_nobody_in_particular_and_says_how_it_is(dockerfile: str) -> None:
    last_stage = dockerfile[dockerfile.rindex("\nFROM ") :]
    user = re.search(r"^USER (\d+):(\d+)$", last_stage, flags=re.MULTILINE)
    assert user and "0" not in user.groups()
    assert "/healthz" in last_stage and "HEALTHCHECK" in last_stage
    assert 'VOLUME ["/var/lib/offbeat"' in last_stage


def test_the_container_starts_with_options_that_the_program_has(dockerfile: str) -> None:
    command = re.search(r"^CMD (\[.*\])$", dockerfile, flags=re.MULTILINE)
    assert command
    name, *options = [part.strip('" ') for part in command[1].strip("[]").split(",")]
    assert name == "serve"
    assert serve.make_context("serve", options).params["host"] == "0.0.0.0"


def test_the_container_is_built_from_files_that_are_there_and_not_ignored(top: Path, dockerfile: str) -> None:
    ignored = (top / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    copied = [name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, flags=re.MULTILINE)
              for name in line.split()]
    assert copied
    for name in copied:
        assert (top / name).exists(), name
        assert f"!{name}" in ignored


def test_the_install_script_is_good_shell(top: Path) -> None:
    checked = run("sh", "-n", top / "deploy" / "install.sh")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert os.access(top / "deploy" / "install.sh", os.X_OK)


def test_the_install_script_says_what_it_takes(top: Path) -> None:
    helped = run(top / "deploy" / "install.sh", "--help")
    assert (helped.returncode, "usage: deploy/install.sh [--uninstall]" in helped.stdout) == (0, True)
    wrong = run(top / "deploy" / "install.sh", "--unistall")
    assert (wrong.returncode, "usage: " in wrong.stderr) == (2, True)


def test_the_install_script_refuses_without_root_in_one_sentence(top: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "OFFBEAT_PREFIX": str(tmp_path / "p"), "OFFBEAT_UNIT_DIR": str(tmp_path / "u")}
    # The text comes on the standard input: another user may not be able to read this checkout.
    script = (top / "deploy" / "install.sh").read_text()
    as_nobody: dict[str, object] = {"user": 65534} if os.geteuid() == 0 else {}
    refused = run("sh", "-s", input=script, env=environment, cwd="/", **as_nobody)
    assert refused.returncode == 1
    assert refused.stderr == "install.sh: only root can install a service; run it with sudo.\n"
    assert list(tmp_path.iterdir()) == []


@needs_root
def test_uninstalling_removes_program_and_units_and_keeps_settings_however_often(top: Path, tmp_path: Path) -> None:
    program, settings, unit_dir = (tmp_path / name for name in ("opt", "etc", "units"))
    for place in (program, settings, unit_dir):
        place.mkdir()
    (program / "pyvenv.cfg").touch()
    (unit_dir / "offbeat.service").touch()
    (unit_dir / "another.service").touch()
    (settings / "offbeat.toml").write_text("[http]\n")
    # A systemctl that does nothing: this must not reach the services of the machine that tests.
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "systemctl").write_text("#!/bin/sh\n")
    (tools / "systemctl").chmod(0o755)
    for tool in ("id", "dirname", "rm"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    environment = {"PATH": str(tools), "OFFBEAT_PREFIX": str(program), "OFFBEAT_CONFIG_DIR": str(settings),
                   "OFFBEAT_UNIT_DIR": str(unit_dir)}
    for _ in range(2):
        done = run("/bin/sh", top / "deploy" / "install.sh", "--uninstall", env=environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("Offbeat is removed.")
        assert not program.exists()
        assert [path.name for path in unit_dir.iterdir()] == ["another.service"]
        assert (settings / "offbeat.toml").read_text() == "[http]\n"


@needs_root
def test_neither_installing_nor_uninstalling_touches_a_directory_that_holds_something_else(
    top: Path, tmp_path: Path,
) -> None:
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "mine").touch()
    (tmp_path / "systemctl").symlink_to("/bin/true")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "OFFBEAT_PREFIX": str(tmp_path / "opt"),
                   "OFFBEAT_CONFIG_DIR": str(tmp_path / "etc"), "OFFBEAT_UNIT_DIR": str(tmp_path / "units")}
    refused = run(top / "deploy" / "install.sh", env=environment)
    assert refused.returncode == 1
    assert refused.stderr == f"install.sh: {tmp_path}/opt holds something else; nothing was installed.\n"
    assert run(top / "deploy" / "install.sh", "--uninstall", env=environment).returncode == 0
    assert (tmp_path / "opt" / "mine").exists()
