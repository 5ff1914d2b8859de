"""Assess a measured scan: counts, dead and hot pixels, positions, overlap, fluence, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from studylib import orientation as orientations
from studylib.crop import side_of_study
from studylib.design import LEAST_SIDE, SIDE_STEP
from studylib.measured import Measured, are_whole
from studylib.probes import probe_diameter, spill

FAINT = (0.05, 3.0)
"""Range of mean counts per pattern of the "faint" pixels, whose dispersion is reported. Their counts are so few that
photon noise, and not the object's own variation, dominates their variance."""
UNDERDISPERSED = 0.8
"""Variance over mean below which counts were smoothed, averaged or rescaled; Poisson counts have at least 1."""
HOT, DEAD = 20.0, 5.0
"""A pixel is hot when its total exceeds `HOT` times the median of its neighbours plus one count per pattern. It is dead
when its total is 0 although the median of its neighbours is at least `DEAD` counts, over the whole scan."""


@dataclass(frozen=True)
class Counts:
    """Statistics of the patterns of a scan.

    Attributes
    ----------
    mean, least, most
        Mean, smallest and largest number of counts per pattern.
    brightest
        Largest count of a pixel.
    whole
        Whether all counts are whole numbers.
    step
        Greatest common divisor of a sample of the counts; 1 for raw counts.
    dispersion
        Median of variance over mean of the faint pixels; None where there are too few such pixels or patterns.
    total : (rows, columns) float64
        Sum of the counts over all patterns.
    dead, hot : (pixels, 2) int
        Row and column of each such pixel.
    """

    mean: float
    least: float
    most: float
    brightest: float
    whole: bool
    step: int
    dispersion: float | None
    total: NDArray[np.float64]
    dead: NDArray[np.intp]
    hot: NDArray[np.intp]

    def not_raw(self) -> str:
        """Return in words why the counts cannot be thinned exactly; empty when they can.

        Binomial thinning turns Poisson counts into those of a shorter exposure. It does not do so for other numbers.
        """
        if not self.whole:
            return "counts are no whole numbers: they were corrected, averaged or scaled"
        if self.step > 1:
            return f"every count is a multiple of {self.step}: they were scaled"
        if self.dispersion is not None and self.dispersion < UNDERDISPERSED:
            return (
                f"faint pixels vary less than photons do (variance over mean {self.dispersion:.2f}, at least 1 "
                "expected): they were smoothed or averaged"
            )
        return ""


def count(scan: Measured) -> Counts:
    """Compute the statistics in one pass over all patterns, some at a time.

    Parameters
    ----------
    scan
        A scan with patterns. Pixels outside its mask are left out of all numbers except `total`.

    Returns
    -------
    Counts
        Dispersion is None with fewer than 20 faint pixels, or with 20 patterns or fewer.
    """
    assert scan.patterns is not None
    shape = scan.patterns.shape[1:]
    total, squares = np.zeros(shape), np.zeros(shape)
    sums: list[NDArray] = []
    brightest, whole, step = 0.0, True, 0
    good = np.ones(shape, dtype=bool) if scan.mask is None else scan.mask
    for block in scan.blocks():  # block: (some patterns, rows, columns)
        total += block.sum(axis=0)
        squares += (block**2).sum(axis=0)
        sums.append((block * good).sum(axis=(1, 2)))
        seen = block[:, good]  # (some patterns, trusted pixels)
        brightest = max(brightest, float(seen.max(initial=0)))
        whole = whole and are_whole(seen)
        # The first pattern of each block is the sample from which the common divisor is taken.
        step = int(np.gcd.reduce(np.rint(seen[0]).astype(np.int64), initial=step)) if len(seen) else step
    n, each = scan.patterns.shape[0], np.concatenate(sums)
    mean = total / n
    # Unbiased variance over the patterns, for every pixel.
    variance = (squares - n * mean**2) / max(n - 1, 1)
    faint = good & (mean > FAINT[0]) & (mean < FAINT[1])
    around = median_filter(np.where(good, total, 0), size=5)
    return Counts(
        float(each.mean()), float(each.min()), float(each.max()), brightest, whole, max(step, 1),
        float(np.median(variance[faint] / mean[faint])) if faint.sum() >= 20 and n > 20 else None,
        total, np.argwhere(good & (total == 0) & (around >= DEAD)), np.argwhere(good & (total > HOT * (around + n))),
    )  # fmt: skip


