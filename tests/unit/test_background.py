"""Counts that no probe brings (air scatter, dark counts), told beside the scan: every arm reckons with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studylib.arms import registry
from studylib.design import Seeds
from studylib.judge import consistency
from studylib.physics import forward
from studylib.physics.split import share_of, split_counts
from studylib.physics.stitch import scanned_box
from studylib.scan import Scan
from tests.asymmetric import OBJECT, N, NoiseFree, scan_of

ARMS = list(registry.arms().values())
DOSE = 20_000


@pytest.fixture(scope="module", autouse=True)
def _torch():
    from studylib.learn.backend import use_backend

    use_backend("torch")


def haze() -> np.ndarray:
    """Return a background (N, N) float32 without symmetry, about as many counts as the study's dose."""
    rows, columns = np.indices((N, N))
    return (3 + 25 * np.exp(-(((rows - 20) / 9) ** 2) - ((columns - 13) / 5) ** 2)).astype(np.float32)


def expected(scan: Scan, image: np.ndarray = OBJECT) -> np.ndarray:
    return np.concatenate(list(forward.expected_counts(image, scan.probe, scan.positions)))


@pytest.fixture(scope="module")
def hazy() -> Scan:
    """Counts of light and background, with held ones."""
    scan, generator = scan_of(DOSE), np.random.default_rng(4)
    light = expected(scan) + haze()
    counts, held = generator.poisson(light), generator.poisson(0.1 * light)
    return replace(
        scan, diffraction=(np.sqrt(counts) / scan.scale).astype(np.float32), background=haze(),
        held=held.astype(np.uint16), held_share=0.1,
    )  # fmt: skip


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


def test_networks_are_shown_the_light_and_held_against_all(hazy):
    """Their input is what is left of the counts; what their images expect has the background on it again."""
    from studylib.learn.batches import group_batch, pattern_batch
    from studylib.learn.train import flat_object_loss
    from studylib.physics.likelihood import poisson_loss

    left = np.sqrt(np.maximum(hazy.counts[:3] - haze(), 0))
    shown, _ = pattern_batch(hazy, np.ones((3, N, N), np.complex64), np.arange(3))
    np.testing.assert_allclose(shown, left, atol=1e-4)
    (shown, *_), counts = group_batch(hazy, np.array([[0, 1, 2]]))
    np.testing.assert_allclose(shown[0], left, atol=1e-4)
    np.testing.assert_array_equal(counts[0], hazy.counts[:3])
    flat = hazy.best_constant() ** 2 * hazy.flat + haze()
    assert flat_object_loss(hazy) == pytest.approx(float(np.mean(poisson_loss(hazy.counts.mean(axis=0), flat))))


def test_a_scan_of_background_alone_has_a_best_constant_that_is_no_nan(hazy):
    dark = replace(hazy, diffraction=np.zeros_like(hazy.diffraction))
    assert 0 < dark.best_constant() < 1e-3


def test_judgement_reckons_with_it(hazy):
    told = consistency.measures(OBJECT, hazy)
    untold = consistency.measures(OBJECT, replace(hazy, background=None))
    assert told.chi_square == pytest.approx(1, abs=0.03) and untold.chi_square > 1.1
    assert told.gain.clear


def test_a_share_of_the_counts_has_that_share_of_the_background(hazy):
    fit, held = split_counts(hazy.counts.astype(np.int64), (0.7, 0.3), np.random.default_rng(1))
    part = share_of(hazy, fit, 0.7, held, 0.3)
    np.testing.assert_allclose(part.background, 0.7 * haze(), rtol=1e-6)
    assert consistency.measures(OBJECT, part).chi_square == pytest.approx(1, abs=0.03)


def test_it_is_part_of_what_a_symmetry_must_leave(hazy):
    from studylib.learn.symmetry import SQUARE, symmetries_of

    round_probe = np.exp(-(np.hypot(*(np.indices((N, N)) - N // 2)) ** 2) / 20).astype(np.complex64)
    assert symmetries_of(replace(hazy, probe=round_probe)) == SQUARE[:1]
    assert len(symmetries_of(replace(hazy, probe=round_probe, background=np.ones((N, N), np.float32)))) == 8


def test_thinned_counts_are_shown_without_it(hazy):
    from studylib.learn.batches import group_batch, thin_counts

    batch = group_batch(hazy, np.array([[0, 1, 2], [3, 4, 5]]))
    (shown, *_), target = thin_counts(batch, 0.3, np.random.default_rng(2), hazy)
    counts = batch[1]
    wanted = np.sqrt(np.maximum((counts - 0.3 * target) / 0.7 - haze(), 0))
    np.testing.assert_allclose(shown, wanted, atol=1e-3)


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
