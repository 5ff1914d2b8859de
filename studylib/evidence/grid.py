"""analysis/ssim_grid_summary.md: phase deltas only."""

from __future__ import annotations

from typing import Any

from studylib.errors import StageError
from studylib.evidence.deltas import ORDER, OTHERS, prefix, signed


def validate_preview(text: str) -> None:
    """Check the preview: four lines in order, phase only.

    Raises
    ------
    StageError
        It says anything else.
    """
    lines = text.splitlines()
    expected = [prefix(metric, other) for metric, other in ORDER]
    if [line.partition(": ")[0] for line in lines] != expected or "amplitude" in text.lower():
        raise StageError("metrics_delta_highlights_preview.txt is not the four phase-only lines")


def grid(by_condition: dict[str, dict[str, Any]], preview_text: str) -> str:
    """Return the summary of all conditions, a row each.

    Parameters
    ----------
    by_condition
        Label ("1000 dense test") to deltas.
    preview_text
        Content of the preview, checked here.
    """
    validate_preview(preview_text)
    lines = [
        "# SSIM Grid Summary (Phase-Only)", "",
        "**Generated from:** analysis/metrics_delta_summary.json", "",
        "**Preview validated:** analysis/metrics_delta_highlights_preview.txt (phase-only)", "",
    ]  # fmt: skip
    for metric, title in (("ms_ssim", "MS-SSIM"), ("mae", "MAE")):
        lines += [f"## Phase {title} Δ (PtychoPINN - other)", ""]
        lines += ["| Condition | " + " | ".join(f"vs {o}" for o in OTHERS) + " |", "|---|" + "---|" * len(OTHERS)]
        for label, deltas in by_condition.items():
            cells = [signed(deltas[f"vs_{o}"][metric]["phase"], metric) for o in OTHERS]
            lines.append(f"| {label} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)
