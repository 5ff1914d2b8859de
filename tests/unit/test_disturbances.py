"""Disturbances: each changes what it says and nothing else, and its size is the one that is told."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.condition import simulate_halves
from studylib.design import DISTURBANCES as NAMES
from studylib.design import SampleSettings
from studylib.disturbances import BACKGROUND, DISTURBANCES, PROBE_NOISE, SECOND_MODE, second_mode
from studylib.physics.forward import expected_counts
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
