"""Peers come out of packages or not at all: what cannot be had is said, and nothing is measured against it."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

import peers
from common import packages
from common.packages import NoPackage

DOWNLOAD = """#!/bin/sh
case "$1" in download) touch "$2_1.5-1_all.deb";; *) exit 0;; esac
"""
UNPACK = """#!/bin/sh
mkdir -p "$3/usr/bin" && printf '#!/bin/sh\\n' > "$3/usr/bin/based" && chmod +x "$3/usr/bin/based"
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is searched before the system's for apt-get and dpkg."""
    directory = tmp_path / "tools"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory


def tool(directory: Path, name: str, text: str) -> None:
    (directory / name).write_text(text)
    (directory / name).chmod(0o755)


def test_a_package_is_fetched_once_and_its_version_known(tools: Path, tmp_path: Path) -> None:
    tool(tools, "apt-get", DOWNLOAD)
    tool(tools, "dpkg", UNPACK)
    found = packages.program("base", "usr/bin/based", tmp_path / "cache")
    assert os.access(found, os.X_OK)
    assert packages.version("base", tmp_path / "cache") == "1.5-1"
    tool(tools, "apt-get", "#!/bin/sh\nexit 1\n")
    assert packages.program("base", "usr/bin/based", tmp_path / "cache") == found


def test_a_package_that_cannot_be_fetched_is_named_with_the_reason(tools: Path, tmp_path: Path) -> None:
    tool(tools, "apt-get", "#!/bin/sh\necho 'E: Unable to locate package' >&2; exit 100\n")
    with pytest.raises(NoPackage, match=r"package base: apt-get .*Unable to locate package"):
        packages.program("base", "usr/bin/based", tmp_path / "cache")
    assert not (tmp_path / "cache" / "base").exists()


def test_a_package_without_the_program_is_refused(tools: Path, tmp_path: Path) -> None:
    tool(tools, "apt-get", DOWNLOAD)
    tool(tools, "dpkg", UNPACK)
    with pytest.raises(NoPackage, match="has no program usr/bin/other"):
        packages.program("base", "usr/bin/other", tmp_path / "cache")


def test_without_a_peer_the_benchmark_says_so_fails_and_prints_no_ratio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    def none(*_: object) -> list[object]:
        raise NoPackage("package influxdb: apt-get download: E: Unable to locate package")

    monkeypatch.setitem(peers.SECTIONS, "databases", none)
    with pytest.raises(SystemExit) as ended:
        peers.main(["--only", "databases", "--directory", str(tmp_path), "--markdown", str(tmp_path / "peers.md")])
    assert ended.value.code == "not measured: package influxdb: apt-get download: E: Unable to locate package"
    assert "×" not in capsys.readouterr().out
    assert not (tmp_path / "peers.md").exists()
