"""Reconstructions of ptypy."""

from __future__ import annotations

import numpy as np

from studylib.io.readers import open_scan
from tests import asymmetric
from tests.unit.foreign import FORMATS, truth


def test_a_reconstruction_of_ptypy_is_read():
    read = open_scan(FORMATS / "ptypy.ptyr")
    np.testing.assert_array_equal(read.object, asymmetric.OBJECT)
    np.testing.assert_array_equal(read.probe[0], truth().probe)
    np.testing.assert_allclose(read.places, truth().positions, atol=1e-6)
    assert read.patterns is None and "patterns" in read.missing()
