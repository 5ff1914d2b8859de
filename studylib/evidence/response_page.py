"""Curves, tables and sentences of the response notebook."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from studylib import figures
from studylib.design import VIEWS
from studylib.evidence import response_tables
from studylib.evidence.markup import table
from studylib.evidence.response_schema import Point, Response
from studylib.evidence.response_tables import Rows, order
from studylib.judge.compare import CONSTANT

LABELS = {
    "phase_ms_ssim": "phase MS-SSIM", "amplitude_ms_ssim": "amplitude MS-SSIM", "phase_mae": "phase MAE [rad]",
    "seconds": "seconds",
}  # fmt: skip
"""Axis label of each metric."""
LIMITS = {"phase_bound": ":", "phase_wiener": "--"}
"""Line style of each limit: the Cramer-Rao bound and Wiener's estimator."""
STYLES = dict(zip(VIEWS, ("-", "--"), strict=True))
"""Line style of each view."""


def _kinds(points: list[Point]) -> list[tuple[str, str]]:
    """Return every pair of sample and probe, sorted."""
    return sorted({(p.sample, p.probe) for p in points})


def dose_response(told: Response, metric: str = "phase_ms_ssim") -> Figure:
    """Draw a metric of every arm over the dose: one row for each sample and probe, one column for each view.

    Parameters
    ----------
    told
        Response of a study.
    metric
        A metric of its points: phase_ms_ssim, amplitude_ms_ssim, phase_mae or seconds.
    """
    points = [p for p in told.points if p.metric == metric]
    columns = [view for view in VIEWS if any(p.view == view for p in points)]
    return _grid(
        points, _kinds(points), columns, lambda p, view: p.view == view, lambda p: p.dose,
        ("photons per pattern", LABELS[metric], "{} overlap"), metric, "log",
    )  # fmt: skip


def overlap_response(told: Response, metric: str = "phase_ms_ssim") -> Figure:
    """Draw a metric of every arm over the overlap: one row for each sample and probe, one column for each dose.

    Parameters
    ----------
    told
        Response of a study.
    metric
        As for `dose_response`.
    """
    points = [p for p in told.points if p.metric == metric]
    columns = sorted({p.dose for p in points})
    return _grid(
        points, _kinds(points), columns, lambda p, dose: p.dose == dose, lambda p: VIEWS[p.view],
        ("overlap of neighbouring probes", LABELS[metric], "{:,} photons per pattern"), metric, "linear",
    )  # fmt: skip


def fluence_response(told: Response, metric: str = "phase_ms_ssim") -> Figure:
    """Draw a metric over photons per object pixel: one row for each sample and probe, one column for each arm.

    The gap between the curves of two views, at the same fluence, is the effect of the overlap itself.

    Parameters
    ----------
    told
        Response of a study.
    metric
        As for `dose_response`.
    """
    points = [p for p in told.points if p.metric == metric and p.arm != CONSTANT]
    kinds, names = _kinds(points), order({p.arm for p in points})
    down, across = max(len(kinds), 1), max(len(names), 1)
    figure = Figure(figsize=(2.6 * across + 1, 2.4 * down + 0.7), dpi=110, layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey="row")
    for (row, kind), (column, name) in product(enumerate(kinds), enumerate(names)):
        axes = grid[row, column]
        for view in VIEWS:
            some = [p for p in points if (p.sample, p.probe) == kind and p.arm == name and p.view == view]
            _line(axes, sorted(some, key=lambda p: p.fluence), lambda p: p.fluence, STYLES[view], view)
        axes.set_xscale("log")
        axes.grid(alpha=0.3)
        _titles(axes, row, column, name, ", ".join(kind), LABELS[metric])
    grid[0, 0].legend(fontsize=7) if points else None
    figure.supxlabel("photons per object pixel", fontsize=9)
    return figure


def error_response(told: Response) -> Figure:
    """Draw the phase error of every arm over the dose, with the limits that the photons set."""
    figure = dose_response(told, "phase_mae")
    points = [p for p in told.points if p.metric == "phase_mae"]
    columns = [view for view in VIEWS if any(p.view == view for p in points)]
    # The panels are in the order of `dose_response`: by sample and probe, then by view.
    for axes, ((sample, probe), view) in zip(figure.axes, product(_kinds(points), columns), strict=True):
        axes.set_yscale("log")
        some = [m for m in told.limits if (m.sample, m.probe, m.view) == (sample, probe, view)]
        for name, style in LIMITS.items():
            doses = sorted({m.dose for m in some})
            means = [response_tables.mean_of([getattr(m, name) for m in some if m.dose == dose]) for dose in doses]
            axes.plot(doses, [np.nan if mean is None else mean for mean in means], style, color="black", lw=1)
    lines = [Line2D([], [], color="black", ls=style, lw=1) for style in LIMITS.values()]
    if told.limits:
        figure.legend(lines, ["bound, no bias", "Wiener"], loc="outside right lower", fontsize=8)
    return figure


