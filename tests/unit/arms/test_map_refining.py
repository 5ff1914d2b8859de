"""MAP that improves the probe: its gradient by differences, and a probe that is told wrong, brought back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from studylib.arms.map_refining import FreeProbe, MapRefining, RefiningMapSettings
from studylib.design import Seeds
from tests import asymmetric
from tests.asymmetric import OBJECT


def apart(probe: np.ndarray, true: np.ndarray) -> float:
    """Return how far a probe is from the true one, but for a factor that the object's modulus and phase take over."""
    factor = np.vdot(probe, true) / np.vdot(probe, probe)
    return float(np.linalg.norm(probe * factor - true) / np.linalg.norm(true))


def told_wrong(scan, by: float = 1.2):
    """Return the scan with a probe out of focus, more along one axis."""
    k = np.fft.fftfreq(scan.n_pixels) * 2
    spectrum = np.fft.fft2(scan.probe) * np.exp(1j * by * np.add.outer(4 * k**2, 2.5 * k**2))
    return replace(scan, probe=np.fft.ifft2(spectrum).astype(np.complex64))


def test_the_gradient_of_the_probe_is_that_of_the_loss():
    scan = asymmetric.scan_of(dose=1000)
    likelihood = FreeProbe(told_wrong(scan))
    image = torch.view_as_real(torch.from_numpy(OBJECT))
    likelihood.loss_and_gradient(image)
    found = torch.fft.ifft2(likelihood.gradient, norm="ortho").numpy()
    first, generator = likelihood.probe.clone(), np.random.default_rng(3)
    for _ in range(3):
        way = generator.normal(size=(2, *first.shape)).astype(np.float32)
        way = (way[0] + 1j * way[1]) * np.abs(scan.probe)  # where a change is felt: losses are float32 sums
        losses = []
        for sign in (1, -1):
            likelihood.probe = first + torch.from_numpy(sign * 0.003 * way)
            losses.append(likelihood.loss_and_gradient(image)[0])
        # Wirtinger: dL = 2 Re <gradient, change>
        assert (losses[0] - losses[1]) / 0.006 == pytest.approx(2 * np.vdot(found, way).real, rel=0.02)


def test_a_probe_told_wrong_is_brought_back_and_a_right_one_stays():
    scan = asymmetric.scan_of(dose=1_000_000)
    image = torch.view_as_real(torch.from_numpy(OBJECT))
    for told, before, after in ((told_wrong(scan), 0.05, 0.01), (scan, -1.0, 0.002)):
        assert apart(told.probe, scan.probe) > before
        likelihood = FreeProbe(told)
        for _ in range(60):
            likelihood.loss_and_gradient(image)
            likelihood.step()
        found = likelihood.probe.numpy()
        assert apart(found, scan.probe) < after
        assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(told.probe), rel=1e-4)


def test_where_the_told_probe_has_no_light_few_photons_give_none():
    scan = asymmetric.scan_of(dose=100)
    likelihood, image = FreeProbe(scan), torch.view_as_real(torch.from_numpy(OBJECT))
    for _ in range(30):
        likelihood.loss_and_gradient(image)
        likelihood.step()
    dark = np.abs(scan.probe) < 1e-3 * np.abs(scan.probe).max()
    assert dark.sum() > 100
    assert np.linalg.norm(likelihood.probe.numpy()[dark]) < 0.01 * np.linalg.norm(scan.probe)


def test_the_arm_is_better_than_map_where_the_probe_is_wrong():
    scan = asymmetric.scan_of(dose=100_000)
    wrong = told_wrong(scan)
    settings = RefiningMapSettings(iterations=60, rounds=2)
    found = MapRefining().reconstruct(wrong, settings, Seeds())
    from studylib.arms.map import solve

    rigid, right = (solve(s, settings)[0] for s in (wrong, scan))
    box = slice(24, -24), slice(24, -24)

    def error(image):
        # The phase's mean and slopes are free: a probe out of place moves them.
        phase = np.angle(image[box] * OBJECT[box].conj())
        rows, columns = np.indices(phase.shape)
        basis = np.stack([np.ones(phase.size), rows.ravel(), columns.ravel()], axis=1)
        fitted = basis @ np.linalg.lstsq(basis, phase.ravel(), rcond=None)[0]
        return np.abs(phase.ravel() - fitted).mean()

    assert error(rigid) > 2 * error(right)
    assert error(found.object) - error(right) < 0.4 * (error(rigid) - error(right))
    assert found.loss[-1] < found.loss[: len(found.loss) // 2].min()
