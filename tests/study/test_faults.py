"""A run that is killed, in every way that happens: nothing of it writes on, and the same command continues."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from studylib.run import processes
from tests.conftest import ROOT, studylib, until

GIVEN = ("--profile", "smoke", "--arms", "map", "--splits", "test")


def left(hub: Path) -> list[psutil.Process]:
    return processes.members(hub, processes.MARK)


def words_of(process: psutil.Process) -> list[str]:
    """Return the command of a process, nothing of one that has just ended."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


@pytest.fixture
def running(tmp_path) -> Iterator[tuple[Path, subprocess.Popen]]:
    """Start a run in a session of its own; give it back when a kernel of it computes."""
    hub = tmp_path / "hub"
    command = [sys.executable, "-m", "studylib", "dense", "--hub", str(hub), *GIVEN]
    with (tmp_path / "said.txt").open("w") as said:
        main = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=said, stderr=said)
    kernels = lambda: [p for p in left(hub) if "ipykernel" in " ".join(words_of(p))]  # noqa: E731
    assert until(lambda: main.poll() is not None or kernels()), (tmp_path / "said.txt").read_text()
    yield hub, main
    for process in [*left(hub), psutil.Process(main.pid)] if main.poll() is None else left(hub):
        process.kill()
    main.wait()


@pytest.mark.parametrize(
    ("number", "to_the_group", "status"),
    [
        (signal.SIGTERM, False, 143),
        (signal.SIGHUP, False, 129),
        (signal.SIGINT, False, 130),
        (signal.SIGINT, True, 130),
    ],
)
def test_a_signal_ends_every_process_and_says_so(running, number, to_the_group, status):
    hub, main = running
    (os.killpg if to_the_group else os.kill)(main.pid, number)
    assert main.wait(timeout=10) == status and not left(hub)
    blocker = (hub / "analysis/blocker.txt").read_text()
    assert f"interrupted by {number.name}" in blocker and "Traceback" not in blocker
    assert "SUCCESS" not in (hub / "cli/run_phase_g_dense.log").read_text()


def test_after_kill_9_nothing_writes_on_and_the_same_command_continues(running):
    hub, main = running
    main.kill()
    assert until(lambda: not left(hub), 10)
    done = studylib("dense", "--hub", str(hub), *GIVEN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list((hub / "notebooks").glob(".*"))


def test_when_snakemake_is_killed_the_run_ends_and_says_so(running):
    hub, main = running
    for process in left(hub):
        if "snakemake" in words_of(process) and process.ppid() == main.pid:
            process.kill()
    assert main.wait(timeout=10) == 1 and not left(hub)
    assert (hub / "analysis/blocker.txt").is_file()


def test_a_second_run_is_refused_through_a_link_and_told_of_the_first(running, tmp_path):
    hub, main = running
    (tmp_path / "alias").symlink_to(hub)
    done = studylib("dense", "--hub", str(tmp_path / "alias"), *GIVEN)
    assert done.returncode == 2 and f"process {main.pid}, started 20" in done.stderr
    assert main.poll() is None and left(hub)
