"""The plan of a run: which stage reads what, and what it asks for."""

from __future__ import annotations

from studylib.run import paths
from studylib.run.parameters import Run
from studylib.run.plan import generation_stage, stages
from tests.unit.run.conftest import PATH


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


def test_making_the_reference_of_a_measured_scan_asks_for_what_a_reconstruction_does():
    asked = {sample: generation_stage(Run(sample=sample, probe=probe)).resources
             for sample, probe in (("leaves", "smooth"), ("measured", "measured"))}  # fmt: skip
    assert asked["leaves"].gpu == 0 and asked["measured"].gpu == 1
    assert asked["measured"].minutes >= 30 and asked["measured"].memory_mib > 2 * asked["leaves"].memory_mib
