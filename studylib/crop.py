"""Cut patterns about their zero frequency where the sides are unequal or no multiple of 16, and say so.

A smaller detector sees the same field with coarser object pixels: an object pixel is wavelength x distance / (N x
detector pitch). So positions in object pixels shrink by the ratio of the sides. The probe keeps its field and loses the
spatial frequencies that fall outside.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib.design import LEAST_SIDE, SIDE_STEP
from studylib.measured import Measured, Patterns


class _Cut:
    """Square parts of patterns that are read only when they are used.

    Parameters
    ----------
    patterns : (positions, rows, columns)
        The whole patterns, often on disk.
    rows, columns
        The part that is kept.
    side
        Rows and columns of the part.
    """

    def __init__(self, patterns: Patterns, rows: slice, columns: slice, side: int) -> None:
        self.patterns, self.rows, self.columns = patterns, rows, columns
        self.shape, self.dtype = (patterns.shape[0], side, side), patterns.dtype

    def __getitem__(self, where: slice) -> Any:
        """Return some of the cut patterns, (some, side, side)."""
        return np.asarray(self.patterns[where])[:, self.rows, self.columns]


def side_of_study(rows: int, columns: int) -> int:
    """Return the side to which a study cuts patterns.

    Parameters
    ----------
    rows, columns
        Sides of the stored patterns, pixels.

    Returns
    -------
    int
        The largest multiple of 16 that fits, pixels; 0 where it is below 32, the least side of a study.
    """
    side = min(rows, columns) // SIDE_STEP * SIDE_STEP
    return side if side >= LEAST_SIDE else 0


def cropped(scan: Measured) -> Measured:
    """Return the scan with square patterns whose side is a multiple of 16.

    Parameters
    ----------
    scan
        Patterns (positions, rows, columns), zero frequency in the centre.

    Returns
    -------
    Measured
        The scan itself where nothing has to be cut, where the patterns are too small, or where there are none.
        Otherwise its remarks say what was cut and which share of the counts lay there. An object of the file is left
        out, because its pixels differ.
    """
    if scan.patterns is None:
        return scan
    rows, columns = scan.patterns.shape[1:]
    n = side_of_study(rows, columns)
    if not n or (rows, columns) == (n, n):
        return scan
    where = _middle(rows, n), _middle(columns, n)
    mask = None if scan.mask is None else scan.mask[where]
    dark = None if scan.background is None else scan.background[where]
    cut = replace(scan, patterns=_Cut(scan.patterns, *where, n), mask=mask, background=dark)
    # One pass over all patterns, block by block, to tell how many counts are lost.
    whole, left = (sum(block.sum() for block in some.blocks()) for some in (scan, cut))
    ratio, places = np.array([n / columns, n / rows]), scan.places  # x and y
    said = f"patterns cut from {rows} x {columns} to {n} x {n} px about the zero frequency"
    return replace(
        cut,
        probe=None if scan.probe is None else _coarser(scan.probe, n),
        object=None,
        # The corner of a window keeps its place; the centres of windows of odd and even side are half a pixel apart.
        positions=None if places is None else (places - np.array([columns, rows]) // 2) * ratio + n // 2,
        object_pixel_m=None if scan.pixel_m is None else scan.pixel_m / float(ratio[0]),
        remarks=(*scan.remarks, f"{said}, {1 - left / max(whole, 1):.2%} of the counts lay outside"),
    )


def _middle(side: int, n: int) -> slice:
    """Return the slice of n pixels that moves the zero frequency from pixel `side // 2` to pixel `n // 2`."""
    return slice(side // 2 - n // 2, side // 2 - n // 2 + n)


def _coarser(probe: NDArray[np.complex64], n: int) -> NDArray[np.complex64]:
    """Return the probe on coarser pixels in the same field, as the smaller detector sees it.

    Parameters
    ----------
    probe : (modes, rows, columns) complex64
        Probe on the whole detector.
    n
        Side of the cut patterns, pixels.

    Returns
    -------
    (modes, n, n) complex64
        It keeps the photons of all spatial frequencies that remain.
    """
    spectrum = np.fft.fftshift(np.fft.fft2(probe.astype(np.complex128)), axes=(1, 2))
    rows, columns = (_middle(side, n) for side in probe.shape[1:])
    kept = np.fft.ifftshift(spectrum[:, rows, columns], axes=(1, 2))  # (mode, row, column)
    # The factor is that of the two plain transforms, whose norms depend on the number of pixels.
    return (np.fft.ifft2(kept) * n / np.sqrt(probe.shape[1] * probe.shape[2])).astype(np.complex64)
