"""Who learned, judged by counts that no arm was fitted to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from studylib.errors import InputError
from studylib.judge.consistency import learned, measures
from studylib.physics import simulate
from tests.asymmetric import OBJECT, scan_of, specimen


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


def test_rankings_are_compared_within_a_condition():
    from benchmarks.ranking import ranked

    def row(dose, arm, gain, score):
        where = {"sample": "s", "probe": "p", "dose": dose, "view": "dense", "replicate": "0"}
        return where | {"arm": arm, "gain_per_pattern": gain, "phase_ms_ssim": score}

    table = [row("1", "A", "5", "0.9"), row("1", "B", "6", "0.8"), row("1", "C", "1", "0.2")]
    table += [
        row("1", "constant", "", "0.95"),
        row("2", "A", "1", "0.5"),
        row("2", "B", "2", "0.6"),
        row("3", "A", "1", "1"),
    ]
    first, second = ranked(table)
    assert (first.arms, first.named, first.best) == (3, "B", "A") and first.correlation == pytest.approx(0.5)
    assert first.regret == first.reversed == pytest.approx(0.1) and second.reversed == 0
    assert (second.named, second.regret) == ("B", 0.0) and second.correlation == pytest.approx(1)
