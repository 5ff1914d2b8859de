"""Counts divided into shares."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.errors import InputError
from studylib.judge import consistency
from studylib.physics.split import share_of, split_counts
from tests.asymmetric import OBJECT, scan_of
from tests.unit.spoiled import haze


def test_shares_add_up_and_are_independent():
    counts = np.random.default_rng(0).poisson(9.0, (200, 200))
    parts = split_counts(counts, (0.6, 0.3, 0.1), np.random.default_rng(1))
    np.testing.assert_array_equal(sum(parts), counts)
    for part, share in zip(parts, (0.6, 0.3, 0.1), strict=True):
        assert part.mean() == pytest.approx(9 * share, rel=0.02)
        # A share of a Poisson variable is Poisson: its variance is its mean.
        assert part.var() == pytest.approx(part.mean(), rel=0.05)
    assert abs(np.corrcoef(parts[0].ravel(), parts[1].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.2, -0.2), (0.0, 1.0)])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(InputError, match="add up to 1"):
        split_counts(np.ones((2, 2), int), shares, np.random.default_rng(0))


def test_a_share_keeps_the_scale_of_the_object():
    scan = scan_of(10_000)
    fit, held = split_counts(scan.counts.astype(int), (0.7, 0.3), np.random.default_rng(2))
    part = share_of(scan, fit, 0.7, held, 0.3)
    np.testing.assert_array_equal(part.counts, fit)
    assert part.held_share == pytest.approx(0.3 / 0.7) and part.fluence == pytest.approx(0.7 * scan.fluence)
    assert part.best_constant() == pytest.approx(scan.best_constant(), rel=5e-3)


def test_a_share_of_the_counts_has_that_share_of_the_background(hazy):
    fit, held = split_counts(hazy.counts.astype(np.int64), (0.7, 0.3), np.random.default_rng(1))
    part = share_of(hazy, fit, 0.7, held, 0.3)
    np.testing.assert_allclose(part.background, 0.7 * haze(), rtol=1e-6)
    assert consistency.measures(OBJECT, part).chi_square == pytest.approx(1, abs=0.03)
