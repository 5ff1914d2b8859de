"""Score differences PtychoPINN - other ("deltas"), and the texts made from them.

A delta is always printed with its sign. A positive MS-SSIM delta and a negative MAE delta favour PtychoPINN.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from studylib.judge.compare import CONSTANT

Table = dict[str, dict[str, dict[str, Any]]]
"""Scores by model, metric and channel."""

# The original study (STUDY-001) compares one model with two others, by two metrics.
MINE = "PtychoPINN"
OTHERS = ("Baseline", "PtyChi")
LABELS = {"ms_ssim": "MS-SSIM", "mae": "MAE"}
DECIMALS = {"ms_ssim": 3, "mae": 6}
ORDER = [(metric, other) for metric in ("ms_ssim", "mae") for other in OTHERS]


def delta(table: Table, unfit: Collection[str], other: str) -> dict[str, dict[str, float | None]]:
    """Return the differences PtychoPINN - other, by metric and channel.

    Parameters
    ----------
    table
        Scores by model, metric and channel.
    unfit
        Names of the models whose scores must not be compared, because they did not learn.
    other
        Name of the other model.

    Returns
    -------
    dict
        By metric (ms_ssim, mae) and channel (amplitude, phase). A value is None where one of the two models is not in
        the table, did not learn, or has no score in that channel.
    """
    fit = all(name in table and name not in unfit for name in (MINE, other))

    def difference(metric: str, channel: str) -> float | None:
        """Return one difference, or None where one of the two scores is missing."""
        mine, its = (table[name][metric][channel] for name in (MINE, other)) if fit else (None, None)
        return None if mine is None or its is None else mine - its

    return {metric: {c: difference(metric, c) for c in ("amplitude", "phase")} for metric in LABELS}


def deltas_of(table: Table, unfit: Collection[str] = ()) -> dict[str, Any]:
    """Return the deltas of the original study (STUDY-001) from one comparison table.

    Parameters
    ----------
    table
        Scores by model, metric and channel.
    unfit
        Names of the models whose scores must not be compared.

    Returns
    -------
    dict
        Keys vs_Baseline and vs_PtyChi, each with the result of `delta`.
    """
    return {f"vs_{other}": delta(table, unfit, other) for other in OTHERS}


def deltas_by_arm(table: Table, unfit: Collection[str] = ()) -> dict[str, Any]:
    """Return the deltas against the models that the original study does not have.

    Parameters
    ----------
    table
        Scores by model, metric and channel.
    unfit
        Names of the models whose scores must not be compared.

    Returns
    -------
    dict
        The result of `delta` by the name of the other model. Baseline, PtyChi and the constant image are left out.
    """
    return {name: delta(table, unfit, name) for name in table if name not in (MINE, CONSTANT, *OTHERS)}


def signed(value: float | None, metric: str) -> str:
    """Return a delta as text with its sign.

    Parameters
    ----------
    value
        The delta; None gives "n/a".
    metric
        ms_ssim is printed with three decimals, mae with six.

    Examples
    --------
    >>> signed(0.0123, "ms_ssim"), signed(None, "mae")
    ('+0.012', 'n/a')
    """
    return "n/a" if value is None else f"{value:+.{DECIMALS[metric]}f}"


def prefix(metric: str, other: str) -> str:
    """Return the label of a delta.

    Parameters
    ----------
    metric
        ms_ssim or mae.
    other
        Name of the other model.
    """
    return f"{LABELS[metric]} Δ (PtychoPINN - {other})"


def highlights(deltas: dict[str, Any]) -> str:
    """Return the four lines of metrics_delta_highlights.txt, with amplitude and phase.

    Parameters
    ----------
    deltas
        Result of `deltas_of`.
    """
    lines = []
    for metric, other in ORDER:
        d = deltas[f"vs_{other}"][metric]
        # The labels are padded to one width so that the numbers stand in columns.
        numbers = f"amplitude {signed(d['amplitude'], metric)}  phase {signed(d['phase'], metric)}"
        lines.append(f"{prefix(metric, other):<35}: {numbers}")
    return "\n".join(lines) + "\n"


def preview(deltas: dict[str, Any]) -> str:
    """Return the four lines of metrics_delta_highlights_preview.txt, which hold the phase alone.

    Parameters
    ----------
    deltas
        Result of `deltas_of`.
    """
    return "".join(
        f"{prefix(metric, other)}: {signed(deltas[f'vs_{other}'][metric]['phase'], metric)}\n"
        for metric, other in ORDER
    )
