"""The error of an image, pixel by pixel, from two halves of the counts: held against the truth."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.arms.map import MapSettings, solve
from studylib.judge.uncertainty import coverage, error_map, errors
from studylib.physics.split import share_of, split_counts
from studylib.physics.stitch import illumination
from tests.asymmetric import OBJECT, scan_of


def noise(seed: int, spread: np.ndarray) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return spread * (generator.normal(size=spread.shape) + 1j * generator.normal(size=spread.shape))


def test_noise_of_any_spread_is_covered_as_a_normal_variable_is():
    """Without a bias; the noise of the lower half of the picture is four times that of the upper."""
    spread = np.full(OBJECT.shape, 0.01)
    spread[56:] = 0.04
    halves = [OBJECT + np.sqrt(2) * noise(seed, spread) for seed in (1, 2)]
    image = (halves[0] + halves[1]) / 2
    found = error_map(image, halves)
    assert np.median(found.amplitude[60:]) == pytest.approx(4 * np.median(found.amplitude[:52]), rel=0.15)
    told = coverage(errors(image, OBJECT, np.angle(OBJECT)), found)
    for channel in ("phase", "amplitude"):
        assert told[channel]["within_one"] == pytest.approx(0.68, abs=0.04)
        assert told[channel]["within_two"] == pytest.approx(0.95, abs=0.03)


def test_a_bias_that_goes_as_the_root_of_the_counts_is_told():
    """No noise at all: the halves are farther from the truth, by the root of two."""
    shape = OBJECT.shape
    rows, columns = np.indices(shape)
    bias = 0.05 * np.sin(columns / 7.0) + 0.03 * np.cos(rows / 5.0)
    image, half = (OBJECT * (1 + factor * bias) * np.exp(1j * factor * bias) for factor in (1.0, np.sqrt(2)))
    found = error_map(image.astype(np.complex64), [half, half])
    for told, expected in ((found.phase, np.abs(bias)), (found.amplitude, np.abs(OBJECT) * np.abs(bias))):
        assert np.sqrt(np.mean(told**2)) == pytest.approx(np.sqrt(np.mean(expected**2)), rel=0.05)
        assert np.corrcoef(told.ravel(), expected.ravel())[0, 1] > 0.7


def test_halves_in_another_gauge_say_the_same():
    """Global phase, scale and ramp are free; they are no error of a pixel."""
    halves = [OBJECT + noise(seed, np.full(OBJECT.shape, 0.02)) for seed in (1, 2)]
    image = (halves[0] + halves[1]) / 2
    rows, columns = np.indices(OBJECT.shape)
    turned = [halves[0] * np.exp(1j * (2 + 0.01 * columns)), 1.1 * halves[1] * np.exp(-0.02j * rows)]
    one, other = error_map(image, halves), error_map(image, turned)
    np.testing.assert_allclose(other.phase, one.phase, atol=2e-3)
    np.testing.assert_allclose(other.amplitude, one.amplitude, atol=2e-3)


@pytest.mark.parametrize("dose", [2_000, 100_000])
def test_the_error_of_map_is_known_without_the_truth(dose):
    scan = scan_of(dose, step=5.0)
    settings = MapSettings(iterations=80, rounds=2)
    image, _ = solve(scan, settings)
    a, b = split_counts(scan.counts.astype(np.int64), (0.5, 0.5), np.random.default_rng(4))
    halves = [solve(share_of(scan, x, 0.5, y, 0.5), settings, background_share=0.5)[0] for x, y in ((a, b), (b, a))]
    box = (slice(20, 92), slice(20, 108))
    light = illumination(scan.probe, scan.positions, scan.shape)[box]
    found = error_map(image[box], [half[box] for half in halves], light)
    told = coverage(errors(image[box], OBJECT[box], np.angle(OBJECT[box]), light), found)
    for channel in ("phase", "amplitude"):
        assert 0.5 < told[channel]["within_one"] < 0.85 and told[channel]["within_two"] > 0.85, told
