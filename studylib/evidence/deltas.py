"""The deltas, PtychoPINN - other, and the texts made from them: sign always shown, phase first in use."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from studylib.judge.compare import CONSTANT

Table = dict[str, dict[str, dict[str, Any]]]
"""Numbers by model, metric and channel."""

MINE = "PtychoPINN"
OTHERS = ("Baseline", "PtyChi")
LABELS = {"ms_ssim": "MS-SSIM", "mae": "MAE"}
DECIMALS = {"ms_ssim": 3, "mae": 6}
ORDER = [(metric, other) for metric in ("ms_ssim", "mae") for other in OTHERS]


def delta(table: Table, unfit: Collection[str], other: str) -> dict[str, dict[str, float | None]]:
    """Return PtychoPINN - other, by metric and channel.

    Parameters
    ----------
    table
        Scores by model, metric and channel.
    unfit
        Names of the models whose scores are not to be compared, because they did not learn.
    other
        Name of the other model.

    Returns
    -------
    None where one of the two is not in the table, did not learn, or has no score in a channel
    """
    fit = all(name in table and name not in unfit for name in (MINE, other))

    def difference(metric: str, channel: str) -> float | None:
        mine, its = (table[name][metric][channel] for name in (MINE, other)) if fit else (None, None)
        return None if mine is None or its is None else mine - its

    return {metric: {c: difference(metric, c) for c in ("amplitude", "phase")} for metric in LABELS}


def deltas_of(table: Table, unfit: Collection[str] = ()) -> dict[str, Any]:
    """Return the deltas of the original study (STUDY-001) of one comparison table."""
    return {f"vs_{other}": delta(table, unfit, other) for other in OTHERS}


def deltas_by_arm(table: Table, unfit: Collection[str] = ()) -> dict[str, Any]:
    """Return the deltas against every other model of the table, by its name."""
    return {name: delta(table, unfit, name) for name in table if name not in (MINE, CONSTANT, *OTHERS)}


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
