"""Gauge and registration: remove scale, global phase and phase ramp, and refuse misregistered images.

With a known probe only the global phase of the object is free. A scale and a linear phase ramp are fitted too. They are
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
    """Complex factor and phase ramp by which an image differs from the truth.

    Attributes
    ----------
    scale
        Modulus of the factor; 1 for an arm with the right amplitude.
    phase
        Global phase at the first pixel, rad.
    ramp_x, ramp_y
        Phase ramp along columns and along rows, rad per pixel; 0 for an arm on the right frame.
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
    """Fit factor and phase ramp on the complex product, never on wrapped phase maps.

    The model is image = c exp(i (a x + b y)) truth + noise. The ramp is the angle of the mean product of neighbouring
    pixels of image conj(truth), refined on the remaining phase. The factor
    c = sum(image conj(truth ramp)) / sum|truth|^2 regresses the image on the truth, so that noise in the image does not
    make it smaller.

    Parameters
    ----------
    image, truth : (rows, columns) complex64
    weight : (rows, columns) float64
        Illumination, or any other weight; uniform when None.

    Returns
    -------
    `Gauge`

    Raises
    ------
    StageError
        The image is zero everywhere.

    Examples
    --------
    >>> truth = np.exp(1j * np.random.default_rng(1).uniform(-0.5, 0.5, (32, 32))).astype(np.complex64)
    >>> gauge = fit_gauge(2 * np.exp(0.3j).astype(np.complex64) * truth, truth)
    >>> round(gauge.scale, 4), round(gauge.phase, 4)
    (2.0, 0.3)
    """
    rows, columns = (axis.astype(np.float64) for axis in np.indices(image.shape))
    w = np.ones(image.shape) if weight is None else weight / weight.mean()
    x, y = columns - columns.mean(), rows - rows.mean()
    product = w * image * np.conj(truth)
    # rad per pixel; x runs along columns and y along rows, both from the centre
    slope_x = slope_y = 0.0
    for _ in range(5):
        left = product * np.exp(-1j * (slope_x * x + slope_y * y))
        slope_x += float(np.angle(np.sum(left[:, 1:] * np.conj(left[:, :-1]))))
        slope_y += float(np.angle(np.sum(left[1:] * np.conj(left[:-1]))))
    left = product * np.exp(-1j * (slope_x * x + slope_y * y))
    # Products of neighbours find a steep ramp through noise, but roughly. Once the ramp is nearly removed, a weighted
    # linear fit to the remaining phase, which no longer wraps, is sharper.
    for _ in range(5):
        # Phase about its weighted mean, (row, column)
        residual, light = np.angle(left * np.exp(-1j * np.angle(left.sum()))), np.abs(left)
        if not light.any():
            raise StageError("reconstruction is zero everywhere: there is nothing to compare")
        slope_x += (dx := float((light * residual * x).sum() / (light * x**2).sum()))
        slope_y += (dy := float((light * residual * y).sum() / (light * y**2).sum()))
        left = left * np.exp(-1j * (dx * x + dy * y))
    factor = complex(left.sum()) / float((w * np.abs(truth) ** 2).sum())
    # Move the origin of the ramp from the centre to the first pixel, where `apply_gauge` has it.
    phase = np.angle(factor) - slope_x * columns.mean() - slope_y * rows.mean()
    return Gauge(abs(factor), float(np.angle(np.exp(1j * phase))), slope_x, slope_y)


def apply_gauge(image: NDArray[np.complex64], gauge: Gauge) -> NDArray[np.complex64]:
    """Return the image without factor and phase ramp.

    Parameters
    ----------
    image : (rows, columns) complex64
    gauge
        Gauge of the image, in the same pixel frame.

    Returns
    -------
    (rows, columns) complex64
    """
    rows, columns = np.indices(image.shape)
    ramp = np.exp(-1j * (gauge.phase + gauge.ramp_x * columns + gauge.ramp_y * rows))
    return (image * ramp / gauge.scale).astype(np.complex64)


def shift_between(image: NDArray[np.complex64], truth: NDArray[np.complex64]) -> tuple[float, float]:
    """Return the displacement of the image relative to the truth.

    The complex images are registered, so that amplitude and phase both count.

    Parameters
    ----------
    image, truth : (rows, columns) complex64

    Returns
    -------
    rows, columns
        Displacement, pixels, in steps of 1/20 pixel.

    References
    ----------
    Guizar-Sicairos, Thurman, Fienup, Efficient subpixel image registration algorithms, Opt. Lett. 33, 156 (2008).
    """
    a, b = image - image.mean(), truth - truth.mean()
    # skimage returns the shift that undoes the displacement.
    shift, _, _ = phase_cross_correlation(b, a, upsample_factor=20, normalization=None)
    return float(-shift[0]), float(-shift[1])


def refuse_shift(shift: tuple[float, float], limit: float, name: str) -> None:
    """Refuse an arm whose image lies off the frame, since no metric would mean anything.

    Parameters
    ----------
    shift
        Displacement in rows and columns, pixels.
    limit
        Largest accepted displacement in either direction, pixels.
    name
        Name of the arm.

    Raises
    ------
    StageError
        The displacement exceeds the limit.

    Examples
    --------
    >>> refuse_shift((0.1, -0.2), limit=0.5, name="MAP")
    """
    if max(abs(shift[0]), abs(shift[1])) > limit:
        raise StageError(
            f"{name} lies {shift[0]:+.2f} rows, {shift[1]:+.2f} columns off the truth, at most {limit} px "
            "is accepted: it is not on the data set's frame"
        )
