"""Measured scans in words: raw counts, dead and hot pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studylib import describe
from studylib.errors import InputError
from studylib.io.readers import open_scan
from studylib.run.measured import check
from tests.unit.foreign import DATA


@pytest.mark.skipif(not DATA.is_dir(), reason="the measured scans are not beside the project")
def test_the_measured_scans_are_described():
    star = open_scan(DATA / "siemens_velociprobe_N128.npz")
    star = describe.describe(star, describe.count(star))
    assert star["patterns"].startswith("516 of 128 x 128") and star["raw counts"].startswith("yes")
    assert star["probe diameter"].startswith("74.8 px") and star["counts a pattern"].startswith("4.612e+05")
    near = open_scan(DATA / "PETRAIII_P25_near_field.cxi")
    told = describe.describe(near, describe.count(near))
    assert told["energy"].startswith("12.66 keV") and told["mask"].startswith("5 of 10000")
    assert any("near field" in note for note in told["notes"])
    with pytest.raises(InputError, match="near field"):
        check(near)
    assert any(note.startswith("probe missing") for note in told["notes"])


def test_counts_that_are_not_raw_are_told(measured):

    def why(patterns: np.ndarray) -> str:
        return describe.count(replace(measured, patterns=patterns)).not_raw()

    counts = np.random.default_rng(1).poisson(np.full((200, 32, 32), 0.7)).astype(np.float64)
    assert why(counts) == ""
    assert "whole numbers" in why(counts * 1.02)
    assert "multiple of 3" in why(counts * 3)
    smooth = np.rint((counts + np.roll(counts, 1, 1) + np.roll(counts, 1, 2) + np.roll(counts, 2, 1)) / 4)
    assert "vary less" in why(smooth)


def test_dead_and_hot_pixels_are_found(measured):

    counts = np.random.default_rng(1).poisson(np.full((60, 32, 32), 2.0))
    counts[:, 4, 9], counts[:, 20, 3] = 0, 5_000
    told = describe.count(replace(measured, patterns=counts, mask=None))
    assert told.dead.tolist() == [[4, 9]] and told.hot.tolist() == [[20, 3]]
