"""The same study on a SLURM cluster: the numbers of the local run, and no job is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, studylib, until

WORDS = (
    "response", "--profile", "smoke", "--doses", "1000", "--views", "dense", "sparse", "--arms", "map",
    "--set", "map.iterations=20",
)  # fmt: skip


@pytest.fixture(scope="module")
def profile(tmp_path_factory) -> Path:
    """Return the repository's profile, as a user would fit it to this cluster, which has no accounting."""
    folder = tmp_path_factory.mktemp("profile")
    told = yaml.safe_load((ROOT / "workflow/profiles/slurm/config.yaml").read_text(encoding="utf-8"))
    told |= {"slurm-no-account": True, "slurm-status-command": "squeue", "latency-wait": 5}
    # A stage takes about ten seconds; a check that comes too soon puts the next one off by ten more.
    told |= {"slurm-init-seconds-before-status-checks": 11}
    (folder / "config.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    return folder


def jobs(slurm: dict[str, str]) -> list[str]:
    told = subprocess.run(
        ["squeue", "--noheader", "--format=%j"], capture_output=True, text=True, check=True, env=os.environ | slurm
    )
    return told.stdout.split()


def test_a_cluster_gives_the_numbers_of_one_machine(slurm, profile, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    with ThreadPoolExecutor() as both:
        runs = [
            both.submit(studylib, *WORDS, "--hub", str(here), "--cores", "1"),
            both.submit(studylib, *WORDS, "--hub", str(there), "--workflow-profile", str(profile), **slurm),
        ]
    for done in (run.result() for run in runs):
        assert done.returncode == 0, done.stdout + done.stderr
    local, cluster = (
        [
            {name: value for name, value in row.items() if "seconds" not in name and "memory" not in name}
            for row in json.loads((hub / "analysis/response.json").read_text())["rows"]
        ]
        for hub in (here, there)
    )
    assert local == cluster and len(local) == 4
    assert not jobs(slurm)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_run_that_ends_leaves_no_job(slurm, profile, tmp_path, number, status):
    """Asked to end it says so, killed it cannot; its jobs are cancelled either way."""
    hub = tmp_path / "hub"
    words = [*WORDS, "--hub", str(hub), "--workflow-profile", str(profile)]
    main = subprocess.Popen(
        [sys.executable, "-m", "studylib", *words], cwd=ROOT, env=os.environ | slurm, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert until(lambda: main.poll() is not None or jobs(slurm), 60) and main.poll() is None
    main.send_signal(number)
    assert main.wait(timeout=10) == status
    assert until(lambda: not jobs(slurm), 10)
    assert not list(hub.rglob("design.json")), "the first stage was cancelled, it did not end by itself"
    if number == signal.SIGTERM:
        assert "interrupted by SIGTERM" in (hub / "analysis/blocker.txt").read_text()


def test_a_profile_that_is_none_is_told(tmp_path):
    done = studylib(*WORDS, "--hub", str(tmp_path / "hub"), "--workflow-profile", "pbs")
    assert done.returncode == 2 and "workflow_profile" in done.stderr and "slurm" in done.stderr
    assert not (tmp_path / "hub").exists()
