"""What may be wrong with an experiment, or with what is told of it: disturbances of a simulated scan. Arrays only.

Some change what is counted (background, a second mode, a finer object), others what the arms are told (probe,
positions). The truth that images are scored against stays as it is, and so do object and seeds: a disturbed condition
is compared with the undisturbed one.
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
"""Quadratic phase at the rim of the zone plate's pupil, rad at N = 64: 5 % of its defocus."""
PUPIL = 0.42
"""Radius of that pupil, as a share of the detector's half width."""
PROBE_NOISE = 0.1
"""Norm of the noise of a probe, as a share of the probe's."""
BACKGROUND = 0.05
"""Photons of an even background, as a share of the dose."""
SECOND_MODE = 0.2
"""Share of the photons in a second coherent mode."""


@dataclass(frozen=True)
class Disturbance:
    """One thing that is wrong.

    Attributes
    ----------
    words
        In a table.
    expected
        What is counted.
    told
        From the scan as it was and a source of randomness to the scan that arms are given.
    """

    words: str
    expected: Expected = expected_counts
    told: Callable[[Scan, np.random.Generator], Scan] = lambda scan, generator: scan


def _defocused(scan: Scan, generator: np.random.Generator) -> Scan:
    """Return the scan with a probe that is told with 5 % more of a zone plate's defocus."""
    n = scan.n_pixels
    frequency = np.fft.fftfreq(n) * 2 / PUPIL
    radius = np.add.outer(frequency**2, frequency**2)
    spectrum = np.fft.fft2(scan.probe.astype(np.complex128)) * np.exp(1j * DEFOCUS * n / 64 * radius)
    return replace(scan, probe=np.fft.ifft2(spectrum).astype(np.complex64))


def _noisy(scan: Scan, generator: np.random.Generator) -> Scan:
    """Return the scan with a probe that is told with noise, as strong everywhere in the window."""
    noise = generator.normal(size=(2, *scan.probe.shape))
    wave = noise[0] + 1j * noise[1]
    wave *= PROBE_NOISE * np.linalg.norm(scan.probe) / np.linalg.norm(wave)
    probe = scan.probe + wave
    return replace(scan, probe=(probe * np.linalg.norm(scan.probe) / np.linalg.norm(probe)).astype(np.complex64))


def _misplaced(scan: Scan, generator: np.random.Generator, pixels: float) -> Scan:
    """Return the scan with positions that are told wrong, by so many pixels (standard deviation along each axis)."""
    wrong = scan.positions + generator.normal(0, pixels, scan.positions.shape)
    half = scan.n_pixels / 2
    return replace(scan, positions=np.clip(wrong, half, np.array(scan.shape[::-1]) - half))


def _with_background(image: NDArray, probe: NDArray, positions: NDArray, batch: int = 256) -> Iterator[NDArray]:
    """Yield expected patterns with an even background, a share of the photons in the probe."""
    even = BACKGROUND * float(np.sum(np.abs(probe.astype(np.complex128)) ** 2)) / probe.size
    for expected in expected_counts(image, probe, positions, batch):
        yield expected + even


def second_mode(probe: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Return a mode that is orthogonal to a probe and as strong, as a source has that is wider than it is coherent.

    It is the probe times the distance along x, with what it shares with the probe taken off.
    """
    wave = probe.astype(np.complex128) * (np.arange(probe.shape[1]) - probe.shape[1] / 2)
    wave -= probe * np.vdot(probe, wave) / np.vdot(probe, probe)
    return (wave * np.linalg.norm(probe) / np.linalg.norm(wave)).astype(np.complex64)


def _of_two_modes(image: NDArray, probe: NDArray, positions: NDArray, batch: int = 256) -> Iterator[NDArray]:
    """Yield expected patterns of two modes that do not interfere."""
    modes = (expected_counts(image, mode, positions, batch) for mode in (probe, second_mode(probe)))
    for first, second in zip(*modes, strict=True):
        yield (1 - SECOND_MODE) * first + SECOND_MODE * second


def _of_squares(image: NDArray, probe: NDArray, positions: NDArray, batch: int = 256) -> Iterator[NDArray]:
    """Yield expected patterns of an object on half the pixel: each of its pixels is an even square.

    The exit wave is sampled twice as finely, so that it reaches twice as far on the detector as the detector is wide;
    what falls beside it is not counted. The mean over a square is the pixel of the truth.
    """
    n = probe.shape[0]
    fine, squares = _twice_as_fine(probe), np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
    views = np.lib.stride_tricks.sliding_window_view(squares, (2 * n, 2 * n))
    for start in range(0, len(positions), batch):
        some = positions[start : start + batch]
        corners = 2 * window_corners(some, n, image.shape)
        # The points of a square lie a quarter of its side to either side of its centre.
        waves = shifted_probes(fine, 2 * nearest_pixels(some)[1] + 0.5) * views[corners[:, 0], corners[:, 1]]
        spectrum = np.fft.fftshift(np.fft.fft2(waves.astype(np.complex128), norm="ortho"), axes=(1, 2))
        yield np.abs(spectrum[:, n // 2 : n // 2 + n, n // 2 : n // 2 + n]) ** 2


def _twice_as_fine(probe: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Return a probe (N, N) at half the pixel, (2 N, 2 N), of the same photons; by zeros about its spectrum."""
    n = len(probe)
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
"""By name."""
