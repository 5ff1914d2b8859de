"""Patterns whose side is no multiple of 16: cut, with probe and positions in the pixels that follow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studylib.crop import cropped, side_of_study
from studylib.describe import count, describe
from studylib.errors import InputError
from studylib.io.readers import open_scan
from studylib.io.writers import write_scan
from studylib.measured import PLANCK_EV_M, Measured
from studylib.physics import forward, simulate
from studylib.run.measured import as_base
from tests.asymmetric import probe, specimen

N = 41
DOSE = 20_000


@pytest.fixture(scope="module")
def measured() -> Measured:
    """A scan of 41 x 41 px patterns: an object and a probe that the cut detector still resolves, fractional steps."""
    generator = np.random.default_rng(3)
    image, light = specimen((120, 130)), probe(N)
    axes = [np.arange(N / 2 + 1, side - N / 2 - 1, 6.3) for side in image.shape[::-1]]
    where = np.stack([axis.ravel() for axis in np.meshgrid(*axes)], axis=1)
    where = where + generator.uniform(-1, 1, where.shape)
    lit = simulate.scale_probe(image, light, where, DOSE)
    counts = generator.poisson(np.concatenate(list(forward.expected_counts(image, lit, where))))
    mask = np.ones((N, N), dtype=bool)
    mask[25, 17] = False
    return Measured(
        "test", "odd", counts, positions=where, probe=lit[None], object=image, mask=mask,
        energy_ev=8_800.0, distance_m=1.9, detector_pixel_m=(75e-6, 75e-6),
        positions_m=where * PLANCK_EV_M / 8_800 * 1.9 / (N * 75e-6),
    )  # fmt: skip


def resample(image: np.ndarray, factor: float) -> np.ndarray:
    """Return an image (rows, columns) at coarser pixels, pixel k at k / factor, by the sum of its frequencies."""

    def kernel(side: int) -> np.ndarray:
        coarse = np.arange(int(side * factor)) / factor
        return np.exp(2j * np.pi * np.outer(coarse, np.fft.fftfreq(side)))

    rows, columns = image.shape
    return (kernel(rows) @ np.fft.fft2(image) @ kernel(columns).T / image.size).astype(np.complex64)


def test_the_cut_scan_is_the_same_experiment(measured):
    """The object, sampled as the smaller detector does, expects the patterns that are left, by chi-square 1."""
    told = cropped(measured)
    n = side_of_study(N, N)
    assert n == 32 and told.patterns.shape == (len(measured.positions), 32, 32) and told.probe.shape == (1, 32, 32)
    image = resample(measured.object, n / N)
    expected = np.concatenate(list(forward.expected_counts(image, told.probe[0], told.places)))
    counts = told.counts(slice(None))
    misfit = np.sum((counts - expected) ** 2) / expected.sum()
    assert misfit == pytest.approx(1, abs=0.05)
    for wrong in (told.places + 0.5, told.places[:, ::-1]):
        inside = np.clip(wrong, 16, np.array(image.shape[::-1]) - 17)
        there = np.concatenate(list(forward.expected_counts(image, told.probe[0], inside)))
        assert np.sum((counts - there) ** 2) / there.sum() > 1.5 * misfit


def test_zero_frequency_mask_and_metres_stay_where_they_are(measured):
    told = cropped(measured)
    start = N // 2 - 16
    np.testing.assert_array_equal(
        told.counts(slice(3, 5)), measured.counts(slice(3, 5))[:, start : start + 32, start : start + 32]
    )
    assert not told.mask[25 - start, 17 - start] and (~told.mask).sum() == 1
    assert told.pixel_m == pytest.approx(measured.pixel_m * N / 32)
    np.testing.assert_allclose(np.ptp(told.places, axis=0) * told.pixel_m, np.ptp(measured.positions_m, axis=0))
    assert any("cut from 41 x 41 to 32 x 32" in remark and "% of the counts" in remark for remark in told.remarks)


def test_a_rectangular_detector_becomes_a_square_one(measured):
    wide = replace(measured, patterns=measured.patterns[:, 2:-3], probe=None, mask=None)
    told = cropped(wide)
    assert told.patterns.shape[1:] == (32, 32)
    np.testing.assert_allclose(np.ptp(told.places, axis=0), np.ptp(measured.positions, axis=0) * (32 / N, 32 / 36))


def test_what_needs_no_cut_is_left_alone(measured):
    fine = cropped(measured)
    assert cropped(fine) is fine


def test_what_was_cut_and_the_units_go_with_the_file(measured, tmp_path):
    told = cropped(measured)
    read = open_scan(write_scan(tmp_path / "cut.npz", told))
    assert any("cut from 41 x 41" in remark for remark in read.remarks)
    assert read.pixel_m == pytest.approx(told.pixel_m) and read.energy_ev == 8_800
    np.testing.assert_array_equal(read.counts(slice(None)), told.counts(slice(None)))


def test_a_study_of_it_says_that_it_cuts(measured, tmp_path):
    whole = write_scan(tmp_path / "whole.npz", replace(measured, object=None))
    told = describe(open_scan(whole), count(open_scan(whole)))
    assert "a study cuts the patterns to 32 x 32 px: a square whose side is a multiple of 16" in told["notes"]
    base, doses = as_base([whole], tmp_path, ["1000"])
    assert doses == [1000] and open_scan(base).patterns.shape[1:] == (32, 32)
    middle = {"patterns": measured.patterns[:, 8:-8, 8:-8], "probe": measured.probe[:, 8:-8, 8:-8], "mask": None}
    small = write_scan(tmp_path / "small.npz", replace(measured, **middle))
    with pytest.raises(InputError, match=r"25 x 25 px.*at least 32 x 32"):
        as_base([small], tmp_path, ["1000"])
