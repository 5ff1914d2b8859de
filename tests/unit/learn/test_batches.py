"""What networks are shown: groups, thinned counts, and no background."""

from __future__ import annotations

import numpy as np
import pytest

from tests.asymmetric import N
from tests.unit.spoiled import haze

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("torch_backend")]


def test_thinned_counts_are_kept_and_independent(learn):
    from studylib.learn.batches import thin_counts

    counts = np.full((1, 1, 300, 300), 9.0, np.float32)
    counts[...] = np.random.default_rng(2).poisson(9, counts.shape)
    batch = ((np.sqrt(counts), np.zeros((1, 1, 2), np.float32), np.zeros((1, 1, 2), np.float32)), counts)
    (shown, *_), target = thin_counts(batch, 0.3, np.random.default_rng(3))
    a, b = np.rint(shown.astype(np.float64) ** 2 * 0.7), np.rint(target.astype(np.float64) * 0.3)
    np.testing.assert_array_equal(a + b, counts)
    assert shown.mean() ** 2 == pytest.approx(9, rel=0.1) and target.mean() == pytest.approx(9, rel=0.02)
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.01
    assert thin_counts(batch, 0.0, np.random.default_rng(3)) is batch


def test_networks_are_shown_the_light_and_held_against_all(hazy):
    """Their input is what is left of the counts; what their images expect has the background on it again."""
    from studylib.learn.batches import group_batch, pattern_batch
    from studylib.learn.train import flat_object_loss
    from studylib.physics.likelihood import poisson_loss

    left = np.sqrt(np.maximum(hazy.counts[:3] - haze(), 0))
    shown, _ = pattern_batch(hazy, np.ones((3, N, N), np.complex64), np.arange(3))
    np.testing.assert_allclose(shown, left, atol=1e-4)
    (shown, *_), counts = group_batch(hazy, np.array([[0, 1, 2]]))
    np.testing.assert_allclose(shown[0], left, atol=1e-4)
    np.testing.assert_array_equal(counts[0], hazy.counts[:3])
    flat = hazy.best_constant() ** 2 * hazy.flat + haze()
    assert flat_object_loss(hazy) == pytest.approx(float(np.mean(poisson_loss(hazy.counts.mean(axis=0), flat))))


def test_thinned_counts_are_shown_without_it(hazy):
    from studylib.learn.batches import group_batch, thin_counts

    batch = group_batch(hazy, np.array([[0, 1, 2], [3, 4, 5]]))
    (shown, *_), target = thin_counts(batch, 0.3, np.random.default_rng(2), hazy)
    counts = batch[1]
    wanted = np.sqrt(np.maximum((counts - 0.3 * target) / 0.7 - haze(), 0))
    np.testing.assert_allclose(shown, wanted, atol=1e-3)
