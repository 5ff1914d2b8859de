"""The network that corrects an image on the canvas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from studylib.learn import split_training, unrolled
from tests.asymmetric import scan_of
from tests.unit.spoiled import noisy_images


def apply(network, scan):
    return split_training.apply_unrolled(network, scan, noisy_images()(scan)["map"])


def shaken(seed=0):
    """A network whose every weight is random, so that each of its inputs matters."""
    torch.manual_seed(seed)
    network = unrolled.UnrolledNetwork(2, 8)
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.15)
    return network


def test_untrained_it_returns_what_it_is_given():
    scan = scan_of(1_000)
    image = apply(unrolled.UnrolledNetwork(2, 8), scan)
    np.testing.assert_allclose(image, noisy_images()(scan)["map"], atol=1e-5)


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
