"""A scan: the best constant object, and positions of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studylib.physics import forward
from tests.asymmetric import OBJECT, N, scan_of


def test_a_scan_of_background_alone_has_a_best_constant_that_is_no_nan(hazy):
    dark = replace(hazy, diffraction=np.zeros_like(hazy.diffraction))
    assert 0 < dark.best_constant() < 1e-3


def test_the_best_constant_object_is_that_of_the_pixels_that_are_seen():
    scan = scan_of(100_000)
    flat = np.full(OBJECT.shape, 0.7, np.complex64)
    expected = np.concatenate(list(forward.expected_counts(flat, scan.probe, scan.positions)))
    counts = np.random.default_rng(4).poisson(expected)
    mask = np.ones((N, N), dtype=bool)
    mask[10:22, 10:22] = False
    scan = replace(scan, diffraction=(np.sqrt(counts) / scan.scale).astype(np.float32), mask=mask)
    assert scan.best_constant() == pytest.approx(0.7, rel=0.02)


def test_positions_of_a_large_scan_are_taken_block_by_block(scan, exposure, monkeypatch):
    some = np.array([7, 3, 3, 90, 12])
    held = exposure.scan.take(some)
    monkeypatch.setattr("studylib.machine.HELD", 2**12)
    taken = exposure.scan.take(some)
    assert isinstance(taken.diffraction, np.memmap) and isinstance(taken.held, np.memmap)
    np.testing.assert_array_equal(taken.diffraction, held.diffraction)
    np.testing.assert_array_equal(taken.held, held.held)
