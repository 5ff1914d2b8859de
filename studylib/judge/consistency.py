"""Judgement without the truth: how well an image explains counts that no arm was fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError
from studylib.physics.forward import expected_counts
from studylib.physics.likelihood import plain_poisson_loss
from studylib.scan import Scan

ERRORS = 3.0
"""Number of standard errors that a gain has to exceed to count as a gain."""
SHARE = 0.1
"""Smallest gain, as a fraction of the reference's gain, with which an arm is said to have learned."""


@dataclass(frozen=True)
class Gain:
    """Log-likelihood of the held counts under an image, relative to that under the best constant object.

    Attributes
    ----------
    per_pattern
        Mean over patterns, nats. It is positive if the image explains the counts better than a constant object.
    standard_error
        Standard error of that mean, from the spread over patterns.
    """

    per_pattern: float
    standard_error: float

    @classmethod
    def of(cls, gains: NDArray[np.float64]) -> Gain:
        """Return mean and standard error of the gains of single patterns.

        Parameters
        ----------
        gains : (positions,) float64
            Gain of each pattern, nats.
        """
        return cls(float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains))))

    @property
    def clear(self) -> bool:
        """Whether the gain exceeds three standard errors."""
        return self.per_pattern > ERRORS * self.standard_error


def pattern_losses(image: NDArray[np.complex64], scan: Scan) -> NDArray[np.float64]:
    """Return the plain Poisson loss of each held pattern.

    One factor of the light is fitted to all patterns together, so that a wrong scale of the image does not count.

    Parameters
    ----------
    image : (rows, columns) complex64
        Object in the frame of the positions; its global phase does not matter.
    scan
        Scan with counts that no arm was fitted to.

    Returns
    -------
    (positions,) float64, nats

    Raises
    ------
    InputError
        The scan has no such counts.
    """
    return plain_poisson_loss(*_held(image, scan)).sum(axis=(1, 2))


def _held(image: NDArray[np.complex64], scan: Scan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the held counts and what the image expects of them.

    Parameters
    ----------
    image : (rows, columns) complex64
        Object in the frame of the positions.
    scan
        Scan with held counts.

    Returns
    -------
    counts, expected : (positions, N, N) float64, photons
        One factor makes the expected light as bright as the counts without background. Masked pixels are 0.
    """
    if scan.held is None:
        raise InputError("held counts", None, "a data set with a second exposure", "simulate it again: 01_generate")
    # (position, row, column); the held counts have another dose than the counts that arms are fitted to.
    light = scan.held_share * np.concatenate(list(expected_counts(image, scan.probe, scan.positions)))
    counts = scan.held.astype(np.float64)
    if scan.mask is not None:
        counts, light = counts * scan.mask, light * scan.mask
    # The factor is fitted to the light alone: the background does not scale with the object.
    dark = np.zeros(light.shape[1:]) if scan.dark is None else scan.held_share * scan.dark
    gain = max(counts.sum() - len(counts) * dark.sum(), 0) / max(light.sum(), 1e-12)
    return counts, gain * light + dark


@dataclass(frozen=True)
class Measures:
    """How well an image explains patterns that no arm was fitted to. No truth is needed.

    Attributes
    ----------
    gain
        Gain in log-likelihood over the best constant object.
    chi_square
        Sum (n - lambda)^2 / sum lambda; 1 if nothing but photon noise is left.
    r_factor
        Sum |sqrt(n) - sqrt(lambda)| / sum sqrt(n). Photon noise alone makes it larger, the fewer photons there are.
    pearson
        Correlation of n and lambda after the mean pattern was subtracted from both, since the mean pattern says
        nothing about the object.
    """

    gain: Gain
    chi_square: float
    r_factor: float
    pearson: float

    def report(self) -> dict[str, float]:
        """Return the measures as fields of registration.json."""
        told = {name: getattr(self, name) for name in ("chi_square", "r_factor", "pearson")}
        return {"gain_per_pattern": self.gain.per_pattern, "gain_standard_error": self.gain.standard_error} | told


def measures(image: NDArray[np.complex64], scan: Scan) -> Measures:
    """Judge an image by the held counts of a scan.

    Parameters
    ----------
    image : (rows, columns) complex64
        Object in the frame of the positions.
    scan
        Scan with counts that no arm was fitted to.

    Returns
    -------
    `Measures`

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
    # (position, row, column); the mean over positions is the pattern that all have in common.
    a, b = counts - counts.mean(axis=0), expected - expected.mean(axis=0)
    pearson = np.sum(a * b) / max(np.sqrt(np.sum(a**2) * np.sum(b**2)), 1e-12)
    chi_square = np.sum((counts - expected) ** 2) / max(expected.sum(), 1e-12)
    # Any constant object will do, since a factor is fitted to its patterns.
    flat = pattern_losses(np.ones(scan.shape, np.complex64), scan)
    # Loss of the constant object minus loss of the image: positive where the image explains more.
    gain = Gain.of(flat - plain_poisson_loss(counts, expected).sum(axis=(1, 2)))
    return Measures(gain, float(chi_square), float(r), float(pearson))


def learned(gain: Gain, reference: Gain | None) -> tuple[bool, str]:
    """Tell whether an arm learned the object, and if not, the reason.

    Parameters
    ----------
    gain
        Gain of the arm.
    reference
        Gain of the MAP arm on the same counts; None if MAP was not run.

    Returns
    -------
    learned
        False if the gain is not above three standard errors, or is less than a tenth of the reference's gain.
    reason
        In words; empty if the arm learned.
    """
    told = f"{gain.per_pattern:+.3g} ± {gain.standard_error:.2g} nats per pattern"
    if not gain.clear:
        return False, f"it explains counts that no arm was fitted to no better than a constant object ({told})"
    if reference is not None and gain.per_pattern < SHARE * reference.per_pattern:
        share = gain.per_pattern / reference.per_pattern
        return False, f"its gain over a constant object is {share:.0%} of MAP's on the same counts ({told})"
    return True, ""
