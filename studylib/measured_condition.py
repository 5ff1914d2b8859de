"""From a measured scan to the scans of a condition: thin the counts to a shorter exposure, and keep the rest.

If n is Poisson and a ~ Binomial(n, q), then a and n - a are independent Poisson variables. So a binomial share of raw
counts is what a shorter exposure would have counted (`studylib.physics.split`). This module works on arrays only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from studylib import machine
from studylib.design import HELD_SHARE
from studylib.errors import InputError
from studylib.physics.simulate import intensity_scale
from studylib.physics.split import split_counts
from studylib.scan import Scan

MOST = 0.5
"""Largest share of the counts for an exposure together with its held counts, so that at least half of the counts are
left for the reference."""
BLOCK = 256
"""Patterns that are divided at a time. The result depends on it, since each block has a random stream of its own."""


@dataclass(frozen=True)
class Exposure:
    """A shorter exposure of a measured scan.

    Attributes
    ----------
    scan
        The counts of the shorter exposure, and a tenth as many held counts to which no arm is fitted.
    rest
        All other counts, independent of both.
    """

    scan: Scan
    rest: Scan


def most_dose(mean: float) -> int:
    """Return the largest dose of an exposure, photons per pattern, for a scan with `mean` counts per pattern."""
    return int(MOST * mean / (1 + HELD_SHARE))


def refuse_more(dose: int, mean: float) -> None:
    """Reject a dose that would leave less than half of the counts for the reference.

    Parameters
    ----------
    dose
        Photons per pattern of the exposure.
    mean
        Mean counts per pattern of the measured scan.

    Raises
    ------
    InputError
        The dose is not above 0, or is larger than `most_dose`.
    """
    most = most_dose(mean)
    if not 0 < dose <= most:
        expected = f"at most {most}, so that half of the {mean:.0f} counts per pattern are left for the reference"
        raise InputError("dose", dose, expected, "give a smaller dose, or full")


def _divided(scan: Scan, seed: int) -> Iterator[tuple[slice, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the counts divided into two halves, block by block, so that memory does not grow with the scan.

    Every exposure is a part of the first half. Each block has a random stream of its own.

    Parameters
    ----------
    scan
        Raw counts.
    seed
        Seed of the division.

    Yields
    ------
    part
        Slice of the positions.
    one, other : (at most BLOCK, N, N) int64
        Photons of the first and of the second half.
    """
    for number, (part, counts) in enumerate(scan.blocks(BLOCK)):
        # A stream for each block; those of the exposures have the dose in place of the 2.
        generator = np.random.default_rng([seed, 2, number])
        one, other = split_counts(counts.astype(np.int64), (MOST, 1 - MOST), generator)
        yield part, one, other


def half(scan: Scan, seed: int, which: int) -> Scan:
    """Return the scan of one half of the counts.

    Parameters
    ----------
    scan
        Raw counts; the probe in sqrt(photons).
    seed
        Seed of the division; the same one as for `shorter`.
    which
        0 for the half from which every exposure is drawn, 1 for the half that is independent of every exposure.

    Returns
    -------
    Scan
        Without held counts. The probe is weaker, so that the object keeps its scale.
    """
    told = _empty(scan, MOST, float(scan.scale * np.sqrt(MOST)))
    for part, *both in _divided(scan, seed):
        told.diffraction[part] = np.sqrt(both[which]) / told.scale
    return told


def shorter(scan: Scan, dose: int, seed: int) -> Exposure:
    """Divide the counts of a measured scan into a shorter exposure, held counts, and the rest.

    The parts of Poisson counts are Poisson and independent. Corrected counts have no such parts, so the caller must
    reject them. Exposure and held counts come from the first `half`, so the second half is independent of them at every
    dose.

    Parameters
    ----------
    scan
        Raw counts; the probe in sqrt(photons).
    dose
        Mean photons per pattern of the exposure.
    seed
        Seed of the division; the dose enters too.

    Returns
    -------
    Exposure

    Raises
    ------
    InputError
        Exposure and held counts would need more than half of the counts.
    """
    mean, most = _mean_and_most(scan)
    refuse_more(dose, mean)
    share = dose / mean
    shares = np.array([share, HELD_SHARE * share]) / MOST  # of the first half
    # The remainder of the first half. It is nearly 0 at the largest dose, and split_counts needs positive shares.
    left = max(1 - shares.sum(), 1e-9)
    of_rest = 1 - (1 + HELD_SHARE) * share

    def of_dose(photons: int, part: float) -> Scan:
        """Return an empty scan for a share of the counts, named after its dose."""
        named = replace(scan, metadata=scan.metadata | {"dose": photons})
        return _empty(named, part, intensity_scale(photons, scan.n_pixels))

    exposure, rest = of_dose(dose, share), of_dose(round(of_rest * mean), of_rest)
    kept = machine.room(scan.diffraction.shape, np.uint16 if most < 2**16 else np.uint32, "counts held back")
    for number, (part, one, other) in enumerate(_divided(scan, seed)):
        generator = np.random.default_rng([seed, dose, number])
        mine, held, more = split_counts(one, (shares[0], shares[1], left), generator)
        exposure.diffraction[part] = np.sqrt(mine) / exposure.scale
        rest.diffraction[part] = np.sqrt(other + more) / rest.scale
        kept[part] = held
    return Exposure(replace(exposure, held=kept, held_share=HELD_SHARE), rest)


def _mean_and_most(scan: Scan) -> tuple[float, float]:
    """Return the mean counts per pattern, and the largest count of a pixel."""
    total, most = 0.0, 0.0
    for _, counts in scan.blocks(BLOCK):
        total, most = total + float(counts.sum(dtype=np.float64)), max(most, float(counts.max()))
    return total / len(scan.positions), most


def _empty(scan: Scan, share: float, scale: float) -> Scan:
    """Return a scan for a share of the counts; the caller fills in the patterns.

    Parameters
    ----------
    scan
        The whole scan.
    share
        Share of the counts; probe and background are scaled to it, so that the object keeps its scale.
    scale
        s of the new scan.
    """
    diffraction = machine.room(scan.diffraction.shape, np.float32, "a share of the counts")
    return replace(scan.dimmed(share), diffraction=diffraction, scale=scale, held=None, held_share=0.0)
