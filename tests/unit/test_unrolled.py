"""The learned arm on the canvas: its physics, its training on split counts, and what it does when counts say no."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from studylib.arms import registry
from studylib.arms.poisson import Likelihood
from studylib.design import Seeds, StudyDesign
from studylib.errors import InputError, StageError
from studylib.judge import register
from studylib.learn import split_training, unrolled
from studylib.learn.canvas import Canvas, frequencies_first
from studylib.physics.stitch import scanned_box
from tests.asymmetric import OBJECT, N, scan_of

ARM = registry.arm("unrolled")


def settings(**changes):
    quick = {"steps": 4, "draws": 2, "width": 8, "evaluations": 1, "mixed_precision": False}
    return ARM.settings(**(quick | changes))


def noisy_images(sigma=0.12, seed=3):
    """Images of a share of the counts as an arm without a prior makes them: the truth, and noise of its own."""
    generator = np.random.default_rng(seed)

    def images(scan):
        noise = generator.normal(size=OBJECT.shape) + 1j * generator.normal(size=OBJECT.shape)
        return {"map": (OBJECT + sigma * noise).astype(np.complex64)}

    return images


@pytest.fixture(scope="module")
def masked():
    mask = np.ones((N, N), dtype=bool)
    mask[14:17, 12:18] = mask[3, 20] = False
    background = np.linspace(0.01, 0.3, N * N, dtype=np.float32).reshape(N, N)
    return replace(scan_of(2_000), mask=mask, background=background)


def test_the_gradient_is_that_of_the_likelihood_of_the_solvers(masked):
    """Two implementations: the one written out for whole scans, and this one, here on a piece of the canvas."""
    image = (OBJECT * np.exp(0.2j) + 0.1).astype(np.complex64)
    part = masked.take(np.flatnonzero((masked.positions < 90).all(axis=1) & (masked.positions[:, 0] > 30)))
    likelihood = Likelihood(part)
    loss, pair = likelihood.loss_and_gradient(torch.view_as_real(torch.from_numpy(image)))
    canvas = Canvas(part, 0.8, 1.0, (0, 12), (108, 112))
    here = torch.from_numpy(image[:108, 12:124] / np.float32(0.8))
    counts = frequencies_first(part.counts)
    gradient = canvas.gradient(here, counts).numpy()
    expected = 0.8 * torch.view_as_complex(pair.contiguous()).numpy()[:108, 12:124] / 2
    np.testing.assert_allclose(gradient, expected, atol=1e-4 * np.abs(expected).max())
    assert float(canvas.losses(here, counts, 1.0).sum()) == pytest.approx(loss, rel=1e-5)


def test_the_gradient_is_the_derivative_of_the_loss(masked):
    canvas = Canvas(masked, 1.0, 0.7, (0, 0), masked.shape)
    counts = frequencies_first(masked.counts)
    image = torch.from_numpy(OBJECT + np.complex64(0.05)).requires_grad_()
    canvas.losses(image, counts, 0.7).sum().backward()
    with torch.no_grad():
        written = canvas.gradient(image, counts)
    # torch gives dL/dRe + i dL/dIm, which is twice dL/dO*.
    assert torch.allclose(image.grad / 2, written, atol=1e-4 * float(written.abs().max()))


def test_untrained_it_returns_what_it_is_given():
    scan = scan_of(1_000)
    image = apply(unrolled.UnrolledNetwork(2, 8), scan)
    np.testing.assert_allclose(image, noisy_images()(scan)["map"], atol=1e-5)


def apply(network, scan):
    return split_training.apply_unrolled(network, scan, noisy_images()(scan)["map"])


def shaken(seed=0):
    """A network whose every weight is random, so that each of its inputs matters."""
    torch.manual_seed(seed)
    network = unrolled.UnrolledNetwork(2, 8)
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.15)
    return network


def test_a_global_phase_and_a_scale_of_the_probe_do_not_matter():
    """The image turns with what it is given, and the object's modulus is measured beside the best constant one."""
    scan, network = scan_of(1_000), shaken()
    start = noisy_images()(scan)["map"]
    image = split_training.apply_unrolled(network, scan, start)
    turned = split_training.apply_unrolled(network, scan, (start * np.exp(2.0j)).astype(np.complex64))
    np.testing.assert_allclose(turned, image * np.exp(2.0j), atol=2e-4)
    twice = split_training.apply_unrolled(network, replace(scan, probe=scan.probe / 2), 2 * start)
    np.testing.assert_allclose(twice, 2 * image, atol=4e-4)


def test_a_large_canvas_is_gone_through_in_tiles_with_the_same_result(monkeypatch):
    scan, network = scan_of(1_000), shaken()
    whole = apply(network, scan)
    monkeypatch.setattr(unrolled, "TILE", 24)
    tiled = apply(network, scan)
    assert not np.allclose(whole, noisy_images()(scan)["map"], atol=0.01)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_the_eight_turns_differ_and_are_undone():
    image = torch.arange(12.0).reshape(3, 4)
    seen = {tuple(map(tuple, unrolled.turned(image, k).tolist())) for k in range(8)}
    assert len(seen) == 8
    for turn in range(8):
        assert torch.equal(unrolled.turned(unrolled.turned(image, turn), turn, back=True), image)


