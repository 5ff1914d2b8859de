"""A study in which one training serves two doses: its condition is a whole hub, and says where it was trained."""

from __future__ import annotations

import json

import numpy as np

from studylib.evidence.response_schema import Response
from tests.conftest import studylib

WORDS = (
    "response", "--profile", "smoke", "--doses", "1000", "30000", "--views", "dense", "--arms", "map", "unrolled",
    "--one-training", "unrolled", "--set", "map.iterations=10", "unrolled.steps=10", "--cores", "2",
)  # fmt: skip


def test_a_network_trained_at_the_least_dose_serves_the_other(tmp_path):
    done = studylib(*WORDS, "--hub", str(tmp_path / "study"))
    assert done.returncode in (0, 3), done.stdout + done.stderr
    above = tmp_path / "study/leaves_zone-plate_r0"
    hub, name = above / "dose_30000_dense", "data/phase_e/dose_1000/dense/unrolled"
    assert not (hub / "data/phase_e/dose_30000").exists() and (hub / name / "weights.npz").is_symlink()
    assert (hub / name / "weights.npz").resolve() == (above / "dose_1000_dense" / name / "weights.npz").resolve()
    for folder in (hub, above / "dose_1000_dense"):
        checked = studylib("verify", "--hub", str(folder))
        assert checked.returncode == 0, checked.stdout + checked.stderr
    status = json.loads((hub / "analysis/dose_30000/dense/test/status.json").read_text())
    assert "trained at 1,000 photons per pattern" in status["arms"]["Unrolled"]["reason"]
    told = Response.model_validate_json((tmp_path / "study/analysis/response.json").read_text())
    notes = {(row.dose, row.arm): row.note for row in told.rows}
    assert "trained at" in notes[30_000, "Unrolled"] and "trained at" not in notes[1000, "Unrolled"]
    at = {dose: np.load(above / f"dose_{dose}_dense/data/phase_f/dose_{dose}/dense/test/unrolled/reconstruction.npz")
          for dose in (1000, 30_000)}  # fmt: skip
    assert json.loads(str(at[30_000]["_settings"]))["settings_from"] == "its training at 1,000 photons per pattern"
    cost = json.loads((hub / "analysis/dose_30000/dense/test/cost.json").read_text())
    training = json.loads((hub / name / "training.json").read_text())
    assert cost["Unrolled"]["training_seconds"] == training["seconds"]
