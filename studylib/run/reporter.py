"""What is said while the graph runs: banners, stages that begin and end, progress bars."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time

from studylib.io.files import is_complete, read_json, tail
from studylib.run import paths
from studylib.run.hub import Hub
from studylib.run.plan import PHASES
from studylib.run.stage import Stage

BAR = re.compile(r"\d+%\|")
RAISED = re.compile(r"^(?:\w+\.)*(\w+(?:Error|Exception)): (.+)$", re.MULTILINE)


def raised(log: str) -> str:
    """Return `: ` and the last error in the log of a stage, to stand behind the name of the stage; "" where none is."""
    found = RAISED.findall(re.sub(r"\x1b\[[0-9;]*m", "", log))
    return f": {found[-1][0]}: {found[-1][1].strip()}"[:400] if found else ""


class Reporter:
    """Says which stages begin and end, banners in order whatever runs first."""

    def __init__(self, hub: Hub, plan: list[Stage], say) -> None:
        self.hub, self.say, self.began = hub, say, time.time()
        self.banner = 0
        self.waiting: list[Stage] = list(plan)
        self.running: list[Stage] = []

    def look(self) -> None:
        """Say what has changed since the last look."""
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
        """Say what is left when all stages are up to date."""
        self.look()
        self._banners(len(PHASES))

    def bars(self) -> list[str]:
        """Return the progress bars of the stages that run."""
        lines = [tail(self.hub / s.under(s.log)).replace("\r", "\n").splitlines() for s in self.running]
        return [found[-1].strip() for found in ([x for x in part if BAR.search(x)] for part in lines) if found]

    def _touched(self, stage: Stage) -> bool:
        log = self.hub / stage.under(stage.log)
        return log.is_file() and log.stat().st_mtime >= self.began

    def _banners(self, phase: int) -> None:
        while self.banner < phase:
            self.banner += 1
            self.say(f"[{self.banner}/{len(PHASES)}] {PHASES[self.banner - 1]}")


def follow(process: subprocess.Popen, reporter: Reporter) -> None:
    """Wait for the graph; show progress bars, on a terminal in place, elsewhere now and then."""
    terminal, shown, last = sys.stdout.isatty(), "", 0.0
    try:
        while True:
            try:
                process.wait(timeout=0.5)
                return
            except subprocess.TimeoutExpired:
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
