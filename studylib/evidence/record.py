"""Append a run to the Attempts History of docs/fix_plan.md, on request (`make record HUB=...`)."""

from __future__ import annotations

from pathlib import Path

from studylib.errors import InputError
from studylib.evidence.deltas import signed
from studylib.evidence.writer import DELTAS
from studylib.io.files import read_json, write_text
from studylib.run.hub import Hub

HEADING = "## Attempts History"


def append_attempt(hub: Hub, fix_plan: Path) -> str:
    """Append the row of a verified run to the table, unless the table has it already.

    Parameters
    ----------
    hub
        Folder of a verified run.
    fix_plan
        The document, which must have a section "Attempts History".

    Returns
    -------
    str
        The row: date, dose, view, split, the four phase deltas, commit and name of the hub.

    Raises
    ------
    InputError
        The hub is not verified, or the document has no Attempts History.
    """
    remedy = "make verify HUB=..."
    if not read_json(hub / "analysis/verification_report.json", remedy)["ok"]:
        raise InputError("hub", hub.root.name, "a verified run", remedy)
    content = read_json(hub / DELTAS, remedy)
    origin, d = content["provenance"], content["deltas"]
    cells = [
        signed(d[f"vs_{other}"][metric]["phase"], metric)
        for metric in ("ms_ssim", "mae")
        for other in ("Baseline", "PtyChi")
    ]
    commit = (origin["git_commit"] or "none")[:10] + ("+dirty" if origin["git_dirty"] else "")
    row = "| " + " | ".join(
        [
            content["generated_at"], str(origin["dose"]), origin["view"], content["deltas_split"], *cells, commit,
            hub.root.name,
        ]
    ) + " |"  # fmt: skip
    text = fix_plan.read_text(encoding="utf-8")
    if HEADING not in text:
        raise InputError("document", fix_plan.name, f"a section {HEADING!r}", "restore it from git")
    if row not in text:
        write_text(fix_plan, text.rstrip("\n") + "\n" + row + "\n")
    return row
