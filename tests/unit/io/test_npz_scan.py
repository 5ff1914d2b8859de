"""Scans in NPZ files, of the fly64 kind and others."""

from __future__ import annotations

import json

import numpy as np
import pytest

from studylib import describe
from studylib.io.readers import open_scan
from tests.asymmetric import N, probe
from tests.unit.archives import SCAN, archive, refused
from tests.unit.foreign import truth


@pytest.mark.parametrize("order", ["first", "last"])
def test_counts_of_the_fly64_kind_are_read_in_either_order(tmp_path, order):
    scan = truth()
    counts = scan.counts.astype(np.uint16)
    stored = counts if order == "first" else np.ascontiguousarray(np.moveaxis(counts, 0, 2))
    x, y = scan.positions.T
    np.savez(tmp_path / "fly.npz", diff3d=stored, probeGuess=scan.probe, xcoords=x, ycoords=y)
    read = open_scan(tmp_path / "fly.npz")
    np.testing.assert_array_equal(read.counts(slice(3, 9)), counts[3:9])
    assert describe.count(read).not_raw() == "" and read.patterns.shape == counts.shape


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"diff3d": SCAN["diff3d"].astype(np.float32) * np.nan}, "diff3d.*NaN"),
        ({"diff3d": SCAN["diff3d"].astype(np.float64) - 5}, "diff3d.*>= 0"),
        ({"diff3d": SCAN["diff3d"] + 1e300}, "diff3d.*range"),
        ({"xcoords": np.full(24, np.inf)}, "xcoords"),
        ({"xcoords": np.arange(24.0) * 1e9}, "positions in"),
        ({"xcoords": np.arange(23.0)}, "xcoords"),
        ({"xcoords": np.array(["a"] * 24)}, "xcoords"),
        ({"mask": np.array("all")}, "mask"),
        ({"mask": np.zeros((N, N), bool)}, "mask.*trusted"),
        ({"probeGuess": np.zeros((N, N), np.complex64)}, "probe in.*zeros"),
        ({"probeGuess": np.full((N, N), np.nan, np.complex64)}, "probe in.*NaN"),
        ({"probeGuess": probe()[0]}, "probe in"),
        ({"background": np.full((N, N), -1.0)}, "background"),
        ({"_metadata": np.array(json.dumps({"intensity_scale": "x", "remarks": 7}))}, None),
        ({"_metadata": np.arange(4)}, None),
        ({"_metadata": np.array("[" * 100_000)}, None),
    ],
)
def test_a_scan_that_is_none_is_refused_and_strange_metadata_do_not_matter(tmp_path, changed, message):
    path = archive(tmp_path / "scan.npz", SCAN | changed)
    if message is None:
        assert open_scan(path).patterns.shape == (24, N, N)
    else:
        refused(open_scan, path, message)


@pytest.mark.parametrize("told", [f"1{'0' * 400}", '"8800"', "NaN", "[8800]", "-1", "true"])
def test_metadata_of_any_content_are_read_or_left(measured, tmp_path, told):
    path = tmp_path / "any.npz"
    np.savez(path, diff3d=measured.patterns.astype(np.uint16), _metadata=np.array(f'{{"energy_ev": {told}}}'))
    assert open_scan(path).energy_ev is None
