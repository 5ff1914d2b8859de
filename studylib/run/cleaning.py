"""Remove the paths of this machine from what a run leaves behind (TYPE-PATH-001)."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from studylib.io.files import write_text
from studylib.run.hub import LOG, Hub
from studylib.run.provenance import ROOT


def clean(hub: Hub, text: str) -> str:
    """Return a text without the absolute paths of this machine and without terminal colours (TYPE-PATH-001).

    Parameters
    ----------
    hub
        Hub whose folder becomes <hub>.
    text
        A log, a traceback or a notebook.

    Returns
    -------
    The text, with a name such as <repo> in place of each path
    """
    # Tracebacks in a log are coloured by ANSI escape sequences.
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    # Inner folders come first: the hub often lies in the repository, and the repository in the home folder.
    for path, name in (
        (str(hub.root), "<hub>"), (sys.prefix, "<env>"), (sys.base_prefix, "<python>"), (str(ROOT), "<repo>"),
        (str(Path.home()), "<home>"),
    ):  # fmt: skip
        if path != Path(path).anchor:  # a home of / would match every path and every fraction
            text = text.replace(path, name)
    return re.sub(r"/tmp/[\w.-]+", "<tmp>", text)


def scrub(hub: Hub) -> None:
    """Clean the executed notebooks and the logs of a hub.

    Raises
    ------
    ValueError
        A cleaned notebook would not be JSON any more; it stays as it was.
    """
    for path in [*(hub / "notebooks").glob("[!.]*.ipynb"), *(hub / "cli").glob("*.log")]:
        text = path.read_text(encoding="utf-8", errors="replace")
        # The run still appends to its own log; the engine cleans each line before it writes it there.
        if path.name != Path(LOG).name and (cleaned := clean(hub, text)) != text:
            json.loads(cleaned) if path.suffix == ".ipynb" else None
            write_text(path, cleaned)
