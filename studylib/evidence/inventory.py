"""analysis/artifact_inventory.txt: every file of the hub but the list of their hashes, hub-relative, sorted."""

from __future__ import annotations

from pathlib import Path

from studylib.evidence import checksums
from studylib.io.files import write_text
from studylib.run.hub import LOG, Hub

NAME = "analysis/artifact_inventory.txt"
LATER = {"analysis/verification_report.json", LOG}
"""Written while or after the inventory is taken."""


def write(hub: Hub) -> Path:
    """Write the inventory; it lists itself."""
    write_text(hub / NAME, "")
    return write_text(hub / NAME, "\n".join(checksums.names(hub)) + "\n")
