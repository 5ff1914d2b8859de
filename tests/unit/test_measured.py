"""The forward model against measured diffraction: a Siemens star at the APS Velociprobe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studylib import samples
from studylib.design import SampleSettings
from studylib.physics import forward, simulate

FILE = Path(__file__).resolve().parents[3] / "shared/data/siemens_velociprobe_N128.npz"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the measured Siemens star is not beside the repository")


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's correlation after the mean pattern was taken off both."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))


def test_simulated_patterns_are_like_the_measured_ones():
    with np.load(FILE) as file:
        measured = file["diffraction"].astype(np.float64)
        positions = np.stack([file["xcoords"], file["ycoords"]], axis=1)
    base = samples.load_base(FILE)
    expected = np.sqrt(np.concatenate(list(forward.expected_counts(base.object, base.probe, positions))))
    assert likeness(expected, measured) > 0.85
    shuffled = np.random.default_rng(0).permutation(len(positions))
    assert abs(likeness(expected[shuffled], measured)) < 0.1
    swapped = np.clip(positions[:, ::-1], 64, np.array(base.object.shape)[::-1] - 65)
    turned = np.sqrt(np.concatenate(list(forward.expected_counts(base.object, base.probe, swapped))))
    assert abs(likeness(turned, measured)) < 0.1


def test_the_measured_probe_is_a_base_with_room_for_two_halves():
    base = samples.load_base(FILE)
    assert base.probe.shape == (128, 128) and 55 < samples.probe_diameter(base.probe) < 75

    positions = simulate.scan_positions(base.object.shape, 128, SampleSettings(), np.random.default_rng(1))
    halves = simulate.split_along_y(positions, base.object.shape[0], 128)
    assert min(len(members) for members in halves.values()) > 500
