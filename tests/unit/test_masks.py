"""Detector pixels that cannot be trusted never matter, whatever they hold, to any arm and any judgement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studylib.arms import registry
from studylib.design import Seeds
from studylib.judge import consistency
from studylib.physics import forward
from tests.asymmetric import OBJECT, N, scan_of

ARMS = list(registry.arms().values())
QUICK = {
    "steps": 3, "evaluations": 1, "width": 8, "epochs": 2, "first_epochs": 0, "iterations": 6, "rounds": 1,
    "mixed_precision": False, "updates": 2,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _torch():
    from studylib.learn.backend import use_backend

    use_backend("torch")


@pytest.fixture(scope="module")
def masked():
    """A scan with a beam stop off the centre and some bad pixels, and its twin with other rubbish under them."""
    mask = np.ones((N, N), dtype=bool)
    mask[14:18, 15:18] = mask[3, 20] = mask[29, 2] = False
    scan = scan_of(20_000)
    scan = scan.take(np.argsort(np.linalg.norm(scan.positions - scan.positions.mean(axis=0), axis=1))[:60])
    held = np.random.default_rng(1).poisson(0.2, scan.diffraction.shape).astype(np.uint16)
    scan = replace(scan, mask=mask, held=held, held_share=0.1)
    return scan, spoiled(scan)


def spoiled(scan):
    rubbish = np.random.default_rng(2).integers(0, 60_000, scan.diffraction.shape)
    where = ~scan.mask
    return replace(
        scan, diffraction=np.where(where, np.sqrt(rubbish) / scan.scale, scan.diffraction).astype(np.float32),
        held=np.where(where, rubbish, scan.held).astype(np.uint16),
    )  # fmt: skip


def quick(arm):
    return arm.settings(**{k: v for k, v in QUICK.items() if k in arm.settings.model_fields})


def image_of(arm, scan):
    """Train what the arm needs, and reconstruct."""
    trained = None
    if key := registry.training_of(arm.key):
        trainer = registry.arm(key)
        patches = None
        if trainer.needs_truth:
            from studylib.physics.windows import extract

            patches = extract(OBJECT, scan.positions, N)
        more = {"images": lambda _: dict.fromkeys(trainer.after, OBJECT)} if trainer.after else {}
        trained = trainer.train(scan, patches, quick(trainer), Seeds(), **more).network
    starts = dict.fromkeys(arm.after, OBJECT)
    return arm.reconstruct(scan, quick(arm), Seeds(), trained, starts).object


@pytest.mark.parametrize("arm", ARMS, ids=lambda a: a.key)
def test_what_bad_pixels_hold_changes_no_image(arm, masked):
    one, other = (image_of(arm, scan) for scan in masked)
    np.testing.assert_array_equal(one, other)
    whole = image_of(arm, replace(masked[1], mask=None))
    assert not np.array_equal(one, whole), "without the mask the rubbish is seen"


def test_what_bad_pixels_hold_changes_no_judgement(masked):
    one, other = (consistency.measures(OBJECT, scan).gain for scan in masked)
    assert one == other
    assert masked[0].best_constant() == masked[1].best_constant()


@pytest.mark.parametrize("arm", [a for a in ARMS if a.without_prior is not None], ids=lambda a: a.key)
def test_an_arm_stays_at_the_truth_behind_a_beam_stop(arm, masked):
    """Most of the light falls on the stop; counts there are 0, and 0 is not what was expected."""
    scan = scan_of(100_000)
    centre = np.ones((N, N), dtype=bool)
    centre[12:20, 12:20] = False
    scan = replace(scan, mask=centre)
    result = arm.reconstruct(scan, arm.settings(**arm.without_prior), Seeds(), starts={"truth": OBJECT})
    box = slice(30, 80), slice(30, 90)
    product = np.vdot(result.object[box], OBJECT[box])
    error = np.abs(result.object[box] * product / abs(product) - OBJECT[box]).mean()
    assert error < 0.1, error


def test_the_best_constant_object_is_that_of_the_pixels_that_are_seen():
    scan = scan_of(100_000)
    flat = np.full(OBJECT.shape, 0.7, np.complex64)
    expected = np.concatenate(list(forward.expected_counts(flat, scan.probe, scan.positions)))
    counts = np.random.default_rng(4).poisson(expected)
    mask = np.ones((N, N), dtype=bool)
    mask[10:22, 10:22] = False
    scan = replace(scan, diffraction=(np.sqrt(counts) / scan.scale).astype(np.float32), mask=mask)
    assert scan.best_constant() == pytest.approx(0.7, rel=0.02)


def test_a_mask_without_symmetry_leaves_none(masked):
    from studylib.learn.symmetry import SQUARE, symmetries_of

    round_probe = np.exp(-(np.hypot(*(np.indices((N, N)) - N // 2)) ** 2) / 20).astype(np.complex64)
    scan = replace(masked[0], probe=round_probe)
    assert len(symmetries_of(replace(scan, mask=None))) == 8
    assert symmetries_of(scan) == SQUARE[:1]


def test_a_mask_is_saved_with_the_data_set(tmp_path, masked):
    from studylib.io import dataset

    scan = replace(masked[0], metadata=masked[0].metadata | {"object_shape": list(OBJECT.shape)})
    dataset.save(tmp_path / "scan.npz", scan, OBJECT)
    np.testing.assert_array_equal(dataset.load_scan(tmp_path / "scan.npz").mask, masked[0].mask)
