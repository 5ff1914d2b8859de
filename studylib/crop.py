"""Patterns whose sides are unequal or no multiple of 16 are cut about their zero frequency, and said to be.

A smaller detector looks at the same field with coarser object pixels: an object pixel is wavelength x distance /
(N x detector pitch). So positions shrink by the ratio of the sides, and the probe keeps its field and loses the spatial
frequencies that fall outside.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib.design import LEAST_SIDE, SIDE_STEP
from studylib.measured import Measured, Patterns


class _Cut:
    """Some rows and columns of patterns that stay where they are until they are used."""

    def __init__(self, patterns: Patterns, rows: slice, columns: slice, side: int) -> None:
        self.patterns, self.rows, self.columns = patterns, rows, columns
        self.shape, self.dtype = (patterns.shape[0], side, side), patterns.dtype

    def __getitem__(self, where: slice) -> Any:
        return np.asarray(self.patterns[where])[:, self.rows, self.columns]


def side_of_study(rows: int, columns: int) -> int:
    """Return the side of the patterns that a study is made of, pixels; 0 where they are too small."""
    side = min(rows, columns) // SIDE_STEP * SIDE_STEP
    return side if side >= LEAST_SIDE else 0


def cropped(scan: Measured) -> Measured:
    """Return the scan with square patterns whose side is a multiple of 16, the scan itself where they are that.

    Its remarks say what was cut, and which share of the counts lay there. An object of the file, in other pixels, is
    left out.
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
    whole, left = (sum(block.sum() for block in some.blocks()) for some in (scan, cut))
    ratio, places = np.array([n / columns, n / rows]), scan.places
    said = f"patterns cut from {rows} x {columns} to {n} x {n} px about the zero frequency"
    return replace(
        cut,
        probe=None if scan.probe is None else _coarser(scan.probe, n),
        object=None,
        # The corner of a window stays where it was: the centres of odd and even windows are half a pixel apart.
        positions=None if places is None else (places - np.array([columns, rows]) // 2) * ratio + n // 2,
        object_pixel_m=None if scan.pixel_m is None else scan.pixel_m / float(ratio[0]),
        remarks=(*scan.remarks, f"{said}, {1 - left / max(whole, 1):.2%} of the counts lay outside"),
    )


def _middle(side: int, n: int) -> slice:
    """Return the n of so many pixels that keep the zero frequency, which is at half the side, at half of n."""
    return slice(side // 2 - n // 2, side // 2 - n // 2 + n)


def _coarser(probe: NDArray[np.complex64], n: int) -> NDArray[np.complex64]:
    """Return probes (modes, N, N) in the same field with n x n pixels: what the smaller detector sees of them."""
    spectrum = np.fft.fftshift(np.fft.fft2(probe.astype(np.complex128)), axes=(1, 2))
    rows, columns = (_middle(side, n) for side in probe.shape[1:])
    kept = np.fft.ifftshift(spectrum[:, rows, columns], axes=(1, 2))
    return (np.fft.ifft2(kept) * n / np.sqrt(probe.shape[1] * probe.shape[2])).astype(np.complex64)
