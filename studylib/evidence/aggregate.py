"""Texts of metrics_summary.md, aggregate_report.md and aggregate_highlights.txt in the folder analysis.

All of them are made from the content of metrics_summary.json (`studylib.evidence.summary.summarise`).
"""

from __future__ import annotations

from typing import Any

from studylib.design import METRICS
from studylib.evidence.markup import number


def tables(summary: dict[str, Any]) -> str:
    """Return metrics_summary.md: one table for each comparison, with every metric and the cost of every model.

    Parameters
    ----------
    summary
        Content of metrics_summary.json.
    """
    lines = ["# Metrics by job", ""]
    for job in summary["jobs"]:
        lines += [f"## dose {job['dose']}, {job['view']}, {job['split']}", ""]
        # Two columns for each metric, phase and amplitude, then the two costs.
        lines += ["| Model | " + " | ".join(f"{m} phase | {m} amplitude" for m in METRICS) + " | seconds | MiB |"]
        lines += ["|---|" + "---|" * (2 * len(METRICS) + 2)]
        for model, table in job["metrics"].items():
            cells = [number(table[m][c], 4) for m in METRICS for c in ("phase", "amplitude")]
            # The constant image has no costs.
            cells += [number(table.get(c, {}).get("value"), 1) for c in ("computation_time_s", "peak_memory_mib")]
            lines.append(f"| {model} | " + " | ".join(cells) + " |")
        lines += ["", *notes(job)]
    return "\n".join(lines)


def notes(job: dict[str, Any]) -> list[str]:
    """Return the remarks on one comparison as lines of Markdown.

    Parameters
    ----------
    job
        One entry of `jobs` in metrics_summary.json.

    Returns
    -------
    list of str
        A line for each arm whose status has a reason, and a line for each channel that has no scores. An empty line
        ends the list unless there are no remarks.
    """
    told = [f"{name}: {s['status']}, {s['reason']}" for name, s in job["arms"].items() if s["reason"]]
    told += [f"{channel}: no scores, {reason}" for channel, reason in job["channels"].items() if reason]
    return [f"- {line}" for line in told] + [""] * bool(told)


def report(summary: dict[str, Any]) -> str:
    """Return aggregate_report.md: the mean scores over all comparisons, with the phase first.

    Parameters
    ----------
    summary
        Content of metrics_summary.json.
    """
    lines = ["# Aggregate Report", "", f"Mean over {summary['n_success']} comparison(s).", ""]
    lines += ["| Model | MS-SSIM phase | MS-SSIM amplitude | MAE phase | MAE amplitude |", "|---|---|---|---|---|"]
    for model, a in summary["aggregate_metrics"].items():
        cells = [a[m][f"mean_{c}"] for m in ("ms_ssim", "mae") for c in ("phase", "amplitude")]
        lines.append(f"| {model} | " + " | ".join(number(c, 4) for c in cells) + " |")
    return "\n".join(lines) + "\n"


def highlights(summary: dict[str, Any]) -> str:
    """Return aggregate_highlights.txt: the mean phase scores, one line for each model.

    Parameters
    ----------
    summary
        Content of metrics_summary.json.
    """
    out = []
    for model, a in summary["aggregate_metrics"].items():
        told = number(a["ms_ssim"]["mean_phase"], 3), number(a["mae"]["mean_phase"], 6)
        out.append(f"{model}: phase MS-SSIM {told[0]}, phase MAE {told[1]}\n")
    return "".join(out)
