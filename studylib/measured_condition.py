"""From a measured scan to that of a condition: a shorter exposure by thinning its counts, and what is left. Arrays."""

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
"""Largest share of the counts that an exposure may have with those held back: the rest, which the reference is made of,
is then the larger part."""
BLOCK = 256
"""Patterns that are divided together."""


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


def _divided(scan: Scan, seed: int) -> Iterator[tuple[slice, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield some positions and their counts divided in two: every exposure is a part of the first half.

    Block by block, each with a stream of its own, so that memory does not grow with the scan.
    """
    for number, (part, counts) in enumerate(scan.blocks(BLOCK)):
        generator = np.random.default_rng([seed, 2, number])
        one, other = split_counts(counts.astype(np.int64), (MOST, 1 - MOST), generator)
        yield part, one, other


def half(scan: Scan, seed: int, which: int) -> Scan:
    """Return the scan of one half of the counts: 0, from which every exposure is drawn, or 1, which none has seen."""
    told = _empty(scan, MOST, float(scan.scale * np.sqrt(MOST)))
    for part, *both in _divided(scan, seed):
        told.diffraction[part] = np.sqrt(both[which]) / told.scale
    return told


def shorter(scan: Scan, dose: int, seed: int) -> Exposure:
    """Divide the counts of a measured scan into a shorter exposure, counts held back, and the rest.

    Of Poisson counts each part is Poisson, and the parts are independent (`studylib.physics.split`); corrected counts
    have no such parts, and whoever calls this has to refuse them. Exposure and held counts are drawn from the first
    `half`, so that the second is independent of them at every dose.

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
    mean, most = _mean_and_most(scan)
    refuse_more(dose, mean)
    share = dose / mean
    shares = np.array([share, HELD_SHARE * share]) / MOST
    # What is left of the first half: next to nothing at the largest dose, and split_counts wants something.
    left = max(1 - shares.sum(), 1e-9)
    of_rest = 1 - (1 + HELD_SHARE) * share

    def of_dose(photons: int, part: float) -> Scan:
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
    """Return the mean counts per pattern, and the most of a pixel."""
    total, most = 0.0, 0.0
    for _, counts in scan.blocks(BLOCK):
        total, most = total + float(counts.sum(dtype=np.float64)), max(most, float(counts.max()))
    return total / len(scan.positions), most


def _empty(scan: Scan, share: float, scale: float) -> Scan:
    """Return a scan for a share of the counts, to be filled; its probe is weaker: the object keeps its scale."""
    diffraction = machine.room(scan.diffraction.shape, np.float32, "a share of the counts")
    return replace(scan.dimmed(share), diffraction=diffraction, scale=scale, held=None, held_share=0.0)
