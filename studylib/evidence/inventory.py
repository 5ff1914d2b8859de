"""analysis/artifact_inventory.txt: all files of a hub, hub-relative and sorted, without the list of their hashes."""

from __future__ import annotations

from pathlib import Path

from studylib.evidence import checksums
from studylib.io.files import write_text
from studylib.run.hub import LOG, Hub

NAME = "analysis/artifact_inventory.txt"
LATER = {"analysis/verification_report.json", LOG}
"""Files that are written while the inventory is taken, or after it."""


def write(hub: Hub) -> Path:
    """Write the inventory. The inventory contains its own name."""
    # The file must exist before the names are collected, or it would not list itself.
    write_text(hub / NAME, "")
    return write_text(hub / NAME, "\n".join(checksums.names(hub)) + "\n")
