"""Built-in probes, and the check that a probe fits its window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from studylib.errors import InputError

MARGIN = 1 / 16
"""Width of the border of the window in which a probe must be dark, as a fraction of the side of the window."""
SPILL = 0.02
"""Largest accepted share of |P|^2 in that border. Light there wraps round when the probe is shifted.

Measured (docs/samples.md): for probes up to this share, a shift by half a pixel has an error of at most 4 % of the
probe's norm and misplaces 0.2 % of the photons. For probes with ten times this share the error is 10 to 20 % of the
norm.
"""


def zone_plate_probe(
    n_pixels: int, radius: float = 0.42, defocus: float = 11.2, stop: float = 0.4
) -> NDArray[np.complex64]:
    """Return the defocused focus of a Fresnel zone plate with a central stop.

    Parameters
    ----------
    n_pixels
        N, the side of the probe array.
    radius
        Radius of the pupil, as a fraction of the half width of the detector.
    defocus
        Quadratic phase at the rim of the pupil for N = 64, rad; it grows in proportion to N.
    stop
        Radius of the central stop, as a fraction of the radius of the pupil.

    Returns
    -------
    (N, N) complex64, sum of squared moduli 1

    Examples
    --------
    >>> zone_plate_probe(64).shape
    (64, 64)
    """
    _, _, r = _pupil_plane(n_pixels, radius)
    # Edges two detector pixels wide, in units of the pupil's radius: a hard edge would spread light over the window.
    soft = 2.0 / (n_pixels / 2) / radius
    pupil = _soft_step(1 - r, soft) * _soft_step(r - stop, soft)
    return _focus(pupil * np.exp(1j * defocus * n_pixels / 64 * r**2))


def smooth_probe(n_pixels: int, seed: int = 0) -> NDArray[np.complex64]:
    """Return the focus of a slightly astigmatic, comatic mirror pair: smooth, asymmetric and off centre.

    The Gaussian illumination of the pupil leaves the focus without rings. Little structure means little diversity, so
    low spatial frequencies of the object converge slowly.

    Parameters
    ----------
    n_pixels
        N, the side of the probe array.
    seed
        Not used, because this probe is not random.

    Returns
    -------
    (N, N) complex64, sum of squared moduli 1
    """
    # A pupil of a fixed fraction of the detector, and aberrations that grow with N, keep the spot at the same fraction
    # of the window.
    x, y, r = _pupil_plane(n_pixels, 0.30)
    wave = np.exp(-1.2 * (x**2 + 1.5 * y**2)) * _soft_step(1.6 - r, 0.2)
    defocus, astigmatism, coma = 5.5, 2.0, 1.1
    aberration = defocus * r**2 + astigmatism * (x**2 - y**2) + coma * x * r**2 + 0.7 * y * r**2
    # A linear phase in the pupil moves the focus off centre.
    tilt = 2 * np.pi * 0.3 * (-1.3 * x - 0.8 * y)
    return _focus(wave * np.exp(1j * (aberration * n_pixels / 64 + tilt)))


def diffuser_probe(n_pixels: int, seed: int = 0, grains: float = 21.0, slope: float = 0.6) -> NDArray[np.complex64]:
    """Return the focus of a pupil with a smooth random phase: structured everywhere, so diverse.

    The slope of the pupil's phase determines where its light goes: x = (N / 2 pi) dphi/dk. The mean slope is removed,
    which centres the probe. The root mean square of the slope is the same for every seed, so that all seeds have nearly
    the same diameter. That matters because the scan step of a view follows the diameter, and replicates should have the
    same overlap and fluence.

    Parameters
    ----------
    n_pixels
        N, the side of the probe array.
    seed
        Seed of the random phase.
    grains
        N divided by the standard deviation, in pixels, of the Gaussian that smooths the random phase.
    slope
        Root mean square of the slope of the phase along each axis, rad per detector pixel.

    Returns
    -------
    (N, N) complex64, sum of squared moduli 1

    References
    ----------
    Maiden, Morrison, Kaulich, Gianoncelli, Rodenburg, Soft X-ray spectromicroscopy using ptychography with randomly
    phased illumination, Nat. Commun. 4, 1669 (2013).
    """
    _, _, r = _pupil_plane(n_pixels, 0.42)
    pupil = _soft_step(1 - r, 4.0 / n_pixels / 0.42)
    phase = gaussian_filter(np.random.default_rng(seed).normal(size=r.shape), n_pixels / grains)
    weight = pupil**2 / np.sum(pupil**2)  # the slope counts where the pupil is lit
    along_rows, along_columns = np.gradient(phase)
    mean_rows, mean_columns = np.sum(weight * along_rows), np.sum(weight * along_columns)
    spread = np.sum(weight * ((along_rows - mean_rows) ** 2 + (along_columns - mean_columns) ** 2)) / 2
    rows, columns = np.indices(r.shape)
    # Subtracting the mean slope removes the phase ramp.
    phase = slope / np.sqrt(spread) * (phase - mean_rows * rows - mean_columns * columns)
    return _focus(pupil * np.exp(1j * phase))


PROBES: dict[str, Callable[[int, int], NDArray[np.complex64]]] = {
    "zone-plate": lambda n_pixels, seed: zone_plate_probe(n_pixels),
    "smooth": smooth_probe,
    "diffuser": diffuser_probe,
}
"""Probes by name: functions of N and a seed that return (N, N) complex64."""


def probe_diameter(probe: NDArray[np.complex64], share: float = 0.9) -> float:
    """Return the diameter of the disc about the centroid that holds a share of |P|^2.

    Parameters
    ----------
    probe : (N, N) complex64
        Any scale.
    share
        Share of |P|^2 inside the disc; the study's diameter D has 0.9.

    Returns
    -------
    float
        Diameter, object pixels.

    Examples
    --------
    >>> round(probe_diameter(zone_plate_probe(64)))
    34
    """
    intensity = np.abs(probe) ** 2
    rows, columns = np.indices(intensity.shape)
    total = intensity.sum()
    row, column = (rows * intensity).sum() / total, (columns * intensity).sum() / total
    distance = np.hypot(rows - row, columns - column).ravel()
    # The light inside a radius is the cumulative sum over pixels in the order of their distance.
    order = np.argsort(distance, kind="stable")
    held = np.cumsum(intensity.ravel()[order])
    return float(2 * distance[order][np.searchsorted(held, share * held[-1])])


def spill(probe: NDArray[np.complex64]) -> float:
    """Return the share of |P|^2 in the border of the window, which is a sixteenth of the side wide.

    Parameters
    ----------
    probe : (N, N) complex64
        Any scale.

    Returns
    -------
    float
        0..1.
    """
    intensity = np.abs(probe.astype(np.complex128)) ** 2
    border = max(1, round(MARGIN * len(probe)))
    return float(1 - intensity[border:-border, border:-border].sum() / intensity.sum())


def refuse_wrapping(probe: NDArray[np.complex64], name: str) -> None:
    """Reject a probe that wraps round its window when it is shifted.

    Parameters
    ----------
    probe : (N, N) complex64
        Any scale.
    name
        Name of the probe in the error message.

    Raises
    ------
    InputError
        More than 2 % of |P|^2 lie in the border of the window.
    """
    share = spill(probe)
    if share > SPILL:
        raise InputError(
            name, f"{share:.1%} of its photons within {MARGIN:.0%} of the window's border", f"at most {SPILL:.0%}",
            "give a larger window, a probe with less defocus, or one in the window's centre: this one wraps round",
        )  # fmt: skip


def _pupil_plane(n_pixels: int, radius: float) -> tuple[NDArray, NDArray, NDArray]:
    """Return coordinates of the pupil plane with the zero frequency in the centre.

    Parameters
    ----------
    n_pixels
        N, the side of the arrays.
    radius
        Radius of the pupil, as a fraction of the half width of the detector.

    Returns
    -------
    x, y, r : (N, N) float64
        In units of the radius of the pupil.
    """
    axis = (np.arange(n_pixels) - n_pixels / 2) / (n_pixels / 2) / radius
    x, y = np.meshgrid(axis, axis)
    return x, y, np.hypot(x, y)


def _focus(wave: NDArray) -> NDArray[np.complex64]:
    """Return the focus of a pupil (N, N), centred, (N, N) complex64 with the sum of squared moduli 1."""
    probe = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(wave)))
    return (probe / np.linalg.norm(probe)).astype(np.complex64)


def _soft_step(x: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Return a step from 0 (x < 0) to 1 (x > 0) with an edge of about `width`, in the unit of x."""
    return 0.5 * (1 + np.tanh(2 * x / width))
