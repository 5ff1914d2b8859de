"""The processes of a run: whatever ends the run ends them all.

Every process of the graph carries the run's mark in its environment, kernels too, which have sessions of their own. A
guard process holds the other end of a pipe of the main process; when that closes, also because of kill -9, the guard
ends every process that carries the mark.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

import psutil

from studylib.errors import StudyError
from studylib.run import cluster
from studylib.run.provenance import ROOT

MARK, GUARD = "STUDYLIB_RUN", "STUDYLIB_GUARD"
"""Variables that name the run: of the processes of its graph, and of its guard."""
GRACE = 3.0
"""Seconds that a process has to end by itself."""
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Interrupted(StudyError):
    """The run was told to end by a signal (exit status 128 + its number)."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}; the same command again continues")
        self.exit_status = 128 + number


def mark(hub: Path) -> str:
    """Return the mark of this process's run of a hub."""
    return f"{hub.resolve()}|{os.getpid()}|"


def members(hub: Path, *variables: str) -> list[psutil.Process]:
    """Return the processes that carry the mark of any run of a hub in one of the variables."""
    return _marked(f"{hub.resolve()}|", variables)


def _marked(start: str, variables: tuple[str, ...]) -> list[psutil.Process]:
    """Return the processes, but for this one, in which a variable has a value that begins so."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            told = process.environ()
            if process.pid != os.getpid() and any(told.get(name, "").startswith(start) for name in variables):
                found.append(process)
    return found


def owner(hub: Path) -> str:
    """Return in words which process runs a hub: its number and when it started; empty when none is found."""
    for process in members(hub, GUARD, MARK):
        with suppress(psutil.Error, OSError):
            told = process.environ()
            number = int((told.get(GUARD) or told[MARK]).split("|")[-2])
            began = datetime.fromtimestamp(psutil.Process(number).create_time(), timezone.utc)
            return f"process {number}, started {began:%Y-%m-%dT%H:%M:%SZ}"
    return ""


def end(mine: str) -> None:
    """End every process and job that carries the mark of one run: asked first, killed after GRACE seconds.

    Of one run, not of the hub: when a killed run is started again at once, the new one is left alone. Jobs on a cluster
    are those of the hub; a new run waits for them to be gone.
    """
    for act in ("terminate", "kill"):
        running = _marked(mine, (MARK,))
        for process in running:
            with suppress(psutil.Error):
                getattr(process, act)()
        psutil.wait_procs(running, timeout=GRACE)
    # Last, when Snakemake is gone and sends no more; a scheduler that does not answer holds nothing up.
    cluster.cancel(cluster.job_name(Path(mine.split("|", maxsplit=1)[0])))


@contextmanager
def guarded(hub: Path) -> Iterator[dict[str, str]]:
    """Run the block with a guard; yield the environment that the processes of the graph must have."""
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    command = [sys.executable, "-m", "studylib.run.processes", mark(hub)]
    guard = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, env=environment | {GUARD: mark(hub)},
    )  # fmt: skip
    try:
        yield environment | {MARK: mark(hub)}
    finally:
        end(mark(hub))
        guard.communicate()


@contextmanager
def signals() -> Iterator[None]:
    """Turn SIGTERM, SIGHUP and SIGINT into `Interrupted`; a second one changes nothing any more.

    Python allows that in the main thread only; in another the block runs as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def watch(mine: str) -> None:
    """Wait until the main process is gone, however it ended, then end what it left."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    end(mine)


if __name__ == "__main__":
    watch(sys.argv[1])
