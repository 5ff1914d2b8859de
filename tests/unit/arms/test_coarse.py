"""Slow waves of the phase, found on coarse grids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studylib.arms.coarse import CoarsePhases
from studylib.arms.map import MapSettings, solve
from studylib.arms.poisson import Likelihood, total_variation
from studylib.judge import register
from studylib.physics import forward
from studylib.physics.stitch import scanned_box
from tests.asymmetric import OBJECT, scan_of
from tests.unit.arms.conftest import pair


def slow_scan() -> tuple[np.ndarray, object]:
    """An object whose phase has a wave of 8 rad across the field, and its scan."""
    rows, columns = np.indices(OBJECT.shape) / np.array(OBJECT.shape)[:, None, None]
    turned = (OBJECT * np.exp(4j * np.sin(3 * columns + 2 * rows**2))).astype(np.complex64)
    scan = scan_of(50_000)
    expected = np.concatenate(list(forward.expected_counts(turned, scan.probe, scan.positions)))
    counts = np.random.default_rng(4).poisson(expected)
    return turned, replace(scan, diffraction=(np.sqrt(counts) / scan.scale).astype(np.float32))


def test_slow_waves_are_found_on_coarse_grids():
    """With as many iterations, and a lower objective: it is the same prior."""
    truth, scan = slow_scan()
    box = scanned_box(scan.positions).slices
    errors, losses = {}, {}
    for spacings in ((), (8, 32)):
        image, told = solve(scan, MapSettings(iterations=80, rounds=1, coarse=spacings))
        turned = register.apply_gauge(image[box], register.fit_gauge(image[box], truth[box]))
        errors[spacings] = np.abs(np.angle(turned * truth[box].conj())).mean()
        losses[spacings] = told[-1]
    assert errors[8, 32] < 0.5 * errors[()], errors
    assert losses[8, 32] < losses[()]


def test_coarse_grids_lead_to_the_same_minimum():
    """Fields of amplitude did not: in the dark they grew, and the prior could not call them back."""
    scan = scan_of(100_000)
    scan = scan.take(np.flatnonzero(scan.positions[:, 1] < 50))
    reached = []
    for spacings in ((), (8, 32, 128)):
        image, _ = solve(scan, MapSettings(coarse=spacings))
        loss, _ = Likelihood(scan).loss_and_gradient(pair(image))
        weight = MapSettings().tv * scan.fluence**0.5
        reached.append(loss + total_variation(pair(image), weight * MapSettings().amplitude_tv, weight)[0])
    assert reached[1] - reached[0] < 1e-3 * scan.shape[0] * scan.shape[1], reached


def test_the_gradient_on_a_coarse_grid_is_that_of_finite_differences():
    likelihood = Likelihood(scan_of(1000))
    phases = CoarsePhases(OBJECT.shape, (16,), likelihood.device)
    image = pair(0.9 * OBJECT)
    _, gradient = likelihood.loss_and_gradient(image)
    phases.set_gradients(image, gradient)
    slope = phases.grids[0].grad
    way = slope / slope.abs().max()
    losses = []
    for sign in (1, -1):
        moved = image.clone()
        phases.grids[0].copy_(sign * 2e-3 * way)
        phases.turn(moved)
        assert not phases.grids[0].any()
        losses.append(likelihood.loss_and_gradient(moved)[0])
    expected = float((slope * way).sum())
    assert (losses[0] - losses[1]) / 4e-3 == pytest.approx(expected, rel=5e-3)
