"""Settings that `make selection` chose by split counts, and the choice among them for a given scan."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from studylib.scan import Scan

TABLE = Path(__file__).with_name("choices.json")
"""Table of chosen settings. The selection benchmark adds the conditions that it lacks."""


@cache
def table() -> dict[str, list[dict[str, Any]]]:
    """Return the table of chosen settings.

    Returns
    -------
    The rows of each arm by its key: sample, probe, fluence, settings and how they were chosen. Empty without a table
    """
    return json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.is_file() else {}


def choice(key: str, scan: Scan) -> tuple[dict[str, Any], str]:
    """Return the settings of the condition in the table that is nearest to a scan, and its description in words.

    The search narrows in three steps. It takes the rows with the scan's own sample and probe, or else those with its
    probe, or else all rows. Among these it prefers the rows of the scan's view, since a view is an overlap. Among these
    it takes the row whose fluence is nearest on a logarithmic scale. Fluence alone would mislead: a scan with a wide
    probe has few photons at any place in one pattern but many patterns there, and would be given the settings that were
    chosen for a few bright patterns.

    Parameters
    ----------
    key
        Key of the arm.
    scan
        Scan to be reconstructed; its metadata name sample, probe and view.

    Returns
    -------
    settings
        Chosen values by field name; empty if the table has no row for the arm.
    words
        Where they come from.
    """
    rows = table().get(key, [])
    if not rows:
        return {}, "the arm's own defaults"
    sample, probe = scan.metadata.get("sample_kind"), scan.metadata.get("probe_kind")
    levels = (
        [r for r in rows if (r["sample"], r["probe"]) == (sample, probe)],
        [r for r in rows if r["probe"] == probe],
        rows,
    )
    # The last level holds every row of the arm and is never empty here.
    level = next(level for level in levels if level)
    candidates = [r for r in level if r["view"] == scan.metadata.get("view")] or level
    best = min(candidates, key=lambda r: abs(math.log(r["fluence"] / scan.fluence)))
    told = (
        f"chosen by split counts for {best['sample']}, {best['probe']}, {best['view']}, "
        f"{best['fluence']:.3g} photons per object pixel (this scan: {scan.fluence:.3g})"
    )
    return dict(best["settings"]), told
