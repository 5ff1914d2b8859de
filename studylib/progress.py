"""Progress bars: a widget or a line in a notebook, one line every few seconds in the log of a stage.

papermill logs only the first state of a bar. The pipeline therefore names the log of a stage in the variable
STUDYLIB_PROGRESS, and the stage writes the bar there itself.
"""

from __future__ import annotations

import os
from pathlib import Path

from tqdm import tqdm as plain
from tqdm.auto import tqdm

VARIABLE = "STUDYLIB_PROGRESS"
"""Environment variable with the path of the log."""
LOG_SECONDS = 5.0
"""Least time between two lines in the log, seconds."""


class _Lines:
    """Stream that appends every state of a bar to a file as a line of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, text: str) -> None:
        """Append a state of the bar; tqdm's carriage returns and empty writes are dropped."""
        if line := text.strip():
            with self._path.open("a", encoding="utf-8") as log:
                log.write(line + "\n")

    def flush(self) -> None:
        """Do nothing: every line is written at once."""


def bar(total: int, description: str, unit: str) -> plain:
    """Return a tqdm progress bar.

    Parameters
    ----------
    total
        Number of steps until the bar is full.
    description
        What is done.
    unit
        Name of one step.
    """
    log = os.environ.get(VARIABLE)
    if log:
        return plain(
            total=total, desc=description, unit=unit, file=_Lines(Path(log)), mininterval=LOG_SECONDS, ncols=100
        )
    return tqdm(total=total, desc=description, unit=unit, mininterval=1)