def describe(scan: Measured, counts: Counts | None) -> dict[str, Any]:
    """Return a description of a scan.

    Parameters
    ----------
    scan
        The scan; any part of it may be missing.
    counts
        Result of `count`; None where the scan has no patterns.

    Returns
    -------
    dict
        Text by name. The entry `notes` is a list of whole sentences: doubts, and how to add what is missing.
    """
    told: dict[str, Any] = {"file": scan.name, "format": scan.format}
    notes = list(scan.remarks)
    if scan.patterns is not None and counts is not None:
        n, rows, columns = scan.patterns.shape
        told["patterns"] = f"{n} of {rows} x {columns} px, {scan.patterns.dtype}"
        told["counts a pattern"] = f"{counts.mean:.4g} (from {counts.least:.4g} to {counts.most:.4g})"
        told["brightest pixel"] = f"{counts.brightest:.6g}"
        told["raw counts"] = counts.not_raw() or "yes: whole numbers" + (
            "" if counts.dispersion is None else f", variance over mean of faint pixels {counts.dispersion:.2f}"
        )
        if counts.not_raw():
            notes.append("thinning would not be a shorter exposure: a dose response wants raw counts")
        told["dead pixels"], told["hot pixels"] = (_pixels(p) for p in (counts.dead, counts.hot))
        side = side_of_study(rows, columns)
        if (rows, columns) != (side, side):
            notes.append(
                f"a study cuts the patterns to {side} x {side} px: a square whose side is a multiple of {SIDE_STEP}"
                if side
                else f"patterns of {rows} x {columns} px are too small for a study: {LEAST_SIDE} px is the least side"
            )
    if scan.mask is not None:
        told["mask"] = f"{np.count_nonzero(~scan.mask)} of {scan.mask.size} pixels are not to be trusted"
    if scan.background is not None:
        told["background"] = f"{scan.background.sum():.4g} counts a pattern that are expected without the probe"
    told |= _geometry(scan)
    if scan.object is not None:
        told["object"] = "{} x {} px".format(*scan.object.shape)
    doubt = scan.far_field_doubt()
    if doubt:
        notes.append(doubt)
    notes += [f"{name} missing: give {how}" for name, how in scan.missing().items()]
    return told | {"notes": notes}


def _geometry(scan: Measured) -> dict[str, str]:
    """Return positions, probe, overlap, fluence and units in words, as far as they are known."""
    told = {}
    if scan.energy_ev:
        told["energy"] = f"{scan.energy_ev / 1e3:.4g} keV (wavelength {scan.wavelength_m * 1e9:.4g} nm)"  # type: ignore[operator]
    if scan.distance_m:
        told["distance"] = f"{scan.distance_m:.4g} m"
    if scan.detector_pixel_m:
        told["detector pixel"] = "{:.4g} x {:.4g} um".format(*(1e6 * p for p in scan.detector_pixel_m))
    if scan.pixel_m:
        told["object pixel"] = f"{scan.pixel_m * 1e9:.4g} nm"
    places = scan.places
    if places is not None:
        # (positions, 2): x along columns, y along rows
        (x, y), (width, height) = places.min(axis=0), np.ptp(places, axis=0)
        told["positions"] = f"{len(places)} in {width:.1f} x {height:.1f} px, from x {x:.1f}, y {y:.1f}"
    if scan.spacing:
        told["spacing"] = f"{scan.spacing:.2f} px"
    if scan.probe is not None:
        modes, n, _ = scan.probe.shape
        told["probe"] = f"{n} x {n} px, {modes} mode{'s' if modes > 1 else ''}"
        diameter = probe_diameter(scan.probe[0])
        told["probe diameter"] = f"{diameter:.1f} px (90 % of its intensity)"
        told["probe at the border"] = f"{spill(scan.probe[0]):.1%} of its intensity"
        if scan.spacing:
            told["overlap"] = f"{1 - scan.spacing / diameter:.2f} (1 - spacing / diameter)"
    if scan.spacing and scan.patterns is not None:
        # The first 256 patterns give the mean, so that a large scan need not be read again.
        some = scan.counts(slice(0, 256)).sum(axis=(1, 2)).mean()
        told["fluence"] = f"{some / scan.spacing**2:.4g} photons per object pixel, all patterns together"
    return told


