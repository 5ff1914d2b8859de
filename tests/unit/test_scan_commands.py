"""The commands that describe and convert scans."""

from __future__ import annotations

import pytest

from studylib.io.readers import open_scan
from tests.conftest import studylib
from tests.unit.foreign import FORMATS, misfit


def test_inspect_and_convert_are_commands(tmp_path):
    done = studylib("inspect", str(FORMATS / "cdtools.cxi"), "--plot", str(tmp_path / "scan.png"))
    assert done.returncode == 0 and "39 of 32 x 32 px" in done.stdout and "note: probe missing" in done.stdout
    assert (tmp_path / "scan.png").read_bytes().startswith(b"\x89PNG")
    product, data = (str(FORMATS / f"ptychodus_{name}.h5") for name in ("product", "diffraction"))
    done = studylib("convert", product, data, str(tmp_path / "scan.npz"))
    assert done.returncode == 0, done.stderr
    read = open_scan(tmp_path / "scan.npz")
    assert misfit(read.counts(slice(None)), read.probe[0], read.places) == pytest.approx(1, abs=0.05)
    done = studylib("inspect", str(tmp_path / "absent.npz"))
    assert done.returncode == 2 and done.stderr.startswith("error: scan: got 'absent.npz'")
    done = studylib("inspect", str(FORMATS / "cdtools.cxi"), "--energy-ev", "-3")
    assert done.returncode == 2 and "above 0" in done.stderr
