"""The limit that photons set, in the box and in the numbers by which arms are scored. It reads the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from studylib.errors import StageError
from studylib.judge import metrics, scores
from studylib.physics.limit import Information, Prior, Ridge, Spectrum
from studylib.scan import Scan

DRAWS = 2
"""Draws of each error. The mean over a box of thousands of pixels varies by one or two percent between draws."""
RIDGE = 1e-3
"""Precision of the ridge prior, as a fraction of the mean information of a pixel: almost no prior."""
KNOWN = 1e-3
"""Smallest power of the object's maps, as a fraction of the variance that photons leave. Below it, the object is as
good as known."""
BLUR = 2.0
"""Standard deviation, in pixels, of the Gaussian that averages the squared draws for the map."""
MEAN_OF_NORMAL = float(np.sqrt(2 / np.pi))
"""Mean of |x| for a normal variable x of variance 1. It turns a standard deviation into a mean absolute error."""


@dataclass(frozen=True)
class Limit:
    """Mean absolute errors that the photons of a scan leave.

    Errors of the phase are in rad, those of the amplitude in its own units. Bounds are None where there is a `reason`.

    Attributes
    ----------
    photons_per_pixel
        Mean number of photons that leave a pixel of the box, all patterns together.
    phase_bound, amplitude_bound
        Cramer-Rao bound: no unbiased estimator does better. An estimator with a prior may.
    phase_diagonal
        Error if each pixel were alone with its n photons, standard deviation 1 / sqrt(2 n). A sufficiently diverse
        probe reaches it.
    phase_wiener, amplitude_wiener
        Error of the best linear estimator, which knows the power spectrum of the object and nothing else about it.
    frc50
        Frequency, as a fraction of Nyquist, at which the ring correlation of an unbiased image with the truth falls
        below 0.5; None if it does not fall.
    photons : (rows, columns) float32
        Photons that leave each pixel of the box, all patterns together.
    spread : (rows, columns) float32
        Standard deviation of the phase at the bound, rad, averaged over `BLUR` pixels; 1 / sqrt(2 n) with a `reason`.
    reason
        Why there is no limit; empty otherwise.
    """

    photons_per_pixel: float
    phase_diagonal: float
    photons: NDArray[np.float32]
    spread: NDArray[np.float32]
    phase_bound: float | None = None
    amplitude_bound: float | None = None
    phase_wiener: float | None = None
    amplitude_wiener: float | None = None
    frc50: float | None = None
    reason: str = ""

    def report(self) -> dict[str, float | str | None]:
        """Return the numbers without the maps."""
        return {name: value for name, value in vars(self).items() if name not in ("photons", "spread")}


def limit_of(
    image: NDArray[np.complex64], phase: NDArray[np.float32], scan: Scan, seed: int, draws: int = DRAWS
) -> Limit:
    """Return the limit of a scan of a known object.

    Parameters
    ----------
    image : (rows, columns) complex64
        The true object.
    phase : (rows, columns) float32
        Its phase, rad, unwrapped.
    scan
        Probe, positions, mask and background; its counts are not used.
    seed
        Seed of the draws.
    draws
        Number of draws of each of the two errors (bound and Wiener).

    Returns
    -------
    `Limit`. Where the object is opaque or the solution does not converge, it has a `reason` in place of bounds
    """
    box = scores.region_of(scan)[1].box.slices
    found = Information(image, scan)
    light = found.light[box]
    n, diagonal = float(light.mean()), 1 / np.sqrt(2 * np.maximum(light, np.finfo(np.float32).tiny))
    known = {
        "photons_per_pixel": n, "phase_diagonal": MEAN_OF_NORMAL * float(diagonal.mean()),
        "photons": light.astype(np.float32), "spread": diagonal.astype(np.float32),
    }  # fmt: skip
    # log O has no value where the object is 0.
    if not np.abs(image[box]).all():
        return Limit(**known, reason="the object is opaque somewhere: no photon tells of its phase there")
    # z = a + i phi, with O = exp(z): the maps in which `physics.limit` works.
    z = np.log(np.maximum(np.abs(image), np.finfo(np.float32).tiny)) + 1j * phase
    try:
        # A pixel has about 2 n of information on each of its two maps.
        bound = _errors(found, Ridge(2 * n * RIDGE), box, seed, draws)
        wiener = _errors(found, _spectrum(z, box, n), box, seed, draws)
    except StageError as error:
        return Limit(**known, reason=str(error.args[0]))
    amplitude = np.abs(image[box])
    # A draw of the bound, added to the truth, is an unbiased image.
    crossings = [metrics.frc(phase[box] + draw.imag, phase[box]).crossing(0.5) for draw in bound]
    falls = [c for c in crossings if c is not None]
    known["spread"] = np.sqrt(gaussian_filter((bound.imag**2).mean(axis=0), BLUR)).astype(np.float32)
    return Limit(
        **known, phase_bound=float(np.abs(bound.imag).mean()), phase_wiener=float(np.abs(wiener.imag).mean()),
        amplitude_bound=float((amplitude * np.abs(bound.real)).mean()),
        amplitude_wiener=float((amplitude * np.abs(wiener.real)).mean()),
        frc50=float(np.mean(falls)) if falls else None,
    )  # fmt: skip


def _spectrum(z: NDArray[np.complex128], box: tuple[slice, slice], n: float) -> Spectrum:
    """Return the power spectrum of the object, with a floor at a small fraction of the variance that photons leave.

    Parameters
    ----------
    z : (rows, columns) complex128
        log of the modulus, plus i times the phase.
    box
        Where the spectrum is taken from.
    n
        Mean photons per pixel.
    """
    found, least = Spectrum.of(z, box, z.shape), KNOWN / (2 * n)
    return Spectrum(np.maximum(found.amplitude, least), np.maximum(found.phase, least))


def _errors(
    found: Information, prior: Prior, box: tuple[slice, slice], seed: int, draws: int
) -> NDArray[np.complex128]:
    """Return draws of the error in the gauge of a score: without mean log modulus, mean phase and phase ramp.

    Parameters
    ----------
    found
        Fisher information of the scan.
    prior
        Ridge for the Cramer-Rao bound, spectrum for Wiener's estimator.
    box
        Where images are scored.
    seed, draws
        Seed and number of the draws.

    Returns
    -------
    (draws, rows, columns) complex128; the relative error of the modulus, plus i times the error of the phase in rad
    """
    # Bound and Wiener use the same seeds and so see the same photon noise.
    errors = [found.error(prior, np.random.default_rng([seed, k]))[box] for k in range(draws)]
    # (draw, row, column)
    return np.array([e.real - e.real.mean() + 1j * _without_plane(e.imag) for e in errors])


def _without_plane(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a map without its mean and its slopes along rows and columns, (rows, columns) float64."""
    # The two slopes are orthogonal on a rectangle, so they can be removed one after the other.
    for axis in (0, 1):
        x = np.arange(part.shape[axis]) - (part.shape[axis] - 1) / 2
        along = np.expand_dims(x, 1 - axis)
        part = part - along * (along * part).sum() / np.broadcast_to(along**2, part.shape).sum()
    return part - part.mean()
