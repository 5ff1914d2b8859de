"""Gauge and registration: what the experiment cannot tell is removed, what must not be there is reported.

With a known probe only the global phase of the object is free. A scale and a linear phase ramp are fitted too: they are
removed for the scores and reported as errors of the arm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.registration import phase_cross_correlation

from studylib.errors import StageError


@dataclass(frozen=True)
class Gauge:
    """How an image differs from the truth by a complex factor and a phase ramp.

    Attributes
    ----------
    scale
        Modulus of the factor; 1 for an arm that meets the amplitude.
    phase
        Global phase, rad.
    ramp_x, ramp_y
        Phase ramp along columns and rows, rad per pixel; 0 for an arm on the right frame.
    """

    scale: float
    phase: float
    ramp_x: float
    ramp_y: float

    def report(self) -> dict[str, float]:
        """Return the fields with their units, for registration.json."""
        return {
            "scale": self.scale, "phase_rad": self.phase,
            "ramp_x_rad_per_px": self.ramp_x, "ramp_y_rad_per_px": self.ramp_y,
        }  # fmt: skip


def fit_gauge(
    image: NDArray[np.complex64], truth: NDArray[np.complex64], weight: NDArray[np.float64] | None = None
) -> Gauge:
    """Fit factor and ramp on the complex product, never on wrapped phase maps.

    The model is image = c exp(i (a x + b y)) truth + noise. The ramp is the angle of the mean product of neighbouring
    pixels of image conj(truth), refined on what is left of it. The factor
    c = sum(image conj(truth ramp)) / sum|truth|^2 regresses the image on the truth, so that noise in the image does
    not shrink it.

    Parameters
    ----------
    image, truth : (rows, columns) complex64
    weight : (rows, columns) float64
        Illumination, or any weight; the same everywhere when None.

    Raises
    ------
    StageError
        The image is zero everywhere.
    """
    rows, columns = (axis.astype(np.float64) for axis in np.indices(image.shape))
    w = np.ones(image.shape) if weight is None else weight / weight.mean()
    x, y = columns - columns.mean(), rows - rows.mean()
    product = w * image * np.conj(truth)
    slope_x = slope_y = 0.0
    for _ in range(5):
        left = product * np.exp(-1j * (slope_x * x + slope_y * y))
        slope_x += float(np.angle(np.sum(left[:, 1:] * np.conj(left[:, :-1]))))
        slope_y += float(np.angle(np.sum(left[1:] * np.conj(left[:-1]))))
    left = product * np.exp(-1j * (slope_x * x + slope_y * y))
    # The neighbour products see a ramp through noise; the coherent sum sharpens it.
    for _ in range(5):
        residual, light = np.angle(left * np.exp(-1j * np.angle(left.sum()))), np.abs(left)
        if not light.any():
            raise StageError("reconstruction is zero everywhere: there is nothing to compare")
        slope_x += (dx := float((light * residual * x).sum() / (light * x**2).sum()))
        slope_y += (dy := float((light * residual * y).sum() / (light * y**2).sum()))
        left = left * np.exp(-1j * (dx * x + dy * y))
    factor = complex(left.sum()) / float((w * np.abs(truth) ** 2).sum())
    # The ramp turns about the first pixel, as `apply_gauge` takes it off.
    phase = np.angle(factor) - slope_x * columns.mean() - slope_y * rows.mean()
    return Gauge(abs(factor), float(np.angle(np.exp(1j * phase))), slope_x, slope_y)


def apply_gauge(image: NDArray[np.complex64], gauge: Gauge) -> NDArray[np.complex64]:
    """Return the image without factor and ramp, (rows, columns) complex64."""
    rows, columns = np.indices(image.shape)
    ramp = np.exp(-1j * (gauge.phase + gauge.ramp_x * columns + gauge.ramp_y * rows))
    return (image * ramp / gauge.scale).astype(np.complex64)


def shift_between(image: NDArray[np.complex64], truth: NDArray[np.complex64]) -> tuple[float, float]:
    """Return (rows, columns) by which the image is displaced, pixels.

    The complex images are registered, so that amplitude and phase both count.

    Parameters
    ----------
    image, truth : (rows, columns) complex64

    References
    ----------
    Guizar-Sicairos, Thurman, Fienup, Efficient subpixel image registration algorithms, Opt. Lett. 33, 156 (2008).
    """
    a, b = image - image.mean(), truth - truth.mean()
    # skimage returns the shift that undoes the displacement.
    shift, _, _ = phase_cross_correlation(b, a, upsample_factor=20, normalization=None)
    return float(-shift[0]), float(-shift[1])


def refuse_shift(shift: tuple[float, float], limit: float, name: str) -> None:
    """Raise StageError where an arm lies off the frame: no metric would mean anything."""
    if max(abs(shift[0]), abs(shift[1])) > limit:
        raise StageError(
            f"{name} lies {shift[0]:+.2f} rows, {shift[1]:+.2f} columns off the truth, at most {limit} px "
            "is accepted: it is not on the data set's frame"
        )
