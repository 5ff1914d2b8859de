"""analysis/ssim_grid_summary.md: the phase deltas of all conditions of a run."""

from __future__ import annotations

from typing import Any

from studylib.errors import StageError
from studylib.evidence.deltas import ORDER, OTHERS, prefix, signed


def validate_preview(text: str) -> None:
    """Check that the preview has its four lines in the right order and speaks of the phase alone.

    Parameters
    ----------
    text
        Content of metrics_delta_highlights_preview.txt.

    Raises
    ------
    StageError
        The preview has other content.
    """
    lines = text.splitlines()
    expected = [prefix(metric, other) for metric, other in ORDER]
    if [line.partition(": ")[0] for line in lines] != expected or "amplitude" in text.lower():
        raise StageError("metrics_delta_highlights_preview.txt is not the four phase-only lines")


def grid(by_condition: dict[str, dict[str, Any]], preview_text: str) -> str:
    """Return ssim_grid_summary.md: a table for MS-SSIM and one for MAE, with one row for each condition.

    Parameters
    ----------
    by_condition
        Deltas (`studylib.evidence.deltas.deltas_of`) by the label of the condition, such as "dose 1000, dense, test".
    preview_text
        Content of metrics_delta_highlights_preview.txt, which is checked here.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    StageError
        The preview has other content than its four lines.
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
