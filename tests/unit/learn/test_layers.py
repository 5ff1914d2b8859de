"""The physics layers, against the simulation and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests import asymmetric
from tests.unit.learn.conftest import array, shared

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("size", [1, 4])
def test_layers_expect_what_the_simulation_expects(learn, size):
    """True patches of a group through the physics layers, without any symmetry and at fractional positions."""
    from studylib.physics import forward, windows
    from studylib.physics.grouping import offsets

    scan = asymmetric.scan_of(10_000)
    groups = np.array([[40, 41, 52, 53], [60, 61, 47, 59]])[:, :size]
    patches = windows.extract(asymmetric.OBJECT, scan.positions, asymmetric.N)[groups]
    moved, where = shared(learn, scan.probe, *offsets(scan.positions, groups))
    told = array(learn.layers.Diffraction(scan.probe)(np.abs(patches), np.angle(patches), *moved[:2], *where))
    for row, group in zip(told, groups, strict=True):
        expected = next(forward.expected_counts(asymmetric.OBJECT, scan.probe, scan.positions[group]))
        np.testing.assert_allclose(row, expected, atol=1e-5 * expected.max())


def test_an_offset_common_to_a_group_changes_nothing(learn, scan):
    """Global coordinates in place of relative ones cannot go wrong: only differences enter."""
    generator = np.random.default_rng(0)
    amplitude, phase = generator.random((2, 1, 4, 64, 64)).astype(np.float32)
    where, fractions = generator.integers(-9, 9, (1, 4, 2)), generator.uniform(-0.5, 0.5, (1, 4, 2))
    layer = learn.layers.Diffraction(scan.probe)
    both = []
    for d in (0, 256):
        moved, seen = shared(learn, scan.probe, where + d, fractions)
        both.append(array(layer(amplitude, phase, *moved[:2], *seen)))
    np.testing.assert_allclose(both[1], both[0], rtol=1e-3, atol=1e-3 * both[0].max())


def test_gathering_is_its_own_adjoint(learn):
    from keras import ops

    generator = np.random.default_rng(1)
    where = generator.integers(-5, 5, (2, 4, 2))
    _, (weights, *_) = shared(learn, np.ones((16, 16), np.complex64), where, np.zeros((2, 4, 2)))
    a, b = generator.normal(size=(2, 2, 4, 16, 3, 16)).astype(np.float32)
    left = np.vdot(array(learn.layers.gather(ops.convert_to_tensor(a), weights)), b)
    right = np.vdot(a, array(learn.layers.gather(ops.convert_to_tensor(b), weights)))
    assert left == pytest.approx(right, rel=1e-4)


def test_a_delta_is_gathered_where_its_neighbour_sees_it(learn):
    """Windows at (0, 0) and x = 3, y = -2: the pixel (row 5, column 6) of one is (7, 3) of the other."""
    from keras import ops

    where = [[[0.0, 0.0], [3.0, -2.0]]]
    _, (weights, _, light) = shared(learn, np.ones((12, 12), np.complex64), where, np.zeros((1, 2, 2)))
    patches = np.zeros((1, 2, 12, 2, 12), np.float32)
    patches[0, 0, 5, 1, 6] = 1
    seen = array(learn.layers.gather(ops.convert_to_tensor(patches), weights))[0]
    assert np.argwhere(seen[0]).tolist() == [[5, 1, 6]] and np.argwhere(seen[1]).tolist() == [[7, 1, 3]]
    # Of the neighbour's light, two rows fall above and three columns left of this window.
    light = array(light)[0, 0, :, 0]
    np.testing.assert_allclose(light[:10, 3:], 2.0, rtol=1e-5)
    assert light.sum() == pytest.approx(144 + 90, rel=1e-5)


def test_first_estimate_recovers_a_flat_object_from_noiseless_patterns(learn, scan):
    """Where light falls, the estimate of an object of 1 is 1; neighbours at other places agree."""

    from studylib.physics import forward
    from studylib.physics.grouping import offsets

    positions = np.array([[80.3, 90.0], [88.0, 95.6]])
    flat = np.ones((192, 192), np.complex64)
    moduli = np.sqrt(next(forward.expected_counts(flat, scan.probe, positions)))[None].astype(np.float32)
    moved, (weights, _, light) = shared(learn, scan.probe, *offsets(positions, np.array([[0, 1]])))
    told = learn.layers.FirstEstimate(scan.probe)(moduli, *moved, weights, light)
    own_real, own_imag, real, imag, total = np.moveaxis(array(told), 3, 0)
    weight = np.abs(forward.probes_at(scan.probe, positions)[0]) ** 2 / np.max(np.abs(scan.probe) ** 2)
    # Pixels that the bare probe leaves dark are damped, a few per cent of the whole.
    np.testing.assert_allclose(own_real[0, 0], weight, atol=0.03)
    np.testing.assert_allclose(own_imag, 0, atol=0.03)
    lit = total[0] > 0.5
    np.testing.assert_allclose(real[0][lit], 1, atol=0.1)
    np.testing.assert_allclose(imag, 0, atol=0.02)
