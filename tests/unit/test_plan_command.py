"""The command and the notebook that plan."""

from __future__ import annotations

import json

import numpy as np
import pytest

from studylib.cli import main
from tests.conftest import ROOT
from tests.unit.planned import SAMPLE, whole_response


@pytest.fixture
def told(response, tmp_path):
    path = tmp_path / "response.json"
    path.write_text(json.dumps(whole_response(response)), encoding="utf-8")
    return path


@pytest.fixture
def base(tmp_path):
    np.savez(tmp_path / "mine.npz", probeGuess=SAMPLE.probe, objectGuess=SAMPLE.object)
    return tmp_path / "mine.npz"


def test_the_command_plans_a_base_and_says_what_it_extrapolates(told, base, tmp_path, capsys):
    out = tmp_path / "plan.json"
    asked = ["plan", "--base", base, "--mae", "0.06", "--response", told, "--flux", "1e6", "--field", "500", "600"]
    assert main([*map(str, asked), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "mean absolute error of the phase of 0.06 rad" in said and "of measuring" in said
    assert "measured with leaves under zone-plate, not here" in said and "4,096 px and are scaled" in said
    plan = json.loads(out.read_text(encoding="utf-8"))
    (first, *_) = plan["options"]
    assert first["arm"] == "MAP" and first["expected"] == pytest.approx(0.06, rel=0.01) and first["dose"] > 0
    assert plan["like"] == ["leaves", "zone-plate"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--mae", "0.05", "--response", "none.json"], "none.json"),
        (["--mae", "-1"], "mae: got -1"),
        (["--mae", "0.05", "--flux", "0"], "flux: got 0"),
        (["--mae", "0.05", "--overhead", "-1"], "overhead: got -1"),
        (["--mae", "0.05", "--field", "0", "9"], "field: got"),
        (["--mae", "0.05", "--out", "plan.txt"], "out: got 'plan.txt'"),
        (["--mae", "0.05", "--base", "none.npz"], "none.npz"),
        (["--mae", "0.05", "--like", "natural", "smooth"], "one of leaves under zone-plate"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(told, tmp_path, capsys, monkeypatch, more, message):
    monkeypatch.chdir(tmp_path)
    asked = more if "--response" in more else [*more, "--response", str(told)]
    assert main(["plan", *asked]) == 2
    error = capsys.readouterr().err
    assert message in error.splitlines()[-1] and "Traceback" not in error
    assert [p.name for p in tmp_path.iterdir()] == ["response.json"]


def test_the_notebook_plans_a_base_and_writes_the_plan(told, base, tmp_path):
    import papermill

    out = tmp_path / "plan.json"
    given = {"base": str(base), "mae": 0.06, "response": [str(told)], "out": str(out)}
    papermill.execute_notebook(
        str(ROOT / "notebooks/08_plan.ipynb"), str(tmp_path / "out.ipynb"), given, kernel_name="python3",
        progress_bar=False, cwd=str(tmp_path),
    )  # fmt: skip
    assert json.loads(out.read_text(encoding="utf-8"))["options"][0]["arm"] == "MAP"
