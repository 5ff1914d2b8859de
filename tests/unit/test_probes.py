"""The built-in probes, and which probes a window holds."""

from __future__ import annotations

import numpy as np
import pytest

from studylib import probes, samples
from studylib.design import PROBES, SampleSettings, Seeds
from studylib.errors import InputError
from studylib.learn.symmetry import SQUARE, probe_symmetries
from studylib.objects import specimen
from studylib.physics.forward import shifted_probes
from tests.unit.archives import saved

CORNERS = np.array([[x, y] for x in (-0.5, 0.5) for y in (-0.5, 0.5)], dtype=np.float32)
SHIFT_ERROR = 0.05
"""Largest error of a shift by half a pixel of an accepted probe, in parts of its norm."""


def shift_error(probe):
    """Return by how much a shift in the window differs from one in a window twice as large."""
    half = len(probe) // 2
    wide = shifted_probes(np.pad(probe, half), CORNERS)[:, half:-half, half:-half]
    differences = np.linalg.norm(shifted_probes(probe, CORNERS) - wide, axis=(1, 2))
    return differences.max() / np.linalg.norm(probe)


def moved(probe, columns):
    """Return the probe moved along x, wrapping round."""
    return np.roll(probe, columns, axis=1)


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


def test_zone_plate_is_centred_and_symmetric():
    probe = samples.zone_plate_probe(64)
    np.testing.assert_allclose(probe[1:, 1:], probe[1:, 1:][::-1, ::-1], atol=1e-6)
