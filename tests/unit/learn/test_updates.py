"""Updates of the objects of a group."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.learn.conftest import array, group_without_symmetry, shared

pytestmark = pytest.mark.timeout(300)


def test_updates_lead_a_group_to_its_object(learn):
    """Of the error of the first estimate, most is gone after a hundred updates."""
    from studylib.learn.updates import GroupUpdates

    probe, inputs, first, truth = group_without_symmetry(learn)
    lit, errors = first[:, :, :, 4] > 0.5, []
    for updates in (0, 10, 100):
        real, imag = (array(part)[lit] for part in GroupUpdates(probe, updates)(*inputs, first))
        image = real + 1j * imag
        turn = np.exp(1j * np.angle(np.vdot(image, truth[lit])))
        errors.append(np.linalg.norm(image * turn - truth[lit]) / np.linalg.norm(truth[lit]))
    assert errors[1] < 0.7 * errors[0] and errors[2] < 0.25 * errors[0], errors


def test_updates_leave_the_true_object_as_it_is(learn):
    """Also where probe, object and places have no symmetry: a wrong frame or sign would move it at once."""
    from studylib.learn.layers import DARK
    from studylib.learn.updates import GroupUpdates

    probe, inputs, first, truth = group_without_symmetry(learn)
    first[:, :, :, 2], first[:, :, :, 3] = truth.real - DARK / first[:, :, :, 4], truth.imag
    real, imag = GroupUpdates(probe, 20)(*inputs, first)
    lit = first[:, :, :, 4] > 0.1
    np.testing.assert_allclose((array(real) + 1j * array(imag))[lit], truth[lit], atol=1e-4)


def test_a_sum_over_windows_is_that_of_the_physics_layer(learn):
    from keras import ops

    from studylib.learn.updates import Windows

    generator = np.random.default_rng(3)
    where = generator.integers(-14, 15, (3, 4, 2)).astype(np.float32)
    where[:, 0] = 0
    _, (weights, *_) = shared(learn, np.ones((16, 16), np.complex64), where, np.zeros((3, 4, 2)))
    real, imag = (ops.convert_to_tensor(a) for a in generator.normal(size=(2, 3, 4, 16, 16)).astype(np.float32))
    expected = array(learn.layers.gather(ops.stack([real, imag], axis=3), weights))
    told = Windows(ops.convert_to_tensor(where), 16).summed(real, imag)
    for part, seen in enumerate(told):
        np.testing.assert_allclose(seen, expected[:, :, :, part], atol=1e-5)


def test_a_window_far_from_the_group_takes_no_part(learn):
    from keras import ops

    from studylib.learn.updates import Windows

    where = ops.convert_to_tensor(np.array([[[0, 0], [40, 0], [3, 0], [41, 0]]], np.float32))
    one = ops.ones((1, 4, 16, 16))
    seen = array(Windows(where, 16).summed(one, one)[0])
    assert not seen[0, 1].any() and not seen[0, 3].any() and seen[0, 0].sum() == 256 + 13 * 16
