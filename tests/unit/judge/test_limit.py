"""What photons allow, in the numbers that arms are scored by."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

from studylib.judge import limit
from studylib.judge.limit import limit_of
from studylib.physics import limit as physics
from tests import asymmetric


@functools.cache
def usual(dose: float) -> limit.Limit:
    return told(dose)


def told(dose: float, image: np.ndarray = asymmetric.OBJECT) -> limit.Limit:
    return limit_of(image, np.angle(image), asymmetric.scan_of(dose, step=4.0), seed=3)


def test_a_hundred_times_the_photons_allow_a_tenth_of_the_error():
    few, many = usual(1000), usual(100_000)
    assert many.photons_per_pixel == pytest.approx(100 * few.photons_per_pixel, rel=1e-3)
    for name in ("phase_bound", "phase_diagonal", "amplitude_bound"):
        assert getattr(few, name) == pytest.approx(10 * getattr(many, name), rel=0.02), name
    assert few.phase_diagonal <= few.phase_bound, "what neighbours share with a pixel is never of use to it"
    assert few.phase_wiener < few.phase_bound, "who knows the object's spectrum needs fewer photons"
    assert few.phase_wiener > many.phase_wiener > 0.1 * few.phase_wiener, "and gains less by more of them"
    assert few.frc50 < many.frc50 and not few.reason


def test_an_amplitude_is_told_in_its_own_units():
    """Half the amplitude under four times the light sends as many photons: half the error, the same in the phase."""
    scan = asymmetric.scan_of(1000, step=4.0)
    bright = replace(scan, probe=2 * scan.probe)
    whole = limit_of(asymmetric.OBJECT, np.angle(asymmetric.OBJECT), scan, seed=3)
    half = limit_of(asymmetric.OBJECT / 2, np.angle(asymmetric.OBJECT), bright, seed=3)
    assert half.amplitude_bound == pytest.approx(whole.amplitude_bound / 2, rel=1e-3)
    assert half.phase_bound == pytest.approx(whole.phase_bound, rel=1e-3)


def test_a_pure_phase_object_has_a_limit_of_its_phase():
    """Its amplitude has no power at all: to who knows the spectrum it is as good as known."""
    pure = np.exp(1j * np.angle(asymmetric.OBJECT)).astype(np.complex64)
    found = told(10_000, pure)
    assert 0 < found.phase_wiener < found.phase_bound and found.amplitude_wiener < 0.05 * found.amplitude_bound


def test_the_map_follows_the_light():
    found = usual(1000)
    assert found.photons.shape == found.spread.shape and np.isfinite(found.spread).all()
    bright = found.photons > np.median(found.photons)
    assert found.spread[~bright].mean() > found.spread[bright].mean()


def test_where_there_is_no_limit_it_says_why(monkeypatch):
    opaque = asymmetric.OBJECT.copy()
    opaque[opaque.shape[0] // 2, opaque.shape[1] // 2] = 0
    found = told(10_000, opaque)
    assert found.phase_bound is None and "opaque" in found.reason
    monkeypatch.setattr(physics, "STEPS", 1)
    found = told(10_000)
    assert found.phase_wiener is None and "conjugate gradients" in found.reason
    assert found.phase_diagonal > 0, "what needs no solution stands"


def test_the_solution_has_converged(monkeypatch):
    """Slow structure under few photons comes last; ended early, Wiener's error was told a quarter too small."""
    scan = asymmetric.scan_of(300, step=6.0)

    def wiener(accuracy: float) -> float:
        monkeypatch.setattr(physics, "ACCURACY", accuracy)
        return limit_of(asymmetric.OBJECT, np.angle(asymmetric.OBJECT), scan, seed=3, draws=1).phase_wiener

    assert wiener(physics.ACCURACY) == pytest.approx(wiener(1e-7), rel=0.01)
