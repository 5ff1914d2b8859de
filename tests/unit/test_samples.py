from __future__ import annotations

import numpy as np
import pytest

from studylib import objects, probes, samples
from studylib.design import PROBES, SAMPLES, SampleSettings, Seeds, check_probe, check_sample
from studylib.errors import InputError
from studylib.learn.symmetry import SQUARE, probe_symmetries
from studylib.objects import OBJECTS, specimen
from studylib.physics.forward import shifted_probes
from studylib.physics.simulate import scan_positions, split_along_y

CORNERS = np.array([[x, y] for x in (-0.5, 0.5) for y in (-0.5, 0.5)], dtype=np.float32)
SHIFT_ERROR = 0.05
"""Largest error of a shift by half a pixel of an accepted probe, in parts of its norm."""


def correlation(name, size, seed):
    image = specimen(name, size, seed).object
    return np.corrcoef(np.abs(image).ravel(), np.angle(image).ravel())[0, 1]


def shift_error(probe):
    """Return by how much a shift in the window differs from one in a window twice as large."""
    half = len(probe) // 2
    wide = shifted_probes(np.pad(probe, half), CORNERS)[:, half:-half, half:-half]
    differences = np.linalg.norm(shifted_probes(probe, CORNERS) - wide, axis=(1, 2))
    return differences.max() / np.linalg.norm(probe)


def moved(probe, columns):
    """Return the probe moved along x, wrapping round."""
    return np.roll(probe, columns, axis=1)


def saved(tmp_path, image, probe=None):
    path = tmp_path / "base.npz"
    np.savez(path, probeGuess=probes.zone_plate_probe(64) if probe is None else probe, objectGuess=image)
    return path


def test_the_names_of_the_design_are_those_of_the_registries():
    assert tuple(OBJECTS) == SAMPLES and tuple(probes.PROBES) == PROBES


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


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("n", [32, 64, 128])
def test_every_probe_fits_its_window(name, n):
    probe = probes.PROBES[name](n, 3)
    assert probe.shape == (n, n) and probe.dtype == np.complex64
    assert np.isfinite(probe).all()
    assert np.sum(np.abs(probe.astype(np.complex128)) ** 2) == pytest.approx(1, rel=1e-5)
    np.testing.assert_array_equal(probe, probes.PROBES[name](n, 3))
    probes.refuse_wrapping(probe, name)
    assert 0.25 * n < probes.probe_diameter(probe) < 0.65 * n
    assert shift_error(probe) < SHIFT_ERROR


@pytest.mark.parametrize("n", [32, 64, 128])
@pytest.mark.parametrize("name", ["smooth", "diffuser"])
def test_these_probes_have_no_symmetry(name, n):
    probe = probes.PROBES[name](n, 3)
    assert len(probe_symmetries(probe)) == 1 and len(probe_symmetries(probes.zone_plate_probe(n))) == 8
    moduli = np.abs(probe)
    for turned in SQUARE[1:]:  # nor has the modulus alone, so that a conjugate cannot stand in for a mirror image
        assert np.linalg.norm(turned.image(moduli) - moduli) > 0.2 * np.linalg.norm(moduli)


def test_diffusers_differ_by_seed_in_structure_and_not_in_size():
    made = [probes.diffuser_probe(64, Seeds().replicate(number).sample) for number in range(20)]
    assert all(abs(np.vdot(a, b)) < 0.9 for i, a in enumerate(made) for b in made[:i])
    diameters = [probes.probe_diameter(probe) for probe in made]
    # The step of a view follows the diameter: replicates are to have the same overlap and fluence.
    assert max(diameters) < 1.2 * min(diameters)
    for probe in made:
        probes.refuse_wrapping(probe, "diffuser")
        intensity = np.abs(probe) ** 2
        assert (intensity * np.arange(64)).sum() == pytest.approx(32, abs=1.0)
        assert (intensity * np.arange(64)[:, None]).sum() == pytest.approx(32, abs=1.0)


