"""The limit that photons set, held against matrices, against an estimator, and against what theory says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studylib.physics import forward
from studylib.physics.limit import Information, Ridge, Spectrum
from studylib.scan import Scan
from tests.asymmetric import probe, scan_of, specimen

N = 16
RNG = np.random.default_rng(3)


def small(dose: float = 3e4, background: float = 0.0, masked: bool = False) -> tuple[np.ndarray, Scan]:
    """Return an object of 22 x 24 px and its scan by a probe without symmetry, at fractional positions."""
    image = specimen((22, 24))
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(8.6, 16, 2.3), np.arange(8.3, 14, 2.4)))
    positions = np.stack([x, y], axis=1) + np.random.default_rng(5).uniform(-0.4, 0.4, (len(x), 2))
    mask = None if not masked else RNG.random((N, N)) > 0.1
    dark = None if not background else np.full((N, N), background, np.float32)
    lit = (probe(N) * np.sqrt(dose)).astype(np.complex64)
    empty = np.zeros((len(positions), N, N), np.float32)
    return image, Scan(empty, lit, positions, 1.0, image.shape, {}, mask=mask, background=dark)


def expected(z: np.ndarray, image: np.ndarray, scan: Scan) -> np.ndarray:
    """Return what is expected of the object exp(z) times the image, in double precision."""
    patterns = np.concatenate(list(forward.expected_counts(image * np.exp(z), scan.probe, scan.positions)))
    dark = 0 if scan.background is None else scan.background
    return patterns + dark


def jacobian(image: np.ndarray, scan: Scan) -> np.ndarray:
    """Return the derivatives of all patterns by a and phi, (parameters, values), by finite differences."""
    rows, step = [], 1e-3
    for k in range(2 * image.size):
        vector = np.zeros(2 * image.size)
        vector[k] = step
        z = as_object(vector, image)
        rows.append(((expected(z, image, scan) - expected(-z, image, scan)) / (2 * step)).ravel())
    return np.array(rows)


def as_object(vector: np.ndarray, image: np.ndarray) -> np.ndarray:
    a, phi = vector.reshape(2, *image.shape)
    return a + 1j * phi


def information(image: np.ndarray, scan: Scan) -> np.ndarray:
    """Return F as a matrix: sum dlambda dlambda^T / lambda."""
    slopes = jacobian(image, scan)
    seen = np.ones(scan.probe.shape) if scan.mask is None else scan.mask
    weight = (seen / expected(np.zeros(image.shape), image, scan)).ravel()
    return (slopes * weight) @ slopes.T


@pytest.mark.parametrize(("background", "masked"), [(0.0, False), (4.0, True)])
def test_it_is_the_information_of_poisson_counts(background, masked):
    image, scan = small(background=background, masked=masked)
    wanted = information(image, scan)
    found = Information(image, scan)
    for _ in range(3):
        z = RNG.normal(size=image.shape) + 1j * RNG.normal(size=image.shape)
        vector = np.concatenate([z.real.ravel(), z.imag.ravel()])
        told = found.times(z)
        np.testing.assert_allclose(
            np.concatenate([told.real.ravel(), told.imag.ravel()]), wanted @ vector,
            atol=2e-3 * np.abs(wanted @ vector).max(),
        )  # fmt: skip


def test_draws_spread_as_the_inverse_matrix_says():
    image, scan = small()
    found, ridge = Information(image, scan), Ridge(20.0)
    covariance = np.linalg.inv(information(image, scan) + ridge.weight * np.eye(2 * image.size))
    draws = np.array([found.error(ridge, np.random.default_rng(k)) for k in range(150)])
    for part, sigma in ((draws.real, 0), (draws.imag, 1)):
        wanted = np.sqrt(np.diag(covariance)).reshape(2, *image.shape)[sigma]
        ratio = part.std(axis=0) / wanted
        assert ratio.mean() == pytest.approx(1, abs=0.02) and ratio.std() < 0.08, "1 / sqrt(300) is 0.06"


def test_an_estimator_spreads_as_the_bound_says():
    """The most probable object of Poisson counts, iterated to its end with the whole, curved forward model."""
    image, scan = small(1e8, background=3e3)
    ridge, generator = 1e4, np.random.default_rng(1)
    slopes = jacobian(image, scan)
    mean = expected(np.zeros(image.shape), image, scan).ravel()
    fisher = (slopes / mean) @ slopes.T
    inverse = np.linalg.inv(fisher + ridge * np.eye(len(fisher)))

    def estimate() -> np.ndarray:
        counts, vector = generator.poisson(mean), np.zeros(2 * image.size)
        for _ in range(8):
            left = counts - expected(as_object(vector, image), image, scan).ravel()
            vector = vector + inverse @ (slopes @ (left / mean) - ridge * vector)
        assert np.abs(inverse @ (slopes @ (left / mean) - ridge * vector)).max() < 1e-3, "it has converged"
        return vector

    found = np.array([estimate() for _ in range(150)])
    bound = np.sqrt(np.diag(inverse @ fisher @ inverse))
    lit = np.tile((Information(image, scan).light > 1e4).ravel(), 2)
    assert lit.sum() > 250
    assert np.median(found.std(axis=0)[lit] / bound[lit]) == pytest.approx(1, abs=0.05)
    assert np.abs(found.mean(axis=0)[lit]).mean() < 0.2 * bound[lit].mean(), "next to no bias"


def test_a_diverse_probe_reaches_one_over_the_root_of_two_n():
    """Half of what a quantum measurement could tell: the phase's error is 1 / sqrt(2 n) of the pixel's own photons."""
    scan = scan_of(1000, step=3.0)
    generator = np.random.default_rng(2)
    diverse = generator.normal(size=(32, 32)) + 1j * generator.normal(size=(32, 32))
    diverse *= np.sqrt(1000 / np.sum(np.abs(diverse) ** 2))
    scan = replace(scan, probe=diverse.astype(np.complex64))
    image = np.ones(scan.shape, np.complex64)
    found = Information(image, scan)
    inner = (slice(40, 72), slice(40, 88))
    draws = np.array([found.error(Ridge(0.02), np.random.default_rng(k))[inner] for k in range(6)])
    draws = draws - draws.mean(axis=(1, 2), keepdims=True)
    wanted = 1 / np.sqrt(2 * found.light[inner])
    for part in (draws.real, draws.imag):
        assert np.sqrt(np.mean((part / wanted) ** 2)) == pytest.approx(1, abs=0.1)


def test_a_prior_of_known_power_lowers_the_error_and_alone_is_its_own_spread():
    image, scan = small(3e3)
    z = np.log(np.abs(image)) + 1j * np.angle(image)
    known = Spectrum.of(z, (slice(0, 22), slice(0, 24)), image.shape)
    wiener, bound = (
        np.std([Information(image, scan).error(p, np.random.default_rng(k)).imag for k in range(20)], axis=0).mean()
        for p in (known, Ridge(1.0))
    )
    assert wiener < 0.8 * bound
    dim = replace(scan, probe=(1e-4 * scan.probe).astype(np.complex64))
    blind = np.array([Information(image, dim).error(known, np.random.default_rng(k)) for k in range(40)])
    assert blind.imag.std() == pytest.approx(np.sqrt(known.phase.mean()), rel=0.1)
    assert blind.real.std() == pytest.approx(np.sqrt(known.amplitude.mean()), rel=0.1)
