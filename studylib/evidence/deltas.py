"""The deltas, PtychoPINN - other, and the texts made from them: sign always shown, phase first in use."""

from __future__ import annotations

from typing import Any

Table = dict[str, dict[str, dict[str, Any]]]
"""Numbers by model, metric and channel."""

OTHERS = ("Baseline", "PtyChi")
LABELS = {"ms_ssim": "MS-SSIM", "mae": "MAE"}
DECIMALS = {"ms_ssim": 3, "mae": 6}
ORDER = [(metric, other) for metric in ("ms_ssim", "mae") for other in OTHERS]


def deltas_of(table: Table) -> dict[str, Any]:
    """Return the deltas of one comparison table (model -> metric -> channel)."""
    return {
        f"vs_{other}": {
            metric: {
                channel: table["PtychoPINN"][metric][channel] - table[other][metric][channel]
                for channel in ("amplitude", "phase")
            }
            for metric in ("ms_ssim", "mae")
        }
        for other in OTHERS
    }


def signed(value: float | None, metric: str) -> str:
    """Return a delta with its sign: MS-SSIM three decimals, MAE six."""
    return "n/a" if value is None else f"{value:+.{DECIMALS[metric]}f}"


def prefix(metric: str, other: str) -> str:
    """Return the label of a delta."""
    return f"{LABELS[metric]} Δ (PtychoPINN - {other})"


def highlights(deltas: dict[str, Any]) -> str:
    """Return the four lines of metrics_delta_highlights.txt."""
    lines = []
    for metric, other in ORDER:
        d = deltas[f"vs_{other}"][metric]
        numbers = f"amplitude {signed(d['amplitude'], metric)}  phase {signed(d['phase'], metric)}"
        lines.append(f"{prefix(metric, other):<35}: {numbers}")
    return "\n".join(lines) + "\n"


def preview(deltas: dict[str, Any]) -> str:
    """Return the four phase-only lines of metrics_delta_highlights_preview.txt."""
    return "".join(
        f"{prefix(metric, other)}: {signed(deltas[f'vs_{other}'][metric]['phase'], metric)}\n"
        for metric, other in ORDER
    )