def test_what_is_refused_is_what_a_shift_would_wrap():
    zone, smooth = probes.zone_plate_probe(64), probes.smooth_probe(64)
    tried = [probes.zone_plate_probe(64, defocus=d) for d in (11, 14, 20, 25, 30)]
    tried += [moved(zone, c) for c in (4, 8, 16, 20, 32)] + [moved(smooth, c) for c in (8, 16, 22, 32)]
    errors = {True: [], False: []}
    for probe in tried:
        errors[probes.spill(probe) > probes.SPILL].append(shift_error(probe))
    assert len(errors[True]) == 9 and min(errors[True]) > SHIFT_ERROR > max(errors[False])


def test_a_probe_that_wraps_round_is_refused(tmp_path):
    wide = probes.zone_plate_probe(64, defocus=40)
    with pytest.raises(InputError, match=r"29\.\d% of its photons.*larger window.*less defocus.*wraps round"):
        probes.refuse_wrapping(wide, "probeGuess")
    with pytest.raises(InputError, match="window's centre"):
        probes.refuse_wrapping(moved(probes.zone_plate_probe(64), 28), "probeGuess")
    with pytest.raises(InputError, match="wraps round"):
        samples.load_base(saved(tmp_path, specimen("leaves", 256, 1).object, wide))


def test_a_built_in_probe_that_wraps_round_is_refused_too(monkeypatch):
    monkeypatch.setitem(probes.PROBES, "smooth", lambda n, seed: moved(probes.smooth_probe(n), n // 2))
    with pytest.raises(InputError, match=r"probe smooth.*wraps round"):
        samples.built_in(SampleSettings(object_size=160), Seeds(), "leaves", "smooth")


def test_a_base_may_be_of_any_scale(tmp_path):
    bright = (2.7 * specimen("leaves", 256, 1).object).astype(np.complex64)
    read = samples.load_base(saved(tmp_path, bright))
    np.testing.assert_array_equal(read.object, bright)
    assert np.abs(read.object).max() > 2.5 and (read.sample, read.probe_kind, read.phase) == ("base", "base", None)


def test_a_constant_base_is_refused_also_where_it_is_rounded(tmp_path):
    generator = np.random.default_rng(0)
    for flat in (np.ones((256, 256)), np.exp(0.3j) * (1 + 1e-6 * generator.normal(size=(256, 256)))):
        with pytest.raises(InputError, match=r"constant object.*contrast"):
            samples.load_base(saved(tmp_path, flat.astype(np.complex64)))
    weak = np.exp(0.01j * np.angle(specimen("leaves", 256, 1).object))
    samples.load_base(saved(tmp_path, weak.astype(np.complex64)))


@pytest.mark.parametrize("n", [32, 64, 128])
def test_the_smallest_base_gives_two_halves_and_a_smaller_one_is_refused(tmp_path, n):
    side = 3 * n
    image, probe = specimen("leaves", side, 1).object, probes.zone_plate_probe(n)
    read = samples.load_base(saved(tmp_path, image, probe))
    for seed in range(5):
        positions = scan_positions(read.object.shape, n, SampleSettings(), np.random.default_rng(seed))
        assert set(split_along_y(positions, side, n)) == {"train", "test"}  # raises below 16 positions
    for less in (image[1:], image[:, 1:]):
        with pytest.raises(InputError, match=f"at least {side} px each way"):
            samples.load_base(saved(tmp_path, less, probe))


@pytest.mark.parametrize("sample", SAMPLES)
def test_built_in_samples_say_what_they_are(sample):
    settings = SampleSettings(object_size=160, n_pixels=32)
    made = samples.built_in(settings, Seeds(), sample, "diffuser")
    assert (made.sample, made.probe_kind, made.name) == (sample, "diffuser", f"built-in {sample} and diffuser")
    assert (made.phase is not None) == (sample == "thick")


def test_the_default_is_as_it_was_and_an_unknown_name_tells_the_known_ones():
    settings, seeds = SampleSettings(object_size=160), Seeds()
    made = samples.built_in(settings, seeds)
    np.testing.assert_array_equal(made.object, samples.dead_leaves(160, seeds.sample))
    np.testing.assert_array_equal(made.probe, samples.zone_plate_probe(64))
    with pytest.raises(InputError, match="leaves, two-materials, phase, thick, natural, siemens"):
        samples.built_in(settings, seeds, "moon")
    with pytest.raises(InputError, match="zone-plate, smooth, diffuser"):
        samples.built_in(settings, seeds, "leaves", "moon")
    assert (check_sample("thick"), check_probe("smooth")) == ("thick", "smooth")
