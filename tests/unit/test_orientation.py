"""Which way round a detector looks: found with the probe, and its class without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from studylib import orientation
from studylib.measured import Measured
from studylib.orientation import ORIENTATIONS, scrambled
from tests import asymmetric

STAR = Path(__file__).resolve().parents[3] / "shared/data/siemens_velociprobe_N128.npz"


@pytest.fixture(scope="module")
def measured() -> Measured:
    scan = asymmetric.scan_of(20_000, step=3.5)
    return Measured("test", "test", scan.counts, positions=scan.positions, probe=scan.probe[None])


def test_there_are_sixteen_and_a_pattern_and_a_vector_turn_alike():
    """A bright pixel off the centre moves as the vector from the centre to it."""
    assert len({(o.matrix.tobytes(), o.sign) for o in ORIENTATIONS}) == 16
    pattern = np.zeros((1, 8, 8))
    pattern[0, 4 + 2, 4 + 3] = 1  # y = 2, x = 3 from the centre
    for o in ORIENTATIONS:
        row, column = np.argwhere(o.of_patterns(pattern)[0])[0]
        assert (column - 4, row - 4) == tuple(o.matrix @ (3, 2)), o


@pytest.mark.parametrize("by", ORIENTATIONS[::5], ids=str)
def test_the_orientation_is_found_with_the_probe(measured, by):
    found = orientation.with_probe(scrambled(measured, by), most=80, iterations=40)
    assert found[0].orientation == by and found[0].loss < found[1].loss - 3 * found[1].standard_error


def test_the_mask_turns_with_the_patterns(measured):
    """Rubbish under a mask that has no symmetry is out of sight in every orientation that is tried."""
    mask = np.ones(measured.patterns.shape[1:], dtype=bool)
    mask[11:17, 16:21] = False
    patterns = np.where(mask, measured.patterns, 60_000)
    by = ORIENTATIONS[5]
    scan = scrambled(replace(measured, patterns=patterns), by)
    found = orientation.with_probe(replace(scan, mask=by.inverse.of_patterns(mask[None])[0]), most=80, iterations=40)
    assert found[0].orientation == by and found[0].loss < found[1].loss - 3 * found[1].standard_error


@pytest.mark.parametrize("by", ORIENTATIONS[::3], ids=str)
def test_the_class_is_found_without_a_probe(measured, by):
    """Half of the sixteen turn a gradient into something that no phase has."""
    told = orientation.without_probe(replace(scrambled(measured, by), probe=None))
    assert by in told.members and len(told.members) == 4 and told.clear


def test_noise_has_no_class(measured):
    noise = np.random.default_rng(2).poisson(5.0, measured.patterns.shape)
    assert not orientation.without_probe(replace(measured, patterns=noise)).clear


@pytest.mark.skipif(not STAR.is_file(), reason="the measured Siemens star is not beside the repository")
def test_the_class_of_the_siemens_star_is_found_under_all_scramblings():
    from studylib.io.readers import open_scan

    star = open_scan(STAR)
    for by in ORIENTATIONS:
        told = orientation.without_probe(scrambled(star, by))
        assert by in told.members and told.clear, by
