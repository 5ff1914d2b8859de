"""Splitting counts into independent Poisson shares.

If n is Poisson with mean lambda and a ~ Binomial(n, q), then a and n - a are independent Poisson variables with means q
lambda and (1 - q) lambda. So an image that was fitted to one share can be judged by another share, without any truth.

References
----------
Leiner, Duan, Wasserman, Ramdas, Data fission: splitting a single data point, JASA 120, 135 (2025), sec. 2.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError
from studylib.scan import Scan


def split_counts(
    counts: NDArray[np.integer], shares: tuple[float, ...], generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Divide counts into independent shares that add up to them.

    Parameters
    ----------
    counts : (...) int
        Counts, photons.
    shares
        Expected fraction of the counts in each part; the fractions add up to 1.
    generator
        Source of the draw.

    Returns
    -------
    List of (...) int64
        Counts of each part.

    Raises
    ------
    InputError
        A fraction is not positive, or the fractions do not add up to 1.

    Examples
    --------
    >>> fitted, held = split_counts(np.array([[100, 7], [0, 3]]), (0.9, 0.1), np.random.default_rng(1))
    >>> fitted + held
    array([[100,   7],
           [  0,   3]])
    """
    if min(shares) <= 0 or not np.isclose(sum(shares), 1):
        raise InputError("shares", shares, "positive shares that add up to 1", "give (0.8, 0.1, 0.1)")
    left, rest, parts = np.asarray(counts, np.int64), 1.0, []
    # Each part takes its fraction of the counts that are left, so that all parts together are multinomial; the last
    # part is the remainder.
    for share in shares[:-1]:
        parts.append(generator.binomial(left, min(1.0, share / rest)))
        left, rest = left - parts[-1], rest - share
    return [*parts, left]


def share_of(scan: Scan, counts: NDArray[np.int64], share: float, held: NDArray[np.int64], held_share: float) -> Scan:
    """Return the scan with one share of its counts to be fitted and another share that is held back.

    The probe is multiplied by sqrt(share), so that the object keeps its scale; the background is multiplied by the
    share.

    Parameters
    ----------
    scan
        The whole scan.
    counts : (positions, N, N) int64
        The share to be fitted, photons.
    share
        Its expected fraction of the counts.
    held : (positions, N, N) int64
        The share that is held back, photons.
    held_share
        Its expected fraction of the counts.

    Returns
    -------
    Scan
    """
    # s falls with the probe: the amplitudes of the share then have the same range as those of the whole scan.
    scale = scan.scale * np.sqrt(share)
    return replace(
        scan.dimmed(share),
        diffraction=(np.sqrt(counts) / scale).astype(np.float32),
        scale=float(scale),
        metadata=scan.metadata | {"share": share * scan.metadata.get("share", 1.0)},
        held=held.astype(np.uint32),
        # Relative to the share that is fitted, which is the `counts` of the new scan.
        held_share=held_share / share,
    )
