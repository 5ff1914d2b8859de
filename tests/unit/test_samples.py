from __future__ import annotations

import numpy as np
import pytest

from studylib import probes, samples
from studylib.design import PROBES, SAMPLES, SampleSettings, Seeds
from studylib.errors import InputError
from studylib.learn.symmetry import probe_symmetries
from studylib.objects import OBJECTS, specimen


def test_the_names_of_the_design_are_those_of_the_registries():
    assert tuple(OBJECTS) == SAMPLES and tuple(probes.PROBES) == PROBES


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("size", [160, 256])
def test_every_object_is_finite_seeded_and_of_order_one(name, size):
    image, phase = specimen(name, size, 3)
    again, other = specimen(name, size, 3).object, specimen(name, size, 4).object
    assert image.shape == (size, size) and image.dtype == np.complex64
    assert np.abs(image).min() >= 0.5 and np.abs(image).max() <= 1.2
    np.testing.assert_array_equal(image, again)
    assert np.abs(image - other).max() > 0.1
    if phase is not None:
        np.testing.assert_allclose(image, np.abs(image) * np.exp(1j * phase), atol=1e-5)


def test_what_the_objects_claim():
    def likeness(name):
        image = specimen(name, 256, 3).object
        return np.corrcoef(np.abs(image).ravel(), np.angle(image).ravel())[0, 1]

    assert likeness("leaves") < -0.99 and abs(likeness("two-materials")) < 0.2 and abs(likeness("natural")) < 0.5
    np.testing.assert_allclose(np.abs(specimen("phase", 256, 3).object), 1, atol=1e-6)
    assert np.ptp(specimen("thick", 256, 3).phase) > 2 * np.pi
    steps = np.abs(np.diff(specimen("thick", 256, 3).phase, axis=0))
    assert steps.max() < np.pi  # neighbours never differ by so much that the phase could not be unwrapped


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("n", [32, 64, 128])
def test_every_probe_fits_its_window(name, n):
    probe = probes.PROBES[name](n, 3)
    assert probe.shape == (n, n) and probe.dtype == np.complex64
    assert np.sum(np.abs(probe.astype(np.complex128)) ** 2) == pytest.approx(1, rel=1e-5)
    probes.refuse_wrapping(probe, name)
    assert 0.25 * n < probes.probe_diameter(probe) < 0.65 * n


@pytest.mark.parametrize("name", ["smooth", "diffuser"])
def test_these_probes_have_no_symmetry(name):
    assert len(probe_symmetries(probes.PROBES[name](64, 3))) == 1
    assert len(probe_symmetries(probes.zone_plate_probe(64))) == 8


def test_a_probe_that_wraps_round_is_refused(tmp_path):
    wide = probes.zone_plate_probe(64, defocus=40)
    with pytest.raises(InputError, match="wraps round"):
        probes.refuse_wrapping(wide, "probeGuess")
    moved = np.roll(probes.zone_plate_probe(64), 28, axis=1)
    with pytest.raises(InputError, match="window's centre"):
        probes.refuse_wrapping(moved, "probeGuess")
    path = tmp_path / "base.npz"
    np.savez(path, probeGuess=wide, objectGuess=specimen("leaves", 256, 1).object)
    with pytest.raises(InputError, match="wraps round"):
        samples.load_base(path)


def test_a_base_may_be_of_any_scale_but_must_have_contrast(tmp_path):
    path = tmp_path / "base.npz"
    bright = (2.7 * specimen("leaves", 256, 1).object).astype(np.complex64)
    np.savez(path, probeGuess=probes.zone_plate_probe(64), objectGuess=bright)
    assert np.abs(samples.load_base(path).object).max() == pytest.approx(2.7, rel=0.1)
    np.savez(path, probeGuess=probes.zone_plate_probe(64), objectGuess=np.ones((256, 256), np.complex64))
    with pytest.raises(InputError, match="contrast"):
        samples.load_base(path)


def test_built_in_samples_say_what_they_are():
    made = samples.built_in(SampleSettings(object_size=160, n_pixels=32), Seeds(), "thick", "diffuser")
    assert (made.sample, made.probe_kind, made.name) == ("thick", "diffuser", "built-in thick and diffuser")
    assert made.phase is not None and made.phase.shape == made.object.shape
    with pytest.raises(InputError, match="sample"):
        samples.built_in(SampleSettings(), Seeds(), "moon")
