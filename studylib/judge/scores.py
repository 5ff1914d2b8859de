"""Scores of one image against the truth: the region, the metrics, and the reasons for missing scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studylib.errors import StageError
from studylib.judge import metrics
from studylib.physics.stitch import Box, illumination, scanned_box
from studylib.scan import Scan

SHARE = 0.3
"""Smallest fluence of a pixel in the scored box, as a fraction of the mean fluence, where such a box exists."""
LEAST_SIDE = 64
"""A box is not cut below this many pixels in either direction (or below the scanned box, if that is smaller)."""
NO_CONTRAST = 1e-3
"""Range of a true channel below which it has no contrast, in units of the mean amplitude or in rad."""

Scores = dict[str, dict[str, float | None]]
"""Scores by channel and metric."""


@dataclass(frozen=True)
class Region:
    """The region in which images are scored.

    Attributes
    ----------
    box
        Rows and columns of the object.
    mean
        Mean fluence in the scanned box, photons per object pixel.
    least
        Smallest fluence in the scored box, as a fraction of the mean.
    """

    box: Box
    mean: float
    least: float

    def report(self) -> dict[str, float]:
        """Return the region as fields of registration.json."""
        b = self.box
        return {
            "top": b.top, "bottom": b.bottom, "left": b.left, "right": b.right,
            "mean_fluence": self.mean, "least_share_of_the_mean": self.least, "share_wanted": SHARE,
        }  # fmt: skip


def region_of(scan: Scan) -> tuple[NDArray[np.float64], Region]:
    """Return the fluence of a scan and the region in which its images are scored.

    Parameters
    ----------
    scan
        Probe, positions and frame.

    Returns
    -------
    light : (rows, columns) float64
        Fluence, photons per object pixel, in the frame of the positions.
    region
        The scored region.

    Raises
    ------
    StageError
        No light falls on the scanned box.
    """
    light = illumination(scan.probe, scan.positions, scan.shape)
    return light, scored_box(light, scanned_box(scan.positions))


def scored_box(light: NDArray[np.float64], scanned: Box, share: float = SHARE) -> Region:
    """Return the scanned box, with its rim cut off while that raises the smallest fluence.

    The light falls off at the rim of a scan. One line at a time is cut off the side that holds the darkest pixel, until
    every pixel has `share` of the mean fluence or the box would become too small. A dark pixel between sparse positions
    cannot be cut off; the share that was reached is reported.

    Parameters
    ----------
    light : (rows, columns) float64
        Fluence, photons per object pixel.
    scanned
        The box that the scan positions span.
    share
        Wanted smallest fluence, as a fraction of the mean fluence.

    Returns
    -------
    The scored region

    Raises
    ------
    StageError
        No light falls on the scanned box.
    """
    mean = float(light[scanned.slices].mean())
    if mean <= 0:
        raise StageError("no light falls on the scanned box: there is nothing to score")
    top, bottom, left, right = scanned.top, scanned.bottom, scanned.left, scanned.right
    least_side = min(LEAST_SIDE, bottom - top, right - left)
    # At most 128 lines are cut in all; 32 on each side are half a window of 64 pixels. Farther inside, dark pixels lie
    # between positions and not at the rim.
    for _ in range(4 * 32):
        edges = {
            "top": light[top, left:right].min(), "bottom": light[bottom - 1, left:right].min(),
            "left": light[top:bottom, left].min(), "right": light[top:bottom, right - 1].min(),
        }  # fmt: skip
        side = min(edges, key=lambda name: edges[name])
        # If the interior holds a pixel as dark as the rim, cutting does not raise the smallest fluence.
        inside = light[top + 1 : bottom - 1, left + 1 : right - 1]
        inner = inside.min() if inside.size else 0.0  # one or two lines have no interior, and none is cut
        tall, wide = bottom - top > least_side, right - left > least_side
        if edges[side] >= share * mean or inner <= edges[side] or not (tall if side in ("top", "bottom") else wide):
            break
        top, bottom = top + (side == "top"), bottom - (side == "bottom")
        left, right = left + (side == "left"), right - (side == "right")
    box = Box(top, bottom, left, right)
    return Region(box, mean, float(light[box.slices].min()) / mean)


def no_contrast(truth: NDArray[np.complex64], phase: NDArray) -> dict[str, str]:
    """Return why channels without contrast in the truth cannot be scored.

    Parameters
    ----------
    truth : (rows, columns) complex64
    phase : (rows, columns)
        True phase, rad, unwrapped.

    Returns
    -------
    Reason by channel; channels with contrast are left out
    """
    modulus = np.abs(truth)
    spans = {"amplitude": float(np.ptp(modulus)) / max(float(modulus.mean()), 1e-12), "phase": float(np.ptp(phase))}
    units = {"amplitude": "of its mean", "phase": "rad"}
    return {
        channel: f"the true {channel} is constant within {span:.1g} {units[channel]}"
        for channel, span in spans.items()
        if span < NO_CONTRAST
    }


def score_image(
    image: NDArray[np.complex64], truth: NDArray[np.complex64], sigma: float, phase: NDArray
) -> tuple[Scores, dict[str, str]]:
    """Score amplitude and phase of an image whose gauge was removed.

    Parameters
    ----------
    image, truth : (rows, columns) complex64
    sigma
        Standard deviation of the Gaussian pre-blur of MS-SSIM, pixels; `ms_ssim_raw` has no pre-blur.
    phase : (rows, columns)
        True phase, rad, unwrapped.

    Returns
    -------
    scores
        By channel and metric. None for an frc50 that never crosses and for channels without contrast.
    reasons
        By channel, why it has no scores.

    Raises
    ------
    StageError
        A score is not finite.
    """
    reasons = no_contrast(truth, phase)
    pairs = {
        "amplitude": (np.abs(image).astype(np.float64), np.abs(truth).astype(np.float64)),
        # The phase of the image is taken within pi of the true phase, so that wrapping makes no error.
        "phase": (phase + np.angle(image * np.conj(truth)).astype(np.float64), np.asarray(phase, np.float64)),
    }
    scores: Scores = {}
    for channel, (mine, true) in pairs.items():
        scores[channel] = dict.fromkeys(metrics.NAMES) if channel in reasons else _score(mine, true, sigma)
    return scores, reasons


def _score(image: NDArray, truth: NDArray, sigma: float) -> dict[str, float | None]:
    """Return the metrics of one channel by name.

    Parameters
    ----------
    image, truth : (rows, columns) float64
    sigma
        Standard deviation of the Gaussian pre-blur of MS-SSIM, pixels.
    """
    values: dict[str, float | None] = {
        "mae": metrics.mae(image, truth),
        "mse": metrics.mse(image, truth),
        "psnr": metrics.psnr(image, truth),
        "ssim": metrics.ssim(image, truth),
        "ms_ssim": metrics.ms_ssim(image, truth, sigma),
        "ms_ssim_raw": metrics.ms_ssim(image, truth),
        "frc50": metrics.frc(image, truth).crossing(0.5),
    }
    for name, value in values.items():
        if value is not None and not np.isfinite(value):
            raise StageError(f"{name} is {value}: not a number that can be compared")
    return values


def contrast(image: NDArray[np.complex64], truth: NDArray[np.complex64], phase: NDArray) -> dict[str, float | None]:
    """Return the contrast of an image relative to that of the truth, std(image) / std(truth).

    Parameters
    ----------
    image, truth : (rows, columns) complex64
    phase : (rows, columns)
        True phase, rad, unwrapped.

    Returns
    -------
    By channel; None where the truth has no contrast
    """
    flat = no_contrast(truth, phase)
    near = phase + np.angle(image * np.conj(truth))
    pairs = {"amplitude": (np.abs(image), np.abs(truth)), "phase": (near, phase)}
    return {c: None if c in flat else float(np.std(a) / np.std(b)) for c, (a, b) in pairs.items()}


def constant_image(truth: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Return the best constant image: mean amplitude, and phase of the mean.

    It uses the means of the truth, so that no arm without an image of the object can score better by luck.

    Parameters
    ----------
    truth : (rows, columns) complex64

    Returns
    -------
    (rows, columns) complex64
    """
    level = np.abs(truth).mean() * np.exp(1j * np.angle(truth.sum()))
    return np.full(truth.shape, level, np.complex64)
