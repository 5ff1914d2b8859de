"""The learned arm on the canvas: its training on split counts, and what it does when counts say no."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from studylib.arms import registry
from studylib.design import Seeds
from studylib.errors import StageError
from studylib.judge import register
from studylib.learn import split_training, unrolled
from studylib.physics.stitch import scanned_box
from tests.asymmetric import OBJECT, scan_of
from tests.unit.spoiled import noisy_images

ARM = registry.arm("unrolled")


def settings(**changes):
    quick = {"steps": 4, "draws": 2, "width": 8, "evaluations": 1, "mixed_precision": False}
    return ARM.settings(**(quick | changes))


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