def _pixels(where: NDArray[np.intp]) -> str:
    """Return the number of some pixels and the first five of them in words.

    Parameters
    ----------
    where : (pixels, 2) int
        Row and column of each pixel.
    """
    if not len(where):
        return "none"
    shown = ", ".join(f"({r}, {c})" for r, c in where[:5].tolist())
    return f"{len(where)}: {shown}{', ...' if len(where) > 5 else ''} (row, column)"


def orientation(scan: Measured) -> dict[str, str]:
    """Return which orientation of the detector explains the patterns.

    Parameters
    ----------
    scan
        A scan with patterns and positions.

    Returns
    -------
    dict
        Text by name. The deflections of the patterns give a class of four orientations. With a known
        probe, short reconstructions give one of all sixteen.

    Raises
    ------
    InputError
        Patterns or positions are missing, or patterns are not square.
    """
    found = orientations.without_probe(scan)
    told = {"orientation class": "not clear: the deflections of the patterns are noise, or sampled too coarsely"}
    if found.clear:
        members = "; ".join(map(str, found.members))
        told["orientation class"] = f"{members} (curl {found.curl:.2f}, the next class {found.next_curl:.2f})"
    if scan.probe is not None:
        tried = orientations.with_probe(scan)
        behind = tried[1].loss - tried[0].loss
        # The likelihood of the counts that were not fitted must prefer the best one by three standard errors.
        clear = behind > 3 * tried[1].standard_error
        told["orientation"] = (
            f"{tried[0].orientation}{'' if clear else ' (not clear)'}: {tried[1].orientation} is {behind:.3g} "
            f"+- {tried[1].standard_error:.2g} nats per pattern behind"
        )
        if found.clear and tried[0].orientation not in found.members:
            told["orientation"] += "; it is not of the class that the deflections tell"
    return told


def plot(scan: Measured, path: Path, counts: Counts | None) -> Path:
    """Write the figure of `overview` as PNG.

    Parameters
    ----------
    scan
        The scan.
    path
        File to write.
    counts
        Result of `count`; None where the scan has no patterns.

    Returns
    -------
    Path
        The file.
    """
    from studylib.io.files import write_with

    figure = overview(scan, counts)
    return write_with(path, lambda file: figure.savefig(file, format="png"))


def overview(scan: Measured, counts: Counts | None) -> Figure:
    """Draw the positions in their order, the mean pattern and the probe, as far as they are known.

    Parameters
    ----------
    scan
        The scan; positions are drawn as x and y in object pixels.
    counts
        Result of `count`; None where the scan has no patterns.
    """
    from matplotlib.colors import LogNorm

    figure = Figure(figsize=(12, 4), dpi=110, layout="constrained")
    where, mean, light = figure.subplots(1, 3)
    if scan.places is not None:
        order = np.arange(len(scan.places))
        shown = where.scatter(*scan.places.T, c=order, s=6, cmap="viridis")
        figure.colorbar(shown, ax=where, label="number of the pattern")
        where.set(aspect="equal", xlabel="x [object px]", ylabel="y [object px]")
        where.invert_yaxis()
    if scan.patterns is not None and counts is not None:
        total = counts.total / scan.patterns.shape[0]
        total = total if scan.mask is None else np.where(scan.mask, total, np.nan)
        # A logarithmic scale needs a positive lower end, even for a scan without counts.
        low = max(float(np.nanmin(np.where(total > 0, total, np.nan))), 1e-3) if np.nanmax(total) > 0 else 1e-3
        shown = mean.imshow(total, norm=LogNorm(low, max(float(np.nanmax(total)), 2 * low)), cmap="magma")
        figure.colorbar(shown, ax=mean, label="counts")
    if scan.probe is not None:
        figure.colorbar(light.imshow(np.abs(scan.probe[0]), cmap="magma"), ax=light, label="modulus of the probe")
    titles = ((where, scan.places, "positions"), (mean, scan.patterns, "mean pattern"), (light, scan.probe, "probe"))
    for axes, value, title in titles:
        axes.set_title(title if value is not None else f"no {title}")
        if value is None:
            axes.set_axis_off()
    return figure
