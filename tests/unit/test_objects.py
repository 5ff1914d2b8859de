"""The built-in objects."""

from __future__ import annotations

import numpy as np
import pytest

from studylib import objects
from studylib.design import SAMPLES, Seeds
from studylib.objects import specimen


def correlation(name, size, seed):
    image = specimen(name, size, seed).object
    return np.corrcoef(np.abs(image).ravel(), np.angle(image).ravel())[0, 1]


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("size", [160, 256, 512])
def test_every_object_is_finite_seeded_and_of_order_one(name, size):
    image, phase = specimen(name, size, 3)
    again, other = specimen(name, size, 3).object, specimen(name, size, 4).object
    assert image.shape == (size, size) and image.dtype == np.complex64
    assert np.isfinite(image).all()
    assert np.abs(image).min() >= 0.5 and np.abs(image).max() <= 1.2
    np.testing.assert_array_equal(image, again)
    assert np.linalg.norm(image - other) > 0.1 * np.linalg.norm(image)
    if phase is not None:
        assert phase.dtype == np.float32 and phase.shape == image.shape
        np.testing.assert_allclose(np.exp(1j * phase), image / np.abs(image), atol=1e-5)


def test_the_default_is_of_one_material_and_two_materials_are_not():
    assert correlation("leaves", 256, 3) < -0.99
    for seed in range(5):
        assert abs(correlation("two-materials", 256, seed)) < 0.2


def test_a_phase_object_absorbs_nothing():
    image = specimen("phase", 256, 3).object
    np.testing.assert_allclose(np.abs(image), 1, atol=1e-6)
    assert np.ptp(np.angle(image)) > 0.8


@pytest.mark.parametrize("seed", [3, 4, 41])
@pytest.mark.parametrize("size", [160, 512])
def test_the_thick_phase_wraps_and_its_truth_does_not(size, seed):
    phase = specimen("thick", size, seed).phase
    assert np.ptp(phase) > 2 * np.pi
    steps = max(np.abs(np.diff(phase, axis=axis)).max() for axis in (0, 1))
    assert steps < np.pi / 2  # neighbours differ so little that the sampled exit wave holds the steps


def test_natural_pictures_come_without_a_download():
    names = objects._available()
    assert {"camera", "coins"} <= set(names) and len(names) >= 8
    for name in names:
        picture = objects._square(name, 96, np.random.default_rng(1))
        assert picture.shape == (96, 96) and picture.min() == 0 and picture.max() == 1 and picture.std() > 0.05


def test_natural_replicates_differ_also_where_the_pictures_are_the_same(monkeypatch):
    seeds = [Seeds().replicate(number).sample for number in range(6)]
    for kept in (objects.PICTURES, ("camera", "coins")):
        monkeypatch.setattr(objects, "PICTURES", kept)
        images = [specimen("natural", 160, seed).object for seed in seeds]
        for i, image in enumerate(images):
            assert np.ptp(np.abs(image)) > 0.35 and np.ptp(np.angle(image)) > 0.9
            assert all(np.linalg.norm(image - other) > 0.1 * np.linalg.norm(image) for other in images[:i])


def test_a_natural_picture_is_not_stretched(monkeypatch):
    """A disc in a picture that is wider than high stays round."""
    rows, columns = np.indices((300, 420))
    disc = 255.0 * (np.hypot(rows - 150, columns - 210) < 50)
    monkeypatch.setattr(objects.data, "coins", lambda: disc)
    picture = objects._square("coins", 160, np.random.default_rng(2)) > 0.5
    assert np.any(picture, axis=0).sum() == pytest.approx(np.any(picture, axis=1).sum(), abs=1)
    assert picture.sum() == pytest.approx(np.pi / 4 * np.any(picture, axis=0).sum() ** 2, rel=0.05)


@pytest.mark.parametrize("centre", [(0.27, 0.47), (0.73, 0.53)])
def test_each_half_has_spokes_down_to_nyquist_that_fade_there(centre):
    size, spokes = 512, 36
    thickness = np.angle(specimen("siemens", size, 3).object)
    rows, columns = np.indices(thickness.shape)
    radius = np.hypot(rows - centre[0] * size, columns - centre[1] * size)

    def contrast(period):
        """Return the contrast on the ring where a pair of spokes is so many pixels wide."""
        ring = np.abs(radius - period * spokes / (2 * np.pi)) < 1.5
        return thickness[ring].std()

    wide, narrow, nyquist, centre_of_star = contrast(16), contrast(4), contrast(2), contrast(0.5)
    assert wide > 0.4 and wide > narrow > 3 * nyquist > 0.03 and centre_of_star < 0.1
