"""Object patches onto one absolute canvas, weighted by the illumination."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studylib.windows import place


@dataclass(frozen=True)
class Box:
    """The scanned box in object pixels: rows top..bottom and columns left..right, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Return the box as an index for (rows, columns)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def scanned_box(positions: NDArray[np.float64]) -> Box:
    """Return the box spanned by the scan positions, inside which every pixel was illuminated."""
    low, high = np.ceil(positions.min(axis=0)), np.floor(positions.max(axis=0))
    return Box(int(low[1]), int(high[1]) + 1, int(low[0]), int(high[0]) + 1)


def stitch(
    patches: NDArray[np.complex64],
    probe: NDArray[np.complex64],
    positions: NDArray[np.float64],
    shape: tuple[int, int],
) -> NDArray[np.complex64]:
    """Average the patches where they overlap, |P|^2 as weight.

    Parameters
    ----------
    patches : (positions, N, N) complex64
    probe : (N, N) complex64
    positions : (positions, 2) float64, x and y in object pixels
    shape
        Rows and columns of the object: the canvas is its frame.

    Returns
    -------
    (rows, columns) complex64; zero where no light fell
    """
    weight = (np.abs(probe) ** 2).astype(np.float32)
    # A pixel that only the far tails of the probe reach is not an estimate of anything.
    floor = 1e-6 * float(weight.max())
    weights = place(np.broadcast_to(weight, patches.shape), positions, shape)
    total = place(patches * weight, positions, shape)
    return np.where(weights > floor, total / np.maximum(weights, floor), 0).astype(np.complex64)
