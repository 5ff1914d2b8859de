from __future__ import annotations

import numpy as np
import pytest

from studylib.errors import StageError
from studylib.judge import metrics


@pytest.fixture(scope="module")
def pair():
    from studylib.samples import dead_leaves

    truth = np.abs(dead_leaves(192, 5)).astype(np.float64)
    return truth + np.random.default_rng(0).normal(0, 0.04, truth.shape), truth


def test_a_perfect_reconstruction_scores_perfectly(pair):
    truth = pair[1]
    assert metrics.mae(truth, truth) == 0 and metrics.mse(truth, truth) == 0
    assert metrics.ssim(truth, truth) == pytest.approx(1, abs=1e-9)
    assert metrics.ms_ssim(truth, truth) == pytest.approx(1, abs=1e-9)
    assert metrics.frc(truth, truth).crossing() is None


def test_ssim_and_ms_ssim_agree_with_tensorflow(pair):
    import tensorflow as tf

    image, truth = pair
    span = metrics.data_range(truth)
    a, b = (tf.constant(i[..., None], tf.float64) for i in pair)
    # tf.image works in float32 within these functions.
    assert metrics.ms_ssim(image, truth) == pytest.approx(float(tf.image.ssim_multiscale(a, b, span)), abs=1e-4)
    theirs = float(tf.image.ssim(a, b, span))
    assert metrics.ssim(image, truth) == pytest.approx(theirs, abs=1e-4)


def test_fewer_scales_on_a_small_region():
    assert [metrics.n_scales((s, 400)) for s in (176, 175, 99, 98, 64, 30, 15)] == [5, 4, 4, 3, 3, 2, 1]


@pytest.mark.parametrize("side", [15, 21, 22, 43, 44, 90, 98, 99, 170, 175, 176])
def test_every_size_from_the_window_up_is_scored(side):
    truth = np.random.default_rng(side).random((side, 200))
    assert metrics.ms_ssim(truth, truth) == pytest.approx(1, abs=1e-9)


def test_psnr_uses_the_range_of_the_truth():
    truth = np.array([[0.0, 2.0], [0.0, 2.0]])
    assert metrics.psnr(truth + 0.2, truth) == pytest.approx(20)


def test_a_constant_truth_has_no_range():
    with pytest.raises(StageError, match="truth is constant"):
        metrics.data_range(np.ones((4, 4)))


def test_frc_falls_where_the_image_was_blurred(pair):
    from scipy.ndimage import gaussian_filter

    truth = pair[1]
    noisy = gaussian_filter(truth, 2) + np.random.default_rng(1).normal(0, 0.05, truth.shape)
    crossing = metrics.frc(noisy, truth).crossing()
    assert crossing is not None and 0 < crossing < 0.5


def test_the_crossing_is_a_fall_from_above_to_below():
    """A Siemens star has no power in the first rings: an image may disagree there and resolve the finest spokes."""

    def crossing(*correlation):
        n = len(correlation)
        rings = metrics.RingCorrelation((np.arange(n) + 0.5) / n, np.array(correlation), np.full(n, 100))
        return rings.crossing(0.5)

    assert crossing(0.2, 0.4, 0.9, 0.7, 0.3, 0.8, 0.1) == pytest.approx(4 / 7)
    assert crossing(0.9, 0.7, 0.3, 0.8) == pytest.approx(2 / 4)
    assert crossing(0.1, 0.2, 0.4, 0.3) == pytest.approx(0.5 / 4), "agrees nowhere: the first ring"
    assert crossing(0.3, 0.9, 0.8) is None, "never falls again"


def test_a_faint_ramp_takes_no_resolution_from_a_star():
    rows, columns = np.indices((160, 160)) - 79.5
    star = np.where(np.cos(24 * np.arctan2(rows, columns)) > 0, 0.4, -0.4)
    curve = metrics.frc(star + 0.002 * rows, star)
    assert curve.correlation[0] < 0.5, "no power of the star there: the ramp rules"
    assert curve.crossing() is None


def test_half_a_bit_is_a_threshold_between_halves():
    """Two halves that share only noise fall below it at once, two that share everything never do."""
    generator = np.random.default_rng(3)
    one, other = generator.normal(size=(2, 128, 128))
    curve = metrics.frc(one, other)
    assert curve.crossing(metrics.half_bit(curve.pixels)) < 0.2
    assert metrics.frc(one, one).crossing(metrics.half_bit(curve.pixels)) is None
    # Rings of 100 pixels: (0.2071 + 0.19102) / (1.2071 + 0.09102).
    assert metrics.half_bit(np.array([100])) == pytest.approx(0.3067, abs=1e-4)
