"""Overlap and thinning: known values."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.errors import InputError
from studylib.physics import overlap


def test_disc_overlap_at_its_known_points():
    f = overlap.disc_overlap(np.array([0.0, 15.0, 30.0, 40.0]), 30.0)
    assert f[0] == pytest.approx(1) and f[1] == pytest.approx(0.391, abs=5e-4)
    assert f[2] == pytest.approx(0, abs=1e-12) and f[3] == pytest.approx(0, abs=1e-12)


def test_thinning_meets_the_mean_spacing_and_repeats():
    generator = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(0, 400, 5.0), np.arange(0, 200, 5.0))
    positions = np.stack([x.ravel(), y.ravel()], 1) + generator.uniform(-1.5, 1.5, (x.size, 2))
    kept = overlap.thin(positions, 10.5, 456)
    assert overlap.mean_spacing(positions[kept]) == pytest.approx(10.5, rel=0.01)
    np.testing.assert_array_equal(kept, overlap.thin(positions, 10.5, 456))
    assert (kept != overlap.thin(positions, 10.5, 457)[: len(kept)]).any()


def test_a_scan_too_coarse_for_the_view_is_refused():
    x, y = np.meshgrid(np.arange(0, 400, 20.0), np.arange(0, 200, 20.0))
    with pytest.raises(InputError, match="at least as fine"):
        overlap.thin(np.stack([x.ravel(), y.ravel()], 1), 10.0, 1)


def test_m1_m2_m3_on_a_line_by_hand():
    positions = np.array([[0.0, 0], [10, 0], [20, 0], [100, 0]])
    groups = np.array([[0, 1], [1, 2]])
    f10 = float(overlap.disc_overlap(np.array(10.0), 30.0))
    f20 = float(overlap.disc_overlap(np.array(20.0), 30.0))
    assert overlap.members_overlap(positions, groups, 30.0, 7) == pytest.approx(f10)
    assert overlap.members_overlap(positions, groups[:, :1], 30.0, 7) is None
    assert overlap.groups_overlap(positions, groups, 30.0) == pytest.approx(f10)
    expected = np.mean([(f10 + f20) / 3, (2 * f10) / 3, (f10 + f20) / 3, 0])
    assert overlap.images_overlap(positions, 30.0) == pytest.approx(expected)
