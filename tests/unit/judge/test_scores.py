from __future__ import annotations

import numpy as np
import pytest

from studylib.judge import scores
from studylib.objects import specimen
from studylib.physics.stitch import Box
from tests.asymmetric import OBJECT


def test_a_perfect_image_scores_perfectly_in_both_channels():
    told, reasons = scores.score_image(OBJECT * 1.0001 * np.exp(1e-4j), OBJECT, 1.0, np.angle(OBJECT))
    assert not reasons
    for channel in told.values():
        assert channel["mae"] < 2e-4 and channel["ms_ssim"] == pytest.approx(1, abs=1e-5) and channel["frc50"] is None


def test_a_channel_without_contrast_has_no_scores_and_says_why():
    truth = specimen("phase", 192, 3).object
    image = truth * (1 + 1e-3 * np.random.default_rng(0).normal(size=truth.shape))
    told, reasons = scores.score_image(image, truth, 1.0, np.angle(truth))
    assert set(told["amplitude"].values()) == {None} and "amplitude is constant" in reasons["amplitude"]
    assert told["phase"]["psnr"] > 20 and "phase" not in reasons
    assert scores.contrast(image, truth, np.angle(truth))["amplitude"] is None


def test_a_phase_of_several_turns_is_scored_without_its_jumps():
    truth, phase = specimen("thick", 192, 3)
    told, _ = scores.score_image(truth * np.exp(0.05j), truth, 1.0, phase)
    assert told["phase"]["mae"] == pytest.approx(0.05, abs=1e-4)
    assert np.ptp(phase) > 2 * np.pi


def test_the_best_constant_image_scores_worse_than_a_blurred_one():
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(OBJECT, 1.0)
    constant, better = (
        scores.score_image(image, OBJECT, 1.0, np.angle(OBJECT))[0]["phase"]
        for image in (scores.constant_image(OBJECT), blurred)
    )
    assert constant["ms_ssim"] < 0.6 < better["ms_ssim"] and constant["mae"] > better["mae"]


def test_the_dark_rim_is_cut_off_and_what_is_left_is_reported():
    light = np.full((200, 240), 10.0)
    light[:52] = np.linspace(0, 10, 52)[:, None]
    whole = Box(40, 190, 30, 230)
    region = scores.scored_box(light, whole, share=0.99)
    assert region.box.top > 45 and (region.box.bottom, region.box.left, region.box.right) == (190, 30, 230)
    assert region.least >= 0.99 and region.report()["least_share_of_the_mean"] == region.least


def test_a_dark_pixel_inside_is_reported_and_not_cut_away():
    light = np.full((200, 240), 10.0)
    light[100, 100] = 0.5
    region = scores.scored_box(light, Box(40, 190, 30, 230))
    assert region.box == Box(40, 190, 30, 230) and region.least == pytest.approx(0.05, rel=0.01)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_thin_scan_is_scored_as_it_is(rows):
    light = np.ones((40, 60))
    light[:, :3] = 0.01
    region = scores.scored_box(light, Box(10, 10 + rows, 0, 50))
    assert region.box.bottom - region.box.top == rows
