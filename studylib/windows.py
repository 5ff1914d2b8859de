"""Windows of the object: the one place where a position becomes pixels.

The window of position (x, y) covers columns x - N/2 .. x + N/2 - 1 and rows y - N/2 .. y + N/2 - 1.
A fractional position is honoured by bilinear interpolation, which is a linear map: `extract` and
`place` are each other's adjoint, <extract(O), p> = <O, place(p)>.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError


def _corners(
    positions: NDArray[np.float64], n_pixels: int, shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the integer corners (positions, 2) as (row, column) and the fractions left over."""
    corner = np.asarray(positions, dtype=np.float64)[:, ::-1] - n_pixels / 2
    whole = np.floor(corner).astype(np.int64)
    fraction = corner - whole
    reach = whole + n_pixels + (fraction > 0)
    if (whole < 0).any() or (reach > np.asarray(shape)).any():
        raise InputError(
            "positions",
            f"x {positions[:, 0].min():.1f}..{positions[:, 0].max():.1f}, "
            f"y {positions[:, 1].min():.1f}..{positions[:, 1].max():.1f}",
            f"every window of {n_pixels} px inside the object of {shape[0]} x {shape[1]} px",
            "give a larger object or leave out the positions at its rim",
        )
    return whole, fraction


def _taps(fraction: NDArray[np.float64]) -> list[tuple[int, int, NDArray[np.float64]]]:
    """Return the four bilinear neighbours as (row offset, column offset, weights (positions,))."""
    row, column = fraction[:, 0], fraction[:, 1]
    return [(dr, dc, np.where(dr, row, 1 - row) * np.where(dc, column, 1 - column)) for dr in (0, 1) for dc in (0, 1)]


def extract(image: NDArray, positions: NDArray[np.float64], n_pixels: int) -> NDArray:
    """Cut the windows of an image.

    Parameters
    ----------
    image : (rows, columns) real or complex
    positions : (positions, 2) float64
        x (column) and y (row) of each window's centre, pixels of `image`.
    n_pixels
        N, the side of a window.

    Returns
    -------
    (positions, N, N), dtype of `image`

    Raises
    ------
    InputError
        A window leaves the image.
    """
    whole, fraction = _corners(positions, n_pixels, image.shape)
    padded = np.pad(image, ((0, 1), (0, 1)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (n_pixels, n_pixels))
    out = np.zeros((len(positions), n_pixels, n_pixels), dtype=image.dtype)
    for dr, dc, weight in _taps(fraction):
        if weight.any():
            patch = views[whole[:, 0] + dr, whole[:, 1] + dc]
            out += weight[:, None, None].astype(image.real.dtype) * patch
    return out


def place(patches: NDArray, positions: NDArray[np.float64], shape: tuple[int, int]) -> NDArray:
    """Add the windows up on a canvas; the adjoint of `extract`.

    Parameters
    ----------
    patches : (positions, N, N) real or complex
    positions : (positions, 2) float64
        x and y of each window's centre, pixels of the canvas.
    shape
        Rows and columns of the canvas.

    Returns
    -------
    (rows, columns), dtype of `patches`
    """
    layout = Layout(positions, patches.shape[-1], shape)
    return layout.add(layout.spread(patches))


class Layout:
    """Where the windows of some positions lie, for whoever places the same patches again and again.

    Parameters
    ----------
    positions : (positions, 2) float64, x and y of each window's centre, pixels of the canvas
    n_pixels
        N.
    shape
        Rows and columns of the canvas.
    """

    def __init__(self, positions: NDArray[np.float64], n_pixels: int, shape: tuple[int, int]) -> None:
        self.corners, self.fraction = _corners(positions, n_pixels, shape)
        self.n, self.shape = n_pixels, shape

    def spread(self, patches: NDArray) -> NDArray:
        """Return what whole pixels receive of each patch, (positions, N + 1, N + 1)."""
        n = self.n
        out = np.zeros((len(patches), n + 1, n + 1), dtype=patches.dtype)
        for dr, dc, weight in _taps(self.fraction):
            out[:, dr : dr + n, dc : dc + n] += weight[:, None, None].astype(patches.real.dtype) * patches
        return out

    def add(self, spread: NDArray, factors: NDArray | None = None) -> NDArray:
        """Return the sum of what was spread, each times its factor, (rows, columns)."""
        canvas = np.zeros((self.shape[0] + 1, self.shape[1] + 1), dtype=spread.dtype)
        for k, window in enumerate(self._windows()):
            canvas[window] += spread[k] if factors is None else factors[k] * spread[k]
        return canvas[: self.shape[0], : self.shape[1]]

    def products(self, spread: NDArray, canvas: NDArray) -> NDArray:
        """Return the inner product of each spread patch with the canvas in its window, (positions,)."""
        padded = np.pad(canvas, ((0, 1), (0, 1)))
        return np.array([np.vdot(spread[k], padded[window]) for k, window in enumerate(self._windows())])

    def _windows(self) -> Iterator[tuple[slice, slice]]:
        for row, column in self.corners:
            yield slice(row, row + self.n + 1), slice(column, column + self.n + 1)