def test_an_image_is_made_of_one_share_and_the_other_is_kept():
    scan, given = scan_of(1_000), []

    def images(part):
        given.append(part)
        return OBJECT

    splits = split_training.Splits(scan, images, 0.2, 2, 16, 0.1, np.random.default_rng(1))
    for part, draw in zip(given, splits.draws, strict=True):
        np.testing.assert_array_equal(draw.fitted + draw.kept, scan.counts)
        np.testing.assert_array_equal(part.counts, draw.fitted)
        assert draw.kept.sum() / scan.counts.sum() == pytest.approx(0.2, abs=0.01)
        assert part.metadata["share"] == 0.8
        assert np.abs(part.probe / scan.probe).mean() == pytest.approx(0.8**0.5)
    assert not np.array_equal(*(draw.kept for draw in splits.draws))


def test_every_held_position_is_judged_once_and_none_is_trained_on():
    splits = split_training.Splits(scan_of(1_000), lambda _: OBJECT, 0.2, 1, 16, 0.2, np.random.default_rng(1))
    judged = np.concatenate([held for _, _, held in splits.to_judge()])
    np.testing.assert_array_equal(np.sort(judged), splits.held)
    generator = np.random.default_rng(2)
    seen = [splits.piece(generator, splits.kept) for _ in range(60)]
    assert all(len(part) and not np.isin(part, splits.held).any() for _, part in seen)
    assert np.isin(splits.kept, np.concatenate([part for _, part in seen])).mean() > 0.9
    assert len({corner for corner, _ in seen}) > 20


def error(image, scan):
    box = scanned_box(scan.positions).slices
    gauge = register.fit_gauge(image[box], OBJECT[box])
    return np.abs(np.angle(register.apply_gauge(image[box], gauge) / OBJECT[box])).mean()


def test_it_learns_to_take_noise_off_without_having_seen_a_clean_image():
    scan = scan_of(20_000)
    chosen = settings(steps=120, learning_rate=3e-3, evaluations=2)
    trained = ARM.train(scan, None, chosen, Seeds(), noisy_images())
    assert trained.gain > 5 * trained.gain_error and trained.beats_flat
    other, start = scan_of(20_000, seed=21), noisy_images(seed=33)(scan)["map"]
    image = ARM.reconstruct(other, chosen, Seeds(), trained.network, {"map": start}).object
    assert error(image, other) < 0.7 * error(start, other)


def test_the_same_seed_gives_the_same_weights():
    scan = scan_of(1_000)
    one, two = (ARM.train(scan, None, settings(), Seeds(), noisy_images()).network for _ in range(2))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_network_that_explains_held_counts_worse_is_not_used(tmp_path, monkeypatch):
    """Its start is already the truth, and what it learns is spoiled: the counts say so."""
    scan = scan_of(20_000)
    monkeypatch.setattr(split_training, "_step", lambda network, splits, optimiser, *_: spoil(network, optimiser))
    trained = ARM.train(scan, None, settings(), Seeds(), noisy_images(sigma=0.0))
    assert trained.gain < 0 and trained.network.falls_back
    ARM.save(trained, tmp_path)
    result = ARM.reconstruct(scan, settings(), Seeds(), ARM.load(tmp_path, ""), {"map": OBJECT})
    np.testing.assert_array_equal(result.object, OBJECT)
    assert "start" in result.note


def spoil(network, optimiser):
    optimiser.step()
    for step in network.learned:
        torch.nn.init.constant_(step.head.bias, 1.0)
    return 0.0


def test_a_saved_network_gives_the_same_image(tmp_path):
    scan = scan_of(1_000)
    trained = ARM.train(scan, None, settings(), Seeds(), noisy_images())
    ARM.save(trained, tmp_path)
    starts = noisy_images()(scan)
    images = [
        ARM.reconstruct(scan, settings(), Seeds(), network, starts).object
        for network in (trained.network, ARM.load(tmp_path, ""))
    ]
    np.testing.assert_array_equal(*images)
    assert "note" not in repr(images) and not ARM.reconstruct(scan, settings(), Seeds(), trained.network, starts).note


def test_its_starts_are_what_the_arm_before_it_makes_with_its_own_settings():
    design = StudyDesign.for_profile("smoke")
    scan = scan_of(1_000)
    image = registry.images_for("unrolled", design)(scan)["map"]
    chosen, _ = registry.settings_of("map", design, scan)
    np.testing.assert_array_equal(image, registry.arm("map").reconstruct(scan, chosen, design.seeds).object)
    own = {"map": {"settings": {"tv": 5.0}, "of": "this scan", "tried": []}}
    assert not np.array_equal(image, registry.images_for("unrolled", design, own)(scan)["map"])
    with pytest.raises(InputError, match="arms without a training"):
        registry.images_for("pinn_map", design)


def test_it_says_what_it_lacks():
    with pytest.raises(StageError, match="images of map"):
        ARM.train(scan_of(1_000), None, settings(), Seeds())
    with pytest.raises(StageError, match="starts from an image of map"):
        ARM.reconstruct(scan_of(1_000), settings(), Seeds(), unrolled.UnrolledNetwork(1, 4))


def test_smooth_noise_matters_too():
    """A start whose noise is smooth, as that of a prior, is taken further down by the counts."""
    scan = scan_of(50_000)
    smooth = gaussian_filter(np.random.default_rng(1).normal(size=OBJECT.shape), 1.5)
    start = (OBJECT * np.exp(0.5j * smooth / smooth.std() * 0.3)).astype(np.complex64)
    chosen = settings(steps=80, learning_rate=3e-3)
    trained = ARM.train(scan, None, chosen, Seeds(), lambda _: {"map": start})
    image = ARM.reconstruct(scan, chosen, Seeds(), trained.network, {"map": start}).object
    assert error(image, scan) < 0.8 * error(start, scan)
