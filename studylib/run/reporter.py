"""What the user sees while the graph runs: banners, stages that ended, and progress bars."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

from studylib.io.files import is_complete, read_json, tail
from studylib.run import paths
from studylib.run.hub import Hub
from studylib.run.plan import PHASES
from studylib.run.stage import Stage

BAR = re.compile(r"\d+%\|")
"""A progress bar of tqdm."""
RAISED = re.compile(r"^(?:\w+\.)*(\w+(?:Error|Exception)): (.+)$", re.MULTILINE)
"""The last line of a traceback: name of the error, without its module, and message."""


def raised(log: str) -> str:
    """Return the last error in the log of a stage, to be put behind the name of the stage.

    Parameters
    ----------
    log
        Text of the log, with or without terminal colours.

    Returns
    -------
    A colon, name and message of the error, at most 400 characters; empty where the log holds no error
    """
    found = RAISED.findall(re.sub(r"\x1b\[[0-9;]*m", "", log))
    return f": {found[-1][0]}: {found[-1][1].strip()}"[:400] if found else ""


class Reporter:
    """Prints the banners of the phases and the stages that ended. Banners keep their order, whatever runs first.

    Parameters
    ----------
    hub
        Folder of the study.
    plan
        All stages of the study.
    say
        Takes a line for the user.
    """

    def __init__(self, hub: Hub, plan: list[Stage], say: Callable[[str], None]) -> None:
        self.hub, self.say, self.began = hub, say, time.time()
        self.banner = 0
        self.waiting: list[Stage] = list(plan)
        self.running: list[Stage] = []

    def look(self) -> None:
        """Look at the logs of the stages, and say what has changed since the last look."""
        for stage in [s for s in self.waiting if self._touched(s)]:
            self.waiting.remove(stage)
            self.running.append(stage)
            self._banners(stage.phase)
        for stage in [s for s in self.running if is_complete(self.hub / s.under(s.log))]:
            self.running.remove(stage)
            record = self.hub / stage.under(paths.stamp(stage.name))
            seconds = f": {read_json(record, '')['seconds']:.1f} s" if record.is_file() else ""
            self.say(f"      {stage.key}{seconds}")

    def rest(self) -> None:
        """Say the rest once all stages are up to date: the stages that ended last, and the remaining banners."""
        self.look()
        self._banners(len(PHASES))

    def bars(self) -> list[str]:
        """Return the latest progress bar of each running stage that shows one."""
        # A bar overwrites itself by carriage returns: each of its states becomes a line.
        lines = [tail(self.hub / s.under(s.log)).replace("\r", "\n").splitlines() for s in self.running]
        return [found[-1].strip() for found in ([x for x in part if BAR.search(x)] for part in lines) if found]

    def _touched(self, stage: Stage) -> bool:
        """Return whether a stage has written into its log since the run began."""
        log = self.hub / stage.under(stage.log)
        return log.is_file() and log.stat().st_mtime >= self.began

    def _banners(self, phase: int) -> None:
        """Print the banners up to a phase (1 to 8) that are not printed yet."""
        while self.banner < phase:
            self.banner += 1
            self.say(f"[{self.banner}/{len(PHASES)}] {PHASES[self.banner - 1]}")


def follow(process: subprocess.Popen, reporter: Reporter) -> None:
    """Wait until the graph has ended, and report on it meanwhile.

    Progress bars are updated in place on a terminal; elsewhere they are printed at most every 30 seconds.

    Parameters
    ----------
    process
        The process of Snakemake.
    reporter
        Reports the stages of the graph.
    """
    terminal, shown, last = sys.stdout.isatty(), "", 0.0
    try:
        while True:
            try:
                process.wait(timeout=0.5)
                return
            except subprocess.TimeoutExpired:
                # Clear the line of the bars before a line is printed in its place.
                if terminal and shown:
                    print("\r\x1b[K", end="", flush=True)
                reporter.look()
                now = "      " + "   ".join(reporter.bars())
                if terminal:
                    print(now[: shutil.get_terminal_size().columns - 1], end="", flush=True)
                elif now.strip() and now != shown and time.monotonic() - last > 30:
                    print(now, flush=True)
                    last = time.monotonic()
                shown = now
    finally:
        if terminal and shown:
            print("\r\x1b[K", end="", flush=True)
