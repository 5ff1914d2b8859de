"""analysis/artifact_inventory.txt: every file of the hub but the list of their hashes, hub-relative, sorted."""

from __future__ import annotations

from pathlib import Path

from studylib.evidence import checksums
from studylib.io.files import write_text
from studylib.run.hub import FOLDERS, LOG, Hub

NAME = "analysis/artifact_inventory.txt"
LATER = {"analysis/verification_report.json", LOG}
"""Written while or after the inventory is taken."""


def write(hub: Hub) -> Path:
    """Write the inventory; it lists itself."""
    write_text(hub / NAME, "")
    files = (p for folder in FOLDERS for p in (hub / folder).rglob("*") if p.is_file())
    names = {hub.relative(p) for p in files if not p.name.startswith(".")} - {checksums.NAME}
    return write_text(hub / NAME, "\n".join(sorted(names)) + "\n")
