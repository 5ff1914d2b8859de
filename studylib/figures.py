"""Figures: one colour scale for one quantity, and a scale bar in pixels."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from studylib.arms.registry import arms as arms_by_key
from studylib.physics.stitch import scanned_box

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from studylib.judge.compare import Comparison
    from studylib.judge.select import Choice
    from studylib.judge.uncertainty import ErrorMap
    from studylib.planner import Plan
    from studylib.scan import Scan

MAGNIFIED = 3
"""How many times larger the figure of the arms shows a part of the image."""
FRAME = "#e6007e"
"""Colour of the frame around that part: it is in neither of the colour maps."""


def candidates(choice: Choice, scan: Scan) -> Figure:
    """Draw the phase of every candidate of a choice, the best first, with the difference of its loss to the best.

    Parameters
    ----------
    choice
        Candidates, with their loss of the counts that were not fitted, nats per pattern.
    scan
        Scan with positions; the figure shows the box that they span.
    """
    box = scanned_box(scan.positions).slices
    tried = sorted(choice.tried, key=lambda t: t.loss)
    columns = min(4, len(tried))
    rows = -(-len(tried) // columns)
    figure = Figure(figsize=(3.2 * columns, 3.2 * rows), dpi=72, layout="constrained")
    # The last row may have more panels than candidates, so the axes of all panels are hidden.
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, one in zip(panels, tried, strict=False):
        axes.imshow(np.angle(one.image[box]))
        words = textwrap.fill(", ".join(f"{k} {v}" for k, v in one.settings.items()), 34)
        worse = f"+{one.loss - tried[0].loss:.2f} ± {one.standard_error:.2f}" if one is not tried[0] else "the best"
        axes.set_title(f"{words}\n{worse}", fontsize=8)
    return figure


def colour(name: str) -> str:
    """Return the colour of an arm by its name; grey for the truth and the constant image."""
    return next((arm.colour for arm in arms_by_key().values() if arm.name == name), "#888888")


def _scale_bar(axes: Axes, shape: tuple[int, int]) -> None:
    """Draw a scale bar, whose length is the largest power of ten up to a third of the image width.

    Parameters
    ----------
    axes
        Panel with the image.
    shape
        Rows and columns of the image.
    """
    length = 10 ** int(np.log10(shape[1] / 3))
    axes.plot([8, 8 + length], [shape[0] - 8] * 2, color="white", lw=4, solid_capstyle="butt")
    axes.plot([8, 8 + length], [shape[0] - 8] * 2, color="black", lw=2, solid_capstyle="butt")
    axes.text(8, shape[0] - 14, f"{length} px", color="white", fontsize=7)


def arms(comparison: Comparison, channel: str) -> Figure:
    """Draw the truth and the arms below one another: scored box, the part where they differ most, error.

    Parameters
    ----------
    comparison
        Images in the gauge of the truth.
    channel
        phase or amplitude.
    """
    from studylib.judge.compare import channels

    pairs = {m: channels(image, comparison.truth, comparison.phase)[channel] for m, image in comparison.images.items()}
    truth = next(iter(pairs.values()))[1]
    rows, columns = truth.shape
    side = max(1, min(rows, columns) // MAGNIFIED)
    top, left = where_they_differ([image for image, _ in pairs.values()], truth, side)
    part = (slice(top, top + side), slice(left, left + side))
    # The colour scale follows the truth, and the scale of the errors has the same range about zero.
    low, high = np.percentile(truth, [0.5, 99.5])
    look = {"vmin": low, "vmax": high, "cmap": "gray" if channel == "amplitude" else "viridis"}
    limit = (high - low) / 2
    unit = " [rad]" if channel == "phase" else ""
    # Each row is as high as the image has pixels, within limits, and as wide as the pictures then are.
    high_px = float(np.clip(rows, 150, 260))
    figure = Figure(
        figsize=(2.4 + high_px / 100 * (1 + 2 * columns / rows), (high_px + 12) / 100 * (1 + len(pairs))),
        dpi=100, layout="constrained",
    )  # fmt: skip
    grid = figure.subplots(1 + len(pairs), 3, width_ratios=(columns, rows, columns))
    # Columns of the grid: scored box, magnified part, error.
    for axes, name in zip(grid, (comparison.against, *pairs), strict=True):
        image = truth if name == comparison.against else pairs[name][0]
        shown = axes[0].imshow(image, **look)
        axes[0].set_ylabel(name)
        _scale_bar(axes[0], truth.shape)
        axes[0].add_patch(Rectangle((left - 0.5, top - 0.5), side, side, fill=False, color=FRAME, lw=1.5))
        axes[1].imshow(image[part], **look)
        axes[1].spines[:].set(color=FRAME, lw=1.5)
        if name == comparison.against:
            axes[2].set_axis_off()
        else:
            error = axes[2].imshow(image - truth, vmin=-limit, vmax=limit, cmap="RdBu_r")
    for axes, title in zip(grid[0], (f"{channel}{unit}", f"{MAGNIFIED} times larger", ""), strict=True):
        axes.set_title(title, fontsize=10)
    grid[1, 2].set_title(f"error: arm - {comparison.against}", fontsize=10)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
    figure.colorbar(shown, ax=grid[:, 0], location="left", shrink=0.6)
    figure.colorbar(error, ax=grid[:, 2], shrink=0.6)
    return figure


def where_they_differ(images: Sequence[NDArray[np.float32]], truth: NDArray[np.float32], side: int) -> tuple[int, int]:
    """Return the square in which images differ most from one another; a single image is compared with the truth.

    Parameters
    ----------
    images
        Images of one channel, (rows, columns) each.
    truth : (rows, columns)
        True image of the same channel.
    side
        Side of the square, pixels.

    Returns
    -------
    top, left
        First row and column of the square with the largest sum of the standard deviation over images.
    """
    compared = images if len(images) > 1 else [*images, truth]
    spread = np.std(np.stack(compared), axis=0)  # (row, column)
    # Sums over every square, from sums over all rectangles that begin at the first pixel.
    sums = np.pad(spread.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    squares = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    top, left = np.unravel_index(np.argmax(squares), squares.shape)
    return int(top), int(left)


def ring_correlation(rows: list[dict[str, float]], against: str = "truth") -> Figure:
    """Draw the Fourier ring correlation of the phase and of the amplitude, side by side.

    Parameters
    ----------
    rows
        One dictionary for each frequency: `frequency` as a fraction of Nyquist, and the correlation of each arm and
        channel.
    against
        What the arms are correlated with: the truth, or the reference of a measured scan.
    """
    figure = Figure(figsize=(11.5, 3.6), layout="constrained")
    frequency = [row["frequency"] for row in rows]
    panels = figure.subplots(1, 2, sharey=True)
    for axes, channel in zip(panels, ("phase", "amplitude"), strict=True):
        for model in (name.removesuffix("_phase") for name in rows[0] if name.endswith("_phase")):
            axes.plot(frequency, [row[f"{model}_{channel}"] for row in rows], color=colour(model), label=model)
        axes.axhline(0.5, color="grey", lw=0.8)
        axes.set(xlabel="spatial frequency / Nyquist", title=channel, ylim=(-0.1, 1.02), xlim=(0, 1))
    panels[0].set_ylabel(f"FRC with the {against}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", fontsize=9)
    return figure


def sample(image: NDArray[np.complex64], probe: NDArray[np.complex64]) -> Figure:
    """Draw amplitude and phase of the object and of the probe.

    Parameters
    ----------
    image : (rows, columns) complex64
        Object.
    probe : (N, N) complex64
        Probe.
    """
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    a, p, q, r = figure.subplots(1, 4)
    pictures = (
        (a, np.abs(image), "object amplitude", "gray"),
        (p, np.angle(image), "object phase [rad]", "viridis"),
        (q, np.abs(probe), "probe amplitude", "magma"),
        (r, np.angle(probe), "probe phase [rad]", "twilight"),
    )
    for axes, picture, title, cmap in pictures:
        figure.colorbar(axes.imshow(picture, cmap=cmap), ax=axes, shrink=0.8)
        axes.set_title(title, fontsize=9)
    return figure


def patterns(counts: NDArray[np.float32], n: int = 4, mask: NDArray[np.bool_] | None = None) -> Figure:
    """Draw some patterns, evenly spread over the scan, as the square root of their counts.

    Parameters
    ----------
    counts : (positions, N, N) float32
        Photons, zero frequency in the centre.
    n
        Number of patterns to draw.
    mask : (N, N) bool
        False at detector pixels that cannot be trusted, which are drawn in blue; None when all can.
    """
    figure = Figure(figsize=(11, 2.8), layout="constrained")
    for axes, i in zip(figure.subplots(1, n), np.linspace(0, len(counts) - 1, n).astype(int), strict=True):
        figure.colorbar(_draw_pattern(axes, counts[i], mask), ax=axes, shrink=0.8)
        axes.set_title(f"pattern {i}: {int(counts[i].sum())} photons", fontsize=9)
    return figure


def _draw_pattern(axes: Axes, counts: NDArray, mask: NDArray[np.bool_] | None) -> AxesImage:
    """Draw the square root of a pattern, with untrusted pixels in blue, and return the image.

    Parameters
    ----------
    axes
        Panel to draw on.
    counts : (N, N)
        Photons.
    mask : (N, N) bool
        False at detector pixels that cannot be trusted; None when all can.
    """
    roots = np.ma.masked_array(np.sqrt(counts), mask=False if mask is None else ~mask)
    return axes.imshow(roots, cmap=colormaps["magma"].with_extremes(bad="#56b4e9"))


def positions(before: NDArray[np.float64], kept: dict[str, NDArray[np.float64]], diameter: float) -> Figure:
    """Draw the scan (grey), the positions that a view keeps, and one disc of the probe's diameter for each split.

    Parameters
    ----------
    before : (positions, 2) float64
        x and y of the whole scan, object pixels.
    kept
        By split, x and y of the positions that are kept, (positions, 2) float64, object pixels.
    diameter
        Diameter of the probe, object pixels.
    """
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    axes.scatter(before[:, 0], before[:, 1], s=1, color="lightgrey", label="scan")
    for (split, where), colour in zip(kept.items(), ("#0072b2", "#d55e00"), strict=True):
        axes.scatter(where[:, 0], where[:, 1], s=6, color=colour, label=f"{split}: {len(where)}")
        angle = np.linspace(0, 2 * np.pi, 60)
        # The disc stands at the position nearest to the centre of its split.
        middle = where[np.argmin(np.linalg.norm(where - where.mean(axis=0), axis=1))]
        axes.plot(middle[0] + diameter / 2 * np.cos(angle), middle[1] + diameter / 2 * np.sin(angle), color=colour)
    axes.set(xlabel="x [px]", ylabel="y [px]", aspect="equal")
    axes.invert_yaxis()
    axes.legend(loc="upper right", fontsize=8)
    return figure


def scan_map(positions: dict[str, NDArray[np.float64]], scan: Scan) -> Figure:
    """Draw the positions by split, the photons that fell on each object pixel, and the mean pattern with its mask.

    Splits with the same positions are one scan, so its photons count once.

    Parameters
    ----------
    positions
        By split, x and y of the window centres, (positions, 2) float64, object pixels.
    scan
        Scan of one split, for the probe, the frame, the counts and the mask.
    """
    from studylib.physics.windows import place

    parts: dict[str, NDArray[np.float64]] = {}
    for split, points in positions.items():
        # The two splits of a measured scan may have the same positions: they share one legend entry.
        same = next((name for name, other in parts.items() if np.array_equal(other, points)), None)
        parts[f"{same}, {split}" if same else split] = parts.pop(same) if same else points
    figure = Figure(figsize=(15, 4.4), layout="constrained")
    where, light, mean = figure.subplots(1, 3)
    intensity = np.abs(scan.probe) ** 2
    total = np.zeros(scan.shape)
    for (split, points), colour in zip(parts.items(), ("#0072b2", "#d55e00"), strict=False):
        where.scatter(points[:, 0], points[:, 1], s=4, color=colour, label=f"{split}: {len(points)}")
        # The same probe intensity, (positions, N, N), is added in every window of the frame.
        total += place(np.broadcast_to(intensity, (len(points), *intensity.shape)), points, scan.shape)
    where.set(xlabel="x [px]", ylabel="y [px]", aspect="equal", xlim=(0, scan.shape[1]), ylim=(scan.shape[0], 0))
    where.legend(loc="center right", fontsize=8)
    figure.colorbar(light.imshow(total, cmap="magma"), ax=light, label="photons a pixel", shrink=0.8)
    light.set(xlabel="x [px]", title="illumination")
    lost = 0 if scan.mask is None else int(np.count_nonzero(~scan.mask))
    said = {0: "", 1: ", blue: 1 pixel is not trusted"}.get(lost, f", blue: {lost} pixels are not trusted")
    drawn = _draw_pattern(mean, scan.counts.mean(axis=0), scan.mask)
    figure.colorbar(drawn, ax=mean, label="root of the mean counts", shrink=0.8)
    mean.set_title(f"mean pattern{said}")
    return figure


def limit(photons: NDArray[np.float32], spread: NDArray[np.float32]) -> Figure:
    """Draw how many photons each pixel sends to the detector, and how exactly they give its phase without any prior.

    Parameters
    ----------
    photons : (rows, columns) float32
        Photons per pixel of the scored box.
    spread : (rows, columns) float32
        Standard deviation of the phase at the Cramer-Rao bound, rad.
    """
    figure = Figure(figsize=(11, 0.6 + 5 * photons.shape[0] / photons.shape[1]), layout="constrained")
    left, right = figure.subplots(1, 2)
    figure.colorbar(left.imshow(photons, cmap="magma", vmin=0), ax=left, label="photons a pixel", shrink=0.8)
    # A few dark pixels with a huge error must not set the colour scale.
    worst = float(np.percentile(spread, 99))
    drawn = right.imshow(spread, cmap="cividis", vmin=0, vmax=worst)
    figure.colorbar(drawn, ax=right, label="standard deviation, rad", shrink=0.8)
    left.set_title("photons that each pixel sends")
    right.set_title("error of the phase at the bound of Cramer and Rao")
    return figure


def uncertainty(found: ErrorMap, wrong: tuple[NDArray[np.float64], NDArray[np.float64]] | None) -> Figure:
    """Draw the estimated error of each pixel in phase and amplitude, beside the true error where a truth exists.

    Parameters
    ----------
    found
        Estimated standard error, two maps of (rows, columns) float32.
    wrong
        True error of the phase, rad, and of the amplitude, (rows, columns) float64 each; None without a truth.
    """
    rows, columns = found.phase.shape
    across = 1 if wrong is None else 2
    figure = Figure(figsize=(5.5 * across, 0.6 + 2 * (0.5 + 4.2 * rows / columns)), layout="constrained")
    grid = figure.subplots(2, across, squeeze=False)
    for place, (name, told) in enumerate((("phase [rad]", found.phase), ("amplitude", found.amplitude))):
        # The estimated and the true error share one colour scale.
        worst = float(np.percentile(told, 99.5))
        shown = [(f"estimated error, {name}", told)]
        shown += [] if wrong is None else [(f"true error, {name}", np.abs(wrong[place]))]
        for axes, (title, picture) in zip(grid[place], shown, strict=True):
            drawn = axes.imshow(picture, cmap="cividis", vmin=0, vmax=worst)
            axes.set(title=title, xticks=[], yticks=[])
        figure.colorbar(drawn, ax=grid[place].tolist(), shrink=0.8)
    return figure


def plan(made: Plan) -> Figure:
    """Draw what every arm is expected to reach over the dose, beside what the photons allow.

    A curve is dotted where it is extrapolated beyond the measured photons per pixel. A point marks an option's dose.

    Parameters
    ----------
    made
        Result of `studylib.planner.make_plan`.
    """
    from studylib.judge.planning import GRID, expected

    figure = Figure(figsize=(5.2 * len(made.allowed), 4.2), dpi=96, layout="constrained")
    panels = figure.subplots(1, len(made.allowed), squeeze=False, sharey=True)[0]
    for axes, (view, every) in zip(panels, made.allowed.items(), strict=True):
        allowed = [a for a in every if made.target.allowed(a)]
        if not allowed:
            axes.set_title(f"{view} overlap: photons tell of nothing")
            continue
        doses = np.geomspace(allowed[0].dose, allowed[-1].dose, GRID)
        for name in (arm for arm, of in made.found if of == view):
            found = made.found[name, view]
            photons, values = expected(allowed, found, made.target, doses)
            # The dotted line goes over the whole range, the solid one only over the measured part.
            inside = np.array([not found.beyond(n) for n in photons])
            axes.plot(doses, np.where(inside, values, np.nan), color=colour(name), lw=2, label=name)
            axes.plot(doses, values, ":", color=colour(name), lw=1)
        axes.plot(
            [a.dose for a in allowed],
            [made.target.allowed(a) for a in allowed],
            "k--",
            lw=1,
            label=made.target.limit_words,
        )
        axes.axhline(made.target.value, color="grey", lw=0.8)
        for option in (o for o in made.options if o.view == view and o.dose is not None):
            axes.plot(option.dose, option.expected, "o", ms=5, color=colour(option.arm))
        axes.set(xscale="log", yscale="log", xlabel="photons per pattern", title=f"{view} overlap")
    panels[0].set_ylabel(made.target.axis)
    panels[-1].legend(fontsize=7)
    return figure


def draw_history(axes: Axes, rows: list[dict[str, Any]], flat_loss: float) -> None:
    """Draw the training loss and the held-out loss over time, with the loss of a flat object.

    Parameters
    ----------
    axes
        Panel to draw on.
    rows
        Rows of history.csv: seconds, loss and val_loss.
    flat_loss
        Held-out loss of a flat object.
    """
    seconds = [float(row["seconds"]) for row in rows]
    for key, style, words in (("loss", "-", "training"), ("val_loss", "o-", "held out")):
        axes.plot(seconds, [float(row[key]) for row in rows], style, ms=3, label=words)
    axes.axhline(flat_loss, color="grey", ls=":", label="flat object")
    axes.set(xlabel="seconds", ylabel="loss")
    axes.legend(fontsize=8)


def history(rows: list[dict[str, Any]], flat_loss: float) -> Figure:
    """Draw the training curve of one network.

    Parameters
    ----------
    rows
        Rows of history.csv: seconds, loss and val_loss.
    flat_loss
        Held-out loss of a flat object.
    """
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    draw_history(figure.subplots(), rows, flat_loss)
    return figure
