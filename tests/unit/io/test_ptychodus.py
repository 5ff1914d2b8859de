"""Files of ptychodus, read and written."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.io.readers import open_scan
from studylib.io.writers import write_scan
from tests import asymmetric
from tests.unit.foreign import FORMATS, misfit


@pytest.mark.parametrize("first", ["product", "diffraction"])
def test_product_and_diffraction_of_ptychodus_meet_by_their_indexes(first):
    """The patterns are written in another order than the positions."""
    names = [f"ptychodus_{name}.h5" for name in ("product", "diffraction")]
    read = open_scan(*(FORMATS / name for name in (names if first == "product" else names[::-1])))
    np.testing.assert_array_equal(read.object, asymmetric.OBJECT)
    assert misfit(read.counts(slice(None)), read.probe[0], read.places) == pytest.approx(1, abs=0.05)
    assert not read.mask[0, 5] and read.mask.sum() == asymmetric.N**2 - 1 and not read.missing()


def test_ptychodus_reads_what_was_written(tmp_path, measured):
    io = pytest.importorskip("ptychodus.api.io")
    read = io.load_product(write_scan(tmp_path / "scan.h5", measured))
    np.testing.assert_array_equal(read.object_.get_array()[0], asymmetric.OBJECT)
    pixel = read.object_.get_pixel_geometry().width_m
    assert pixel == pytest.approx(measured.pixel_m) and read.metadata.photon_energy_eV == 8_800
    rows, columns = asymmetric.OBJECT.shape
    x = read.probe_positions.get_coordinates_x_m() / pixel + columns / 2
    y = read.probe_positions.get_coordinates_y_m() / pixel + rows / 2
    np.testing.assert_allclose(np.stack([x, y], axis=1), measured.positions, atol=1e-6)
