"""MAP's likelihood and its prior: values and gradients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from studylib.arms.poisson import EPSILON, Likelihood, total_variation
from tests.asymmetric import OBJECT, N, scan_of, specimen
from tests.unit.arms.conftest import pair


def test_the_gradient_is_that_of_finite_differences():
    """Along the gradient and along a smooth way, where single precision leaves enough of the difference."""
    likelihood = Likelihood(scan_of(1000))
    image = pair(0.9 * OBJECT)
    _, gradient = likelihood.loss_and_gradient(image)
    for way in (gradient / gradient.norm() * 30, pair(specimen(seed=9) - 0.9)):
        step = 2e-3
        ahead, behind = (likelihood.loss_and_gradient(image + sign * step * way)[0] for sign in (1, -1))
        assert (ahead - behind) / (2 * step) == pytest.approx(float((gradient * way).sum()), rel=2e-3)


def test_the_loss_does_not_depend_on_the_chunks(monkeypatch):
    scan = scan_of(1000)
    whole, gradient = Likelihood(scan).loss_and_gradient(pair(OBJECT))
    monkeypatch.setattr("studylib.arms.poisson.IN_CACHE", 7 * 32**2)
    parts, again = Likelihood(scan).loss_and_gradient(pair(OBJECT))
    assert parts == pytest.approx(whole, rel=1e-7)
    torch.testing.assert_close(again, gradient, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("masked", [False, True])
def test_a_scan_that_stays_on_disk_gives_the_same_numbers(tmp_path, monkeypatch, masked):
    """Bit by bit; and its patterns and probes are not held."""
    scan = scan_of(1000)
    if masked:
        scan = replace(scan, mask=np.arange(N * N).reshape(N, N) % 37 != 5)
    kept = Likelihood(scan)
    monkeypatch.setattr("studylib.arms.poisson.HELD", 0)
    np.save(tmp_path / "patterns.npy", scan.diffraction)
    streamed = Likelihood(replace(scan, diffraction=np.load(tmp_path / "patterns.npy", mmap_mode="r")))
    assert kept.held and not streamed.held
    for one, other in zip(*(x.loss_and_gradient(pair(OBJECT)) for x in (kept, streamed)), strict=True):
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))
    np.testing.assert_array_equal(streamed.expected(OBJECT), kept.expected(OBJECT))


def test_windows_are_added_on_a_gpu_as_on_a_processor():
    likelihood = Likelihood(scan_of(1000))
    likelihood.corners = likelihood.corners.cpu()
    windows = torch.randn(20, 32, 32, dtype=torch.complex64, generator=torch.Generator().manual_seed(1))
    canvases = []
    for device in ("cpu", "cuda"):
        likelihood.device = torch.device(device)
        canvases.append(torch.zeros(OBJECT.shape, dtype=torch.complex64))
        likelihood._add(canvases[-1], windows, slice(5, 25))
    assert canvases[0].abs().max() > 1
    torch.testing.assert_close(*canvases)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (2.0, 1.0), (0.0, 3.0)])
def test_total_variation_is_isotropic_and_blind_to_a_global_phase(weights):
    plain = total_variation(pair(OBJECT), *weights)[0]
    turned = total_variation(pair(OBJECT * np.exp(0.7j)), *weights)[0]
    assert turned == pytest.approx(plain, rel=1e-4)
    assert total_variation(pair(np.full_like(OBJECT, 0.8 + 0.3j)), *weights)[0] == pytest.approx(0, abs=1e-3)
    square = OBJECT[:100, :100]
    other = total_variation(pair(square.T), *weights)[0]
    assert other == pytest.approx(total_variation(pair(square), *weights)[0], rel=1e-5)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (2.0, 1.0), (0.0, 3.0)])
def test_the_gradient_of_total_variation_is_that_of_its_definition(weights):
    """By automatic differentiation, in double precision, of what the words say: along and across the pixel's own."""
    amplitude, phase = weights
    image = torch.from_numpy(OBJECT.astype(np.complex128)).requires_grad_(True)
    here = image[:-1, :-1]
    steps = [(there - here) * (here / here.abs()).conj() for there in (image[1:, :-1], image[:-1, 1:])]
    squares = sum((amplitude * step.real) ** 2 + (phase * step.imag) ** 2 for step in steps)
    smooth = max(weights) * EPSILON
    wanted = (torch.sqrt(squares + smooth**2) - smooth).sum()
    wanted.backward()
    value, gradient = total_variation(pair(OBJECT), *weights)
    assert value == pytest.approx(float(wanted.detach()), rel=1e-5)
    torch.testing.assert_close(
        torch.view_as_complex(gradient).to(torch.complex128), image.grad, rtol=1e-3, atol=2e-3 * max(weights)
    )


def test_the_two_weights_are_of_amplitude_and_of_phase():
    generator = np.random.default_rng(2)
    amplitude = pair(1 + 0.1 * generator.random((40, 40)))
    phase = pair(np.exp(0.1j * generator.random((40, 40))))
    assert total_variation(amplitude, 0.0, 1.0)[0] < 0.02 * total_variation(amplitude, 1.0, 0.0)[0]
    assert total_variation(phase, 1.0, 0.0)[0] < 0.05 * total_variation(phase, 0.0, 1.0)[0]
