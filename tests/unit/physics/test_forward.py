"""One forward model, in a probe and an object that have no symmetry, at fractional positions."""

from __future__ import annotations

import numpy as np
import pytest

from studylib import samples
from studylib.physics import forward, windows
from tests.asymmetric import OBJECT, PROBE, scan_of
from tests.unit.foreign import STAR, needs_star


def independent(image: np.ndarray, probe: np.ndarray, x: float, y: float) -> np.ndarray:
    """Return the expected pattern by the definition: the discrete sum of P(r - x_j) O(r), term by term.

    The probe's own Fourier series is evaluated at r - x_j, in double precision, without an FFT.
    """
    n = len(probe)
    rows, columns = (np.arange(round(c) - n // 2, round(c) + n // 2) for c in (y, x))
    k = np.fft.fftfreq(n)
    series = np.exp(2j * np.pi * np.outer(np.arange(n), k))  # pixel, frequency
    spectrum = np.linalg.solve(series, np.linalg.solve(series, probe.astype(complex)).T).T
    moved_rows = np.exp(2j * np.pi * np.outer(rows - y + n // 2, k))
    moved_columns = np.exp(2j * np.pi * np.outer(columns - x + n // 2, k))
    exit_wave = moved_rows @ spectrum @ moved_columns.T * image[np.ix_(rows, columns)]
    q = np.arange(n) - n // 2
    wave = np.exp(-2j * np.pi * np.outer(q, np.arange(n)) / n)
    return np.abs(wave @ exit_wave @ wave.T / n) ** 2


@pytest.mark.parametrize(("x", "y"), [(40.0, 50.0), (40.3, 50.0), (40.0, 49.8), (41.73, 52.21), (37.5, 44.5)])
def test_the_pattern_is_that_of_the_definition(x, y):
    if (x, y) == (37.5, 44.5):  # a tie goes to the even pixel, as pty-chi rounds
        x, y = 37.5 + 1e-9, 44.5 - 1e-9
    expected = next(forward.expected_counts(OBJECT, PROBE, np.array([[x, y]])))[0]
    np.testing.assert_allclose(expected, independent(OBJECT, PROBE, x, y), rtol=1e-4, atol=1e-5 * expected.max())


def test_a_shift_moves_the_probe_towards_larger_indices():
    moved = forward.shifted_probes(PROBE, np.array([[3.0, -2.0]], np.float32))[0]
    np.testing.assert_allclose(moved, np.roll(PROBE, (-2, 3), axis=(0, 1)), atol=1e-5 * np.abs(PROBE).max())


def test_a_whole_shift_of_the_object_and_the_scan_changes_nothing():
    positions = scan_of(1000).positions
    here = np.concatenate(list(forward.expected_counts(OBJECT, PROBE, positions)))
    padded = np.pad(OBJECT, ((4, 0), (2, 0)), mode="edge")
    there = np.concatenate(list(forward.expected_counts(padded, PROBE, positions + np.array([2, 4]))))
    np.testing.assert_allclose(there, here, rtol=1e-3, atol=1e-5 * here.max())


def test_a_mirror_image_of_everything_gives_the_mirrored_pattern():
    """The fraction of a position is mirrored too; the wrong sign would show."""
    n, columns = len(PROBE), OBJECT.shape[1]
    position = np.array([[40.3, 50.2]])
    here = next(forward.expected_counts(OBJECT, PROBE, position))[0]
    # Pixel 0 of the probe has no mirror image about N/2; this probe is dark there.
    mirrored = np.roll(PROBE[:, ::-1], 1, axis=1)
    there = next(forward.expected_counts(OBJECT[:, ::-1], mirrored, np.array([[columns - 1 - 40.3, 50.2]])))[0]
    np.testing.assert_allclose(there, np.roll(here[:, ::-1], 1, axis=1), rtol=1e-3, atol=1e-4 * here.max())
    assert np.abs(there - here).max() > 0.1 * here.max() and n == here.shape[0]


def test_energy_is_conserved(specimen, scan):
    exit_wave = forward.probes_at(scan.probe, scan.positions) * windows.extract(specimen.object, scan.positions, 64)
    expected = np.concatenate(list(forward.expected_counts(specimen.object, scan.probe, scan.positions)))
    np.testing.assert_allclose(expected.sum((1, 2)), (np.abs(exit_wave) ** 2).sum((1, 2)), rtol=1e-5)


def test_simulation_does_not_depend_on_the_batch(specimen, scan):
    parts = [
        np.concatenate(list(forward.expected_counts(specimen.object, scan.probe, scan.positions, b))) for b in (7, 64)
    ]
    np.testing.assert_array_equal(*parts)


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's correlation after the mean pattern was taken off both."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))


@needs_star
def test_simulated_patterns_are_like_the_measured_ones():
    with np.load(STAR) as file:
        measured = file["diffraction"].astype(np.float64)
        positions = np.stack([file["xcoords"], file["ycoords"]], axis=1)
    base = samples.load_base(STAR)
    expected = np.sqrt(np.concatenate(list(forward.expected_counts(base.object, base.probe, positions))))
    assert likeness(expected, measured) > 0.85
    shuffled = np.random.default_rng(0).permutation(len(positions))
    assert abs(likeness(expected[shuffled], measured)) < 0.1
    swapped = np.clip(positions[:, ::-1], 64, np.array(base.object.shape)[::-1] - 65)
    turned = np.sqrt(np.concatenate(list(forward.expected_counts(base.object, base.probe, swapped))))
    assert abs(likeness(turned, measured)) < 0.1
