"""Scans in Zarr."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.io.readers import open_scan
from tests import asymmetric
from tests.unit.foreign import truth


def test_zarr_is_read_as_it_is_used(tmp_path):
    zarr = pytest.importorskip("zarr")
    scan = truth()
    group = zarr.open_group(tmp_path / "scan.zarr", mode="w")
    for name, array in (("diff3d", scan.counts.astype(np.uint16)), ("xcoords", scan.positions[:, 0])):
        group.create_array(name, data=array)
    group.create_array("ycoords", data=scan.positions[:, 1])
    group.create_array("background", data=np.full((asymmetric.N,) * 2, 0.5))
    read = open_scan(tmp_path / "scan.zarr")
    assert not isinstance(read.patterns, np.ndarray)
    np.testing.assert_array_equal(read.counts(slice(2, 5)), scan.counts[2:5])
    np.testing.assert_array_equal(read.places, scan.positions)
    np.testing.assert_array_equal(read.background, np.float32(0.5))
