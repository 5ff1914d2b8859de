"""Patches put together: one object, with one phase, whatever the blocks and the order."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.physics import forward, windows
from studylib.physics.stitch import neighbouring_blocks, scanned_box, stitch, synchronise


def test_true_patches_stitch_to_the_true_object(specimen, scan):
    patches = windows.extract(specimen.object, scan.positions, 64)
    box = scanned_box(scan.positions).slices
    image = stitch([(patches, scan.positions)], scan.probe, scan.shape)
    np.testing.assert_allclose(image[box], specimen.object[box], atol=1e-5)


def test_patches_of_any_phase_are_turned_to_agree(specimen, scan):
    """The phase that a pattern cannot tell is recovered from overlap, up to one for the whole object."""
    layout = windows.Layout(windows.window_corners(scan.positions, 64, scan.shape), 64, scan.shape)
    weight = np.abs(forward.probes_at(scan.probe, scan.positions)) ** 2
    patches = windows.extract(specimen.object, scan.positions, 64)
    turns = np.exp(1j * np.random.default_rng(4).normal(0, 0.5, len(patches))).astype(np.complex64)
    factors = synchronise(weight * patches * turns[:, None, None], weight, layout)
    np.testing.assert_allclose(np.abs(factors), 1, atol=1e-5)
    left = factors * turns
    assert np.abs(np.angle(left / left.mean())).max() < 0.003


def test_a_phase_is_carried_across_the_whole_object():
    """Patches without their mean phase, under a narrow probe: one step on the left decides the level on the right."""
    n, shape = 32, (64, 420)
    rows, columns = np.indices((n, n)) - n / 2
    probe = np.exp(-(rows**2 + columns**2) / 32).astype(np.complex64)
    positions = np.stack(np.meshgrid(np.arange(18.0, 402, 4), np.arange(18.0, 46, 4)), axis=-1).reshape(-1, 2)
    steps = np.cumsum(np.random.default_rng(2).normal(0, 0.3, shape[1] // 20)).repeat(20)
    truth = np.broadcast_to(np.exp(1j * steps), shape).astype(np.complex64)
    patches = windows.extract(truth, positions, n)
    mean = (patches * np.abs(probe) ** 2).sum((1, 2))
    image = stitch([(patches * _turn(mean), positions)], probe, shape, agree=True)
    box = scanned_box(positions).slices
    error = np.angle(image[box] * truth[box].conj() * _turn(np.vdot(truth[box], image[box]))[0])
    assert np.ptp(steps) > 1 and np.abs(error).max() < 0.01


@pytest.mark.parametrize("joined", [True, False])
def test_a_noisy_part_of_the_scan_is_carried_too(joined):
    """Patches on the left with noise, on the right without, with and without a gap between them."""
    n, shape = 32, (64, 420)
    rows, columns = np.indices((n, n)) - n / 2
    probe = np.exp(-(rows**2 + columns**2) / 32).astype(np.complex64)
    x = np.arange(18.0, 402, 4)
    x = x if joined else x[(x < 150) | (x > 250)]
    positions = np.stack(np.meshgrid(x, np.arange(18.0, 46, 4)), axis=-1).reshape(-1, 2)
    generator = np.random.default_rng(2)
    truth = np.exp(1j * np.cumsum(generator.normal(0, 0.3, shape[1] // 20)).repeat(20))
    truth = np.broadcast_to(truth, shape).astype(np.complex64)
    patches = windows.extract(truth, positions, n)
    noise = generator.normal(0, 0.3, patches.shape) * (positions[:, 0] < 200)[:, None, None]
    patches = patches * np.exp(1j * noise).astype(np.complex64)
    mean = (patches * np.abs(probe) ** 2).sum((1, 2))
    image = stitch([(patches * _turn(mean), positions)], probe, shape, agree=True)
    for part, bound in ((np.s_[24:40, 20:145], 0.15), (np.s_[24:40, 255:398], 0.02)):
        error = image[part] * truth[part].conj()
        assert np.std(np.angle(error / error.mean())) < bound


def _turn(number) -> np.ndarray:
    return (np.conj(number) / np.abs(number)).reshape(-1, 1, 1)


def test_stitching_does_not_depend_on_the_blocks(specimen, scan):
    patches = windows.extract(specimen.object, scan.positions, 64)
    parts = neighbouring_blocks(scan.positions, 30)
    assert len(parts) > 3 and sorted(np.concatenate(parts)) == list(range(len(patches)))
    whole = stitch([(patches, scan.positions)], scan.probe, scan.shape)
    blocks = stitch(((patches[p], scan.positions[p]) for p in parts), scan.probe, scan.shape)
    np.testing.assert_allclose(blocks, whole, atol=1e-5)


def test_blocks_are_turned_to_agree_too(specimen, scan):
    """Each patch with a phase of its own, in blocks that never meet in memory: one object comes out."""
    whole = scan.positions
    patches = windows.extract(specimen.object, whole, 64)
    patches *= np.exp(1j * np.random.default_rng(6).normal(0, 0.4, len(whole)))[:, None, None].astype(np.complex64)
    parts = neighbouring_blocks(whole, 30)
    image = stitch(((patches[p], whole[p]) for p in parts), scan.probe, scan.shape, agree=True)
    plain = stitch([(patches, whole)], scan.probe, scan.shape)
    box = scanned_box(whole).slices

    def error(picture):
        turned = picture[box] * np.conj(specimen.object[box])
        return np.std(np.angle(turned / turned.mean()))

    assert error(image) < 0.01 < error(plain) / 2


def test_stitching_does_not_depend_on_the_order_of_positions(specimen, scan):
    patches = windows.extract(specimen.object, scan.positions, 64)
    order = np.random.default_rng(0).permutation(len(patches))
    a = stitch([(patches, scan.positions)], scan.probe, scan.shape)
    b = stitch([(patches[order], scan.positions[order])], scan.probe, scan.shape)
    np.testing.assert_allclose(a, b, atol=1e-5)
