"""An experiment that is planned, held against a scan without symmetry."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.condition import simulate_halves, thin_to_view
from studylib.experiment import Experiment
from studylib.experiment import allowed as allowed_by
from studylib.judge.limit import limit_of
from studylib.samples import probe_diameter
from tests.unit.planned import SAMPLE, SETTINGS


def test_what_photons_allow_is_that_of_a_scan_of_the_whole_object(experiment):
    """The piece that the limit is taken from stands for the whole, at the scan that the study simulates."""
    told = allowed_by(experiment, ("dense",), (1_000.0, 100_000.0))["dense"]
    fine = SETTINGS.model_copy(update={"scan_step": 2.3})
    half = thin_to_view(simulate_halves(SAMPLE, fine, 1_000, 7)["test"], "dense", 3)[0]
    whole = limit_of(SAMPLE.object, np.angle(SAMPLE.object), half, 7)
    assert told[0].phase_wiener == pytest.approx(whole.phase_wiener, rel=0.15)
    assert told[0].photons_per_pixel == pytest.approx(whole.photons_per_pixel, rel=0.15)
    assert told[1].photons_per_pixel == pytest.approx(100 * told[0].photons_per_pixel, rel=1e-3)
    assert told[1].phase_wiener < told[0].phase_wiener / 3


def test_a_field_twice_as_high_and_wide_takes_four_times_the_positions(experiment):
    larger = Experiment(SAMPLE, (1600, 1760), SETTINGS, 7).geometry("dense", 64**2)
    small = Experiment(SAMPLE, (800, 880), SETTINGS, 7).geometry("dense", 64**2)
    assert larger.positions / small.positions == pytest.approx(4, rel=0.05)
    assert small.step == pytest.approx(0.3 * probe_diameter(SAMPLE.probe))
    lit = np.abs(SAMPLE.object) ** 2
    assert lit.min() < small.share < lit.max()
