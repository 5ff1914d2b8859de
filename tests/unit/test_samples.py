"""Objects and probes that a study starts from: built-in ones, and those of a file."""

from __future__ import annotations

import numpy as np
import pytest

from studylib import probes, samples
from studylib.design import SAMPLES, SampleSettings, Seeds, check_probe, check_sample
from studylib.errors import InputError
from studylib.objects import specimen
from studylib.physics import simulate
from studylib.physics.simulate import scan_positions, split_along_y
from tests.unit.archives import rewritten, saved
from tests.unit.foreign import STAR, needs_star


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probeGuess": None}, "missing"),
        ({"probeGuess": np.ones((64, 64), np.float32)}, "a complex array"),
        ({"probeGuess": np.ones((60, 60), np.complex64)}, "multiple of 16"),
        ({"objectGuess": np.ones((100, 300), np.complex64)}, "at least 192 px"),
        ({"objectGuess": np.full((300, 300), np.nan, np.complex64)}, "NaN or infinity"),
        ({"objectGuess": np.array([{}], dtype=object)}, "not pickled"),
    ],
)
def test_a_bad_base_is_one_clear_line(tmp_path, specimen, change, message):
    path = tmp_path / "base.npz"
    np.savez(path, probeGuess=specimen.probe, objectGuess=np.ones((300, 300), np.complex64))
    with pytest.raises(InputError, match=message):
        samples.load_base(rewritten(path, **change))


@needs_star
def test_the_measured_probe_is_a_base_with_room_for_two_halves():
    base = samples.load_base(STAR)
    assert base.probe.shape == (128, 128) and 55 < samples.probe_diameter(base.probe) < 75

    positions = simulate.scan_positions(base.object.shape, 128, SampleSettings(), np.random.default_rng(1))
    halves = simulate.split_along_y(positions, base.object.shape[0], 128)
    assert min(len(members) for members in halves.values()) > 500
