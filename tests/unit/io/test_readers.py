"""Measured scans of any format: what does not belong together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studylib.errors import InputError
from studylib.io.readers import open_scan
from studylib.io.writers import write_scan


def test_what_does_not_belong_together_is_refused_in_one_line(tmp_path, measured):

    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(InputError, match="DATA-001"):
        open_scan(tmp_path / "text.npz")
    with pytest.raises(InputError, match="check the path"):
        open_scan(tmp_path / "absent.cxi")
    np.savez(tmp_path / "few.npz", diff3d=np.ones((4, 32, 32), np.uint16), xcoords=np.ones(3), ycoords=np.ones(3))
    with pytest.raises(InputError, match="4 finite numbers each"):
        open_scan(tmp_path / "few.npz")
    with pytest.raises(InputError, match="give energy_ev"):
        write_scan(tmp_path / "scan.cxi", replace(measured, energy_ev=None))
    assert not (tmp_path / "scan.cxi").exists()
    for name in ("probe", "object"):
        with pytest.raises(InputError, match=name):
            write_scan(tmp_path / "scan.h5", replace(measured, **{name: None}))
    with pytest.raises(InputError, match=r"\.npz, \.cxi, \.h5"):
        write_scan(tmp_path / "scan.tif", measured)
