"""``offbeat serve`` and ``offbeat verify``: what reaches the service, and how its answer becomes an exit status."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from offbeat import assembly, serving
from offbeat.config import Config
from offbeat.errors import BadConfig, CannotStart, StateDirectoryInUse, StoreUnusable


@dataclass(frozen=True)
class VerifyReport:
    entries: int
    differences: tuple[str, ...]


def test_the_service_gets_the_settings_and_the_place_of_the_file(offbeat, tmp_path, monkeypatch):
    called: list[tuple[Config, Path | None]] = []

    def serve(config: Config, *, config_path: Path | None) -> int:
        called.append((config, config_path))
        return 0

    monkeypatch.setattr(serving, "serve", serve)
    file = tmp_path / "offbeat.toml"
    file.write_text("[engine]\nseries_max = 5\n")
    assert offbeat("serve", "--config", file, "--port", 0, "--state-dir", tmp_path / "state").status == 0
    assert offbeat("serve").status == 0
    (config, path), (defaults, no_path) = called
    assert (config.engine.series_max, config.http.port, config.store.state_dir) == (5, 0, str(tmp_path / "state"))
    assert (path, defaults, no_path) == (file, Config(), None)


@pytest.mark.parametrize(
    ("error", "status"), [(CannotStart, 1), (BadConfig, 2), (StateDirectoryInUse, 3), (StoreUnusable, 4)]
)
def test_each_reason_not_to_start_is_said_and_has_its_status(offbeat, monkeypatch, error, status):
    def serve(config: Config, *, config_path: Path | None) -> int:
        raise error("the disk says no", hint="ask it")

    monkeypatch.setattr(serving, "serve", serve)
    ran = offbeat("serve")
    assert (ran.status, ran.err) == (status, "offbeat: the disk says no\n  hint: ask it\n")


@pytest.mark.parametrize(
    ("report", "status", "said"),
    [
        (VerifyReport(12, ()), 0, "12 journal entries replayed: the results are the same, bit for bit\n"),
        (
            VerifyReport(1, ("record x: score 50 is stored, 51 replayed",)),
            7,
            "record x: score 50 is stored, 51 replayed\n1 journal entry replayed: 1 difference\n",
        ),
    ],
)
def test_verify_lists_differences_and_ends_with_status_7(offbeat, monkeypatch, tmp_path, report, status, said):
    monkeypatch.setattr(assembly, "verify", lambda state_dir: report, raising=False)
    ran = offbeat("verify", "--state-dir", tmp_path)
    assert (ran.status, ran.out) == (status, said)


def test_verify_of_a_directory_that_is_not_there_is_wrong_usage(offbeat, tmp_path):
    ran = offbeat("verify", "--state-dir", tmp_path / "none")
    assert ran.status == 2
    assert "does not exist" in ran.err
    assert offbeat("verify").status == 2
