"""CXI files: what cdtools means by them, and dark frames."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest

from studylib.errors import InputError
from studylib.io.readers import open_scan
from studylib.io.writers import write_scan
from tests import asymmetric
from tests.unit.foreign import FORMATS, misfit, truth


def test_cdtools_and_the_study_mean_the_same_by_a_cxi_file():
    """Patterns that cdtools simulated fit where the reader puts them, and nowhere else: no symmetry hides a flip."""
    read = open_scan(FORMATS / "cdtools.cxi")
    counts, where = read.counts(slice(None)), read.places + asymmetric.N / 2
    np.testing.assert_allclose(where, truth().positions, atol=1e-2)
    assert misfit(counts, truth().probe, where) == pytest.approx(1, abs=0.1)
    middle = where.mean(axis=0)
    for wrong in (2 * middle - where, where[:, ::-1] - middle[::-1] + middle, where * [-1, 1] + [2 * middle[0], 0]):
        assert misfit(counts, truth().probe, np.clip(wrong, 16, 96)) > 2
    assert not read.mask[0, 5] and read.mask.sum() == asymmetric.N**2 - 1
    assert read.energy_ev == pytest.approx(8_800, rel=1e-5) and read.distance_m == pytest.approx(1.9)


def dark_of(frames: np.ndarray, path, measured):
    """Return what is read from a CXI file with dark frames."""
    write_scan(path, measured)
    with h5py.File(path, "a") as file:
        file["entry_1/instrument_1/detector_1/data_dark"] = frames
    return open_scan(path)


def test_dark_frames_of_cxi_are_the_background(tmp_path, measured):
    frames = np.random.default_rng(3).poisson(2.0, (5, asymmetric.N, asymmetric.N)).astype(np.float32)
    frames[:, 3, 7] = np.nan
    frames[0, 3, 8] = np.nan
    read = dark_of(frames, tmp_path / "dark.cxi", measured)
    assert read.background.dtype == np.float32 and read.background[3, 7] == 0
    assert read.background[3, 8] == pytest.approx(frames[1:, 3, 8].mean())
    np.testing.assert_allclose(read.background[4:], frames[:, 4:].mean(axis=0), rtol=1e-6)
    assert any("dark" in words for words in read.remarks)
    again = open_scan(write_scan(tmp_path / "again.cxi", read))
    np.testing.assert_array_equal(again.background, read.background)
    assert open_scan(write_scan(tmp_path / "none.cxi", measured)).background is None


@pytest.mark.parametrize("frames", [np.full((4, 9), 1.0), np.full((32, 32), -1.0), np.full((2, 32, 32), 1j)])
def test_dark_frames_that_are_none_are_refused(tmp_path, measured, frames):
    with pytest.raises(InputError, match=r"^(entry_1/instrument_1/detector_1/data_dark|background) in scan\.cxi"):
        dark_of(frames, tmp_path / "scan.cxi", measured)


def test_cdtools_reads_what_was_written(tmp_path, measured):
    pytest.importorskip("cdtools")
    import torch
    from cdtools.datasets import Ptycho2DDataset
    from cdtools.tools.initializers import exit_wave_geometry
    from cdtools.tools.interactions import ptycho_2D_sinc, translations_to_pixel
    from cdtools.tools.propagators import far_field

    read = Ptycho2DDataset.from_cxi(str(write_scan(tmp_path / "scan.cxi", measured)))
    geometry = read.detector_geometry
    basis = exit_wave_geometry(geometry["basis"], (asymmetric.N,) * 2, read.wavelength, geometry["distance"])
    corners = translations_to_pixel(basis, read.translations).float() - asymmetric.N / 2
    waves = far_field(ptycho_2D_sinc(
        torch.tensor(measured.probe[0]), torch.tensor(asymmetric.OBJECT), corners, multiple_modes=False
    ))  # fmt: skip
    expected = (waves.abs() ** 2).numpy()
    counts = read.patterns.numpy()
    # cdtools takes the window below a fraction, the study the nearest: the probe's tails differ.
    assert float(np.sum((counts - expected) ** 2) / np.sum(expected)) == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(read.mask.numpy(), measured.mask)
    dark = np.random.default_rng(5).random((asymmetric.N,) * 2).astype(np.float32)
    read = Ptycho2DDataset.from_cxi(str(write_scan(tmp_path / "dark.cxi", replace(measured, background=dark))))
    np.testing.assert_allclose(read.background.numpy(), dark, rtol=1e-6)
