"""analysis/metrics_digest.md: what a person reads first."""

from __future__ import annotations

from typing import Any

from studylib.design import MODELS
from studylib.evidence.deltas import highlights

THRESHOLD = 0.80
ALL_WELL = "✓ ALL COMPARISONS SUCCESSFUL ✓"
FAILURES = "⚠️ FAILURES PRESENT ⚠️"


def digest(summary: dict[str, Any], deltas: dict[str, Any] | None, split: str) -> str:
    """Return the digest of metrics_summary.json.

    Parameters
    ----------
    summary
        Content of metrics_summary.json.
    deltas
        Of the split named; None when no comparison succeeded.
    """
    failed = summary["n_failed"]
    verdict = [FAILURES, "", f"{failed} of {summary['n_jobs']} comparison job(s) failed"] if failed else [ALL_WELL]
    lines = [
        "# Phase G Dense Metrics Digest", "",
        "## Pipeline Summary", "",
        f"Jobs: {summary['n_jobs']}", f"Successful: {summary['n_success']}", f"Failed: {failed}", "",
        *verdict, "",
        "## Highlights", "",
    ]  # fmt: skip
    if deltas:
        lines += [f"Deltas on the {split} split:", "", "```", highlights(deltas).rstrip("\n"), "```", ""]
    lines += ["## MS-SSIM Sanity Check", "", f"Best over splits; OK from {THRESHOLD:.2f} in phase.", ""]
    lines += ["| Model | Amplitude | Phase | Status |", "|---|---|---|---|"]
    for model in MODELS:
        scores = summary["aggregate_metrics"].get(model, {}).get("ms_ssim")
        if scores:
            a, p = scores["best_amplitude"], scores["best_phase"]
            lines.append(f"| {model} | {a:.3f} | {p:.3f} | {'OK' if p >= THRESHOLD else 'LOW'} |")
    return "\n".join(lines) + "\n"


def exit_status(summary: dict[str, Any]) -> int:
    """Return 1 when any job failed, else 0."""
    return 1 if summary["n_failed"] else 0
