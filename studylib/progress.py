"""Progress bars: a widget or a line in a notebook, one line every few seconds in a stage's log.

papermill logs only the first state of a bar, so a stage run by the pipeline, which names its log in
STUDYLIB_PROGRESS, writes the bar there itself.
"""

from __future__ import annotations

import os
from pathlib import Path

from tqdm import tqdm as plain
from tqdm.auto import tqdm

VARIABLE = "STUDYLIB_PROGRESS"
LOG_SECONDS = 5.0


class _Lines:
    """A stream that appends every state of a bar as a line of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, text: str) -> None:
        if line := text.strip():
            with self._path.open("a", encoding="utf-8") as log:
                log.write(line + "\n")

    def flush(self) -> None:
        """Do nothing: every line is written at once."""


def bar(total: int, description: str, unit: str):
    """Return a tqdm bar.

    Parameters
    ----------
    total
        Steps until it is full.
    description, unit
        What is done, and in what it is counted.
    """
    log = os.environ.get(VARIABLE)
    if log:
        return plain(
            total=total, desc=description, unit=unit, file=_Lines(Path(log)), mininterval=LOG_SECONDS, ncols=100
        )
    return tqdm(total=total, desc=description, unit=unit, mininterval=1)
