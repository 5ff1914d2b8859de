"""A probe, an object and a scan without any symmetry: what a flip, a transpose or a conjugate cannot hide behind."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from studylib.physics import forward, simulate
from studylib.scan import Scan

N = 32


def _smooth(generator: np.random.Generator, shape: tuple[int, int], sigma: float) -> np.ndarray:
    image = gaussian_filter(generator.normal(size=shape), sigma)
    return (image - image.mean()) / image.std()


def probe(n: int = N, seed: int = 5) -> np.ndarray:
    """Return a probe (n, n) complex64 that lies off centre, is wider one way, and has a curved, random phase."""
    generator = np.random.default_rng(seed)
    rows, columns = np.indices((n, n))
    y, x = (rows - 0.56 * n) / (0.085 * n), (columns - 0.45 * n) / (0.125 * n)
    spot = np.exp(-(x**2 + 0.5 * x * y + y**2) / 2) * (1 + 0.4 * np.tanh(x - 0.5 * y))
    phase = 0.4 * x**2 - 0.25 * y**2 + 0.3 * x * y + 0.5 * _smooth(generator, (n, n), n / 16)
    wave = spot * np.exp(1j * phase)
    return (wave / np.linalg.norm(wave)).astype(np.complex64)


def specimen(shape: tuple[int, int] = (112, 128), seed: int = 6) -> np.ndarray:
    """Return an object (rows, columns) complex64 whose amplitude and phase are different pictures."""
    generator = np.random.default_rng(seed)
    amplitude = np.clip(0.85 + 0.08 * _smooth(generator, shape, 2.0), 0.5, 1.2)
    return (amplitude * np.exp(0.4j * _smooth(generator, shape, 2.5))).astype(np.complex64)


PROBE, OBJECT = probe(), specimen()


class NoiseFree(Scan):
    """A scan whose counts are the expected ones, not rounded to whole photons."""

    @property
    def counts(self):
        return ((self.diffraction.astype(np.float64) * self.scale) ** 2).astype(np.float32)


def scan_of(dose: int = 1000, noise: bool = True, step: float = 5.3, seed: int = 8) -> Scan:
    """Return a scan of OBJECT by PROBE at fractional positions; without noise its counts are the expected ones."""
    generator = np.random.default_rng(seed)
    half = N / 2
    axes = [np.arange(half + 1, side - half - 1, step) for side in OBJECT.shape[::-1]]
    positions = np.stack([axis.ravel() for axis in np.meshgrid(*axes)], axis=1)
    positions = positions + generator.uniform(-1, 1, positions.shape)
    lit = simulate.scale_probe(OBJECT, PROBE, positions, dose)
    scale = simulate.intensity_scale(dose, N)
    if noise:
        amplitudes = simulate.count_photons(OBJECT, lit, positions, scale, generator)
    else:
        expected = np.concatenate(list(forward.expected_counts(OBJECT, lit, positions)))
        amplitudes = (np.sqrt(expected) / scale).astype(np.float32)
    metadata = {"dose": dose, "split": "test", "view": "dense", "object_shape": list(OBJECT.shape)}
    return Scan(amplitudes, lit, positions, scale, OBJECT.shape, metadata)
