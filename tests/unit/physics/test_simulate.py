"""The simulation: photons, counts and the two halves of a scan."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.design import SampleSettings
from studylib.errors import InputError
from studylib.physics import forward, simulate, windows


def test_mean_photons_are_the_dose(specimen, scan):
    expected = np.concatenate(list(forward.expected_counts(specimen.object, scan.probe, scan.positions)))
    assert expected.sum((1, 2)).mean() == pytest.approx(1000, rel=1e-4)
    assert scan.counts.sum((1, 2)).mean() == pytest.approx(1000, rel=0.02)


def test_counts_come_back_exactly(specimen, scan):
    generator = np.random.default_rng(8)
    for dose in (1, 1000, 100_000):
        probe = simulate.scale_probe(specimen.object, specimen.probe, scan.positions, dose)
        scale = simulate.intensity_scale(dose, 64)
        state = generator.bit_generator.state
        expected = np.concatenate(list(forward.expected_counts(specimen.object, probe, scan.positions)))
        drawn = np.concatenate([generator.poisson(expected[i : i + 256]) for i in range(0, len(expected), 256)])
        generator.bit_generator.state = state
        amplitude = simulate.count_photons(specimen.object, probe, scan.positions, scale, generator)
        np.testing.assert_array_equal(simulate.to_counts(amplitude, scale), drawn)


def test_halves_share_no_illuminated_pixel():
    positions = simulate.scan_positions((256, 256), 64, SampleSettings(object_size=256), np.random.default_rng(1))
    halves = simulate.split_along_y(positions, 256, 64)
    lit = {}
    for split, members in halves.items():
        lit[split] = windows.place(np.ones((len(members), 64, 64)), positions[members], (256, 256)) > 0
    assert not (lit["train"] & lit["test"]).any()


def test_a_small_object_has_no_two_halves():
    positions = simulate.scan_positions((100, 256), 64, SampleSettings(), np.random.default_rng(1))
    with pytest.raises(InputError, match="at least 16 positions a split"):
        simulate.split_along_y(positions, 100, 64)
