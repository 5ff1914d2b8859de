"""From a measured scan to that of a condition: a shorter exposure by thinning its counts, and what is left. Arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib.design import HELD_SHARE
from studylib.errors import InputError
from studylib.physics.simulate import intensity_scale
from studylib.physics.split import split_counts
from studylib.scan import Scan

MOST = 0.5
"""Largest share of the counts that an exposure may have with those held back: the rest, which the reference is made of,
is then the larger part."""


@dataclass(frozen=True)
class Exposure:
    """A shorter exposure of a measured scan.

    Attributes
    ----------
    scan
        What it would have counted, and beside it a tenth as many counts that no arm is fitted to.
    rest
        All other counts: independent of both.
    """

    scan: Scan
    rest: Scan


def most_dose(mean: float) -> int:
    """Return the largest dose of an exposure of a scan with that many counts per pattern."""
    return int(MOST * mean / (1 + HELD_SHARE))


def refuse_more(dose: int, mean: float) -> None:
    """Refuse a dose that would leave less than half of the counts for the reference."""
    most = most_dose(mean)
    if not 0 < dose <= most:
        expected = f"at most {most}, so that half of the {mean:.0f} counts per pattern are left for the reference"
        raise InputError("dose", dose, expected, "give a smaller dose, or full")


def halves(counts: NDArray, seed: int) -> list[NDArray[np.int64]]:
    """Divide the counts of a measured scan in two: every exposure is a part of the first half.

    Parameters
    ----------
    counts : (positions, N, N)
    seed
        Of the division.

    Returns
    -------
    one, other : (positions, N, N) int64
    """
    return split_counts(counts.astype(np.int64), (MOST, 1 - MOST), np.random.default_rng([seed, 2]))


def shorter(scan: Scan, dose: int, seed: int) -> Exposure:
    """Divide the counts of a measured scan into a shorter exposure, counts held back, and the rest.

    Of Poisson counts each part is Poisson, and the parts are independent (`studylib.physics.split`); corrected counts
    have no such parts, and whoever calls this has to refuse them. Exposure and held counts are drawn from the first of
    the two `halves`, so that the second is independent of them at every dose.

    Parameters
    ----------
    scan
        Raw counts; the probe in sqrt(photons).
    dose
        Mean photons per pattern of the exposure.
    seed
        Of the division; the dose enters too.

    Raises
    ------
    InputError
        The exposure would need more than half of the counts.
    """
    counts = scan.counts
    mean = float(counts.sum(axis=(1, 2)).mean())
    share = dose / mean
    refuse_more(dose, mean)
    one, other = halves(counts, seed)
    shares = np.array([share, HELD_SHARE * share]) / MOST
    # What is left of the first half: next to nothing at the largest dose, and split_counts wants something.
    left = max(1 - shares.sum(), 1e-9)
    mine, held, more = split_counts(one, (shares[0], shares[1], left), np.random.default_rng([seed, dose]))
    part, left_of_all = _part(scan, mine, share, dose), 1 - (1 + HELD_SHARE) * share
    kept: NDArray[Any] = held.astype(np.uint16 if held.max() < 2**16 else np.uint32)
    rest = _part(scan, other + more, left_of_all, round(left_of_all * mean))
    return Exposure(replace(part, held=kept, held_share=HELD_SHARE), rest)


def _part(scan: Scan, counts: NDArray[np.int64], share: float, dose: int) -> Scan:
    """Return a scan of a share of the counts: its probe is weaker, so that the object keeps its scale."""
    scale = intensity_scale(dose, scan.n_pixels)
    return replace(
        scan.dimmed(share), diffraction=(np.sqrt(counts) / scale).astype(np.float32), scale=scale,
        metadata=scan.metadata | {"dose": dose}, held=None, held_share=0.0,
    )  # fmt: skip
