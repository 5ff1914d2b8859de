"""What the photons of a scan allow, in the box and the numbers that arms are scored by. Reads the truth."""

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
"""Draws of either error: the mean over a box of thousands of pixels varies by a percent or two between them."""
RIDGE = 1e-3
"""Precision of the ridge, as a share of the mean information of a pixel: next to no prior."""
KNOWN = 1e-3
"""Least power of an object's map, as a share of the variance that photons leave: below it, it is as good as known."""
BLUR = 2.0
"""Width over which the squares of the draws are averaged for the map, pixels."""
MEAN_OF_NORMAL = float(np.sqrt(2 / np.pi))
"""Mean of |x| of a normal variable of variance 1."""


@dataclass(frozen=True)
class Limit:
    """Mean absolute errors that the photons of a scan leave, rad and units of the amplitude; None with a `reason`.

    Attributes
    ----------
    photons_per_pixel
        Mean number of photons that a pixel of the box sends.
    phase_bound, amplitude_bound
        Bound of Cramer and Rao: no estimator without bias does better. One with a prior may.
    phase_diagonal
        1 / sqrt(2 n) of each pixel's own n photons: what a probe reaches that is diverse enough.
    phase_wiener, amplitude_wiener
        Best linear estimator, which knows the object's power spectrum and nothing else of it.
    frc50
        Where the ring correlation of an unbiased image with the truth falls below 0.5, as a share of Nyquist.
    photons : (rows, columns) float32
        Photons that each pixel of the box sends.
    spread : (rows, columns) float32
        Standard deviation of the phase at the bound, rad, averaged over `BLUR` pixels; 1 / sqrt(2 n) with a `reason`.
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
    """Return what a scan of an object allows.

    Parameters
    ----------
    image : (rows, columns) complex64
        The true object.
    phase : (rows, columns) float32
        Its phase, rad, unwrapped.
    scan
        Probe, positions, mask and background; its counts do not enter.
    seed
        Of the draws.
    draws
        Of either error.
    """
    box = scores.region_of(scan)[1].box.slices
    found = Information(image, scan)
    light = found.light[box]
    n, diagonal = float(light.mean()), 1 / np.sqrt(2 * np.maximum(light, np.finfo(np.float32).tiny))
    known = {
        "photons_per_pixel": n, "phase_diagonal": MEAN_OF_NORMAL * float(diagonal.mean()),
        "photons": light.astype(np.float32), "spread": diagonal.astype(np.float32),
    }  # fmt: skip
    if not np.abs(image[box]).all():
        return Limit(**known, reason="the object is opaque somewhere: no photon tells of its phase there")
    z = np.log(np.maximum(np.abs(image), np.finfo(np.float32).tiny)) + 1j * phase
    try:
        bound = _errors(found, Ridge(2 * n * RIDGE), box, seed, draws)
        wiener = _errors(found, _spectrum(z, box, n), box, seed, draws)
    except StageError as error:
        return Limit(**known, reason=str(error.args[0]))
    amplitude = np.abs(image[box])
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
    """Return the object's power, none less than what photons tell for certain."""
    found, least = Spectrum.of(z, box, z.shape), KNOWN / (2 * n)
    return Spectrum(np.maximum(found.amplitude, least), np.maximum(found.phase, least))


def _errors(
    found: Information, prior: Prior, box: tuple[slice, slice], seed: int, draws: int
) -> NDArray[np.complex128]:
    """Return draws in the gauge of a score, (draws, rows, columns): scale, global phase and its ramp are free."""
    errors = [found.error(prior, np.random.default_rng([seed, k]))[box] for k in range(draws)]
    return np.array([e.real - e.real.mean() + 1j * _without_plane(e.imag) for e in errors])


def _without_plane(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a map without its mean and its slopes along rows and columns."""
    for axis in (0, 1):
        x = np.arange(part.shape[axis]) - (part.shape[axis] - 1) / 2
        along = np.expand_dims(x, 1 - axis)
        part = part - along * (along * part).sum() / np.broadcast_to(along**2, part.shape).sum()
    return part - part.mean()
