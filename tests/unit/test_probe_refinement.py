"""A probe that is nearly right becomes better, by what the patterns say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from studylib.arms.ptychi import refine_probe
from tests.asymmetric import N, scan_of


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return ||a - b|| / ||b|| after the common phase was taken off."""
    turn = np.exp(1j * np.angle(np.vdot(a, b)))
    return float(np.linalg.norm(a * turn - b) / np.linalg.norm(b))


def test_a_defocused_noisy_probe_is_refined():
    scan = scan_of(200_000, step=3.5)
    q = np.hypot(*np.meshgrid(np.fft.fftfreq(N), np.fft.fftfreq(N)))
    generator = np.random.default_rng(1)
    noise = generator.normal(size=(2, N, N)) * np.abs(scan.probe).max() * 0.01
    wrong = np.fft.ifft2(np.fft.fft2(scan.probe) * np.exp(25j * q**2)) + noise[0] + 1j * noise[1]
    wrong = (wrong * np.linalg.norm(scan.probe) / np.linalg.norm(wrong)).astype(np.complex64)
    refined = refine_probe(replace(scan, probe=wrong), fixed=10, free=60)
    assert distance(wrong, scan.probe) > 0.1
    assert distance(refined, scan.probe) < 0.5 * distance(wrong, scan.probe)
    assert np.isclose(np.linalg.norm(refined), np.linalg.norm(wrong), rtol=1e-5)
