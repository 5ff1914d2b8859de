"""The forward model that the simulation and every arm share.

The exit wave is P(r - x_j) O(r): the object stays on its grid and the probe moves. The window of a scan position lies
at the whole pixel nearest to that position (`studylib.physics.windows`). The remaining fraction of a pixel is a Fourier
shift of the probe. The detector expects lambda = |fftshift(FFT2(exit wave))|^2 with an orthonormal FFT. lambda is in
photons when sum |P|^2 is in photons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from studylib.physics.windows import extract, nearest_pixels

Expected = Callable[..., Iterator[NDArray[np.float64]]]
"""Type of a forward model. It is called like `expected_counts` and yields the expected patterns batch by batch."""
FORWARD_MODEL = "probe shifted, object on its grid (1)"
"""Name of this forward model in the metadata of a data set. A data set of another forward model is rejected."""


def shift_ramps(fractions: NDArray, n_pixels: int) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
    """Return the factors of a spectrum that shift an image: one for its rows and one for its columns.

    The product of both factors, broadcast over rows and columns, is the factor of the whole spectrum.

    Parameters
    ----------
    fractions : (..., 2) float
        Shift along x and y, pixels. A positive shift moves the image towards larger indices.
    n_pixels
        N, the side of the image, pixels.

    Returns
    -------
    rows, columns : (..., N) complex64
        exp(-2 pi i k s) for the frequencies k in the order of `numpy.fft.fft2` (zero frequency first).
    """
    frequency = np.fft.fftfreq(n_pixels)
    # (..., x or y, frequency)
    ramps = np.exp(-2j * np.pi * np.asarray(fractions, dtype=np.float64)[..., None] * frequency).astype(np.complex64)
    # x counts columns and y counts rows.
    return ramps[..., 1, :], ramps[..., 0, :]


def shifted_probes(probe: NDArray[np.complex64], fractions: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Return the probe at each fraction of a pixel, by a Fourier shift.

    Parameters
    ----------
    probe : (N, N) complex64
        Probe, in any unit; the result has the same.
    fractions : (positions, 2) float32
        Shift along x and y, pixels. A positive shift moves the probe towards larger indices.

    Returns
    -------
    (positions, N, N) complex64

    Examples
    --------
    >>> probe = np.zeros((8, 8), np.complex64)
    >>> probe[3, 4] = 1
    >>> moved = shifted_probes(probe, np.array([[1.0, 0.0]], np.float32))[0]
    >>> np.argwhere(np.abs(moved) > 0.5).tolist()
    [[3, 5]]
    """
    rows, columns = shift_ramps(fractions, len(probe))
    spectrum = np.fft.fft2(probe.astype(np.complex128))
    return np.fft.ifft2(spectrum * rows[:, :, None] * columns[:, None, :]).astype(np.complex64)


def probes_at(probe: NDArray[np.complex64], positions: NDArray[np.float64]) -> NDArray[np.complex64]:
    """Return the probe of each scan position in the frame of its window.

    Parameters
    ----------
    probe : (N, N) complex64
        Probe, in any unit; the result has the same.
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.

    Returns
    -------
    (positions, N, N) complex64
        The probe, shifted by the fraction of a pixel that remains when the position is rounded.
    """
    return shifted_probes(probe, nearest_pixels(positions)[1])


def expected_counts(
    image: NDArray[np.complex64],
    probe: NDArray[np.complex64],
    positions: NDArray[np.float64],
    batch: int = 256,
) -> Iterator[NDArray[np.float64]]:
    """Yield the expected patterns, batch by batch.

    The orthonormal FFT conserves energy (Parseval): the sum over the detector is that of the exit wave.

    Parameters
    ----------
    image : (rows, columns) complex64
        The object.
    probe : (N, N) complex64
        Probe, sqrt(photons).
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.
    batch
        Number of positions that are computed together.

    Yields
    ------
    (at most batch, N, N) float64
        Expected counts, photons, zero frequency in the centre.

    Raises
    ------
    InputError
        A window leaves the object.

    Examples
    --------
    >>> probe = np.ones((4, 4), np.complex64)
    >>> patterns = np.concatenate(list(expected_counts(np.ones((16, 16), np.complex64), probe, np.array([[8.0, 8.0]]))))
    >>> patterns.shape, float(patterns.sum())
    ((1, 4, 4), 16.0)
    """
    for start in range(0, len(positions), batch):
        some = positions[start : start + batch]
        # (position, row, column), in the frame of each position's window
        exit_wave = probes_at(probe, some) * extract(image, some, probe.shape[0])
        spectrum = np.fft.fft2(exit_wave.astype(np.complex128), norm="ortho")
        # Only the two image axes are shifted; the first axis counts positions.
        yield np.fft.fftshift(np.abs(spectrum) ** 2, axes=(1, 2))
