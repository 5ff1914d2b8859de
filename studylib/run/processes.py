"""The processes of a run. Whatever ends the run ends them all.

Every process of the graph carries the mark of the run in its environment; so do the kernels, which have sessions of
their own. A guard process holds the other end of a pipe of the main process. When the pipe closes, even because of
kill -9, the guard ends every process that carries the mark.
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
"""Environment variables that hold the mark of a run: in the processes of its graph, and in its guard."""
GRACE = 3.0
"""Seconds that a process has to end by itself before it is killed."""
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Interrupted(StudyError):
    """A signal told the run to end (exit status 128 + number of the signal).

    Parameters
    ----------
    number
        Number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}; the same command again continues")
        self.exit_status = 128 + number


def mark(hub: Path) -> str:
    """Return the mark of the run of a hub by this process: folder and process number."""
    return f"{hub.resolve()}|{os.getpid()}|"


def members(hub: Path, *variables: str) -> list[psutil.Process]:
    """Return the processes of all runs of a hub, by their marks.

    Parameters
    ----------
    hub
        Folder of the hub.
    *variables
        Environment variables in which a mark is looked for: `MARK`, `GUARD` or both.
    """
    return _marked(f"{hub.resolve()}|", variables)


def _marked(start: str, variables: tuple[str, ...]) -> list[psutil.Process]:
    """Return the processes, except this one, in which one of the variables begins with `start`."""
    found = []
    for process in psutil.process_iter():
        # Processes of other users cannot be read, and any process may end meanwhile.
        with suppress(psutil.Error, OSError):
            told = process.environ()
            if process.pid != os.getpid() and any(told.get(name, "").startswith(start) for name in variables):
                found.append(process)
    return found


def owner(hub: Path) -> str:
    """Return in words which process runs a hub, by its number and start time in UTC; empty where none does."""
    for process in members(hub, GUARD, MARK):
        with suppress(psutil.Error, OSError):
            told = process.environ()
            # The mark is folder|number|, and the folder may hold a bar itself: count from the end.
            number = int((told.get(GUARD) or told[MARK]).split("|")[-2])
            began = datetime.fromtimestamp(psutil.Process(number).create_time(), timezone.utc)
            return f"process {number}, started {began:%Y-%m-%dT%H:%M:%SZ}"
    return ""


def end(mine: str) -> None:
    """End every process that carries the mark of one run, and cancel the cluster jobs of its hub.

    A process is asked to end first, and killed after `GRACE` seconds. Only processes of this one run are ended: when a
    killed run is started again at once, the new run is left alone. Jobs on a cluster are told apart by hub only; a new
    run waits until they are gone.

    Parameters
    ----------
    mine
        Mark of the run, as `mark` gives it.
    """
    for act in ("terminate", "kill"):
        running = _marked(mine, (MARK,))
        for process in running:
            with suppress(psutil.Error):
                getattr(process, act)()
        psutil.wait_procs(running, timeout=GRACE)
    # This comes last, when Snakemake is gone and submits no more jobs. A scheduler that does not answer delays nothing.
    cluster.cancel(cluster.job_name(Path(mine.rsplit("|", maxsplit=2)[0])))


@contextmanager
def guarded(hub: Path) -> Iterator[dict[str, str]]:
    """Run a block beside a guard process, and end all processes of the run when the block ends.

    Parameters
    ----------
    hub
        Folder of the hub.

    Yields
    ------
    Environment for the processes of the graph; it holds the mark of the run
    """
    # The guard must not carry the mark, or `end` would end it with the others.
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
        # This closes the pipe, so that the guard ends too.
        guard.communicate()


@contextmanager
def signals() -> Iterator[None]:
    """Turn SIGTERM, SIGHUP and SIGINT into `Interrupted` while a block runs. A second signal is ignored.

    Python sets signal handlers in the main thread only; in another thread the block runs without them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        """Ignore further signals, so that the run can end in order, and raise `Interrupted`."""
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
    """Be the guard: wait until the main process is gone, however it ended, then end what it left.

    Parameters
    ----------
    mine
        Mark of the run, as `mark` gives it.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    # The main process writes nothing; this returns when its end of the pipe closes.
    sys.stdin.read()
    end(mine)


if __name__ == "__main__":
    watch(sys.argv[1])
