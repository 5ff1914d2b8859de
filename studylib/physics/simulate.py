"""Simulation of a scan: positions, dose and photon counting, in counts from end to end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from studylib import progress
from studylib.design import SampleSettings
from studylib.errors import InputError
from studylib.physics.forward import Expected, expected_counts


def scan_positions(
    shape: tuple[int, int], n_pixels: int, settings: SampleSettings, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return a jittered raster of scan positions whose windows all lie in the object.

    Parameters
    ----------
    shape
        Rows and columns of the object.
    n_pixels
        N, the side of a window, pixels.
    settings
        Step of the raster, pixels, and half width of the jitter as a fraction of the step.
    generator
        Source of the jitter.

    Returns
    -------
    (positions, 2) float64
        x and y of each window's centre, object pixels, row by row.
    """
    half = n_pixels / 2
    # x runs over columns and y over rows; centres stay half a window away from the rim.
    axes = [np.arange(half, side - half, settings.scan_step) for side in (shape[1], shape[0])]
    x, y = (grid.ravel() for grid in np.meshgrid(*axes))
    positions = np.stack([x, y], axis=1)
    positions += generator.uniform(-1, 1, positions.shape) * settings.jitter * settings.scan_step
    # Jitter may push a position at the rim outwards.
    return np.clip(positions, half, np.array([shape[1], shape[0]]) - half)


def split_along_y(positions: NDArray[np.float64], n_rows: int, n_pixels: int) -> dict[str, NDArray[np.intp]]:
    """Return the indices of the two halves of a scan; a guard band keeps their illuminated rows apart.

    Training and test positions are more than one window apart along y, so no object pixel lies in windows of both.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.
    n_rows
        Rows of the object.
    n_pixels
        N, the side of a window, pixels.

    Returns
    -------
    Indices into `positions` by split, "train" (small y) and "test" (large y)

    Raises
    ------
    InputError
        A half has fewer than 16 positions: the object is too small for two halves and a guard band.
    """
    middle, y = n_rows / 2, positions[:, 1]
    halves = {
        "train": np.flatnonzero(y <= middle - n_pixels / 2 - 1),
        "test": np.flatnonzero(y >= middle + n_pixels / 2),
    }
    for split, members in halves.items():
        if len(members) < 16:
            raise InputError(
                "object",
                f"{n_rows} rows, {len(members)} {split} positions",
                f"at least 16 positions a split beside a guard band of {n_pixels} px",
                "give a base object with at least four windows of rows",
            )
    return halves


def scale_probe(
    image: NDArray[np.complex64],
    probe: NDArray[np.complex64],
    positions: NDArray[np.float64],
    dose: float,
) -> NDArray[np.complex64]:
    """Return the probe in sqrt(photons): the mean of sum(lambda) over the positions is then the dose.

    Parameters
    ----------
    image : (rows, columns) complex64
        The object.
    probe : (N, N) complex64
        Probe, in any unit.
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.
    dose
        Mean photons per pattern.

    Returns
    -------
    (N, N) complex64
        Probe, sqrt(photons).
    """
    mean = np.mean(np.concatenate([p.sum((1, 2)) for p in expected_counts(image, probe, positions)]))
    return (probe * np.sqrt(dose / mean)).astype(np.complex64)


def intensity_scale(dose: float, n_pixels: int) -> float:
    """Return s, the divisor of the amplitudes: X = sqrt(counts) / s has the mean sum X^2 = (N/2)^2 at any dose.

    Parameters
    ----------
    dose
        Mean photons per pattern.
    n_pixels
        N, the side of a pattern, pixels.

    Returns
    -------
    s, sqrt(photons)

    Examples
    --------
    >>> intensity_scale(dose=1024, n_pixels=64)
    1.0
    """
    return float(np.sqrt(dose) / (n_pixels / 2))


def count_photons(
    image: NDArray[np.complex64],
    probe: NDArray[np.complex64],
    positions: NDArray[np.float64],
    scale: float,
    generator: np.random.Generator,
    batch: int = 256,
    expected: Expected = expected_counts,
) -> NDArray[np.float32]:
    """Return the measured amplitudes sqrt(Poisson(lambda)) / s, from which the counts are recovered exactly.

    Parameters
    ----------
    image : (rows, columns) complex64
        The object.
    probe : (N, N) complex64
        Probe, sqrt(photons).
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.
    scale
        s, see `intensity_scale`.
    generator
        Source of the Poisson noise.
    batch
        Number of positions that are computed together.
    expected
        Forward model that yields lambda; another one than `expected_counts` simulates a disturbed experiment.

    Returns
    -------
    (positions, N, N) float32
        Amplitudes, zero frequency in the centre.

    Raises
    ------
    InputError
        A pixel has so many counts that float32 amplitudes cannot hold them exactly.
    """
    n_pixels = probe.shape[0]
    out = np.empty((len(positions), n_pixels, n_pixels), dtype=np.float32)
    with progress.bar(len(positions), "simulate", "pattern") as bar:
        start = 0
        for some in expected(image, probe, positions, batch):
            counts = generator.poisson(some)
            amplitude = (np.sqrt(counts) / scale).astype(np.float32)
            # The counts are what every likelihood uses, so rounding of the stored root must not change them.
            if (to_counts(amplitude, scale) != counts).any():
                raise InputError("dose", int(counts.max()), "counts a pixel that float32 holds", "lower the dose")
            out[start : start + len(counts)] = amplitude
            start += len(counts)
            bar.update(len(counts))
    return out


def hold_counts(
    image: NDArray[np.complex64],
    probe: NDArray[np.complex64],
    positions: NDArray[np.float64],
    share: float,
    generator: np.random.Generator,
    expected: Expected = expected_counts,
) -> NDArray[np.uint32]:
    """Return the counts of a second, independent exposure, whose dose is a fraction of that of the first.

    Parameters
    ----------
    image : (rows, columns) complex64
        The object.
    probe : (N, N) complex64
        Probe, sqrt(photons).
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.
    share
        Dose of this exposure over that of the first.
    generator
        Source of the Poisson noise.
    expected
        Forward model that yields lambda; another one than `expected_counts` simulates a disturbed experiment.

    Returns
    -------
    (positions, N, N) uint16, or uint32
        Counts, zero frequency in the centre; uint32 where a pixel has more counts than uint16 holds.
    """
    parts = [generator.poisson(share * some) for some in expected(image, probe, positions)]
    counts = np.concatenate(parts)
    return counts.astype(np.uint16 if counts.max() < 2**16 else np.uint32)


def to_counts(diffraction: NDArray[np.float32], scale: float) -> NDArray[np.int64]:
    """Return the photons counted: the square of amplitude times s, rounded to whole counts.

    Parameters
    ----------
    diffraction : (..., N, N) float32
        Amplitudes sqrt(counts) / s.
    scale
        s, see `intensity_scale`.

    Returns
    -------
    (..., N, N) int64
        Counts.
    """
    return np.rint((diffraction.astype(np.float64) * scale) ** 2).astype(np.int64)
