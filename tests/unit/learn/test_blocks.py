"""Building blocks of the networks: squares of pixels as channels and back, and an object to start from."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("torch_backend")


def test_squares_of_pixels_become_channels_and_pixels_again():
    from keras import ops

    from studylib.learn.blocks import DepthToSpace, SpaceToDepth

    image = np.random.default_rng(1).normal(size=(2, 16, 16)).astype(np.float32)
    channels = SpaceToDepth()(ops.convert_to_tensor(image[:, :, None, :]))
    assert tuple(channels.shape) == (2, 4, 4, 16)
    np.testing.assert_array_equal(ops.convert_to_numpy(channels)[0, 1, 2], image[0, 4:8, 8:12].ravel())
    np.testing.assert_array_equal(ops.convert_to_numpy(DepthToSpace()(channels)), image)


def test_maps_of_zero_leave_the_object_that_one_starts_from():
    from keras import ops

    from studylib.learn.blocks import LEAST_MODULUS, ObjectGauge

    generator = np.random.default_rng(2)
    image = (generator.uniform(0.5, 1.5, (3, 8, 8)) * np.exp(1j * generator.uniform(-3, 3, (3, 8, 8)))).astype(
        np.complex64
    )
    zero = ops.zeros(image.shape)
    start = [ops.convert_to_tensor(np.ascontiguousarray(part)) for part in (image.real, image.imag)]
    amplitude, phase = (ops.convert_to_numpy(part) for part in ObjectGauge(2.0)(zero, zero, start))
    np.testing.assert_allclose(amplitude, 2 * np.hypot(np.abs(image), LEAST_MODULUS), rtol=1e-5)
    np.testing.assert_allclose(phase, np.angle(image), atol=1e-6)
