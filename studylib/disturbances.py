"""Disturbances of a simulated scan: the experiment, or its description, differs from what the arms assume.

Some disturbances change the counts (background, second mode, finer object). Others change what the arms are given
(probe, positions). The truth with which images are compared stays the same, and so do object and seeds. So a disturbed
condition can be compared with the undisturbed one. This module works on arrays only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from studylib.physics.forward import Expected, expected_counts, shifted_probes
from studylib.physics.windows import nearest_pixels, window_corners
from studylib.scan import Scan

DEFOCUS = 0.56
"""Added quadratic phase at the rim of the zone plate's pupil for N = 64, rad: 5 % of its defocus."""
PUPIL = 0.42
"""Radius of that pupil, as a fraction of the half width of the detector."""
PROBE_NOISE = 0.1
"""Norm of the noise of a probe, as a fraction of the norm of the probe."""
BACKGROUND = 0.05
"""Photons of a uniform background, as a fraction of the photons in the probe."""
SECOND_MODE = 0.2
"""Share of the photons in a second coherent mode."""


@dataclass(frozen=True)
class Disturbance:
    """One disturbance of an experiment.

    Attributes
    ----------
    words
        Description in tables; empty for the undisturbed experiment.
    expected
        Yields the expected patterns from which photons are drawn, like `studylib.physics.forward.expected_counts`.
    told
        Takes the true scan and a random generator, and returns the scan that the arms are given.
    """

    words: str
    expected: Expected = expected_counts
    told: Callable[[Scan, np.random.Generator], Scan] = lambda scan, generator: scan


def _defocused(scan: Scan, generator: np.random.Generator) -> Scan:
    """Return the scan with a probe that has 5 % more defocus than the one of the simulation; nothing is random."""
    n = scan.n_pixels
    # Square of the radius in the pupil plane, in units of the pupil's radius, in the order of `numpy.fft.fft2`.
    frequency = np.fft.fftfreq(n) * 2 / PUPIL
    radius = np.add.outer(frequency**2, frequency**2)
    spectrum = np.fft.fft2(scan.probe.astype(np.complex128)) * np.exp(1j * DEFOCUS * n / 64 * radius)
    return replace(scan, probe=np.fft.ifft2(spectrum).astype(np.complex64))


def _noisy(scan: Scan, generator: np.random.Generator) -> Scan:
    """Return the scan with white complex noise added to its probe; the norm of the probe stays the same."""
    noise = generator.normal(size=(2, *scan.probe.shape))  # (real and imaginary part, row, column)
    wave = noise[0] + 1j * noise[1]
    wave *= PROBE_NOISE * np.linalg.norm(scan.probe) / np.linalg.norm(wave)
    probe = scan.probe + wave
    return replace(scan, probe=(probe * np.linalg.norm(scan.probe) / np.linalg.norm(probe)).astype(np.complex64))


def _misplaced(scan: Scan, generator: np.random.Generator, pixels: float) -> Scan:
    """Return the scan with wrong positions.

    Parameters
    ----------
    scan
        The true scan.
    generator
        Source of the errors.
    pixels
        Standard deviation of the error along each axis, object pixels.

    Returns
    -------
    Scan
        Its windows still lie inside the object.
    """
    wrong = scan.positions + generator.normal(0, pixels, scan.positions.shape)
    half = scan.n_pixels / 2
    return replace(scan, positions=np.clip(wrong, half, np.array(scan.shape[::-1]) - half))


def _with_background(image: NDArray, probe: NDArray, positions: NDArray, batch: int = 256) -> Iterator[NDArray]:
    """Yield expected patterns with a uniform background; parameters as for `expected_counts`."""
    # Photons per pixel: a fraction of the photons in the probe, spread over the whole detector.
    even = BACKGROUND * float(np.sum(np.abs(probe.astype(np.complex128)) ** 2)) / probe.size
    for expected in expected_counts(image, probe, positions, batch):
        yield expected + even


