"""The likelihoods of counts: where they are least, and what a stray photon costs."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.physics.likelihood import FLOOR, plain_poisson_loss, poisson_loss


@pytest.mark.parametrize("loss", [poisson_loss, plain_poisson_loss])
@pytest.mark.parametrize("count", [1, 7, 400])
def test_it_is_least_where_the_counts_are_expected(loss, count):
    expected = count * np.linspace(0.5, 1.5, 101)
    assert expected[np.argmin(loss(np.full(101, count), expected))] == pytest.approx(count)


def test_a_stray_photon_where_no_light_is_expected_costs_a_finite_amount():
    dark = np.zeros(1)
    assert plain_poisson_loss(np.ones(1), dark) == pytest.approx(FLOOR - np.log(FLOOR))
    assert np.isfinite(poisson_loss(np.ones(1), dark)).all()
