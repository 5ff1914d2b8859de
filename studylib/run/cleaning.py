"""No path of this machine in what a run leaves behind (TYPE-PATH-001)."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from studylib.io.files import write_text
from studylib.run.hub import LOG, Hub
from studylib.run.provenance import ROOT


def clean(hub: Hub, text: str) -> str:
    """Return the text without the absolute paths of this machine (TYPE-PATH-001)."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    for path, name in (
        (str(hub.root), "<hub>"), (sys.prefix, "<env>"), (sys.base_prefix, "<python>"), (str(ROOT), "<repo>"),
        (str(Path.home()), "<home>"),
    ):  # fmt: skip
        if path != Path(path).anchor:  # a home of / is in every path and every fraction
            text = text.replace(path, name)
    return re.sub(r"/tmp/[\w.-]+", "<tmp>", text)


def scrub(hub: Hub) -> None:
    """Clean executed notebooks and logs."""
    for path in [*(hub / "notebooks").glob("[!.]*.ipynb"), *(hub / "cli").glob("*.log")]:
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.name != Path(LOG).name and (cleaned := clean(hub, text)) != text:
            json.loads(cleaned) if path.suffix == ".ipynb" else None
            write_text(path, cleaned)
