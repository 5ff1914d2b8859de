"""The plan of a study: what is shared, and where things lie."""

from __future__ import annotations

import pytest

from studylib.errors import InputError
from studylib.run.parameters import Run
from studylib.run.plan import stages
from studylib.run.study import Study, graph
from tests.unit.run.conftest import GIVEN

MEASURED_SCAN = {"samples": ["measured"], "probes": ["measured"], "base_sha256": "0" * 64}


def test_what_conditions_share_is_planned_once():
    plan = graph(Study.checked(**GIVEN))
    made = [stage for stage in plan if not stage.source]
    count = {name: sum(s.notebook == name for s in made) for name in {s.notebook for s in made}}
    # 2 samples x 2 replicates; x 2 doses; x 2 views
    assert count == {
        "00_design": 4, "01_generate": 8, "02_overlap": 16, "03_train": 16, "04_reconstruct": 32, "05_compare": 16,
        "05_limit": 16, "05_uncertainty": 16, "06_evidence": 16,
    }  # fmt: skip
    assert len({stage.key for stage in plan}) == len(plan)
    written = [stage.under(name) for stage in plan for name in (*stage.outputs, stage.log, stage.executed)]
    assert len(set(written)) == len(written), "two stages write one file"
    known = set(written)
    assert all(name in known for stage in plan for name in stage.needs), "a stage reads what none writes"


@pytest.mark.parametrize("given", [GIVEN, GIVEN | MEASURED_SCAN], ids=["built-in", "measured"])
def test_the_evidence_waits_for_every_stage_of_its_condition(given):
    plan = graph(Study.checked(**given))
    maker = {stage.under(name): stage for stage in plan for name in stage.outputs}
    for evidence in [stage for stage in plan if stage.name == "06_evidence"]:
        waited, ahead = set(), [evidence]
        while ahead:
            stage = ahead.pop()
            waited.add(stage.key)
            ahead += [maker[name] for name in stage.needs if name in maker and maker[name].key not in waited]
        mine = {stage.key for stage in plan if stage.hub == evidence.hub}
        assert mine <= waited, "its page reads what another stage may not have made yet"


def test_one_training_serves_the_doses_of_a_view():
    plan = graph(Study.checked(**GIVEN | {"arms": "map pinn unrolled", "one_training": ["unrolled"]}))
    made = [stage for stage in plan if not stage.source and stage.notebook == "03_train"]
    trained = {key: [stage for stage in made if stage.parameters["arm"] == key] for key in ("pinn", "unrolled")}
    # 2 samples x 2 replicates x 2 views, and x 2 doses where each dose has a training of its own
    assert len(trained["pinn"]) == 16 and len(trained["unrolled"]) == 8
    assert {stage.parameters["dose"] for stage in trained["unrolled"]} == {1000}
    hub = "phase_smooth_r1/dose_100000_sparse"
    mine = {stage.name: stage for stage in plan if stage.hub == hub}
    image = mine["04_reconstruct_dose100000_sparse_test_unrolled"]
    assert "data/phase_e/dose_1000/sparse/unrolled/weights.npz" in image.inputs
    assert image.parameters["trained_at"] == 1000
    # It learns from the scan that is judged, and never sees the truth; the networks learn from the other half.
    needed = mine["03_train_dose1000_sparse_unrolled"].inputs
    assert "data/phase_d/dose_1000/sparse/test.npz" in needed
    learns = next(stage for stage in made if stage.parameters["arm"] == "pinn")
    assert any(name.endswith("train.npz") for name in learns.inputs)
    assert not any(name.endswith("test.npz") for name in learns.inputs)
    assert "trained_at" not in mine["04_reconstruct_dose100000_sparse_test_pinn"].parameters
    assert "data/phase_e/dose_1000/sparse/unrolled/training.json" in mine["05_compare_dose100000_sparse_test"].inputs
    assert mine["03_train_dose1000_sparse_unrolled"].source == "phase_smooth_r1/dose_1000_sparse"
    # What the training read is linked too, so that the condition is a whole hub.
    known = {stage.under(name) for stage in plan for name in stage.outputs}
    assert all(stage.under(name) in known for stage in mine.values() for name in stage.inputs)
    written = [stage.under(name) for stage in plan for name in (*stage.outputs, stage.log, stage.executed)]
    assert len(set(written)) == len(written), "two stages write one file"
    assert all(name in known for stage in plan for name in stage.needs), "a stage reads what none writes"


def test_disturbed_conditions_have_folders_and_words_of_their_own():
    study = Study.checked(**GIVEN | {"samples": ["leaves"], "disturbed": ["none", "positions-0.5"]})
    folders = {folder.split("/")[0] for folder in study.conditions()}
    assert folders == {f"leaves_smooth{wrong}_r{number}" for wrong in ("", "_positions-0.5") for number in (0, 1)}
    made = {s.hub: s.parameters for s in graph(study) if s.notebook == "01_generate" and not s.source}
    assert made["leaves_smooth_positions-0.5_r0"]["disturbed"] == "positions-0.5"
    assert "disturbed" not in made["leaves_smooth_r0"]
    assert {run.setting for run in study.conditions().values()} == {"smooth", "smooth, positions told wrong by 0.5 px"}
    assert all(stage.rule.isidentifier() for stage in graph(study))
    with pytest.raises(InputError, match="disturbed"):
        Study.checked(**GIVEN | MEASURED_SCAN | {"disturbed": ["background"]})


@pytest.mark.parametrize("key", ["ptychi", "baseline", "map"])
def test_only_an_arm_that_the_study_trains_is_trained_once(key):
    with pytest.raises(InputError, match="one-training"):
        Study.checked(**GIVEN | {"one_training": [key]})


def test_one_condition_is_planned_as_ever():
    run = Run.checked(dose=1000, view="dense", replicate=3)
    assert graph(Study.of(run)) == stages(run)
    assert list(Study.of(run).conditions().items()) == [(".", run)]


def test_doses_are_sorted_and_given_but_once():
    study = Study.checked(**GIVEN | {"doses": ["1e5", "1000", "1000"]})
    assert study.doses == (1000, 100_000) and study == Study.checked(**GIVEN)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"replicates": "0"}, "replicates: got '0'"), ({"doses": []}, "DOSES="), ({"samples": ["cat"]}, "sample"),
        ({"profile": "big"}, "profile"), ({"arms": ""}, "arms"), ({"changes": {"map.tw": 1}}, "map.tw"),
    ],
)  # fmt: skip
def test_a_bad_study_is_refused_by_name(change, expected):
    with pytest.raises(InputError, match=expected):
        Study.checked(**GIVEN | change)
