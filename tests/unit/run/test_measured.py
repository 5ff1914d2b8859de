"""Measured scans as the condition of a study: the reference, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from studylib.errors import InputError
from studylib.io.readers import open_scan
from studylib.io.writers import write_scan
from studylib.judge import register, scores
from studylib.measured import Measured
from studylib.physics.stitch import illumination, scanned_box
from studylib.run import measured
from studylib.run.measured import check, condition
from tests.asymmetric import OBJECT, N, scan_of
from tests.unit.archives import SCAN, archive, refused
from tests.unit.conftest import DOSE


@pytest.fixture(scope="module")
def scan():
    return scan_of(DOSE)


def test_the_reference_is_where_the_solver_ends_and_not_where_its_first_round_does(tmp_path):
    """After one round slow structure is missing (0.991 here): an arm that lacks it too would look the better for it."""
    told = scan_of(200_000, step=2.7)
    measured = Measured("test", "test", told.counts, positions=told.positions, probe=told.probe[None])
    path = write_scan(tmp_path / "scan.npz", measured)
    np.savez(tmp_path / "probe.npz", probeGuess=measured.scan().probe, _told="as in the file")
    np.savez(tmp_path / "half.npz", objectGuess=np.ones(told.shape, np.complex64), _seed=99)
    scans, reference, _ = condition(path, tmp_path / "probe.npz", tmp_path / "half.npz", 1_000, seed=3)
    scan = scans["test"]
    light = illumination(scan.probe, scan.positions, scan.shape)
    box = scores.scored_box(light, scanned_box(scan.positions)).box.slices
    truth = np.pad(OBJECT, [(1, 0), (1, 0)])[box]  # a scan that is read has its own frame, a pixel larger here
    image = register.apply_gauge(reference[box], register.fit_gauge(reference[box], truth, light[box]))
    told, _ = scores.score_image(image, truth, 1.0, np.angle(truth))
    assert told["phase"]["ms_ssim"] > 0.999 and told["phase"]["mae"] < 0.005


def test_a_scan_that_does_not_fit_on_the_disk_is_refused_with_the_figure(scan, monkeypatch):
    monkeypatch.setattr("studylib.machine.HELD", 2**16)
    monkeypatch.setattr("studylib.machine.shutil.disk_usage", lambda _: SimpleNamespace(free=2**20))
    measured = Measured("NPZ", "scan.npz", scan.counts, positions=scan.positions - N / 2, probe=scan.probe[None])
    with pytest.raises(InputError, match=r"patterns of scan.npz: got '270 patterns of 32 x 32 px'.* 4 MiB, and 1 MiB"):
        check(measured)


def test_patterns_without_a_count_are_refused_for_a_study(tmp_path):
    path = archive(tmp_path / "dark.npz", SCAN | {"diff3d": np.zeros_like(SCAN["diff3d"])})
    refused(lambda p: measured.check(open_scan(p)), path, "no count")
