"""Parameters of the notebooks as papermill gives them: unknown ones are refused, wrong ones told in a line."""

from __future__ import annotations

import papermill
import pytest

from studylib.errors import InputError
from studylib.run.notebook import refuse_unknown
from tests.conftest import ROOT


def execute(name: str, folder, **given) -> str:
    """Run a notebook that must fail; return what papermill says, without colours."""
    with pytest.raises(papermill.PapermillExecutionError) as told:
        papermill.execute_notebook(
            str(ROOT / f"notebooks/{name}.ipynb"), str(folder / "out.ipynb"), {"hub": str(folder / "hub"), **given},
            kernel_name="python3", progress_bar=False,
        )  # fmt: skip
    return str(told.value)


def test_a_parameter_that_the_notebook_does_not_have_is_refused(tmp_path):
    said = execute("00_design", tmp_path, dosis=5)
    assert "parameter: got 'dosis', expected one of changes, hub, profile, replicate" in said
    assert not (tmp_path / "hub").exists()


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [("01_generate", {"dose": -5}, "dose: got -5"), ("03_train", {"seed": -1}, "seed: got -1")],
)
def test_a_wrong_value_is_one_line(tmp_path, name, given, message):
    said = execute(name, tmp_path, **given)
    assert f"InputError: {message}" in said
    assert sum("File " in line for line in said.splitlines()) == 0, "no way through our code"


def test_what_the_cell_of_the_parameters_has_may_be_given():
    refuse_unknown(["a = 1\nb = 2", "# Parameters\nb = 3\n", "import os"])
    refuse_unknown(["import os", "a = 1"])
    with pytest.raises(InputError, match="got 'c, d', expected one of a, b"):
        refuse_unknown(["a = 1\nb = 2", "# Parameters\nd = 3\nc = 2\nb = 1"])
