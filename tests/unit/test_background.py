"""Counts that no probe brings (air scatter, dark counts), told beside the scan: every arm reckons with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studylib.arms import registry
from studylib.design import Seeds
from studylib.physics.stitch import scanned_box
from studylib.scan import Scan
from tests.asymmetric import OBJECT, NoiseFree, scan_of
from tests.unit.conftest import DOSE
from tests.unit.spoiled import expected, haze

pytestmark = pytest.mark.usefixtures("torch_backend")
ARMS = list(registry.arms().values())


@pytest.mark.parametrize("arm", [a for a in ARMS if a.has_forward_model], ids=lambda a: a.key)
def test_an_arm_expects_light_and_background(arm, hazy):
    wanted = expected(hazy) + haze()
    error = np.abs(np.asarray(arm.expected(OBJECT, hazy), np.float64) - wanted)
    assert error.max() < 1e-5 * wanted.max()


def drift(arm, scan: Scan, **changed) -> float:
    """Return how far the arm goes from the truth, prior off, mean of |O - truth| in the scanned box."""
    box = scanned_box(scan.positions).slices
    settings = arm.settings(**arm.without_prior | changed)
    found = arm.reconstruct(scan, settings, Seeds(), starts={"truth": OBJECT}).object[box]
    turn = np.exp(1j * np.angle(np.vdot(found, OBJECT[box])))
    return float(np.abs(found * turn - OBJECT[box]).mean())


@pytest.fixture(scope="module")
def clean() -> NoiseFree:
    """Patterns without noise in a haze that the scan tells of."""
    plain = scan_of(DOSE, noise=False)
    light = (np.sqrt(expected(plain) + haze()) / plain.scale).astype(np.float32)
    return NoiseFree(**vars(replace(plain, diffraction=light, background=haze())))


@pytest.mark.parametrize("arm", [a for a in ARMS if a.without_prior is not None], ids=lambda a: a.key)
def test_an_arm_stays_at_the_truth_in_a_haze_that_it_is_told_of(arm, clean):
    assert drift(arm, clean) < 2e-3


def test_a_haze_that_is_not_told_drives_an_arm_away(clean):
    assert drift(registry.arm("map"), replace(clean, background=None), rounds=1) > 0.01


def test_it_goes_with_the_data_set_the_file_and_the_exposure(hazy, tmp_path):
    from studylib.crop import cropped
    from studylib.io import dataset
    from studylib.io.readers import open_scan
    from studylib.io.writers import write_scan
    from studylib.measured import Measured
    from studylib.measured_condition import shorter

    scan = replace(hazy, metadata=hazy.metadata | {"object_shape": list(OBJECT.shape)})
    dataset.save(tmp_path / "scan.npz", scan, OBJECT)
    np.testing.assert_array_equal(dataset.load_scan(tmp_path / "scan.npz").background, haze())
    measured = Measured(
        "test", "test", scan.counts, positions=scan.positions, probe=scan.probe[None], background=haze()
    )
    read = open_scan(write_scan(tmp_path / "measured.npz", measured))
    np.testing.assert_array_equal(read.scan().background, haze())
    told = shorter(read.scan(), 1_000, seed=3)
    share = 1_000 / scan.counts.sum(axis=(1, 2)).mean()
    np.testing.assert_allclose(told.scan.background, share * haze(), rtol=1e-5)
    np.testing.assert_allclose(told.rest.background, (1 - 1.1 * share) * haze(), rtol=1e-5)
    sides = [(4, 5), (4, 5)]
    patterns = np.pad(scan.counts, [(0, 0), *sides])
    wide = replace(measured, patterns=patterns, probe=None, background=np.pad(haze(), sides))
    np.testing.assert_array_equal(cropped(wide).background, haze())
