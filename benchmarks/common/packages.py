"""Programs out of Debian packages, unpacked into a cache directory: no root, no service started, nothing installed."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

FETCH_TIMEOUT_S = 300.0


class NoPackage(Exception):
    """A package could not be had: what would be measured against it is not measured."""


def cache_directory() -> Path:
    """Where packages are kept between runs, as the XDG base directories have it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "offbeat-benchmarks"


def program(package: str, path: str, cache: Path) -> Path:
    """The file *path* of the newest *package* that apt knows, fetched unless *cache* has it. Raises NoPackage.

    Its libraries must be those of the system; ``dpkg -x`` unpacks and runs no script of the package.
    """
    found = cache / package / path
    if not found.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as fresh:
            _fetch(package, Path(fresh))
            archives = list(Path(fresh).glob("*.deb"))
            if len(archives) != 1:
                raise NoPackage(f"apt-get download {package} gave {len(archives)} archives")
            _run(package, "dpkg", "-x", str(archives[0]), str(Path(fresh) / "tree"))
            shutil.rmtree(cache / package, ignore_errors=True)
            (Path(fresh) / "tree").rename(cache / package)
            (cache / package / "archive").write_text(archives[0].name)
    if not os.access(found, os.X_OK):
        raise NoPackage(f"package {package} has no program {path}")
    return found


def version(package: str, cache: Path) -> str:
    """Of what ``program`` unpacked, as the archive's name says it: name_version_architecture.deb."""
    return (cache / package / "archive").read_text().split("_")[1].replace("%3a", ":")


def _fetch(package: str, directory: Path) -> None:
    """Download; once more after an update of apt's lists, which needs root, if they are old or missing."""
    try:
        _run(package, "apt-get", "download", package, directory=directory)
    except NoPackage:
        _run(package, "apt-get", "update")
        _run(package, "apt-get", "download", package, directory=directory)


def _run(package: str, *command: str, directory: Path | None = None) -> None:
    try:
        subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S)
    except subprocess.CalledProcessError as e:
        raise NoPackage(f"package {package}: {' '.join(command[:2])}: {e.stderr.strip()[-500:]}") from e
    except (OSError, subprocess.TimeoutExpired) as e:
        raise NoPackage(f"package {package}: {e}") from e
