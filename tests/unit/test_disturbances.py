"""Disturbances: each changes what it says and nothing else, and its size is the one that is told."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.condition import simulate_halves
from studylib.design import DISTURBANCES as NAMES
from studylib.design import SampleSettings
from studylib.disturbances import BACKGROUND, DISTURBANCES, PROBE_NOISE, SECOND_MODE, second_mode
from studylib.physics.forward import expected_counts
from studylib.physics.windows import nearest_pixels
from studylib.samples import Sample
from tests.asymmetric import N, probe, specimen

SAMPLE = Sample(specimen((160, 112)), probe(), "asymmetric")
SETTINGS = SampleSettings(object_size=160, n_pixels=N, scan_step=5.3)


def scan_with(name: str, dose: int = 1000):
    return simulate_halves(SAMPLE, SETTINGS, dose, 7, name)["test"]


@pytest.fixture(scope="module")
def plain():
    return scan_with("none")


def test_the_names_are_those_that_commands_accept():
    assert tuple(DISTURBANCES) == NAMES


@pytest.mark.parametrize("name", ["defocus", "probe-noise"])
def test_a_probe_told_wrong_changes_no_count(plain, name):
    scan = scan_with(name)
    np.testing.assert_array_equal(scan.diffraction, plain.diffraction)
    np.testing.assert_array_equal(scan.held, plain.held)
    np.testing.assert_array_equal(scan.positions, plain.positions)
    assert np.linalg.norm(scan.probe) == pytest.approx(np.linalg.norm(plain.probe), rel=1e-5)
    apart = np.linalg.norm(scan.probe - plain.probe) / np.linalg.norm(plain.probe)
    assert apart == pytest.approx(PROBE_NOISE, rel=0.05) if name == "probe-noise" else 0.01 < apart < 0.6
    if name == "defocus":  # a phase of the spectrum alone: the bare beam on the detector is as it was
        bare = [np.abs(np.fft.fft2(s.probe.astype(np.complex128))) for s in (scan, plain)]
        np.testing.assert_allclose(*bare, atol=1e-4 * bare[1].max())


@pytest.mark.parametrize(("name", "pixels"), [("positions-0.5", 0.5), ("positions-1", 1.0)])
def test_positions_told_wrong_change_no_count(plain, name, pixels):
    scan = scan_with(name)
    np.testing.assert_array_equal(scan.diffraction, plain.diffraction)
    assert np.std(scan.positions - plain.positions) == pytest.approx(pixels, rel=0.15)
    assert not np.array_equal(scan.positions, scan_with(name, 2000).positions), "another condition, other errors"


def test_a_background_is_even_and_has_its_share_of_the_photons():
    scan = scan_with("background", 100_000)
    expected = np.concatenate(list(expected_counts(SAMPLE.object, scan.probe, scan.positions)))
    more = (scan.counts - expected).mean(axis=0)
    share = BACKGROUND * np.sum(np.abs(scan.probe) ** 2)
    assert more.sum() == pytest.approx(share, rel=0.1)
    corners = [more[:8, :8], more[-8:, -8:], more[:8, -8:]]
    assert [c.mean() for c in corners] == pytest.approx([share / N**2] * 3, rel=0.1)


def test_two_modes_do_not_interfere_and_keep_the_photons():
    scan = scan_with("two-modes", 1_000_000)
    other = second_mode(scan.probe)
    assert abs(np.vdot(scan.probe, other)) < 1e-4 * np.vdot(scan.probe, scan.probe).real
    both = [np.concatenate(list(expected_counts(SAMPLE.object, m, scan.positions))) for m in (scan.probe, other)]
    expected = (1 - SECOND_MODE) * both[0] + SECOND_MODE * both[1]
    assert np.sum((scan.counts - expected) ** 2) / expected.sum() == pytest.approx(1, abs=0.03)
    assert np.sum((scan.counts - both[0]) ** 2) / both[0].sum() > 3


def test_a_finer_object_is_that_of_squares_and_its_far_light_misses_the_detector():
    """Against sums that are written out: the probe as a sum of its waves, the pixel as four points of a square."""
    position = np.array([[60.3, 81.8]])
    rough = SAMPLE.object * np.exp(0.5j * np.random.default_rng(3).normal(size=SAMPLE.object.shape))
    (pattern,) = DISTURBANCES["finer-object"].expected(rough, SAMPLE.probe, position)
    (column, row), fraction = nearest_pixels(position)[0][0], nearest_pixels(position)[1][0].astype(float)
    waves = np.arange(-N // 2, N // 2)
    points = (np.arange(2 * N) - 0.5) / 2  # of the window, in pixels of the object
    turns = [np.exp(2j * np.pi * np.outer(points - f, waves) / N) for f in fraction[::-1]]
    lit = turns[0] @ np.fft.fftshift(np.fft.fft2(SAMPLE.probe.astype(complex))) @ turns[1].T / N**2 / 2
    window = rough[row - N // 2 : row + N // 2, column - N // 2 : column + N // 2]
    squares = window[np.arange(2 * N)[:, None] // 2, np.arange(2 * N) // 2]
    far = np.exp(-2j * np.pi * np.outer(waves, np.arange(2 * N)) / (2 * N))
    np.testing.assert_allclose(pattern[0], np.abs(far @ (lit * squares) @ far.T / (2 * N)) ** 2, rtol=1e-4, atol=1e-9)
    (coarse,) = expected_counts(rough, SAMPLE.probe, position)
    assert np.linalg.norm(pattern - coarse) > 0.02 * np.linalg.norm(coarse), "the pixel's own shape is seen"
    assert 0.9 < pattern.sum() / coarse.sum() < 1


def test_a_finer_object_without_structure_is_what_it_was():
    flat = np.full((112, 112), 0.8 * np.exp(0.3j), np.complex64)
    position = np.array([[50.4, 61.7], [55.1, 48.0]])
    both = [next(DISTURBANCES[name].expected(flat, SAMPLE.probe, position)) for name in ("finer-object", "none")]
    np.testing.assert_allclose(*both, rtol=1e-3, atol=1e-6 * both[1].max())
