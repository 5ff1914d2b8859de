"""The error of an image, pixel by pixel and without the truth, from two images of half of the counts each.

The counts are divided in two at random, so that the halves are independent. If the solver is nearly linear, an image of
all counts has the variance of half the difference of the two half images: that is the noise. A prior whose weight grows
as the square root of the fluence, as that of MAP, displaces the image by an amount that falls as the square root of the
counts. An image of half the counts is therefore displaced by sqrt(2) times as much, and the mean of the two half images
lies sqrt(2) - 1 times the bias away from the image of all counts. Noise and bias are squared, added, and averaged over
neighbouring pixels.

References
----------
Politis, Romano, Wolf, Subsampling, Springer (1999), ch. 2 (the spread of an estimate from parts of the data).
Quenouille, Notes on bias in estimation, Biometrika 43, 353 (1956) (a bias from estimates of parts of the data).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from studylib.judge.register import apply_gauge, fit_gauge

BLUR = 1.5
"""Standard deviation, in pixels, of the Gaussian that averages the squares, because one division is one draw of the
noise of each pixel."""
BIAS = 1 / (np.sqrt(2) - 1)
"""Bias of an image of all counts, in units of its distance from the mean of the two half images."""


@dataclass(frozen=True)
class ErrorMap:
    """Estimated standard error of each pixel.

    Attributes
    ----------
    phase : (rows, columns) float32
        Rad.
    amplitude : (rows, columns) float32
        In units of the image's amplitude.
    """

    phase: NDArray[np.float32]
    amplitude: NDArray[np.float32]


def error_map(
    image: NDArray[np.complex64], halves: Sequence[NDArray[np.complex64]], light: NDArray[np.float64] | None = None
) -> ErrorMap:
    """Estimate the error of every pixel of an image.

    Parameters
    ----------
    image : (rows, columns) complex64
        Image of all counts.
    halves
        Two images of the same object, (rows, columns) complex64, each of one half of the counts, by the same solver
        with the same settings.
    light : (rows, columns) float64
        Weight of the pixels in the fit of the gauge. The gauge is free, so its difference is no error.

    Returns
    -------
    `ErrorMap`

    Raises
    ------
    StageError
        A half image is zero everywhere.
    """
    # The gauge of each half is fitted to the image of all counts; left in, it would count as an error.
    one, other = (apply_gauge(half, fit_gauge(half, image, light)) for half in halves)
    mean = (one + other) / 2
    # Noise and bias as pairs (phase, amplitude) of maps, (row, column)
    apart = np.angle(one * np.conj(other)) / 2, (np.abs(one) - np.abs(other)) / 2
    away = np.angle(mean * np.conj(image)), np.abs(mean) - np.abs(image)
    phase, amplitude = (
        np.sqrt(gaussian_filter(noise**2 + (BIAS * bias) ** 2, BLUR)).astype(np.float32)
        for noise, bias in zip(apart, away, strict=True)
    )
    return ErrorMap(phase, amplitude)


def errors(
    image: NDArray[np.complex64],
    truth: NDArray[np.complex64],
    phase: NDArray[np.float32],
    light: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the true errors of an image after scale, global phase and phase ramp were fitted to the truth.

    Parameters
    ----------
    image, truth : (rows, columns) complex64
    phase : (rows, columns) float32
        True phase, rad.
    light : (rows, columns) float64
        As for `error_map`.

    Returns
    -------
    phase, amplitude : (rows, columns) float64
        Errors with their sign, in rad and in units of the amplitude.

    Raises
    ------
    StageError
        The image is zero everywhere.
    """
    turned = apply_gauge(image, fit_gauge(image, truth, light))
    return np.angle(turned * np.exp(-1j * phase)), np.abs(turned) - np.abs(truth)


def coverage(wrong: tuple[NDArray[np.float64], NDArray[np.float64]], found: ErrorMap) -> dict[str, dict[str, float]]:
    """Return, by channel, the fraction of pixels whose true error is below one and below two estimated errors.

    For normal errors that are estimated correctly these fractions are 0.683 and 0.954.

    Parameters
    ----------
    wrong
        True errors of phase and amplitude, as `errors` returns them.
    found
        Estimated errors of the same image.

    Returns
    -------
    By channel: within_one, within_two, and error, the mean absolute error
    """
    return {
        channel: {
            "within_one": float(np.mean(np.abs(error) < told)), "within_two": float(np.mean(np.abs(error) < 2 * told)),
            "error": float(np.mean(np.abs(error))),
        }
        for channel, error, told in zip(("phase", "amplitude"), wrong, (found.phase, found.amplitude), strict=True)
    }  # fmt: skip
