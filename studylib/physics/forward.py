"""The forward model that the simulation and every arm share.

Exit wave = P(r - x_j) O(r): the object stays on its grid and the probe moves. The window of a position lies at its
nearest whole pixel (`studylib.physics.windows`); the rest of the position is a Fourier shift of the probe. The detector
expects lambda = |fftshift(FFT2(exit wave))|^2, orthonormal, in photons when sum |P|^2 is in photons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from studylib.physics.windows import extract, nearest_pixels

Expected = Callable[..., Iterator[NDArray[np.float64]]]
"""Yields the patterns that are expected of an object, a probe and positions, as `expected_counts`."""
FORWARD_MODEL = "probe shifted, object on its grid (1)"
"""Name of this model in the metadata of a data set; a data set of another model is refused."""


def shift_ramps(fractions: NDArray, n_pixels: int) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
    """Return the factors of the spectrum that shift an image, one for its rows and one for its columns.

    Parameters
    ----------
    fractions : (..., 2) float
        x and y of the shift, pixels; towards larger indices.
    n_pixels
        N, the side of the image.

    Returns
    -------
    rows, columns : (..., N) complex64
        exp(-2 pi i k s), k in the order of `numpy.fft.fft2` (zero frequency first).
    """
    frequency = np.fft.fftfreq(n_pixels)
    ramps = np.exp(-2j * np.pi * np.asarray(fractions, dtype=np.float64)[..., None] * frequency).astype(np.complex64)
    return ramps[..., 1, :], ramps[..., 0, :]


def shifted_probes(probe: NDArray[np.complex64], fractions: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Return the probe at each fraction of a pixel, by a Fourier shift.

    Parameters
    ----------
    probe : (N, N) complex64
    fractions : (positions, 2) float32
        x and y, pixels; towards larger indices.

    Returns
    -------
    (positions, N, N) complex64
    """
    rows, columns = shift_ramps(fractions, len(probe))
    spectrum = np.fft.fft2(probe.astype(np.complex128))
    return np.fft.ifft2(spectrum * rows[:, :, None] * columns[:, None, :]).astype(np.complex64)


def probes_at(probe: NDArray[np.complex64], positions: NDArray[np.float64]) -> NDArray[np.complex64]:
    """Return the probe of each position in the frame of its window, (positions, N, N) complex64."""
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
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.
    batch
        Positions at a time.

    Yields
    ------
    (at most batch, N, N) float64, zero frequency in the centre
    """
    for start in range(0, len(positions), batch):
        some = positions[start : start + batch]
        exit_wave = probes_at(probe, some) * extract(image, some, probe.shape[0])
        spectrum = np.fft.fft2(exit_wave.astype(np.complex128), norm="ortho")
        yield np.fft.fftshift(np.abs(spectrum) ** 2, axes=(1, 2))
