"""Which symmetries of the square a probe has, with its mask and its background, and what they turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studylib.learn.symmetry import SQUARE, probe_symmetries
from tests.asymmetric import N

pytestmark = pytest.mark.usefixtures("torch_backend")


def test_the_built_in_probe_has_every_symmetry_of_the_square(scan):
    assert probe_symmetries(scan.probe) == SQUARE


def test_a_probe_without_symmetry_leaves_only_the_identity():
    generator = np.random.default_rng(0)
    probe = generator.normal(size=(32, 32)) + 1j * generator.normal(size=(32, 32))
    assert probe_symmetries(probe) == SQUARE[:1]


def test_an_astigmatic_probe_keeps_its_mirrors_and_loses_the_transposition():
    axis = np.arange(-16, 16)
    probe = np.exp(-(axis[:, None] ** 2) / 20 - axis[None, :] ** 2 / 60).astype(complex)
    assert {s.transpose for s in probe_symmetries(probe)} == {False}
    assert len(probe_symmetries(probe)) == 4


@pytest.mark.parametrize("symmetry", SQUARE)
def test_a_transformed_object_gives_the_transformed_pattern(symmetry, specimen, scan):
    """What the augmentation claims: |F(P S O)|^2 = S |F(P O)|^2 for every symmetry S of P."""
    position = np.array([[90.0, 100.0]])
    patch = specimen.object[100 - 32 : 100 + 32, 90 - 32 : 90 + 32]
    mirrored = np.array(specimen.object)
    mirrored[68:132, 58:122] = symmetry.image(patch)
    from studylib.physics import forward

    before = next(forward.expected_counts(specimen.object, scan.probe, position))[0]
    after = next(forward.expected_counts(mirrored, scan.probe, position))[0]
    np.testing.assert_allclose(after, symmetry.image(before), atol=1e-3 * before.max())


@pytest.mark.parametrize("symmetry", SQUARE)
def test_offsets_turn_with_the_image(symmetry):
    """A delta at an offset from the centre is found at the transformed offset."""
    image = np.zeros((16, 16))
    image[8 + 3, 8 - 2] = 1
    (x, y) = symmetry.offset(np.array([-2.0, 3.0]))
    assert symmetry.image(image)[8 + int(y), 8 + int(x)] == 1


def test_it_is_part_of_what_a_symmetry_must_leave(hazy):
    from studylib.learn.symmetry import SQUARE, symmetries_of

    round_probe = np.exp(-(np.hypot(*(np.indices((N, N)) - N // 2)) ** 2) / 20).astype(np.complex64)
    assert symmetries_of(replace(hazy, probe=round_probe)) == SQUARE[:1]
    assert len(symmetries_of(replace(hazy, probe=round_probe, background=np.ones((N, N), np.float32)))) == 8


def test_a_mask_without_symmetry_leaves_none(masked):
    from studylib.learn.symmetry import SQUARE, symmetries_of

    round_probe = np.exp(-(np.hypot(*(np.indices((N, N)) - N // 2)) ** 2) / 20).astype(np.complex64)
    scan = replace(masked[0], probe=round_probe)
    assert len(symmetries_of(replace(scan, mask=None))) == 8
    assert symmetries_of(scan) == SQUARE[:1]
