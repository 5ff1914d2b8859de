"""Every registered arm: one forward model, one frame. An arm that is added later is here by being registered."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.arms import registry
from studylib.design import Seeds
from studylib.judge import metrics, register
from studylib.physics import forward
from studylib.physics.likelihood import poisson_loss
from studylib.physics.stitch import scanned_box
from tests.asymmetric import OBJECT, NoiseFree, scan_of

ARMS = list(registry.arms().values())


def noise_free(dose: int) -> NoiseFree:
    return NoiseFree(**{name: value for name, value in vars(scan_of(dose, noise=False)).items()})


@pytest.mark.parametrize("arm", [a for a in ARMS if a.has_forward_model], ids=lambda a: a.key)
def test_an_arm_expects_what_the_simulation_expects(arm):
    scan = scan_of(10_000)
    expected = np.concatenate(list(forward.expected_counts(OBJECT, scan.probe, scan.positions)))
    error = np.abs(np.asarray(arm.expected(OBJECT, scan), np.float64) - expected)
    assert error.max() < 1e-5 * expected.max()


@pytest.mark.parametrize("arm", [a for a in ARMS if a.has_forward_model], ids=lambda a: a.key)
@pytest.mark.parametrize("wrong", ["conjugate", "mirror", "transpose"])
def test_the_wrong_orientation_would_be_seen(arm, wrong):
    """The inputs have no symmetry that a wrong model could hide behind."""
    scan = scan_of(10_000)
    image = {"conjugate": OBJECT.conj(), "mirror": OBJECT[:, ::-1], "transpose": np.pad(OBJECT, ((0, 16), (0, 0))).T}
    expected = np.concatenate(list(forward.expected_counts(OBJECT, scan.probe, scan.positions)))
    told = np.asarray(arm.expected(np.ascontiguousarray(image[wrong][: OBJECT.shape[0]]), scan))
    assert np.abs(told - expected).max() > 0.02 * expected.max()


@pytest.mark.parametrize("arm", [a for a in ARMS if a.without_prior is not None], ids=lambda a: a.key)
def test_an_iterative_arm_stays_at_the_truth(arm):
    """Prior off, noise-free patterns that are not rounded: nothing but a wrong model would drive it away."""
    scan = noise_free(100_000)
    result = arm.reconstruct(scan, arm.settings(**arm.without_prior), Seeds(), starts={"truth": OBJECT})
    truth, found = (
        np.mean(
            [
                poisson_loss(scan.counts[k], lam)
                for k, lam in enumerate(np.concatenate(list(forward.expected_counts(o, scan.probe, scan.positions))))
            ]
        )
        for o in (OBJECT, result.object)
    )
    assert found - truth < 1e-4
    box = scanned_box(scan.positions).slices
    image = register.apply_gauge(result.object[box], register.fit_gauge(result.object[box], OBJECT[box]))
    assert metrics.ms_ssim(np.abs(image), np.abs(OBJECT[box])) > 0.999
    assert metrics.ms_ssim(np.angle(image), np.angle(OBJECT[box])) > 0.999


@pytest.mark.parametrize("arm", ARMS, ids=lambda a: a.key)
def test_settings_are_complete_and_refuse_unknown_fields(arm):
    arm.settings()
    with pytest.raises(ValueError, match="nothing_like_it"):
        arm.settings(nothing_like_it=1)


def test_only_an_arm_that_never_sees_the_truth_learns_from_the_scan_that_is_judged():
    assert all(arm.trains_on == "train" for arm in ARMS if arm.needs_truth or not arm.trains)
    assert {arm.trains_on for arm in ARMS} == {"train", "test"}
