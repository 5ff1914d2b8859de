"""Settings that were chosen by split counts (`make selection`), and which of them fit a scan best."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from studylib.scan import Scan

TABLE = Path(__file__).with_name("choices.json")


@cache
def table() -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every arm: sample, probe, fluence, settings and how they were chosen."""
    return json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.is_file() else {}


def choice(key: str, scan: Scan) -> tuple[dict[str, Any], str]:
    """Return the settings of the nearest condition of the table, and in words which that is.

    Rows of the scan's own sample and probe come first, then those of its probe, then all; among them those of its view,
    since a view is an overlap; among these the one whose fluence is nearest, on a logarithmic scale. A scan whose probe
    is wide has few photons at a place in a pattern and many patterns there: fluence alone would take for it what was
    chosen for a few bright patterns.

    Parameters
    ----------
    key
        Of the arm.
    scan
        Its metadata name sample, probe and view.
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
    level = next(level for level in levels if level)
    candidates = [r for r in level if r["view"] == scan.metadata.get("view")] or level
    best = min(candidates, key=lambda r: abs(math.log(r["fluence"] / scan.fluence)))
    told = (
        f"chosen by split counts for {best['sample']}, {best['probe']}, {best['view']}, "
        f"{best['fluence']:.3g} photons per object pixel (this scan: {scan.fluence:.3g})"
    )
    return dict(best["settings"]), told
