"""Judged without truth: how well an image explains counts that no arm was fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError
from studylib.physics.forward import expected_counts
from studylib.physics.likelihood import plain_poisson_loss
from studylib.scan import Scan

ERRORS = 3.0
"""Standard errors within which a gain is nothing."""
SHARE = 0.1
"""Least share of the reference arm's gain that an arm must have to be said to have learned."""


@dataclass(frozen=True)
class Gain:
    """Log-likelihood of held counts, over that of the best constant object.

    Attributes
    ----------
    per_pattern
        Mean over patterns, nats; positive when the image explains the counts better than a constant object.
    standard_error
        Of that mean, from the spread over patterns.
    """

    per_pattern: float
    standard_error: float

    @classmethod
    def of(cls, gains: NDArray[np.float64]) -> Gain:
        """Return mean and standard error of the gains of single patterns."""
        return cls(float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains))))

    @property
    def clear(self) -> bool:
        """Whether it is beyond three standard errors."""
        return self.per_pattern > ERRORS * self.standard_error


def pattern_losses(image: NDArray[np.complex64], scan: Scan) -> NDArray[np.float64]:
    """Return the plain Poisson loss of each held pattern, one gain fitted to the whole image.

    Parameters
    ----------
    image : (rows, columns) complex64
        Object in the frame of the positions; its global phase does not matter.
    scan
        With counts that no arm was fitted to.

    Returns
    -------
    (positions,) float64

    Raises
    ------
    InputError
        The scan has no such counts.
    """
    return plain_poisson_loss(*_held(image, scan)).sum(axis=(1, 2))


def _held(image: NDArray[np.complex64], scan: Scan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the held counts and what the image expects of them, (positions, N, N), one gain fitted to all."""
    if scan.held is None:
        raise InputError("held counts", None, "a data set with a second exposure", "simulate it again: 01_generate")
    light = scan.held_share * np.concatenate(list(expected_counts(image, scan.probe, scan.positions)))
    counts = scan.held.astype(np.float64)
    if scan.mask is not None:
        counts, light = counts * scan.mask, light * scan.mask
    dark = np.zeros(light.shape[1:]) if scan.dark is None else scan.held_share * scan.dark
    gain = max(counts.sum() - len(counts) * dark.sum(), 0) / max(light.sum(), 1e-12)
    return counts, gain * light + dark


@dataclass(frozen=True)
class Measures:
    """How well an image explains patterns that no arm was fitted to; no truth is needed.

    Attributes
    ----------
    gain
        In likelihood over the best constant object.
    chi_square
        Sum (n - lambda)^2 / sum lambda: 1 where nothing but photon noise is left.
    r_factor
        Sum |sqrt(n) - sqrt(lambda)| / sum sqrt(n); photon noise alone gives more the fewer photons there are.
    pearson
        Correlation of n and lambda, the mean pattern taken off both, since it says nothing of the object.
    """

    gain: Gain
    chi_square: float
    r_factor: float
    pearson: float

    def report(self) -> dict[str, float]:
        """Return the measures for registration.json."""
        told = {name: getattr(self, name) for name in ("chi_square", "r_factor", "pearson")}
        return {"gain_per_pattern": self.gain.per_pattern, "gain_standard_error": self.gain.standard_error} | told


def measures(image: NDArray[np.complex64], scan: Scan) -> Measures:
    """Judge an image by the held counts of a scan.

    Parameters
    ----------
    image : (rows, columns) complex64
        Object in the frame of the positions.
    scan
        With counts that no arm was fitted to.

    Raises
    ------
    InputError
        The scan has no such counts.

    References
    ----------
    Chapman et al., High-resolution ab initio three-dimensional x-ray diffraction microscopy, J. Opt. Soc. Am. A 23,
    1179 (2006) (the R factor of moduli).
    """
    counts, expected = _held(image, scan)
    r = np.sum(np.abs(np.sqrt(counts) - np.sqrt(expected))) / max(np.sum(np.sqrt(counts)), 1e-12)
    a, b = counts - counts.mean(axis=0), expected - expected.mean(axis=0)
    pearson = np.sum(a * b) / max(np.sqrt(np.sum(a**2) * np.sum(b**2)), 1e-12)
    chi_square = np.sum((counts - expected) ** 2) / max(expected.sum(), 1e-12)
    flat = pattern_losses(np.ones(scan.shape, np.complex64), scan)
    gain = Gain.of(flat - plain_poisson_loss(counts, expected).sum(axis=(1, 2)))
    return Measures(gain, float(chi_square), float(r), float(pearson))


def learned(gain: Gain, reference: Gain | None) -> tuple[bool, str]:
    """Tell whether an arm learned the object, and if not, why it is said.

    Parameters
    ----------
    gain
        Of the arm.
    reference
        Of the MAP arm on the same counts; None where it was not run.

    Returns
    -------
    learned
        False when the gain is within three standard errors of nothing, or under a tenth of the reference's.
    reason
        In words; empty when it learned.
    """
    told = f"{gain.per_pattern:+.3g} ± {gain.standard_error:.2g} nats per pattern"
    if not gain.clear:
        return False, f"it explains counts that no arm was fitted to no better than a constant object ({told})"
    if reference is not None and gain.per_pattern < SHARE * reference.per_pattern:
        share = gain.per_pattern / reference.per_pattern
        return False, f"its gain over a constant object is {share:.0%} of MAP's on the same counts ({told})"
    return True, ""
