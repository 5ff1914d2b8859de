"""Measured scans are written as they are read."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.errors import InputError
from studylib.io.readers import open_scan
from studylib.io.writers import write_scan


@pytest.mark.parametrize("ending", [".npz", ".cxi"])
def test_what_is_written_is_read_again(tmp_path, measured, ending):
    path = write_scan(tmp_path / f"scan{ending}", measured)
    read = open_scan(path)
    np.testing.assert_array_equal(read.counts(slice(None)), measured.patterns)
    np.testing.assert_allclose(read.places, measured.positions, atol=1e-6)
    for name in ("probe", "object", "mask"):
        np.testing.assert_array_equal(getattr(read, name), getattr(measured, name))
    with pytest.raises(InputError, match="not there yet"):
        write_scan(path, measured)
