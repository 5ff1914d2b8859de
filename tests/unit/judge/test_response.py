"""Numbers of a response: known answers."""

from __future__ import annotations

import math

import pytest

from studylib.judge import response


def test_the_interval_of_differences_is_student_s():
    # t(0.975, 3) = 3.18245; differences 1, 2, 3, 4: mean 2.5, standard error sqrt(5/3)/2
    told = response.spread([1.0, 2.0, 3.0, 4.0])
    half = 3.182446305 * math.sqrt(5 / 3) / 2
    assert told.mean == 2.5 and told.low == pytest.approx(2.5 - half) and told.high == pytest.approx(2.5 + half)
    alone = response.spread([0.7])
    assert (alone.mean, alone.low, alone.high, alone.number) == (0.7, None, None, 1)


def test_the_dose_that_is_needed_lies_between_two_measured_ones_or_is_not_told():
    doses, scores = (1e3, 1e4, 1e5), (0.5, 0.7, 0.9)
    assert response.needed(doses, scores, 0.6) == pytest.approx(10**3.5)
    assert response.needed(doses, scores, 0.9) == pytest.approx(1e5)
    assert response.needed(doses, scores, 0.95) is None
    assert response.needed(doses, scores, 0.4) is None, "reached below the first dose: where is not known"
    assert response.needed(doses, (0.9, 0.7, 0.95), 0.8) == pytest.approx(10**4.4), "the first crossing upward"


def test_a_score_at_equal_fluence_is_interpolated_and_never_extrapolated():
    assert response.at((1.0, 100.0), (0.2, 0.6), 10.0) == pytest.approx(0.4)
    assert response.at((1.0, 100.0), (0.2, 0.6), 101.0) is None and response.at((1.0,), (0.2,), 1.0) is None


def test_ties_are_told_by_the_paired_difference():
    # B is 0.02 behind in every replicate, although the replicates differ by 0.2; C scatters about A.
    scores = {"A": [0.7, 0.8, 0.9], "B": [0.68, 0.78, 0.881], "C": [0.75, 0.74, 0.89]}
    assert response.winners(scores) == ("A", "C")
    assert response.winners({"A": [0.9], "B": [0.896], "C": [0.89]}) == ("A", "B")
    assert response.winners({}) == ()
