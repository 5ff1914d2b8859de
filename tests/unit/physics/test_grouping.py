"""Groups of neighbours, and what is held out."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.design import GroupingSettings
from studylib.errors import InputError
from studylib.physics import grouping


def test_groups_are_neighbours_and_seeded():
    positions = np.random.default_rng(0).uniform(0, 100, (60, 2))
    settings = GroupingSettings(gridsize=2, n_neighbours=7)
    groups = grouping.group(positions, settings, 123)
    np.testing.assert_array_equal(groups, grouping.group(positions, settings, 123))
    assert groups.shape == (60, 4) and all(len(set(g)) == 4 for g in groups)
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    nearest = np.argsort(distance, axis=1)[:, 1:8]
    assert all(set(g[1:]) <= set(nearest[g[0]]) for g in groups)
    assert grouping.group(positions, settings, 1, n_groups=150).shape == (150, 4)
    assert grouping.group(positions, GroupingSettings(gridsize=1), 1).shape == (60, 1)


def test_offsets_are_whole_pixels_from_the_anchor_and_fractions_what_is_left():
    positions = np.array([[3.25, 5.0], [7.0, 4.6]])
    whole, left = grouping.offsets(positions, np.array([[0, 1], [1, 0]]))
    np.testing.assert_array_equal(whole, [[[0, 0], [4, 0]], [[0, 0], [-4, 0]]])
    np.testing.assert_allclose(left, [[[0.25, 0], [0, -0.4]], [[0, -0.4], [0.25, 0]]], atol=1e-6)


def test_enough_is_held_out_of_a_small_scan():
    positions = np.random.default_rng(0).uniform(0, 100, (60, 2))
    for n, held in ((60, 8), (30, 7), (870, 87), (5, 1)):
        kept, out = grouping.hold_out(np.resize(positions, (n, 2)), 0.1)
        assert len(out) == held and len(kept) == n - held and not set(kept) & set(out)
    assert len(grouping.hold_out(positions[:11], 0.1, group_size=4)[1]) == 4


def test_oversampling_is_enforced():
    with pytest.raises(ValueError, match="OVERSAMPLING-001"):
        GroupingSettings(gridsize=2, n_neighbours=3)
    with pytest.raises(InputError, match="at least C"):
        grouping.group(np.zeros((3, 2)), GroupingSettings(), 1)
