from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from studylib.arms.coarse import CoarsePhases
from studylib.arms.map import MapSettings, solve
from studylib.arms.poisson import EPSILON, Likelihood, total_variation
from studylib.judge import register, scores
from studylib.physics import forward
from studylib.physics.stitch import scanned_box
from tests.asymmetric import OBJECT, N, scan_of, specimen


def pair(image: np.ndarray) -> torch.Tensor:
    """Where the likelihood computes: on the GPU, if there is one."""
    image = torch.from_numpy(np.ascontiguousarray(image, np.complex64))
    return torch.view_as_real(image).clone().to("cuda" if torch.cuda.is_available() else "cpu")


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


def test_a_flat_start_recovers_the_object_and_stops_by_itself():
    scan = scan_of(100_000)
    image, losses = solve(scan, MapSettings(tv=0.1, iterations=100, rounds=20))
    assert losses[-1] < losses[0] and len(losses) < 20 * 100
    box = scanned_box(scan.positions).slices
    found = register.apply_gauge(image[box], register.fit_gauge(image[box], OBJECT[box]))
    told, _ = scores.score_image(found, OBJECT[box], 1.0, np.angle(OBJECT[box]))
    assert told["phase"]["ms_ssim"] > 0.95 and told["amplitude"]["ms_ssim"] > 0.9


def test_rounds_go_on_until_the_objective_is_down_and_no_longer():
    """A step that decays to zero always comes to rest, also far from the end: with a thick object after 200 steps."""
    scan, box = scan_of(100_000), scanned_box(scan_of(100_000).positions).slices
    errors, iterations = [], []
    for rounds in (1, 40):
        image, losses = solve(scan, MapSettings(tv=0.1, iterations=30, rounds=rounds))
        found = register.apply_gauge(image[box], register.fit_gauge(image[box], OBJECT[box]))
        errors.append(np.abs(found - OBJECT[box]).mean())
        iterations.append(len(losses))
    assert iterations[0] == 30 and 60 <= iterations[1] < 40 * 30
    assert errors[1] < 0.5 * errors[0]


def test_the_prior_smooths_where_photons_are_few():
    scan, box = scan_of(300), scanned_box(scan_of(300).positions).slices
    errors = []
    for tv in (0.0, 0.5):
        image, _ = solve(scan, MapSettings(tv=tv, iterations=100))
        image = register.apply_gauge(image[box], register.fit_gauge(image[box], OBJECT[box]))
        errors.append(np.abs(image - OBJECT[box]).mean())
    assert errors[1] < 0.7 * errors[0]


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
