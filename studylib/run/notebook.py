"""What every stage notebook needs first: its hub, and parameters that are what they should be."""

from __future__ import annotations

from pathlib import Path

from studylib.errors import InputError
from studylib.run.hub import Hub
from studylib.run.provenance import ROOT
from studylib.run.study import STUDY


def open_hub(hub: str) -> Hub:
    """Return the hub; an empty name is the scratch hub reports/scratch of the repository."""
    show_figures()
    return Hub(Path(hub) if hub else ROOT / "reports/scratch").create()


def open_study(hub: str) -> Hub:
    """Return the folder of a study of many conditions; an empty name is the newest one of the repository's reports.

    Raises
    ------
    InputError
        There is none.
    """
    show_figures()
    found = [path.parent.parent for path in (ROOT / "reports").glob(f"*/{STUDY}")] if not hub else [Path(hub)]
    existing = [path for path in found if (path / STUDY).is_file()]
    if not existing:
        raise InputError("hub", hub, f"the folder of a study, with {STUDY}", "run make response")
    return Hub(max(existing, key=lambda path: (path / STUDY).stat().st_mtime))


def show_figures() -> None:
    """Let a notebook show a matplotlib Figure that did not come from pyplot."""
    from IPython import get_ipython
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    if get_ipython() is not None:
        set_matplotlib_formats("png")


def round_table(rows: list[dict], columns: list[str], digits: int = 4):
    """Return the rows as a data frame, rounded, for display."""
    import pandas as pd

    return pd.DataFrame(rows, columns=columns).round(digits)
