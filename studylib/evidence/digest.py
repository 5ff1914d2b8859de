"""analysis/metrics_digest.md: the summary that a person reads first."""

from __future__ import annotations

from typing import Any

from studylib.evidence.aggregate import notes
from studylib.evidence.deltas import highlights

THRESHOLD = 0.80
"""Phase MS-SSIM from which the sanity check of the digest says OK."""
ALL_WELL = "✓ ALL COMPARISONS SUCCESSFUL ✓"
FAILURES = "⚠️ FAILURES PRESENT ⚠️"


def digest(summary: dict[str, Any], deltas: dict[str, Any] | None, split: str) -> str:
    """Return metrics_digest.md: number of successful comparisons, deltas, and a check of each model's best MS-SSIM.

    Parameters
    ----------
    summary
        Content of metrics_summary.json.
    deltas
        Deltas of the split `split`; None when no comparison succeeded.
    split
        Name of the split (train or test) that the deltas belong to.
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
    # An arm that is unfit in one comparison is marked, even if it has a good score in another.
    unfit = {n for job in summary["jobs"] for n, told in job.get("arms", {}).items() if told["status"] != "ok"}
    for model, scores in ((m, a["ms_ssim"]) for m, a in summary["aggregate_metrics"].items()):
        a, p = scores["best_amplitude"], scores["best_phase"]
        word = "DID NOT LEARN" if model in unfit else "n/a" if p is None else "OK" if p >= THRESHOLD else "LOW"
        cells = ["n/a" if value is None else f"{value:.3f}" for value in (a, p)]
        lines.append(f"| {model} | {cells[0]} | {cells[1]} | {word} |")
    # A failed comparison has no arms and thus no remarks.
    told = [line for job in summary["jobs"] if "arms" in job for line in notes(job)]
    lines += ["", "## Remarks", "", *told] if told else []
    return "\n".join(lines) + "\n"


def exit_status(summary: dict[str, Any]) -> int:
    """Return 1 when a comparison failed, otherwise 0."""
    return 1 if summary["n_failed"] else 0
