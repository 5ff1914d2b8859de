"""MAP: where it ends, and when."""

from __future__ import annotations

import numpy as np

from studylib.arms.map import MapSettings, solve
from studylib.judge import register, scores
from studylib.physics.stitch import scanned_box
from tests.asymmetric import OBJECT, scan_of


def test_a_flat_start_recovers_the_object_and_stops_by_itself():
    scan = scan_of(100_000)
    image, losses = solve(scan, MapSettings(tv=0.1, iterations=100, rounds=20))
    assert losses[-1] < losses[0] and len(losses) < 20 * 100
    box = scanned_box(scan.positions).slices
    found = register.apply_gauge(image[box], register.fit_gauge(image[box], OBJECT[box]))
    told, _ = scores.score_image(found, OBJECT[box], 1.0, np.angle(OBJECT[box]))
    assert told["phase"]["ms_ssim"] > 0.95 and told["amplitude"]["ms_ssim"] > 0.9


def test_rounds_go_on_until_the_objective_is_down_and_no_longer():
    """A step that decays to zero always comes to rest, also far from the end: with a thick object after 200 steps."""
    scan, box = scan_of(100_000), scanned_box(scan_of(100_000).positions).slices
    errors, iterations = [], []
    for rounds in (1, 40):
        image, losses = solve(scan, MapSettings(tv=0.1, iterations=30, rounds=rounds))
        found = register.apply_gauge(image[box], register.fit_gauge(image[box], OBJECT[box]))
        errors.append(np.abs(found - OBJECT[box]).mean())
        iterations.append(len(losses))
    assert iterations[0] == 30 and 60 <= iterations[1] < 40 * 30
    assert errors[1] < 0.5 * errors[0]


def test_the_prior_smooths_where_photons_are_few():
    scan, box = scan_of(300), scanned_box(scan_of(300).positions).slices
    errors = []
    for tv in (0.0, 0.5):
        image, _ = solve(scan, MapSettings(tv=tv, iterations=100))
        image = register.apply_gauge(image[box], register.fit_gauge(image[box], OBJECT[box]))
        errors.append(np.abs(image - OBJECT[box]).mean())
    assert errors[1] < 0.7 * errors[0]
