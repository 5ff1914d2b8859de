"""Options chosen on the scan itself, by its own counts: the plan and the stage."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from studylib.arms.registry import arm
from studylib.design import StudyDesign
from studylib.errors import InputError
from studylib.io import dataset
from studylib.io.files import read_json, write_json
from studylib.run import arm_stages, paths
from studylib.run.hub import Hub
from studylib.run.parameters import Run
from studylib.run.plan import stages
from studylib.run.study import Study
from tests.asymmetric import OBJECT, scan_of

PATH = paths.choice(1000, "dense", "map")


def write_view(hub: Hub, split: str) -> None:
    scan = scan_of(1000, seed=len(split))
    scan = replace(scan, metadata=scan.metadata | {"object_shape": OBJECT.shape, "split": split})
    dataset.save(hub.phase_d(1000, "dense", split), scan, OBJECT)


def named(run: Run) -> dict:
    return {stage.name: stage for stage in stages(run)}


def test_the_plan_chooses_before_it_reconstructs():
    plan = named(Run.checked(arms=["ptychi", "map", "pinn_map"], select=["map"]))
    choosing = plan["03_select_dose1000_dense_map"]
    assert choosing.outputs == [PATH] and paths.phase_d(1000, "dense", "train") in choosing.inputs
    for key, reads in {"map": True, "pinn_map": True, "ptychi": False, "pinn": False}.items():
        stage = plan[f"04_reconstruct_dose1000_dense_test_{key}"]
        assert (PATH in stage.inputs) == reads == (stage.parameters.get("options") == "scan")
    order = list(plan)
    assert order.index("03_select_dose1000_dense_map") < order.index("04_reconstruct_dose1000_dense_train_map")


def test_a_network_that_corrects_an_arm_is_trained_with_what_that_arm_chose():
    plan = named(Run.checked(arms=["unrolled"], select=["map"]))
    order, training = list(plan), plan["03_train_dose1000_dense_unrolled"]
    assert PATH in training.inputs and training.parameters["options"] == "scan"
    assert order.index("03_select_dose1000_dense_map") < order.index("03_train_dose1000_dense_unrolled")
    after = plan["04_reconstruct_dose1000_dense_test_unrolled"]
    assert "data/phase_e/dose_1000/dense/unrolled/weights.npz" in after.inputs
    assert paths.phase_f(1000, "dense", "test", "map") in after.inputs
    plain = named(Run.checked(arms=["unrolled"]))["03_train_dose1000_dense_unrolled"]
    assert PATH not in plain.inputs and "options" not in plain.parameters


def test_a_run_that_chooses_nothing_is_as_before():
    assert not any("select" in name for name in named(Run()))
    assert all("options" not in stage.parameters for stage in stages(Run()))
    assert "--select" not in Run().options("h", "")
    assert Run(select=("map",)).options("h", "")[-2:] == ["--select", "map"]


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


def test_what_was_chosen_on_the_scan_is_what_runs(tmp_path, monkeypatch):
    hub = Hub(tmp_path / "hub").create()
    design = StudyDesign.for_profile("smoke").model_copy(update={"arms": {"map": {"iterations": 15, "rounds": 1}}})
    write_json(hub / "analysis/design.json", design.model_dump(mode="json"))
    for split in ("train", "test"):
        write_view(hub, split)
    choice = arm_stages.select(hub, "smoke", 1000, "dense", "map")
    told = read_json(hub / PATH, "")
    assert told["settings"] == choice.settings and told["judged"] == choice.judged
    tried = {json.dumps(t["settings"]): t["loss"] for t in told["tried"]}
    assert len(tried) >= 5 and min(tried, key=tried.get) == json.dumps(told["settings"])
    other = told["settings"] | {"tv": 7.0}
    write_json(hub / PATH, told | {"settings": other})
    arm_stages.reconstruct(hub, "smoke", 1000, "dense", "test", "map", options="scan")
    with np.load(hub.phase_f(1000, "dense", "test", "map")) as made:
        ran = json.loads(str(made["_settings"]))
    assert ran["settings"]["tv"] == 7.0 and ran["settings"]["iterations"] == 15
    assert f"{len(tried)} candidates" in ran["settings_from"] and "this scan" in ran["settings_from"]


def test_a_choice_that_is_not_there_says_what_makes_it(tmp_path):
    hub = Hub(tmp_path / "hub").create()
    write_json(hub / "analysis/design.json", StudyDesign.for_profile("smoke").model_dump(mode="json"))
    write_view(hub, "test")
    with pytest.raises(InputError, match="03_select with arm=map"):
        arm_stages.reconstruct(hub, "smoke", 1000, "dense", "test", "pinn_map", options="scan")
    with pytest.raises(InputError, match="table or scan"):
        arm_stages.reconstruct(hub, "smoke", 1000, "dense", "test", "map", options="best")


def test_every_arm_that_may_choose_has_candidates():
    assert len(arm("map").candidates(None)) >= 3 and len(arm("ptychi").candidates(None)) >= 3
