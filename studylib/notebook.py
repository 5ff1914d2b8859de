"""What every stage notebook needs first: its hub, and parameters that are what they should be."""

from __future__ import annotations

from pathlib import Path

from studylib.hub import Hub
from studylib.provenance import ROOT


def open_hub(hub: str) -> Hub:
    """Return the hub; an empty name is the scratch hub reports/scratch of the repository."""
    return Hub(Path(hub) if hub else ROOT / "reports/scratch").create()


def round_table(rows: list[dict], columns: list[str], digits: int = 4):
    """Return the rows as a data frame, rounded, for display."""
    import pandas as pd

    return pd.DataFrame(rows, columns=columns).round(digits)