def second_mode(probe: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Return a second mode that is orthogonal to a probe and has the same norm.

    A source that is wider than its coherence length has such modes. This one is the probe times the distance along x,
    less its projection on the probe.

    Parameters
    ----------
    probe : (N, N) complex64
        First mode.

    Returns
    -------
    (N, N) complex64, in the unit of `probe`
    """
    wave = probe.astype(np.complex128) * (np.arange(probe.shape[1]) - probe.shape[1] / 2)
    wave -= probe * np.vdot(probe, wave) / np.vdot(probe, probe)
    return (wave * np.linalg.norm(probe) / np.linalg.norm(wave)).astype(np.complex64)


def _of_two_modes(image: NDArray, probe: NDArray, positions: NDArray, batch: int = 256) -> Iterator[NDArray]:
    """Yield expected patterns of two modes that do not interfere; parameters as for `expected_counts`."""
    # The patterns of the modes add up as intensities.
    modes = (expected_counts(image, mode, positions, batch) for mode in (probe, second_mode(probe)))
    for first, second in zip(*modes, strict=True):
        yield (1 - SECOND_MODE) * first + SECOND_MODE * second


def _of_squares(image: NDArray, probe: NDArray, positions: NDArray, batch: int = 256) -> Iterator[NDArray]:
    """Yield expected patterns of an object that is sampled twice as finely.

    Every object pixel becomes a uniform square of 2 x 2 points, so the mean over a square is the pixel of the truth.
    The exit wave is sampled twice as finely too. So its pattern is twice as wide as the detector, and the photons that
    miss the detector are not counted. Parameters as for `expected_counts`.
    """
    n = probe.shape[0]
    fine, squares = _twice_as_fine(probe), np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
    # (first row, first column, row, column): a view of every window, nothing is copied
    views = np.lib.stride_tricks.sliding_window_view(squares, (2 * n, 2 * n))
    for start in range(0, len(positions), batch):
        some = positions[start : start + batch]
        corners = 2 * window_corners(some, n, image.shape)
        # A square's points lie a quarter of its side from its centre, which is half a fine pixel.
        waves = shifted_probes(fine, 2 * nearest_pixels(some)[1] + 0.5) * views[corners[:, 0], corners[:, 1]]
        # (position, row, column) of a detector twice as wide; the middle half of both axes is the real one.
        spectrum = np.fft.fftshift(np.fft.fft2(waves.astype(np.complex128), norm="ortho"), axes=(1, 2))
        yield np.abs(spectrum[:, n // 2 : n // 2 + n, n // 2 : n // 2 + n]) ** 2


def _twice_as_fine(probe: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Return a probe (N, N) on pixels of half the side, (2N, 2N) complex64, with the same number of photons."""
    n = len(probe)
    # Fourier interpolation: zeros around the spectrum. The factor 2 keeps the sum of squared moduli.
    spectrum = np.zeros((2 * n, 2 * n), np.complex128)
    inside = slice(n // 2, n // 2 + n)
    spectrum[inside, inside] = np.fft.fftshift(np.fft.fft2(probe.astype(np.complex128)))
    return (2 * np.fft.ifft2(np.fft.ifftshift(spectrum))).astype(np.complex64)


DISTURBANCES: dict[str, Disturbance] = {
    "none": Disturbance(""),
    "defocus": Disturbance("probe told with 5 % more defocus", told=_defocused),
    "probe-noise": Disturbance("probe told with noise of 10 %", told=_noisy),
    "positions-0.5": Disturbance("positions told wrong by 0.5 px", told=partial(_misplaced, pixels=0.5)),
    "positions-1": Disturbance("positions told wrong by 1 px", told=partial(_misplaced, pixels=1.0)),
    "background": Disturbance("background of 5 % of the photons", expected=_with_background),
    "two-modes": Disturbance("20 % of the photons in a second mode", expected=_of_two_modes),
    "finer-object": Disturbance("object simulated at twice the sampling", expected=_of_squares),
}
"""Disturbances by name."""
