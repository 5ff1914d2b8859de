"""Windows of the object: the one place where a position becomes pixels.

The window of position (x, y) covers columns X - N/2 .. X + N/2 - 1 and rows Y - N/2 .. Y + N/2 - 1, where X and Y are x
and y rounded to whole pixels. The remainder, at most half a pixel, is a shift of the probe
(`studylib.physics.forward`): the object stays on its grid and is never interpolated. `extract` and `place` are adjoint
to each other, <extract(O), p> = <O, place(p)>.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError


def nearest_pixels(positions: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Divide positions into whole pixels and a remainder.

    The arithmetic is in float32 and rounds ties to the even pixel, like pty-chi, so that both choose the same window.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.

    Returns
    -------
    whole : (positions, 2) int64
        x and y of the nearest pixel.
    fraction : (positions, 2) float32
        x and y of the remainder, -0.5 to 0.5 pixels.

    Examples
    --------
    >>> whole, rest = nearest_pixels(np.array([[10.25, 7.5], [10.75, 8.5]]))
    >>> whole.tolist(), rest.tolist()
    ([[10, 8], [11, 8]], [[0.25, -0.5], [-0.25, 0.5]])
    """
    single = np.asarray(positions).astype(np.float32)
    whole = np.rint(single)
    return whole.astype(np.int64), single - whole


def window_corners(positions: NDArray[np.float64], n_pixels: int, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return the first row and column of each window.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y of each window's centre, pixels of the canvas.
    n_pixels
        N, the side of a window, pixels.
    shape
        Rows and columns of the canvas.

    Returns
    -------
    (positions, 2) int64
        Row and column.

    Raises
    ------
    InputError
        A window leaves the canvas.

    Examples
    --------
    >>> window_corners(np.array([[20.25, 40.0]]), n_pixels=16, shape=(64, 64)).tolist()
    [[32, 12]]
    """
    # (x, y) becomes (row, column).
    corners = nearest_pixels(positions)[0][:, ::-1] - n_pixels // 2
    if (corners < 0).any() or (corners + n_pixels > np.asarray(shape)).any():
        raise InputError(
            "positions",
            f"x {positions[:, 0].min():.1f}..{positions[:, 0].max():.1f}, "
            f"y {positions[:, 1].min():.1f}..{positions[:, 1].max():.1f}",
            f"every window of {n_pixels} px inside the object of {shape[0]} x {shape[1]} px",
            "give a larger object or leave out the positions at its rim",
        )
    return corners


def extract(image: NDArray, positions: NDArray[np.float64], n_pixels: int) -> NDArray:
    """Cut the windows out of an image.

    Parameters
    ----------
    image : (rows, columns) real or complex
        The object, or another map of its frame.
    positions : (positions, 2) float64
        x (column) and y (row) of each window's centre, pixels of `image`.
    n_pixels
        N, the side of a window, pixels.

    Returns
    -------
    (positions, N, N), dtype of `image`

    Raises
    ------
    InputError
        A window leaves the image.

    Examples
    --------
    >>> image = np.arange(64.0 * 64).reshape(64, 64)
    >>> extract(image, np.array([[20.25, 40.0]]), n_pixels=16)[0, 0, 0] == image[32, 12]
    np.True_
    """
    corners = window_corners(positions, n_pixels, image.shape)
    # (first row, first column, N, N): a view of every window; indexing copies the wanted ones only.
    views = np.lib.stride_tricks.sliding_window_view(image, (n_pixels, n_pixels))
    return views[corners[:, 0], corners[:, 1]]


def place(patches: NDArray, positions: NDArray[np.float64], shape: tuple[int, int]) -> NDArray:
    """Add the windows up on a canvas; the adjoint of `extract`.

    Parameters
    ----------
    patches : (positions, N, N) real or complex
        One patch per position.
    positions : (positions, 2) float64
        x (column) and y (row) of each window's centre, pixels of the canvas.
    shape
        Rows and columns of the canvas.

    Returns
    -------
    (rows, columns), dtype of `patches`

    Raises
    ------
    InputError
        A window leaves the canvas.
    """
    n = patches.shape[-1]
    return Layout(window_corners(positions, n, shape), n, shape).add(patches)


class Layout:
    """Where the windows of some positions lie, for code that places patches many times.

    Parameters
    ----------
    corners : (positions, 2) int64
        First row and column of each window.
    n_pixels
        N, the side of a window, pixels.
    shape
        Rows and columns of the canvas.
    """

    def __init__(self, corners: NDArray[np.int64], n_pixels: int, shape: tuple[int, int]) -> None:
        self.corners, self.n, self.shape = corners, n_pixels, shape

    def add(self, patches: NDArray, factors: NDArray | None = None) -> NDArray:
        """Return the sum of the patches at their places, each multiplied by its factor.

        Parameters
        ----------
        patches : (positions, N, N) real or complex
            One patch per position.
        factors : (positions,) real or complex
            Factor of each patch; 1 when None.

        Returns
        -------
        (rows, columns), dtype of `patches`
        """
        canvas = np.zeros(self.shape, dtype=patches.dtype)
        # One by one: windows overlap, and indexing with all of them at once would add each pixel only once.
        for k, window in enumerate(self._windows()):
            canvas[window] += patches[k] if factors is None else factors[k] * patches[k]
        return canvas

    def products(self, patches: NDArray, canvas: NDArray) -> NDArray:
        """Return the inner product of each patch with the canvas in its window, sum(conj(patch) canvas).

        Parameters
        ----------
        patches : (positions, N, N) real or complex
            One patch per position.
        canvas : (rows, columns) real or complex
            Image on the canvas.

        Returns
        -------
        (positions,), the common dtype of both
        """
        return np.array([np.vdot(patches[k], canvas[window]) for k, window in enumerate(self._windows())])

    def _windows(self) -> Iterator[tuple[slice, slice]]:
        """Yield each window as an index for (rows, columns)."""
        for row, column in self.corners:
            yield slice(row, row + self.n), slice(column, column + self.n)
