"""The error of an image, pixel by pixel, without truth: from two images of half the counts each. Arrays only.

The counts are divided in two at random; the halves are independent. An image of all of them has, where the solver is
near enough linear, the variance of half the difference of the two: that is the noise. A prior that is weighted by the
root of the fluence, as MAP's is, pulls the image by an amount that falls as the root of the counts: an image of half
the counts is displaced by sqrt(2) times as much, so that the mean of the two halves lies sqrt(2) - 1 times the bias
away from the image of all. Both are squared, added, and averaged over neighbours.

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
"""Width over which squares are averaged, pixels: one division is one draw of each pixel's noise."""
BIAS = 1 / (np.sqrt(2) - 1)
"""The bias of an image of all counts, in units of its distance from the mean of the two halves."""


@dataclass(frozen=True)
class ErrorMap:
    """Estimated standard error of each pixel.

    Attributes
    ----------
    phase, amplitude : (rows, columns) float32
        Rad, and units of the image's amplitude.
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
        Of all counts.
    halves
        Two images of the same, each of one half of the counts, by the same solver with the same settings.
    light : (rows, columns) float64
        Weight of the pixels in the fit of the gauge, which is free and no error.
    """
    one, other = (apply_gauge(half, fit_gauge(half, image, light)) for half in halves)
    mean = (one + other) / 2
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
    """Return what is wrong with an image once its gauge is that of the truth: phase, rad, and amplitude.

    Parameters
    ----------
    image, truth : (rows, columns) complex64
    phase : (rows, columns) float32
        True phase, rad.
    light
        As for `error_map`.
    """
    turned = apply_gauge(image, fit_gauge(image, truth, light))
    return np.angle(turned * np.exp(-1j * phase)), np.abs(turned) - np.abs(truth)


def coverage(wrong: tuple[NDArray[np.float64], NDArray[np.float64]], found: ErrorMap) -> dict[str, dict[str, float]]:
    """Return, by channel, the share of pixels whose truth lies within one and two estimated errors.

    Of normal errors that are told right it is 0.683 and 0.954.

    Parameters
    ----------
    wrong
        Of `errors`.
    found
        Of the same image.

    Returns
    -------
    within_one, within_two, and error, the mean absolute error, by channel
    """
    return {
        channel: {
            "within_one": float(np.mean(np.abs(error) < told)), "within_two": float(np.mean(np.abs(error) < 2 * told)),
            "error": float(np.mean(np.abs(error))),
        }
        for channel, error, told in zip(("phase", "amplitude"), wrong, (found.phase, found.amplitude), strict=True)
    }  # fmt: skip
