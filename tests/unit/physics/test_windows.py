"""Windows of an object: taken, placed, and rounded to pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from studylib.errors import InputError
from studylib.physics import windows


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_placement_is_the_adjoint_of_extraction(seed):
    generator = np.random.default_rng(seed)
    image = generator.normal(size=(60, 70)) + 1j * generator.normal(size=(60, 70))
    positions = generator.uniform((16, 16), (53, 43), (5, 2))
    patches = generator.normal(size=(5, 32, 32)) + 1j * generator.normal(size=(5, 32, 32))
    left = np.vdot(patches, windows.extract(image, positions, 32))
    right = np.vdot(windows.place(patches, positions, image.shape), image)
    assert left == pytest.approx(right, rel=1e-10)


@pytest.mark.parametrize(("x", "y"), [(24.0, 31.0), (40.0, 20.0), (33.0, 35.0)])
def test_a_single_delta_comes_back_where_it_was(x, y):
    """Columns are x and rows are y, and no sign is flipped on the way."""
    image = np.zeros((60, 70))
    image[30, 36] = 1
    position = np.array([[x, y]])
    patch = windows.extract(image, position, 32)
    assert np.argwhere(patch[0]).tolist() == [[30 - int(y) + 16, 36 - int(x) + 16]]
    back = windows.place(patch, position, image.shape)
    np.testing.assert_array_equal(back, image)


def test_a_window_outside_the_object_is_refused():
    with pytest.raises(InputError, match="every window of 32 px inside"):
        windows.extract(np.zeros((60, 70)), np.array([[10.0, 30.0]]), 32)


def test_positions_are_rounded_as_pty_chi_rounds_them():
    positions = np.array([[10.5, 11.5], [12.499999999, 13.500000001], [20.2, 19.8]])
    whole, fraction = windows.nearest_pixels(positions)
    np.testing.assert_array_equal(whole, torch.from_numpy(positions.astype(np.float32)).round().numpy())
    assert np.abs(fraction).max() <= 0.5
    np.testing.assert_allclose(whole + fraction, positions.astype(np.float32), rtol=1e-6)
