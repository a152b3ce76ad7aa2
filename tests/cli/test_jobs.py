"""``offbeat jobs`` against a daemon: from a job's creation to its end, and what is said where it cannot be."""
from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from offbeat.cli.exits import Status, WrongUsage
from offbeat.cli.jobs import detector_of
from tests.project.conftest import running_daemon

RECORDS = "time,shop,took\n" + "".join(
    f"{1_700_000_040 + 10 * i},{('north', 'south')[i % 2]},{900 if 300 <= i < 306 and i % 2 else 100 + i % 7}\n"
    for i in range(400)
)
SPAN = ("--detector", "mean took by shop", "--span", "60", "--influencer", "shop")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a daemon listens that all tests here share."""
    with running_daemon(tmp_path_factory.mktemp("jobs") / "state", dict(os.environ)) as found:
        yield found


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """A file of records."""
    path = tmp_path / "records.csv"
    path.write_text(RECORDS)
    return path


def test_a_job_from_its_creation_to_its_end(offbeat, url, records, tmp_path):
    def jobs(*arguments, status=0):
        ran = offbeat("jobs", *arguments, "--url", url)
        assert ran.status == status, ran.err
        return ran

    assert "detector 0\tmean took by shop\n" in jobs("create", "shops", *SPAN, "--description", "tills").out
    assert jobs("send", "shops", records).out == "400 of 400 records analysed; 66 buckets are final\n"
    listed = jobs("list").out.splitlines()
    assert listed[0] == "id\tstate\tasks\tspan s\tevents\tup to\tdescription"
    assert "shops\trunning\tmean took by shop\t60\t400\t2023-11-14T23:19:00.000Z\ttills" in listed
    strongest = json.loads(jobs("results", "shops", "--order=-score", "--limit", "1", "--json").out)
    assert (strongest["by"], strongest["bucket_start"]) == (
        {"field": "shop", "value": "south"}, "2023-11-14T23:04:00.000Z")
    row = jobs("results", "shops", "--order=-score", "--limit", "1").out.splitlines()[1].split("\t")
    assert row[0] == "2023-11-14T23:04:00.000Z"
    assert row[3:6] == ["mean took", "shop south", "900"]
    final = "final up to the bucket of 2023-11-14T23:19:00.000Z\n"
    assert jobs("flush", "shops", "--interim").out == f"shops is running; {final}"
    assert jobs("close", "shops").out.startswith("shops is closed; ")
    (snapshot,) = [json.loads(line) for line in jobs("snapshots", "shops", "--json").out.splitlines()]
    id = snapshot["id"]
    assert json.loads(jobs("snapshots", "shops", id, "--describe", "calm", "--json").out)["description"] == "calm"
    assert jobs("snapshots", "shops", id, "--revert").out.splitlines()[1].startswith(f"{id}\tyes\t")
    file = tmp_path / "shops.zip"
    assert jobs("export", "shops", file).out.startswith(f"shops is in {file}, ")
    assert "is there already" in jobs("export", "shops", file, status=Status.USAGE).err
    assert "id\tcopy\n" in jobs("import", file, "--as", "copy").out
    assert jobs("results", "copy", "--all").out == jobs("results", "shops", "--all").out
    assert jobs("pause", "copy").out.startswith("copy is paused; ")
    assert jobs("resume", "copy").out.startswith("copy is closed; ")
    for name in ("copy", "shops"):
        assert jobs("delete", name).out == f"{name} is deleted\n"
    assert "there is no job shops" in jobs("show", "shops", status=1).err


def test_the_model_plot_and_what_was_held_back_are_shown(offbeat, url, records, tmp_path):
    rule = {"actions": ["skip_result"], "conditions": [{"applies_to": "actual", "operator": "gt", "value": 800}]}
    mean = {"function": "mean", "field": "took", "by": "shop", "rules": [rule]}
    over = {"function": "max", "field": "took", "over": "shop"}
    path = tmp_path / "job.json"
    plot = {"terms": ["south", "x"]}
    path.write_text(json.dumps({"detectors": [mean, over], "bucket_span_s": 60, "model_plot": plot}))
    assert "model_plot terms\tsouth, x\n" in offbeat("jobs", "create", "ruled", path, "--url", url).out
    offbeat("jobs", "send", "ruled", records, "--url", url)
    shown = offbeat("jobs", "show", "ruled", "--url", url).out
    assert "withheld of detector 0\trule 0: 1 values, 1 of them records; 0 not learned\n" in shown
    assert re.search(r"^peers of detector 1\t[12](\.\d+)? members a bucket, in 1 populations$", shown, re.MULTILINE)
    start = ("--start", "2023-11-14T23:04:00Z", "--limit", "1")
    plot = offbeat("jobs", "results", "ruled", "--kind", "plot", *start, "--url", url).out.splitlines()
    assert plot[0] == "start\twhat\tof\tlower\ttypical\tupper\tactual"
    row = plot[1].split("\t")
    assert row[:3] == ["2023-11-14T23:04:00.000Z", "mean took", "shop south"]
    lower, typical, upper, actual = map(float, row[3:])
    assert lower < typical < upper < actual == 900
    offbeat("jobs", "delete", "ruled", "--url", url)


def test_a_job_is_created_from_a_document(offbeat, url, tmp_path):
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"detectors": [{"function": "rare", "by": "word"}], "bucket_span_s": 60}))
    ran = offbeat("jobs", "create", "words", path, "--source", "log-*", "--json", "--url", url)
    document = json.loads(ran.out)
    assert (document["id"], document["bucket_span_s"], document["sources"]) == ("words", 60, ["log-*"])
    assert offbeat("jobs", "delete", "words", "--url", url).status == 0


def test_what_is_wrong_is_said_with_its_place(offbeat, url, tmp_path, records):
    wrong = offbeat("jobs", "create", "x", "--detector", "maen took", "--url", url)
    assert (wrong.status, wrong.out) == (1, "")
    assert "'maen' is no function" in wrong.err
    assert "did you mean mean?" in wrong.err
    assert offbeat("jobs", "create", "x", "--url", url).status == Status.USAGE
    assert "is not JSON" in offbeat("jobs", "create", "x", records, "--url", url).err
    assert "cannot read" in offbeat("jobs", "create", "x", tmp_path / "none", "--url", url).err
    assert "is not a job that was exported" in offbeat("jobs", "import", records, "--url", url).err
    assert "has no detectors" in offbeat("jobs", "send", "watch", records, "--url", url).err
    assert offbeat("jobs", "snapshots", "x", "--delete", "--url", url).status == Status.USAGE


def test_an_export_that_is_refused_leaves_no_file(offbeat, url, tmp_path):
    file = tmp_path / "none.zip"
    assert "there is no job none" in offbeat("jobs", "export", "none", file, "--url", url).err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "detector"), [
    ("count", {"function": "count"}),
    ("mean took", {"function": "mean", "field": "took"}),
    ("rare by status partition host", {"function": "rare", "by": "status", "partition": "host"}),
    ("high_sum bytes by a over b", {"function": "high_sum", "field": "bytes", "by": "a", "over": "b"}),
])
def test_a_detector_is_said_in_words(text, detector):
    assert detector_of(text) == detector


@pytest.mark.parametrize("text", ["", "mean took by", "mean a b", "count by a by b"])
def test_words_that_are_no_detector_are_refused(text):
    with pytest.raises(WrongUsage):
        detector_of(text)
