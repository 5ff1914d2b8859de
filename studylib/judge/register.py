"""Gauge and registration: what diffraction cannot tell is removed, what must not be there refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.registration import phase_cross_correlation

from studylib.errors import StageError


@dataclass(frozen=True)
class Gauge:
    """What was fitted: amplitude scale, global phase (rad) and phase ramp (rad per pixel)."""

    scale: float
    phase: float
    ramp_x: float
    ramp_y: float


def fit_gauge(image: NDArray[np.complex64], truth: NDArray[np.complex64]) -> Gauge:
    """Fit the gauge on phase differences, never on wrapped phase maps.

    The ramp is the angle of the mean product of neighbouring pixels of image conj(truth), refined on
    what is left of it; the global phase is the angle of the mean; the scale minimises the squared
    difference of amplitudes.

    Parameters
    ----------
    image, truth : (rows, columns) complex64
    """
    rows, columns = (axis.astype(np.float64) for axis in np.indices(image.shape))
    product = image * np.conj(truth)
    slope_x = slope_y = 0.0
    for _ in range(5):
        left = product * np.exp(-1j * (slope_x * columns + slope_y * rows))
        slope_x += float(np.angle(np.sum(left[:, 1:] * np.conj(left[:, :-1]))))
        slope_y += float(np.angle(np.sum(left[1:] * np.conj(left[:-1]))))
    left = product * np.exp(-1j * (slope_x * columns + slope_y * rows))
    # The neighbour products see a ramp through noise; the coherent sum sharpens it.
    for _ in range(5):
        residual = np.angle(left * np.exp(-1j * np.angle(left.sum())))
        weight = np.abs(left)
        x, y = columns - columns.mean(), rows - rows.mean()
        slope_x += (dx := float((weight * residual * x).sum() / (weight * x**2).sum()))
        slope_y += (dy := float((weight * residual * y).sum() / (weight * y**2).sum()))
        left = left * np.exp(-1j * (dx * columns + dy * rows))
    a, b = np.abs(image).astype(np.float64), np.abs(truth).astype(np.float64)
    energy = float((a**2).sum())
    if energy == 0:
        raise StageError("reconstruction is zero everywhere: there is nothing to compare")
    return Gauge(float((a * b).sum()) / energy, float(np.angle(left.sum())), slope_x, slope_y)


def apply_gauge(image: NDArray[np.complex64], gauge: Gauge) -> NDArray[np.complex64]:
    """Return the image in the truth's gauge."""
    rows, columns = np.indices(image.shape)
    ramp = gauge.phase + gauge.ramp_x * columns + gauge.ramp_y * rows
    return (gauge.scale * image * np.exp(-1j * ramp)).astype(np.complex64)


def phase_near(image: NDArray[np.complex64], truth: NDArray[np.complex64]) -> NDArray[np.float64]:
    """Return the image's phase, on the branch nearest to the truth's, rad."""
    return true_phase(truth) + np.angle(image * np.conj(truth))


def true_phase(truth: NDArray[np.complex64]) -> NDArray[np.float64]:
    """Return the truth's phase about its mean direction, rad."""
    mean = np.angle(truth.sum())
    return np.angle(truth * np.exp(-1j * mean)) + mean


def shift_between(
    image: NDArray[np.complex64], truth: NDArray[np.complex64], limit: float, name: str
) -> tuple[float, float]:
    """Return (rows, columns) by which the image is displaced, pixels.

    Raises
    ------
    StageError
        Beyond the limit: the arm was put on the wrong frame, and no metric would mean anything.
    """
    a, b = phase_near(image, truth), true_phase(truth)
    # skimage returns the shift that undoes the displacement.
    shift, _, _ = phase_cross_correlation(b - b.mean(), a - a.mean(), upsample_factor=20, normalization=None)
    if np.abs(shift).max() > limit:
        raise StageError(
            f"{name} lies {shift[0]:+.2f} rows, {shift[1]:+.2f} columns off the truth, at most {limit} px "
            "is accepted: it did not converge or is not on the data set's frame"
        )
    return float(-shift[0]), float(-shift[1])
