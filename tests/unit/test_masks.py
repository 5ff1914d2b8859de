"""Detector pixels that cannot be trusted never matter, whatever they hold, to any arm and any judgement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studylib.arms import registry
from studylib.design import Seeds
from tests.asymmetric import OBJECT, N, scan_of

pytestmark = pytest.mark.usefixtures("torch_backend")
ARMS = list(registry.arms().values())
QUICK = {
    "steps": 3, "evaluations": 1, "width": 8, "epochs": 2, "first_epochs": 0, "iterations": 6, "rounds": 1,
    "mixed_precision": False, "updates": 2,
}  # fmt: skip


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
