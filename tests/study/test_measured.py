"""A study of a measured scan: shorter exposures by thinning, a reference in place of the truth."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from studylib.evidence.response_schema import Response
from studylib.measured import Measured
from tests import asymmetric
from tests.conftest import studylib

# The smoke profile's few iterations would end before the slow structure is there, at every dose alike.
ARMS = ("--profile", "smoke", "--arms", "map", "--cores", "2", "--set", "map.iterations=150", "map.rounds=3")


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> Path:
    """A scan in ptychodus' order of things: CXI, in metres, with a mask."""
    from studylib.io.writers import write_scan

    told = asymmetric.scan_of(200_000, step=2.9)
    mask = np.ones((asymmetric.N,) * 2, dtype=bool)
    mask[20, 5] = False
    measured = Measured(
        "test", "test", told.counts, positions=told.positions, probe=told.probe[None], mask=mask,
        energy_ev=8_800.0, distance_m=1.9, detector_pixel_m=(75e-6, 75e-6),
    )  # fmt: skip
    return write_scan(tmp_path_factory.mktemp("data") / "scan.cxi", measured)


@pytest.fixture(scope="module")
def study(scan, tmp_path_factory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("study") / "measured"
    words = [
        "response",
        "--hub",
        str(folder),
        "--data",
        str(scan),
        "--doses",
        "1000",
        "full",
        "--views",
        "dense",
        *ARMS,
    ]
    done = studylib(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, words


def test_a_dose_response_of_a_measured_scan(study):
    folder, _ = study
    told = Response.model_validate_json((folder / "analysis/response.json").read_text())
    score = {(r.dose, r.arm): r.phase_ms_ssim for r in told.rows}
    full = max(r.dose for r in told.rows)
    assert 89_000 < full < 92_000, "half of the counts are left for the reference, and a tenth of the dose is held back"
    assert not told.limits, "they are computed around a truth"
    assert [m.dose for m in told.sure] == sorted({r.dose for r in told.rows}) and all(
        m.phase_told > 0 for m in told.sure
    )
    assert all(m.phase_within_one is None for m in told.sure), "nor is there one to be covered"
    assert score[full, "MAP"] > 0.85 and score[full, "MAP"] > score[1000, "MAP"] > score[1000, "constant"]
    assert {r.sample for r in told.rows} == {"scan.cxi"} and not told.failed


def test_what_stands_in_place_of_the_truth_is_told(study):
    folder, _ = study
    hub = folder / "measured_r0/dose_1000_dense"
    told = json.loads((hub / "data/phase_c/dose_1000/reference.json").read_text())
    assert told["made_by"] == "MAP" and told["photons_per_pattern"] > 190_000
    assert told["chi_square"] == pytest.approx(1, abs=0.05), "the model is right: nothing but photon noise is left"
    page = (hub / "analysis/report.html").read_text()
    assert "A measured scan: there is no truth" in page and "from counts that no arm was given" in page
    scan = json.loads((hub / "data/base/scan.json").read_text())
    ceiling = json.loads((hub / "data/base/ceiling.json").read_text())
    assert scan["probe"].startswith("as in the file") and set(ceiling) == {"counts", "positions"}
    for halves in ceiling.values():
        assert 0.5 < halves["phase"]["ms_ssim"] < 1 and 0 < halves["phase"]["half_bit"] <= 1
    assert scan["orientation"] in page and "as the file says" in scan["orientation"]
    assert "of half the counts each against each other" in page and "of half the positions each" in page
    assert scan["probe"][:20] in page
    registration = json.loads((hub / "analysis/dose_1000/dense/test/registration.json").read_text())
    assert 0.9 < registration["MAP"]["chi_square"] < 1.5 and registration["MAP"]["pearson"] > 0.3
    threads = json.loads((hub / "analysis/metrics_delta_summary.json").read_text())["provenance"]["threads"]
    assert set(threads.values()) == {1}
    assert studylib("verify", "--hub", str(hub)).returncode == 0


def test_an_arm_that_learns_from_the_reference_says_so(study, tmp_path):
    """The image that it is scored against: an advantage that no other arm has."""
    import shutil

    from studylib.run import arm_stages
    from studylib.run.hub import Hub

    hub = Hub(tmp_path / "h")
    shutil.copytree(study[0] / "measured_r0/dose_1000_dense", hub.root)
    design = json.loads((hub / "analysis/design.json").read_text())
    design["arms"] |= {"baseline": {"steps": 10, "evaluations": 1}}
    (hub / "analysis/design.json").write_text(json.dumps(design))
    arm_stages.train(hub, "smoke", 1000, "dense", "baseline", "torch")
    for key, note in (("baseline", "trained on patches of the reference"), ("map", "")):
        arm_stages.reconstruct(hub, "smoke", 1000, "dense", "test", key)
        assert note in (told := str(arm_stages.read_reconstruction(hub, 1000, "dense", "test", key)["_note"]))
        assert bool(told) is bool(note)


def test_the_same_command_again_runs_nothing(study):
    folder, words = study
    before = (folder / "analysis/response.json").read_bytes()
    done = studylib(*words)
    assert done.returncode == 0 and "01_generate" not in done.stdout, done.stdout
    assert (folder / "analysis/response.json").read_bytes() == before


def test_the_commands_name_every_file_of_the_scan():
    formats = Path(__file__).resolve().parents[1] / "formats"
    files = [str(formats / f"ptychodus_{name}.h5") for name in ("product", "diffraction")]
    done = studylib("response", "--hub", "nowhere", "--data", *files, "--doses", "1000", *ARMS, "--collect-only")
    first = shlex.split(done.stdout.splitlines()[0])
    assert done.returncode == 0 and first[first.index("--data") + 1 :][:2] == files, done.stderr


def test_what_cannot_be_thinned_or_reconstructed_is_refused_in_one_line(scan, tmp_path):
    from dataclasses import replace

    from studylib.io.readers import open_scan
    from studylib.io.writers import write_scan

    read = open_scan(scan)
    corrected = write_scan(tmp_path / "corrected.npz", replace(read, patterns=read.counts(slice(None)) * 1.1))
    for name, why in ((str(corrected), "no whole numbers"), (str(tmp_path / "absent.cxi"), "check the path")):
        done = studylib("response", "--hub", str(tmp_path / "hub"), "--data", name, *ARMS)
        assert done.returncode == 2 and why in done.stderr and done.stderr.count("\n") == 1, done.stderr
    done = studylib("response", "--hub", str(tmp_path / "hub"), "--data", str(scan), "--doses", "150000", *ARMS)
    assert done.returncode == 2 and "half" in done.stderr
    done = studylib("response", "--hub", str(tmp_path / "hub"), "--samples", "measured", *ARMS)
    assert done.returncode == 2 and "DATA=" in done.stderr and not (tmp_path / "hub").exists()
