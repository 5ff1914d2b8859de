"""A measured scan in memory: its counts block by block, and how bright its probe is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studylib.io.readers import open_scan
from studylib.io.writers import write_scan
from studylib.measured import Measured
from tests.asymmetric import N, scan_of
from tests.unit.conftest import DOSE


@pytest.fixture(scope="module")
def scan():
    return scan_of(DOSE)


def test_a_measured_scan_is_read_block_by_block_with_the_same_numbers(scan, monkeypatch):
    measured = Measured("test", "test", scan.counts, positions=scan.positions, probe=scan.probe[None])
    whole, some = measured.scan(), measured.scan(np.array([5, 2, 40]))
    amplitudes = whole.diffraction[[5, 2, 40]] * whole.scale
    np.testing.assert_allclose(amplitudes, some.diffraction * some.scale, rtol=1e-6)
    monkeypatch.setattr("studylib.machine.HELD", 2**16)
    monkeypatch.setattr("studylib.measured.BLOCK_BYTES", 7 * 8 * N**2)
    parts = measured.scan()
    assert isinstance(parts.diffraction, np.memmap) and parts.metadata == whole.metadata
    np.testing.assert_array_equal(parts.diffraction, whole.diffraction)
    np.testing.assert_array_equal(parts.probe, whole.probe)


def test_fractions_in_a_later_block_are_not_rounded_away(tmp_path, measured, monkeypatch):
    """The type of all patterns follows from all of them."""
    monkeypatch.setattr("studylib.measured.BLOCK_BYTES", 8 * 32 * 32)
    counts = np.asarray(measured.patterns, dtype=np.float32).copy()
    counts[-1, 3, 4] = 7.25
    path = write_scan(tmp_path / "a.cxi", replace(measured, patterns=counts))
    np.testing.assert_array_equal(open_scan(path).counts(slice(-1, None))[0], counts[-1])


def test_hot_pixels_behind_a_mask_do_not_make_the_probe_brighter(measured):
    """What they hold is not light: the probe alone gives the mean counts of the pixels that can be trusted."""
    n = measured.patterns.shape[1]
    mask = np.ones((n, n), bool)
    mask[n // 2 - 1 : n // 2 + 2, n // 2] = mask[3, 5] = False
    counts = np.asarray(measured.patterns, dtype=np.float64).copy()
    told = replace(measured, patterns=counts, mask=mask).scan()
    pattern = np.abs(np.fft.fftshift(np.fft.fft2(told.probe, norm="ortho"))) ** 2
    np.testing.assert_allclose(pattern[mask].sum(), counts[:, mask].sum(axis=1).mean(), rtol=1e-4)
    counts[:, ~mask] = 1e6
    hot = replace(measured, patterns=counts, mask=mask).scan()
    np.testing.assert_array_equal(hot.probe, told.probe)
    assert hot.scale == told.scale
