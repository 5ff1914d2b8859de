"""Object patches onto one absolute canvas, weighted by the illumination."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studylib.windows import extract, place


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
    weight, total = _illumination(patches.shape, probe, positions, shape)
    return _mean(patches * weight, total, positions, shape)


def _illumination(patches_shape: tuple[int, ...], probe: NDArray, positions: NDArray, shape: tuple[int, int]):
    """Return the weight |P|^2 and its sum over all windows, zero where no light worth the name fell."""
    weight = (np.abs(probe) ** 2).astype(np.float32)
    total = place(np.broadcast_to(weight, patches_shape), positions, shape)
    # A pixel that only the far tails of the probe reach is not an estimate of anything.
    return weight, np.where(total > 1e-6 * weight.max(), total, 0)


def _mean(weighted: NDArray, total: NDArray, positions: NDArray, shape: tuple[int, int]) -> NDArray[np.complex64]:
    canvas = place(weighted, positions, shape)
    return np.divide(canvas, total, out=np.zeros(shape, np.complex64), where=total > 0)


def synchronise(
    patches: NDArray[np.complex64],
    probe: NDArray[np.complex64],
    positions: NDArray[np.float64],
    shape: tuple[int, int],
    iterations: int = 30,
) -> NDArray[np.complex64]:
    """Return the unit factors that make the patches agree best where they overlap.

    A diffraction pattern does not change when its exit wave is multiplied by a unit factor, so each
    patch has a phase of its own, and only overlap relates them. Alternately the patches are stitched
    and each is turned to the phase of the canvas in its window, |P|^2 as weight. No truth is needed.

    Parameters
    ----------
    patches : (positions, N, N) complex64
    probe : (N, N) complex64
    positions : (positions, 2) float64, x and y in object pixels
    shape
        Rows and columns of the object.
    iterations
        Of stitching and turning.

    Returns
    -------
    (positions,) complex64, modulus 1

    References
    ----------
    Marchesini, Tu, Wu, Alternating projection, ptychographic imaging and phase synchronization,
    Appl. Comput. Harmon. Anal. 41, 815 (2016), sec. 4.
    """
    weight, total = _illumination(patches.shape, probe, positions, shape)
    weighted = patches * weight
    factors = np.ones(len(patches), dtype=np.complex64)
    for _ in range(iterations):
        canvas = _mean(weighted * factors[:, None, None], total, positions, shape)
        product = np.einsum("nij,nij->n", np.conj(weighted), extract(canvas, positions, patches.shape[-1]))
        factors = (product / np.maximum(np.abs(product), np.finfo(np.float32).tiny)).astype(np.complex64)
    return factors
