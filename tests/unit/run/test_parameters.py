"""The parameters of a run."""

from __future__ import annotations

import pytest

from studylib.errors import InputError
from studylib.run.parameters import Run
from studylib.run.study import Study


@pytest.mark.parametrize(
    ("arms", "select", "why"),
    [
        (["map"], ["nobody"], "nobody"),
        (["map"], ["ptychi"], "an arm of the run"),
        (["pinn"], ["pinn"], "make selection"),
        (["map", "pinn_map"], ["pinn_map"], "--select map"),
    ],
)
def test_an_arm_that_cannot_choose_is_refused(arms, select, why):
    with pytest.raises(InputError, match=why):
        Run.checked(arms=arms, select=select)
    with pytest.raises(InputError, match=why):
        Study.checked(samples=["leaves"], probes=["zone-plate"], doses=[1000], views=["dense"], replicates=1,
                      arms=arms, select=select)  # fmt: skip
