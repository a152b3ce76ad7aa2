"""One token is one tenant. Source: MVG wire protocol, section 1, Authentication."""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateways.mvg.client import Client, waveform
from tests.system.daemon import daemon, settings


def token(state_dir: Path, name: str, scope: str = "ingest,read") -> str:
    """A new token."""
    made = subprocess.run(
        [sys.executable, "-m", "offbeat", "token", "create", "--scope", scope, "--name", name, "--state-dir",
         str(state_dir)],
        env=os.environ, capture_output=True, text=True, check=True, timeout=60)
    return made.stdout.strip()


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Client]]:
    """A client for each of two tenants, one that may only look and one with no token at all."""
    home = tmp_path_factory.mktemp("tenants")
    state_dir = home / "offbeat-data"
    state_dir.mkdir()
    ann, bob, looks = token(state_dir, "ann"), token(state_dir, "bob"), token(state_dir, "looks", "read")
    with daemon(state_dir, settings(home / "offbeat.toml", mvg={"queued_s": 0.0})) as started:
        yield {
            "ann": Client(started.url, headers={"X-Vibium-Api-Key": ann}),
            "bob": Client(started.url, headers={"Authorization": f"Bearer {bob}"}),
            "ann by bearer": Client(started.url, headers={"Authorization": f"Bearer {ann}"}),
            "looks": Client(started.url, headers={"X-Vibium-Api-Key": looks}),
            "nobody": Client(started.url, headers={}),
            "wrong": Client(started.url, headers={"X-Vibium-Api-Key": f"{ann}x"}),
        }


@pytest.mark.parametrize("who", ["nobody", "wrong"])
@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/sources/"), ("GET", "/analyses/"), ("POST", "/sources/"), ("GET", "/sources/x/measurements"),
])
def test_without_a_good_token_nothing_is_answered(
    tenants: dict[str, Client], who: str, method: str, path: str,
) -> None:
    answer = tenants[who].call(method, path)
    assert (answer.status, answer.reason, answer.detail) == (401, "Unauthorized", "Unauthorized")


@pytest.mark.parametrize("who", ["nobody", "wrong"])
def test_but_the_root_and_that_there_is_nothing(tenants: dict[str, Client], who: str) -> None:
    for path in ("", "/"):
        assert tenants[who].get(path)["message"]["api"]["version"]
    for method, path in (("GET", "/nothing"), ("POST", "/sources//measurements")):
        answer = tenants[who].call(method, path)
        assert (answer.status, answer.detail) == (404, "Not Found")


def test_each_token_sees_only_what_is_its_own(tenants: dict[str, Client]) -> None:
    ann, bob = tenants["ann"], tenants["bob"]
    for client, value in ((ann, 1.0), (bob, 2.0)):
        client.create("shared")
        client.done("POST", "/sources/shared/measurements", [waveform(1, [value, -value])])
        assert client.get("/sources/shared/measurements/1")["data"] == {"acc": [value, -value]}
        assert client.results("KPIDemo", "shared")["acc"]["rms"] == [value]
    native = Client(ann.url, "/api/v1", tenants["ann by bearer"].headers)
    assert {"shared", "shared@bob"} <= {one["source"] for one in native.get("/sources?sequence=latest")["sources"]}
    ann.create("hers")
    id = ann.ask("KPIDemo", "shared", {"n": 1})
    assert tenants["ann by bearer"].get("/sources/hers")["source_id"] == "hers"
    for answer in (bob.call("GET", "/sources/hers"), bob.call("DELETE", "/sources/hers")):
        assert (answer.status, answer.detail) == (404, "Source ID: hers does not exist!")
    for path in ("", "/results"):
        assert bob.call("GET", f"/analyses/requests/{id}{path}").status == 404
    assert [source["source_id"] for source in bob.get("/sources/")] == ["shared"]
    bob.done("DELETE", "/sources/shared")
    assert ann.get("/sources/shared/measurements")["total"] == 1


def test_who_may_look_may_not_change(tenants: dict[str, Client]) -> None:
    looks = tenants["looks"]
    assert looks.get("/sources/") == []
    for method, path in (("POST", "/sources/"), ("PUT", "/sources/x"), ("DELETE", "/sources/x")):
        assert looks.call(method, path, {}).status == 403