def _grid(
    points: list[Point], kinds: list[tuple[str, str]], columns: list[Any], belongs: Callable[[Point, Any], bool],
    x: Callable[[Point], float], words: tuple[str, str, str], metric: str, scale: str,
) -> Figure:  # fmt: skip
    """Draw the curves of all arms in a grid of panels: one row for each sample and probe, one column for each value.

    Parameters
    ----------
    points
        Points of one metric.
    kinds
        Sample and probe of each row of panels.
    columns
        Value of each column of panels, such as a view or a dose.
    belongs
        Tells whether a point belongs to the column of a value.
    x
        Gives the horizontal coordinate of a point.
    words
        Label of the horizontal axis, label of the vertical axis, and format of a column's title.
    metric
        The metric; seconds get a logarithmic vertical axis.
    scale
        Scale of the horizontal axis, "log" or "linear".
    """
    figure = Figure(
        figsize=(3.2 * max(len(columns), 1) + 1.6, 2.6 * max(len(kinds), 1) + 0.7), dpi=110, layout="constrained"
    )
    grid = figure.subplots(max(len(kinds), 1), max(len(columns), 1), squeeze=False, sharex=True, sharey="row")
    for (row, kind), (column, value) in product(enumerate(kinds), enumerate(columns)):
        axes = grid[row, column]
        for name in order({p.arm for p in points}):
            some = [p for p in points if (p.sample, p.probe) == kind and p.arm == name and belongs(p, value)]
            _line(axes, sorted(some, key=x), x, ":" if name == CONSTANT else "-", name)
        axes.set_xscale(scale)
        if metric == "seconds":
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
        _titles(axes, row, column, words[2].format(value), ", ".join(kind), words[1])
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right upper", fontsize=8)
    figure.supxlabel(words[0], fontsize=9)
    return figure


def _titles(axes: Axes, row: int, column: int, above: str, beside: str, unit: str) -> None:
    """Write the title of a column in the first row of panels, and the label of a row in the first column."""
    if row == 0:
        axes.set_title(above, fontsize=9)
    if column == 0:
        axes.set_ylabel(f"{beside}\n{unit}", fontsize=8)


def _line(axes: Axes, some: list[Point], x: Callable[[Point], float], style: str, label: str) -> None:
    """Draw one curve, with a band from the smallest to the largest replicate.

    A point is hollow where the arm did not learn in a replicate, or where its contrast is out of bounds.

    Parameters
    ----------
    axes
        Panel to draw on.
    some
        Points of the curve, in the order of the horizontal axis.
    x
        Gives the horizontal coordinate of a point.
    style
        Line style.
    label
        Entry in the legend.
    """
    if not some:
        return
    colour, where = figures.colour(some[0].arm), [x(p) for p in some]
    axes.plot(where, [p.mean for p in some], style, color=colour, lw=1.4, label=label)
    for p in some:
        axes.plot(x(p), p.mean, "o", ms=4, color=colour, mfc="white" if p.unfit else colour)
    if any(p.replicates > 1 for p in some):
        axes.fill_between(where, [p.least for p in some], [p.most for p in some], color=colour, alpha=0.18, lw=0)


def _table(rows: Rows) -> HTML:
    """Return rows as an HTML table with all cells escaped."""
    if not rows:
        return HTML("<p>None.</p>")
    return HTML(table(rows))


def scores(told: Response, metric: str = "phase_ms_ssim") -> HTML:
    """Return `response_tables.scores` as HTML.

    Parameters
    ----------
    told
        Response of a study.
    metric
        Metric of its points.
    """
    return _table(response_tables.scores(told, metric))


def limits(told: Response) -> HTML:
    """Return `response_tables.limits` as HTML."""
    return _table(response_tables.limits(told))


def sure(told: Response) -> HTML:
    """Return `response_tables.sure` as HTML."""
    return _table(response_tables.sure(told))


def deltas(told: Response, metric: str = "phase_ms_ssim") -> HTML:
    """Return `response_tables.deltas` as HTML.

    Parameters
    ----------
    told
        Response of a study.
    metric
        Metric of its deltas.
    """
    return _table(response_tables.deltas(told, metric))


def winners(told: Response) -> HTML:
    """Return `response_tables.winners` as HTML."""
    return _table(response_tables.winners(told))


def needed(told: Response) -> HTML:
    """Return `response_tables.needed` as HTML."""
    return _table(response_tables.needed(told))


def equal_fluence(told: Response) -> HTML:
    """Return `response_tables.equal_fluence` as HTML."""
    return _table(response_tables.equal_fluence(told))
