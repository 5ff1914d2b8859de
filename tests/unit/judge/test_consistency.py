"""Who learned, judged by counts that no arm was fitted to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from studylib.errors import InputError
from studylib.judge import consistency
from studylib.judge.consistency import learned, measures
from studylib.physics import simulate
from tests.asymmetric import OBJECT, scan_of, specimen
from tests.unit.conftest import DOSE


@pytest.fixture(scope="module")
def seen():
    scan = scan_of(1000)
    held = simulate.hold_counts(OBJECT, scan.probe, scan.positions, 0.1, np.random.default_rng(5))
    return replace(scan, held=held, held_share=0.1)


IMAGES = {
    "truth": (OBJECT, True),
    "blurred": (gaussian_filter(OBJECT, 1.0), True),
    "turned by a global phase and scaled": (0.5 * OBJECT * np.exp(2j), True),
    "constant": (np.full_like(OBJECT, 0.8), False),
    "nearly constant": (0.8 + 0.02 * (OBJECT - OBJECT.mean()), False),
    "another object": (specimen(seed=77), False),
    "mirrored": (np.ascontiguousarray(OBJECT[:, ::-1]), False),
    "conjugate": (OBJECT.conj(), False),
}


@pytest.mark.parametrize("name", IMAGES)
def test_who_learned(seen, name):
    image, expected = IMAGES[name]
    told, reason = learned(measures(image, seen).gain, measures(OBJECT, seen).gain)
    assert told is expected and bool(reason) is not expected


def test_where_no_light_fell_nothing_matters(seen):
    from studylib.physics.stitch import illumination

    dark = illumination(seen.probe, seen.positions, seen.shape) < 1e-6
    zeros = np.where(dark, 0, OBJECT).astype(np.complex64)
    assert measures(zeros, seen).gain.per_pattern == pytest.approx(measures(OBJECT, seen).gain.per_pattern, rel=1e-3)


def test_a_scan_without_such_counts_is_refused():
    with pytest.raises(InputError, match="second exposure"):
        measures(OBJECT, scan_of(1000))


@pytest.fixture(scope="module")
def scan():
    return scan_of(DOSE)


def test_without_truth_an_image_is_judged_by_what_it_explains(scan):
    told = consistency.measures(OBJECT, replace(scan, held=scan.counts.astype(np.uint32), held_share=1.0))
    assert told.chi_square == pytest.approx(1, abs=0.03) and 0 < told.r_factor < 0.5 and told.pearson > 0.9
    wrong = consistency.measures(OBJECT.conj(), replace(scan, held=scan.counts.astype(np.uint32), held_share=1.0))
    assert wrong.chi_square > 2 * told.chi_square and wrong.r_factor > told.r_factor and wrong.pearson < told.pearson


def test_patterns_without_noise_are_explained_in_full():
    clean = scan_of(10_000_000, noise=False)
    told = consistency.measures(OBJECT, replace(clean, held=np.rint(clean.counts).astype(np.uint32), held_share=1.0))
    assert told.r_factor < 0.01 and told.pearson > 0.9999 and told.gain.per_pattern > 0


def test_judgement_reckons_with_it(hazy):
    told = consistency.measures(OBJECT, hazy)
    untold = consistency.measures(OBJECT, replace(hazy, background=None))
    assert told.chi_square == pytest.approx(1, abs=0.03) and untold.chi_square > 1.1
    assert told.gain.clear


def test_what_bad_pixels_hold_changes_no_judgement(masked):
    one, other = (consistency.measures(OBJECT, scan).gain for scan in masked)
    assert one == other
    assert masked[0].best_constant() == masked[1].best_constant()
